"""Engines: what trains trials. One after the other by transformers' Trainer, or many at once in a pack."""
