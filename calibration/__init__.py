"""Calibration: how often every method errs, counted over simulated studies whose truth is known.

``python -m calibration`` simulates them all and writes docs/calibration.md.
"""
