"""Cells of tables, written again from nothing but the rows of frames."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from analysis import tables
from analysis.methods.interval import Interval
from analysis.study.report import StudyReport
from analysis.study.verdict import Verdict
from analysis.tables.comparison_cells import open_where_cut, scale_of, verdict_cell
from analysis.tables.table import UNKNOWN, Table, seeds_by_examples

Row = Any
Cells = dict[str, str]

SIZE, TEST, POPULATION = "Seeds × examples", "Test", "Speaks about"


def titled(report: StudyReport, title: str) -> Table | None:
    """The table whose title begins so."""
    found = [table for table in tables.build(report) if table.title.startswith(title)]
    return found[0] if found else None


def assert_written(report: StudyReport, title: str, frame: str, cells: Callable[[StudyReport, Row], Cells]) -> None:
    """Every cell of a table can be written from its frame, row by row; without the table the frame is empty."""
    table, rows = titled(report, title), list(report.frame(frame).itertuples())
    if table is None:
        assert not rows
        return
    assert [dict(zip(table.headers, row, strict=True)) for row in table.rows] == [cells(report, row) for row in rows]


def pair(row: Row) -> str:
    return f"{row.treatment} against {row.baseline}"


def interval(row: Row, of: str = "") -> Interval:
    return Interval(getattr(row, f"{of}low"), getattr(row, f"{of}high"))


def known(value: Any) -> Any:
    """A value, or None where it is missing."""
    return None if pd.isna(value) else value


def size(report: StudyReport, row: Row) -> str:
    n_seeds: Any = (row.n_seeds_treatment, row.n_seeds_baseline)
    if report.crossing:
        n_seeds = f"{report.crossing[0]} × {report.crossing[1]}"
    return seeds_by_examples(n_seeds, row.n_examples, known(row.n_clusters))


def rests_on(report: StudyReport, row: Row) -> Cells:
    return {SIZE: size(report, row), TEST: row.test, POPULATION: known(row.generalizes_to) or UNKNOWN}


def describes(n_seeds: int, n_examples: int) -> Cells:
    return {SIZE: seeds_by_examples(n_seeds, n_examples), TEST: "none", POPULATION: "these trials"}


def verdict_of(report: StudyReport, row: Row) -> str:
    if pd.isna(row.differs):
        verdict = Verdict(asked=False)
    else:
        better = (row.gap > 0) == report.plan.kind.higher_is_better
        direction = "better" if better else "worse"
        verdict = Verdict(direction=direction if row.differs else None, within_margin=bool(row.within_margin))
    assert row.verdict == verdict.label
    return verdict_cell(verdict, scale_of(report).margin(report.plan.margin))


def cut(text: str, limits: Interval, margin: float) -> str:
    return open_where_cut(text, limits, margin=margin)


def errors(report: StudyReport, frame: str = "verdicts") -> dict[str, float]:
    """The standard errors, which set the digits of figures in other frames too."""
    return {pair(row): row.standard_error for row in report.frame(frame).itertuples()}


def over_seeds(row: Row) -> float:
    """The standard error of an arm's mean over its seeds."""
    return row.sd / math.sqrt(row.n_seeds) if row.n_seeds > 1 else math.nan
