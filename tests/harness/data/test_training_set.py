"""Training sets: one for all seeds, or one drawn by each seed; the hold-out is a part of it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.training_set import drawn_ids, training_set
from harness.errors import DataError
from harness.study.settings import Arm, BestEpoch
from harness.study.trials import Trial

N = 100


def trial(seed: int = 0, arm: str = "full", *, resample: float | None = None, fraction: float | None = None) -> Trial:
    holdout = None if fraction is None else BestEpoch(best="loss", fraction=fraction)
    made = {"arm": arm, "seed": seed, "holdout": holdout, "resample": resample}
    return Trial(**made, settings=Arm(), tuning=False, content={}, key=f"v2-{arm}")  # type: ignore[arg-type]


def test_without_resampling_every_trial_takes_all() -> None:
    for seed in range(3):
        own = training_set(trial(seed), N)
        assert own.held is None
        np.testing.assert_array_equal(own.kept, np.arange(N))
        np.testing.assert_array_equal(own.drawn, np.arange(N))
    assert drawn_ids(trial(), ["a", "b"]) is None


def test_a_hold_out_is_drawn_once_and_shares_nothing() -> None:
    own, again = (training_set(trial(seed, arm, fraction=0.1), N) for seed, arm in ((0, "full"), (1, "lora")))
    assert own.held is not None
    assert again.held is not None
    assert (len(own.kept), len(own.held)) == (90, 10)
    assert sorted([*own.kept, *own.held]) == list(range(N))
    np.testing.assert_array_equal(own.kept, again.kept)
    np.testing.assert_array_equal(own.held, again.held)
    assert own.held.tolist() == sorted(own.held)
    assert own.held.tolist() != list(range(10))


def test_each_seed_draws_its_own_training_set_and_all_arms_of_it_the_same() -> None:
    own = [training_set(trial(seed, resample=0.4), N) for seed in range(6)]
    for seed, one in enumerate(own):
        assert one.held is None
        assert len(set(one.kept.tolist())) == len(one.kept) == 40
        assert one.kept.tolist() == sorted(one.kept)
        np.testing.assert_array_equal(one.kept, training_set(trial(seed, "lora", resample=0.4), N).kept)
        assert drawn_ids(trial(seed, resample=0.4), [f"id-{i}" for i in range(N)]) == tuple(f"id-{i}" for i in one.kept)
    assert len({tuple(one.kept.tolist()) for one in own}) == 6


def test_the_draw_is_pinned() -> None:
    # Another one would give other trained models under the same keys.
    assert training_set(trial(3, resample=0.5), 8).kept.tolist() == [0, 1, 6, 7]


def test_a_draw_is_a_simple_random_sample() -> None:
    # Without replacement each example is drawn with chance f, and each pair with f (m - 1) / (n - 1).
    drawn = np.zeros((4000, 10), dtype=bool)
    for seed, row in enumerate(drawn):
        row[training_set(trial(seed, resample=0.4), 10).kept] = True
    together = drawn.T.astype(float) @ drawn / len(drawn)
    pairs = together[~np.eye(10, dtype=bool)]
    assert np.abs(np.diag(together) - 0.4).max() < 4 * np.sqrt(0.24 / 4000)
    assert np.abs(pairs - 0.4 * 3 / 9).max() < 4.5 * np.sqrt(0.133 * 0.867 / 4000)


def test_the_hold_out_is_a_part_of_what_the_seed_drew() -> None:
    whole = training_set(trial(2, resample=0.5), N)
    own = training_set(trial(2, resample=0.5, fraction=0.2), N)
    assert own.held is not None
    assert (len(own.kept), len(own.held)) == (40, 10)
    np.testing.assert_array_equal(own.drawn, whole.kept)
    assert not set(own.kept) & set(own.held)
    other = training_set(trial(3, resample=0.5, fraction=0.2), N)
    assert other.held is not None
    assert set(other.held) != set(own.held)


def test_two_seeds_share_the_fraction_and_vary_less_by_it() -> None:
    """What the tables say of one pool: the variance between its subsets lacks the share f of that between new ones.

    For a mean over the training set: (1 - f) S^2 / m, with S^2 of the pool (Cochran 1977, theorem 2.2); training sets
    that are collected anew have S^2 / m.
    """
    pool = np.random.default_rng(5).normal(size=60)
    for fraction in (0.25, 0.5, 0.8):
        sets = [training_set(trial(seed, resample=fraction), 60).kept for seed in range(3000)]
        shared = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(sets[:-1:2], sets[1::2], strict=True)]
        assert np.mean(shared) == pytest.approx(fraction, abs=0.01)
        means = np.array([pool[places].mean() for places in sets])
        anew = pool.var(ddof=1) / len(sets[0])
        assert means.var(ddof=1) / anew == pytest.approx(1 - fraction, rel=0.1)
        assert means.mean() == pytest.approx(pool.mean(), abs=4 * np.sqrt(anew / 3000))


def test_a_smaller_fraction_is_part_of_a_larger_one() -> None:
    small, large = (training_set(trial(5, resample=fraction), N).kept for fraction in (0.2, 0.6))
    assert set(small) < set(large)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
@pytest.mark.parametrize("resample", [None, 0.5])
def test_a_hold_out_that_leaves_a_part_empty_is_refused(fraction: float, resample: float | None) -> None:
    n = 8 if resample is None else 16
    with pytest.raises(DataError, match="of 8 training examples leaves one of the two parts empty"):
        training_set(trial(resample=resample, fraction=fraction), n)
