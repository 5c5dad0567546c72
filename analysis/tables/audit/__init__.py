"""Audit tables: an audit of published figures laid out as tables, and printed like a report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import RenderableType

from analysis.printable import printable
from analysis.published.audit import Audit
from analysis.tables import as_latex, as_markdown, as_terminal
from analysis.tables.audit.costs import cost_table, parameter_table
from analysis.tables.audit.counts import counts_table
from analysis.tables.audit.gaps import interval_table, overlap_table, review_table
from analysis.tables.audit.matrices import all_matrices_table, single_matrix_table
from analysis.tables.audit.own_study import own_study_table
from analysis.tables.audit.reversals import reversal_table
from analysis.tables.audit.review import review
from analysis.tables.audit.seeds import runs_table, scatter_table
from analysis.tables.audit.selection import selection_table
from analysis.tables.table import Table

__all__ = ["as_json", "build", "latex", "markdown", "review", "terminal"]

_QUESTION = "What follows from the published figures alone; no model was trained."
_BESIDE = "What follows from the published figures, beside your own study."


def build(audit: Audit) -> tuple[Table, ...]:
    """Lay out an audit as tables, the words first.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    sources = "; ".join(
        f"{f'{report.name}: ' if report.name else ''}{report.source}, n = {report.n}"
        for report in (audited.report for audited in audit.reports)
    )
    tables = (
        review_table(audit),
        overlap_table(audit),
        runs_table(audit),
        scatter_table(audit),
        own_study_table(audit),
        selection_table(audit),
        *map(reversal_table, audit.reversals),
        counts_table(audit),
        single_matrix_table(audit),
        cost_table(audit),
        parameter_table(audit),
        all_matrices_table(audit),
        interval_table(audit),
    )
    return tuple(replace(table, footer=f"{sources}.") for table in tables if table is not None)


def markdown(audit: Audit, *, picture: str = "") -> str:
    """Return the audit as a Markdown document.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    picture : str
        The name of a plot beside the document; empty for none.
    """
    return as_markdown.render(*_heading(audit), build(audit), picture=picture)


def latex(audit: Audit, *, picture: str = "") -> str:
    """Return the audit as a LaTeX document for pdflatex.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    picture : str
        The name of a plot beside the document; empty for none.
    """
    return as_latex.render(*_heading(audit), build(audit), picture=picture)


def terminal(audit: Audit, *, details: bool = True) -> list[RenderableType]:
    """Return the audit as what a rich console prints, in order.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    details : bool
        Whether to add the tables that are for checking an answer.
    """
    tables = [table for table in build(audit) if details or not table.detail]
    return as_terminal.render(*_heading(audit), tables)


def as_json(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain dicts, with the sentence of every pair.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    plain = audit.to_json()
    for report, content in zip(audit.reports, plain["reports"], strict=True):
        for pair, entry in zip(report.pairs, content["pairs"], strict=True):
            entry["sentence"] = review(audit, report, pair)
    return plain


def _heading(audit: Audit) -> tuple[str, str]:
    beside = any(pair.rerun is not None for report in audit.reports for pair in report.pairs)
    return printable(audit.title or "Audit of published figures"), _BESIDE if beside else _QUESTION
