"""Spreads: what may stand after a ± in a table, and the SD over runs that each reading of it stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from scipy import special

from analysis.published.printed_figures import PrintedFigure

SpreadKind = Literal["sd", "standard error", "95% interval", "over examples"]
"""What a spread is: of the runs, of their mean, half the width of its interval; or no matter of runs at all."""

OVER_RUNS: tuple[SpreadKind, ...] = get_args(SpreadKind)[:3]

_Z = float(special.ndtri(0.975))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A printed spread over runs.

    Parameters
    ----------
    figure : PrintedFigure
        In the unit of the score.
    ddof : int or None
        What an SD was divided by, as in `RunsSd`; None where nobody says.
    kind : SpreadKind or None
        What it is; None where nobody says.
    """

    figure: PrintedFigure
    ddof: int | None
    kind: SpreadKind | None


def of_sample(runs: int, ddof: int | None, kind: SpreadKind | None = "sd") -> tuple[float, float]:
    """Return the factor that turns a spread over runs into the SD of a sample, which is divided by one less than them.

    Parameters
    ----------
    runs : int
        At least 2.
    ddof : int or None
        1 where it is one already, 0 where it was divided by the runs themselves, None where that is not known.
    kind : SpreadKind or None
        What the spread is; None where that is not known. An interval may have been made with Student's t or with the
        normal distribution.

    Returns
    -------
    tuple of float
        The least and the greatest factor; they differ where `ddof` or `kind` is None, and for an interval.

    Examples
    --------
    >>> [tuple(round(factor, 3) for factor in of_sample(3, ddof)) for ddof in (1, 0, None)]
    [(1.0, 1.0), (1.225, 1.225), (1.0, 1.225)]
    >>> [tuple(round(factor, 2) for factor in of_sample(5, 1, kind)) for kind in (*OVER_RUNS, None)]
    [(1.0, 1.0), (2.24, 2.24), (0.81, 1.14), (0.81, 2.24)]
    """
    greatest = math.sqrt(runs / (runs - 1))
    least, most = {1: (1.0, 1.0), 0: (greatest, greatest), None: (1.0, greatest)}[ddof]
    error = math.sqrt(runs)
    factors = {
        "sd": (1.0, 1.0),
        "standard error": (error, error),
        "95% interval": (error / float(special.stdtrit(runs - 1, 0.975)), error / _Z),
    }
    readings = factors.values() if kind is None else [factors[kind]]
    return least * min(low for low, _ in readings), most * max(high for _, high in readings)


def from_examples_alone(score: PrintedFigure, *, n: int) -> bool:
    """Return whether a printed spread is the one that the number of test examples gives any score of this size.

    That is the standard error of a share, with n or n - 1 below it, or 1.96 times as much; some programs print it
    beside each accuracy. It says nothing about runs.

    Examples
    --------
    >>> from analysis.published.printed_figures import read_score
    >>> [from_examples_alone(read_score(text), n=1319) for text in ("47.84 ± 1.38", "47.84 ± 0.40")]
    [True, False]
    """
    if score.spread is None or n < 2:
        return False
    variances = [
        share * (1 - share) for share in (max(Fraction(0), score.low), score.value, min(Fraction(1), score.high))
    ]
    least, most = math.sqrt(min(variances) / n), math.sqrt(max(variances) / (n - 1))
    # The digits of a score of few digits leave the variance open; that of the score itself lies between.
    low, high = float(score.spread.low), float(score.spread.high)
    return any(low <= factor * most and factor * least <= high for factor in (1.0, _Z))
