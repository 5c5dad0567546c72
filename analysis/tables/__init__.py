"""Report tables: a study's report laid out as tables, and printed as Markdown, LaTeX or terminal output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from analysis.printable import printable
from analysis.tables import as_latex, as_macros, as_markdown, as_terminal
from analysis.tables.agreement import agreement_table
from analysis.tables.all_tests import all_tests_table
from analysis.tables.arms import arm_table
from analysis.tables.best import best_table
from analysis.tables.by_class import class_comparison_table, class_table
from analysis.tables.by_set import set_arm_table, set_verdict_table
from analysis.tables.by_source import source_table
from analysis.tables.claims import claim_table
from analysis.tables.cost import cost_table
from analysis.tables.in_words import in_words
from analysis.tables.intervals import interval_table
from analysis.tables.provenance import footer_line, provenance_table
from analysis.tables.requirements import requirement_table, requirements_in_words
from analysis.tables.selection import selection_table
from analysis.tables.table import Table
from analysis.tables.variance import detectable_table, variance_table
from analysis.tables.verdicts import verdict_table
from analysis.tables.what_would_decide import deciding_table

if TYPE_CHECKING:
    # A report reads records, which takes pyarrow; laying one out does not.
    from analysis.study.report import StudyReport

__all__ = ["Table", "build", "in_words", "latex", "macros", "markdown", "named", "requirements_in_words", "terminal"]

# What describes trials and compares no arms: all that is laid out while verdicts are withheld.
_OF_TRIALS = ("arms", "set_arms", "provenance")


def build(report: StudyReport) -> tuple[Table, ...]:
    """Lay out a report as tables: what was required of it first, then the verdicts, and the provenance last.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    return tuple(named(report).values())


def named(report: StudyReport) -> dict[str, Table]:
    """Lay out a report as tables, in the same order, by the names that frames have.

    Where verdicts are withheld, only those that compare no arms.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    footer = footer_line(report)
    compared = bool(report.comparisons)
    tables = {
        "requirements": requirement_table(report, footer),
        "verdicts": verdict_table(report, footer) if compared else None,
        "set_verdicts": set_verdict_table(report, footer),
        "arms": arm_table(report, footer),
        "set_arms": set_arm_table(report, footer),
        "cost": cost_table(report, footer),
        "deciding": deciding_table(report, footer) if compared else None,
        "claims": claim_table(report, footer),
        "selection": selection_table(report, footer),
        "classes": class_table(report, footer),
        "class_comparisons": class_comparison_table(report, footer),
        "tests": all_tests_table(report, footer) if compared else None,
        "intervals": interval_table(report, footer) if compared else None,
        "best": best_table(report, footer),
        "variance": variance_table(report, footer) if compared and report.crossing is None else None,
        "sources": source_table(report, footer) if compared and report.crossing is not None else None,
        "detectable": detectable_table(report, footer) if compared and report.crossing is None else None,
        "agreement": agreement_table(report, footer),
        "provenance": provenance_table(report),
    }
    if report.withheld:
        tables = {name: tables[name] for name in _OF_TRIALS}
    return {name: table for name, table in tables.items() if table is not None}


def markdown(report: StudyReport) -> str:
    """Return the report as a Markdown document.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    return as_markdown.render(*_heading(report), build(report), sentences=_sentences(report))


def latex(report: StudyReport) -> str:
    """Return the report as a LaTeX document for pdflatex.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    return as_latex.render(*_heading(report), build(report), sentences=_sentences(report))


def macros(report: StudyReport) -> str:
    """Return LaTeX macros, one for each figure that a paper quotes.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    return as_macros.render(report)


def terminal(report: StudyReport, *, details: bool = True) -> list[RenderableType]:
    """Return the report as what a rich console prints, in order.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    details : bool
        Whether to add the tables that are for checking an answer: the tests one by one, all intervals, the
        variance components, the provenance.
    """
    tables = [
        table
        for name, table in named(report).items()
        # What is required is said by its sentences already.
        if details or not (table.detail or name == "requirements")
    ]
    return as_terminal.render(*_heading(report), tables, sentences=_sentences(report))


def _sentences(report: StudyReport) -> tuple[str, ...]:
    return *requirements_in_words(report), *in_words(report)


def _heading(report: StudyReport) -> tuple[str, str]:
    return printable(report.name), printable(report.question)
