"""Variance tables: where the uncertainty of each gap comes from, and which gaps it leaves to be found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import Interval
from analysis.power.settling import Settling
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of
from analysis.tables.digits import Scale, alpha_of_each, decimals, fixed, percent
from analysis.tables.table import UNKNOWN, Column, Table

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def variance_table(report: StudyReport, footer: str) -> Table:
    """Lay out the variance components: what the uncertainty of each gap is made of."""
    pairs = report.comparisons
    return Table(
        title="Where the uncertainty comes from",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            _figures(report, "Seed SD (95% limits)", _seed_sd),
            _figures(report, "Seeds / examples / rest", lambda _, result, __: _shares(result)),
            _figures(report, "Seed correlation", lambda _, result, __: fixed(result.seed_correlation, places=2)),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            "Seed SD: how much the gap of one seed varies from seed to seed, apart from the choice of examples. "
            "Seeds / examples / rest: their shares of the squared standard error; a share of 0% was estimated as no "
            "more than the rest brings by chance, and may be more. "
            "Seed correlation: correlation of the two arms' means over seeds."
            + (" What a seed changes includes the training set that it draws." if report.training_sets else ""),
            *([spread] if (spread := report.seed_sds.in_words or report.seed_sds.notable) else []),
        ),
        footer=footer,
        detail=True,
    )


def detectable_table(report: StudyReport, footer: str) -> Table:
    """Lay out the smallest gaps that can be found with the seeds at hand, and with any number of them."""
    pairs = report.comparisons
    return Table(
        title="Which gaps can be found",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            _figures(report, "Detectable now", _detectable),
            _figures(report, "Floor (95% limits)", floor_cell),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            f"Detectable now: the smallest gap found with 80% power at {alpha_of_each(report.plan.alpha, len(pairs))}. "
            "Floor: the same with any number of seeds; only more test examples find a smaller gap. Its limits are "
            "those of how far the true gap varies from example to example.",
        ),
        footer=footer,
        detail=True,
    )


def _figures(report: StudyReport, header: str, text: Callable[[Scale, CrossedResult, Settling], str]) -> Column:
    scale = scale_of(report)
    cells = [
        text(scale, pair.result, pair.settling_margin) if pair.result and pair.settling_margin else UNKNOWN
        for pair in report.comparisons
    ]
    return Column(header, cells, numeric=True)


def _seed_sd(scale: Scale, result: CrossedResult, _: Settling) -> str:
    parts = result.components
    return _with_limits(scale, result, math.sqrt(parts.seed), parts.seed_sd_interval)


def _detectable(scale: Scale, result: CrossedResult, settling: Settling) -> str:
    return scale.gap(settling.detectable_gap, standard_error=result.standard_error, signed=False)


def floor_cell(scale: Scale, result: CrossedResult, settling: Settling) -> str:
    """Return the smallest gap that any number of seeds finds, with its 95% limits."""
    return _with_limits(scale, result, settling.floor_gap, settling.floor_gap_range)


def _with_limits(scale: Scale, result: CrossedResult, value: float, limits: Interval) -> str:
    error, unit = result.standard_error, 100 if scale.share else 1
    low, high = (fixed(unit * limit, places=decimals(unit * error)) for limit in limits)
    if value == 0:
        # An estimate that was cut off at 0 is no best guess.
        return f"{low} to {scale.gap(limits.high, standard_error=error, signed=False)}"
    return f"{scale.gap(value, standard_error=error, signed=False)} ({low} to {high})"


def _shares(result: CrossedResult) -> str:
    return " / ".join(percent(share, places=0) for share in result.shares)
