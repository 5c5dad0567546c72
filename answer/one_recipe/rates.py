"""Rates: how often a test claims a gap between a recipe and itself, with limits for a pool of seeds that is finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.methods.clopper_pearson import clopper_pearson
from analysis.methods.interval import NO_INTERVAL, Interval
from answer.one_recipe.methods import METHODS, Claims, Method, pooled_any, pooled_first
from answer.one_recipe.splits import Block, blocks, is_complete
from calibration.counts import CONFIDENCE

DRAWS = 10_000
N_SEEDS = (1, 3, 5, 8, 10, 20)
SMALL_TEST_SET = 300
SMALL_N_SEEDS = (1, 3, 5, 10)
SEVERAL = (3, 5)
"""How many "methods" there are where the pooled test judges them."""

SEED = 20261129
"""All draws follow from this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The share of splits in which something is claimed.

    Parameters
    ----------
    share : float
    interval : Interval
        95% limits, for other seeds of the recipe and other draws, on these examples; NaN where nothing was claimed, or
        everything was.
    lower : float
        The one-sided lower limit that promises are held against in docs/calibration.md: among many rates, chance alone
        lifts about none of these limits above the true rate.
    """

    share: float
    interval: Interval
    lower: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One test at one size.

    Parameters
    ----------
    method : str
    n_methods, n_seeds, n_examples : int
    rate : Rate
    """

    method: str
    n_methods: int
    n_seeds: int
    n_examples: int
    rate: Rate


def sizes(n_pool: int, n_seeds: Sequence[int] = N_SEEDS, *, n_methods: int = 2) -> tuple[int, ...]:
    """Return the numbers of seeds for which a split takes at most half of the pool.

    Examples
    --------
    >>> sizes(20), sizes(40), sizes(200), sizes(40, n_methods=5)
    ((1, 3, 5), (1, 3, 5, 8, 10), (1, 3, 5, 8, 10, 20), (1, 3))
    """
    return tuple(S for S in n_seeds if 2 * n_methods * S <= n_pool)


def count_two(
    right: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    n_seeds: Sequence[int],
    n_examples: int | None = None,
    draws: int = DRAWS,
    methods: Sequence[Method] = METHODS,
) -> Iterator[Cell]:
    """Count tests of two "methods".

    Parameters
    ----------
    right : ndarray of bool, shape (P, N)
        Whether each run of the pool is right on each example.
    rng : numpy.random.Generator
    n_seeds : sequence of int
        Runs of each "method", each of them `sizes` of the pool.
    n_examples : int or None
        How many examples are drawn; all of them where None.
    draws : int
    methods : sequence of Method
    """
    for S in n_seeds:
        tests = {method.name: method.claims for method in methods if method.takes(S)}
        rates = _count(right, rng, tests, n_seeds=S, n_examples=n_examples, draws=draws)
        for name, rate in rates.items():
            yield Cell(method=name, n_methods=2, n_seeds=S, n_examples=n_examples or right.shape[1], rate=rate)


FIRST, ANY = "one comparison", "any of them, corrected"


def count_pooled(
    right: NDArray[np.bool_], rng: np.random.Generator, *, margin: float, draws: int = DRAWS
) -> Iterator[Cell]:
    """Count the pooled test of several "methods" against the last of them.

    Parameters
    ----------
    right : ndarray of bool, shape (P, N)
        Whether each run of the pool is right on each example.
    rng : numpy.random.Generator
    margin : float
        Of equivalence, as a share; the correction takes in both questions.
    draws : int
    """
    for K in SEVERAL:
        for S in sizes(len(right), N_SEEDS[1:], n_methods=K):
            tests: dict[str, Callable[[Block], Claims]] = {FIRST: pooled_first, ANY: partial(pooled_any, margin=margin)}
            rates = _count(right, rng, tests, n_methods=K, n_seeds=S, draws=draws)
            for name, rate in rates.items():
                yield Cell(method=name, n_methods=K, n_seeds=S, n_examples=right.shape[1], rate=rate)


def _count(
    right: NDArray[np.bool_],
    rng: np.random.Generator,
    tests: dict[str, Callable[[Block], Claims]],
    *,
    n_methods: int = 2,
    n_seeds: int,
    n_examples: int | None = None,
    draws: int,
) -> dict[str, Rate]:
    parts = blocks(right, n_methods=n_methods, n_seeds=n_seeds, n_examples=n_examples, draws=draws, rng=rng)
    claims: dict[str, list[Claims]] = {name: [] for name in tests}
    drawn = []
    for block in parts:
        drawn.append(block.methods.reshape(len(block.methods), -1))
        for name, test in tests.items():
            claims[name].append(test(block))
    complete = is_complete(n_methods=n_methods, n_seeds=n_seeds, n_examples=n_examples)
    runs = np.concatenate(drawn)
    return {name: rate_of(made, runs, n_pool=len(right), complete=complete) for name, made in claims.items()}


def rate_of(claims: Sequence[Claims], runs: NDArray[np.int64], *, n_pool: int, complete: bool = False) -> Rate:
    """Return the share of splits with a claim, and its limits.

    Splits share seeds, and so a pool of P seeds tells less than as many splits of fresh seeds would. A delete-one
    jackknife over seeds needs no new draws: without a seed, the splits that do not hold it remain. Chance alone makes
    these shares scatter, since not every split is drawn; what that adds is known and taken off. The variance between
    blocks is that of the draws. The limits are those of Clopper and Pearson, at the number of independent studies that
    would be as sure.

    Parameters
    ----------
    claims : sequence of ndarray of bool
        By block, for each split whether there is a claim; two blocks or more, unless `complete`.
    runs : ndarray of int, shape (M, K * S)
        The runs of the pool in each split, over all blocks.
    n_pool : int
        P, more than K * S.
    complete : bool
        Whether every possible split was drawn, so that there is no error of the draws.

    References
    ----------
    Efron and Stein (1981), Annals of Statistics 9, 586-596: the jackknife's variance is on average no smaller than the
    true one. Wager, Hastie and Efron (2014), Journal of Machine Learning Research 15, 1625-1651: taking off what a
    finite number of draws adds. Korn and Graubard (1998), Survey Methodology 24, 193-201: the limits.
    """
    claimed = np.concatenate(claims).astype(np.float64)
    M, m, P = len(claimed), runs.shape[1], n_pool
    share = float(claimed.mean())
    if share in (0.0, 1.0):
        return Rate(share=share, interval=NO_INTERVAL, lower=share)
    holding = np.bincount(runs.ravel(), minlength=P)
    claimed_holding = np.bincount(runs.ravel(), weights=np.repeat(claimed, m), minlength=P)
    without = (claimed.sum() - claimed_holding) / (M - holding)
    variance = (P - 1) / P * float(np.square(without - without.mean()).sum())
    if not complete:
        by_chance = share * (1 - share) / M * m * (P - 1) / (P - m)
        by_block = np.array([block.mean() for block in claims])
        variance = max(variance - by_chance, 0.0) + float(by_block.var(ddof=1)) / len(claims)
    # Where no seed matters at all, the splits are all there is to be unsure of.
    as_sure_as = share * (1 - share) / max(variance, share * (1 - share) / M)
    hits = share * as_sure_as
    return Rate(
        share=share,
        interval=clopper_pearson(hits, as_sure_as, tail=0.025),
        lower=clopper_pearson(hits, as_sure_as, tail=1 - CONFIDENCE).low,
    )


def streams(count: int) -> list[np.random.Generator]:
    """Return generators for the parts of the page, so that none depends on what another draws."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(SEED).spawn(count)]
