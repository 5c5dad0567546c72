"""Faults in the rows of a source: counted, and the first of each kind told with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.problems import shown
from analysis.sources.numbers import read_numbers
from analysis.sources.rows import Rows
from analysis.words import counted


@dataclass(slots=True)
class _Fault:
    message: str
    rows: int = 0


class Faults:
    """What is wrong with rows, by file and kind of fault."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _Fault] = {}

    def note(
        self, rows: Rows, kind: str, wrong: NDArray[np.bool_], message: Callable[[int], str] | None = None
    ) -> None:
        """Count the rows that are wrong.

        Parameters
        ----------
        rows : Rows
        kind : str
            The kind of the fault; the message itself where it says the same of every row.
        wrong : ndarray of bool, shape (rows,)
        message : callable or None
            What is wrong with a row.
        """
        first = int(np.argmax(wrong)) if len(wrong) else 0
        if not len(wrong) or not wrong[first]:
            return
        key = (rows.source.path, kind)
        if key not in self._found:
            self._found[key] = _Fault(f"{rows.place(first)}: {message(first) if message else kind}")
        self._found[key].rows += int(np.count_nonzero(wrong))

    def taken(self, kind: str) -> list[str]:
        """Take out the faults of one kind, and return their messages."""
        keys = [key for key in self._found if key[1] == kind]
        return [_told(self._found.pop(key)) for key in keys]

    def messages(self) -> list[str]:
        """Return what is wrong, one sentence for each file and kind."""
        return [_told(fault) for fault in self._found.values()]


def numbers_in(rows: Rows, what: str, column: pa.Array, faults: Faults) -> NDArray[np.float64]:
    """Return a column of finite numbers, shape (rows,); what else is in it is a fault, and NaN."""
    numbers, others = read_numbers(column)
    faults.note(
        rows, f"{what} is no number", others, lambda row: f"{what} is {shown(column[row].as_py())}, and no number"
    )
    faults.note(rows, f"{what} is missing or not finite", ~np.isfinite(numbers) & ~others)
    return numbers


def told_once(problems: Iterable[str], files: Sequence[str]) -> list[str]:
    """Tell what is wrong with several files in the same words of the first of them, with how many more there are.

    Examples
    --------
    >>> told_once(["a.csv is empty", "b.csv is empty", "b.csv holds no labels"], ["a.csv", "b.csv"])
    ['a.csv is empty; the same holds for 1 more file', 'b.csv holds no labels']
    """
    alike: dict[str, list[str]] = {}
    for problem in problems:
        file = max((name for name in files if problem.startswith(name)), key=len, default="")
        alike.setdefault(problem.replace(file, "\0") if file else problem, []).append(problem)
    return [
        told[0] + (f"; the same holds for {counted(len(told) - 1, 'more file')}" if len(told) > 1 else "")
        for told in alike.values()
    ]


def _told(fault: _Fault) -> str:
    more = f" (and {counted(fault.rows - 1, 'more row')})" if fault.rows > 1 else ""
    return fault.message + more
