"""Distinct values: which different labels or predictions there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sources.arrow import as_texts, number_column
from analysis.sources.keys import Keys

_MANY = 10_000
"""More different numbers than this are no classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """The different values of labels or predictions.

    Parameters
    ----------
    names : sequence of str
        Each as a text.
    values : ndarray of float64 or int64
        Each as `analysis.sources.keys.Values.read` returns it, ascending: numbers, or the numbers of texts.
    """

    names: Sequence[str]
    values: NDArray[Any]

    @classmethod
    def of(cls, arrays: Iterable[NDArray[Any]], texts: Keys | None) -> Distinct:
        """Find the different values of arrays as `analysis.sources.keys.Values.read` returns them, null left out."""
        if texts is not None:
            there = np.zeros(len(texts) + 1, bool)
            for values in arrays:
                there[values] = True
            numbers = np.flatnonzero(there[:-1])
            return cls(names=texts.texts.take(number_column(numbers)).to_pylist(), values=numbers)
        known = np.empty(0)
        for values in arrays:
            new = values[~_among(values, known) & ~np.isnan(values)]
            known = np.union1d(known, new) if len(new) else known
            if len(known) > _MANY:
                break
        return cls(names=as_texts(number_column(known)).to_pylist(), values=known)

    @property
    def numbers(self) -> NDArray[np.float64] | None:
        """The values where they are numbers; None where they are texts."""
        return self.values if self.values.dtype.kind == "f" else None

    @property
    def fraction(self) -> str:
        """The first that is no whole number; empty where all are, or are texts."""
        if self.numbers is None or not (parts := self.numbers != np.rint(self.numbers)).any():
            return ""
        return self.names[int(np.argmax(parts))]

    def positions(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return which of the different values each value is; all must be among them."""
        if self.numbers is None and len(self.values) and self.values[-1] == len(self.values) - 1:
            return values.astype(np.int64)
        return np.searchsorted(self.values, values)


def _among(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(values), bool)
    found: NDArray[np.bool_] = known[np.searchsorted(known, values).clip(max=len(known) - 1)] == values
    return found
