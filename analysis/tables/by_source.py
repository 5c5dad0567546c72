"""Table of seeds by source: how much of the uncertainty is the initialisation, and how much the order of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.methods.crossed_seeds import CrossedSeedsResult
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of
from analysis.tables.digits import percent
from analysis.tables.table import UNKNOWN, Column, Table

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def source_table(report: StudyReport, footer: str) -> Table:
    """Lay out what the uncertainty of each gap is made of where initialisation and data order have their own seeds."""
    pairs, scale = report.comparisons, scale_of(report)
    results = [pair.result.by_source if pair.result is not None else None for pair in pairs]

    def sds(of: Callable[[CrossedSeedsResult], float]) -> list[str]:
        return [
            scale.gap(of(result), standard_error=result.standard_error, signed=False) if result else UNKNOWN
            for result in results
        ]

    shares = [
        " / ".join(percent(share, places=0) for share in result.shares) if result else UNKNOWN for result in results
    ]
    return Table(
        title="Where the uncertainty comes from, by source",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            Column("SD over initialisations", sds(lambda result: result.first_sd), numeric=True),
            Column("over data orders", sds(lambda result: result.second_sd), numeric=True),
            Column("of their interaction", sds(lambda result: result.interaction_sd), numeric=True),
            Column("Initialisation / data order / interaction / examples / rest", shares, numeric=True),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            "SD: how much the gap varies over new initialisations, over new data orders, and over pairs of them beyond "
            "that (interaction), apart from the choice of examples. Dropout is drawn anew for every pair, so what it "
            "changes is in the interaction. Initialisation / data order / interaction / examples / rest: their shares "
            "of the squared standard error; rest is what seeds change on some examples only.",
        ),
        footer=footer,
        detail=True,
    )
