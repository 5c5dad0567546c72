"""Board figure: the ranks that each system of a leaderboard may have, as bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.rows import row_chart
from analysis.figures.style import BLUE, FAINT, INK, cut_to_fit
from analysis.published.audit import Audit
from analysis.published.boards import Board
from analysis.tables.audit.by_report import from_to
from analysis.tables.digits import confidence_level, exact_count
from analysis.tables.table import Column
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

_TITLE = "Ranks that each system may have"
_WHATEVER, _AT_BEST, _PRINTED = "whatever the overlap of errors", "at the largest overlap", "rank by the figures"
_ROW, _LEAST_ROW, _HIGHEST = 9.0, 1.5, 640.0
_NAMES = 0.38
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RankBands:
    """The ranks of every system, the best system first.

    Parameters
    ----------
    names : tuple of str
    ranks, at_best : tuple of tuple of int
        The best and the worst rank that each may have, whatever the overlap of errors, and at the largest one.
    printed : tuple of int
        Their ranks by the figures.
    """

    names: tuple[str, ...]
    ranks: tuple[tuple[int, int], ...]
    at_best: tuple[tuple[int, int], ...]
    printed: tuple[int, ...]


def board_figures(audit: Audit) -> tuple[Figure, ...]:
    """Return the figure of every board of an audit; one that cannot be drawn says why."""
    boards = [(report.report.name, report.board) for report in audit.reports if report.board is not None]
    return tuple(_figure(board, name, number) for number, (name, board) in enumerate(boards, start=1))


def _figure(board: Board, report: str, number: int) -> Figure:
    name = "ranks" if number == 1 else f"ranks-{number}"
    title = f"{_TITLE}: {report}" if report else _TITLE
    if len(board.rows) < 2:
        return missing(name, title, f"{counted(len(board.rows), 'system')} can be ranked.")
    return Figure(
        name=name,
        title=title,
        caption=_caption(board),
        alt=_alt(board),
        columns=_columns(board),
        draw=partial(draw_ranks, rank_bands(board)),
    )


def rank_bands(board: Board) -> RankBands:
    """Collect the ranks of a board."""
    return RankBands(
        names=tuple(row.name for row in board.rows),
        ranks=tuple(row.ranks for row in board.rows),
        at_best=tuple(row.ranks_at_best for row in board.rows),
        printed=tuple(row.rank for row in board.rows),
    )


def _caption(board: Board) -> str:
    level, pairs = confidence_level(board.alpha), exact_count(board.all_pairs.pairs)
    return (
        f"Ranks that each of {len(board.rows)} systems may have, from right answers on {exact_count(board.n)} test "
        f"examples alone. Light: whatever the overlap of their errors, at {level} confidence for all systems at once "
        f"(McNemar's exact test, Holm's method over {pairs} pairs, each in both directions). Dark: the same if every "
        "system is right wherever a worse one is; predictions cannot leave less. Dots: the ranks by the figures. It is "
        f"about these trained models on new {board.generalizes_to}, and not about other runs of the same methods."
    )


def _alt(board: Board) -> str:
    told = "; ".join(
        f"{row.name} {from_to(*map(str, row.ranks))}, at the largest overlap {from_to(*map(str, row.ranks_at_best))}"
        for row in board.rows[:_TOLD]
    )
    may_lead = sum(row.ranks[0] == 1 for row in board.rows)
    return (
        f"Ranks of {len(board.rows)} systems as bands, the best system first: {told}"
        f"{' and so on' if len(board.rows) > _TOLD else ''}. {counted(may_lead, 'system')} may be the first."
    )


def _columns(board: Board) -> tuple[Column, ...]:
    rows = board.rows
    return (
        Column("System", [row.name for row in rows]),
        Column("Right answers", [from_to(*map(exact_count, row.right)) for row in rows], numeric=True),
        Column("Rank", [str(row.rank) for row in rows], numeric=True),
        Column("Ranks at the largest overlap", [from_to(*map(str, row.ranks_at_best)) for row in rows], numeric=True),
        Column("Ranks whatever the overlap", [from_to(*map(str, row.ranks)) for row in rows], numeric=True),
    )


def draw_ranks(bands: RankBands, width: float) -> Picture:
    """Draw the ranks, so many points wide; of many systems as many names as there is room for."""
    from matplotlib.ticker import MaxNLocator

    entries = [
        KeyEntry(_WHATEVER, colour=FAINT, patch=True),
        KeyEntry(_AT_BEST, colour=BLUE, patch=True),
        KeyEntry(_PRINTED, colour=INK, shape="o"),
    ]
    k = len(bands.names)
    row = min(_ROW, max(_LEAST_ROW, _HIGHEST / k))
    every = -(-int(_ROW) // int(row)) if row < _ROW else 1
    names = cut_to_fit(bands.names, _NAMES * width)
    chart = row_chart(
        [name if at % every == 0 else "" for at, name in enumerate(names)],
        width=width,
        row=row,
        xlabel="rank",
        key=key_height(entries, width),
    )
    axes = chart.axes
    axes.set_xlim(0.5, k + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    places = [-place for place in chart.places]
    # One collection for all rows: hundreds of lines take seconds to draw one by one.
    for ranks, colour, share in ((bands.ranks, FAINT, 0.8), (bands.at_best, BLUE, 0.5)):
        starts, ends = [best - 0.5 for best, _ in ranks], [worst + 0.5 for _, worst in ranks]
        axes.hlines(places, starts, ends, colors=colour, linewidth=share * row, zorder=2)
    axes.plot(bands.printed, places, "o", color=INK, markersize=min(3.0, row), markeredgewidth=0, zorder=3)
    draw_key(chart.picture, entries)
    return chart.picture
