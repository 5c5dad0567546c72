"""Numbers: the labels of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from harness.data.files import DataTable
from harness.errors import DataError
from harness.study.validation import shown

_LARGEST = float(np.finfo(np.float32).max)


def numbers_of(label: str, tables: Mapping[str, DataTable]) -> dict[str, np.ndarray]:
    """Return each split's labels as numbers, in double precision.

    Parameters
    ----------
    label : str
        The column, which no table lacks and where no value is missing.
    tables : mapping of str to DataTable
        By split.

    Raises
    ------
    DataError
        If a label is a class or no number, is hidden, or is too large for the single precision that models compute in.
    """
    columns = {}
    for split, table in tables.items():
        if label in table.classes:
            raise DataError(
                f"column {label!r} of split {split!r} holds classes ({', '.join(table.classes[label][:3])}, ...), and "
                "a regression needs numbers; name a column of numbers, or leave task out"
            )
        columns[split] = np.array(
            [
                _number(value, label, split, row, untyped=table.untyped)
                for row, value in enumerate(table.columns[label], start=1)
            ]
        )
        if (columns[split] == -1).all():
            raise DataError(f"the labels of split {split!r} are hidden (-1); GLUE's test splits are: use validation")
    return columns


def _number(value: object, label: str, split: str, row: int, *, untyped: bool) -> float:
    number = float("nan")
    # Of a file without types, every value is a text. Python would take underscores between digits, too.
    if (untyped and isinstance(value, str) and "_" not in value) or type(value) in (int, float):
        with suppress(ValueError, OverflowError):
            number = float(value)  # type: ignore[arg-type]
    if not abs(number) <= _LARGEST:
        raise DataError(
            f"column {label!r} of split {split!r} holds {shown(value)} in row {row}; a regression needs a finite "
            "number for each example, of at most 3.4e38"
        )
    return number
