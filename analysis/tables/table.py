"""One table: texts in rows and columns, already rounded, with the notes that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.printable import printable

UNKNOWN = "–"
"""What stands where a figure is undefined; a note or a remark says why."""

BASIS = ("Seeds × examples", "Test", "Speaks about")
"""The last three columns of every table of results: its n, its test and its population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is printed.

    Parameters
    ----------
    title
        What it shows, in a few words.
    columns
        The heads of the columns.
    numeric
        The heads of the columns that are aligned to the right.
    rows
        The cells, one text for each column.
    notes
        Sentences that explain this table.
    footer
        Provenance and caveats in one line, so that a table that travels alone keeps them.
    detail
        Whether the table is for checking an answer rather than for reading it.
    """

    title: str
    columns: tuple[str, ...]
    numeric: frozenset[str]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    footer: str
    detail: bool = False

    def __post_init__(self) -> None:
        # The one place where names and words of others become cells.
        for name in ("title", "footer"):
            object.__setattr__(self, name, printable(getattr(self, name)))
        for name in ("columns", "notes"):
            object.__setattr__(self, name, tuple(map(printable, getattr(self, name))))
        object.__setattr__(self, "numeric", frozenset(map(printable, self.numeric)))
        object.__setattr__(self, "rows", tuple(tuple(map(printable, row)) for row in self.rows))
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: expected {len(self.columns)} cells in a row, got {len(row)}")
