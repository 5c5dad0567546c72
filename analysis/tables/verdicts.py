"""Verdict table: which gaps are real."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.comparison_result import ComparisonResult
from analysis.study.futility import HOPELESS
from analysis.tables.best import best_notes, best_table
from analysis.tables.comparison_cells import (
    agreement_in_words,
    comparison_n_test_population,
    gap_cell,
    level_header,
    levels_by_comparison,
    scale_of,
    verdict_cell,
    verdict_interval_cell,
)
from analysis.tables.digits import declared, p_value, percent, significant_digits
from analysis.tables.notes import grouped_by_reason, not_computed, of_training_sets, seed_variance_in_words
from analysis.tables.table import Column, Table
from analysis.words import counted, listed

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


_IMPORT = "import the study again"


def verdict_table(report: StudyReport, footer: str) -> Table:
    """Lay out the verdicts: one row for each comparison of the plan."""
    plan, kind, pairs = report.plan, report.plan.kind, report.comparisons
    margin = scale_of(report).margin(plan.margin)
    unit = ", in percentage points (pp)" if kind.share else ""
    unit += "" if kind.higher_is_better else "; lower is better"
    corrected = (
        "by the joint Holm step-down"
        if plan.correction == "holm"
        else "by Benjamini-Hochberg, for exploration: it limits the expected share of false claims, as far as the "
        "p-values are independent or positively dependent"
    )
    return Table(
        title="Verdicts",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            Column("Gap", [gap_cell(report, pair) for pair in pairs], numeric=True),
            Column(
                level_header(pair.verdict_confidence for pair in pairs),
                [verdict_interval_cell(report, pair) for pair in pairs],
                numeric=True,
            ),
            Column("Verdict", [f"{verdict_cell(pair.verdict, margin)}{_undefined(report, pair)}" for pair in pairs]),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            f"Gap: {kind.title} of the first arm minus that of the second{unit}.",
            f"Verdicts hold at alpha = {declared(plan.alpha)} for {counted(len(pairs), 'comparison')} and both "
            f"questions (is there a gap? is it within {margin}?) together, corrected {corrected}."
            f"{_further_families(report)}",
            *_intervals(report),
            *levels_by_comparison((pair.name, pair.verdict_confidence) for pair in pairs),
            *_seed_variance(report),
            *_few_pairs(report),
            *_sets(report),
            *of_training_sets(report.training_sets),
            *_crossing(report),
            *_look(report),
            *_wording(report),
            *_reasons(report),
            *_unlike(report),
            *best_notes(report),
            *_assumptions(report),
            *not_computed(report),
            *(caveat.text for caveat in report.footer.caveats if caveat.on_verdicts),
        ),
        footer=footer,
    )


def _further_families(report: StudyReport) -> str:
    """Name everything on the page that is corrected apart from the verdicts, with the error rate of it all."""
    plan = report.plan
    names = [
        *(["by test set", "on how many sets"] if report.sets else []),
        *(["by class"] if report.class_comparisons else []),
        *(["the best arm"] if best_table(report, "") else []),
    ]
    if not names:
        return ""
    # Benjamini-Hochberg bounds no chance of a false claim that could be added up.
    total = f"; with the verdicts up to {declared((1 + len(names)) * plan.alpha)}" if plan.correction == "holm" else ""
    return f" Each further statement has an error rate of {declared(plan.alpha)} of its own: {', '.join(names)}{total}."


def _intervals(report: StudyReport) -> list[str]:
    plan, k = report.plan, len(report.comparisons)
    shown = [pair for pair in report.comparisons if not math.isnan(pair.verdict_interval.low)]
    if not shown:
        return []
    if plan.correction == "benjamini_hochberg":
        subject = "Intervals are made at the level up to which that correction makes claims"
    else:
        subject = (
            f"Intervals hold together (Bonferroni, alpha / {k})" if k > 1 else "The interval belongs to the verdict"
        )
    # Two seeds give intervals and decide nothing, whatever these leave out.
    if any(pair.verdict.reason for pair in shown):
        return [f"{subject}."] if k > 1 else []
    return [f"{subject}: {agreement_in_words([pair.verdict_interval for pair in shown], margin=plan.margin)}."]


def _seed_variance(report: StudyReport) -> list[str]:
    """Say where the test takes the variance over seeds from, in a study that leaves a choice."""
    tested = [pair.result for pair in report.comparisons if pair.result]
    n_arms = [result.n_arms for result in tested] or [2]
    fewest, pooled = min(n_arms), max(n_arms)
    if not report.paired:
        return [
            "The runs are not paired by seed, so nothing is pooled, and those of two arms are taken as independent of "
            "each other. Arms that run with the same seeds are judged more sharply where a seed moves both alike."
        ]
    if report.plan.variance != "pooled":
        return [f"Seed variance: {seed_variance_in_words(report.plan)}."]
    assumed = "This assumes that every two differ alike from seed to seed."
    if fewest < pooled:
        # Of arms that left, only the seeds of their last look can be pooled.
        which = f"the arms that have the seeds of a comparison, {fewest} to {pooled}; its test says how many"
        return [f"Seed variance: pooled over {which}. {assumed}"]
    if tested and report.crossing is None and pooled < len(report.arms) > 2 and min(tested[0].n_seeds) > 2:
        over = f"pooled over {pooled}" if pooled > 2 else "of the two arms of a comparison alone"
        return [
            f"Seed variance: planned to be pooled over {len(report.arms)} arms, here {over}: only an arm with a score "
            "for every seed is pooled."
        ]
    return [f"Seed variance: pooled over {pooled} arms. {assumed}"] if pooled > 2 else []


def _few_pairs(report: StudyReport) -> list[str]:
    """Say where seeds that are paired are judged as if they were not."""
    tested = [pair.result for pair in report.comparisons if pair.result and not math.isnan(pair.result.p_value)]
    few = sorted({min(result.n_seeds) for result in tested if result.paired and result.design == "B"})
    if not few:
        return []
    seeds = " or ".join(map(str, few))
    return [
        f"With {seeds} paired seeds, two arms are judged as if their seeds were independent: so few pairs cost more "
        "degrees of freedom than they bring."
    ]


def _sets(report: StudyReport) -> list[str]:
    if not report.sets:
        return []
    names = ", ".join(one.name for one in report.sets)
    return [
        f"Means over {len(report.sets)} test sets, each with the same weight: {names}. The sets are fixed, and the "
        "examples of each would be drawn again; the next table has each set."
    ]


def _undefined(report: StudyReport, pair: ComparisonResult) -> str:
    """Say in the verdict's own line that the metric has no value for some trials; the notes name them."""
    arms = [arm for arm in report.arms if arm.arm in (pair.treatment, pair.baseline)]
    values = [value for arm in arms for value in arm.values]
    undefined = sum(map(math.isnan, values))
    if pair.result is not None or not undefined:
        return ""
    return f": {report.plan.kind.title} undefined in {undefined} of {len(values)} trials"


def _wording(report: StudyReport) -> list[str]:
    notes = []
    if any(pair.verdict.differs and not pair.verdict.within_margin for pair in report.comparisons):
        notes.append("Not equivalent: the gap was not shown to lie within the margin.")
    if any(pair.verdict.undecided for pair in report.comparisons):
        notes.append("Undecided does not mean equal: neither a gap nor equivalence was shown.")
        if report.look is None or report.look.is_last:
            notes.append(
                f"{'Seeds' if report.paired else 'Runs'} added because of this report would make a further look, "
                "which no p-value allows for. A study that may grow declares its looks (analysis.looks) before its "
                "first trial."
            )
    return notes


def _crossing(report: StudyReport) -> list[str]:
    crossing = report.crossing
    if crossing is None:
        return []
    return [
        f"Seeds by source: {counted(crossing.initialisations, 'initialisation')} × "
        f"{counted(crossing.data_orders, 'data order')}, the same pairs in every arm. Pairs that share one of them are "
        "alike, so the test counts initialisations and data orders, never their pairs, as independent. It takes the "
        "variation over seeds from the two arms of a comparison; nothing is pooled over the other arms. What would "
        "decide an undecided comparison is not computed: more of one kind of seeds is not more of the other."
    ]


def _reasons(report: StudyReport) -> list[str]:
    reasons = [(pair.name, pair.verdict.reason or pair.reason) for pair in report.comparisons]
    notes = grouped_by_reason(reasons)
    if report.look is None and any(len(pair.mcnemar) == 1 for pair in report.comparisons):
        notes.append(
            "Whether two trained models differ on new examples is another question, which one run of each can answer: "
            "McNemar's test in --details."
        )
    # Before the first look trials have yet to run, and after a look only those of arms that are still trained.
    unfinished = any(
        set(arm.seeds) < set(report.seeds) if report.paired else len(arm.seeds) < sum(arm.statuses.values())
        for arm in report.arms
        if report.look is None or (report.look.number and arm.arm not in report.look.left)
    )
    if report.plan.failed_trials == "refuse" and unfinished and report.crossing is None:
        again = "run the trial again, or declare failed_trials: drop_seed before the first trial"
        notes.append(
            f"An arm with a trial that did not finish gets no verdict: {again if report.imported is None else _IMPORT}."
        )
    return notes


def _unlike(report: StudyReport) -> list[str]:
    other = "the machines" if report.imported is None else "what wrote the files"
    text = f"its trials differ not only by arm but also in {{}}; the gap may come from {other}"
    return grouped_by_reason(
        [(pair.name, text.format(pair.unlike) if pair.unlike else "") for pair in report.comparisons]
    )


_HOPELESS = f"a chance below {percent(HOPELESS, places=0)} of a decision by the last look"


def _look(report: StudyReport) -> list[str]:
    look = report.look
    if look is None:
        return []
    looks = ", ".join(str(seeds) for seeds in look.looks)
    if not look.number:
        return [f"Looks are declared at {looks} seeds. Go on: the first look waits ({look.waiting})."]
    most = p_value(look.threshold) if look.threshold >= 0.001 else significant_digits(look.threshold)
    allowed = (
        f"a single comparison is significant at p ≤ {most}" if look.threshold > 0 else "nothing can be significant"
    )
    whose = "the intervals are those of this look"
    if look.left:
        whose = "each interval is that of the last look that its comparison reached"
    text = (
        f"Look {look.number} of {len(look.looks)} ({looks} seeds): at this look {allowed} (O'Brien-Fleming spending). "
        "Corrected p-values, verdicts and intervals allow for the looks. What an earlier look has shown stays shown "
        f"while the gap keeps its direction; {whose}."
    )
    if look.left:
        left = [
            f"{listed([arm for arm, own in look.left.items() if own == size])} after {counted(size, 'seed')}"
            for size in sorted(set(look.left.values()))
        ]
        text += f" Trained no further, since no open comparison needed them: {'; '.join(left)}."
    if report.decision == "go on":
        return [f"{text} Go on: not every comparison is decided. The next look waits ({look.waiting})."]
    if look.is_last:
        return [f"{text} Stop: this is the last look."]
    given_up = [pair.name for pair in report.comparisons if pair.verdict.undecided]
    without = [pair.name for pair in report.comparisons if not pair.verdict.asked]
    why = [f"{', '.join(given_up)}: {_HOPELESS}"] if given_up else []
    why += [f"{', '.join(without)}: no verdict"] if without else []
    return [f"{text} Stop: {'; '.join(why) or 'every comparison is decided'}."]


def _assumptions(report: StudyReport) -> list[str]:
    if math.isnan(report.footer.collapse_rate):
        return []
    trials = f"{counted(report.footer.n_seeds, 'trial')} of an arm without a collapse"
    if report.crossing is not None:
        fewer = min(*report.crossing, report.footer.n_seeds)
        trials += f" (of {fewer} seeds of one kind: a collapse may come with it)"
    rate = percent(report.footer.collapse_rate, places=0)
    verb = "allows" if report.footer.n_seeds == 1 else "allow"
    return [
        "These verdicts do not allow for an arm that occasionally collapses or ends some points low: equal arms are "
        "then called different in 11% to 34% of studies or more, mostly in favour of the arm that varies more. "
        f"{trials} still {verb} a collapse rate of up to {rate}.",
        *([report.seed_sds.notable] if report.seed_sds.notable and not report.seed_sds.pooled else []),
        *(
            f"{arm} did collapse: {count} of {counted(n, 'trial')} diverged, so up to {percent(limit, places=0)} of "
            "its trials may diverge, and no verdict counts them."
            for arm, count, n, limit in report.footer.diverged
        ),
    ]
