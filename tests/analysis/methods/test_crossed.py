from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.variance import pooled_seed_spread


@pytest.mark.parametrize("n_seeds", [2, 3, 4, 9])
@pytest.mark.parametrize("paired", [True, False])
def test_seeds_that_change_nothing_leave_the_paired_t_over_examples(n_seeds: int, paired: bool) -> None:
    rng = np.random.default_rng(3)
    one_t, one_b = rng.normal(0.4, 1, 31), rng.normal(0, 1, 31)
    result = crossed_test(np.tile(one_t, (n_seeds, 1)), np.tile(one_b, (n_seeds, 1)), paired=paired)
    expected = stats.ttest_rel(one_t, one_b)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.df == pytest.approx(30, rel=1e-12)
    assert "the seeds changed nothing" in result.reason
    if paired:
        assert result.other_p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_examples_that_change_nothing_leave_the_paired_t_over_seeds() -> None:
    rng = np.random.default_rng(4)
    r_t, r_b = rng.normal(0.5, 1, 8), rng.normal(0, 1, 8)
    result = crossed_test(np.tile(r_t[:, None], 50), np.tile(r_b[:, None], 50), paired=True)
    expected = stats.ttest_rel(r_t, r_b)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.df == pytest.approx(7, rel=1e-9)
    low, high = expected.confidence_interval(0.9)
    assert result.interval(0.9) == pytest.approx((low, high), rel=1e-9)


def test_examples_that_change_nothing_leave_welch_between_independent_seeds() -> None:
    rng = np.random.default_rng(5)
    r_t, r_b = rng.normal(0.5, 1, 6), rng.normal(0, 3, 6)
    result = crossed_test(np.tile(r_t[:, None], 50), np.tile(r_b[:, None], 50), paired=False)
    # Where seeds are all that varies, counting their share with caution changes nothing.
    expected = stats.ttest_ind(r_t, r_b, equal_var=False)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.df == pytest.approx(expected.df, rel=1e-9)


def test_a_large_test_set_approaches_the_paired_t_over_seeds() -> None:
    rng = np.random.default_rng(6)
    right = np.array([0.85, 0.90, 0.87, 0.92, 0.80, 0.88])[:, None] + np.array([[[0.03]], [[0.0]]])
    right += rng.normal(scale=0.02, size=(2, 6, 1))
    y_t, y_b = rng.random((2, 6, 40_000)) < right
    result = crossed_test(y_t, y_b, paired=True, before_pooling=True)
    expected = stats.ttest_rel(y_t.mean(axis=1), y_b.mean(axis=1))
    assert result.p_value == pytest.approx(expected.pvalue, rel=0.02)


def test_the_design_decides_which_variant_is_used() -> None:
    rng = np.random.default_rng(7)
    y = rng.random((3, 9, 20))

    def designs(**options: bool) -> str:
        return "".join(crossed_test(y[0, :S], y[1, :S], paired=True, **options).design for S in range(1, 10))

    assert designs() == "BBBBBBBAA"
    assert designs(before_pooling=True) == "BBBAAAAAA"
    pooled = [crossed_test(y[0, :S], y[1, :S], paired=True, spread=pooled_seed_spread(list(y[:, :S]))) for S in (2, 3)]
    assert [(one.design, one.n_arms) for one in pooled] == [("B", 2), ("A", 3)]
    assert crossed_test(*y[:2], paired=False).design == "B"
    paired, unpaired = crossed_test(*y[:2], paired=True), crossed_test(*y[:2], paired=False)
    assert len({paired.p_value, paired.other_p_value, unpaired.p_value}) == 3
    assert (paired.paired, unpaired.paired) == (True, False)
    assert math.isnan(unpaired.other_p_value)
    assert paired.reason == unpaired.reason == ""


def test_up_to_seven_pairs_of_two_arms_are_judged_as_seeds_that_are_not_paired() -> None:
    y = np.random.default_rng(70).random((2, 8, 20))
    for S in range(2, 9):
        paired, unpaired = (crossed_test(y[0, :S], y[1, :S], paired=paired) for paired in (True, False))
        assert ((paired.p_value, paired.df) == (unpaired.p_value, unpaired.df)) == (S < 8)


@pytest.mark.parametrize(("S_t", "S_b"), [(1, 1), (1, 3), (3, 1)])
def test_one_seed_says_nothing_about_a_procedure(S_t: int, S_b: int) -> None:
    y = np.random.default_rng(10).random((4, 30))
    result = crossed_test(y[:S_t], y[:S_b] + 1, paired=False)
    assert result.estimate == pytest.approx(y[:S_t].mean() - y[:S_b].mean() - 1)
    unknown = [
        result.p_value,
        result.statistic,
        result.df,
        result.standard_error,
        result.other_p_value,
        result.components.seed,
        *result.interval(),
        *result.posterior(0.01),
        *result.components.seed_sd_interval,
    ]
    assert all(math.isnan(value) for value in unknown)
    assert "one seed" in result.reason


def test_two_seeds_give_an_interval() -> None:
    y = np.random.default_rng(11).random((2, 2, 30))
    result = crossed_test(*y, paired=True)
    low, high = result.interval()
    assert 0 < result.p_value < 1
    assert low < result.estimate < high
    assert result.design == "B"


def test_one_example_says_nothing_about_new_examples() -> None:
    result = crossed_test([[1.0], [2.0], [3.0], [4.0]], [[0.0], [0.5], [0.2], [0.1]], paired=True)
    assert math.isnan(result.p_value)
    assert "one test example" in result.reason


@pytest.mark.parametrize("paired", [True, False])
def test_without_any_variation(paired: bool) -> None:
    y = np.tile([0.1, 0.7, 0.3], (5, 1))
    same = crossed_test(y, y, paired=paired)
    assert (same.estimate, same.standard_error, same.p_value) == (0, 0, 1)
    assert all(math.isnan(value) for value in (*same.interval(), *same.posterior(0.01), same.df))
    assert "scored every example alike" in same.reason
    assert "the seeds changed nothing" in same.reason
    shifted = crossed_test(y + 0.2, y, paired=paired)
    assert shifted.estimate == pytest.approx(0.2)
    assert shifted.standard_error == 0
    assert math.isnan(shifted.p_value)
    assert "cannot be judged" in shifted.reason


def test_rounding_is_not_mistaken_for_variation() -> None:
    # The mean of three 0.1 is not 0.1 in floating point, and neither arm varies.
    result = crossed_test(np.full((3, 4), 0.1), np.full((2, 4), 0.1), paired=False)
    assert (result.standard_error, result.p_value) == (0, 1)


def test_the_reason_says_where_the_seeds_changed_nothing() -> None:
    rng = np.random.default_rng(12)
    varied, fixed = rng.random((5, 20)), np.tile(rng.random(20), (5, 1))
    assert crossed_test(varied, fixed, paired=True).reason == "the seeds changed nothing in the baseline"
    assert crossed_test(fixed, varied, paired=True).reason == "the seeds changed nothing in the treatment"
    shift, varied = np.tile(rng.random(20), (8, 1)), rng.random((8, 20))
    assert "nothing in the difference" in crossed_test(varied + shift, varied, paired=True).reason
    varied = varied[:5]
    assert crossed_test(varied, rng.random((5, 20)), paired=True).reason == ""


def test_seed_correlation() -> None:
    rng = np.random.default_rng(13)
    shared = rng.normal(size=(6, 1))
    y_t, y_b = shared + rng.normal(size=(2, 6, 50))
    result = crossed_test(y_t, y_b, paired=True)
    assert result.seed_correlation == pytest.approx(stats.pearsonr(y_t.mean(axis=1), y_b.mean(axis=1)).statistic)
    assert math.isnan(crossed_test(y_t, y_b, paired=False).seed_correlation)
    assert math.isnan(crossed_test(y_t[:2], y_b[:2], paired=True).seed_correlation)
    assert math.isnan(crossed_test(y_t, np.tile(y_b[0], (6, 1)), paired=True).seed_correlation)


def test_pairing_pays_where_seeds_are_shared() -> None:
    rng = np.random.default_rng(14)
    shared = rng.normal(size=(8, 1))
    y_t, y_b = (
        shared + 0.05 + rng.normal(scale=0.1, size=(8, 60)),
        shared + rng.normal(scale=0.1, size=(8, 60)),
    )
    result = crossed_test(y_t, y_b, paired=True)
    assert result.p_value < 0.05 < result.other_p_value
    assert result.seed_correlation > 0.9


def test_right_and_wrong_may_be_truth_values() -> None:
    y_t, y_b = np.random.default_rng(18).random((2, 5, 40)) < 0.7
    assert crossed_test(y_t, y_b, paired=True) == crossed_test(y_t.astype(float), y_b.astype(int), paired=True)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    scores=st.integers(2, 6).flatmap(
        lambda S: st.integers(2, 8).flatmap(
            lambda N: st.lists(st.integers(0, 1), min_size=2 * S * N, max_size=2 * S * N).map(
                lambda flat: np.array(flat, dtype=float).reshape(2, S, N)
            )
        )
    ),
    paired=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_invariants(scores: np.ndarray, paired: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y_t, y_b = scores
    result = crossed_test(y_t, y_b, paired=paired)
    numbers = [result.p_value, result.standard_error, result.df, result.other_p_value]

    def same(other: CrossedResult, sign: int) -> None:
        assert other.estimate == pytest.approx(sign * result.estimate, abs=1e-12)
        figures = [other.p_value, other.standard_error, other.df, other.other_p_value]
        assert figures == pytest.approx(numbers, rel=1e-7, nan_ok=True)

    same(crossed_test(y_b, y_t, paired=paired), -1)
    columns, rows = rng.permutation(y_t.shape[1]), rng.permutation(len(y_t))
    same(crossed_test(y_t[rows][:, columns], y_b[rows][:, columns], paired=paired), 1)
    if not paired:
        same(crossed_test(y_t[rows], y_b, paired=False), 1)
    hardness = rng.integers(0, 5, y_t.shape[1])
    same(crossed_test(y_t + hardness, y_b + hardness, paired=paired), 1)


@pytest.mark.parametrize(
    ("treatment", "baseline", "paired", "message"),
    [
        ([1.0, 2.0], [[1.0, 2.0]], True, r"treatment must be a matrix.*\(2,\)"),
        ([[1.0, 2.0]], [], True, r"baseline must be a matrix.*\(0,\)"),
        ([[1.0, math.nan]], [[1.0, 2.0]], True, "treatment must hold finite scores, got 1"),
        ([[1.0, 2.0]], [[math.inf, math.nan]], True, "baseline must hold finite scores, got 2"),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0]], False, "same examples, got 2 .* and 3"),
        ([[1.0, 2.0]], [[1.0, 2.0]] * 2, True, "same seeds, got 1 .* and 2 .*paired=False"),
    ],
)
def test_bad_scores_are_refused(treatment: object, baseline: object, paired: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crossed_test(treatment, baseline, paired=paired)  # type: ignore[arg-type]
