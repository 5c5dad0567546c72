"""Tables as Markdown: aligned as text, escaped so that a name stays a name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from analysis.tables.table import Table

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


def render(title: str, question: str, tables: Sequence[Table], *, picture: str = "") -> str:
    """Return a Markdown document with all tables.

    Parameters
    ----------
    title, question
        The heading and the line under it.
    tables
        In the order of the document.
    picture
        The name of a file beside the document, shown below the tables; empty for none.
    """
    parts = [f"# {escaped(title)}", escaped(question)] + [_table(table) for table in tables]
    if picture:
        parts.append(f"![{escaped(picture)}]({picture})")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    grid = [[escaped(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(row[column]) for row in grid)) for column in range(len(table.columns))]
    right = [head in table.numeric for head in table.columns]
    lines = [_line(row, widths, right) for row in grid]
    rule = ["-" * (width - side) + ":" * side for width, side in zip(widths, right, strict=True)]
    lines.insert(1, f"| {' | '.join(rule)} |")
    blocks = [f"## {escaped(table.title)}", "\n".join(lines)]
    if table.notes:
        blocks.append("\n".join(f"- {escaped(note)}" for note in table.notes))
    if table.footer:
        blocks.append(f"*{escaped(table.footer)}*")
    return "\n\n".join(blocks)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if side else cell.ljust(width) for cell, width, side in zip(cells, widths, right, strict=True)
    ]
    return f"| {' | '.join(padded)} |"
