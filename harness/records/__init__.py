"""A results folder: trials, manifest, lock."""
