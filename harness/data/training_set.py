"""Training set of a trial: which examples of the training split it is trained on, and which it holds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import seeding
from harness.data.dataset import n_per_seed
from harness.data.holdout import holdout_size
from harness.study.trials import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Places in the training split, each in its order.

    Parameters
    ----------
    kept : ndarray of int
        What the trial is trained on.
    held : ndarray of int or None
        What it holds out to choose an epoch or settings; None where it holds nothing out.
    """

    kept: np.ndarray
    held: np.ndarray | None

    @property
    def drawn(self) -> np.ndarray:
        """Both together."""
        return self.kept if self.held is None else np.sort(np.concatenate((self.kept, self.held)))


def drawn_ids(trial: Trial, ids: Sequence[str]) -> tuple[str, ...] | None:
    """Return the ids that a trial's seed drew of the training split, in its order; None where it took all of them."""
    if trial.resample is None:
        return None
    return tuple(ids[place] for place in training_set(trial, len(ids)).drawn)


def training_set(trial: Trial, n: int) -> TrainingSet:
    """Return a trial's part of `n` training examples.

    A hold-out is the same for every seed and arm. Where the study resamples, each seed first draws a simple random
    sample, the same for every arm, and the hold-out is a part of that: holding out is a step of the training procedure,
    and the procedure is given a new training set.

    Raises
    ------
    DataError
        If a part would be empty.
    """
    if trial.resample is None:
        order = seeding.study_permutation("holdout", n)
    else:
        order = seeding.training_set_order(trial.seed, n)[: n_per_seed(n, trial.resample)]
    if trial.holdout is None:
        return TrainingSet(kept=np.sort(order), held=None)
    size = holdout_size(len(order), trial.holdout.fraction)
    return TrainingSet(kept=np.sort(order[size:]), held=np.sort(order[:size]))
