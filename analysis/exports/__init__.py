"""Exports: the answers of a study, for other programs."""
