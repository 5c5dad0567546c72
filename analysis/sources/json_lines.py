"""JSON lines: one object a line, whose keys are the columns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.errors import SourceError
from analysis.problems import shown
from analysis.sources.arrow import number_column, text_column
from analysis.sources.bytes_of import opened
from analysis.words import counted

_AT_ONCE = 2**16
"""So many lines are read at once."""


class JsonLines:
    """A file of JSON lines; its attributes are those of `analysis.sources.tabular.Table`.

    Parameters
    ----------
    path : Path
    name : str
        The file in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        # Lines that are no rows: blank ones, and wrong ones.
        self._skipped: list[int] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of the first rows."""
        return tuple(dict.fromkeys(key for row in self._first for key in row))

    @cached_property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows, column by column; what holds lists or objects is left out."""
        columns = {name: _column([row.get(name) for row in self._first]) for name in self.names}
        return {name: column for name, column in columns.items() if column is not None}

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns.

        Raises
        ------
        SourceError
            If the file cannot be read; after the last row, if lines are no rows, or hold a list or an object in one of
            the columns.
        """
        self._skipped.clear()
        problems: dict[str, int] = {}
        for rows in self._rows(problems):
            arrays = {name: _column([row.get(name) for row in rows]) for name in columns}
            if nested := [name for name, array in arrays.items() if array is None]:
                raise SourceError([f"{self.name}: {name} holds a list or an object" for name in nested])
            yield pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))
        if problems:
            raise SourceError(
                [
                    message + (f" (and {counted(more, 'more line')} of this kind)" if more else "")
                    for message, more in problems.items()
                ]
            )

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""
        line = row + 1
        for skipped in self._skipped:
            line += skipped <= line
        return f"{self.name}, line {line}"

    @cached_property
    def _first(self) -> list[dict[str, Any]]:
        return next(self._rows({}), [])

    def _rows(self, problems: dict[str, int]) -> Iterator[list[dict[str, Any]]]:
        """Read rows, many at once; problems get the first wrong line, and how many more there are."""
        try:
            with io.BufferedReader(opened(self._path)) as file:
                lines = enumerate(file, start=1)
                while piece := list(islice(lines, _AT_ONCE)):
                    rows = []
                    for number, line in piece:
                        if line.isspace():
                            self._skipped.append(number)
                            continue
                        try:
                            row = json.loads(line)
                            if isinstance(row, dict):
                                rows.append(row)
                                continue
                            wrong = f"expected an object, got {shown(row)}"
                        except UnicodeDecodeError:
                            wrong = "not UTF-8"
                        except json.JSONDecodeError as error:
                            wrong = f"not JSON: {error.msg} at character {error.colno}"
                        except (ValueError, RecursionError) as error:
                            wrong = f"not JSON: {error}"
                        self._skipped.append(number)
                        if problems:
                            problems[next(iter(problems))] += 1
                        else:
                            problems[f"{self.name}, line {number}: {wrong}"] = 0
                    yield rows
        except OSError as error:
            raise SourceError([f"{self.name} cannot be read: {error}"]) from None


def _column(values: Sequence[Any]) -> pa.Array | None:
    """Return values as a column, of texts where they are of several kinds; None where some are lists or objects."""
    types = {type(value) for value in values} - {type(None)}
    null = np.array([value is None for value in values], bool)
    if types <= {int, float}:
        kind = np.int64 if types == {int} else np.float64
        try:
            return number_column(np.array([0 if value is None else value for value in values], kind), null=null)
        except OverflowError:
            return text_column([None if value is None else str(value) for value in values])
    if types <= {bool, int, float, str}:
        return text_column([None if value is None else _text(value) for value in values])
    return None


def _text(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
