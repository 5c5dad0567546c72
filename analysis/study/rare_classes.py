"""Rare classes: those with so few test examples or predictions that no verdict about them would hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analysis.metrics.metric_kinds import METRICS
from analysis.records.outcomes import Outcomes
from analysis.study.caveat import Caveat

FEWEST = 20
"""Below this many predictions or examples of a class the crossed test on its precision, recall or F1 has no level."""

Answers = Mapping[tuple[str, int], NDArray[np.integer]]
"""The predicted classes, shape (N,), by arm and seed."""

_METRICS_BY_CLASS = {"balanced_accuracy": False, "auroc": False, "macro_f1": True, "mcc": True}
"""Metrics in which a rare class weighs much, and whether its predictions count besides its examples."""


def few_examples(outcomes: Outcomes, label: int) -> str:
    """Say that the test split has too few examples of a class; empty where it has enough.

    Parameters
    ----------
    outcomes : Outcomes
        The study. Where it has clusters, they are counted in place of examples.
    label : int
        The number of the class.
    """
    count = _count(outcomes, outcomes.labels == label)
    return f"fewer than {FEWEST} {_drawn(outcomes, 'test examples')} of this class: {count}" if count < FEWEST else ""


def few_predictions(outcomes: Outcomes, answers: Answers, label: int) -> str:
    """Say in which trials a class is predicted too rarely; empty where every trial predicts it often enough.

    Parameters
    ----------
    outcomes : Outcomes
        The study. Where it has clusters, those with a prediction of the class are counted.
    answers : mapping of (str, int) to ndarray of int, shape (N,)
        What each trial says, by arm and seed.
    label : int
        The number of the class.
    """
    counts = {trial: _count(outcomes, said == label) for trial, said in answers.items()}
    few = [trial for trial, count in counts.items() if count < FEWEST]
    if not few:
        return ""
    arm, seed = min(few, key=counts.__getitem__)
    where = f"{counts[arm, seed]} in {arm} seed {seed}"
    more = f", the fewest of {len(few)} such trials out of {len(counts)}" if len(few) > 1 else ""
    return f"fewer than {FEWEST} {_drawn(outcomes, 'predictions')} of this class: {where}{more}"


def rare_class_caveats(outcomes: Outcomes, answers: Answers, *, metric: str) -> list[Caveat]:
    """Warn where the verdicts rest on a metric in which a rare class weighs much.

    Parameters
    ----------
    outcomes : Outcomes
        The study; of several test sets one.
    answers : mapping of (str, int) to ndarray of int, shape (N,)
        What each trial says, by arm and seed.
    metric : str
        The metric of the plan.
    """
    if metric not in _METRICS_BY_CLASS or not answers:
        return []
    rare, sets = {}, outcomes.manifest.data.sets
    for label, name in enumerate(outcomes.manifest.data.classes):
        reason = few_examples(outcomes, label)
        if not reason and _METRICS_BY_CLASS[metric]:
            reason = few_predictions(outcomes, answers, label)
        if reason:
            rare[f"{name} of {sets[0].name}" if sets else name] = reason
    if not rare:
        return []
    kind = METRICS[metric]
    text = (
        f"{kind.heading} depends on what is rare here. "
        f"{'. '.join(f'Class {name}: {reason}' for name, reason in rare.items())}. With so few, equal arms are called "
        "different too often (by AUROC in up to 10% of studies, by F1 in 12%, by precision in 25%): do not rely on "
        "these verdicts."
    )
    return [Caveat(short=f"rare class {', '.join(rare)}", text=text, on_verdicts=True)]


def _count(outcomes: Outcomes, chosen: NDArray[np.bool_]) -> int:
    if outcomes.clusters is None:
        return int(np.count_nonzero(chosen))
    return len({outcomes.clusters[example] for example in np.flatnonzero(chosen)})


def _drawn(outcomes: Outcomes, words: str) -> str:
    return words if outcomes.clusters is None else f"clusters with {words}"
