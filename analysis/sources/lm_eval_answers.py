"""Answers in logs of lm-evaluation-harness: which metric is a score of one document, and which choices are classes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.sources.arrow import number_column, text_column
from analysis.sources.lm_eval_log import TOOL, Log
from analysis.sources.rows import Rows
from analysis.words import counted

Labels = list[NDArray[np.int64]]
"""The number of the right choice of each document, by log."""


def why_no_score(metric: str, logs: Sequence[Log]) -> str:
    """Say why a metric is no score of one document; nothing where it is one.

    A figure that is computed of all documents at once is logged as what it is computed from: a pair, a list, nothing,
    or a number whose mean is not the figure.
    """
    if metric == "perplexity":
        return "of a document the log holds the log-likelihood, of which more is better, and no perplexity"
    for log in logs:
        values = [value for document in log.documents if (value := document.metrics.get(metric)) is not None]
        if not values:
            return f"it is empty in {log.file.name}"
        if not isinstance(values[0], int | float):
            kind = "a list" if isinstance(values[0], list) else f"a {type(values[0]).__name__}"
            return f"of a document the log holds {kind}, from which a figure for all of them is computed"
        if log.results is None or (figure := log.results.figures.get(f"{metric},{log.filter}")) is None:
            continue
        numbers = [value for value in values if isinstance(value, int | float)]
        mean = sum(numbers) / len(numbers)
        if not math.isclose(mean, figure, rel_tol=1e-6, abs_tol=1e-9) and not math.isnan(mean):
            return f"its mean in {log.file.name} is {mean:.6g}, and {log.results.name} says {figure:.6g}"
    return ""


def scores(logs: Sequence[Log], metric: str, why: str = "") -> Iterator[Rows]:
    """Yield rows that hold one metric, and say why that one if nobody chose it.

    Raises
    ------
    SourceError
        If a document has no number there.
    """
    problems = []
    for log in logs:
        received = [document.metrics.get(metric) for document in log.documents]
        wrong = [row for row, value in enumerate(received) if not isinstance(value, int | float)]
        if wrong:
            first = "nothing" if received[wrong[0]] is None else repr(received[wrong[0]])
            problems.append(f"{log.place(wrong[0])}: expected a number as {metric}, got {first}{and_more(wrong)}")
    if problems:
        raise SourceError(problems)
    unknown = f"the logs do not say which way {metric} goes; more counts as better unless --lower-is-better says not"
    for log in logs:
        values = np.array([document.metrics[metric] for document in log.documents], dtype=np.float64)
        better = log.results.higher_is_better.get(metric) if log.results else None
        yield dataclasses.replace(
            _rows(log),
            scores={metric: number_column(values)},
            higher_is_better=better,
            understood=(*_understood(log), ("score", f"{metric} ({why})" if why else metric)),
            remarks=(unknown,) if better is None else (),
        )


def probabilities(logs: Sequence[Log], labels: Labels, others: Sequence[str]) -> Iterator[Rows]:
    """Yield rows that hold the probability of each choice, where all documents have the same.

    Parameters
    ----------
    logs : sequence of Log
    labels : list of ndarray of int64
        As `labels_of` returns them.
    others : sequence of str
        The metrics that could be compared instead, to name one.

    Raises
    ------
    SourceError
        If log-likelihoods are no numbers.
    """
    problems = []
    for log in logs:
        # Minus infinity is a probability of 0, unless all are.
        wrong = np.flatnonzero(~np.isfinite(log.log_likelihoods.max(axis=1)))
        if len(wrong):
            received = log.documents[wrong[0]].log_likelihoods
            problems.append(
                f"{log.place(wrong[0])}: the log-likelihoods of {', '.join(log.choices)} are "
                f"{', '.join(map(str, received))}{and_more(wrong)}; --metric acc takes what the log makes of them"
            )
    if problems:
        raise SourceError(problems)
    instead = f"; --metric {others[0]} takes that score of the log" if others else ""
    for log, right in zip(logs, labels, strict=True):
        columns = _softmax(log.log_likelihoods).T
        yield dataclasses.replace(
            _rows(log),
            label=text_column([log.choices[number] for number in right]),
            outputs={name: number_column(column) for name, column in zip(log.choices, columns, strict=True)},
            understood=(
                *_understood(log),
                ("label", "target"),
                ("probabilities", f"softmax of the log-likelihoods of {', '.join(log.choices)}{instead}"),
            ),
        )


def labels_of(logs: Sequence[Log]) -> tuple[Labels | None, str]:
    """Return the right choices, where the choices are classes; else None, and why not if it should be known.

    They are classes where all documents of all logs offer the same, and the most probable one is right where ``acc``
    says so.
    """
    choices = logs[0].choices
    if not choices or any(log.choices != choices for log in logs):
        return None, ""
    # A target that is a numeral means a choice by its number, or, in a column of texts, by its name.
    readings = [labels for read in (_by_number, _by_name) if (labels := _read_targets(logs, read)) is not None]
    differing = [_unlike_acc(logs, labels) for labels in readings]
    fitting = [labels for labels, where in zip(readings, differing, strict=True) if not where]
    if fitting:
        return fitting[0], ""
    why = differing[0] if differing else f"not every target is one of {', '.join(choices)}"
    return None, f"and not the probabilities of the choices, since {why}"


def _unlike_acc(logs: Sequence[Log], labels: Labels) -> str:
    """Say where ``acc`` is not whether the most probable choice is right; nothing where it is everywhere."""
    for log, right in zip(logs, labels, strict=True):
        # As they will be stored: log-likelihoods that differ may become one probability.
        stored = _softmax(log.log_likelihoods).astype(np.float32)
        best = stored == stored.max(axis=1, keepdims=True)
        is_right = best[np.arange(len(best)), right]
        tied = is_right & (best.sum(axis=1) > 1)
        acc = np.array([document.metrics.get("acc") == 1 for document in log.documents])
        for row in np.flatnonzero((tied | (is_right != acc)) & np.isfinite(stored).all(axis=1))[:1]:
            what = "two choices are equally probable" if tied[row] else "acc is not about the most probable choice"
            return f"{what} in {log.place(row)}"
    return ""


def _read_targets(logs: Sequence[Log], read: Callable[[str, tuple[str, ...]], int | None]) -> Labels | None:
    labels = []
    for log in logs:
        numbers = [read(document.target.strip(), log.choices) for document in log.documents]
        if None in numbers:
            return None
        labels.append(np.array(numbers, dtype=np.int64))
    return labels


def _by_number(target: str, choices: tuple[str, ...]) -> int | None:
    return int(target) if target.isdecimal() and int(target) < len(choices) else None


def _by_name(target: str, choices: tuple[str, ...]) -> int | None:
    return choices.index(target) if target in choices else None


def _softmax(log_likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        powers = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _rows(log: Log) -> Rows:
    """Return rows without answers."""
    version = log.results.version if log.results else None
    return Rows(
        source=log.file.source(tool=TOOL, version=version, task=log.question),
        arm=log.arm,
        run=log.file.run or "",
        example=text_column([document.doc_id for document in log.documents]),
        place=log.place,
    )


def _understood(log: Log) -> tuple[tuple[str, str], ...]:
    said = {
        "example": "doc_id",
        "arm": "name of the folder" if log.file.arm is None else None,
        "task": log.task,
        "filter": log.filter if len(log.filters) > 1 else None,
    }
    return tuple((role, source) for role, source in said.items() if source is not None)


def and_more(rows: Sequence[object] | NDArray[np.int64]) -> str:
    """Say how many documents are left when the first was told."""
    return f" (and {counted(len(rows) - 1, 'more document')} of this file)" if len(rows) > 1 else ""
