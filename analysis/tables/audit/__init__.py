"""Audit tables: an audit of published figures laid out as tables, and printed like a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.console import RenderableType

from analysis.printable import printable
from analysis.published.audit import Audit
from analysis.tables import as_latex, as_markdown, as_terminal
from analysis.tables.audit.boards import board_paragraph, board_review_table, board_tables
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

__all__ = ["as_json", "build", "heading", "latex", "markdown", "named", "review", "sources", "terminal"]

_QUESTION = "What follows from the published figures alone; no model was trained."
_BESIDE = "What follows from the published figures, beside your own study."


def build(audit: Audit) -> tuple[Table, ...]:
    """Lay out an audit as tables, the words first.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    return tuple(named(audit).values())


def named(audit: Audit) -> dict[str, Table]:
    """Lay out an audit as tables by name, in the same order.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    tables = {
        "words": review_table(audit),
        "board_words": board_review_table(audit),
        **{f"board_{number}": table for number, table in enumerate(board_tables(audit))},
        "overlaps": overlap_table(audit),
        "runs": runs_table(audit),
        "scatter": scatter_table(audit),
        "own_study": own_study_table(audit),
        "selection": selection_table(audit),
        **{f"reversal_{number}": reversal_table(one) for number, one in enumerate(audit.reversals)},
        "counts": counts_table(audit),
        "matrices": single_matrix_table(audit),
        "costs": cost_table(audit),
        "parameters": parameter_table(audit),
        "all_matrices": all_matrices_table(audit),
        "intervals": interval_table(audit),
    }
    return {name: replace(table, footer=sources(audit)) for name, table in tables.items() if table is not None}


def sources(audit: Audit) -> str:
    """Return the line under every table: where the figures stand, and on how many examples.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    texts = (
        f"{f'{report.name}: ' if report.name else ''}{report.source}, n = {report.n}"
        for report in (audited.report for audited in audit.reports)
    )
    return f"{'; '.join(texts)}."


def markdown(audit: Audit, *, pictures: Sequence[str] = ()) -> str:
    """Return the audit as a Markdown document.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    pictures : sequence of str
        The names of plots beside the document.
    """
    return as_markdown.render(*heading(audit), build(audit), pictures=pictures)


def latex(audit: Audit, *, pictures: Sequence[str] = ()) -> str:
    """Return the audit as a LaTeX document for pdflatex.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    pictures : sequence of str
        The names of plots beside the document.
    """
    return as_latex.render(*heading(audit), build(audit), pictures=pictures)


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
    return as_terminal.render(*heading(audit), tables)


def as_json(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain dicts, with the sentence of every pair and the paragraph of every board.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    plain = audit.to_json()
    for report, content in zip(audit.reports, plain["reports"], strict=True):
        for pair, entry in zip(report.pairs, content["pairs"], strict=True):
            entry["sentence"] = review(audit, report, pair)
        if report.board is not None:
            content["board"]["paragraph"] = board_paragraph(report.board)
    return plain


def heading(audit: Audit) -> tuple[str, str]:
    """Return the title of an audit, and what it is about.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    beside = any(pair.rerun is not None for report in audit.reports for pair in report.pairs)
    return printable(audit.title or "Audit of published figures"), _BESIDE if beside else _QUESTION
