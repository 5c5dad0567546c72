"""Rates of false claims: near the level where a test keeps it, and with limits that know how small the pool is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from answer.one_recipe.rates import count_pooled, count_two, rate_of, sizes
from answer.one_recipe.splits import BLOCK, blocks
from calibration.regimes import Regime, draw_arms


def pool(seed_sd: float, *, seeds: int = 60, examples: int = 400) -> NDArray[np.bool_]:
    regime = Regime(name="arms alike", seed_sd=seed_sd, by_example=0.0)
    return draw_arms(regime, seeds, np.random.default_rng(4), gaps=(0.0,), n_examples=examples)[-1]


def test_tests_that_forget_the_seeds_claim_too_much_and_the_others_do_not() -> None:
    cells = count_two(pool(0.03), np.random.default_rng(5), n_seeds=(1, 3, 5, 10), draws=2000)
    shares = {(cell.method, cell.n_seeds): cell.rate.share for cell in cells}
    for forgets in ("McNemar's exact test", "McNemar's mid-p", "bootstrap over examples"):
        assert shares[forgets, 1] > 0.2
    for n_seeds in (3, 5, 10):
        assert shares["bootstrap over examples", n_seeds] > 0.25
        for keeps in ("paired t", "Welch's t", "crossed t (paired)", "crossed t (unpaired)"):
            assert 0.01 < shares[keeps, n_seeds] < 0.075
    assert shares["paired t", 5] == pytest.approx(0.05, abs=0.02)
    # Resampling a few noisy seeds makes them look calmer than they are.
    assert shares["multi-bootstrap", 3] > shares["multi-bootstrap", 10]
    assert shares["Wilcoxon's rank sum", 3] < 0.01
    assert 0.02 < shares["Wilcoxon's rank sum", 10] < 0.06


def test_without_a_seed_effect_every_test_keeps_its_level() -> None:
    right = pool(0.0)
    for cell in count_two(right, np.random.default_rng(6), n_seeds=(1, 5), draws=2000):
        assert cell.rate.share < 0.09, cell
    for cell in count_two(right, np.random.default_rng(6), n_seeds=(1, 5), n_examples=150, draws=2000):
        assert (cell.rate.share, cell.n_examples) < (0.09, 151), cell


def test_several_methods_are_judged_where_the_pool_is_large_enough() -> None:
    cells = list(count_pooled(pool(0.02, examples=300), np.random.default_rng(7), margin=0.01, draws=1000))
    assert {(cell.n_methods, cell.n_seeds) for cell in cells} == {(3, 3), (3, 5), (3, 8), (3, 10), (5, 3), (5, 5)}
    assert all(cell.rate.share < 0.09 for cell in cells)


def test_the_limits_are_a_jackknife_over_seeds() -> None:
    counts = np.random.default_rng(8).normal(size=12)
    runs = np.stack(np.triu_indices(12, 1), axis=1)

    def share(kept: NDArray[np.int64]) -> float:
        far = [abs(counts[one] - counts[other]) > 1 for one, other in runs if one in kept and other in kept]
        return float(np.mean(far))

    everyone = np.arange(12)
    without = np.array([share(np.delete(everyone, number)) for number in everyone])
    variance = 11 / 12 * np.square(without - without.mean()).sum()
    rate = rate_of([np.abs(np.diff(counts[runs], axis=1)[:, 0]) > 1], runs, n_pool=12, complete=True)
    assert rate.share == share(everyone)
    # Clopper and Pearson's limits are a little wider than twice the standard error to each side.
    half = (rate.interval.high - rate.interval.low) / 2
    assert 1.9 * np.sqrt(variance) < half < 2.3 * np.sqrt(variance)
    assert rate.lower < rate.interval.low < rate.share < rate.interval.high


def drawn_runs(rng: np.random.Generator, n_pool: int) -> NDArray[np.int64]:
    return rng.permuted(np.broadcast_to(np.arange(n_pool), (10_000, n_pool)), axis=1)[:, :10]


def test_splits_are_as_good_as_studies_where_no_seed_matters_and_worth_little_where_one_does() -> None:
    rng = np.random.default_rng(9)
    runs = drawn_runs(rng, 40)
    by_chance = np.split(rng.random(10_000) < 0.05, 20)
    calm = rate_of(by_chance, runs, n_pool=40)
    assert calm.interval.high - calm.interval.low < 0.03
    of_one_seed = np.split((runs == 7).any(axis=1), 20)
    wide = rate_of(of_one_seed, runs, n_pool=40)
    assert wide.share == pytest.approx(0.25, abs=0.02)
    assert wide.interval.high - wide.interval.low > 0.4


@pytest.mark.parametrize("claims", [False, True])
def test_a_rate_of_none_or_all_has_no_limits(claims: bool) -> None:
    runs = drawn_runs(np.random.default_rng(10), 40)
    rate = rate_of(np.split(np.full(10_000, claims), 20), runs, n_pool=40)
    assert (rate.share, rate.lower) == (float(claims), float(claims))
    assert np.isnan(rate.interval).all()


def test_splits_take_no_seed_twice_and_every_pair_once() -> None:
    right = pool(0.01, seeds=24, examples=50)
    rng = np.random.default_rng(11)
    several = list(blocks(right, n_methods=3, n_seeds=4, n_examples=20, draws=2 * BLOCK, rng=rng))
    assert [block.right.shape for block in several] == [(24, 20)] * 2
    assert not np.array_equal(several[0].right, several[1].right)
    for block in several:
        assert all(len(set(split.ravel())) == 12 for split in block.methods)
    pairs = [
        tuple(sorted(pair))
        for block in blocks(right, n_seeds=1, draws=BLOCK, rng=rng)
        for pair in block.methods[..., 0]
    ]
    assert sorted(pairs) == sorted(set(pairs))
    assert len(pairs) == 24 * 23 // 2


@pytest.mark.parametrize(("n_seeds", "draws"), [(13, BLOCK), (3, BLOCK + 1)])
def test_what_cannot_be_drawn_is_refused(n_seeds: int, draws: int) -> None:
    with pytest.raises(ValueError, match=f"at most 24 seeds and a multiple of {BLOCK} draws, got 2 x {n_seeds}"):
        next(blocks(pool(0.0, seeds=24, examples=20), n_seeds=n_seeds, draws=draws, rng=np.random.default_rng(0)))


def test_a_split_takes_at_most_half_of_the_pool() -> None:
    assert sizes(20) == (1, 3, 5)
    assert sizes(199) == (1, 3, 5, 8, 10, 20)
    assert sizes(30, (3, 5), n_methods=5) == (3,)
