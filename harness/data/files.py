"""Data files: CSV, JSON, Parquet or Arrow, read as they are: no cache, and no guess at what a value means."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, one_line

# Of these the first whose header holds the study's columns is what separates them.
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """The rows of a split: the columns that a study asks for, and the names of all.

    Parameters
    ----------
    names : tuple of str
        Every column that is there.
    columns : mapping of str to list
        Those that were asked for and are there. None is a value that is missing.
    n_rows : int
        How many rows there are.
    classes : mapping of str to tuple of str
        For each column of ``datasets.ClassLabel`` the names of the classes, in the order of their numbers.
    untyped : bool
        Whether every value is a text because the format knows nothing else, as CSV.
    """

    names: tuple[str, ...]
    columns: Mapping[str, list[Any]]
    n_rows: int
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untyped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file that was read: its absolute path, the SHA-256 of its bytes, and its number of rows."""

    path: str
    sha256: str
    rows: int


def read(path: Path, needed: Sequence[str], wanted: Collection[str]) -> tuple[DataTable, DataFile]:
    """Read one file.

    Parameters
    ----------
    path : Path
        A file whose name ends as one of `KINDS`.
    needed : sequence of str
        The columns that the study names. They tell what separates the columns of a CSV file.
    wanted : collection of str
        All columns to return where they are there.

    Raises
    ------
    DataError
        If the file cannot be read as what its name says.
    """
    try:
        content = path.read_bytes()
        table = KINDS[path.suffix.lower()](content, needed, wanted)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8, for example with "
            f"iconv -f WINDOWS-1252 -t UTF-8 (or -f UTF-16, or what it was saved in)"
        ) from None
    except RecursionError:
        raise DataError(f"{path} cannot be read: it is nested too deep") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read: {one_line(error)}") from None
    return table, DataFile(path=str(path.absolute()), sha256=hashlib.sha256(content).hexdigest(), rows=table.n_rows)


def join_tables(tables: Sequence[DataTable], place: str) -> DataTable:
    """Return the rows of several files, one after the other.

    Raises
    ------
    DataError
        If they do not have the same columns or classes.
    """
    first = tables[0]
    for other in tables[1:]:
        if set(other.names) != set(first.names) or dict(other.classes) != dict(first.classes):
            raise DataError(
                f"the files of {place} do not fit together: one has the columns {', '.join(first.names)}, "
                f"another {', '.join(other.names)}, or their classes differ"
            )
    return DataTable(
        names=first.names,
        columns={name: [value for table in tables for value in table.columns[name]] for name in first.columns},
        n_rows=sum(table.n_rows for table in tables),
        classes=first.classes,
        untyped=first.untyped,
    )


def _csv(content: bytes, needed: Sequence[str], wanted: Collection[str]) -> DataTable:
    text = content.decode("utf-8-sig")
    headers = {delimiter: _header(text, delimiter) for delimiter in _DELIMITERS}
    fitting = [delimiter for delimiter, header in headers.items() if set(needed) <= set(header)]
    delimiter = fitting[0] if fitting else max(headers, key=lambda delimiter: len(headers[delimiter]))
    names = headers[delimiter]
    places = {name: names.index(name) for name in dict.fromkeys(wanted) if _once(name, names)}
    columns: dict[str, list[Any]] = {name: [] for name in places}
    n_rows = -1  # the header
    for line, row in _rows(text, delimiter):
        if len(row) != len(names):
            raise ValueError(
                f"the row that ends in line {line} has {len(row)} values, the header {len(names)} "
                f"(separated by {delimiter!r}); a value that holds the separator is written in double quotes"
            )
        n_rows += 1
        if n_rows:
            for name, place in places.items():
                columns[name].append(row[place] or None)
    return DataTable(names=tuple(names), columns=columns, n_rows=max(n_rows, 0), untyped=True)


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next((row for _, row in _rows(text, delimiter)), [])
    except ValueError:
        # Quoted names that another character separates.
        return []


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Return the rows of a CSV file, each with the line that it ends in."""
    # Python's limit of 131,072 characters a value is less than some documents have.
    usual = csv.field_size_limit(sys.maxsize)
    # Strict: a quotation mark that is never closed would swallow the rest of the file without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    finally:
        # It is one limit for all of Python.
        csv.field_size_limit(usual)


def _json(content: bytes, needed: Sequence[str], wanted: Collection[str]) -> DataTable:
    rows = _objects(content.decode("utf-8-sig"), needed)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return DataTable(
        names=names,
        columns={name: [row.get(name) for row in rows] for name in dict.fromkeys(wanted) if name in names},
        n_rows=len(rows),
    )


def _objects(text: str, needed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON file: one object per line, a list of objects, or such a list beside other keys."""

    def parsed(part: str) -> Any:
        # JSON has no NaN; pandas and Python write it where a value is missing.
        return json.loads(part, parse_constant=lambda _: None)

    try:
        whole = parsed(text)
    except json.JSONDecodeError:
        whole = []
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    whole.append(parsed(line))
                except json.JSONDecodeError as error:
                    raise ValueError(f"line {number} is not JSON: {error.msg} at character {error.pos}") from None
    if isinstance(whole, dict) and not set(needed) <= set(whole):
        lists = [value for value in whole.values() if isinstance(value, list) and _are_objects(value)]
        whole = lists[0] if len(lists) == 1 else whole
    elif isinstance(whole, dict):
        whole = _by_columns(whole) or [whole]
    if not isinstance(whole, list) or not _are_objects(whole):
        raise ValueError(
            "expected rows: one object per line, a list of objects, one such list beside other keys "
            '({"version": 1, "data": [{...}, ...]}), or a list for each column'
        )
    return whole


def _by_columns(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an object that holds its columns, each a list or, as pandas writes it, an object by row."""
    if all(isinstance(column, dict) and column for column in whole.values()):
        keys = [list(column) for column in whole.values()]
        if all(key == keys[0] for key in keys):
            whole = {name: list(column.values()) for name, column in whole.items()}
    if all(isinstance(column, list) for column in whole.values()) and len(set(map(len, whole.values()))) == 1:
        return [dict(zip(whole, row, strict=True)) for row in zip(*whole.values(), strict=True)]
    return []


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values)


def _parquet(content: bytes, _: Sequence[str], wanted: Collection[str]) -> DataTable:
    # A ParquetFile, not read_table: that one makes columns of the folder names in the path, such as label=1/.
    file = pq.ParquetFile(pa.BufferReader(content))
    names = file.schema_arrow.names
    chosen = [name for name in dict.fromkeys(wanted) if _once(name, names)]
    return _from_arrow(file.read(columns=chosen).select(chosen), names, file.metadata.num_rows, file.schema_arrow)


def _arrow(content: bytes, _: Sequence[str], wanted: Collection[str]) -> DataTable:
    source = pa.BufferReader(content)
    opened = pa.ipc.open_file(source) if content.startswith(b"ARROW1") else pa.ipc.open_stream(source)
    whole = opened.read_all()
    chosen = [name for name in dict.fromkeys(wanted) if _once(name, whole.column_names)]
    return _from_arrow(whole.select(chosen), whole.column_names, whole.num_rows, whole.schema)


def _from_arrow(chosen: pa.Table, names: Sequence[str], n_rows: int, schema: pa.Schema) -> DataTable:
    # Arrow trusts what a file says of its own layout; a damaged one would be read beyond its end.
    chosen.validate(full=True)
    # Where datasets wrote the file, it keeps the names of the classes here.
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})
    return DataTable(
        names=tuple(names),
        columns={
            name: [None if isinstance(v, float) and math.isnan(v) else v for v in chosen.column(name).to_pylist()]
            for name in chosen.column_names
        },
        n_rows=n_rows,
        classes={
            name: tuple(features[name]["names"])
            for name in chosen.column_names
            if isinstance(features.get(name), dict) and features[name].get("_type") == "ClassLabel"
        },
    )


def _once(name: str, names: Sequence[str]) -> bool:
    """Whether a column is there; one that is there twice is an error."""
    if names.count(name) > 1:
        raise ValueError(f"it has {names.count(name)} columns {name!r}")
    return name in names


# The formats, by the end of a file's name in lower case.
KINDS: Mapping[str, Callable[[bytes, Sequence[str], Collection[str]], DataTable]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json,
    ".arrow": _arrow,
}
