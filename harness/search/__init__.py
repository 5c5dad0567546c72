"""Optuna: the search for an arm's settings, and the study's trials on its dashboard."""
