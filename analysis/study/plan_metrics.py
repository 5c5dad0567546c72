"""Metrics that a plan may name, by task, and the margins that each may have."""

from __future__ import annotations

import math

from analysis.metrics.metric_kinds import METRICS

METRICS_OF_TASK = {
    "classification": tuple(name for name, kind in METRICS.items() if kind.task == "classification"),
    "regression": tuple(name for name, kind in METRICS.items() if kind.task == "regression"),
    "scores": ("score",),
}
"""The metrics of each task; the first is the default."""

OF_PROBABILITIES = tuple(name for name, kind in METRICS.items() if kind.of_probabilities)
"""The metrics that predicted classes alone do not give."""

WITH_UNITS = ("mse", "score")
"""The metrics whose margin has no default: none fits every unit."""

MARGIN_OF_SHARES = (1.0, "a number above 0 and below 1 (0.01 is one percentage point)")
"""What the margin of a share must lie below, and what it may be in words."""

_CORRELATION = (2.0, "a number above 0 and below 2")
_BELOW_ONE = (1.0, "a number above 0 and below 1")
_MARGINS = {
    "log_loss": _BELOW_ONE,
    "brier": _BELOW_ONE,
    "pearson": _CORRELATION,
    "spearman": _CORRELATION,
    "mse": (math.inf, "a number above 0, in the units of the labels, squared"),
    "score": (math.inf, "a number above 0, in the units of the score"),
}


def margins_of(metric: object) -> tuple[float, str]:
    """Return what every margin of a metric must lie below, and what it may be in words."""
    # A gap as large as that cannot be.
    return _MARGINS.get(metric, MARGIN_OF_SHARES) if isinstance(metric, str) else MARGIN_OF_SHARES
