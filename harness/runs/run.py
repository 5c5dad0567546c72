"""Run: what one run of a study works with, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.tokenization import TokenizedDataset
from harness.engines.engine import Engine
from harness.models.checkpoints import Checkpoint
from harness.progress.displays import Display
from harness.records.record import digest
from harness.records.store import Store
from harness.records.workers import Worker
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
    worker : Worker
        This process among those that train the study.
    mirror : Mirror
        Shows them in Optuna's database, where this process does.
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
    worker: Worker
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


def settings_of(study: Study) -> str:
    """Return what workers of one study have in common: a hash of its settings."""
    return digest(study.model_dump(mode="json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The outcome of a run.

    Parameters
    ----------
    folder : Path
        The study's results.
    statuses : mapping of str to int
        The number of trials of the requested arms by status; `missing` counts those that have not run.
    waiting : int
        The number of trials of other arms that have yet to run.
    spared : int
        The number of trials that a run until decided did not need.
    elsewhere : int
        The number of missing trials that other workers train.
    ran : int
        The number of trials that this run trained.
    turns : int
        In how many turns it timed every arm alone; 0 where it did not.
    stopped_by : str or None
        The signal that ended it early, such as ``SIGTERM``, or its budget.
    """

    folder: Path
    statuses: Mapping[str, int]
    waiting: int
    spared: int = 0
    elsewhere: int = 0
    ran: int
    turns: int = 0
    stopped_by: str | None

    @property
    def stopped(self) -> bool:
        """Whether the run was interrupted."""
        return self.stopped_by is not None

    @property
    def complete(self) -> bool:
        """Whether every requested trial finished, or is being trained by another worker."""
        missing = self.statuses.get("missing", 0)
        return set(self.statuses) <= {"finished", "missing"} and missing <= self.elsewhere and bool(self.statuses)


def summary_before_training(study: Study, folder: Path, asked: Sequence[str], stopped_by: str | None) -> RunSummary:
    """Return the outcome of a run that ended before it knew its trials.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Its results.
    asked : sequence of str
        The arms that were to be trained.
    stopped_by : str or None
        The signal or the budget that ended it.
    """
    each = len(study.numbered_seeds)
    return RunSummary(
        folder=folder,
        statuses={"missing": len(asked) * each},
        waiting=len(set(study.arms) - set(asked)) * each,
        ran=0,
        stopped_by=stopped_by,
    )
