from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from analysis.methods.hartley import largest_ratio_p_value
from analysis.methods.sphericity import difference_spread


def test_the_ratio_is_that_of_the_differences() -> None:
    means = np.random.default_rng(1).normal(size=(5, 6))
    sds = {pair: np.std(means[pair[0]] - means[pair[1]], ddof=1) for pair in combinations(range(5), 2)}
    spread = difference_spread(means, rng=np.random.default_rng(2))
    assert (spread.most, spread.least) == (max(sds, key=sds.__getitem__), min(sds, key=sds.__getitem__))
    assert spread.ratio == pytest.approx(max(sds.values()) / min(sds.values()))
    # What a seed does to all arms alike moves no difference, and a scale no ratio.
    moved = difference_spread(3 * means + np.arange(6), rng=np.random.default_rng(2))
    assert (moved.ratio, moved.p_value) == pytest.approx((spread.ratio, spread.p_value))


@pytest.mark.parametrize(("n_arms", "n_seeds"), [(3, 4), (5, 8)])
def test_the_p_value_is_uniform_where_every_two_arms_differ_alike(n_arms: int, n_seeds: int) -> None:
    rng = np.random.default_rng(n_arms)
    shared = rng.normal(size=(200, 1, n_seeds))
    p = [
        difference_spread(means, rng=rng, draws=200).p_value
        for means in shared + rng.normal(size=(200, n_arms, n_seeds))
    ]
    for level in (0.1, 0.3, 0.6):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 200))


def test_large_ratios_are_rarer_than_among_independent_mean_squares() -> None:
    # Differences that share an arm move together; Hartley's law is the bound.
    rng = np.random.default_rng(3)
    spread = difference_spread(rng.normal(size=(3, 9)), rng=rng, draws=4000)
    assert spread.p_value <= largest_ratio_p_value(spread.ratio**2, df=[8] * 3) + 0.02


def test_arms_that_share_the_luck_of_a_seed_and_a_baseline_that_does_not_are_found() -> None:
    rng = np.random.default_rng(4)
    shared = rng.normal(size=12)
    treatments = np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=(3, 12))
    spread = difference_spread([rng.normal(size=12), *treatments], rng=rng)
    assert 0 in spread.most
    assert 0 not in spread.least
    assert spread.ratio > 2
    assert spread.p_value < 0.05


def test_arms_that_never_differ() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.normal(0.9, 0.01, size=(2, 6))
    spread = difference_spread([one, one, other], rng=rng)
    assert (spread.least, math.isinf(spread.ratio)) == ((0, 1), True)
    assert spread.p_value < 0.001
    still = difference_spread([one, one, one], rng=rng)
    assert math.isnan(still.ratio)
    assert still.p_value == 1


@pytest.mark.parametrize("shape", [(2, 5), (3, 1), (3,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three arms or more with two seeds or more"):
        difference_spread(np.zeros(shape), rng=np.random.default_rng(0))
