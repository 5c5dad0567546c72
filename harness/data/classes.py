"""Classes: which there are in the data, and in which order they are numbered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.data.files import DataTable
from harness.errors import DataError
from harness.study.validation import shown

# A number as CSV has it, written in the one way in which a number is written: 01 is a text.
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?", re.ASCII)


def number_classes(label: str, tables: Mapping[str, DataTable]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of the classes, and each split's labels as their numbers.

    The order is that of ``datasets.ClassLabel`` where the data state one. Else numbers are in ascending order, and
    texts in alphabetical order.

    Parameters
    ----------
    label : str
        The column, which no table lacks and where no value is missing.
    tables : mapping of str to DataTable
        By split, the one that is trained on first; its classes are those that there are.

    Raises
    ------
    DataError
        If a label is hidden or no class, or stands for a class that is not trained on.
    """
    columns = {
        split: _named(split, table.columns[label], table.classes[label])
        if label in table.classes
        else list(table.columns[label])
        for split, table in tables.items()
    }
    columns |= _as_numbers({split: columns[split] for split, table in tables.items() if table.untyped})
    kinds: dict[str, Any] = {}
    for split, values in columns.items():
        for index, value in enumerate(values):
            if isinstance(value, float) and value.is_integer():
                values[index] = value = int(value)
            if not isinstance(value, bool | int | str):
                raise DataError(
                    f"column {label!r} of split {split!r} holds no class: {shown(value)} in row {index + 1}; "
                    "classification needs one for each example, a text or a whole number; other numbers need "
                    "task: regression"
                )
            kinds.setdefault({bool: "true and false", str: "texts"}.get(type(value), "numbers"), value)
        if set(values) == {-1}:
            raise DataError(f"the labels of split {split!r} are hidden (-1); GLUE's test splits are: use validation")
    if len(kinds) > 1:
        listed = ", ".join(f"{kind} ({value!r})" for kind, value in kinds.items())
        raise DataError(f"column {label!r} holds classes of several kinds: {listed}; write them in one way")
    train = next(iter(tables))
    present = {split: set(values) for split, values in columns.items()}
    for split, classes in present.items():
        if unseen := classes - present[train]:
            hidden = "; -1 marks a hidden label" if -1 in unseen else ""
            listed = ", ".join(sorted(map(repr, unseen)))
            raise DataError(f"split {split!r} holds classes that split {train!r} lacks: {listed}{hidden}")
    stated = tables[train].classes.get(label)
    known = [name for name in stated if name in present[train]] if stated else sorted(present[train])
    numbers = {value: number for number, value in enumerate(known)}
    return tuple(map(str, known)), {
        split: np.array([numbers[value] for value in values], dtype=np.int64) for split, values in columns.items()
    }


def _named(split: str, values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return the names of ClassLabel in the place of its numbers."""
    for value in values:
        if not isinstance(value, int) or value >= len(names):
            raise DataError(f"the labels of split {split!r} hold {shown(value)}, and there are {len(names)} classes")
        if value < 0:
            raise DataError(
                f"the labels of split {split!r} are hidden ({value}); GLUE's test splits are: use validation"
            )
    return [names[value] for value in values]


def _as_numbers(columns: Mapping[str, list[Any]]) -> Mapping[str, list[Any]]:
    """Return labels from files without types as numbers where every one is written as a number."""
    values = [value for column in columns.values() for value in column]
    for pattern, number in ((_WHOLE, int), (_DECIMAL, float)):
        if all(pattern.fullmatch(value) for value in values):
            return {split: [number(value) for value in column] for split, column in columns.items()}
    return columns
