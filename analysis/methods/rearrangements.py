"""Rearrangements of the trials: how many are at least as far from "no difference" as the one observed.

Two kinds: flips exchange the arms within a seed, deals hand the trials to the arms anew. Both are counted
exactly: through a table of reachable sums where the scores are whole numbers, and by meeting in the middle
where they are not. Meeting in the middle lists the sums of either half of the trials, sorts them, and counts the
pairs that reach far enough, so that the work grows with the square root of the number of rearrangements. Beyond
that reach they are drawn at random.

A rearrangement that ties with the observed one counts. Where scores are not whole numbers, ties hold up to a
tolerance, since sums in another order differ by rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Two halves of 20 have a million sums each: a tenth of a second and 35 MB.
MOST_FLIPS = 40
MOST_DEALS = 40
# A table of 40 MB, which a hundred trials go through in a second.
MOST_CELLS = 5_000_000

_BLOCK = 4096


def flips_on_lattice(d: NDArray[np.int64]) -> float:
    """Share of the sign assignments whose sum is at least as far from 0 as the sum of `d`.

    Parameters
    ----------
    d : ndarray of int, shape (S,)
        One difference per seed.

    Returns
    -------
    float
        Above 0, up to 1.

    References
    ----------
    Pagano and Tritchler (1983), JASA 78, 435-440 (exact distributions in polynomial time).

    Examples
    --------
    >>> flips_on_lattice(np.array([1, 2, 3]))
    0.25
    """
    # Flipping a sign moves the sum by twice its size, so sums over subsets say all there is to know.
    sizes = np.abs(d)
    total, observed = int(sizes.sum()), abs(int(d.sum()))
    share = np.zeros(total + 1)
    share[0] = 1.0
    for size in sizes[sizes > 0]:
        share /= 2
        share[size:] += share[: total + 1 - size]
    far = np.abs(2 * np.arange(total + 1) - total) >= observed
    return min(1.0, float(share[far].sum()))


def deals_on_lattice(runs: NDArray[np.int64], n_first: int) -> float:
    """Share of the ways to deal the trials whose difference of means is at least as far from 0 as the observed one.

    Parameters
    ----------
    runs : ndarray of int, shape (S_t + S_b,)
        The trials of the first arm, then those of the second.
    n_first : int
        Runs of the first arm.

    Returns
    -------
    float
        Above 0, up to 1.

    References
    ----------
    Pagano and Tritchler (1983), JASA 78, 435-440.

    Examples
    --------
    >>> deals_on_lattice(np.array([7, 8, 9, 1, 2, 3]), 3)
    0.1
    """
    values = runs - runs.min()
    n, total, reach = len(values), int(values.sum()), _reach(values, n_first)
    ways = np.zeros((n_first + 1, reach + 1))
    ways[0, 0] = 1.0
    for value in values:
        ways[1:, value:] += ways[:-1, : reach + 1 - value]
    # The difference of means times the sizes of both arms is a whole number, so that ties are exact.
    difference = np.arange(reach + 1) * n - total * n_first
    observed = abs(int(values[:n_first].sum()) * n - total * n_first)
    far = np.abs(difference) >= observed
    return min(1.0, float(ways[n_first, far].sum() / ways[n_first].sum()))


def fits_on_lattice(runs: NDArray[np.int64], n_first: int) -> bool:
    """Say whether the table of `deals_on_lattice` has no more than `MOST_CELLS` entries."""
    return (n_first + 1) * (_reach(runs - runs.min(), n_first) + 1) <= MOST_CELLS


def _reach(values: NDArray[np.int64], n_first: int) -> int:
    """Largest sum that the first arm can have."""
    return int(np.sort(values)[len(values) - n_first :].sum())


def flips(d: NDArray[np.float64], *, tolerance: float) -> float:
    """Share of the sign assignments whose sum is at least as far from 0 as the sum of `d`, for any scores.

    Parameters
    ----------
    d : ndarray, shape (S,)
        One difference per seed, at most `MOST_FLIPS` of them.
    tolerance : float
        Sums that are this close tie.

    Returns
    -------
    float
        Above 0, up to 1.

    References
    ----------
    Horowitz and Sahni (1974), Journal of the ACM 21, 277-292 (sums over the subsets of two halves).

    Examples
    --------
    >>> flips(np.array([0.1, 0.2, 0.3]), tolerance=1e-12)
    0.25
    """
    least = abs(float(d.sum())) - tolerance
    if least <= 0:
        return 1.0
    half = len(d) // 2
    first, second = (np.sort(_signed_sums(part)) for part in (d[:half], d[half:]))
    # Every assignment has a mirror image on the other side of 0.
    return _pairs_from(first, second, least) * 2.0 ** (1 - len(d))


def deals(runs: NDArray[np.float64], n_first: int, *, tolerance: float) -> float:
    """Share of the ways to deal the trials whose difference of means is at least as far from 0, for any scores.

    Parameters
    ----------
    runs : ndarray, shape (S_t + S_b,)
        The trials of the first arm, then those of the second, at most `MOST_DEALS` together.
    n_first : int
        Runs of the first arm.
    tolerance : float
        Differences of means that are this close tie.

    Returns
    -------
    float
        Above 0, up to 1.

    References
    ----------
    Horowitz and Sahni (1974), Journal of the ACM 21, 277-292 (sums over the subsets of two halves).

    Examples
    --------
    >>> deals(np.array([0.7, 0.8, 0.9, 0.1, 0.2, 0.3]), 3, tolerance=1e-12)
    0.1
    """
    n, values = len(runs), runs - runs.mean()
    least = _least_sum(values, n_first, tolerance)
    if least <= 0:
        return 1.0
    first, second = _sums_by_number(values[: n // 2]), _sums_by_number(values[n // 2 :])
    count = 0
    for number, sums in enumerate(first):
        if 0 <= n_first - number < len(second):
            rest = second[n_first - number]
            count += _pairs_from(sums, rest, least) + _pairs_from(-sums[::-1], -rest[::-1], least)
    return count / math.comb(n, n_first)


def drawn_flips(d: NDArray[np.float64], *, tolerance: float, rng: np.random.Generator, resamples: int) -> float:
    """Monte Carlo p-value of `flips`: ``(k + 1) / (resamples + 1)`` with k draws that are as far from 0.

    Parameters
    ----------
    d : ndarray, shape (S,)
        One difference per seed.
    tolerance : float
        Sums that are this close tie.
    rng : numpy.random.Generator
    resamples : int
        Draws, at least 1.

    Returns
    -------
    float
        Never 0: the observed assignment is one of those that the null hypothesis could have given.

    References
    ----------
    Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, article 39.
    """
    least, count = abs(float(d.sum())) - tolerance, 0
    for start in range(0, resamples, _BLOCK):
        heads = rng.integers(0, 2, size=(min(_BLOCK, resamples - start), len(d)), dtype=np.int8)
        count += int(np.count_nonzero(np.abs((2.0 * heads - 1.0) @ d) >= least))
    return (count + 1) / (resamples + 1)


def drawn_deals(
    runs: NDArray[np.float64], n_first: int, *, tolerance: float, rng: np.random.Generator, resamples: int
) -> float:
    """Monte Carlo p-value of `deals`: ``(k + 1) / (resamples + 1)`` with k draws that are as far from 0.

    Parameters
    ----------
    runs : ndarray, shape (S_t + S_b,)
        The trials of the first arm, then those of the second.
    n_first : int
        Runs of the first arm.
    tolerance : float
        Differences of means that are this close tie.
    rng : numpy.random.Generator
    resamples : int
        Draws, at least 1.

    Returns
    -------
    float
        Never 0.

    References
    ----------
    Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, article 39.
    """
    values, count = runs - runs.mean(), 0
    least = _least_sum(values, n_first, tolerance)
    for start in range(0, resamples, _BLOCK):
        block = np.broadcast_to(values, (min(_BLOCK, resamples - start), len(values)))
        sums = rng.permuted(block, axis=1)[:, :n_first].sum(axis=1)
        count += int(np.count_nonzero(np.abs(sums) >= least))
    return (count + 1) / (resamples + 1)


def check_resamples(resamples: int) -> None:
    """Refuse a number of draws below 1."""
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")


def needed_generator(rng: np.random.Generator | None, too_many: str, most: int) -> np.random.Generator:
    """Return the generator, or say that rearrangements must be drawn and why."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"{too_many}, too many to count every rearrangement (at most {most}): pass rng, a "
            f"numpy.random.Generator, to draw some, or n_examples with numbers of right answers; got rng={rng!r}"
        )
    return rng


def _least_sum(values: NDArray[np.float64], n_first: int, tolerance: float) -> float:
    """Smallest absolute sum of the first arm that counts: of scores around 0 it fixes the difference of means."""
    return abs(float(values[:n_first].sum())) - tolerance * n_first * (len(values) - n_first) / len(values)


def _signed_sums(d: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _sums_by_number(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Sorted sums over all subsets; entry ``k`` holds those of ``k`` values."""
    sums = [np.zeros(1)]
    for value in values:
        added = [part + value for part in sums]
        sums = [sums[0], *(np.concatenate(pair) for pair in zip(sums[1:], added[:-1], strict=True)), added[-1]]
    return [np.sort(part) for part in sums]


def _pairs_from(first: NDArray[np.float64], second: NDArray[np.float64], least: float) -> int:
    """Pairs, one sum of each sorted array, that add up to at least `least`."""
    return len(first) * len(second) - int(np.searchsorted(second, least - first, side="left").sum())
