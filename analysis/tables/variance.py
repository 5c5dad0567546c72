"""Variance table: where the uncertainty of each gap comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.methods.crossed import CrossedResult
from analysis.methods.interval import Interval
from analysis.power.settling import Settling
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of
from analysis.tables.digits import Scale, decimals, fixed, percent
from analysis.tables.table import UNKNOWN, Column, Table

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def variance_table(report: StudyReport, footer: str) -> Table:
    """Lay out the variance components: what the uncertainty of each gap is made of."""
    pairs, scale = report.comparisons, scale_of(report)

    def figures(header: str, text: Callable[[CrossedResult, Settling], str]) -> Column:
        cells = [
            text(pair.result, pair.settling_margin) if pair.result and pair.settling_margin else UNKNOWN
            for pair in pairs
        ]
        return Column(header, cells, numeric=True)

    def gap(value: float, result: CrossedResult) -> str:
        return scale.gap(value, standard_error=result.standard_error, signed=False)

    return Table(
        title="Where the uncertainty comes from",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            figures(
                "Seed SD (95% limits)",
                lambda result, _: _with_limits(
                    scale, result, math.sqrt(result.components.seed), result.components.seed_sd_interval
                ),
            ),
            figures("Seeds / examples / rest", lambda result, _: _shares(result)),
            figures("Seed correlation", lambda result, _: fixed(result.seed_correlation, places=2)),
            figures("Detectable now", lambda result, settling: gap(settling.detectable_gap, result)),
            figures(
                "Floor (95% limits)",
                lambda result, settling: _with_limits(scale, result, settling.floor_gap, settling.floor_gap_range),
            ),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            "Seed SD: how much the gap of one seed varies from seed to seed, apart from the choice of examples. "
            "Seeds / examples / rest: their shares of the squared standard error; a share of 0% was estimated as no "
            "more than the rest brings by chance, and the limits say how much there may be. "
            "Seed correlation: correlation of the two arms' means over seeds."
            + (" What a seed changes includes the training set that it draws." if report.training_sets else ""),
            f"Detectable now: the smallest gap found with 80% power at alpha / {len(pairs)}. Floor: the same with any "
            "number of seeds; only more test examples find a smaller gap.",
            *([spread] if (spread := report.seed_sds.in_words or report.seed_sds.notable) else []),
        ),
        footer=footer,
        detail=True,
    )


def _with_limits(scale: Scale, result: CrossedResult, value: float, limits: Interval) -> str:
    error, unit = result.standard_error, 100 if scale.share else 1
    low, high = (fixed(unit * limit, places=decimals(unit * error)) for limit in limits)
    if value == 0:
        # An estimate that was cut off at 0 is no best guess.
        return f"{low} to {scale.gap(limits.high, standard_error=error, signed=False)}"
    return f"{scale.gap(value, standard_error=error, signed=False)} ({low} to {high})"


def _shares(result: CrossedResult) -> str:
    parts = result.components
    squares = (
        parts.seed / parts.n_seeds,
        parts.example / parts.n_examples,
        parts.residual / (parts.n_seeds * parts.n_examples),
    )
    return " / ".join(percent(square / sum(squares), places=0) for square in squares)
