"""Markdown output: tables aligned as text, escaped so that a name stays a name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from analysis.tables.table import Column, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|$~#&])")
# A sentence that goes on after an address, or a bracket around it, is no part of it; a pair of brackets inside it is.
_ADDRESS = re.compile(
    r"""(https?://(?:[^\s<>"()]|\([^\s<>"()]*\))*(?:[^\s<>".,;:!?'()\[\]]|\([^\s<>"()]*\)))""", re.IGNORECASE
)
# Inside <...> nothing can be escaped: what would end a table's cell or begin code is written as the address allows.
_IN_ADDRESS = str.maketrans({"|": "%7C", "`": "%60", "\\": "%5C"})


def escaped(text: str) -> str:
    r"""Return a text that Markdown shows as it is, in one line; an address in it stays a link.

    Examples
    --------
    >>> print(escaped("q_proj[v] | x"))
    q\_proj\[v\] \| x
    >>> print(escaped("sst_2, see https://example.org/nyu_mll#sst2."))
    sst\_2, see <https://example.org/nyu_mll#sst2>.
    """
    parts = _ADDRESS.split(" ".join(text.split()))
    return "".join(
        f"<{part.translate(_IN_ADDRESS)}>" if is_address else _SPECIAL.sub(r"\\\1", part)
        for part, is_address in zip(parts, itertools.cycle((False, True)), strict=False)
    )


def render(
    title: str, question: str, tables: Sequence[Table], *, sentences: Sequence[str] = (), pictures: Sequence[str] = ()
) -> str:
    """Return a Markdown document with all tables.

    Parameters
    ----------
    title, question : str
        The heading and the line under it.
    tables : sequence of Table
        In the order of the document.
    sentences : sequence of str
        What stands before the tables.
    pictures : sequence of str
        The names of files beside the document, shown below the tables.
    """
    parts = [f"# {escaped(title)}", escaped(question), listed(sentences)]
    parts += [_table(table.said_once()) for table in tables]
    parts += [f"![{escaped(picture)}]({picture})" for picture in pictures]
    return "\n\n".join(part for part in parts if part) + "\n"


def listed(texts: Sequence[str]) -> str:
    """Return texts as the items of a list; empty for none."""
    return "\n".join(f"- {escaped(text)}" for text in texts)


def rows(columns: Sequence[Column]) -> str:
    """Return columns as the lines of a table, with their headers."""
    lines = zip(*(_lines(column) for column in columns), strict=True)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(table: Table) -> str:
    blocks = [f"## {escaped(table.title)}", rows(table.columns)]
    if table.notes:
        blocks.append(listed(table.notes))
    if table.footer:
        blocks.append(f"*{escaped(table.footer)}*")
    return "\n\n".join(blocks)


def _lines(column: Column) -> list[str]:
    """Return what a column writes into the table's lines: its header, the rule and its cells, of one width."""
    header, *cells = (escaped(text) for text in (column.header, *column.cells))
    width = max(3, *map(len, (header, *cells)))
    rule = "-" * (width - column.numeric) + ":" * column.numeric
    return [text.rjust(width) if column.numeric else text.ljust(width) for text in (header, rule, *cells)]
