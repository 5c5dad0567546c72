"""Epochs in a claims file: how the reported one was chosen, and the log by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from analysis.problems import shown
from analysis.published.claims_fields import Block, Count, LoggedByClass, Numbers, Shares
from analysis.published.printed_figures import PrintedFigure

BY_CLASS: tuple[Literal["f1", "precision", "recall"], ...] = ("f1", "precision", "recall")
"""The measures that are of a class, or of a mean of all."""

Criterion = Literal["accuracy", "f1", "loss"]

_SELECTIONS = "last, or {best: accuracy, on: test, epochs: 3}"


class PublishedSelection(Block):
    """How the reported epoch was chosen.

    Parameters
    ----------
    best : Criterion or None
        The figure by which the best epoch was picked; None for the last epoch.
    on : {"test", "holdout"} or None
        Where: on the test examples that are reported, or on a hold-out.
    epochs : int or None
        From how many epochs; by default as many as the log has.
    """

    best: Criterion | None = None
    on: Literal["test", "holdout"] | None = None
    epochs: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: object) -> object:
        if value == "last":
            return {}
        if not isinstance(value, Mapping) or "best" not in value or "on" not in value:
            raise ValueError(f"expected {_SELECTIONS}, got {shown(value)}")
        return value

    @property
    def on_test(self) -> bool:
        """Whether the best epoch was picked on the test examples that are reported."""
        return self.best is not None and self.on == "test"


class Log(Block):
    """Figures by epoch, of one run, from the first epoch on."""

    accuracy: Shares = ()
    f1: LoggedByClass = Field(default_factory=dict)
    precision: LoggedByClass = Field(default_factory=dict)
    recall: LoggedByClass = Field(default_factory=dict)
    loss: Numbers = ()

    @model_validator(mode="after")
    def _as_many_of_each(self) -> Log:
        lengths = {len(figures) for _, figures in self.columns()}
        if len(lengths) != 1:
            lengths_by_name = ", ".join(f"{len(figures)} of {name}" for name, figures in self.columns())
            raise ValueError(f"expected one figure per epoch in every column, got {lengths_by_name or 'no figure'}")
        return self

    def columns(self) -> list[tuple[str, tuple[PrintedFigure, ...]]]:
        """Return every column that the log has, with its name."""
        by_class = [
            (f"{measure} of {name}" if name else measure, figures)
            for measure in BY_CLASS
            for name, figures in getattr(self, measure).items()
        ]
        single = [("accuracy", self.accuracy), ("loss", self.loss)]
        return [(name, figures) for name, figures in [*single, *by_class] if figures]

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.columns()[0][1])
