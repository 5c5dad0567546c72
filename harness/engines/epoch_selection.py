"""Epoch selection: the epoch whose scores a trial reports, and early stopping, by its hold-out; for every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.engines.result import Epoch
from harness.study.settings import BestEpoch


def selected_epoch(epochs: Sequence[Epoch], holdout: BestEpoch | None) -> int | None:
    """Return the hold-out's choice, the earliest of equals; the last epoch where nothing is held out; None if none."""
    if not epochs:
        return None
    if holdout is None:
        return epochs[-1].epoch

    def badness(epoch: Epoch) -> float:
        if epoch.holdout is None:
            return math.inf
        if holdout.best == "loss" or epoch.holdout.accuracy is None:
            return epoch.holdout.loss
        return -epoch.holdout.accuracy

    # min keeps the earliest of equals
    return min(epochs, key=badness).epoch


def out_of_patience(epochs: Sequence[Epoch], holdout: BestEpoch | None) -> bool:
    """Return whether the hold-out has not improved for as many epochs as the study allows."""
    if holdout is None or holdout.patience is None:
        return False
    best = selected_epoch(epochs, holdout)
    return best is not None and epochs[-1].epoch - best >= holdout.patience
