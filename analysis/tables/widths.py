"""Widths of columns: how the cells of a table stand side by side where there is little room."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from analysis.tables.table import Table

_BLANK = re.compile(r"\s+")
_BLANK_OR_HYPHEN = re.compile(r"\s+|(?<=\w-)(?=\w)")


def fitted_widths(
    table: Table, room: int, *, of_header: Callable[[str], int] = len, at_hyphens: bool = False
) -> list[int] | None:
    """Return the width of each column, such that as little as possible must break.

    A header breaks before a cell does, and a text before a figure.

    Parameters
    ----------
    table : Table
        Whose cells are to stand side by side.
    room : int
        The characters of a line, without those between the columns.
    of_header : function of str
        How many characters of a cell are as wide as a header, or a word of one.
    at_hyphens : bool
        Whether a word may also break behind a hyphen.

    Returns
    -------
    list of int or None
        In characters; None where even words must break.
    """
    ends = _BLANK_OR_HYPHEN if at_hyphens else _BLANK
    words, cells, headers = [], [], []
    for column in table.columns:
        words.append(max(_longest_word(column.cells, ends), *map(of_header, _BLANK.split(column.header))))
        cells.append(max(words[-1], *map(len, column.cells)))
        headers.append(max(cells[-1], of_header(column.header)))
    if sum(headers) <= room:
        return headers
    least = list(words)
    if sum(least) > room:
        return None
    # The figures that lack least of their width first.
    for extra, at in sorted((cells[at] - words[at], at) for at, column in enumerate(table.columns) if column.numeric):
        if sum(least) + extra <= room:
            least[at] += extra
    limit = max(cells)
    while sum(_between(low, high, limit) for low, high in zip(least, cells, strict=True)) > room:
        limit -= 1
    return [_between(low, high, limit) for low, high in zip(least, cells, strict=True)]


def _longest_word(texts: Iterable[str], ends: re.Pattern[str]) -> int:
    return max((len(word) for text in texts for word in ends.split(text)), default=1)


def _between(least: int, most: int, limit: int) -> int:
    return max(least, min(most, limit))
