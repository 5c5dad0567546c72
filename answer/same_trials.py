"""Same trials, run twice: how far the answers of two results folders differ, trial by trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import AlignmentError
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDifference:
    """How far one trial of two results folders differs.

    Parameters
    ----------
    name : str
        The trial.
    n_examples : int
    differ : int
        Examples for which the two predict different classes.
    gap : int
        Right answers of the second run minus those of the first.
    largest : float
        The largest difference of a probability.
    threads : tuple of (int or None)
        With how many threads each of the two was trained; None where its record does not say.
    """

    name: str
    n_examples: int
    differ: int
    gap: int
    largest: float
    threads: tuple[int | None, int | None]


def compare_trials(first: Outcomes, second: Outcomes) -> tuple[TrialDifference, ...]:
    """Compare the trials that finished in two results folders, by arm and seed.

    Parameters
    ----------
    first, second : Outcomes
        With probabilities of classes, on the same examples in the same order.

    Raises
    ------
    AnalysisError
        If the two differ in their examples, or store no probabilities.
    """
    if not (first.has_probabilities and second.has_probabilities):
        raise AlignmentError(f"{first.place} and {second.place}: expected probabilities of classes in both")
    if first.example_ids != second.example_ids or not np.array_equal(first.labels, second.labels):
        raise AlignmentError(f"{first.place} and {second.place} were not scored on the same examples")
    found = []
    for place, trial in first.trials.items():
        again = second.trials.get(place)
        if again is None or trial.answers is None or again.answers is None:
            continue
        said, said_again = first.predictions(trial), second.predictions(again)
        right, right_again = ((answers == first.labels).sum() for answers in (said, said_again))
        found.append(
            TrialDifference(
                name=trial.name,
                n_examples=first.n_examples,
                differ=int(np.count_nonzero(said != said_again)),
                gap=int(right_again - right),
                largest=float(np.abs(first.answers(trial) - second.answers(again)).max()),
                threads=(_threads(trial), _threads(again)),
            )
        )
    return tuple(found)


def _threads(trial: Trial) -> int | None:
    return trial.record.device.threads if trial.record is not None and trial.record.device is not None else None
