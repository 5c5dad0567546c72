"""Run: what one run of a study works with."""

from __future__ import annotations

from dataclasses import dataclass

from harness.data.tokenization import TokenizedDataset
from harness.engines.engine import Engine
from harness.models.checkpoints import Checkpoint
from harness.progress.displays import Display
from harness.records.store import Store
from harness.runs.budget import Budget
from harness.search.mirror import Mirror
from harness.signals import StopRequest
from harness.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a study works with.

    Parameters
    ----------
    study : Study
        The study.
    checkpoint : Checkpoint
        What its trials start from.
    data : TokenizedDataset
        What they are trained and scored on.
    engine : Engine
        Trains them.
    store : Store
        Keeps their records.
    mirror : Mirror
        Shows them in Optuna's database.
    display : Display
        Shows the progress.
    stop : StopRequest
        Whether somebody asked to end early.
    budget : Budget or None
        What it may take; None for no limit.
    """

    study: Study
    checkpoint: Checkpoint
    data: TokenizedDataset
    engine: Engine
    store: Store
    mirror: Mirror
    display: Display
    stop: StopRequest
    budget: Budget | None

    def ends(self) -> bool:
        """Say whether to end early: somebody asked for it, or no time is left."""
        return self.stop.is_set() or (self.budget is not None and self.budget.is_over())

    @property
    def ended_by(self) -> str | None:
        """The signal that ended it, or the budget of time that it has spent."""
        return self.stop.by or (self.budget.name if self.budget is not None and self.budget.is_over() else None)
