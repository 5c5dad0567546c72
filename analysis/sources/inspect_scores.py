"""Scores of the samples of an inspect_ai log: as numbers, and as their mean over the epochs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.problems import shown
from analysis.sources.agreement import few
from analysis.sources.inspect_log import Failure, Sample
from analysis.words import counted

_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleScores:
    """What each sample scored. All arrays have shape (samples,).

    Parameters
    ----------
    examples, questions, targets : tuple of str
        The samples in the order of the log, what each asks, and what should have been answered.
    epochs : int
        The most that a sample was asked.
    means : mapping of str to ndarray of float64
        By name of the score, the mean over the epochs that have one; NaN where none has.
    counts : mapping of str to ndarray of int64
        Over how many epochs.
    letters : bool
        Whether letters stand for numbers.
    lists : tuple of str
        Scores that are lists, and not among the means.
    unreadable : tuple of str
        Values that are no numbers, each with its sample and score.
    errors : mapping of str to str
        Why a sample has no answer in one of its epochs.
    """

    examples: tuple[str, ...]
    questions: tuple[str, ...]
    targets: tuple[str, ...]
    epochs: int
    means: Mapping[str, NDArray[np.float64]]
    counts: Mapping[str, NDArray[np.int64]]
    letters: bool
    lists: tuple[str, ...]
    unreadable: tuple[str, ...]
    errors: Mapping[str, str]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which samples have a score."""
        found = np.zeros(len(self.examples), bool)
        for counts in self.counts.values():
            found |= counts > 0
        return found

    def problems(self, *, common_examples: bool) -> Iterator[str]:
        """Say what keeps the scores from being compared; samples without one do unless only common examples count."""
        if self.unreadable:
            another = f"; --metric chooses among {', '.join(self.means)}" if len(self.means) > 1 else ""
            yield f"{few(self.unreadable)}; expected finite numbers, true or false, or C, P, I and N{another}"
        elif not self.means and self.lists:
            yield f"{' and '.join(self.lists)}: a list is not one number; let the scorer give a number or an object"
        elif not self.scored.any():
            yield self._without_score()
        elif not self.scored.all() and not common_examples:
            yield f"{self._without_score()}; --common-examples leaves out of every run what one of them lacks"

    def remarks(self) -> Iterator[str]:
        """Say which samples and scores do not count in full."""
        if not self.scored.all():
            yield f"{self._without_score()}."
        fewer = {
            row for counts in self.counts.values() for row in np.flatnonzero((counts > 0) & (counts < self.epochs))
        }
        if fewer:
            names = few([self.examples[row] for row in sorted(fewer)])
            yield f"{counted(len(fewer), 'sample')} with a score in fewer than {self.epochs} epochs: {names}."
        if self.lists:
            yield f"{' and '.join(self.lists)} cannot be compared: a list is not one number."

    def _without_score(self) -> str:
        missing = [self.examples[row] for row in np.flatnonzero(~self.scored)]
        reasons = dict.fromkeys(self.errors[example] for example in missing if example in self.errors)
        why = f" (error in the log: {few(list(reasons))})" if reasons else ""
        return f"{counted(len(missing), 'sample')} of {len(self.examples)} without a score: {few(missing)}{why}"


def scores_of(samples: Sequence[Sample], metric: str | None) -> SampleScores:
    """Average the scores of samples over their epochs.

    Parameters
    ----------
    samples : sequence of Sample
        One a sample and epoch.
    metric : str or None
        The only score that counts; where no score has this name, all count.

    Returns
    -------
    SampleScores
    """
    # A sample that was asked again is there twice; as for inspect_ai, the later answer counts.
    answers = {(str(sample.id), sample.epoch): sample for sample in samples}
    asked = {example: sample for (example, _), sample in answers.items()}
    scores = [(example, dict(_named(sample))) for (example, _), sample in answers.items()]
    names = dict.fromkeys(name for _, values in scores for name in values)
    lists = {name for _, values in scores for name, value in values.items() if isinstance(value, list)}
    wanted = [name for name in names if metric not in names or name == metric]
    numbers = {name: {example: list[float]() for example in asked} for name in wanted if name not in lists}
    unreadable, letters = [], False
    for example, values in scores:
        for name, value in values.items():
            if name not in numbers:
                continue
            number = _as_number(value)
            letters = letters or (isinstance(value, str) and value in _LETTERS)
            if number is None:
                unreadable.append(f"{name} of sample {example} is {shown(value)}")
            elif not math.isnan(number):
                numbers[name][example].append(number)
    given = {name: of for name, of in numbers.items() if any(of.values())}
    return SampleScores(
        examples=tuple(asked),
        questions=tuple(sample.question() for sample in asked.values()),
        targets=tuple(
            ", ".join([*sample.target] if isinstance(sample.target, tuple) else [sample.target])
            for sample in asked.values()
        ),
        epochs=max(Counter(example for example, _ in answers).values(), default=0),
        means={name: np.array([fmean(of) if of else np.nan for of in by.values()]) for name, by in given.items()},
        counts={name: np.array([len(of) for of in by.values()]) for name, by in given.items()},
        letters=letters,
        lists=tuple(name for name in wanted if name in lists),
        unreadable=tuple(unreadable),
        errors={example: _message(sample.error) for (example, _), sample in answers.items() if sample.error},
    )


def _named(sample: Sample) -> Iterator[tuple[str, Any]]:
    for scorer, score in (sample.scores or {}).items():
        if isinstance(score.value, dict):
            yield from ((f"{scorer}/{key}", value) for key, value in score.value.items())
        else:
            yield scorer, score.value


def _message(error: str | Failure) -> str:
    return error if isinstance(error, str) else error.message


def _as_number(value: Any) -> float | None:
    """Return a value as inspect_ai's `value_to_float` does, and NaN where a scorer gave none.

    What cannot be read is None; inspect_ai counts it as 0.
    """
    if value is None:
        return math.nan
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        value = _WORDS.get(value.lower(), value)
    elif isinstance(value, float) and math.isnan(value):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
