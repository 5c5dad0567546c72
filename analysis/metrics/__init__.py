"""Metrics: predictions become scores by example."""
