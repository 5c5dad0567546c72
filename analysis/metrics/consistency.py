"""Whether the runs of an arm say the same, sentence by sentence, and whether another arm says something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How far the seeds of one arm agree; a description of these runs on this test set.

    Parameters
    ----------
    always_right
        Share of the examples on which every seed is right.
    always_wrong
        Share on which every seed says the same wrong class.
    disputed
        Share on which the seeds say different things.
    churn
        Share of the examples on which two seeds differ, mean over all pairs of seeds. Unlike the three shares it does
        not grow with the number of seeds. NaN for one seed.
    n_seeds, n_examples
        What the figures rest on.
    reason
        Why a figure is NaN; else empty.
    """

    always_right: float
    always_wrong: float
    disputed: float
    churn: float
    n_seeds: int
    n_examples: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """How often two arms say different things, against two seeds of one arm; a description of these runs.

    Parameters
    ----------
    between
        Share of the examples on which a run of the one arm and a run of the other, of different seeds, differ: mean
        over all such pairs.
    within
        The same for two seeds of one arm: mean of the two arms.
    excess
        `between` less `within`: what the change of the arm adds to the change of the seed. About 0 where the arms
        differ no more than two seeds do.
    reason
        Why a figure is NaN; else empty.
    """

    between: float
    within: float
    excess: float
    reason: str


def consistency(labels: ArrayLike, predictions: ArrayLike) -> Consistency:
    """Describe how far the runs of one arm agree.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes.
    predictions : array_like of int, shape (S, N)
        Predicted classes, one row a seed.

    Returns
    -------
    Consistency
        A description; it generalises to no other runs or examples.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Examples
    --------
    >>> one = consistency([0, 1, 1, 0], [[0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    >>> one.always_right, one.always_wrong, one.disputed, round(one.churn, 3)
    (0.25, 0.25, 0.5, 0.333)
    """
    said, truth = _runs("predictions", predictions), np.asarray(labels)
    if truth.shape != said.shape[1:]:
        raise ValueError(f"every example needs its label, got shapes {truth.shape} and {said.shape}")
    agreed = (said == said[0]).all(axis=0)
    right = agreed & (said[0] == truth)
    return Consistency(
        always_right=float(right.mean()),
        always_wrong=float((agreed & ~right).mean()),
        disputed=float(1 - agreed.mean()),
        churn=_within(said),
        n_seeds=len(said),
        n_examples=said.shape[1],
        reason="" if len(said) > 1 else "one seed has no other to agree with",
    )


def churn(treatment: ArrayLike, baseline: ArrayLike) -> Churn:
    """Compare how often two arms differ with how often two seeds of one arm do.

    Parameters
    ----------
    treatment, baseline : array_like of int, shape (S, N)
        Predicted classes on the same examples, one row a seed; the same seeds in the same order.

    Returns
    -------
    Churn
        A description; it generalises to no other runs or examples.

    Raises
    ------
    ValueError
        If the shapes do not match.

    References
    ----------
    Milani Fard, Cormier, Canini and Gupta (2016), "Launch and iterate: reducing prediction churn", NeurIPS 29.

    Examples
    --------
    >>> churn([[0, 1, 1, 1], [0, 1, 1, 1]], [[0, 1, 0, 0], [0, 1, 0, 1]])
    Churn(between=0.375, within=0.125, excess=0.25, reason='')
    """
    said_t, said_b = _runs("treatment", treatment), _runs("baseline", baseline)
    if said_t.shape != said_b.shape:
        raise ValueError(f"both arms need the same seeds and examples, got {said_t.shape} and {said_b.shape}")
    S = len(said_t)
    if S == 1:
        return Churn(between=_NAN, within=_NAN, excess=_NAN, reason="one seed: no pair of different seeds")
    differ = 1 - _agreements(said_t, said_b)
    between = float((differ.sum() - np.trace(differ)) / (S * (S - 1)))
    within = (_within(said_t) + _within(said_b)) / 2
    return Churn(between=between, within=within, excess=between - within, reason="")


def _runs(name: str, predictions: ArrayLike) -> NDArray[np.int64]:
    said = np.asarray(predictions)
    if said.ndim != 2 or said.size == 0 or said.dtype.kind not in "iub":
        raise ValueError(f"{name} must be class numbers, runs x examples, got shape {said.shape} of {said.dtype}")
    return said.astype(np.int64)


def _within(said: NDArray[np.int64]) -> float:
    S = len(said)
    if S == 1:
        return _NAN
    return float((S * S - _agreements(said, said).sum()) / (S * (S - 1)))


def _agreements(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of examples on which each run of one arm agrees with each of the other, shape (S, S)."""
    classes: Sequence[int] = np.union1d(one, other).tolist()
    agreed = sum(
        np.asarray((one == label).astype(np.float32) @ (other == label).astype(np.float32).T, dtype=np.float64)
        for label in classes
    )
    return np.asarray(agreed / one.shape[1])
