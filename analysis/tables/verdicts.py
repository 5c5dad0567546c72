"""The first tables: what is real, and what would settle the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analysis.metrics.scores import METRICS
from analysis.power.settling import Settling
from analysis.study.comparisons import ComparisonResult
from analysis.study.verdict import Verdict
from analysis.tables.digits import Scale, about, duration, level, p_value, percent
from analysis.tables.table import BASIS, UNKNOWN, Table
from analysis.words import counted, in_packs, waiting_in_words

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

SEEDS_WORTH_PLANNING = 1000
_NEVER = "never enough"
_NAMED_AT_MOST = 4


def planned_seeds(seeds: int | None, *, never: str) -> str:
    """Return a number of seeds that is worth planning, or that it is more, or that no number is enough."""
    if seeds is None:
        return never
    return str(seeds) if seeds <= SEEDS_WORTH_PLANNING else f"over {SEEDS_WORTH_PLANNING}"


def design_name(comparison: ComparisonResult) -> str:
    """Name the primary test by its design."""
    if comparison.result is None:
        return "none"
    return "crossed t, paired" if comparison.result.design == "A" else "crossed t, unpaired"


def basis(comparison: ComparisonResult, *, test: str = "", population: str = "") -> tuple[str, str, str]:
    """Return the last three cells of a row: n, test and population."""
    result = comparison.result
    return (
        size(len(comparison.seeds), comparison.n_examples, comparison.n_clusters),
        test or design_name(comparison),
        population or (result.generalizes_to if result else UNKNOWN),
    )


def size(n_seeds: int, n_examples: int, n_clusters: int | None = None) -> str:
    """Return seeds × examples, and in how many clusters these come."""
    clusters = f" in {counted(n_clusters, 'cluster')}" if n_clusters is not None else ""
    return f"{n_seeds} × {n_examples}{clusters}"


def scale_of(report: StudyReport) -> Scale:
    """Return how the study's metric is written."""
    return Scale(METRICS[report.plan.metric].share)


def standard_error(comparison: ComparisonResult) -> float:
    """Return the standard error of the gap; NaN without a test."""
    return comparison.result.standard_error if comparison.result else math.nan


def verdict_name(verdict: Verdict, margin: str) -> str:
    """Return a verdict as an answer in plain words."""
    if verdict.direction is None:
        return f"equivalent within {margin}" if verdict.within_margin else verdict.label
    suffix = f", within the {margin} margin" if verdict.within_margin else f"; not equivalent at {margin}"
    return f"{verdict.direction}{suffix}"


def _undefined(report: StudyReport, one: ComparisonResult) -> str:
    """Say in the verdict's own line that the metric has no value for some runs; the notes name them."""
    arms = [arm for arm in report.arms if arm.arm in (one.treatment, one.baseline)]
    runs = sum(math.isnan(value) for arm in arms for value in arm.values)
    if one.result is not None or not runs:
        return ""
    return f": {METRICS[report.plan.metric].title} undefined in {runs} of {sum(len(arm.values) for arm in arms)} runs"


def by_reason(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """Return one note for each reason, with everything that it holds for; all of them where there is no other."""
    named: dict[str, list[str]] = {}
    for name, reason in reasons:
        if reason:
            named.setdefault(reason, []).append(name)
    everything = len(reasons) > _NAMED_AT_MOST and any(len(names) == len(reasons) for names in named.values())
    return [f"{'Everywhere' if everything else ', '.join(names)}: {reason}." for reason, names in named.items()]


def verdicts(report: StudyReport, footer: str) -> Table:
    """Lay out the verdicts: one row for each comparison of the plan."""
    plan, kind, scale = report.plan, METRICS[report.plan.metric], scale_of(report)
    margin = scale.margin(plan.margin)
    rows = [
        (
            one.name,
            scale.gap(one.estimate, standard_error=standard_error(one)),
            scale.interval(one.interval, standard_error=standard_error(one)),
            f"{verdict_name(one.verdict, margin)}{_undefined(report, one)}",
            *basis(one),
        )
        for one in report.comparisons
    ]
    interval = f"{level(1 - report.comparisons[0].confidence)} interval"
    unit = "in percentage points (pp)" if kind.share else "lower is better"
    corrected = (
        "by the joint Holm step-down"
        if plan.correction == "holm"
        else "by Benjamini-Hochberg: the expected share of false claims among all, for exploration"
    )
    return Table(
        title="Verdicts",
        columns=("Comparison", "Gap", interval, "Verdict", *BASIS),
        numeric=frozenset(("Gap", interval)),
        rows=tuple(rows),
        notes=(
            f"Gap: {kind.title} of the first arm minus that of the second, {unit}.",
            f"Verdicts hold at alpha = {plan.alpha:g} for {counted(len(rows), 'comparison')} and both "
            f"questions (is there a gap? is it within {margin}?) together, {corrected}; "
            "each interval is for its comparison alone.",
            *([waiting_in_words(report.seeds, report.waiting_seeds)] if report.waiting_seeds else []),
            *_look(report),
            *_wording(report),
            *_reasons(report),
            *_unlike(report),
            *_best(report),
            *_collapse(report),
        ),
        footer=footer,
    )


def deciding(report: StudyReport, footer: str) -> Table | None:
    """Lay out what would decide the undecided comparisons; None when there is none to plan for."""
    rows, both_needed, scale = [], [], scale_of(report)
    for one in report.comparisons:
        if not one.verdict.undecided or one.result is None:
            continue
        seen = f"{scale.gap(abs(one.estimate), standard_error=standard_error(one), signed=False)}, as seen"
        margin = f"{scale.margin(report.plan.margin)}, the margin"
        goals = [(seen, one.settling_gap), (margin, one.settling_margin)]
        # A gap that looks smaller than the margin is a matter of equivalence, not of finding it.
        for goal, settling in goals if abs(one.estimate) >= report.plan.margin else goals[1:]:
            if settling is not None:
                if settling.seeds_needed is None and settling.examples_needed is None and settling.reason:
                    both_needed.append(f"{one.name}, {goal}: {settling.reason}.")
                rows.append((one.name, goal, *_plan_cells(report, one, settling), *basis(one)))
    if not rows:
        return None
    heads = ("Seeds an arm", "or test examples", "More training")
    k = len(report.comparisons)
    packs = [size for cost in report.costs for size in cost.pack_sizes]
    each = f"trials {in_packs(packs)} with their share of the pack" if packs else "one at a time"
    return Table(
        title="What would decide the rest",
        columns=("Comparison", "To find a gap of", *heads, *BASIS),
        numeric=frozenset(heads),
        rows=tuple(rows),
        notes=(
            f"For 80% power at alpha / {k} = {report.plan.alpha / k:.3g}, from the variance components of "
            "this study; in brackets at the 95% limits of the seed SD, which few seeds leave wide.",
            "Seeds: on this test set. Test examples: with the seeds at hand. About as many as for the margin "
            "also show equivalence, where there is no gap at all. The gap seen may be far from the true one.",
            f"More training: seeds still to run in both arms times their measured seconds, {each}; none where as "
            "many have run and did not decide it. Below four seeds the figures err on the side of more.",
            *mixed_times((arm.arm, arm.mixed) for arm in report.costs),
            *both_needed,
        ),
        footer=footer,
    )


def _plan_cells(report: StudyReport, one: ComparisonResult, settling: Settling) -> tuple[str, str, str]:
    seeds, examples = settling.seeds_needed, settling.examples_needed
    by_arm = {cost.arm: cost.further_seconds for cost in report.costs}
    each = by_arm[one.treatment] + by_arm[one.baseline]
    few_enough = seeds is not None and seeds <= SEEDS_WORTH_PLANNING
    # Seeds that have run already had their chance: what they did not show, their number alone will not.
    more = (seeds - len(one.seeds)) * each if seeds is not None and few_enough and seeds > len(one.seeds) else math.nan
    limits = list(dict.fromkeys(planned_seeds(limit, never=_NEVER) for limit in settling.seeds_needed_range))
    alone = planned_seeds(seeds, never=_NEVER)
    needed = alone if limits == [alone] else f"{alone} ({' to '.join(limits)})"
    return (
        needed if seeds is not None else _NEVER,
        f"about {about(examples)}{' clusters' if one.n_clusters is not None else ''}"
        if examples is not None
        else _NEVER,
        duration(more),
    )


def _wording(report: StudyReport) -> list[str]:
    notes = []
    if any(one.verdict.differs and not one.verdict.within_margin for one in report.comparisons):
        notes.append("Not equivalent: it was not shown that the gap lies within the margin.")
    if any(one.verdict.undecided for one in report.comparisons):
        notes.append("Undecided does not mean the same: neither a gap nor its absence was shown.")
    return notes


def _reasons(report: StudyReport) -> list[str]:
    reasons = [(one.name, one.verdict.reason or one.reason) for one in report.comparisons]
    notes = by_reason(reasons)
    unfinished = any(set(arm.seeds) < set(report.seeds) for arm in report.arms)
    if report.plan.failed_trials == "refuse" and unfinished:
        notes.append(
            "A trial that did not finish leaves its arm without a verdict; run it again, or declare "
            "failed_trials: drop_seed before the first trial."
        )
    return notes


def _unlike(report: StudyReport) -> list[str]:
    said = "besides their arms, its trials differ in {}; the gap may be that of the machines"
    return by_reason([(one.name, said.format(one.unlike) if one.unlike else "") for one in report.comparisons])


def mixed_times(mixed: Iterable[tuple[str, str]]) -> list[str]:
    """Say of which arms the times are means over trials that ran under different conditions."""
    return [f"Times of {arm} are over different conditions: {conditions}." for arm, conditions in mixed if conditions]


def _look(report: StudyReport) -> list[str]:
    look = report.look
    if look is None:
        return []
    declared = ", ".join(str(seeds) for seeds in look.looks)
    if not look.number:
        return [f"Looks are declared at {declared} seeds, and none is reached: go on. Waiting for {look.waiting}."]
    most = p_value(look.threshold) if look.threshold >= 0.001 else f"{look.threshold:.2g}"
    allowed = f"p counts for a comparison alone up to {most}" if look.threshold > 0 else "it may not reject yet"
    text = (
        f"Look {look.number} of {len(look.looks)} ({declared} seeds): {allowed}, by O'Brien-Fleming spending over the "
        "looks; corrected p-values, verdicts and intervals allow for it. What an earlier look has shown stays shown "
        "while the gap keeps its direction; the intervals are those of the present look."
    )
    if report.decision == "go on":
        return [f"{text} Go on: not every comparison is decided. The next look waits for {look.waiting}."]
    why = "this is the last look" if look.is_last else "every comparison is decided"
    return [f"{text} Stop: {why}."]


def _best(report: StudyReport) -> list[str]:
    best = report.best
    if best.highest is None or not report.comparisons:
        return []
    highest = " and ".join((best.highest, *best.tied))
    if best.in_play == (best.highest,):
        return [f"Best arm: {highest}; every other arm is below another one."]
    note = (
        f"Best mean: {highest}. Not distinguishable from the best arm: {', '.join(best.in_play)} "
        "(no corrected comparison puts one of them below another arm)."
    )
    if best.not_compared:
        note += f" Without a verdict against {highest}: {', '.join(best.not_compared)}."
    return [note]


def _collapse(report: StudyReport) -> list[str]:
    if math.isnan(report.footer.collapse_rate):
        return []
    runs = f"{counted(report.footer.n_seeds, 'run')} of an arm without a collapse"
    rate = percent(report.footer.collapse_rate, places=0)
    verb = "leaves" if report.footer.n_seeds == 1 else "leave"
    return [
        f"Every verdict supposes that no arm collapses now and then: {runs} {verb} a rate of up to {rate} possible.",
        *(
            f"{arm} did collapse: {count} of {counted(n, 'run')} diverged, so up to {percent(limit, places=0)} of its "
            "runs may, and no verdict counts them."
            for arm, count, n, limit in report.footer.diverged
        ),
    ]
