"""Selection lift: how much the choice of an epoch on the test set adds to a published figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

EPOCH_DISCORDANCE = 0.05
"""The share of test examples on which exactly one of two epochs of a run is right, where no log is known."""

DRAWS = 100_000

# Logs that equally good epochs would leave less often than this are those of a model that was still learning.
_NO_SCATTER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochScatter:
    """How far the accuracy of equally good epochs of a run is assumed to scatter on the test set.

    Parameters
    ----------
    sd : float
        The SD over epochs.
    df : float
        Its degrees of freedom where it comes from logs; infinite where it is assumed.
    source : str
        What it rests on, in words that continue "scatter ...".
    """

    sd: float
    df: float
    source: str


def epoch_scatter(logs: Sequence[Sequence[float]], *, n: int) -> EpochScatter:
    """Estimate the scatter of the accuracy over epochs.

    Parameters
    ----------
    logs : sequence of sequence of float
        The accuracies of each run by epoch, as far as they are known.
    n : int
        Test examples.

    Returns
    -------
    EpochScatter
        Pooled over the logs. Where these scatter far more than epochs of which exactly one is right on
        `EPOCH_DISCORDANCE` of the examples, the epochs are not equally good (a model was still learning), and the
        scatter is that of such epochs; if they are equally good all the same, it is too small.

    Examples
    --------
    >>> scatter = epoch_scatter([[0.907110, 0.897936, 0.907110], [0.899083, 0.900229, 0.894495]], n=872)
    >>> round(scatter.sd, 4), scatter.df, scatter.source
    (0.0043, 4, 'as the epochs of the log do')
    """
    known = [np.asarray(log, dtype=np.float64) for log in logs if len(log) > 1]
    assumed = math.sqrt(EPOCH_DISCORDANCE / (2 * n))
    source = f"as if exactly one of two epochs of a run were right on {EPOCH_DISCORDANCE:.0%} of the examples"
    if any(log.min() < log.max() for log in known):
        df = sum(len(log) - 1 for log in known)
        squares = sum(float(((log - log.mean()) ** 2).sum()) for log in known)
        if special.chdtrc(df, squares / assumed**2) >= _NO_SCATTER:
            return EpochScatter(sd=math.sqrt(squares / df), df=df, source="as the epochs of the log do")
        source += " (the log moves by more: its epochs are not equally good)"
    return EpochScatter(sd=assumed, df=math.inf, source=source)


def expected_lift(epochs: int, scatter: EpochScatter, *, rng: np.random.Generator) -> float:
    """Simulate what reporting the best of equally good epochs adds.

    Parameters
    ----------
    epochs : int
        How many epochs are picked from, at least 1.
    scatter : EpochScatter
        How far they scatter; normally and independently of each other.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    float
        Mean accuracy of the best epoch less that of all epochs.

    Raises
    ------
    ValueError
        If `epochs` is below 1.
    """
    return float(scatter.sd * _best(epochs, rng).mean())


def chance_of_selected_gap(
    gap: int, epochs: tuple[int, int], scatter: EpochScatter, *, n: int, rng: np.random.Generator
) -> float:
    """Simulate how often two equal arms, each reported at its best epoch, come out at least this far apart.

    Parameters
    ----------
    gap : int
        The gap in right answers; its sign does not matter.
    epochs : tuple of int
        From how many epochs each arm's figure was picked; 1 where none was.
    scatter : EpochScatter
        How far equally good epochs scatter. An SD that comes from logs is drawn anew each time, by its
        degrees of freedom.
    n : int
        Test examples.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    float
        From 0 to 1. Only the epochs within a run scatter here: seeds come on top, so that a small chance does not make
        a gap real.

    Raises
    ------
    ValueError
        If a number of epochs is below 1.

    See Also
    --------
    analysis.published.seeds.chance_of_gap : The chance by seeds alone.
    """
    best = _best(epochs[0], rng) - _best(epochs[1], rng)
    unknown = 1.0 if math.isinf(scatter.df) else np.sqrt(scatter.df / rng.chisquare(scatter.df, size=DRAWS))
    return float(np.mean(np.abs(best * unknown) * scatter.sd * n >= abs(gap) - 0.5))


def _best(epochs: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the greatest of so many standard normal numbers, by the inverse of its distribution."""
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}")
    return np.asarray(special.ndtri(rng.random(DRAWS) ** (1 / epochs)))
