"""Report column: what the tables of an audit share, from rows headed by their report to texts of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.published.audit import Audit, ReportAudit
from analysis.published.costs import Recomputed
from analysis.published.pairs import PairAudit
from analysis.published.systems import SystemAudit
from analysis.tables.digits import fixed, percent
from analysis.tables.table import UNKNOWN, Column, Table


def audit_table(
    audit: Audit,
    title: str,
    reports: Sequence[ReportAudit],
    columns: Sequence[Column],
    *,
    notes: Sequence[str] = (),
    detail: bool = False,
) -> Table | None:
    """Return a table with a column of reports where there are several; None without rows.

    Parameters
    ----------
    audit : Audit
    title : str
    reports : sequence of ReportAudit
        The report of each row.
    columns : sequence of Column
        All other columns.
    notes : sequence of str
    detail : bool
        As in `Table`.
    """
    if not reports:
        return None
    names = [Column("Report", [report.report.name for report in reports])] if len(audit.reports) > 1 else []
    return Table(title=title, columns=(*names, *columns), notes=tuple(notes), footer="", detail=detail)


def pairs_of(audit: Audit) -> list[tuple[ReportAudit, PairAudit]]:
    """Return every pair with its report."""
    return [(report, pair) for report in audit.reports for pair in report.pairs]


def systems_of(audit: Audit) -> list[tuple[ReportAudit, SystemAudit]]:
    """Return every system with its report."""
    return [(report, system) for report in audit.reports for system in report.systems]


def full_name(report: ReportAudit, name: str) -> str:
    """Return the name of a system or pair with that of its report, where it has one."""
    return f"{report.report.name}, {name}" if report.report.name else name


def from_to(low: str, high: str) -> str:
    """Return a range, or its only value."""
    return low if low == high else f"{low} to {high}"


def recomputed(figure: Recomputed) -> str:
    """Return a recomputed ratio or share."""
    if math.isnan(figure.value):
        return UNKNOWN
    if figure.what == "times as fast":
        return fixed(figure.value, places=2)
    return percent(figure.value, places=1 if abs(figure.value) >= 0.01 else 2)


def yes_or_no(agrees: bool) -> str:
    """Return a yes or a no."""
    return "yes" if agrees else "no"
