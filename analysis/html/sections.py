"""Sections of the page: which figures and tables stand together, in the order of a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.figures import Figure
from analysis.tables.table import Table

# The names of the figures and of the tables of each section; what is in none is among the details.
_SECTIONS = {
    "requirements": ("Requirements", (), ("requirements",)),
    "gaps": ("The gaps", ("gaps",), ("verdicts", "set_verdicts", "best")),
    "arms": ("The arms", ("runs",), ("arms", "set_arms")),
    "cost": ("Cost against quality", ("cost",), ("cost",)),
    "deciding": ("What would decide the rest", ("power",), ("deciding",)),
    "classes": ("Classes", ("classes",), ("classes", "class_comparisons")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the page.

    Parameters
    ----------
    anchor : str
        Its name in links to it.
    title : str
        Its heading.
    figures, tables : tuple of Figure, tuple of Table
        What it shows.
    """

    anchor: str
    title: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


def sections_of(tables: Mapping[str, Table], figures: Iterable[Figure]) -> tuple[tuple[Section, ...], Section, Section]:
    """Lay out tables and figures in sections: those that are read, the details, and the provenance.

    Parameters
    ----------
    tables : mapping of str to Table
        By name, in their order.
    figures : iterable of Figure
        In their order.
    """
    left = dict(tables)
    provenance = Section(anchor="provenance", title="Provenance", figures=(), tables=(left.pop("provenance"),))
    return (*lay_out(_SECTIONS, left, figures), provenance)


def lay_out(
    sections: Mapping[str, tuple[str, Sequence[str], Sequence[str]]],
    tables: Mapping[str, Table],
    figures: Iterable[Figure],
) -> tuple[tuple[Section, ...], Section]:
    """Lay out tables and figures in the sections that are read, and the details, where all others are.

    Parameters
    ----------
    sections : mapping of str to (str, sequence of str, sequence of str)
        By anchor: the title of a section, and the names of its figures and of its tables, whether or not there are any.
    tables : mapping of str to Table
        By name, in their order.
    figures : iterable of Figure
        In their order.
    """
    left, drawn = dict(tables), {figure.name: figure for figure in figures}
    read = []
    for anchor, (title, of_figures, of_tables) in sections.items():
        pictures = tuple(drawn.pop(name) for name in of_figures if name in drawn)
        shown = tuple(left.pop(name) for name in of_tables if name in left)
        if pictures or shown:
            read.append(Section(anchor=anchor, title=title, figures=pictures, tables=shown))
    details = Section(anchor="details", title="Details", figures=tuple(drawn.values()), tables=tuple(left.values()))
    return tuple(read), details
