"""Figures: a small named result is computed first, then drawn."""
