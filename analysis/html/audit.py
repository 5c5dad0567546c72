"""Audit page: an audit of published figures as one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.html.rendering import content, template
from analysis.html.sections import lay_out
from analysis.printable import printable

if TYPE_CHECKING:
    from analysis.figures import Figure
    from analysis.published.audit import Audit


def audit_page(audit: Audit, figures: Sequence[Figure]) -> str:
    """Return the audit as a page of HTML, the words first; the same audit gives the same text.

    Like the page of a report, it loads nothing, and it has no script.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    figures : sequence of Figure
        What `analysis.figures.discordance.discordance_figure` and `analysis.figures.board.board_figures` return.
    """
    from analysis.tables import audit as tables
    from analysis.tables.audit.boards import board_paragraph
    from analysis.tables.audit.by_report import full_name, pairs_of

    shown = tables.named(audit)
    # The words are the answer.
    for words in ("words", "board_words"):
        shown.pop(words, None)
    reversals = [name for name in shown if name.startswith("reversal")]
    boards = [(report, report.board) for report in audit.reports if report.board is not None]
    sections = {
        "ranks": (
            "The leaderboard",
            [figure.name for figure in figures if figure.name.startswith("ranks")],
            [name for name in shown if name.startswith("board")],
        ),
        "gaps": ("The gaps", ("discordance",), ("overlaps", "runs", "scatter", "own_study", "selection", *reversals)),
        "figures": ("What the figures stand for", (), ("counts", "matrices")),
        "cost": ("Cost", (), ("costs", "parameters")),
    }
    read, details = lay_out(sections, shown, figures)
    title, question = tables.heading(audit)
    page = template("audit.html").render(
        title=title,
        question=question,
        answers=[
            *((report.report.name or "The leaderboard", board_paragraph(board)) for report, board in boards),
            *((full_name(report, pair.name), tables.review(audit, report, pair)) for report, pair in pairs_of(audit)),
        ],
        read=read,
        details=details,
        footer=tables.sources(audit),
        style=content("report.css"),
    )
    # A name of others may hold what turns a line around.
    return printable(page)
