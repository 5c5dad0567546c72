"""Terminal output: tables for a rich console; every text is a `Text`, so that no name is read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from analysis.tables.table import Table
from analysis.tables.widths import fitted_widths

_GAP = 2


def render(
    title: str, question: str, tables: Sequence[Table], *, sentences: Sequence[str] = ()
) -> list[RenderableType]:
    """Return what a rich console prints, in order.

    Parameters
    ----------
    title, question : str
        The heading and the line under it.
    tables : sequence of Table
        In the order of the page.
    sentences : sequence of str
        What stands before the tables.
    """
    heading = Text(title, style="bold")
    head: list[RenderableType] = [heading, *([Text(question)] if question else [])]
    if sentences:
        head += [Text(""), _listed(sentences)]
    return [*head, *laid_out(tables)]


def _listed(sentences: Sequence[str]) -> Grid:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column()
    grid.add_column(overflow="fold")
    for sentence in sentences:
        grid.add_row(Text("-"), Text(sentence))
    return grid


def laid_out(tables: Sequence[Table]) -> list[RenderableType]:
    """Return tables with their notes, and below them what their footers share.

    Parameters
    ----------
    tables : sequence of Table
        In the order of the page.
    """
    out: list[RenderableType] = []
    for table in (table.said_once() for table in tables):
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
        room = options.max_width - _GAP * (len(self.table.columns) - 1)
        widths = fitted_widths(self.table, room)
        if widths is None:
            # Cells side by side would break words and figures: 4.7e-10 must not end as 4.7e-1.
            yield from _records(self.table)
        else:
            yield _side_by_side(self.table, widths, to_the_edge=sum(widths) == room)


def _side_by_side(table: Table, widths: Sequence[int], *, to_the_edge: bool) -> Grid:
    grid = Grid(
        title=Text(table.title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=not to_the_edge,
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
