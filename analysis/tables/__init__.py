"""A report as tables, and tables as Markdown, LaTeX or terminal output: the only place that rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from analysis.printable import printable
from analysis.tables import as_latex, as_markdown, as_terminal, depth, evidence, measures, verdicts
from analysis.tables.table import Table

if TYPE_CHECKING:
    # A report reads records, which takes pyarrow; laying one out does not.
    from analysis.study.report import StudyReport

__all__ = ["Table", "build", "latex", "markdown", "terminal"]


def build(report: StudyReport) -> tuple[Table, ...]:
    """Lay out a report as tables, the verdicts first and the provenance last.

    Parameters
    ----------
    report
        What `analysis.study.report.analyze` returns.
    """
    line = _footer(report)
    compared = bool(report.comparisons)
    tables = (
        verdicts.verdicts(report, line) if compared else None,
        measures.arms(report, line),
        verdicts.deciding(report, line) if compared else None,
        measures.cost(report, line),
        measures.claims(report, line),
        depth.selection(report, line),
        measures.classes(report, line),
        depth.class_comparisons(report, line),
        evidence.evidence(report, line) if compared else None,
        evidence.intervals(report, line) if compared else None,
        evidence.variation(report, line) if compared else None,
        depth.agreement(report, line),
        measures.provenance(report),
    )
    return tuple(table for table in tables if table is not None)


def markdown(report: StudyReport) -> str:
    """Return the report as a Markdown document.

    Parameters
    ----------
    report
        What `analysis.study.report.analyze` returns.
    """
    return as_markdown.render(*_heading(report), build(report))


def latex(report: StudyReport) -> str:
    """Return the report as a LaTeX document for pdflatex.

    Parameters
    ----------
    report
        What `analysis.study.report.analyze` returns.
    """
    return as_latex.render(*_heading(report), build(report))


def terminal(report: StudyReport, *, details: bool = True) -> list[RenderableType]:
    """Return the report as what a rich console prints, in order.

    Parameters
    ----------
    report
        What `analysis.study.report.analyze` returns.
    details
        Whether to add the tables that are for checking an answer: the tests one by one, all intervals, the
        variance components, the provenance.
    """
    tables = [table for table in build(report) if details or not table.detail]
    return as_terminal.render(*_heading(report), tables)


def _heading(report: StudyReport) -> tuple[str, str]:
    return printable(report.name), printable(report.question)


def _footer(report: StudyReport) -> str:
    origins = {origin.name: origin for origin in report.footer.origins}
    places = [
        " and ".join(value for value, _ in origins[name].values)
        for name in ("engine", "device", "code")
        if name in origins
    ]
    caveats = list(dict.fromkeys(caveat.short for caveat in report.footer.caveats))
    where = "; ".join([f"{report.model} on {report.data}", *places])
    return f"{report.name}: {where}. Caveats: {'; '.join(caveats) or 'none'}."
