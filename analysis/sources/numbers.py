"""Numbers that people write in tables: as numbers, as texts, as true and false, or missing in one way or another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds
from numpy.typing import NDArray

from analysis.sources.arrow import as_numbers, as_texts, to_numpy

_WORDS = {"true": 1.0, "false": 0.0} | dict.fromkeys(("na", "n/a", "nan", "null", "none", "-", ""), np.nan)


def read_numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a column of names or numbers as numbers.

    Returns
    -------
    numbers : ndarray of float64, shape (rows,)
        NaN where there is none; true is 1 and false is 0.
    others : ndarray of bool, shape (rows,)
        What holds something else, which is NaN too.

    Examples
    --------
    >>> from analysis.sources.arrow import text_column
    >>> numbers, others = read_numbers(text_column(["0.5", "n/a", "True", "many"]))
    >>> numbers.tolist(), others.tolist()
    ([0.5, nan, 1.0, nan], [False, False, False, True])
    """
    if kinds.is_boolean(column.type):
        column = column.cast(pa.uint8())
    numbers = as_numbers(column)
    if numbers is not None:
        return numbers, np.zeros(len(column), bool)
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    read = [_number(text) for text in as_texts(encoded.dictionary).to_pylist()]
    indices = to_numpy(encoded.indices.cast(pa.int64()), missing=-1)
    values = np.array([*(np.nan if number is None else number for number in read), np.nan])
    others = np.array([*(number is None for number in read), False])
    return values[indices], others[indices]


def holds_numbers(column: pa.Array) -> bool:
    """Whether a column holds numbers and, besides, at most words for a missing one."""
    if kinds.is_date(column.type) or kinds.is_timestamp(column.type):
        return False
    numbers, others = read_numbers(column)
    return not others.any() and not np.isnan(numbers).all()


def _number(text: str | None) -> float | None:
    """Return the number that a text stands for, NaN for a missing one, None where it is something else."""
    if text is None:
        return np.nan
    word = text.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    try:
        return None if "_" in word else float(word)
    except ValueError:
        return None
