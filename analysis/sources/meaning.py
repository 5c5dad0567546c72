"""Meaning of answers: whether they are classes or numbers, and which outputs and predictions belong to which class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.problems import listed, near
from analysis.records.data_entry import Answers
from analysis.sources.agreement import few
from analysis.sources.arrow import text_column
from analysis.sources.distinct import Distinct
from analysis.sources.numbers import read_numbers
from analysis.sources.options import ImportOptions
from analysis.words import counted

_BOOLEANS = {"false": "0", "true": "1"}

_NAMED_AT_MOST = 20
"""More names than these, and an option that lists them helps nobody."""

_WHOLE = 2.0**53
"""From here on float64 takes two whole numbers for one."""

_TEXTS = 20
"""So many different labels, each of few examples, are rather free texts than classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What stored answers are.

    Parameters
    ----------
    answers : {"probabilities", "classes", "numbers", "scores"}
    labels : ndarray of int64 or float64, or None, shape (N,)
        The true classes or numbers.
    classes : tuple of str
        The class names in the order of the labels.
    converted : callable
        Makes the answers of one run of what was stored of them.
    remarks : tuple of str
    """

    answers: Answers
    labels: NDArray[Any] | None
    classes: tuple[str, ...] = ()
    converted: Callable[[NDArray[Any]], NDArray[Any]]
    remarks: tuple[str, ...] = ()


def meaning_of_predictions(
    labels: NDArray[Any],
    label: Distinct,
    prediction: Distinct,
    options: ImportOptions,
    *,
    place: Callable[[int], str],
) -> Meaning:
    """Find out whether labels and predictions are classes or numbers.

    Parameters
    ----------
    labels : ndarray, shape (N,)
        The label of each example, as `analysis.sources.keys.Values.read` returns it.
    label, prediction : Distinct
        The different labels and predictions.
    options : ImportOptions
    place : callable
        Says which run predicted one of the different values, and for which example.

    Raises
    ------
    SourceError
        If they do not fit together, or could be both.
    """
    numbers = label.numbers is not None and prediction.numbers is not None
    task = options.task
    if task is None and numbers and label.fraction:
        task = "regression"
    if task is None and numbers and prediction.fraction:
        first = f"the prediction of {place(prediction.names.index(prediction.fraction))} is {prediction.fraction}"
        raise SourceError(
            [
                f"the labels are whole numbers, and {first}: --task regression if numbers are predicted; if it is the "
                "probability of a class, such as 1, --column p_1=COLUMN"
            ]
        )
    if task == "regression":
        needs, problems = "a regression needs numbers, and", []
        if label.numbers is None:
            problems.append(f"{needs} a label is {label.names[_no_number(label.names)]!r}")
        if prediction.numbers is None:
            number = _no_number(prediction.names)
            problems.append(f"{needs} the prediction of {place(number)} is {prediction.names[number]!r}")
        if problems:
            raise SourceError(problems)
        return Meaning(answers="numbers", labels=labels.astype(np.float64), converted=lambda stored: stored)
    if label.numbers is None and prediction.fraction:
        first = f"the prediction of {place(prediction.names.index(prediction.fraction))} is {prediction.fraction}"
        raise SourceError(
            [
                f"the labels are texts, such as {listed(label.names[:1])}, and {first}, a number: "
                "--column prediction=COLUMN names the column of the predicted class, --column p_CLASS=COLUMN that of "
                "the probability of a class, --column score=COLUMN that of a score"
            ]
        )
    classes, numbered = _classes(labels, label, options)
    numbers_of = _numbers(prediction.names, classes, by_number=bool(options.classes))
    unknown = [name for name, number in zip(prediction.names, numbers_of, strict=True) if number is None]
    if unknown:
        first = place(prediction.names.index(unknown[0]))
        raise SourceError([_unknown(f"the prediction of {first} is", unknown, classes)])
    table = np.array(numbers_of, dtype=np.int64)
    return Meaning(
        answers="classes",
        labels=numbered,
        classes=classes,
        converted=lambda stored: table[prediction.positions(stored)],
    )


def meaning_of_outputs(
    labels: NDArray[Any], label: Distinct, outputs: Sequence[str], options: ImportOptions
) -> Meaning:
    """Find out which class each output belongs to; parameters as of `meaning_of_predictions`, and the outputs' names.

    Raises
    ------
    SourceError
        If labels and outputs do not fit together.
    """
    if options.task == "regression":
        raise SourceError(["probabilities of classes are there, and a regression has none: leave out --task"])
    if not options.classes and label.numbers is None and set(outputs) == set(label.names):
        # Of names in no order of their own, the columns have the one that somebody gave them.
        options = replace(options, classes=tuple(outputs))
    classes, numbered = _classes(labels, label, options)
    numbers_of = _numbers(outputs, classes, by_number=bool(options.classes))
    unknown = [name for name, number in zip(outputs, numbers_of, strict=True) if number is None]
    if unknown:
        raise SourceError([_unknown("a probability is of class", unknown, classes)])
    if len(outputs) == 1 and len(classes) == 2:
        first = numbers_of == [0]

        def both(stored: NDArray[np.float32]) -> NDArray[np.float32]:
            pair = (stored, 1 - stored)
            return np.concatenate(pair if first else pair[::-1], axis=-1)

        return Meaning(answers="probabilities", labels=numbered, classes=classes, converted=both)
    if lacking := [name for number, name in enumerate(classes) if number not in numbers_of]:
        raise SourceError(
            [
                f"no output for class {listed(lacking)}: there are outputs for {listed(outputs)}; "
                "name its column with --column p_CLASS=COLUMN"
            ]
        )
    order = [numbers_of.index(number) for number in range(len(classes))]
    in_order = order == list(range(len(classes)))
    return Meaning(
        answers="probabilities",
        labels=numbered,
        classes=classes,
        converted=lambda stored: stored if in_order else stored[..., order],
    )


def _classes(
    labels: NDArray[Any], label: Distinct, options: ImportOptions
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the classes, and the labels as their numbers."""
    names = label.names
    if label.fraction:
        raise SourceError(
            [
                f"the label {label.fraction} is no class: classes are texts or whole numbers; --column label=COLUMN "
                "names another column"
            ]
        )
    if len(names) >= _TEXTS and len(names) > len(labels) / 2 and not options.classes:
        raise SourceError(
            [
                f"the labels are {counted(len(names), 'different value')} among {len(labels)} examples: free answers "
                "have no classes. Give a score of each answer, and name it with --metric; or name the column of the "
                "classes with --column label=COLUMN"
            ]
        )
    classes = options.classes or tuple(sorted(names) if label.numbers is None else names)
    if label.numbers is not None and (huge := np.abs(label.numbers) >= _WHOLE).any():
        example = f"{label.numbers[np.argmax(huge)]:.0f}"
        raise SourceError([f"labels such as {example} are too large to be told apart; put a letter before each number"])
    if len(classes) < 2:
        raise SourceError(
            [f"all labels are {listed(names)}: two classes are needed; --classes names those without an example"]
        )
    numbers_of = _numbers(names, classes, by_number=bool(options.classes))
    unknown = [name for name, number in zip(names, numbers_of, strict=True) if number is None]
    if unknown:
        raise SourceError([f"the label {listed(unknown)} is none of the classes {listed(classes)} of --classes"])
    numbered = np.array(numbers_of, dtype=np.int64)[label.positions(labels)]
    return classes, numbered


def _numbers(names: Sequence[str], classes: Sequence[str], *, by_number: bool) -> list[int | None]:
    """Return which class each name means: the one of that name, else, if asked for, the one of that number."""
    by_name = {name: number for number, name in enumerate(classes)}
    plain = {_plain(name): number for number, name in enumerate(classes)}
    counting = {str(number): number for number in range(len(classes))}
    spelled = list(map(_plain, names))
    ways = [
        (by_name, names),
        *([(plain, spelled)] if set(plain) <= {"0", "1"} else []),
        *([(counting, names)] * by_number),
    ]
    for known, wanted in ways:
        if set(wanted) <= set(known):
            return [known[name] for name in wanted]
    return [by_name.get(name) for name in names]


def _plain(name: str) -> str:
    """Return true and false, however they are written, as 1 and 0."""
    return _BOOLEANS.get(name.lower(), name)


def look_alike(classes: Sequence[str]) -> Iterator[str]:
    """Remark classes that may be one, written in two ways."""
    written: dict[str, str] = {}
    for name in classes:
        if (first := written.setdefault(name.strip().casefold(), name)) != name:
            yield f"{first!r} and {name!r} are two classes, and differ in capitals or spaces alone"


def _no_number(names: Sequence[str]) -> int:
    """Return which text is the first that is no number."""
    return int(np.argmax(read_numbers(text_column(names))[1]))


def _unknown(what: str, unknown: Sequence[str], classes: Sequence[str]) -> str:
    others = f", and others are {few(unknown[1:])}" if len(unknown) > 1 else ""
    end = near(unknown[0], classes) or "."
    told = f"{what} {listed(unknown[:1])}{others}; the labels are {few(classes)}{end}"
    if len(unknown) > _NAMED_AT_MOST:
        return f"{told} --column label=COLUMN and --column prediction=COLUMN name other columns"
    settled = quote(",".join([*classes, *unknown]))
    return (
        f"{told} If these are classes without an example, --classes {settled}; if they are numbers of classes, "
        "--classes with the names in that order"
    )
