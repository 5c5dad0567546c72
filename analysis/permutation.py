"""Exact permutation tests over seeds: whether new seeds would differ on this very test set.

Both work on the number of right answers of each run. Whole numbers keep ties exact, and let a table of
reachable sums replace the list of all rearrangements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlipResult:
    """The outcome of `sign_flip`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Mean accuracy of the treatment minus mean accuracy of the baseline.
    p_value : float
        Two-sided and exact.
    floor : float
        The smallest p-value that this number of seeds can give.
    n_seeds : int
        Paired seeds.
    method : str
        ``"exact"``: every assignment of signs is counted.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    p_value: float
    floor: float
    n_seeds: int
    method: str = "exact"
    generalizes_to: str = "seeds"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPermutationResult:
    """The outcome of `label_permutation`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Mean accuracy of the treatment minus mean accuracy of the baseline.
    p_value : float
        Two-sided and exact.
    floor : float
        The smallest p-value that these numbers of seeds can give.
    n_seeds : tuple of int
        Of the treatment and of the baseline.
    method : str
        ``"exact"``: every way of dealing the runs to the two arms is counted.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    p_value: float
    floor: float
    n_seeds: tuple[int, int]
    method: str = "exact"
    generalizes_to: str = "seeds"
    reason: str


def sign_flip(treatment: ArrayLike, baseline: ArrayLike, *, n_examples: int) -> SignFlipResult:
    """Test whether swapping the two arms within a seed changes anything, on this test set.

    Parameters
    ----------
    treatment, baseline : array_like of int, shape (S,)
        Right answers of each run, from 0 to `n_examples`; position ``s`` of both arms is the same seed.
    n_examples : int
        Size of the test set.

    Returns
    -------
    SignFlipResult
        Generalises to new seeds, not to new examples.

    Raises
    ------
    ValueError
        If the counts are not whole numbers in their range, or if the arms differ in length.

    Notes
    -----
    Flipping a sign moves the sum of the differences by twice its size, so the sums of all ``2^S`` assignments
    follow from the sums over all subsets; those are built up one seed at a time. An assignment counts when
    its sum is at least as far from 0 as the one observed.

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21. Pagano and Tritchler (1983), JASA 78, 435-440 (exact
    distributions in polynomial time).

    Examples
    --------
    >>> sign_flip([880, 872, 884, 879, 881], [870, 866, 869, 871, 868], n_examples=1000).p_value
    0.0625
    """
    right_t, right_b = _counts("treatment", treatment, n_examples), _counts("baseline", baseline, n_examples)
    if len(right_t) != len(right_b):
        raise ValueError(
            "paired arms need the same seeds, "
            f"got {len(right_t)} for the treatment and {len(right_b)} for the baseline; use label_permutation"
        )
    d = right_t - right_b
    S, sizes = len(d), np.abs(d)
    total, observed = int(sizes.sum()), abs(int(d.sum()))
    share = np.zeros(total + 1)
    share[0] = 1.0
    for size in sizes[sizes > 0]:
        share /= 2
        share[size:] += share[: total + 1 - size]
    far = np.abs(2 * np.arange(total + 1) - total) >= observed
    return SignFlipResult(
        estimate=float(d.sum()) / S / n_examples,
        p_value=min(1.0, float(share[far].sum())),
        floor=sign_flip_floor(S),
        n_seeds=S,
        reason="" if d.any() else "the arms are equally good with every seed",
    )


def label_permutation(treatment: ArrayLike, baseline: ArrayLike, *, n_examples: int) -> LabelPermutationResult:
    """Test whether it matters which runs belong to which arm, on this test set; for unpaired seeds.

    Parameters
    ----------
    treatment, baseline : array_like of int, shapes (S_t,) and (S_b,)
        Right answers of each run, from 0 to `n_examples`.
    n_examples : int
        Size of the test set.

    Returns
    -------
    LabelPermutationResult
        Generalises to new seeds, not to new examples.

    Raises
    ------
    ValueError
        If the counts are not whole numbers in their range.

    Notes
    -----
    A rearrangement counts when its absolute difference of means is at least the one observed. The numbers of
    ways to reach each sum with each number of runs are built up one run at a time.

    References
    ----------
    Pitman (1937), Supplement to the JRSS 4, 119-130. Pagano and Tritchler (1983), JASA 78, 435-440.

    Examples
    --------
    >>> label_permutation([880, 872, 884], [866, 870, 861], n_examples=1000).p_value
    0.1
    """
    right_t, right_b = _counts("treatment", treatment, n_examples), _counts("baseline", baseline, n_examples)
    S_t, S_b = len(right_t), len(right_b)
    both = np.concatenate([right_t, right_b])
    values = both - both.min()
    total = int(values.sum())
    reach = int(np.sort(values)[S_b:].sum())
    ways = np.zeros((S_t + 1, reach + 1))
    ways[0, 0] = 1.0
    for value in values:
        ways[1:, value:] += ways[:-1, : reach + 1 - value]
    # The difference of means times S_t * S_b is a whole number, so that ties are exact.
    difference = np.arange(reach + 1) * (S_t + S_b) - total * S_t
    observed = abs(int(values[:S_t].sum()) * (S_t + S_b) - total * S_t)
    far = np.abs(difference) >= observed
    return LabelPermutationResult(
        estimate=(float(right_t.mean()) - float(right_b.mean())) / n_examples,
        p_value=min(1.0, float(ways[S_t, far].sum() / ways[S_t].sum())),
        floor=label_permutation_floor(S_t, S_b),
        n_seeds=(S_t, S_b),
        reason="" if values.any() else "every run is equally good",
    )


def sign_flip_floor(n_seeds: int) -> float:
    """Smallest p-value of `sign_flip`.

    Parameters
    ----------
    n_seeds : int
        Paired seeds, at least 1.

    Raises
    ------
    ValueError
        If there is no seed.

    Examples
    --------
    >>> sign_flip_floor(5), sign_flip_floor(6)
    (0.0625, 0.03125)
    """
    if n_seeds < 1:
        raise ValueError(f"need at least one seed, got {n_seeds}")
    return 2.0 ** (1 - n_seeds)


def label_permutation_floor(s_t: int, s_b: int) -> float:
    """Smallest p-value of `label_permutation`.

    With as many seeds in both arms every arrangement has a mirror image that is as far from 0; otherwise the
    most extreme one can stand alone.

    Parameters
    ----------
    s_t, s_b : int
        Seeds of the treatment and of the baseline, at least 1 each.

    Raises
    ------
    ValueError
        If an arm has no seed.

    Examples
    --------
    >>> [round(label_permutation_floor(s, s), 3) for s in (3, 4, 5)]
    [0.1, 0.029, 0.008]
    """
    if min(s_t, s_b) < 1:
        raise ValueError(f"need at least one seed in each arm, got {s_t} and {s_b}")
    return (2 if s_t == s_b else 1) / math.comb(s_t + s_b, s_t)


def _counts(name: str, values: ArrayLike, n_examples: int) -> NDArray[np.int64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one count a seed, got shape {array.shape}")
    if not (np.isfinite(array).all() and (array == np.floor(array)).all()):
        raise ValueError(f"{name} must hold numbers of right answers (whole numbers), got {array.tolist()}")
    if array.min() < 0 or array.max() > n_examples:
        raise ValueError(f"{name} must lie between 0 and {n_examples} right answers, got {array.tolist()}")
    return array.astype(np.int64)
