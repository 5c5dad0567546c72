"""Agreement table: how far the seeds of an arm agree, and how often two arms differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.digits import percent, points
from analysis.tables.notes import about_the_first_set
from analysis.tables.table import Column, Table, seeds_by_examples, without_test

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def agreement_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out how far the seeds of an arm agree; None where no trial finished, and in a regression."""
    if not report.consistencies:
        return None
    arms = [consistency for _, consistency in report.consistencies]
    compared = [
        f"{pair.name}: {percent(churn.between, places=1)} between the arms, {percent(churn.within, places=1)} between "
        f"seeds of one arm ({points(churn.excess)})"
        for pair, churn in zip(report.comparisons, report.churns, strict=True)
        if churn is not None and not churn.reason
    ]
    return Table(
        title="Agreement of the seeds",
        columns=(
            Column("Arm", [name for name, _ in report.consistencies]),
            Column("All seeds right", [percent(arm.always_right, places=1) for arm in arms], numeric=True),
            Column("Same wrong answer", [percent(arm.always_wrong, places=1) for arm in arms], numeric=True),
            Column("Seeds disagree", [percent(arm.disputed, places=1) for arm in arms], numeric=True),
            Column("Churn between seeds", [percent(arm.churn, places=1) for arm in arms], numeric=True),
            *without_test([seeds_by_examples(arm.n_seeds, arm.n_examples) for arm in arms]),
        ),
        notes=(
            "Shares of the test examples. Churn: the share on which two trials give different answers, averaged over "
            "pairs of trials. The three shares before it depend on the number of seeds; churn does not.",
            *([f"Churn, {'; '.join(compared)}."] if compared else []),
            *about_the_first_set(report),
        ),
        footer=footer,
        detail=True,
    )
