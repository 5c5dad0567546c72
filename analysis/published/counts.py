"""Right answers behind a printed accuracy: the whole numbers that round to it, if any (the GRIM check)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from analysis.published.printed_figures import PrintedFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The whole numbers of right answers that a printed share allows.

    Parameters
    ----------
    printed : str
        The figure.
    n : int
        Test examples.
    runs : int
        Runs that the figure is the mean of; right answers are then those of all runs together.
    low, high : int
        The least and the greatest number of right answers, of ``n * runs``; `low` is above `high` where no number
        rounds to the figure.
    strength : float
        The share of all figures of this precision that no number of right answers gives: how likely the check is to
        detect an arbitrary figure, from 0 (it never could) to nearly 1.
    """

    printed: str
    n: int
    runs: int
    low: int
    high: int
    strength: float

    @property
    def possible(self) -> bool:
        """Whether any number of right answers rounds to the figure."""
        return self.low <= self.high

    @property
    def only(self) -> int | None:
        """The number of right answers where a single one fits, else None."""
        return self.low if self.low == self.high else None


def right_answers(figure: PrintedFigure, *, n: int, runs: int = 1) -> Counts:
    """Find the numbers of right answers behind a printed accuracy (the GRIM check).

    A number that lies exactly between two figures may have been rounded to either, since half up, half to even and
    binary fractions differ. So both are allowed.

    Parameters
    ----------
    figure : PrintedFigure
        A printed share of right answers.
    n : int
        Test examples, at least 1.
    runs : int
        Runs that the figure is the mean of, at least 1. Unrounded accuracies are then assumed to have been averaged.

    Raises
    ------
    ValueError
        If `n` or `runs` is below 1.

    References
    ----------
    Brown and Heathers (2017), Social Psychological and Personality Science 8, 363-369.

    Examples
    --------
    >>> from analysis.published.printed_figures import read_share
    >>> counts = right_answers(read_share("90.71%"), n=872)
    >>> counts.only, round(counts.strength, 2)
    (791, 0.91)
    >>> right_answers(read_share("90.70%"), n=872).possible
    False
    """
    if min(n, runs) < 1:
        raise ValueError(f"need at least one example and one run, got n={n} and runs={runs}")
    total = n * runs
    # From 0 to 1 there are one more figures than steps, and one more counts than answers.
    # A count of the examples can be any: the check cannot fail.
    figures = 1 / (2 * figure.half_width) + 1 if figure.half_width else Fraction(total + 1)
    return Counts(
        printed=figure.printed,
        n=n,
        runs=runs,
        low=max(0, math.ceil(figure.low * total)),
        high=min(total, math.floor(figure.high * total)),
        strength=max(0.0, 1 - float((total + 1) / figures)),
    )
