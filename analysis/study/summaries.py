"""Summaries of arms: the metric over seeds, and precision, recall and F1 by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.methods.arm_scores import Scores
from analysis.metrics.calibration_error import expected_calibration_error
from analysis.metrics.confusion_matrix import class_scores, confusion
from analysis.metrics.metric_kinds import MetricKind
from analysis.records.outcomes import Outcomes
from analysis.words import seeds_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """The metric of one arm over its seeds; a description of these trials on this test set.

    Parameters
    ----------
    arm : str
        The name of the arm.
    seeds : tuple of int
        The seeds that the figures are computed from.
    runs : tuple of str
        What the source of an imported study calls each of these trials; else the seeds as texts.
    n_examples : int
        The number of test examples.
    values : tuple of float
        The metric with each of these seeds; NaN where it is undefined.
    mean, sd, minimum, maximum : float
        Over the seeds; the SD divides by S - 1 and is NaN for one seed.
    calibration_error : float
        Mean over the seeds, and over the test sets, of the expected calibration error; a description without a test.
        NaN where no probabilities are stored.
    statuses : mapping of str to int
        The number of trials of the arm by status; those that a run until decided does not need are ``spared``.
    reason : str
        Why a figure is NaN; else empty.
    """

    arm: str
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    n_examples: int
    values: tuple[float, ...]
    mean: float
    sd: float
    minimum: float
    maximum: float
    calibration_error: float
    statuses: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSummary:
    """Precision, recall and F1 of one class in one arm: means over the seeds where they are defined.

    Parameters
    ----------
    arm, label : str
        The arm and the name of the class.
    n_class_examples : int
        How many test examples belong to the class.
    precision, recall, f1 : float
        Means over seeds; NaN where no seed defines them.
    n_seeds : int
        The number of seeds.
    n_defined : tuple of (int, int, int)
        In how many seeds precision, recall and F1 are defined.
    reason : str
        Why some are not; else empty.
    """

    arm: str
    label: str
    n_class_examples: int
    precision: float
    recall: float
    f1: float
    n_seeds: int
    n_defined: tuple[int, int, int]
    reason: str


def summarize_arm(
    outcomes: Outcomes, arm: str, scores: Scores, *, seeds: Sequence[int], kind: MetricKind
) -> ArmSummary:
    """Summarise the metric of one arm.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    arm : str
        The name of the arm.
    scores : ndarray, shape (S, N)
        Its scores by example.
    seeds : sequence of int
        The seeds of the rows.
    kind : MetricKind
        The metric.
    """
    values = scores.mean(axis=1) if seeds else np.empty(0)
    reason = "" if len(seeds) > 1 else "no trial finished" if not seeds else "one seed has no SD"
    if np.isnan(values).any():
        reason = f"{kind.title} is undefined with {np.count_nonzero(np.isnan(values))} of {len(seeds)} seeds"
    return ArmSummary(
        arm=arm,
        seeds=tuple(seeds),
        runs=tuple(outcomes.trials[arm, seed].label for seed in seeds),
        n_examples=outcomes.n_examples,
        values=tuple(values.tolist()),
        mean=float(values.mean()) if seeds else math.nan,
        sd=float(values.std(ddof=1)) if len(seeds) > 1 else math.nan,
        minimum=float(values.min()) if seeds else math.nan,
        maximum=float(values.max()) if seeds else math.nan,
        calibration_error=_calibration_error(outcomes, arm, seeds),
        statuses=outcomes.statuses(arm),
        reason=reason,
    )


def _calibration_error(outcomes: Outcomes, arm: str, seeds: Sequence[int]) -> float:
    if not seeds or not outcomes.has_probabilities:
        return math.nan
    return float(
        np.mean(
            [
                expected_calibration_error(one.labels, one.answers(one.trials[arm, seed])).value
                for one in outcomes.by_set()
                for seed in seeds
            ]
        )
    )


def summarize_classes(outcomes: Outcomes, arm: str, *, seeds: Sequence[int]) -> tuple[ClassSummary, ...]:
    """Summarise precision, recall and F1 of every class in one arm; a regression has none.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    arm : str
        The name of the arm.
    seeds : sequence of int
        The seeds to use; the arm must have finished with them.
    """
    names = outcomes.manifest.data.classes
    if not seeds or not names:
        return ()
    by_seed = [
        class_scores(confusion(outcomes.labels, outcomes.predictions(outcomes.trials[arm, seed]), n_classes=len(names)))
        for seed in seeds
    ]
    supports = np.bincount(outcomes.labels, minlength=len(names))
    summaries = []
    for index, name in enumerate(names):
        values = np.array([(scores.precision[index], scores.recall[index], scores.f1[index]) for scores in by_seed])
        defined = np.isfinite(values).sum(axis=0)
        means = [
            float(np.nanmean(column)) if count else math.nan for column, count in zip(values.T, defined, strict=True)
        ]
        precision, recall, f1 = (int(count) for count in defined)
        summaries.append(
            ClassSummary(
                arm=arm,
                label=name,
                n_class_examples=int(supports[index]),
                precision=means[0],
                recall=means[1],
                f1=means[2],
                n_seeds=len(seeds),
                n_defined=(precision, recall, f1),
                reason=_undefined(
                    int(supports[index]), [seed for seed, row in zip(seeds, values, strict=True) if np.isnan(row[0])]
                ),
            )
        )
    return tuple(summaries)


def _undefined(n_class_examples: int, never_predicted: Sequence[int]) -> str:
    if not n_class_examples:
        return "the test split has no example of this class"
    return f"never predicted with {seeds_in_words(never_predicted)}" if never_predicted else ""
