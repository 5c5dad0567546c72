"""Study report: everything that is known about a study, from its results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.methods.interval import NO_INTERVAL
from analysis.metrics.consistency import churn, consistency
from analysis.records.loading import load
from analysis.records.looks import TakenLook
from analysis.records.outcomes import Outcomes
from analysis.study.analysis_block import frozen_plan
from analysis.study.best import best_arms, no_set
from analysis.study.claims_block import parse_claims
from analysis.study.class_comparisons import compare_classes
from analysis.study.comparison_result import ComparisonResult
from analysis.study.comparisons import compare
from analysis.study.cost import ArmCost, arm_costs
from analysis.study.crossing import NOT_INDEPENDENT
from analysis.study.epoch_curves import epoch_curve
from analysis.study.epoch_selection import gap_by_selection, selection_lift, selection_score
from analysis.study.footer import footer
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan
from analysis.study.population import training_sets, with_training_sets
from analysis.study.published_gaps import compare_published_gaps
from analysis.study.rare_classes import rare_class_caveats
from analysis.study.seed_sds import seed_sd_caveats, seed_sds
from analysis.study.seeds import SeedsInUse, seeds_in_use
from analysis.study.set_verdicts import count_sets, set_verdicts
from analysis.study.study_report import StudyReport
from analysis.study.summaries import summarize_arm, summarize_classes
from analysis.study.time_ratio import TimeRatio, time_ratio, turns_ratio
from analysis.study.unbounded_scores import unbounded_caveats
from analysis.study.withholding import WITHHELD, finished_seeds, why_withheld, withheld_caveat

__all__ = ["RESAMPLES", "StudyReport", "analyze", "report_on"]

RESAMPLES = 10_000
"""How often the multi-bootstrap resamples by default."""

# Fixed, so that the same folder gives the same report.
_RESAMPLING_SEED = 0


def analyze(folder: Path, *, resamples: int = RESAMPLES) -> StudyReport:
    """Analyse a results folder.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.
    resamples : int
        How often the multi-bootstrap resamples seeds and examples, at least 2.

    Returns
    -------
    StudyReport
        Every figure and verdict of the study; `to_json` gives it as plain values.

    Raises
    ------
    RecordError
        If the folder holds no usable manifest, or something in a format that this version does not read.
    AlignmentError
        If the trials cannot be compared example by example.
    PlanError
        If the manifest's plan or claims cannot be used.
    """
    return report_on(load(folder), resamples=resamples)


def report_on(outcomes: Outcomes, *, resamples: int = RESAMPLES, withhold: bool = False) -> StudyReport:
    """Analyse the outcomes of a study, wherever they came from.

    Parameters
    ----------
    outcomes : Outcomes
        Every trial of the study.
    resamples : int
        How often the multi-bootstrap resamples seeds and examples, at least 2.
    withhold : bool
        Whether to leave out everything that compares arms as long as verdicts must not be read: before a declared look,
        or where none is declared, before every trial has run. For whoever looks on while a study runs.

    Raises
    ------
    PlanError
        If the manifest's plan or claims cannot be used.
    """
    manifest = outcomes.manifest
    plan = frozen_plan(manifest, arms=outcomes.arms, score=outcomes.score_kind)
    claims = parse_claims(manifest.claims, arms=outcomes.arms)
    withheld = why_withheld(outcomes, plan) if withhold else ""
    seeds = finished_seeds(outcomes, plan) if withheld else seeds_in_use(outcomes, plan)
    finished = {arm: _finished_seeds(outcomes, arm, seeds.by_arm[arm]) for arm in outcomes.arms}
    scores = {arm: outcomes.scores(arm, seeds=finished[arm], metric=plan.metric) for arm in outcomes.arms}
    arms = tuple(
        summarize_arm(outcomes, arm, scores[arm], seeds=finished[arm], kind=plan.kind) for arm in outcomes.arms
    )
    rng = np.random.default_rng(_RESAMPLING_SEED)
    comparisons = () if withheld else compare(outcomes, plan, scores, seeds=seeds, resamples=resamples, rng=rng)
    sets = set_verdicts(outcomes, plan, seeds=seeds, rng=rng, compared=not withheld)
    # What needs one test set is about the first; in a study with one that is the study as it is.
    first = outcomes.by_set()[0]
    score = selection_score(plan.kind).name
    lifts = [
        selection_lift(first, arm, seeds=finished[arm], metric=score, confidence=1 - plan.alpha)
        for arm in (() if withheld else outcomes.arms)
    ]
    curves = [epoch_curve(first, arm, seeds=finished[arm], metric=score) for arm in outcomes.arms]
    shared = [_shared(seeds.of(plan, one.treatment, one.baseline), one, finished) for one in comparisons]
    gaps = [
        gap_by_selection(first, one, seeds=both, metric=score) for one, both in zip(comparisons, shared, strict=True)
    ]
    data, kind = manifest.data, plan.kind
    # A margin in units of log loss says nothing about precision; then it is the default one.
    class_margin = plan.margin if kind.share else AnalysisPlan.model_fields["margin"].default
    # Nobody recorded what training elsewhere took.
    trained = outcomes.arms if manifest.imported is None else ()
    costs = arm_costs(outcomes, seeds={arm: finished[arm] for arm in trained}, confidence=1 - plan.alpha)
    answered = outcomes.arms if outcomes.has_classes else ()
    answers = {arm: first.predicted(arm, seeds=finished[arm]) for arm in answered}
    n_seeds = {arm: len(own) for arm, own in seeds.by_arm.items()}
    spread = seed_sds(
        arms,
        n_seeds=n_seeds,
        pooled=any(one.result is not None and one.result.n_arms > 2 for one in comparisons),
    )
    if plan.crossing is not None:
        spread = seed_sds((), n_seeds=n_seeds, pooled=False, reason=NOT_INDEPENDENT)
        lifts = [lift and replace(lift, interval=NO_INTERVAL, generalizes_to="these trials") for lift in lifts]
    if withheld:
        # The ratio of two SDs comes with a test.
        spread = seed_sds((), n_seeds=n_seeds, pooled=False, reason=WITHHELD)
    about_scores = [*withheld_caveat(withheld), *seed_sd_caveats(spread)]
    for one in outcomes.by_set():
        about_scores += rare_class_caveats(one, _by_trial(one, finished), metric=plan.metric)
    # Of several test sets the smallest one's few largest mistakes weigh most in the mean.
    smallest = min(outcomes.by_set(), key=lambda one: one.n_clusters or one.n_examples)
    about_scores += unbounded_caveats(smallest, kind=plan.kind)
    report = StudyReport(
        name=manifest.name,
        question=manifest.question or "",
        model=manifest.model_name,
        data=f"{data.path}/{data.name}" if data.name else data.path,
        imported=manifest.imported,
        answers=data.answer_kind.answers,
        plan=plan,
        metric=kind,
        paired=plan.paired,
        seeds=seeds.used,
        dropped_seeds=seeds.dropped,
        waiting_seeds=seeds.waiting,
        taken_look=_taken_look(outcomes, comparisons, seeds),
        n_examples=outcomes.n_examples,
        n_clusters=outcomes.n_clusters,
        n_left_out=data.left_out,
        crossing=plan.crossing,
        training_sets=training_sets(manifest),
        look=seeds.look,
        decision=_decision(seeds.look, comparisons),
        withheld=withheld,
        comparisons=comparisons,
        sets=sets,
        set_counts=count_sets(sets, plan),
        best=no_set(plan, WITHHELD) if withheld else best_arms(outcomes, plan, scores, seeds=seeds),
        arms=arms,
        classes=tuple(one for arm in outcomes.arms for one in summarize_classes(first, arm, seeds=finished[arm])),
        seed_sds=spread,
        class_comparisons=compare_classes(first, plan, comparisons, seeds=seeds, margin=class_margin),
        class_margin=class_margin,
        costs=costs,
        time_ratios=tuple(
            _time_ratio(
                plan,
                outcomes,
                costs,
                treatment=one.treatment,
                baseline=one.baseline,
                seeds=[seed for seed in finished[one.treatment] if seed in finished[one.baseline]],
                confidence=1 - plan.alpha,
            )
            for one in (comparisons if costs else ())
        ),
        selection_lifts=tuple(lift for lift in lifts if lift is not None),
        selected_gaps=tuple(gap for gap in gaps if gap is not None),
        epoch_curves=tuple(curve for curve in curves if curve is not None),
        consistencies=tuple((arm, consistency(first.labels, rows)) for arm, rows in answers.items() if len(rows)),
        churns=tuple(
            churn(*(answers[arm][: len(own)] for arm, own in both.items()), paired=plan.paired)
            if answers and one.result is not None
            else None
            for one, both in zip(comparisons, shared, strict=True)
        ),
        claims=compare_published_gaps(
            () if withheld else claims, first.manifest, sets[0].comparisons if sets else comparisons, metric=plan.metric
        ),
        unreadable=tuple(
            f"{trial.name} could not be read: {trial.message}"
            for trial in outcomes.unfinished()
            if trial.status == "unreadable"
        ),
        footer=footer(outcomes, plan, seeds, about_scores=about_scores),
    )
    return report if report.training_sets is None else with_training_sets(report)


def _by_trial(outcomes: Outcomes, finished: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], NDArray[np.integer]]:
    """Return what each finished trial says; nothing in a study without classes."""
    if not outcomes.has_classes:
        return {}
    return {
        (arm, seed): outcomes.predictions(outcomes.trials[arm, seed]) for arm, done in finished.items() for seed in done
    }


def _time_ratio(plan: AnalysisPlan, outcomes: Outcomes, costs: Sequence[ArmCost], **arms: Any) -> TimeRatio:
    """Return a ratio of times, from what the costs of both arms are measured on.

    From trials it has no interval over independent seeds where there are none.
    """
    both = {cost.arm: cost for cost in costs if cost.arm in (arms["treatment"], arms["baseline"])}
    timed = outcomes.timing.arms if outcomes.timing is not None else {}
    if any(cost.measured == "turns" for cost in both.values()) and set(both) <= set(timed):
        return turns_ratio(timed, **{name: value for name, value in arms.items() if name != "seeds"})
    if not plan.paired:
        return replace(time_ratio(outcomes, **arms | {"seeds": ()}), reason="the runs are not paired by seed")
    ratio = time_ratio(outcomes, **arms)
    if plan.crossing is None or ratio.reason:
        return ratio
    return replace(ratio, interval=NO_INTERVAL, reason=NOT_INDEPENDENT)


def _shared(
    seeds: SeedsInUse, pair: ComparisonResult, finished: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    """Return the finished seeds of both arms of a comparison, the treatment's first, that its test uses."""
    return {
        arm: tuple(seed for seed in finished[arm] if seed in seeds.by_arm[arm])
        for arm in (pair.treatment, pair.baseline)
    }


def _decision(look: Look | None, comparisons: Sequence[ComparisonResult]) -> str:
    """Say whether a study with looks may stop: where no look is left, or none that is left may decide anything."""
    if look is None:
        return ""
    if not look.number:
        return "go on"
    # Nothing is waited for at the last look, nor where every arm has left.
    return "go on" if look.waiting and any(one.is_open for one in comparisons) else "stop"


def _taken_look(outcomes: Outcomes, comparisons: Sequence[ComparisonResult], seeds: SeedsInUse) -> TakenLook | None:
    """Return what `looks.json` notes of a look at these verdicts; None where no comparison could get a verdict."""
    plans = outcomes.manifest.plan_history
    decidable = any(one.verdict.asked and not one.verdict.reason for one in comparisons)
    if not decidable:
        return None
    look = TakenLook(seeds=seeds.taken_up, plan=plans[-1].digest if plans else "")
    if outcomes.manifest.paired:
        return look
    return look.model_copy(update={"runs": {arm: len(outcomes.seeds_of(arm)) for arm in outcomes.arms}})


def _finished_seeds(outcomes: Outcomes, arm: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(seed for seed in seeds if outcomes.trials[arm, seed].status == "finished")
