"""Table and Column: texts in columns, already rounded, with the notes that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.printable import printable
from analysis.words import counted

UNKNOWN = "–"
"""What stands where a figure is undefined; a note or a remark says why."""

N_TEST_POPULATION = ("Seeds × examples", "Test", "Speaks about")
"""The headers of the last three columns of every table of results: its n, its test and its population."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, its cells and their alignment.

    Parameters
    ----------
    header : str
    cells : sequence of str
        One text for each row, from the first row to the last.
    numeric : bool
        Whether the cells are figures: these are aligned to the right.
    """

    header: str
    cells: Sequence[str]
    numeric: bool = False

    def __post_init__(self) -> None:
        # The one place where names and words of others become cells.
        object.__setattr__(self, "header", printable(self.header))
        object.__setattr__(self, "cells", tuple(map(printable, self.cells)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is printed.

    Parameters
    ----------
    title : str
        What it shows, in a few words.
    columns : tuple of Column
        All with the same number of cells.
    notes : tuple of str
        Sentences that explain this table.
    footer : str
        Provenance and caveats in one line, so that a table that travels alone keeps them.
    detail : bool
        Whether the table is for checking an answer rather than for reading it.
    """

    title: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    footer: str
    detail: bool = False

    def __post_init__(self) -> None:
        for name in ("title", "footer"):
            object.__setattr__(self, name, printable(getattr(self, name)))
        object.__setattr__(self, "notes", tuple(map(printable, self.notes)))
        if len({len(column.cells) for column in self.columns}) > 1:
            lengths = ", ".join(f"{column.header}: {len(column.cells)}" for column in self.columns)
            raise ValueError(f"{self.title}: expected columns of one length, got {lengths}")

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers of the columns."""
        return tuple(column.header for column in self.columns)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells row by row."""
        return tuple(zip(*(column.cells for column in self.columns), strict=True))

    def said_once(self) -> Table:
        """Return the table as it is printed: what all rows share of n, test and population is a note, and no column."""
        shared = [
            column for column in self.columns if column.header in N_TEST_POPULATION and len(set(column.cells)) == 1
        ]
        if not shared:
            return self
        text = "; ".join(f"{column.header.lower()}: {column.cells[0]}" for column in shared)
        kept = tuple(column for column in self.columns if column not in shared)
        return replace(self, columns=kept, notes=(f"{text[0].upper()}{text[1:]}.", *self.notes))


def n_test_population(sizes: Sequence[str], tests: Sequence[str], populations: Sequence[str]) -> tuple[Column, ...]:
    """Return the last three columns of a table of results.

    Parameters
    ----------
    sizes, tests, populations : sequence of str
        One text for each row: its n, its test and its population.
    """
    return tuple(
        Column(header, cells) for header, cells in zip(N_TEST_POPULATION, (sizes, tests, populations), strict=True)
    )


def without_test(sizes: Sequence[str]) -> tuple[Column, ...]:
    """Return the last three columns of a table that describes trials and tests nothing."""
    return n_test_population(sizes, ["none"] * len(sizes), ["these trials"] * len(sizes))


def seeds_by_examples(n_seeds: int | str | tuple[int, int], n_examples: int, n_clusters: int | None = None) -> str:
    """Return n as seeds × examples, and in how many clusters these come where several share one.

    Two arms with unequal numbers of seeds stand beside each other, as in ``5 + 8 × 872``.
    """
    if isinstance(n_seeds, tuple):
        n_seeds = " + ".join(map(str, dict.fromkeys(n_seeds)))
    clusters = f" in {counted(n_clusters, 'cluster')}" if n_clusters not in (None, n_examples) else ""
    return f"{n_seeds} × {n_examples}{clusters}"
