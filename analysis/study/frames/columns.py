"""Columns of a frame: a name, a type that does not depend on the values, and one value a row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.methods.interval import NO_INTERVAL, Interval

if TYPE_CHECKING:
    import pandas as pd

# Texts are stored as Python's, so that a frame is the same whichever other packages are installed.
Dtype = Literal["string[python]", "Int64", "float64", "boolean"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column, with the pandas type that it has in every study.

    Parameters
    ----------
    name : str
    dtype : Dtype
    cells : list of str, int, float, bool or None
        From the first row to the last; a number that is not known is NaN, anything else None.
    """

    name: str
    dtype: Dtype
    cells: list[str | None] | list[int | None] | list[float] | list[bool | None]


def text(name: str, values: Iterable[str | None]) -> Column:
    """Return a column of texts, such as names."""
    return Column(name, "string[python]", list(values))


def note(name: str, values: Iterable[str | None]) -> Column:
    """Return a column of texts of which an empty one says nothing, and is missing."""
    return text(name, [value or None for value in values])


def count(name: str, values: Iterable[int | None]) -> Column:
    """Return a column of whole numbers."""
    return Column(name, "Int64", list(values))


def number(name: str, values: Iterable[float | None]) -> Column:
    """Return a column of numbers; NaN where there is none."""
    return Column(name, "float64", [math.nan if value is None else value for value in values])


def flag(name: str, values: Iterable[bool | None]) -> Column:
    """Return a column that says whether something holds; missing where the question could not be asked."""
    return Column(name, "boolean", list(values))


def limits(intervals: Iterable[Interval | None], *, of: str = "") -> tuple[Column, Column]:
    """Return the columns ``low`` and ``high`` of intervals; those `of` a figure begin with its name.

    Limits that rule nothing out are infinite.
    """
    both = [interval or NO_INTERVAL for interval in intervals]
    before = f"{of}_" if of else ""
    return number(f"{before}low", [one.low for one in both]), number(f"{before}high", [one.high for one in both])


def as_frame(columns: Iterable[Column]) -> pd.DataFrame:
    """Return columns as a pandas DataFrame."""
    import pandas as pd

    made = list(columns)
    cells = pd.DataFrame({column.name: column.cells for column in made}, dtype=object)
    return cells.astype({column.name: column.dtype for column in made})
