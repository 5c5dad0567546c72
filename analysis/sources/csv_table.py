"""CSV tables, whatever separates their columns: every value stays the text that it is."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from analysis.errors import SourceError
from analysis.problems import shown
from analysis.sources.bytes_of import opened, text_lines
from analysis.words import counted

_DELIMITERS = ",\t;|"

_BLOCK = 2**24
"""So many bytes are read at once; a row must fit in."""

_HEADER = 2**20
"""A header fits in."""


class CsvTable:
    """A CSV file; its attributes are those of `analysis.sources.tabular.Table`.

    Parameters
    ----------
    path : Path
    name : str
        The file in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        self._wrong: list[pa.csv.InvalidRow] = []
        with opened(path) as file:
            beginning = file.read(_HEADER).decode("utf-8-sig", "replace")
        if len(beginning) >= _HEADER and not set("\r\n") & set(beginning):
            raise SourceError([f"{name} is no table: its first line, which names the columns, does not end"])
        headers = {delimiter: _header(beginning, delimiter) for delimiter in _DELIMITERS}
        self._delimiter = max(headers, key=lambda delimiter: len(headers[delimiter]))
        self.names = headers[self._delimiter]

    @cached_property
    def head(self) -> Mapping[str, pa.Array]:
        """The first rows, column by column."""
        with closing(self._read(self.names)) as batches:
            first = next(batches, None)
        self._wrong.clear()
        return {} if first is None else dict(zip(self.names, first.columns, strict=True))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns.

        Raises
        ------
        SourceError
            If the file cannot be read; after the last row, if lines are no rows.
        """
        yield from self._read(columns)
        if self._wrong:
            first = self._wrong[0]
            more = f" (and {counted(len(self._wrong) - 1, 'more line')} like it)" if len(self._wrong) > 1 else ""
            raise SourceError(
                [
                    f"{self.name}, line {self._line(first.number)}: {counted(first.actual_columns, 'value')}, and the "
                    f"header has {first.expected_columns}{more}; a value that holds {shown(self._delimiter)}, which "
                    "separates the values, stands in double quotes"
                ]
            )

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 0."""
        record = row + 2
        for wrong in self._wrong:
            record += wrong.number <= record
        return f"{self.name}, line {self._line(record)}"

    def _read(self, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        def note(row: pa.csv.InvalidRow) -> str:
            self._wrong.append(row)
            return "skip"

        text = _Text(opened(self._path))
        try:
            # In one thread, so that what is wrong comes with its number.
            yield from pa.csv.open_csv(
                text,
                read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=list(columns),
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except UnicodeDecodeError:
            raise SourceError([f"{self.name}, line {self._no_text()}: not UTF-8; save the file as UTF-8"]) from None
        except (pa.ArrowException, OSError) as error:
            raise SourceError([f"{self.name} cannot be read: {error}"]) from None
        if text.quotes % 2:
            self._check_quotes()

    def _check_quotes(self) -> None:
        """Refuse a quotation mark that is never closed, which swallows the rest of the file."""
        begins = 1
        with text_lines(self._path) as lines:
            rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
            try:
                for _ in rows:
                    begins = rows.line_num + 1
            except csv.Error:
                raise SourceError([f"{self.name}, line {begins}: a quotation mark is never closed"]) from None

    def _no_text(self) -> int:
        """Return the first line that is not UTF-8."""
        with text_lines(self._path) as lines:
            number = 1
            for line in lines:
                try:
                    line.encode("latin-1").decode()
                except UnicodeDecodeError:
                    break
                number += 1
        return number

    def _line(self, record: int) -> int:
        """Return the line in which a record begins; both are counted from 1, and the header is the first record."""
        number, inside = 0, False
        with text_lines(self._path) as lines:
            for line, text in enumerate(lines, start=1):
                number += not inside and text != "\n"
                if number == record:
                    return line
                inside ^= text.count('"') % 2 == 1
        return line


class _Text:
    """A file that checks the text that is read from it, and counts its quotation marks."""

    closed = False

    def __init__(self, file: pa.NativeFile) -> None:
        self.quotes = 0
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, size: int) -> bytes:
        content: bytes = self._file.read(size)
        self._decoder.decode(content, final=not content)
        self.quotes += content.count(b'"')
        return content

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        self.closed = True


def _header(beginning: str, delimiter: str) -> tuple[str, ...]:
    lines = io.StringIO(beginning, newline="")
    try:
        return tuple(next((row for row in csv.reader(lines, delimiter=delimiter) if row), []))
    except csv.Error:
        return ()
