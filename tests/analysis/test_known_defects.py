"""Defects seen in well-known packages, each with a test that would fail here if this one had it too."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from analysis.methods.bca import bca_interval
from analysis.methods.bootstrap import bootstrap_study, multi_bootstrap
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import non_inferiority, tost
from analysis.methods.label_permutation import label_permutation
from analysis.methods.mcnemar import mcnemar_from_counts
from analysis.methods.multiplicity import benjamini_hochberg, holm
from analysis.methods.proportions import newcombe_interval
from analysis.methods.sign_flip import sign_flip

Scores = NDArray[np.float64]


def arms(rng: np.random.Generator, *, seeds: int = 6, examples: int = 200) -> tuple[Scores, Scores]:
    ease = rng.normal(size=examples)
    runs = [(ease + rng.normal(0, 0.4, (seeds, examples)) > -1.2).astype(np.float64) for _ in range(2)]
    return runs[0], runs[1]


def test_a_seed_is_used_and_seed_0_is_a_seed(rng: np.random.Generator) -> None:
    y = arms(rng)
    several = [multi_bootstrap(*y, paired=True, rng=np.random.default_rng(seed), resamples=199) for seed in (0, 0, 1)]
    assert several[0] == several[1]
    assert several[0].bootstrap_se != several[2].bootstrap_se
    d = (y[0] - y[1]).mean(axis=0)
    limits = [bca_interval(d, rng=np.random.default_rng(seed), resamples=199).low for seed in (0, 0, 1)]
    assert limits[0] == limits[1] != limits[2]
    many = rng.random((2, 50))
    drawn = [sign_flip(*many, rng=np.random.default_rng(seed), resamples=5000).p_value for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_resampling_loop_seeds_anew_or_touches_the_global_state(rng: np.random.Generator) -> None:
    y = arms(rng)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    generator = np.random.default_rng(7)
    first = multi_bootstrap(*y, paired=True, rng=generator, resamples=199)
    second = multi_bootstrap(*y, paired=True, rng=generator, resamples=199)
    # A loop that seeds itself would draw the same twice from one generator.
    assert first.bootstrap_se != second.bootstrap_se
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert (before == after).all()


def test_a_paired_bootstrap_draws_the_same_examples_for_both_arms(rng: np.random.Generator) -> None:
    y, _ = arms(rng)
    other = y.copy()
    other[:, :3] = 1 - other[:, :3]
    joint = multi_bootstrap(other, y, paired=True, rng=np.random.default_rng(0), resamples=999)
    # Two arms that differ on three examples: drawn apart, their accuracies would vary as if they had none in common.
    apart = np.sqrt(2 * y.mean() * (1 - y.mean()) / y.shape[1])
    assert joint.bootstrap_se < 0.5 * apart
    by_study = bootstrap_study({"t": other, "b": y}, [("t", "b")], rng=np.random.default_rng(0), resamples=999)
    assert by_study["t", "b"].bootstrap_se < 0.5 * apart


def test_adjusted_p_values_come_back_in_the_order_that_they_came_in() -> None:
    p = [0.04, 0.001, 0.03, 0.02]
    assert holm(p).tolist() == pytest.approx([0.06, 0.004, 0.06, 0.06])
    assert benjamini_hochberg(p).tolist() == pytest.approx([0.04, 0.004, 0.04, 0.04])


def test_a_two_sided_question_looks_at_both_sides(rng: np.random.Generator) -> None:
    y = arms(rng)
    result = crossed_test(*y, paired=True)
    in_its_direction = float(special.stdtr(result.df, -abs(result.statistic)))
    assert result.p_value == pytest.approx(2 * in_its_direction)
    assert sign_flip([9, 8, 9, 8, 9], [1, 1, 2, 1, 1], n_examples=10).p_value == 2 / 2**5
    # A one-sided test keeps the side that was asked for, whatever the data showed.
    assert non_inferiority(-0.05, 0.01, 20, margin=0.01).p_value > 0.99
    assert tost(-0.05, 0.01, 20, margin=0.01).p_lower > 0.99


def test_a_difference_is_centred_before_its_size_is_taken() -> None:
    """A bootstrap of |difference| that forgets to centre compares a gap with itself: p is near .5 for any gap."""
    rng = np.random.default_rng(3)
    rejected = found = 0
    for _ in range(200):
        d = rng.normal(0, 1, (20, 60)) + rng.normal(0, 1, (20, 1)) + rng.normal(0, 1, 60)
        null = multi_bootstrap(d, 0 * d, paired=True, rng=rng, resamples=199)
        real = multi_bootstrap(d + 1.5, 0 * d, paired=True, rng=rng, resamples=199)
        rejected += null.p_studentised <= 0.05
        found += real.p_studentised <= 0.05
    assert rejected <= 22  # 99.9% limit of a rate of .06
    assert found >= 180


def test_tied_accuracies_count_as_at_least_as_far() -> None:
    # All 32 sign assignments have |sum| of 5 d, 3 d or d: the two extreme ones tie with the observed one.
    accuracies = [0.9, 0.9, 0.9, 0.9, 0.9]
    assert sign_flip(accuracies, [0.8, 0.8, 0.8, 0.8, 0.8]).p_value == 2 / 32
    assert label_permutation([0.9, 0.9, 0.9], [0.8, 0.8, 0.8]).p_value == 2 / 20
    assert sign_flip([0.3, 0.1], [0.1, 0.3]).p_value == 1.0


def test_a_paired_gap_is_judged_as_paired() -> None:
    # Both arms are right on 850 of 1000 examples, one alone on 40: unpaired the gap would not leave out 0.
    paired = newcombe_interval(850, 30, 10, 110)
    p_t, p_b = 0.88, 0.86
    unpaired = 1.96 * np.sqrt(p_t * (1 - p_t) / 1000 + p_b * (1 - p_b) / 1000)
    assert (paired.high - paired.low) / 2 < 0.5 * unpaired
    assert 0.02 - unpaired < 0 < paired.low
    rng = np.random.default_rng(4)
    y = np.repeat(rng.random((1, 400)) < 0.7, 4, axis=0).astype(np.float64)
    better = np.maximum(y, (rng.random((4, 400)) < 0.03).astype(np.float64))
    result = crossed_test(better, y, paired=True)
    assert result.standard_error < 0.5 * np.sqrt(2 * 0.7 * 0.3 / 400)


def test_no_resampled_p_is_0() -> None:
    rng = np.random.default_rng(5)
    d = 1.0 + 0.01 * rng.normal(size=(10, 50))
    result = multi_bootstrap(d, 0 * d, paired=True, rng=rng, resamples=99)
    assert min(result.p_percentile, result.p_studentised) >= 1 / 100
    wide = 1.0 + 0.01 * rng.normal(size=45)
    assert sign_flip(wide, 0 * wide, rng=rng, resamples=99).p_value == 1 / 100
    assert label_permutation(wide, 0 * wide, rng=rng, resamples=99).p_value == 1 / 100


def test_equal_discordant_counts_give_p_1() -> None:
    # A continuity correction, (|b - c| - 1)^2 / (b + c), finds 1 / (b + c) here.
    for b in (1, 4, 10):
        assert mcnemar_from_counts(b, b, n=100).p_exact == 1.0


def test_a_variance_is_divided_by_the_number_of_seeds_once() -> None:
    rng = np.random.default_rng(6)
    # A seed effect alone: the standard error is that of a mean over seeds.
    shift = rng.normal(0, 0.02, (12, 1))
    d = np.broadcast_to(shift, (12, 300))
    expected = shift.std(ddof=1) / np.sqrt(12)
    assert crossed_test(d, 0 * d, paired=True).standard_error == pytest.approx(expected, rel=1e-9)
    bootstrapped = multi_bootstrap(d, 0 * d, paired=True, rng=rng, resamples=20_000)
    # A bootstrap's variance over S seeds is (S - 1) / S of the unbiased one, and not a twelfth of it.
    assert bootstrapped.bootstrap_se == pytest.approx(expected * np.sqrt(11 / 12), rel=0.03)
