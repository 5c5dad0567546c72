"""Array rows: arrays with the runs of an arm each become rows, one run after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from analysis.sources.arrow import as_texts, number_column, text_column
from analysis.sources.rows import Rows, SourceFile
from analysis.words import counted

Given = tuple[str, ArrayLike]
"""An array with what its source calls it."""


class ArrayRows:
    """Makes rows of the arrays of one source.

    Parameters
    ----------
    source : SourceFile
    name_of : callable
        Names an array in messages, by what its source calls it.
    beside : mapping of str to (str, array)
        What stands beside the answers: ``label`` and ``example``, shape (examples,), ``run``, shape (runs,), and
        ``classes``, shape (classes,), each with its own name. Where these are texts, labels and predictions that are
        whole numbers count them from 0.
    problems : list of str
        Takes what is wrong.
    """

    def __init__(
        self, source: SourceFile, name_of: Callable[[str], str], beside: Mapping[str, Given], problems: list[str]
    ) -> None:
        self._source = source
        self._name_of = name_of
        self._problems = problems
        before = len(problems)
        self._called = {role: name_of(name) for role, (name, _) in beside.items()}
        self._understood = tuple((role, f"array {name}") for role, (name, _) in beside.items() if name)
        self._beside = {role: self._list(*given) for role, given in beside.items()}
        self._length: tuple[str, int] | None = None
        """How many examples there are, and the array that says so first."""
        for role in ("label", "example"):
            if (values := self._beside.get(role)) is not None:
                self._same_length(self._called[role], len(values))
        classes = self._beside.get("classes")
        self._class_names = classes if classes is not None and classes.dtype.kind == "U" else None
        if (values := self._beside.get("label")) is not None:
            self._check_numbers(self._called["label"], values)
        # What stands beside must fit together, else there are no rows at all, only problems.
        self._usable = len(problems) == before
        label, ids = (self._beside.get(role) if self._usable else None for role in ("label", "example"))
        self._label = None if label is None else self._named(label)
        self._ids = None if ids is None else _column(ids)

    def rows(
        self, arms: Mapping[str, ArrayLike], *, arm: str | None, run: str | None, score: str, labels_known: bool
    ) -> Iterator[Rows]:
        """Yield the runs of all arms.

        Parameters
        ----------
        arms : mapping of str to array, shape (runs, examples) or (runs, examples, classes)
            The answers by arm.
        arm, run : str or None
            The arm, and the run, where all arrays are of one; with `run`, arrays have no first axis.
        score : str
            The name of the score, where the answers are scores.
        labels_known : bool
            Whether the examples have labels, here or elsewhere; answers are scores where they have none.
        """
        for key, values in arms.items():
            array = self.checked(key, values)
            if array is None:
                continue
            shape = array.shape
            if run is not None:
                array = array[np.newaxis]
            name = self._name_of(key)
            axes = "examples" if run is not None else "runs, examples"
            if array.ndim not in (2, 3) or not array.size:
                self._problems.append(
                    f"{name} has the shape {shape}, expected ({axes}) or ({axes}, classes), none of them 0"
                )
                continue
            before = len(self._problems)
            self._same_length(name, array.shape[1])
            self._check_answers(name, array, labels_known=labels_known)
            given = self._beside.get("run") if run is None else None
            seeds = None if given is None else as_texts(_column(given)).to_pylist()
            if seeds is not None and (len(seeds) != len(array) or None in seeds):
                known = len(seeds) - seeds.count(None)
                self._problems.append(f"{name} has {len(array)} runs, and {self._called['run']} names {known}")
            if len(self._problems) > before or not self._usable:
                continue
            for number, answers in enumerate(array):
                yield self._rows(
                    arm=key if arm is None else arm,
                    run=run if run is not None else str(number if seeds is None else seeds[number]),
                    name=name if run is not None else f"{name}[{number}]",
                    answers=answers,
                    score=None if labels_known else score,
                )

    def labels(self) -> Iterator[Rows]:
        """Yield the labels alone."""
        if (label := self._beside.get("label")) is not None and self._usable:
            yield self._rows(arm="", run="", name=self._called["label"], answers=label, score=None)

    def checked(self, key: str, values: ArrayLike) -> NDArray[Any] | None:
        """Return an array as whole numbers, floats or texts; None, and a problem, where it holds something else."""
        name = self._name_of(key)
        if np.ma.is_masked(values):
            self._problems.append(f"{name} has masked values, and every run answers every example")
            return None
        try:
            array = np.asarray(values)
        except ValueError:
            self._problems.append(f"{name} has rows of unequal length")
            return None
        except (TypeError, RuntimeError) as error:
            # What torch says of tensors that NumPy does not take.
            self._problems.append(f"{name} is no array: {error}")
            return None
        kind = array.dtype.kind
        if kind in "bui":
            return array.astype(np.int64, copy=False)
        if kind == "f":
            return array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
        others = {type(value).__name__ for value in array.flat if not isinstance(value, str)} if kind == "O" else set()
        if kind == "U" or (kind == "O" and not others):
            return array.astype(str, copy=False)
        what = f"objects ({', '.join(sorted(others))})" if others else array.dtype
        self._problems.append(f"{name} holds {what}, expected numbers, truth values or texts")
        return None

    def _list(self, key: str, values: ArrayLike) -> NDArray[Any] | None:
        array = self.checked(key, values)
        if array is not None and array.ndim != 1:
            self._problems.append(f"{self._name_of(key)} has the shape {array.shape}, expected one axis")
            return None
        return array

    def _same_length(self, name: str, examples: int) -> None:
        if self._length is None:
            self._length = (name, examples)
        elif examples != self._length[1]:
            first, length = self._length
            self._problems.append(f"{name} has {counted(examples, 'example')}, and {first} {length}")

    def _check_answers(self, name: str, array: NDArray[Any], *, labels_known: bool) -> None:
        classes = self._beside.get("classes")
        text = array.dtype.kind == "U"
        if array.ndim == 2 and labels_known:
            self._check_numbers(name, array)
        if array.ndim == 3 and text:
            self._problems.append(f"{name} holds texts, and three axes are for probabilities")
        elif not labels_known and (text or array.ndim == 3):
            what = "predicted classes" if text else "probabilities of classes"
            self._problems.append(f"{name} holds {what}, and there are no labels to compare them with")
        if array.ndim == 3 and classes is not None and len(classes) != array.shape[2]:
            said = f"{self._called['classes']} names {len(classes)}"
            self._problems.append(f"{name} has {array.shape[2]} classes on its last axis, and {said}")

    def _check_numbers(self, name: str, values: NDArray[Any]) -> None:
        if self._class_names is None or values.dtype.kind != "i" or not values.size:
            return
        last = len(self._class_names) - 1
        if wrong := [one for one in (int(values.min()), int(values.max())) if not 0 <= one <= last]:
            said = f"{self._called['classes']} names those from 0 to {last}"
            self._problems.append(f"{name} holds class {wrong[0]}, and {said}")

    def _named(self, values: NDArray[Any]) -> pa.Array:
        """Return a column of labels or predictions: by name where they are numbers of classes that have names."""
        if self._class_names is not None and values.dtype.kind == "i":
            values = self._class_names[values]
        return _column(values)

    def _rows(self, *, arm: str, run: str, name: str, answers: NDArray[Any], score: str | None) -> Rows:
        understood = self._understood
        if answers.ndim == 2:
            classes = self._beside.get("classes")
            names = map(str, range(answers.shape[1]) if classes is None else classes)
            filled: dict[str, Any] = {"outputs": {name: _column(answers[:, k]) for k, name in enumerate(names)}}
        elif score is None:
            filled = {"prediction": self._named(answers)}
        else:
            filled = {"scores": {score: _column(answers)}}
            understood += (("score", "every array, since there are no labels"),)
        return Rows(
            source=self._source,
            arm=arm,
            run=run,
            example=number_column(np.arange(len(answers))) if self._ids is None else self._ids,
            numbered=self._ids is None,
            label=self._label,
            understood=understood,
            place=lambda row: f"{name}[{row}]",
            **filled,
        )


def _column(values: NDArray[Any]) -> pa.Array:
    if values.dtype.kind == "U":
        return text_column(values.tolist())
    null = np.isnan(values)
    return number_column(values, null=null if null.any() else None)
