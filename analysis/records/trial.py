"""Trials as the analysis sees them: status, record and predictions, and their names in messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.metrics.classes import predicted_classes
from analysis.records.trial_record import TrialRecord

if TYPE_CHECKING:
    # Reading what is stored takes pyarrow, which figures alone need not wait for.
    from analysis.records.stored_trials import Status

_NAMED_AT_MOST = 4


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of the study and what is known about it.

    Parameters
    ----------
    arm, seed : str, int
        What makes it this trial.
    status : Status
        The record's own status; ``"not run"`` where there is no record, ``"unreadable"`` where it cannot be
        used.
    message : str
        Why the trial has no usable predictions, in one line; empty where it has.
    record : TrialRecord or None
        The record, where one could be read.
    epochs : tuple of int
        The epochs with stored predictions, ascending; empty unless the trial finished.
    answers : ndarray or None, shape (epochs, N) or (epochs, N, classes)
        What it answered after each of these epochs: probabilities, the last axis being the class; else predicted
        classes, predicted numbers or scores.
    run : str or None
        What the source of an imported trial calls it, where that is not its seed.
    """

    arm: str
    seed: int
    status: Status
    message: str = ""
    record: TrialRecord | None = None
    epochs: tuple[int, ...] = ()
    answers: NDArray[Any] | None = None
    run: str | None = None

    @property
    def label(self) -> str:
        """What the source of an imported trial calls it: a seed, or a name."""
        return str(self.seed) if self.run is None else self.run

    @property
    def name(self) -> str:
        """The trial in words, such as ``lora-r4 seed 3``."""
        return f"{self.arm} seed {self.seed}" if self.run is None else f"{self.arm} run {self.run}"

    @property
    def known_answers(self) -> NDArray[Any]:
        """Its `answers`; a ValueError where it has none."""
        if self.answers is None:
            raise ValueError(f"{self.name} has no predictions: {self.status}")
        return self.answers

    @cached_property
    def predicted(self) -> NDArray[np.integer]:
        """The predicted classes after each epoch, shape (epochs, N): the first of the largest probabilities."""
        answers = self.known_answers
        return predicted_classes(answers) if answers.ndim == 3 else answers

    @property
    def pending(self) -> bool:
        """Whether the trial has yet to run, or to run again after it was interrupted."""
        return self.status in ("not run", "interrupted")

    @property
    def done(self) -> bool:
        """Whether no run trains the trial again: it finished, or it diverged."""
        return self.status in ("finished", "diverged")


def named_trials(trials: Sequence[Trial]) -> str:
    """Name trials by how they ended: ``diverged: lora seed 3; not run: full seed 4, lora seed 4``."""
    by_status: dict[str, list[str]] = {}
    for trial in trials:
        by_status.setdefault(trial.status, []).append(trial.name)
    parts = []
    for status, names in by_status.items():
        more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
        parts.append(f"{status}: {', '.join(names[:_NAMED_AT_MOST])}{more}")
    return "; ".join(parts)
