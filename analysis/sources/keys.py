"""Keys: names, such as those of runs or examples, numbered in the order in which they come first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from numpy.typing import NDArray

from analysis.sources.arrow import as_numbers, as_texts, is_text, number_column, text_column, to_numpy


class Keys:
    """Names in the order in which they come first, each with its number.

    Examples
    --------
    >>> keys = Keys()
    >>> keys.numbers_of(text_column(["b", "a", "b"])).tolist(), keys.texts.to_pylist()
    ([0, 1, 0], ['b', 'a'])
    """

    def __init__(self) -> None:
        self.texts: pa.StringArray = text_column([])
        self._last: tuple[pa.Array, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def numbers_of(self, column: pa.Array) -> NDArray[np.int64]:
        """Return the number of every name, shape (rows,); names that are new get the next ones, and null is -1."""
        # One file a run: all name the same examples in the same order.
        if self._last is not None and column.equals(self._last[0]):
            return self._last[1]
        encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
        names, indices = as_texts(encoded.dictionary), to_numpy(encoded.indices.cast(pa.int64()), missing=-1)
        numbers = self._positions(names)
        if np.any(numbers < 0):
            # A dictionary may hold names that no row has, and in any order.
            first = np.full(len(names) + 1, len(indices))
            first[indices[::-1]] = np.arange(len(indices))[::-1]
            new = np.flatnonzero((numbers < 0) & (first[:-1] < len(indices)))
            fresh = names.take(number_column(new[np.argsort(first[new])])).drop_null().unique()
            self.texts = pa.concat_arrays([self.texts, fresh])
            numbers = self._positions(names)
        of_rows: NDArray[np.int64] = np.append(numbers, -1)[indices]
        self._last = (column, of_rows)
        return of_rows

    def number_of(self, name: str) -> int:
        """Return the number of one name."""
        return int(self.numbers_of(text_column([name]))[0])

    def _positions(self, names: pa.StringArray) -> NDArray[np.int64]:
        found = pc.index_in(names, value_set=self.texts, skip_nulls=True)
        positions: NDArray[np.int64] = to_numpy(found.cast(pa.int64()), missing=-1)
        return positions


class Values:
    """The labels, or the predictions, of all sources: numbers as long as all are, else the numbers of their texts.

    Parameters
    ----------
    texts : Keys or None
        The texts; None as long as all values are numbers.
    with_points : bool
        Whether numbers came as those that may have a fraction, such as 1.0.
    """

    def __init__(self) -> None:
        self.texts: Keys | None = None
        self.with_points = False

    def read(self, column: pa.Array) -> NDArray[Any]:
        """Return a column as numbers (float64, null as NaN) or as numbers of texts (int32, null as -1)."""
        if self.texts is None:
            column = column.dictionary_encode() if is_text(column.type) else column
            numbers = as_numbers(column)
            if numbers is not None:
                self.with_points |= _with_points(column)
                return numbers
            self.texts = Keys()
        return self.texts.numbers_of(column).astype(np.int32)

    def updated(self, values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
        """Return values that were read earlier as what `read` returns now; `known` says which there are."""
        if self.texts is None or values.dtype == np.int32:
            return values
        texts = np.full(len(values), -1, np.int32)
        there = np.flatnonzero(known & ~np.isnan(values))
        texts[there] = self.texts.numbers_of(number_column(values[there]))
        return texts

    def name_of(self, value: float) -> str:
        """Return one value as a text."""
        if self.texts is None:
            return str(as_texts(number_column(np.array([value])))[0])
        return str(self.texts.texts[int(value)])


def _with_points(column: pa.Array) -> bool:
    if kinds.is_dictionary(column.type):
        column = column.dictionary
    if is_text(column.type):
        return bool(pc.any(pc.match_substring(column, ".")).as_py())
    return bool(kinds.is_floating(column.type))
