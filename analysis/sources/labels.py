"""Labels of the examples, which every file that holds them must hold alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.sources.agreement import few
from analysis.sources.cell import grown
from analysis.sources.column_names import proposed
from analysis.sources.distinct import Distinct
from analysis.sources.faults import Faults
from analysis.sources.keys import Keys, Values
from analysis.sources.rows import Rows
from analysis.words import counted


class Labels:
    """Labels by number of the example.

    Parameters
    ----------
    values : ndarray of float64 or int32, shape (capacity,)
        As `analysis.sources.keys.Values.read` returns them; anything where `known` is False.
    known : ndarray of bool, shape (capacity,)
        Whose label was read.
    """

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.zeros(0)
        self.known = np.zeros(0, bool)
        self._read = Values()
        self._unused: Callable[[], Sequence[tuple[str, int]]] | None = None

    def add(self, rows: Rows, examples: NDArray[np.int64], names: Keys, faults: Faults) -> None:
        """Add the labels of some rows.

        Parameters
        ----------
        rows : Rows
            They have labels.
        examples : ndarray of int64, shape (rows,)
            The number of each row's example; -1 where it has none.
        names : Keys
            The examples.
        faults : Faults
            Takes what is wrong.
        """
        read = self._read.read(rows.label)
        missing = np.isnan(read) if read.dtype.kind == "f" else read < 0
        faults.note(rows, "the label is missing", missing)
        if self.values.dtype != read.dtype:
            self.values = self._read.updated(self.values, self.known)
        self._grow(len(names))
        good = ~missing & (examples >= 0)
        if not good.all():
            place = np.flatnonzero(good)
            read, examples = read[place], examples[place]
        new = ~self.known[examples]
        if new.any():
            # The first row that names an example says its label.
            self.values[examples[new][::-1]] = read[new][::-1]
            self.known[examples[new]] = True
        differs = np.zeros(len(good), bool)
        differs[good] = self.values[examples] != read
        if differs.any():
            row = int(np.argmax(differs))
            at = int(np.count_nonzero(good[:row]))
            example = names.texts[int(examples[at])].as_py()
            faults.note(
                rows,
                "the labels differ",
                differs,
                lambda _: (
                    f"the label of example {example} is {self._read.name_of(read[at])}, and was "
                    f"{self._read.name_of(self.values[examples[at]])} before; every run needs the same labels"
                ),
            )

    def lacking_in(self, rows: Rows) -> None:
        """Note rows that have no labels; those of another file may tell them."""
        self._unused = self._unused or rows.unused

    @property
    def with_points(self) -> bool:
        """Whether labels came as numbers that may have a fraction, such as 1.0."""
        return self._read.with_points

    def check(self, examples: NDArray[np.int64], ids: pa.StringArray) -> None:
        """Raise SourceError if some of the examples that count, with these ids, have no label."""
        self._grow(int(examples.max(initial=-1)) + 1)
        lacking = np.flatnonzero(~self.known[examples])
        if not len(lacking):
            return
        unused = self._unused() if self._unused is not None else ()
        settles = f"--labels FILE reads them from a file of their own; {proposed('label', unused)}"
        if len(lacking) == len(examples):
            raise SourceError([f"no example has a label: {settles}"])
        first = few([ids[int(number)].as_py() for number in lacking[:5]], of=len(lacking))
        raise SourceError([f"{counted(len(lacking), 'example')} without a label: {first}; {settles}"])

    def distinct(self, examples: NDArray[np.int64]) -> Distinct:
        """Return the different labels of some examples."""
        return Distinct.of([self.values[examples]], self._read.texts)

    def _grow(self, n_examples: int) -> None:
        if n_examples > len(self.known):
            capacity = max(n_examples, 2 * len(self.known))
            self.values, self.known = grown(self.values, capacity), grown(self.known, capacity)
