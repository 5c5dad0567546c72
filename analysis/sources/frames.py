"""Frames: a pandas DataFrame in long form, read as a table in a file is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analysis.sources.arrow import is_plain, text_column
from analysis.sources.long_table import rows_of_table
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows, SourceFile

if TYPE_CHECKING:
    import pandas as pd

_NAME = "the frame"
_FIRST = 2**16
_ROWS = 2**20


def rows_of_frame(frame: pd.DataFrame, options: ImportOptions) -> Iterator[Rows]:
    """Read the rows of a DataFrame; levels of its index that have a name are columns too.

    Raises
    ------
    SourceError
        If columns are missing or ambiguous.
    """
    return rows_of_table(_FrameTable(frame), SourceFile(path=_NAME, sha256=""), options)


def is_frame(data: object) -> bool:
    """Whether this is a DataFrame of pandas; who holds one has loaded pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


class _FrameTable:
    """A DataFrame; its attributes are those of `analysis.sources.tabular.Table`."""

    name = _NAME

    def __init__(self, frame: pd.DataFrame) -> None:
        named = [level for level in frame.index.names if level is not None and level not in frame.columns]
        self._frame = frame.reset_index(level=named) if named else frame
        self.names = tuple(str(name) for name in self._frame.columns)

    @cached_property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows, column by column."""
        columns = {name: self._column(name, 0, _FIRST) for name in self.names}
        return {name: column for name, column in columns.items() if is_plain(column.type)}

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns."""
        for start in range(0, len(self._frame), _ROWS):
            held = [self._column(name, start, start + _ROWS) for name in columns]
            yield pa.RecordBatch.from_arrays(held, list(columns))

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""
        return f"{self.name}, row .iloc[{row}]"

    def _column(self, name: str, start: int, end: int) -> pa.Array:
        values = self._frame.iloc[start:end, self.names.index(name)]
        try:
            column = pa.Array.from_pandas(values)
        except (pa.ArrowException, OverflowError):
            # Objects of several kinds, such as the ids 1 and "b", or of a kind that Arrow does not know.
            missing = zip(values, values.isna(), strict=True)
            return text_column([None if is_missing else _text(value) for value, is_missing in missing])
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _text(value: Any) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
