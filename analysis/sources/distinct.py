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
    numbers : ndarray of float64 or None
        Each as a number, ascending; None where they are texts.
    """

    names: Sequence[str]
    numbers: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, arrays: Iterable[NDArray[Any]], texts: Keys | None) -> Distinct:
        """Find the different values of arrays as `analysis.sources.keys.Values.read` returns them, null left out."""
        if texts is not None:
            return cls(names=texts.texts.to_pylist())
        known = np.empty(0)
        for values in arrays:
            new = values[~_among(values, known) & ~np.isnan(values)]
            known = np.union1d(known, new) if len(new) else known
            if len(known) > _MANY:
                break
        return cls(names=as_texts(number_column(known)).to_pylist(), numbers=known)

    @property
    def fraction(self) -> str:
        """The first that is no whole number; empty where all are, or are texts."""
        if self.numbers is None or not (parts := self.numbers != np.rint(self.numbers)).any():
            return ""
        return self.names[int(np.argmax(parts))]

    def positions(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return which of the different values each value is; all must be among them."""
        return values.astype(np.int64) if self.numbers is None else np.searchsorted(self.numbers, values)


def _among(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(values), bool)
    found: NDArray[np.bool_] = known[np.searchsorted(known, values).clip(max=len(known) - 1)] == values
    return found
