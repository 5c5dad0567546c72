"""Leaderboards: which systems of one test set the figures can tell apart, and which ranks each may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.multiplicity import holm
from analysis.methods.rank_sets import rank_sets, shown_better
from analysis.published.board_overlaps import p_at_best, p_better
from analysis.published.overlaps import OverlapOutcome
from analysis.published.published_report import PublishedReport
from analysis.published.systems import SystemAudit
from analysis.published.testable import right_answers_of, why_not_tested

_OUTCOMES: tuple[OverlapOutcome, ...] = (
    "cannot be significant",
    "undetermined without predictions",
    "significant whatever the overlap",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A system against the next one down the board.

    Parameters
    ----------
    name : str
        The next system.
    gap : tuple of int
        The least and the greatest difference in right answers.
    p_exact : tuple of float
        The least and the greatest two-sided p-value of McNemar's exact test over every overlap, uncorrected.
    p_corrected : tuple of float
        The same by Holm's method over all neighbours, each pair in both directions.
    outcome : OverlapOutcome
        After the correction.
    """

    name: str
    gap: tuple[int, int]
    p_exact: tuple[float, float]
    p_corrected: tuple[float, float]
    outcome: OverlapOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One system of a board.

    Parameters
    ----------
    name : str
    printed : str
        Its accuracy or error rate; empty where its right answers come from other figures.
    right : tuple of int
        The least and the greatest number of right answers.
    rank : int
        By the printed figures, from 1; equal figures share one.
    ranks : tuple of int
        The best and the worst rank that it may have, whatever the overlap of errors: with those of all other systems
        a simultaneous confidence set.
    ranks_at_best : tuple of int
        The same if errors overlap the most, of the right answers in the middle of what each figure allows: as little
        as predictions could leave.
    next : Neighbour or None
        The next system; None for the last one.
    """

    name: str
    printed: str
    right: tuple[int, int]
    rank: int
    ranks: tuple[int, int]
    ranks_at_best: tuple[int, int]
    next: Neighbour | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldApart:
    """How many of some pairs can be told apart, after correction over all of them.

    Parameters
    ----------
    pairs : int
    never, open, always : int
        Those with no overlap of errors that makes them significant, those for which the predictions decide, and those
        that are significant whatever the overlap.
    """

    pairs: int
    never: int
    open: int
    always: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRanked:
    """A system that the board names and that cannot be ranked.

    Parameters
    ----------
    name, reason : str
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What follows from the figures of a leaderboard; about these trained models on new examples.

    Parameters
    ----------
    n : int
        Test examples.
    alpha : float
        The chance of any false claim on the board, for neighbours and for ranks each.
    rows : tuple of BoardRow
        The systems, the best first.
    not_ranked : tuple of NotRanked
        Those that are left out.
    least_gap : int
        The least difference in right answers that any overlap makes significant, even uncorrected.
    closer : int
        How many neighbours are fewer answers apart.
    neighbours : ToldApart
        The pairs of neighbours, corrected over these.
    all_pairs : ToldApart
        All pairs, corrected over all.
    generalizes_to : str
        The population that the results speak about.
    """

    n: int
    alpha: float
    rows: tuple[BoardRow, ...]
    not_ranked: tuple[NotRanked, ...]
    least_gap: int
    closer: int
    neighbours: ToldApart
    all_pairs: ToldApart
    generalizes_to: str = "examples"


def judge_board(report: PublishedReport, systems: Mapping[str, SystemAudit], *, alpha: float) -> Board:
    """Judge all systems of a report as a leaderboard.

    Parameters
    ----------
    report : PublishedReport
    systems : mapping of str to SystemAudit
        What follows from the figures of each.
    alpha : float
        The chance of any false claim, above 0 and at most 0.5.

    Notes
    -----
    Which systems are neighbours is decided by the very figures that are tested. The correction over all pairs allows
    for that by itself; that over neighbours does so in all simulations of the calibration.
    """
    reasons = {name: why_not_tested(system, report) for name, system in systems.items()}
    ranked = [system for name, system in systems.items() if not reasons[name]]
    # The middle of what a figure allows is the figure; equal ones keep the order of the file.
    ranked.sort(key=lambda system: -sum(right_answers_of(system)))
    right = np.array([right_answers_of(system) for system in ranked], dtype=np.int64).reshape(-1, 2)
    best, worst = p_better(right, n=report.n)
    at_best, whatever = shown_better(best, alpha=alpha), shown_better(worst, alpha=alpha)
    middle = right.sum(axis=1) // 2
    possible = rank_sets(shown_better(p_at_best(middle[:, None] - middle[None, :]), alpha=alpha))
    sure = rank_sets(whatever)
    below = _neighbours([system.name for system in ranked], right, best, worst, alpha)
    totals = right.sum(axis=1)
    least_gap = math.ceil(1 - math.log2(alpha))
    return Board(
        n=report.n,
        alpha=alpha,
        rows=tuple(
            BoardRow(
                name=system.name,
                printed=system.readings[0].accuracy,
                right=(int(right[at, 0]), int(right[at, 1])),
                rank=1 + int((totals > totals[at]).sum()),
                ranks=(int(sure[at, 0]), int(sure[at, 1])),
                ranks_at_best=(int(possible[at, 0]), int(possible[at, 1])),
                next=below[at] if at < len(below) else None,
            )
            for at, system in enumerate(ranked)
        ),
        not_ranked=tuple(NotRanked(name=name, reason=reason) for name, reason in reasons.items() if reason),
        least_gap=least_gap,
        closer=sum(neighbour.gap[1] < least_gap for neighbour in below),
        neighbours=_told_apart([_OUTCOMES.index(neighbour.outcome) for neighbour in below]),
        all_pairs=_told_apart(_either(at_best).astype(np.int64) + _either(whatever)),
    )


def _neighbours(
    names: list[str], right: NDArray[np.int64], best: NDArray[np.float64], worst: NDArray[np.float64], alpha: float
) -> list[Neighbour]:
    at = np.arange(len(names) - 1)
    # For every pair of neighbours, the one in front better than the next, and the other way round.
    one_sided = [np.stack([p[at, at + 1], p[at + 1, at]]) for p in (best, worst)]
    corrected = [holm(p.ravel()).reshape(p.shape) for p in one_sided]
    shown = [np.asarray((p <= alpha).any(axis=0)) for p in corrected]
    p_exact, p_corrected = (
        [np.minimum(1.0, factor * p.min(axis=0)) for p in both] for factor, both in ((2, one_sided), (1, corrected))
    )
    return [
        Neighbour(
            name=names[i + 1],
            gap=(max(0, int(right[i, 0] - right[i + 1, 1])), int(right[i, 1] - right[i + 1, 0])),
            p_exact=(float(p_exact[0][i]), float(p_exact[1][i])),
            p_corrected=(float(p_corrected[0][i]), float(p_corrected[1][i])),
            outcome=_OUTCOMES[int(shown[0][i]) + int(shown[1][i])],
        )
        for i in at
    ]


def _either(better: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for every pair of systems whether one is shown to be better, whichever."""
    upper = np.triu_indices(len(better), k=1)
    pairs: NDArray[np.bool_] = better[upper] | better.T[upper]
    return pairs


def _told_apart(outcomes: NDArray[np.int64] | list[int]) -> ToldApart:
    never, undecided, always = np.bincount(np.asarray(outcomes, dtype=np.int64), minlength=3).tolist()
    return ToldApart(pairs=len(outcomes), never=never, open=undecided, always=always)
