"""Terminal output: tables for a rich console; every text is a `Text`, so that no name is read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from analysis.tables.table import N_TEST_POPULATION, Table

_GAP = 2
# Narrower, and columns that say the same in every row cost more lines than they tell.
_NARROW = 100


def render(title: str, question: str, tables: Sequence[Table]) -> list[RenderableType]:
    """Return what a rich console prints, in order.

    Parameters
    ----------
    title, question : str
        The heading and the line under it.
    tables : sequence of Table
        In the order of the page.
    """
    heading = Text(title, style="bold")
    return [heading, *([Text(question)] if question else []), *laid_out(tables)]


def laid_out(tables: Sequence[Table]) -> list[RenderableType]:
    """Return tables with their notes, and below them what their footers share.

    Parameters
    ----------
    tables : sequence of Table
        In the order of the page.
    """
    out: list[RenderableType] = []
    for table in tables:
        out.append(Text(""))
        out.append(_Grid(table))
        out += map(_note, table.notes)
    # On one screen the tables do not travel alone: what their footers share is said once, below them.
    footers = dict.fromkeys(table.footer for table in tables if table.footer)
    out += [Text(f"\n{footer}", style="italic dim") for footer in footers]
    return out


class _Grid:
    """A table that breaks its words and figures only where the terminal is too narrow for them."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table, shared = (self.table, "") if options.max_width >= _NARROW else _without_shared(self.table)
        widths = _widths(table, options.max_width)
        if widths is None:
            # Cells side by side would break words and figures: 4.7e-10 must not end as 4.7e-1.
            yield from _records(table)
        else:
            yield _side_by_side(table, widths)
        if shared:
            yield _note(shared)


def _without_shared(table: Table) -> tuple[Table, str]:
    """Take out what every row says alike of its n, its test and its population, and say it once."""
    shared = [column for column in table.columns if column.header in N_TEST_POPULATION and len(set(column.cells)) == 1]
    if not shared:
        return table, ""
    texts = "; ".join(f"{column.header.lower()}: {column.cells[0]}" for column in shared)
    kept = tuple(column for column in table.columns if column not in shared)
    return replace(table, columns=kept), f"Every row: {texts}."


def _side_by_side(table: Table, widths: Sequence[int]) -> Grid:
    grid = Grid(
        title=Text(table.title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column, width in zip(table.columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        grid.add_column(Text(column.header), justify=justify, width=width, overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def _note(text: str) -> Padding:
    return Padding(Text(text, style="dim"), (0, 0, 0, 2), expand=False)


def _records(table: Table) -> Iterator[RenderableType]:
    """Lay out every row as lines of header and cell, where they do not fit side by side."""
    yield Text(table.title, style="bold")
    header_width = max(map(len, table.headers))
    for row in table.rows:
        record = Grid.grid(padding=(0, 2, 0, 0))
        record.add_column(width=header_width)
        record.add_column(overflow="fold")
        for header, cell in zip(table.headers, row, strict=True):
            record.add_row(Text(header, style="dim"), Text(cell))
        yield Padding(record, (0, 0, 1, 0))


def _widths(table: Table, available: int) -> list[int] | None:
    """Return column widths that break as little as the terminal allows; None where even words must break."""
    room = available - _GAP * len(table.columns)
    words = [_longest_word((column.header, *column.cells)) for column in table.columns]
    cells = [max(map(len, column.cells), default=0) for column in table.columns]
    # A header may break before a cell does, and the widest text before a figure.
    most = [max(pair) for pair in zip(words, cells, strict=True)]
    whole = [max(len(column.header), width) for column, width in zip(table.columns, most, strict=True)]
    if sum(whole) <= room:
        return whole
    figures = [
        width if column.numeric else word for column, width, word in zip(table.columns, most, words, strict=True)
    ]
    least = figures if sum(figures) <= room else words
    if sum(least) > room:
        return None
    limit = max(most)
    while sum(_between(low, high, limit) for low, high in zip(least, most, strict=True)) > room:
        limit -= 1
    return [_between(low, high, limit) for low, high in zip(least, most, strict=True)]


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=1)


def _between(least: int, most: int, limit: int) -> int:
    return max(least, min(most, limit))
