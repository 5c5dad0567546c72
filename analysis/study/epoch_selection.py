"""Epoch selection: the score at the last epoch, at the hold-out's choice, and at the best epoch on test.

The score is accuracy, or in a study without classes its metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.interval import Interval
from analysis.methods.over_seeds import paired_t
from analysis.metrics.metric_kinds import METRICS, MetricKind
from analysis.records.manifest import EpochSelection
from analysis.records.outcomes import Outcomes
from analysis.records.trial_answers import EpochChoice
from analysis.study.comparison_result import ComparisonResult

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionLift:
    """What picking the best epoch on the test split adds to an arm's score, on this test set.

    Parameters
    ----------
    arm : str
        The name of the arm.
    n_seeds, n_examples : int
        The number of seeds and of test examples.
    n_epochs : int
        The most epochs that a trial chooses from.
    published : bool
        Whether the study itself picks its epoch on the test split, and so would report `best`.
    metric : str
        The metric by which the best epoch on test is picked.
    last : float
        Mean score at the last epoch.
    holdout : float
        Mean score at the hold-out's choice; NaN for an arm without a hold-out.
    best : float
        Mean score at each trial's best epoch on the test split.
    lift : float
        `best` less `last`, paired by seed.
    interval : Interval
        Its interval, by the paired t over seeds; NaN for one seed, where no seed gains anything, and where seeds of two
        kinds cross.
    confidence : float
        The confidence of that interval.
    generalizes_to : str
        ``"seeds"``: new seeds, on this very test set. Without a test, ``"these trials"``.
    """

    arm: str
    n_seeds: int
    n_examples: int
    n_epochs: int
    published: bool
    metric: str
    last: float
    holdout: float
    best: float
    lift: float
    interval: Interval
    confidence: float
    generalizes_to: str = "seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapBySelection:
    """One comparison's gap in the score at each choice of the epoch; a description of these trials.

    Parameters
    ----------
    treatment, baseline : str
        The two arms.
    n_seeds, n_examples : int
        The number of seeds, in the smaller arm where they differ, and of test examples.
    last, holdout, best : float
        Treatment minus baseline at the last epoch, at the hold-out's choice (NaN where an arm has none), and at the
        best epoch on the test split.
    """

    treatment: str
    baseline: str
    n_seeds: int
    n_examples: int
    last: float
    holdout: float
    best: float


def selection_score(kind: MetricKind) -> MetricKind:
    """Return the score that is followed from epoch to epoch: accuracy, or in a study without classes its metric."""
    return METRICS["accuracy"] if kind.task == "classification" else kind


def selection_lift(
    outcomes: Outcomes, arm: str, *, seeds: Sequence[int], metric: str = "accuracy", confidence: float = 0.95
) -> SelectionLift | None:
    """Measure what selection on the test split adds; None where there is nothing to select from, or a score is NaN.

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
    confidence : float
        Of the lift's interval, between 0 and 1.
    """
    n_epochs = max((len(outcomes.trials[arm, seed].epochs) for seed in seeds), default=0)
    selection = outcomes.manifest.selection_of(arm)
    if n_epochs < 2:
        return None
    last, best = (_scores(outcomes, arm, seeds, metric, epoch_choice) for epoch_choice in ("last", "best on test"))
    if np.isnan([last, best]).any():
        return None
    lift = paired_t(best, last)
    return SelectionLift(
        arm=arm,
        n_seeds=len(seeds),
        n_examples=outcomes.n_examples,
        n_epochs=n_epochs,
        published=selection.on_test,
        metric=_by(outcomes, selection),
        last=float(last.mean()),
        holdout=_holdout(outcomes, arm, seeds, metric),
        best=float(best.mean()),
        lift=float((best - last).mean()),
        interval=lift.interval(confidence),
        confidence=confidence,
    )


def gap_by_selection(
    outcomes: Outcomes, comparison: ComparisonResult, *, seeds: Mapping[str, Sequence[int]], metric: str = "accuracy"
) -> GapBySelection | None:
    """Return a comparison's gap at each choice of the epoch; None where there was no test or no choice.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    comparison : ComparisonResult
        A comparison of the plan.
    seeds : mapping of str to sequence of int
        The seeds to use, by arm; both arms must have finished with theirs.
    metric : str
        The score: a key of `analysis.METRICS`.
    """
    arms = (comparison.treatment, comparison.baseline)
    epochs = [len(outcomes.trials[arm, seed].epochs) for arm in arms for seed in seeds[arm]]
    if comparison.result is None or max(epochs) < 2:
        return None

    def gap(epoch_choice: EpochChoice) -> float:
        treatment, baseline = (_scores(outcomes, arm, seeds[arm], metric, epoch_choice).mean() for arm in arms)
        return float(treatment - baseline)

    treatment, baseline = (_holdout(outcomes, arm, seeds[arm], metric) for arm in arms)
    return GapBySelection(
        treatment=comparison.treatment,
        baseline=comparison.baseline,
        n_seeds=min(comparison.n_seeds),
        n_examples=outcomes.n_examples,
        last=gap("last"),
        holdout=treatment - baseline,
        best=gap("best on test"),
    )


def _scores(
    outcomes: Outcomes, arm: str, seeds: Sequence[int], metric: str, epoch_choice: EpochChoice
) -> NDArray[np.float64]:
    scores = outcomes.scores(arm, seeds=seeds, metric=metric, epoch_choice=epoch_choice)
    return np.asarray(scores.mean(axis=1))


def _by(outcomes: Outcomes, selection: EpochSelection) -> str:
    """Name the metric by which the best epoch on test is picked; see `TrialAnswers.epoch`."""
    score = outcomes.manifest.data.score
    if score is not None:
        return score.name
    if outcomes.is_regression:
        return "loss"
    return selection.metric if outcomes.has_probabilities else "accuracy"


def _holdout(outcomes: Outcomes, arm: str, seeds: Sequence[int], metric: str) -> float:
    selection = outcomes.manifest.selection_of(arm)
    if selection.rule != "best" or selection.on != "holdout":
        return math.nan
    return float(_scores(outcomes, arm, seeds, metric, "verdict").mean())
