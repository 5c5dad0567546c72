"""Leaderboards: the ranks that each system may have, and one paragraph fit for a review."""

from __future__ import annotations

from analysis.published.audit import Audit
from analysis.published.boards import Board, BoardRow, Neighbour
from analysis.published.overlaps import OverlapOutcome
from analysis.tables.audit.by_report import audit_table, from_to
from analysis.tables.digits import confidence_level, declared, exact_count, percent
from analysis.tables.table import UNKNOWN, Column, Table
from analysis.words import counted

_TOLD_APART: dict[OverlapOutcome, str] = {
    "cannot be significant": "never",
    "undetermined without predictions": "open",
    "significant whatever the overlap": "always",
}
_LONGEST = 7


def board_review_table(audit: Audit) -> Table | None:
    """Lay out the paragraph of every board."""
    boards = [(report, report.board) for report in audit.reports if report.board is not None]
    return audit_table(
        audit,
        "The leaderboard in words",
        [report for report, _ in boards],
        (Column("What the figures show", [board_paragraph(board) for _, board in boards]),),
    )


def board_tables(audit: Audit) -> list[Table]:
    """Lay out every board, the best system first."""
    return [
        _board_table(report.board, f"Leaderboard{f': {report.report.name}' if report.report.name else ''}")
        for report in audit.reports
        if report.board is not None
    ]


def board_paragraph(board: Board) -> str:
    """Say what the figures of a board show, and what they do not."""
    k, n = len(board.rows), exact_count(board.n)
    left_out = f" {counted(len(board.not_ranked), 'system')} cannot be ranked." if board.not_ranked else ""
    if k < 2:
        return f"{counted(k, 'system')} can be ranked, so there is nothing to tell apart.{left_out}"
    near, pairs = board.neighbours, board.all_pairs
    first = board.rows[0]
    # Figures of few digits leave open how far apart two systems are.
    may_be = sum(row.next is not None and row.next.gap[0] < board.least_gap <= row.next.gap[1] for row in board.rows)
    or_more = f" ({exact_count(may_be)} more may be)" if may_be else ""
    may_lead = sum(row.ranks[0] == 1 for row in board.rows)
    at_best = sum(row.ranks_at_best[0] == 1 for row in board.rows)
    lead = f"{counted(may_lead, 'system')} may be the first"
    if at_best != may_lead:
        lead += f" ({exact_count(at_best)} if errors overlap the most)"
    return (
        f"The board ranks {exact_count(k)} systems by one run each, on {n} test examples.{left_out} "
        f"{exact_count(board.closer)} of {counted(near.pairs, 'pair')} of neighbours {_are(board.closer)} fewer than "
        f"{board.least_gap} answers apart{or_more}, which no overlap of errors makes significant. After Holm's "
        f"correction over all pairs of neighbours, {exact_count(near.always)} {_are(near.always)} significant whatever "
        f"the overlap, {exact_count(near.never)} by no overlap, and for {exact_count(near.open)} the predictions would "
        f"decide. Of all {counted(pairs.pairs, 'pair')}, corrected together, {exact_count(pairs.always)} can be told "
        f"apart whatever the overlap, and {exact_count(pairs.never)} by no overlap. "
        f"{first.name}, in front, may have {_any_rank(first.ranks)}; {lead}. This is about these trained models on new "
        "examples; one run of each says nothing about the methods, and no p-value allows for settings that were chosen "
        "on these examples."
    )


def _any_rank(ranks: tuple[int, int]) -> str:
    low, high = map(exact_count, ranks)
    return f"only rank {low}" if low == high else f"any rank from {low} to {high}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _board_table(board: Board, title: str) -> Table:
    rows = board.rows
    alpha = declared(board.alpha)
    return Table(
        title=title,
        columns=(
            Column("Rank", [str(row.rank) for row in rows], numeric=True),
            Column("System", [row.name for row in rows]),
            Column("Figure", [_short(row, board.n) for row in rows], numeric=True),
            Column("Right", [from_to(*map(exact_count, row.right)) for row in rows], numeric=True),
            Column("To next", [_gap(row.next) for row in rows], numeric=True),
            Column("Told apart", [_TOLD_APART[row.next.outcome] if row.next else "" for row in rows]),
            Column("At best", [from_to(*map(str, row.ranks_at_best)) for row in rows], numeric=True),
            Column("Ranks", [from_to(*map(str, row.ranks)) for row in rows], numeric=True),
            Column("Speaks about", [board.generalizes_to] * len(rows)),
        ),
        notes=(
            "Right: right answers. To next: how many fewer the next system has. Told apart: whether McNemar's exact p "
            f"of the two, by Holm's method over {counted(board.neighbours.pairs, 'pair')} of neighbours, is at most "
            f"{alpha} for no overlap of errors that the figures allow (never), for every overlap (always), or only for "
            "some, so that the predictions decide (open).",
            f"Ranks: those that the system may have, whatever the overlap; {confidence_level(board.alpha)} confidence "
            f"for all systems at once, by Holm's method over {counted(board.all_pairs.pairs, 'pair')}, each in both "
            "directions. At best: the same if every system is right wherever a worse one is, which is as little as the "
            "predictions could leave.",
            *(f"Not ranked: {one.reason}." for one in board.not_ranked),
        ),
        footer="",
    )


def _gap(neighbour: Neighbour | None) -> str:
    return "" if neighbour is None else from_to(*map(exact_count, neighbour.gap))


def _short(row: BoardRow, n: int) -> str:
    """Return a figure as printed; a number of a program, with all its digits, as a percentage."""
    low, high = row.right
    return row.printed or UNKNOWN if len(row.printed) <= _LONGEST or low < high else percent(low / n, places=2)
