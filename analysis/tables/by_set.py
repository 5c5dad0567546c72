"""Tables by test set: the verdicts on each of several sets, on how many there is a gap, and each arm's metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.set_verdicts import SetCount, with_set_names
from analysis.tables.arms import metric_title, standard_error
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
from analysis.tables.digits import declared, p_value
from analysis.tables.notes import grouped_by_reason, of_its_own
from analysis.tables.table import Column, Table, seeds_by_examples, without_test
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def set_verdict_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out the verdicts on each test set; None where there is one set or nothing to compare."""
    rows = with_set_names(report.sets, [one.comparisons for one in report.sets])
    if not rows:
        return None
    plan, pairs = report.plan, [pair for _, pair in rows]
    margin = scale_of(report).margin(plan.margin)
    agreement = agreement_in_words([pair.verdict_interval for pair in pairs], margin=plan.margin)
    corrected = "the joint Holm step-down" if plan.correction == "holm" else "Benjamini-Hochberg, for exploration,"
    return Table(
        title="Verdicts by test set",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            Column("Test set", [name for name, _ in rows]),
            Column("Gap", [gap_cell(report, pair) for pair in pairs], numeric=True),
            Column(
                level_header(pair.verdict_confidence for pair in pairs),
                [verdict_interval_cell(report, pair) for pair in pairs],
                numeric=True,
            ),
            Column("Verdict", [verdict_cell(pair.verdict, margin) for pair in pairs]),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            f"{of_its_own(plan)}: corrected by {corrected} over all {counted(len(rows), 'row')} together.",
            f"Intervals agree with the verdicts: {agreement}.",
            *levels_by_comparison((pair.name, pair.verdict_confidence) for pair in pairs),
            _counts(report),
            *grouped_by_reason([(f"{pair.name} on {name}", pair.verdict.reason or pair.reason) for name, pair in rows]),
        ),
        footer=footer,
    )


def set_arm_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out the study's metric by arm on each test set; None where there is one set."""
    rows = with_set_names(report.sets, [one.arms for one in report.sets])
    if not rows:
        return None
    scale = scale_of(report)
    errors = [standard_error(report, arm) for _, arm in rows]
    arms = [(arm, error) for (_, arm), error in zip(rows, errors, strict=True)]
    return Table(
        title=f"{metric_title(report)} by arm and test set",
        columns=(
            Column("Arm", [arm.arm for _, arm in rows]),
            Column("Test set", [name for name, _ in rows]),
            Column("Mean", [scale.score(arm.mean, standard_error=error) for arm, error in arms], numeric=True),
            Column(
                "SD over seeds",
                [scale.gap(arm.sd, standard_error=error, signed=False) for arm, error in arms],
                numeric=True,
            ),
            *without_test([seeds_by_examples(len(arm.seeds), arm.n_examples) for _, arm in rows]),
        ),
        notes=(
            "This describes these trials.",
            *(f"{arm.arm} on {name}: {arm.reason}." for name, arm in rows if len(arm.seeds) > 1 and arm.reason),
        ),
        footer=footer,
        detail=True,
    )


def _counts(report: StudyReport) -> str:
    """Say on how many sets there is a gap, of the comparisons for which one is shown."""
    shown = [f"{one.treatment} against {one.baseline} {words}" for one in report.set_counts if (words := _count(one))]
    if not shown:
        return "On how many test sets: a gap is shown on none."
    return (
        f"On how many test sets, at least: {'; '.join(shown)}. Partial conjunction: p is that of this number of sets, "
        f"and all hold together at alpha = {declared(report.plan.alpha)}. They are counted with a correction of their "
        "own: a single set may stay undecided."
    )


def _count(count: SetCount) -> str:
    directions = (("better", count.better, count.better_p), ("worse", count.worse, count.worse_p))
    return " and ".join(
        f"{word} on {shown} of {count.n_sets} (p {_equal_to(p[shown - 1])})" for word, shown, p in directions if shown
    )


def _equal_to(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"
