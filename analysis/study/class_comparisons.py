"""Comparisons by class: whether the precision and the recall of a class differ between two arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import ArmScores
from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.methods.multiplicity import joint_step_down
from analysis.metrics.confusion_metrics import confusion_metric
from analysis.metrics.influence import confusion_scores
from analysis.records.outcomes import Outcomes
from analysis.study.comparison_result import ComparisonResult
from analysis.study.gap_intervals import at_look, interval_at, verdict_interval
from analysis.study.plan import AnalysisPlan, Comparison
from analysis.study.primary_test import NO_P_VALUES, PValues, primary_test, results_at_looks, sequential_p_values
from analysis.study.rare_classes import few_examples, few_predictions
from analysis.study.refusals import undefined_trials
from analysis.study.seeds import SeedsInUse
from analysis.study.verdict import Verdict, decide

Measure = Literal["precision", "recall"]

MEASURES: tuple[Measure, ...] = ("precision", "recall")
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassComparison:
    """How two arms differ on one class, for new seeds and new examples.

    Parameters
    ----------
    treatment, baseline : str
        The two arms; the gap is treatment minus baseline.
    label : str
        The name of the class.
    measure : Measure
        Precision: right answers among the predictions of the class. Recall: among its examples.
    seeds : tuple of int
        The paired seeds; empty where runs are not paired by seed.
    n_seeds : tuple of (int, int)
        How many the treatment has, and the baseline.
    n_examples, n_clusters : int, int or None
        The number of examples, for recall those of the class, and of their clusters (None where the study has none).
    result : CrossedResult or None
        The crossed test; None where it could not be made.
    verdict_confidence, verdict_interval : float, Interval
        The interval of the gap that belongs to the verdict, as that of a `ComparisonResult`, at alpha over the number
        of rows of the whole table.
    confidence, interval : float, Interval
        The interval of the gap for this row alone, without any correction. Without a verdict both intervals are NaN.
    difference_p, equivalence_p : float
        Corrected over all classes, both measures and all comparisons together; NaN without a verdict.
    verdict : Verdict
        The answer; none for a class with too few examples (recall) or predictions (precision).
    reason : str
        Why there is no test, or no verdict; else empty.
    """

    treatment: str
    baseline: str
    label: str
    measure: Measure
    seeds: tuple[int, ...]
    n_seeds: tuple[int, int]
    n_examples: int
    n_clusters: int | None
    result: CrossedResult | None
    verdict_confidence: float
    verdict_interval: Interval
    confidence: float
    interval: Interval
    difference_p: float
    equivalence_p: float
    verdict: Verdict
    reason: str

    @property
    def estimate(self) -> float:
        """The gap; NaN where the test could not be made."""
        return self.result.estimate if self.result is not None else _NAN


ClassScores = Mapping[str, ArmScores]
"""Scores of one class and measure by arm, each of shape (S, examples or clusters)."""


def compare_classes(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    comparisons: Sequence[ComparisonResult],
    *,
    seeds: SeedsInUse,
    margin: float,
) -> tuple[ClassComparison, ...]:
    """Compare precision and recall of every class, for every comparison that could be tested.

    The denominator of precision differs between arms, so precision enters through influence values; recall is a plain
    mean over the examples of its class. Both then take the crossed test. The correction is over this table alone: its
    claims stand beside the verdicts of the plan and do not depend on them. A row without a verdict still counts in it:
    whether a class is predicted often enough is known only afterwards, and must not make the other rows easier.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan, whose alpha is the error rate over the whole table.
    comparisons : sequence of ComparisonResult
        The comparisons of the plan, as they were made.
    seeds : SeedsInUse
        The seeds in use. Declared looks bind this table as they bind the verdicts.
    margin : float
        The largest difference in precision or recall that does not matter, above 0.

    Returns
    -------
    tuple of ClassComparison
        By comparison, class and measure; empty in a study without classes.
    """
    if not outcomes.has_classes:
        return ()
    tested = [pair for pair in comparisons if pair.result is not None]
    complete = [
        arm
        for arm in (outcomes.arms if tested else ())
        if seeds.by_arm[arm] and all(outcomes.trials[arm, seed].status == "finished" for seed in seeds.by_arm[arm])
    ]
    answers = {arm: outcomes.predicted(arm, seeds=seeds.by_arm[arm]) for arm in complete}
    n_rows = len(outcomes.manifest.data.classes) * len(MEASURES)
    shared = [seeds.of(plan, pair.treatment, pair.baseline) for pair in tested]
    # By class and measure, then by comparison; the table is the other way round.
    made: list[list[tuple[ClassComparison, PValues]]] = []
    for label, measure in product(range(len(outcomes.manifest.data.classes)), MEASURES):
        # Of one class and measure at a time: scores of all of them together would not fit into memory.
        scores = {arm: _scores(outcomes, said, label, measure) for arm, said in answers.items()}
        made.append([])
        for pair, own in zip(tested, shared, strict=True):
            row = _tested(
                outcomes,
                plan,
                pair,
                label,
                measure,
                scores=scores,
                answers={arm: answers[arm] for arm in (pair.treatment, pair.baseline)},
                seeds=own,
                confidence=1 - at_look(plan.alpha, own.look),
            )
            made[-1].append((row, _p_values(plan, row, scores, margin=margin, seeds=own)))
    in_order = [one for of_pair in zip(*made, strict=True) for one in of_pair]
    rows, raw = [row for row, _ in in_order], [p_values for _, p_values in in_order]
    # Rows without a verdict still count (as NaN), and so do comparisons that could not be made, as among the verdicts.
    raw += [NO_P_VALUES] * (len(comparisons) - len(tested)) * n_rows
    adjusted = joint_step_down([p.difference for p in raw], [p.equivalence for p in raw])
    each = plan.alpha / max(len(raw), 1)
    confidences = [1 - at_look(each, own.look) for own in shared for _ in range(n_rows)]
    return tuple(
        replace(
            row,
            verdict_confidence=confidence,
            verdict_interval=verdict_interval(
                None if row.reason else row.result, confidence, both, alpha=plan.alpha, margin=margin
            ),
            difference_p=both.difference,
            equivalence_p=both.equivalence,
            verdict=decide(
                row.result,
                difference_p=both.difference,
                equivalence_p=both.equivalence,
                alpha=plan.alpha,
                refusal=row.reason,
            ),
        )
        for row, confidence, both in zip(
            rows, confidences, map(PValues, adjusted.difference, adjusted.equivalence), strict=False
        )
    )


def _p_values(
    plan: AnalysisPlan, row: ClassComparison, scores: ClassScores, *, margin: float, seeds: SeedsInUse
) -> PValues:
    if row.result is None or row.reason:
        return NO_P_VALUES
    pair = Comparison(treatment=row.treatment, baseline=row.baseline)
    at_looks = results_at_looks(plan, scores, pair, seeds=seeds)
    return sequential_p_values(row.result, at_looks, look=seeds.look, margin=margin)


def _scores(outcomes: Outcomes, answers: NDArray[np.integer], label: int, measure: Measure) -> ArmScores:
    """Return the scores of one arm by one class and measure."""
    if measure == "precision":
        metric = confusion_metric(f"precision:{label}", n_classes=len(outcomes.manifest.data.classes))
        return ArmScores(outcomes.drawn(confusion_scores(metric, outcomes.labels, answers)))
    members = np.flatnonzero(outcomes.labels == label)
    right = answers[:, members] == label
    if outcomes.clusters is not None and len(members):
        return ArmScores(cluster_scores(right, [outcomes.clusters[example] for example in members]))
    return ArmScores(right)


def _tested(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    pair: ComparisonResult,
    label: int,
    measure: Measure,
    *,
    scores: ClassScores,
    answers: Mapping[str, NDArray[np.integer]],
    seeds: SeedsInUse,
    confidence: float,
) -> ClassComparison:
    reason = ""
    result = None
    treatment = scores[pair.treatment]
    if not treatment.shape[1]:
        reason = "the test split has no example of this class"
    elif undefined := undefined_trials(
        {arm: scores[arm].y[: len(seeds.by_arm[arm])] for arm in (pair.treatment, pair.baseline)}, seeds.by_arm
    ):
        reason = f"never predicted: {undefined}"
    else:
        result = primary_test(plan, scores, pair.treatment, pair.baseline)
        said = {
            (arm, seed): row
            for arm, rows in answers.items()
            # An arm that stayed has more seeds than the pair.
            for seed, row in zip(seeds.by_arm[arm], rows, strict=False)
        }
        reason = few_examples(outcomes, label) if measure == "recall" else few_predictions(outcomes, said, label)
    return ClassComparison(
        treatment=pair.treatment,
        baseline=pair.baseline,
        label=outcomes.manifest.data.classes[label],
        measure=measure,
        seeds=pair.seeds,
        n_seeds=pair.n_seeds,
        n_examples=int(np.count_nonzero(outcomes.labels == label)) if measure == "recall" else outcomes.n_examples,
        n_clusters=None if outcomes.clusters is None else treatment.shape[1],
        result=result,
        verdict_confidence=_NAN,
        verdict_interval=NO_INTERVAL,
        confidence=confidence,
        interval=interval_at(None if reason else result, confidence),
        difference_p=_NAN,
        equivalence_p=_NAN,
        verdict=Verdict(asked=False),
        reason=reason,
    )
