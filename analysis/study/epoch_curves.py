"""Epoch curves: the score of an arm after every epoch, and which epochs the test split would have picked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.records.outcomes import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCurve:
    """The score of one arm after every epoch; a description of these trials on this test set.

    Parameters
    ----------
    arm : str
        The name of the arm.
    n_examples : int
        The number of test examples.
    epochs : tuple of int
        The epochs after which the test split was scored, ascending.
    mean, lowest, highest : tuple of float
        Over the runs that have the epoch; NaN where the score of one is undefined.
    n_runs : tuple of int
        How many runs have the epoch.
    n_picked : tuple of int
        For how many of them it is the best on the test split.
    """

    arm: str
    n_examples: int
    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    n_runs: tuple[int, ...]
    n_picked: tuple[int, ...]


def epoch_curve(outcomes: Outcomes, arm: str, *, seeds: Sequence[int], metric: str = "accuracy") -> EpochCurve | None:
    """Follow the score of an arm from epoch to epoch; None where its trials have one epoch.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    arm : str
        The name of the arm.
    seeds : sequence of int
        The seeds to use; the arm must have finished with them.
    metric : str
        The score: a key of `analysis.METRICS`.
    """
    trials = [outcomes.trials[arm, seed] for seed in seeds]
    if max((len(trial.epochs) for trial in trials), default=0) < 2:
        return None
    values: dict[int, list[float]] = {}
    for trial in trials:
        for epoch, value in zip(trial.epochs, outcomes.by_epoch(trial, metric=metric).tolist(), strict=True):
            values.setdefault(epoch, []).append(value)
    picked = Counter(outcomes.epoch(trial, epoch_choice="best on test") for trial in trials)
    epochs = tuple(sorted(values))
    rows = [values[epoch] for epoch in epochs]
    undefined = [any(map(math.isnan, row)) for row in rows]
    return EpochCurve(
        arm=arm,
        n_examples=outcomes.n_examples,
        epochs=epochs,
        mean=tuple(math.fsum(row) / len(row) for row in rows),
        lowest=tuple(math.nan if missing else min(row) for row, missing in zip(rows, undefined, strict=True)),
        highest=tuple(math.nan if missing else max(row) for row, missing in zip(rows, undefined, strict=True)),
        n_runs=tuple(map(len, rows)),
        n_picked=tuple(picked[epoch] for epoch in epochs),
    )
