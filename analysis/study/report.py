"""Study report: everything that is known about a study, from its results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.jsonable import jsonable
from analysis.methods.interval import NO_INTERVAL
from analysis.metrics.consistency import Churn, Consistency, churn, consistency
from analysis.metrics.scores import MetricKind
from analysis.records.loading import load
from analysis.records.manifest import Answers, Crossing, ImportedStudy, TakenLook
from analysis.records.outcomes import Outcomes
from analysis.study.best import BestArms, best_arms
from analysis.study.claims_block import parse_claims
from analysis.study.class_comparisons import ClassComparison, compare_classes
from analysis.study.comparisons import ComparisonResult, compare
from analysis.study.cost import ArmCost, TimeRatio, arm_cost, time_ratio
from analysis.study.crossing import NOT_INDEPENDENT
from analysis.study.epoch_selection import (
    GapBySelection,
    SelectionLift,
    gap_by_selection,
    selection_lift,
    selection_score,
)
from analysis.study.footer import Footer, footer
from analysis.study.frames import frame_of, names_with_rows
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan, frozen_plan
from analysis.study.population import TrainingSets, training_sets, with_training_sets
from analysis.study.published_gaps import PublishedGap, compare_published_gaps
from analysis.study.rare_classes import rare_class_caveats
from analysis.study.seed_sds import SeedSDs, seed_sd_caveats, seed_sds
from analysis.study.seeds import SeedsInUse, seeds_in_use
from analysis.study.set_verdicts import SetCount, SetVerdicts, count_sets, set_verdicts
from analysis.study.summaries import ArmSummary, ClassSummary, summarize_arm, summarize_classes
from analysis.study.unbounded_scores import unbounded_caveats

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 10_000
"""How often the multi-bootstrap resamples by default."""

# Fixed, so that the same folder gives the same report.
_RESAMPLING_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """All results of one study.

    Parameters
    ----------
    name, question : str
        From the study file.
    model, data : str
        What was trained, and on what.
    imported : ImportedStudy or None
        The files that it was read from, of a study that was trained elsewhere.
    answers : {"probabilities", "classes", "numbers", "scores"}
        What its trials answered for each test example; what needs more than that is not in the report.
    plan : AnalysisPlan
        The frozen analysis plan.
    metric : MetricKind
        Its metric, with its title and its direction.
    paired : bool
        Whether the runs are paired by seed. If not, equal seeds of two arms have nothing in common.
    seeds, dropped_seeds : tuple of int
        The seeds that the comparisons use, and those that left every arm under the plan's policy.
    waiting_seeds : tuple of int
        Seeds that are set aside until they have run in every arm.
    taken_look : TakenLook or None
        What `looks.json` notes of this look at the verdicts, without its time; None where no comparison could get a
        verdict, so that looking decided nothing.
    n_examples, n_clusters : int, int or None
        The number of test examples, and of their clusters (None where the study has none).
    n_left_out : int
        How many examples an import left out, since not every run has them.
    crossing : Crossing or None
        How many initialisations and data orders cross, where each has seeds of its own; else None.
    training_sets : TrainingSets or None
        How each seed drew its own training set; None where all seeds were trained on the same examples.
    look, decision : Look or None, str
        The declared look that has been reached, and what follows: ``"stop"`` or ``"go on"``; None and empty in a study
        without looks.
    comparisons : tuple of ComparisonResult
        Every comparison with its verdict, in the order of the plan.
    sets : tuple of SetVerdicts
        Every test set with its own verdicts, which are corrected apart from `comparisons`; empty in a study with one.
        With several, `comparisons`, `best` and `arms` are about the mean over the sets, each with the same weight, and
        what needs one test set is about the first: classes, selection lifts, agreement and claims.
    set_counts : tuple of SetCount
        For every comparison, on how many of the sets there is a gap, at least.
    best : BestArms
        Which arms may still be the best one.
    arms, classes : tuple of ArmSummary, tuple of ClassSummary
        The metric by arm; precision, recall and F1 by arm and class. Whatever is about classes is empty in a study
        without them.
    seed_sds : SeedSDs
        The seed SDs of the arms, and the ratio of the largest to the smallest.
    class_comparisons, class_margin : tuple of ClassComparison, float
        Every comparison for every class, in precision and recall, and the margin that they use.
    costs, time_ratios : tuple of ArmCost, tuple of TimeRatio
        What an arm costs; how long each treatment trains compared with its baseline. Empty in an imported study.
    selection_lifts, selected_gaps : tuple of SelectionLift, tuple of GapBySelection
        Accuracy (without classes the metric), and gaps in it, at the last epoch, the hold-out's choice and the best
        epoch on the test split; empty where trials have one epoch.
    consistencies, churns : tuple of (str, Consistency), tuple of Churn or None
        How far the seeds of an arm agree, by arm; how often two arms differ, by comparison (None without a test).
    claims : tuple of PublishedGap
        Published gaps beside the measured ones.
    unreadable : tuple of str
        The trials whose files cannot be used, each with its reason.
    footer : Footer
        Provenance and caveats.
    """

    name: str
    question: str
    model: str
    data: str
    imported: ImportedStudy | None
    answers: Answers
    plan: AnalysisPlan
    metric: MetricKind
    paired: bool
    seeds: tuple[int, ...]
    dropped_seeds: tuple[int, ...]
    waiting_seeds: tuple[int, ...]
    taken_look: TakenLook | None
    n_examples: int
    n_clusters: int | None
    n_left_out: int
    crossing: Crossing | None
    training_sets: TrainingSets | None
    look: Look | None
    decision: str
    comparisons: tuple[ComparisonResult, ...]
    sets: tuple[SetVerdicts, ...]
    set_counts: tuple[SetCount, ...]
    best: BestArms
    arms: tuple[ArmSummary, ...]
    classes: tuple[ClassSummary, ...]
    seed_sds: SeedSDs
    class_comparisons: tuple[ClassComparison, ...]
    class_margin: float
    costs: tuple[ArmCost, ...]
    time_ratios: tuple[TimeRatio, ...]
    selection_lifts: tuple[SelectionLift, ...]
    selected_gaps: tuple[GapBySelection, ...]
    consistencies: tuple[tuple[str, Consistency], ...]
    churns: tuple[Churn | None, ...]
    claims: tuple[PublishedGap, ...]
    unreadable: tuple[str, ...]
    footer: Footer

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, texts and numbers; NaN becomes None, its reason stays."""
        plain = jsonable(self)
        if not isinstance(plain, dict):
            raise TypeError(f"a report becomes a dict, got {type(plain).__name__}")
        return plain

    @property
    def frames(self) -> tuple[str, ...]:
        """The names of the frames that have rows in this study, in the order of the tables."""
        return names_with_rows(self)

    def frame(self, name: str) -> pd.DataFrame:
        """Return the numbers of a table as a tidy pandas DataFrame: one observation a row, and no formatted text.

        Shares lie between 0 and 1, gaps are in units of the score, and what is not known is missing, with a `reason`
        beside it. docs/frames.md lists every frame and its columns.

        Parameters
        ----------
        name : str
            Such as ``"verdicts"``, ``"arms"`` or ``"runs"``.

        Returns
        -------
        pandas.DataFrame
            Its columns and their types are the same in every study; a table that this one does not have (`frames`
            names those that it has) is an empty frame. `attrs` holds the study's `name` and its plan's `metric`,
            whether `higher_is_better`, `margin` and `alpha`.

        Raises
        ------
        ValueError
            If there is no frame of this name.
        """
        return frame_of(self, name)


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


def report_on(outcomes: Outcomes, *, resamples: int = RESAMPLES) -> StudyReport:
    """Analyse the outcomes of a study, wherever they came from.

    Parameters
    ----------
    outcomes : Outcomes
        Every trial of the study.
    resamples : int
        How often the multi-bootstrap resamples seeds and examples, at least 2.

    Raises
    ------
    PlanError
        If the manifest's plan or claims cannot be used.
    """
    manifest = outcomes.manifest
    plan = frozen_plan(manifest, arms=outcomes.arms, score=outcomes.score_kind)
    claims = parse_claims(manifest.claims, arms=outcomes.arms)
    seeds = seeds_in_use(outcomes, plan)
    finished = {arm: _finished_seeds(outcomes, arm, seeds.by_arm[arm]) for arm in outcomes.arms}
    scores = {arm: outcomes.scores(arm, seeds=finished[arm], metric=plan.metric) for arm in outcomes.arms}
    arms = tuple(
        summarize_arm(outcomes, arm, scores[arm], seeds=finished[arm], kind=plan.kind) for arm in outcomes.arms
    )
    rng = np.random.default_rng(_RESAMPLING_SEED)
    comparisons = compare(outcomes, plan, scores, seeds=seeds, resamples=resamples, rng=rng)
    sets = set_verdicts(outcomes, plan, seeds=seeds, rng=rng)
    # What needs one test set is about the first; in a study with one that is the study as it is.
    first = outcomes.by_set()[0]
    score = selection_score(plan.kind).name
    lifts = [
        selection_lift(first, arm, seeds=finished[arm], metric=score, confidence=1 - plan.alpha)
        for arm in outcomes.arms
    ]
    gaps = [gap_by_selection(first, one, seeds=finished, metric=score) for one in comparisons]
    data, kind = manifest.data, plan.kind
    # A margin in units of log loss says nothing about precision; then it is the default one.
    class_margin = plan.margin if kind.share else AnalysisPlan.model_fields["margin"].default
    # Nobody recorded what training elsewhere took.
    trained = outcomes.arms if manifest.imported is None else ()
    costs = tuple(arm_cost(arm, [outcomes.trials[arm, seed] for seed in finished[arm]]) for arm in trained)
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
    about_scores = list(seed_sd_caveats(spread))
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
        comparisons=comparisons,
        sets=sets,
        set_counts=count_sets(sets, plan),
        best=best_arms(outcomes, plan, scores, seeds=seeds),
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
                treatment=one.treatment,
                baseline=one.baseline,
                seeds=[seed for seed in finished[one.treatment] if seed in finished[one.baseline]],
                confidence=1 - plan.alpha,
            )
            for one in (comparisons if costs else ())
        ),
        selection_lifts=tuple(lift for lift in lifts if lift is not None),
        selected_gaps=tuple(gap for gap in gaps if gap is not None),
        consistencies=tuple((arm, consistency(first.labels, rows)) for arm, rows in answers.items() if len(rows)),
        churns=tuple(
            churn(answers[one.treatment], answers[one.baseline], paired=plan.paired)
            if answers and one.result is not None
            else None
            for one in comparisons
        ),
        claims=compare_published_gaps(
            claims, first.manifest, sets[0].comparisons if sets else comparisons, metric=plan.metric
        ),
        unreadable=tuple(
            f"{trial.name} could not be read: {trial.message}"
            for trial in outcomes.unfinished()
            if trial.status == "unreadable"
        ),
        footer=footer(outcomes, plan, seeds, about_scores=about_scores),
    )
    return report if report.training_sets is None else with_training_sets(report)


def _by_trial(outcomes: Outcomes, finished: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], NDArray[np.int64]]:
    """Return what each finished trial says; nothing in a study without classes."""
    if not outcomes.has_classes:
        return {}
    return {
        (arm, seed): outcomes.predictions(outcomes.trials[arm, seed]) for arm, done in finished.items() for seed in done
    }


def _time_ratio(plan: AnalysisPlan, outcomes: Outcomes, **arms: Any) -> TimeRatio:
    """Return a ratio of times, without an interval over independent seeds where there are none."""
    if not plan.paired:
        return replace(time_ratio(outcomes, **arms | {"seeds": ()}), reason="the runs are not paired by seed")
    ratio = time_ratio(outcomes, **arms)
    if plan.crossing is None or ratio.reason:
        return ratio
    return replace(ratio, interval=NO_INTERVAL, reason=NOT_INDEPENDENT)


def _decision(look: Look | None, comparisons: Sequence[ComparisonResult]) -> str:
    """Say whether a study with looks may stop: when everything is decided, or no look is left."""
    if look is None:
        return ""
    if not look.number:
        return "go on"
    decided = all(one.verdict.decided for one in comparisons)
    return "stop" if decided or look.is_last else "go on"


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
