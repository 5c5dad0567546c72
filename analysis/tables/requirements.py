"""Table of requirements, and each of them in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.printable import printable
from analysis.study.goals import Goal
from analysis.study.requirement_results import RequirementResult
from analysis.study.requirements import Requirement
from analysis.tables.comparison_cells import (
    comparison_n_test_population,
    interval_cell,
    level_header,
    levels_by_comparison,
    open_where_cut,
    scale_of,
    standard_error,
)
from analysis.tables.digits import declared, p_value, whole_percent
from analysis.tables.in_words import (
    as_sentence,
    exploratory,
    for_whom,
    in_points,
    limits_in_words,
    lower_is_better,
    metric_in_words,
    next_look,
    size_in_words,
    takes,
)
from analysis.tables.table import Column, Table
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.study_report import StudyReport

_BEFORE_MARGIN = {"not worse than": "by", "equivalent to": "within"}


def requirements_in_words(report: StudyReport) -> tuple[str, ...]:
    """Return each requirement in one sentence: whether it is shown, the gap, and what would decide it.

    Parameters
    ----------
    report : StudyReport
        With the requirements that were asked of it.
    """
    return tuple(printable(f"Requirement {one.answer}: {_sentence(report, one)}") for one in report.requirements)


def requirement_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out the requirements, one row each; None where none was asked."""
    asked = report.requirements
    if not asked:
        return None
    plan, kind = report.plan, report.plan.kind
    unit = ", in percentage points (pp)" if kind.share else ""
    unit += "" if kind.higher_is_better else "; lower is better"
    return Table(
        title="Requirements",
        columns=(
            Column("Requirement", [requirement_cell(report, one.requirement) for one in asked]),
            Column("Answer", [one.answer for one in asked]),
            Column("Gap", [_gap(report, one) for one in asked], numeric=True),
            Column(
                level_header(one.pair.verdict_confidence for one in asked),
                [_interval(report, one) for one in asked],
                numeric=True,
            ),
            Column("Corrected p", [p_value(one.p_value) for one in asked], numeric=True),
            *comparison_n_test_population([one.pair for one in asked]),
        ),
        notes=(
            f"Gap: {kind.title} of the first arm of the requirement minus that of the other{unit}.",
            f"Shown: the corrected p is below alpha = {declared(plan.alpha)}. Better, worse and equivalence within "
            f"{scale_of(report).margin(plan.margin)}, the margin of the plan, are answered by the verdicts; other "
            f"margins by one-sided tests, corrected for {counted(len(report.comparisons), 'comparison')} (Bonferroni).",
            *levels_by_comparison((one.pair.name, one.pair.verdict_confidence) for one in asked),
            *_power(report),
            "Contradicted: the verdict is the opposite, or the interval lies beyond the margin. Undecided: neither.",
            f"If a requirement does not hold, the chance that all are shown is at most {declared(plan.alpha)}.",
        ),
        footer=footer,
    )


def _power(report: StudyReport) -> list[str]:
    """Say how often the seeds or examples that would settle a requirement do."""
    powers = [one.settling.power for one in report.requirements if report.look is None and one.settling is not None]
    return [f"What would settle one does so in {whole_percent(powers[0])} of studies (the power)."] if powers else []


def requirement_cell(report: StudyReport, asked: Requirement) -> str:
    """Return a requirement as it is written, with its margin: ``lora-r8 not worse than full by 1 pp``."""
    text = f"{asked.arm} {asked.relation} {asked.other}"
    if asked.margin is None:
        return text
    return f"{text} {_BEFORE_MARGIN[asked.relation]} {scale_of(report).margin(asked.margin)}"


def _sentence(report: StudyReport, one: RequirementResult) -> str:
    asked = one.requirement
    text = f"{requirement_cell(report, asked)}."
    if one.pair.result is None or not one.pair.verdict.asked:
        return f"{text} {_what_would_decide(report, one)}"
    limits = limits_in_words(_interval(report, one))
    gap = (
        f"The gap, {asked.arm} minus {asked.other}, is {in_points(_gap(report, one))}{metric_in_words(report)}{limits}"
        f"{lower_is_better(report)}"
    )
    if one.answer == "undecided":
        return f"{text} {gap}. {_what_would_decide(report, one)}"
    return f"{text} {gap}, for {for_whom(report)} as well{exploratory(report)}."


def _gap(report: StudyReport, one: RequirementResult) -> str:
    return scale_of(report).gap(one.estimate, standard_error=standard_error(one.pair))


def _interval(report: StudyReport, one: RequirementResult) -> str:
    text = interval_cell(report, one.pair, one.interval)
    for margin in (report.plan.margin, one.requirement.margin or 0):
        text = open_where_cut(text, one.interval, margin=margin)
    return text


def _what_would_decide(report: StudyReport, one: RequirementResult) -> str:
    """Say of an undecided requirement why it is open, and what would settle it."""
    look, settling = report.look, one.settling
    if one.reason:
        return as_sentence(one.reason)
    also = ""
    if one.requirement.margin is None and one.pair.verdict.within_margin:
        margin = size_in_words(report, report.plan.margin)
        also = f"Equivalence within {margin} is shown, which does not say which arm is better. "
    if look is not None:
        return f"{also}{next_look(look, one.pair)}"
    if settling is None:
        return f"{also}What would decide it is not computed: more of one kind of seeds is not more of the other."
    verb = "show" if one.settles_as == "shown" else "contradict"
    if settling.seeds_needed is None and settling.examples_needed is None:
        # What the plan says of a gap to be found is not about the distance from a margin.
        found = f"neither more seeds alone nor more test examples alone would {verb} it"
        return f"{also}{as_sentence(f'{found}, if the true gap is the one seen')}"
    goal = Goal(pair=one.pair, settling=settling, as_observed=True)
    return f"{also}{as_sentence(takes(report, goal, f'{verb} it, if the true gap is the one seen'))}"
