"""Metrics: their names, and what a study has to know about each to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "mcc",
    "auroc",
    "log_loss",
    "brier",
    "pearson",
    "spearman",
    "mse",
    "score",
]
"""What a study file may name: a key of `METRICS`, or the score that others gave each example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """What a study has to know about a metric to show it.

    Parameters
    ----------
    name : str
        As a study file writes it.
    title : str
        As a table shows it.
    higher_is_better : bool
    share : bool
        Whether it ends at 1 and its differences are shown in percentage points.
    task : {"classification", "regression", "scores"}
        Whether it judges predicted classes or predicted numbers, or is itself what a study stores for each example.
    of_probabilities : bool
        Whether it needs the probability of each class, so that predicted classes alone do not give it.
    """

    name: str
    title: str
    higher_is_better: bool = True
    share: bool = True
    task: Literal["classification", "regression", "scores"] = "classification"
    of_probabilities: bool = False

    @property
    def label(self) -> str:
        """The metric as a study file writes it; a score by the name that others gave it."""
        return self.title if self.task == "scores" else self.name

    @property
    def heading(self) -> str:
        """The title at the beginning of a sentence; a score keeps the name that others gave it."""
        return self.title if self.task == "scores" else f"{self.title[0].upper()}{self.title[1:]}"


METRICS: Mapping[str, MetricKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            MetricKind(name="accuracy", title="accuracy"),
            MetricKind(name="balanced_accuracy", title="balanced accuracy"),
            MetricKind(name="macro_f1", title="macro-F1"),
            MetricKind(name="mcc", title="MCC"),
            MetricKind(name="auroc", title="AUROC", of_probabilities=True),
            MetricKind(name="log_loss", title="log loss", higher_is_better=False, share=False, of_probabilities=True),
            MetricKind(name="brier", title="Brier score", higher_is_better=False, share=False, of_probabilities=True),
            MetricKind(name="pearson", title="Pearson correlation", share=False, task="regression"),
            MetricKind(name="spearman", title="Spearman correlation", share=False, task="regression"),
            MetricKind(name="mse", title="mean squared error", higher_is_better=False, share=False, task="regression"),
        )
    }
)
