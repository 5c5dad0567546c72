"""Consistency and churn: do the trials of an arm agree, example by example, and does another arm say something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NAN = float("nan")
# Examples in a block.
_EXAMPLES = 2048
# Class numbers that lie further apart are not tried one by one.
_CLASSES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How far the seeds of one arm agree; a description of these trials on this test set.

    Parameters
    ----------
    always_right : float
        Share of the examples on which every seed is right.
    always_wrong : float
        Share on which every seed predicts the same wrong class.
    disputed : float
        Share on which the seeds predict different classes.
    churn : float
        Share of the examples on which two seeds differ, mean over all pairs of seeds. Unlike the three shares it does
        not grow with the number of seeds. NaN for one seed.
    n_seeds, n_examples : int
        What the figures rest on.
    reason : str
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
    """How often two arms predict different classes, against two seeds of one arm; a description of these trials.

    Parameters
    ----------
    between : float
        Share of the examples on which a trial of the one arm and a trial of the other, of different seeds, differ: mean
        over all such pairs.
    within : float
        The same for two seeds of one arm: mean of the two arms.
    excess : float
        `between` less `within`: what the change of the arm adds to the change of the seed. About 0 where the arms
        differ no more than two seeds do.
    reason : str
        Why a figure is NaN; else empty.
    """

    between: float
    within: float
    excess: float
    reason: str


def consistency(labels: ArrayLike, predictions: ArrayLike) -> Consistency:
    """Describe how far the trials of one arm agree.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes.
    predictions : array_like of int, shape (S, N)
        Predicted classes, one row per seed.

    Returns
    -------
    Consistency
        A description; it generalises to no other trials or examples.

    Raises
    ------
    ValueError
        If the shapes do not match.

    See Also
    --------
    churn : One arm against another.

    Examples
    --------
    >>> agreement = consistency([0, 1, 1, 0], [[0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    >>> agreement.always_right, agreement.always_wrong, agreement.disputed, round(agreement.churn, 3)
    (0.25, 0.25, 0.5, 0.333)
    """
    predicted, truth = _runs("predictions", predictions), np.asarray(labels)
    if truth.shape != predicted.shape[1:]:
        raise ValueError(f"every example needs its label, got shapes {truth.shape} and {predicted.shape}")
    agreed = (predicted == predicted[0]).all(axis=0)
    right = agreed & (predicted[0] == truth)
    return Consistency(
        always_right=float(right.mean()),
        always_wrong=float((agreed & ~right).mean()),
        disputed=float(1 - agreed.mean()),
        churn=_within(predicted),
        n_seeds=len(predicted),
        n_examples=predicted.shape[1],
        reason="" if len(predicted) > 1 else "one seed has no other to agree with",
    )


def churn(treatment: ArrayLike, baseline: ArrayLike, *, paired: bool = True) -> Churn:
    """Compare how often two arms differ with how often two seeds of one arm do.

    Parameters
    ----------
    treatment, baseline : array_like of int, shapes (S_t, N) and (S_b, N)
        Predicted classes on the same examples, one row per seed. If `paired`, the same seeds in the same order.
    paired : bool
        Whether row ``s`` of both arms comes from the same seed. If not, any two rows are of different seeds.

    Returns
    -------
    Churn
        A description; it generalises to no other trials or examples.

    Raises
    ------
    ValueError
        If the shapes do not match.

    See Also
    --------
    consistency : The trials of one arm.

    References
    ----------
    Milani Fard, Cormier, Canini and Gupta (2016), "Launch and iterate: reducing prediction churn", NeurIPS 29.

    Examples
    --------
    >>> churn([[0, 1, 1, 1], [0, 1, 1, 1]], [[0, 1, 0, 0], [0, 1, 0, 1]])
    Churn(between=0.375, within=0.125, excess=0.25, reason='')
    """
    predicted_t, predicted_b = _runs("treatment", treatment), _runs("baseline", baseline)
    if predicted_t.shape[1] != predicted_b.shape[1] or (paired and len(predicted_t) != len(predicted_b)):
        same = f"the same {'seeds and ' if paired else ''}examples"
        raise ValueError(f"both arms need {same}, got {predicted_t.shape} and {predicted_b.shape}")
    if min(len(predicted_t), len(predicted_b)) == 1:
        return Churn(between=_NAN, within=_NAN, excess=_NAN, reason="one seed: no pair of different seeds")
    differ = 1 - _agreements(predicted_t, predicted_b)
    between = float(differ[~np.eye(len(differ), dtype=np.bool_)].mean() if paired else differ.mean())
    within = (_within(predicted_t) + _within(predicted_b)) / 2
    return Churn(between=between, within=within, excess=between - within, reason="")


def _runs(name: str, predictions: ArrayLike) -> NDArray[np.integer]:
    predicted = np.asarray(predictions)
    if predicted.ndim != 2 or predicted.size == 0 or predicted.dtype.kind not in "iub":
        raise ValueError(
            f"{name} must be class numbers, runs x examples, got shape {predicted.shape} of {predicted.dtype}"
        )
    return predicted.view(np.uint8) if predicted.dtype == np.bool_ else predicted


def _within(predicted: NDArray[np.integer]) -> float:
    S = len(predicted)
    if S == 1:
        return _NAN
    return float((S * S - _agreements(predicted, predicted).sum()) / (S * (S - 1)))


def _agreements(predicted: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the share of examples on which each trial of one arm agrees with each of the other, shape (S, S)."""
    lowest, highest = int(min(predicted.min(), other.min())), int(max(predicted.max(), other.max()))
    few = highest - lowest < _CLASSES
    classes = range(lowest, highest + 1) if few else np.union1d(predicted, other).tolist()
    agreed = np.zeros((len(predicted), len(other)))
    # Block by block of examples, whose marks stay in the processor's cache.
    for start in range(0, predicted.shape[1], _EXAMPLES):
        rows, others = predicted[:, start : start + _EXAMPLES], other[:, start : start + _EXAMPLES]
        for label in classes:
            marks = rows == label
            if marks.any():
                agreed += marks.astype(np.float32) @ (others == label).astype(np.float32).T
    return np.asarray(agreed / predicted.shape[1])
