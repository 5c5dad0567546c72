"""Arrow columns as texts and numbers.

`pa.array`, `pa.scalar`, `to_numpy` and comparisons with a Python value load pandas, which takes as long as reading a
small file; what is here, and in the readers, does without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from numpy.typing import NDArray

_WHOLE = 2.0**53
"""Up to here every whole number is a float64."""


def text_column(values: Sequence[str | None]) -> pa.StringArray:
    """Return texts as a column; None is null, and half of a surrogate pair is written as in Python.

    Examples
    --------
    >>> text_column(["a", None, "bc"]).to_pylist()
    ['a', None, 'bc']
    """
    encoded = [b"" if value is None else value.encode(errors="backslashreplace") for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    known = np.packbits(np.array([value is not None for value in values], bool), bitorder="little")
    buffers = [pa.py_buffer(known), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers).cast(pa.string())


def number_column(values: NDArray[Any], *, null: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return an array of numbers as a column, which holds nothing where `null` says so.

    Examples
    --------
    >>> number_column(np.array([1, 2]), null=np.array([False, True])).to_pylist()
    [1, None]
    """
    values = np.ascontiguousarray(values)
    known = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [known, pa.py_buffer(values)])


def is_null(column: pa.Array) -> NDArray[np.bool_]:
    """Return where a column holds nothing, shape (rows,)."""
    if not column.null_count:
        return np.zeros(len(column), bool)
    nulls: NDArray[np.bool_] = np.from_dlpack(column.is_null().cast(pa.uint8())).view(bool)
    return nulls


def as_texts(column: pa.Array) -> pa.StringArray:
    """Return what a column of names or numbers holds as texts.

    A whole number is written without a point, however the file stores it, so that a seed is the same in every file.

    Examples
    --------
    >>> as_texts(number_column(np.array([7.0, 1e15, 0.5]))).to_pylist()
    ['7', '1000000000000000', '0.5']
    """
    kind = column.type
    if kinds.is_dictionary(kind):
        return as_texts(column.dictionary).take(column.indices)
    if kinds.is_null(kind):
        return text_column([None] * len(column))
    if kinds.is_floating(kind):
        numbers = as_numbers(column)
        assert numbers is not None  # it is floating
        whole = (numbers == np.rint(numbers)) & (np.abs(numbers) < _WHOLE)
        if whole.any():
            written = number_column(np.where(whole, numbers, 0).astype(np.int64)).cast(pa.string())
            place = np.where(whole, np.arange(len(numbers)), np.arange(len(numbers)) + len(numbers))
            return pa.concat_arrays([written, column.cast(pa.string())]).take(number_column(place))
    return column.cast(pa.string())


def as_numbers(column: pa.Array) -> NDArray[np.float64] | None:
    """Return what a column holds as numbers, null as NaN, shape (rows,); None where not all of it are numbers.

    Texts are numbers where every one is written as one; with zeros before it, as in 007, it is a name.
    """
    kind = column.type
    if kinds.is_dictionary(kind):
        numbers = as_numbers(column.dictionary)
        if numbers is None:
            return None
        indices = to_numpy(column.indices.cast(pa.int64()), missing=-1)
        read: NDArray[np.float64] = np.append(numbers, np.nan)[indices]
        return read
    if is_text(kind):
        names = pc.match_substring_regex(column, r"^[+-]?0\d")
        if pc.any(names).as_py():
            return None
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
    elif kinds.is_null(kind):
        return np.full(len(column), np.nan)
    elif not (kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)):
        return None
    floats: NDArray[np.float64] = to_numpy(column.cast(pa.float64(), safe=False), missing=np.nan)
    return floats


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts."""
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def is_plain(kind: pa.DataType) -> bool:
    """Whether a column of this type holds names or numbers, and not lists or bytes."""
    if kinds.is_dictionary(kind):
        return is_plain(kind.value_type)
    number = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind) or kinds.is_boolean(kind)
    return bool(is_text(kind) or number or kinds.is_null(kind) or kinds.is_date(kind) or kinds.is_timestamp(kind))


def to_numpy(column: pa.Array, *, missing: float) -> NDArray[Any]:
    """Return a column of numbers as an array, with another number for null, shape (rows,)."""
    if not column.null_count:
        values: NDArray[Any] = np.from_dlpack(column)
        return values
    kind = column.type.to_pandas_dtype()
    held = np.frombuffer(column.buffers()[1], kind, count=len(column), offset=column.offset * np.dtype(kind).itemsize)
    return np.where(is_null(column), np.asarray(missing, kind), held)
