"""Frames of uncertainty: their figures are those of the tables."""

from __future__ import annotations

import math
from collections.abc import Callable

from analysis.study.report import StudyReport
from analysis.tables import digits
from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import decimals, fixed, percent
from analysis.tables.table import UNKNOWN
from analysis.words import estimated_count
from tests.analysis.study.frames.cells import (
    Cells,
    Row,
    assert_written,
    errors,
    interval,
    known,
    pair,
    rests_on,
)

NEVER = "never enough"


def with_limits(report: StudyReport, row: Row, name: str) -> str:
    scale, error, value = scale_of(report), errors(report)[pair(row)], getattr(row, name)
    if math.isnan(value):
        return UNKNOWN
    unit = 100 if scale.share else 1
    low, high = (fixed(unit * limit, places=decimals(unit * error)) for limit in interval(row, f"{name}_"))
    if value == 0:
        return f"{low} to {scale.gap(interval(row, f'{name}_').high, standard_error=error, signed=False)}"
    return f"{scale.gap(value, standard_error=error, signed=False)} ({low} to {high})"


def shares(*parts: float) -> str:
    return UNKNOWN if math.isnan(parts[0]) else " / ".join(percent(share, places=0) for share in parts)


def variance(report: StudyReport, row: Row) -> Cells:
    return {
        "Comparison": pair(row),
        "Seed SD (95% limits)": with_limits(report, row, "seed_sd"),
        "Seeds / examples / rest": shares(row.share_seeds, row.share_examples, row.share_rest),
        "Seed correlation": fixed(row.seed_correlation, places=2),
        **rests_on(report, row),
    }


def sources(report: StudyReport, row: Row) -> Cells:
    def sd(value: float) -> str:
        return scale_of(report).gap(value, standard_error=errors(report)[pair(row)], signed=False)

    assert (row.n_initialisations, row.n_data_orders) == report.crossing
    return {
        "Comparison": pair(row),
        "SD over initialisations": sd(row.sd_initialisations),
        "over data orders": sd(row.sd_data_orders),
        "of their interaction": sd(row.sd_interaction),
        "Initialisation / data order / interaction / examples / rest": shares(
            row.share_initialisations,
            row.share_data_orders,
            row.share_interaction,
            row.share_examples,
            row.share_rest,
        ),
        **rests_on(report, row),
    }


def test_where_the_uncertainty_comes_from(report: StudyReport) -> None:
    frame, other, cells = ("sources", "variance", sources) if report.crossing else ("variance", "sources", variance)
    assert_written(report, "Where the uncertainty comes from", frame, cells)
    assert report.frame(other).empty


def detectable(report: StudyReport, row: Row) -> Cells:
    error = errors(report)[pair(row)]
    return {
        "Comparison": pair(row),
        "Detectable now": scale_of(report).gap(row.detectable_gap, standard_error=error, signed=False),
        "Floor (95% limits)": with_limits(report, row, "floor_gap"),
        **rests_on(report, row),
    }


def test_detectable_gaps(report: StudyReport) -> None:
    assert_written(report, "Which gaps can be found", "detectable", detectable)


def needed(row: Row, name: str, text: Callable[[int], str]) -> str:
    counts = [known(getattr(row, column)) for column in (name, f"{name}_low", f"{name}_high")]
    best, *limits = (NEVER if count is None else text(count) for count in counts)
    return digits.planned_range(best, limits, never=NEVER)


def deciding(report: StudyReport, row: Row) -> Cells:
    scale, error = scale_of(report), errors(report)[pair(row)]
    gap = scale.gap(row.gap, standard_error=error, signed=False) if row.as_observed else scale.margin(row.gap)
    run = min(row.n_seeds_treatment, row.n_seeds_baseline)
    # Of runs that are not paired the table shows how many join each arm.
    there = 0 if report.paired else run
    seeds = needed(row, "seeds", lambda count: digits.planned_seeds(max(count - there, 0), never=NEVER))
    examples = needed(row, "examples", estimated_count)
    if known(row.examples):
        examples = f"about {examples}{' clusters' if known(row.n_clusters) else ''}"
    enough = "enough: " if known(row.more_seeds) == 0 else ""
    wanted = known(row.seeds) or math.inf
    more = row.more_seconds if wanted <= digits.SEEDS_WORTH_PLANNING else math.nan
    if known(row.seeds):
        assert row.more_seeds == max(row.seeds - run, 0)
    return {
        "Comparison": pair(row),
        "To show": f"{'a gap of' if row.to_show == 'gap' else 'equivalence at'} {gap}, "
        f"{'as observed' if row.as_observed else 'the margin'}",
        f"{'Seeds' if report.paired else 'More runs'} per arm": f"{enough}{seeds}",
        "or test examples": examples,
        **({"More time": digits.time_taken(more)} if report.costs else {}),
        **rests_on(report, row),
    }


def test_what_would_decide(report: StudyReport) -> None:
    assert_written(report, "What would decide the rest", "deciding", deciding)
    frame = report.frame("deciding")
    assert (frame.margin.notna() == (frame.to_show == "equivalence")).all()
    assert set(frame.alpha) <= {report.plan.alpha / len(report.comparisons)}
