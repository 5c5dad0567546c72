"""How much of a published figure is the choice of its epoch, where that was made on the very test set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EPOCH_DISCORDANCE = 0.05
"""The share of test sentences on which exactly one of two epochs of a run is right, where no log says better."""

DRAWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLift:
    """What picking the best of several epochs adds if all of them are equally good; about this test set.

    Parameters
    ----------
    epochs
        How many epochs are picked from.
    epoch_sd
        The SD of the accuracy over equally good epochs that is supposed.
    mean
        The expected lift: accuracy of the best epoch less the mean of all.
    upper
        What 95% of lifts stay below.
    """

    epochs: int
    epoch_sd: float
    mean: float
    upper: float


def epoch_sd(logs: Sequence[Sequence[float]], *, n: int) -> tuple[float, str]:
    """Return the SD of the accuracy over epochs that is to be supposed, and where it comes from.

    Parameters
    ----------
    logs
        The accuracies of each run by epoch, as far as they are known.
    n
        Test examples.

    Examples
    --------
    >>> sd, source = epoch_sd([[0.907110, 0.897936, 0.907110], [0.899083, 0.900229, 0.894495]], n=872)
    >>> round(sd, 4), source
    (0.0043, 'as the epochs of the log scatter')
    """
    known = [np.asarray(log, dtype=np.float64) for log in logs if len(log) > 1]
    df = sum(len(log) - 1 for log in known)
    squares = sum(float(((log - log.mean()) ** 2).sum()) for log in known)
    if squares > 0:
        return math.sqrt(squares / df), "as the epochs of the log scatter"
    return (
        math.sqrt(EPOCH_DISCORDANCE / (2 * n)),
        f"as if two epochs of a run differed in being right on {EPOCH_DISCORDANCE:.0%} of the sentences",
    )


def expected_lift(epochs: int, *, sd: float, n: int, rng: np.random.Generator) -> ExpectedLift:
    """Simulate what picking the best of equally good epochs adds.

    Parameters
    ----------
    epochs
        How many epochs are picked from, at least 1.
    sd
        SD of the accuracy over epochs.
    n
        Test examples: accuracies are whole numbers of right answers.
    rng
        For the draws.

    Returns
    -------
    ExpectedLift
        Under the assumption that all epochs are equally good and scatter like independent normal draws, for this very
        test set. Epochs that grow better or worse scatter more than that, and make the lift look larger than it is.
    """
    drawn = _drawn(epochs, sd=sd, n=n, rng=rng)
    lifts = drawn.max(axis=1) - drawn.mean(axis=1)
    return ExpectedLift(epochs=epochs, epoch_sd=sd, mean=float(lifts.mean()), upper=float(np.quantile(lifts, 0.95)))


def chance_of_selected_gap(
    sentences: int, epochs: tuple[int, int], *, sd: float, n: int, rng: np.random.Generator
) -> float:
    """Simulate how often two equal arms come out at least this far apart by the choice of their epochs.

    Parameters
    ----------
    sentences
        The gap in right answers; its sign does not matter.
    epochs
        From how many epochs each arm's figure was picked; 1 where none was.
    sd, n, rng
        As for `expected_lift`.

    Returns
    -------
    float
        From 0 to 1. It counts the scatter of epochs within a run alone: that of the seeds comes on top.
    """
    best = [_drawn(k, sd=sd, n=n, rng=rng).max(axis=1) for k in epochs]
    return float(np.mean(np.abs(best[0] - best[1]) * n >= abs(sentences) - 0.5))


def _drawn(epochs: int, *, sd: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.rint(rng.normal(0.0, sd * n, size=(DRAWS, epochs))) / n
