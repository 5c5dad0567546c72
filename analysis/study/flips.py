"""Flipped examples: test examples that one arm gets right in most of its runs and the other does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.metrics.metric_kinds import MetricKind
from analysis.records.outcomes import Outcomes
from analysis.study.study_report import StudyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """The examples that flip between two arms: a description of these runs, and no test.

    Where answers are right or wrong, an example flips that one arm gets right in more than half of its runs and the
    other does not. Where they are numbers, or scores of any other kind, one with a lead of at least one half.

    Parameters
    ----------
    treatment, baseline : str
        The arms.
    positions : ndarray of int64, shape (F,)
        Which of the test examples flip, the surest first: by `chances` where answers are right or wrong, else by
        `leads`.
    leads : ndarray of float64, shape (F,)
        Of all pairs of a run of each arm, the share in which the treatment alone is better less the share in which the
        baseline alone is; where answers are right or wrong this is the difference of the shares of right runs.
    chances : ndarray of float64, shape (F,)
        How often the example's right answers, dealt at random to the runs of both arms, fall at least as unevenly in
        this direction (hypergeometric). NaN where answers are neither right nor wrong.
    expected : tuple of float
        How many examples such dealing would let flip, for the treatment and for the baseline; NaN as above.
    """

    treatment: str
    baseline: str
    positions: NDArray[np.int64]
    leads: NDArray[np.float64]
    chances: NDArray[np.float64]
    expected: tuple[float, float]

    @property
    def counts(self) -> tuple[int, int]:
        """How many examples flip in favour of the treatment, and of the baseline."""
        won = int(np.count_nonzero(self.leads > 0))
        return won, len(self.leads) - won


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredExamples:
    """The examples that flip, with what every run answered.

    Parameters
    ----------
    n_examples : int
        The number of test examples, N.
    flips : tuple of Flips
        For every comparison of the plan whose arms both have runs.
    right : bool
        Whether every answer is right or wrong; else one is better than another.
    positions : ndarray of int64, shape (H,)
        Which of the test examples are held here, ascending: those that flip, of very many the surest.
    ids : tuple of str
        Their names, shape (H,).
    labels : ndarray of int64 or float64, shape (H,)
        Their true classes or numbers; empty beside scores.
    classes : tuple of str
        The names of the classes; empty without classes.
    answers : mapping of str to ndarray, shape (S, H)
        By arm, a row for each run: predicted classes, predicted numbers or scores.
    """

    n_examples: int
    flips: tuple[Flips, ...]
    right: bool
    positions: NDArray[np.int64]
    ids: tuple[str, ...]
    labels: NDArray[np.int64] | NDArray[np.float64]
    classes: tuple[str, ...]
    answers: Mapping[str, NDArray[np.int64] | NDArray[np.float64]]


def answered_examples(outcomes: Outcomes, report: StudyReport, *, most: int = 10_000) -> AnsweredExamples:
    """Find the examples that flip, comparison by comparison.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    report : StudyReport
        What was made of it; it says which runs count.
    most : int
        How many examples are held at most; the comparisons share them.
    """
    seeds = {arm.arm: arm.seeds for arm in report.arms if arm.seeds}
    right = outcomes.has_classes or (not outcomes.is_regression and _right_or_wrong(outcomes, seeds))

    def marks(arm: str) -> NDArray[Any]:
        return _marks(outcomes, _answers(outcomes, arm, seeds[arm]), report.metric, right=right)

    flips_of = _flips_of_right if right else _flips_of_better
    flips = tuple(
        flips_of(one.treatment, one.baseline, marks(one.treatment), marks(one.baseline))
        for one in report.comparisons
        if one.treatment in seeds and one.baseline in seeds
    )
    surest = [one.positions[: most // len(flips)] for one in flips]
    held = np.unique(np.concatenate([np.empty(0, np.int64), *surest]))
    return AnsweredExamples(
        n_examples=outcomes.n_examples,
        flips=flips,
        right=right,
        positions=held,
        ids=tuple(outcomes.example_ids[i] for i in held),
        labels=outcomes.labels[held] if len(outcomes.labels) else outcomes.labels,
        classes=outcomes.manifest.data.classes,
        answers={arm: _answers(outcomes, arm, own)[:, held] for arm, own in seeds.items()},
    )


def _answers(outcomes: Outcomes, arm: str, seeds: Sequence[int]) -> NDArray[Any]:
    if outcomes.has_classes:
        return outcomes.predicted(arm, seeds=seeds)
    return np.stack([outcomes.answers(outcomes.trials[arm, seed]) for seed in seeds])


def _marks(outcomes: Outcomes, answers: NDArray[Any], metric: MetricKind, *, right: bool) -> NDArray[Any]:
    """Return which answers are right; else numbers of which a higher one is better."""
    if outcomes.has_classes:
        return np.asarray(answers == outcomes.labels)
    if outcomes.is_regression:
        return np.asarray(-np.abs(answers - outcomes.labels))
    if right:
        return np.asarray(answers == (1 if metric.higher_is_better else 0))
    return answers if metric.higher_is_better else -answers


def _right_or_wrong(outcomes: Outcomes, seeds: Mapping[str, Sequence[int]]) -> bool:
    """Whether every score is 0 or 1."""
    every = (_answers(outcomes, arm, own) for arm, own in seeds.items())
    return bool(seeds) and all(bool(np.all((one == 0) | (one == 1))) for one in every)


def _flips_of_right(treatment: str, baseline: str, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Flips:
    (n, a), (m, b) = ((len(rows), rows.sum(axis=0)) for rows in (first, second))
    won = (2 * a > n) & (2 * b <= m)
    lost = (2 * b > m) & (2 * a <= n)
    positions = np.flatnonzero(won | lost)
    leads = a / n - b / m
    dealt, which = np.unique(a + b, return_inverse=True)
    tails = np.empty(len(a))
    expected = np.zeros(2)
    for index, total in enumerate(dealt):
        share = _dealt(n, m, int(total))
        x = np.arange(n + 1)
        here = which == index
        at_least, at_most = share[::-1].cumsum()[::-1], share.cumsum()
        tails[here] = np.where(leads[here] > 0, at_least[a[here]], at_most[a[here]])
        majority, other = 2 * x > n, 2 * (total - x) > m
        expected += np.count_nonzero(here) * np.array([share[majority & ~other].sum(), share[~majority & other].sum()])
    order = np.lexsort((positions, -np.abs(leads[positions]), tails[positions]))
    chosen = positions[order]
    return Flips(
        treatment=treatment,
        baseline=baseline,
        positions=chosen,
        leads=leads[chosen],
        chances=tails[chosen],
        expected=(float(expected[0]), float(expected[1])),
    )


def _dealt(n: int, m: int, right: int) -> NDArray[np.float64]:
    """Return the chance that 0, 1, ..., n of the right answers of n + m runs fall on the first n: hypergeometric."""
    x = np.arange(n + 1)
    possible = (x <= right) & (right - x <= m)
    logs = _log_choose(n, x) + _log_choose(m, np.where(possible, right - x, 0)) - _log_choose(n + m, np.array(right))
    return np.where(possible, np.exp(logs), 0.0)


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


def _flips_of_better(treatment: str, baseline: str, first: NDArray[np.float64], second: NDArray[np.float64]) -> Flips:
    won = sum((first > row).sum(axis=0) - (first < row).sum(axis=0) for row in second)
    leads = won / (len(first) * len(second))
    apart = np.abs(first.mean(axis=0) - second.mean(axis=0))
    positions = np.flatnonzero(np.abs(leads) >= 0.5)
    order = np.lexsort((positions, -apart[positions], -np.abs(leads[positions])))
    chosen = positions[order]
    unknown = float("nan")
    return Flips(
        treatment=treatment,
        baseline=baseline,
        positions=chosen,
        leads=leads[chosen],
        chances=np.full(len(chosen), unknown),
        expected=(unknown, unknown),
    )
