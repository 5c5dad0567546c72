"""Every comparison of the plan once more for each class: whether precision and recall differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed import CrossedResult, crossed_test
from analysis.methods.multiplicity import joint_step_down
from analysis.metrics.influence import confusion_metric, confusion_scores
from analysis.records.outcomes import Outcomes
from analysis.study.comparison_tests import sequential_p_values, undefined_trials
from analysis.study.comparisons import ComparisonResult, interval_at
from analysis.study.looks import Look
from analysis.study.verdict import Verdict, decide

Measure = Literal["precision", "recall"]

MEASURES: tuple[Measure, ...] = ("precision", "recall")
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassComparison:
    """How two arms differ on one class, for new seeds and new examples.

    Parameters
    ----------
    treatment, baseline
        The two arms; the gap is treatment minus baseline.
    label
        The name of the class.
    measure
        Precision: right answers among the predictions of the class. Recall: among its examples.
    seeds
        The paired seeds.
    n_examples, n_clusters
        The examples behind it, and their clusters (None where the study has none): for recall those of the class.
    result
        The crossed test; None where it could not be made.
    confidence, interval
        The interval of the gap for this comparison alone.
    difference_p, equivalence_p
        Corrected over all classes, both measures and all comparisons together.
    verdict
        The answer.
    reason
        Why there is no test; else empty.
    """

    treatment: str
    baseline: str
    label: str
    measure: Measure
    seeds: tuple[int, ...]
    n_examples: int
    n_clusters: int | None
    result: CrossedResult | None
    confidence: float
    interval: tuple[float, float]
    difference_p: float
    equivalence_p: float
    verdict: Verdict
    reason: str

    @property
    def estimate(self) -> float:
        """The gap; NaN where the test could not be made."""
        return self.result.estimate if self.result is not None else _NAN


def compare_classes(
    outcomes: Outcomes,
    comparisons: Sequence[ComparisonResult],
    *,
    margin: float,
    alpha: float,
    look: Look | None = None,
) -> tuple[ClassComparison, ...]:
    """Compare precision and recall of every class, for every comparison that could be tested.

    Precision has other denominators in each arm, so it enters through influence values; recall is a plain mean over
    the examples of its class. Both then take the crossed test. The family of the correction is this table alone: its
    claims stand beside the verdicts of the plan, and do not lean on them.

    Parameters
    ----------
    outcomes
        The study.
    comparisons
        The comparisons of the plan, as they were made.
    margin
        The largest difference in precision or recall that does not matter, above 0.
    alpha
        Error rate over the whole table.
    look
        The look that has been reached, in a study that declares looks: they bind this table as they bind the verdicts.

    Returns
    -------
    tuple of ClassComparison
        By comparison, class and measure.
    """
    made = [one for one in comparisons if one.result is not None]
    arms = dict.fromkeys(arm for one in made for arm in (one.treatment, one.baseline))
    tables = {arm: dict(_scores(outcomes, arm, made[0].seeds)) for arm in arms}
    rows = [
        (one, label, measure)
        for one in made
        for label in range(len(outcomes.manifest.data.classes))
        for measure in MEASURES
    ]
    confidence = 1 - (look.level(alpha) if look is not None else alpha)
    open_ones = [_tested(outcomes, one, label, measure, tables, confidence=confidence) for one, label, measure in rows]
    raw = [
        sequential_p_values(
            one.result,
            tables[one.treatment][label, measure],
            tables[one.baseline][label, measure],
            margin=margin,
            look=look,
            seeds=one.seeds,
        )
        if one.result is not None
        else (_NAN, _NAN)
        for one, (_, label, measure) in zip(open_ones, rows, strict=True)
    ]
    # Comparisons that could not be made still count, as they do among the verdicts.
    absent = [_NAN] * (len(comparisons) - len(made)) * len(outcomes.manifest.data.classes) * len(MEASURES)
    adjusted = joint_step_down([gap for gap, _ in raw] + absent, [same for _, same in raw] + absent)
    return tuple(
        replace(
            one,
            difference_p=gap,
            equivalence_p=equal,
            verdict=decide(one.result, difference_p=gap, equivalence_p=equal, alpha=alpha, refusal=one.reason),
        )
        for one, gap, equal in zip(open_ones, adjusted.difference, adjusted.equivalence, strict=False)
    )


def _scores(
    outcomes: Outcomes, arm: str, seeds: Sequence[int]
) -> Iterator[tuple[tuple[int, Measure], NDArray[np.float64]]]:
    answers, labels = outcomes.answers(arm, seeds=seeds), outcomes.labels
    n_classes = len(outcomes.manifest.data.classes)
    for label in range(n_classes):
        metric = confusion_metric(f"precision:{label}", n_classes=n_classes)
        yield (label, "precision"), outcomes.drawn(confusion_scores(metric, labels, answers))
        own = np.flatnonzero(labels == label)
        found = np.asarray(answers[:, own] == label, dtype=np.float64)
        if outcomes.clusters is not None and len(own):
            found = cluster_scores(found, [outcomes.clusters[example] for example in own])
        yield (label, "recall"), found


def _tested(
    outcomes: Outcomes,
    one: ComparisonResult,
    label: int,
    measure: Measure,
    tables: Mapping[str, Mapping[tuple[int, Measure], NDArray[np.float64]]],
    *,
    confidence: float,
) -> ClassComparison:
    treatment, baseline = (tables[arm][label, measure] for arm in (one.treatment, one.baseline))
    reason = ""
    result = None
    if not treatment.shape[1]:
        reason = "the test split has no example of this class"
    elif never := undefined_trials({one.treatment: treatment, one.baseline: baseline}, one.seeds):
        reason = f"never predicted: {never}"
    else:
        result = crossed_test(treatment, baseline, paired=True)
    return ClassComparison(
        treatment=one.treatment,
        baseline=one.baseline,
        label=outcomes.manifest.data.classes[label],
        measure=measure,
        seeds=one.seeds,
        n_examples=int(np.count_nonzero(outcomes.labels == label)) if measure == "recall" else outcomes.n_examples,
        n_clusters=None if outcomes.clusters is None else treatment.shape[1],
        result=result,
        confidence=confidence,
        interval=interval_at(result, confidence),
        difference_p=_NAN,
        equivalence_p=_NAN,
        verdict=Verdict(asked=False),
        reason=reason,
    )
