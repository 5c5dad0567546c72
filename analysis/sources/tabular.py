"""Tables in files: CSV, JSON lines, Parquet and Feather, as they are or packed by gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet

from analysis.errors import SourceError
from analysis.sources.arrow import is_plain, is_text
from analysis.sources.bytes_of import is_packed, opened
from analysis.sources.csv_table import CsvTable
from analysis.sources.json_lines import JsonLines

_ROWS = 2**20
"""So many rows are read at once, at most."""

_FIRST = 2**16
"""So many rows say what a column holds."""

_BROKEN = (pa.ArrowException, OSError, ValueError)
"""What reading a broken file raises."""

_PARQUET, _ARROW, _OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"


class Table(Protocol):
    """A table in a file."""

    @property
    def name(self) -> str:
        """The file in messages."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""

    @property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows by column; columns that hold neither names nor numbers are left out."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns, in pieces that fit in memory; SourceError if the file cannot be read to its end."""

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""


def open_table(path: Path, name: str) -> Table:
    """Open a table, by what is in the file.

    Parameters
    ----------
    path : Path
    name : str
        The file in messages.

    Raises
    ------
    SourceError
        If it cannot be read, or is no table.
    """
    try:
        with opened(path) as file:
            head = file.read(_FIRST)
        if head.startswith(_PARQUET):
            return ParquetTable(path, name)
        if head.startswith(_ARROW):
            return FeatherTable(path, name)
    except _BROKEN as error:
        raise SourceError([f"{name} cannot be read: {error}"]) from None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(_OLD_FEATHER):
        wrong = "is of Feather's version 1; write it again, as version 2 (pandas does by default)"
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
        wrong = "is UTF-16; save it as UTF-8"
    elif not text:
        wrong = "is empty"
    elif b"\0" in head:
        wrong = "is no table; write CSV, JSON lines, Parquet or Feather"
    elif text.startswith(b"["):
        wrong = "is one JSON list; write an object a line (pandas: to_json(..., orient='records', lines=True))"
    else:
        return JsonLines(path, name) if text.startswith(b"{") else CsvTable(path, name)
    raise SourceError([f"{name} {wrong}"])


class ParquetTable:
    """A Parquet file; its attributes are those of `Table`."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._source = _seekable(path)
        file = pa.parquet.ParquetFile(self._source)
        self.names = tuple(file.schema_arrow.names)
        self._few = _few_texts(file)
        self._plain = [field.name for field in file.schema_arrow if is_plain(field.type)]

    @cached_property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows, column by column."""
        return _first(self._batches(self._plain, _FIRST))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns."""
        return self._batches(columns, _ROWS)

    def _batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        try:
            file = pa.parquet.ParquetFile(self._source, read_dictionary=[name for name in self._few if name in columns])
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                batch.validate(full=True)
                yield batch
        except _BROKEN as error:
            raise SourceError([f"{self.name} cannot be read: {error}"]) from None

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""
        return f"{self.name}, row {row + 1}"


class FeatherTable:
    """A Feather or Arrow file; its attributes are those of `Table`."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        source = _seekable(path)
        self._file = pa.ipc.open_file(source if isinstance(source, pa.Buffer) else pa.memory_map(source))
        self.names = tuple(self._file.schema.names)

    @cached_property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows, column by column."""
        return _first(self.batches([field.name for field in self._file.schema if is_plain(field.type)]))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns."""
        for number in range(self._file.num_record_batches):
            try:
                batch = self._file.get_batch(number).select(list(columns))
                batch.validate(full=True)
            except _BROKEN as error:
                raise SourceError([f"{self.name} cannot be read: {error}"]) from None
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""
        return f"{self.name}, row {row + 1}"


def _seekable(path: Path) -> str | pa.Buffer:
    """Return a file that can be read from any place: its path, or what was packed in it."""
    if not is_packed(path):
        return str(path)
    with opened(path) as file:
        return file.read_buffer()


def _few_texts(file: pa.parquet.ParquetFile) -> list[str]:
    """Return the columns of few different texts; they are read much faster as numbers and a dictionary.

    The dictionary of many texts costs more than it gives. Two bytes a row are the numbers of 65,536 texts.
    """
    if not file.metadata.num_row_groups:
        return []
    group = file.metadata.row_group(0)
    parts = [group.column(number) for number in range(group.num_columns)]
    small = {part.path_in_schema for part in parts if part.total_uncompressed_size <= 2 * group.num_rows}
    return [field.name for field in file.schema_arrow if is_text(field.type) and field.name in small]


def _first(batches: Iterator[pa.RecordBatch]) -> Mapping[str, pa.Array]:
    for batch in batches:
        first = batch.slice(0, _FIRST)
        return dict(zip(first.schema.names, first.columns, strict=True))
    return {}
