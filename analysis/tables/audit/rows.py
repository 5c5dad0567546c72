"""What the tables of an audit share: rows headed by their report, and ranges in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.published.audit import Audit, ReportAudit
from analysis.published.costs import Recomputed
from analysis.published.pairs import PairAudit
from analysis.published.systems import SystemAudit
from analysis.tables.digits import percent
from analysis.tables.table import UNKNOWN, Table

Row = tuple[str, ...]


def table(
    audit: Audit,
    title: str,
    columns: Row,
    rows: Sequence[tuple[ReportAudit, Row]],
    *,
    numeric: Sequence[str] = (),
    notes: Sequence[str] = (),
    detail: bool = False,
) -> Table | None:
    """Return a table, its rows headed by their report where there are several; None without rows."""
    if not rows:
        return None
    several = len(audit.reports) > 1
    return Table(
        title=title,
        columns=("Report", *columns) if several else columns,
        numeric=frozenset(numeric),
        rows=tuple((report.report.name, *row) if several else row for report, row in rows),
        notes=tuple(notes),
        footer="",
        detail=detail,
    )


def pairs(audit: Audit) -> list[tuple[ReportAudit, PairAudit]]:
    """Return every pair with its report."""
    return [(report, pair) for report in audit.reports for pair in report.pairs]


def systems(audit: Audit) -> list[tuple[ReportAudit, SystemAudit]]:
    """Return every system with its report."""
    return [(report, system) for report in audit.reports for system in report.systems]


def named(report: ReportAudit, name: str) -> str:
    """Return the name of a system or pair with that of its report, where it has one."""
    return f"{report.report.name}, {name}" if report.report.name else name


def ends(low: str, high: str) -> str:
    """Return a range, or its only value."""
    return low if low == high else f"{low} to {high}"


def recomputed(one: Recomputed) -> str:
    """Return a recomputed ratio or share."""
    if math.isnan(one.value):
        return UNKNOWN
    if one.what == "times as fast":
        return f"{one.value:.2f}"
    return percent(one.value, places=1 if abs(one.value) >= 0.01 else 2)


def yes(agrees: bool) -> str:
    """Return yes or no."""
    return "yes" if agrees else "no"
