"""Widths of columns: how the cells of a table stand side by side where there is little room."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from analysis.tables.table import Table

_BLANK = re.compile(r"\s+")
_IN_NAME = re.compile(r"(?<=\w-)(?=\w)")
_IN_LONG_NAME = re.compile(r"(?<=\w-)(?=\w)|(?<=_)(?=[^_])")

LONG_NAME = 20
"""A word of so many characters may break behind an underscore, where words may break at all."""


def fitted_widths(
    table: Table, room: int, *, of_header: Callable[[str], int] = len, in_names: bool = False
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
    in_names : bool
        Whether a word may also break behind a hyphen, and a long one behind an underscore.

    Returns
    -------
    list of int or None
        In characters; None where even words must break.
    """
    words, cells, headers = [], [], []
    for column in table.columns:
        words.append(
            max(
                max(map(len, _words(column.cells, in_names=in_names)), default=1),
                *map(of_header, _words([column.header], in_names=in_names)),
            )
        )
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


def _words(texts: Iterable[str], *, in_names: bool) -> list[str]:
    """Return what must stay in one piece."""
    words = [word for text in texts for word in _BLANK.split(text)]
    if not in_names:
        return words
    return [piece for word in words for piece in (_IN_LONG_NAME if len(word) >= LONG_NAME else _IN_NAME).split(word)]


def _between(least: int, most: int, limit: int) -> int:
    return max(least, min(most, limit))
