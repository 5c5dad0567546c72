"""Checkpoints, adapters and freezing: how a model is built."""
