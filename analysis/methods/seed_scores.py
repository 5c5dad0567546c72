"""Scores with one number per seed, checked: the input of the tests over seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.variance import ROUNDING


def seed_scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """One finite score per seed, or an error that names the arm.

    Parameters
    ----------
    name : str
        What to call the arm.
    values : array_like, shape (S,)

    Returns
    -------
    ndarray, shape (S,)

    Raises
    ------
    ValueError
        If there is no score, if a score is not finite, or if there are more dimensions than one.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0:
        raise ValueError(f"{name} must be one score per seed, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} must hold finite scores, got {scores.tolist()}")
    return scores


def right_per_seed(name: str, values: ArrayLike, n_examples: int) -> NDArray[np.float64]:
    """One number of right answers per seed, or an error that names the arm.

    Parameters
    ----------
    name : str
        What to call the arm.
    values : array_like, shape (S,)
    n_examples : int
        Size of the test set, at least 1.

    Returns
    -------
    ndarray, shape (S,)

    Raises
    ------
    ValueError
        If a value is no whole number from 0 to `n_examples`, or if there is no test set.
    """
    array = np.asarray(values, dtype=np.float64)
    if n_examples < 1:
        raise ValueError(f"n_examples must be at least 1, got {n_examples}")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one count per seed, got shape {array.shape}")
    if not (np.isfinite(array).all() and (array == np.floor(array)).all()):
        raise ValueError(f"{name} must hold numbers of right answers (whole numbers), got {array.tolist()}")
    if array.min() < 0 or array.max() > n_examples:
        raise ValueError(f"{name} must lie between 0 and {n_examples} right answers, got {array.tolist()}")
    return array


def paired_differences(treatment: ArrayLike, baseline: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """Score of the treatment minus score of the baseline, seed by seed, and what counts as rounding.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S,)
        One finite score per trial; position ``s`` of both arms is the same seed.

    Returns
    -------
    d : ndarray, shape (S,)
    rounding : float
        Differences that are this close tie: 1e-12 of the largest absolute score.

    Raises
    ------
    ValueError
        If an arm is not one row of finite scores, or if the arms differ in length.
    """
    y_t, y_b = seed_scores("treatment", treatment), seed_scores("baseline", baseline)
    if len(y_t) != len(y_b):
        raise ValueError(
            "paired arms need the same seeds, "
            f"got {len(y_t)} for the treatment and {len(y_b)} for the baseline; use label_permutation"
        )
    return y_t - y_b, ROUNDING * float(max(np.abs(y_t).max(), np.abs(y_b).max()))
