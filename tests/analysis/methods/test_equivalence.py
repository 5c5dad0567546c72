from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import non_inferiority, tost

# Darwin's pairs of plants in eighths of an inch (Fisher 1935, The Design of Experiments, chapter III).
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# Hours of sleep gained with two drugs (Student 1908, Biometrika 6, 1-25), the second less the first.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]

# R 4: t.test(x, mu = -margin, alternative = "greater")$p.value
NON_INFERIORITY_IN_R = [
    (MAIZE, 10, 0.00337996719013679),
    (SLEEP, 0.5, 0.000231902704481593),
    ([-x for x in SLEEP], 2, 0.154157235669097),
]

# R 4: max(t.test(x, mu = -margin, alternative = "greater")$p.value,
#           t.test(x, mu = margin, alternative = "less")$p.value)
TOST_IN_R = [(MAIZE, 50, 0.00494373038480945), (SLEEP, 2.5, 0.0211168602465007)]


def estimated(x: list[float]) -> tuple[float, float, float]:
    return float(np.mean(x)), float(stats.sem(x)), len(x) - 1.0


@pytest.mark.parametrize(("x", "margin", "p_value"), NON_INFERIORITY_IN_R)
def test_non_inferiority_equals_r(x: list[float], margin: float, p_value: float) -> None:
    result = non_inferiority(*estimated(x), margin=margin)
    assert result.p_value == pytest.approx(p_value, rel=1e-10)
    assert (result.margin, result.reason) == (margin, "")


@pytest.mark.parametrize(("x", "margin", "p_value"), TOST_IN_R)
def test_equivalence_equals_r(x: list[float], margin: float, p_value: float) -> None:
    assert tost(*estimated(x), margin=margin).p_value == pytest.approx(p_value, rel=1e-10)


def test_equals_two_one_sided_t_tests() -> None:
    x = np.random.default_rng(1).normal(0.1, 1, 30)
    result = tost(float(x.mean()), float(stats.sem(x)), 29, margin=0.5)
    assert result.p_lower == pytest.approx(stats.ttest_1samp(x, -0.5, alternative="greater").pvalue)
    assert result.p_upper == pytest.approx(stats.ttest_1samp(x, 0.5, alternative="less").pvalue)
    p_value, lower, upper = DescrStatsW(x).ttost_mean(-0.5, 0.5)
    assert result.p_value == pytest.approx(p_value)
    assert (result.p_lower, result.p_upper) == pytest.approx((lower[1], upper[1]))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    estimate=st.floats(-3, 3),
    standard_error=st.floats(0.01, 3),
    df=st.floats(1, 1000),
    margin=st.floats(0.01, 3),
    alpha=st.floats(0.001, 0.4),
)
def test_rejects_exactly_where_the_interval_lies_inside(
    estimate: float, standard_error: float, df: float, margin: float, alpha: float
) -> None:
    result = tost(estimate, standard_error, df, margin=margin)
    assume(abs(result.p_value - alpha) > 1e-9)
    low, high = stats.t.interval(1 - 2 * alpha, df, estimate, standard_error)
    assert (result.p_value < alpha) == (-margin < low and high < margin)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(estimate=st.floats(-3, 3), standard_error=st.floats(0.01, 3), df=st.floats(1, 100))
def test_swapping_the_arms_swaps_the_sides(estimate: float, standard_error: float, df: float) -> None:
    one, other = (tost(sign * estimate, standard_error, df, margin=0.5) for sign in (1, -1))
    assert (one.p_lower, one.p_upper, one.p_value) == (other.p_upper, other.p_lower, other.p_value)
    assert one.p_value == max(one.p_lower, one.p_upper)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    estimate=st.floats(-3, 3),
    standard_error=st.floats(0.01, 3),
    df=st.floats(1, 1000),
    margin=st.floats(0.01, 3),
    alpha=st.floats(0.001, 0.4),
)
def test_is_not_inferior_exactly_where_the_lower_limit_says_so(
    estimate: float, standard_error: float, df: float, margin: float, alpha: float
) -> None:
    result = non_inferiority(estimate, standard_error, df, margin=margin)
    mirrored = non_inferiority(-estimate, standard_error, df, margin=margin)
    assert tost(estimate, standard_error, df, margin=margin).p_value == max(result.p_value, mirrored.p_value)
    assume(abs(result.p_value - alpha) > 1e-9)
    low, _ = stats.t.interval(1 - 2 * alpha, df, estimate, standard_error)
    assert (result.p_value < alpha) == (low > -margin)


def test_the_side_does_not_follow_the_data() -> None:
    # A treatment that is far worse is not called "not inferior" by looking at the other side.
    assert non_inferiority(-0.05, 0.002, 30.0, margin=0.01).p_value > 0.999
    assert non_inferiority(0.05, 0.002, 30.0, margin=0.01).p_value < 0.001
    assert non_inferiority(-0.01, 0.002, 30.0, margin=0.01).p_value == pytest.approx(0.5)


def test_a_gap_at_the_margin_is_never_equivalent() -> None:
    assert tost(0.01, 1e-9, 1000, margin=0.01).p_value == pytest.approx(0.5)
    assert tost(-0.02, 0.001, 1000, margin=0.01).p_value > 0.99


@pytest.mark.parametrize(
    ("estimate", "standard_error", "df", "reason"),
    [
        (0.0, 0.0, math.nan, "no score varies"),
        (0.1, 0.0, math.nan, "no score varies"),
        (0.1, math.nan, math.nan, "no standard error"),
        (math.nan, 0.1, 3.0, "no standard error"),
        (0.1, 0.1, math.nan, "no degrees of freedom"),
        (0.1, 0.1, 0.0, "no degrees of freedom"),
    ],
)
def test_undefined_is_nan_with_a_reason(estimate: float, standard_error: float, df: float, reason: str) -> None:
    result = tost(estimate, standard_error, df, margin=0.01)
    assert all(math.isnan(p) for p in (result.p_lower, result.p_upper, result.p_value))
    assert reason in result.reason
    one_sided = non_inferiority(estimate, standard_error, df, margin=0.01)
    assert math.isnan(one_sided.p_value)
    assert one_sided.reason == result.reason


def test_takes_what_the_crossed_test_gives() -> None:
    y = np.random.default_rng(2).random((2, 8, 400))
    crossed = crossed_test(*y, paired=True)
    result = tost(crossed.estimate, crossed.standard_error, crossed.df, margin=0.2)
    assert result.p_value < 0.05
    assert result.reason == ""
    assert result.margin == 0.2
    assert result.generalizes_to == crossed.generalizes_to
    one_sided = non_inferiority(crossed.estimate, crossed.standard_error, crossed.df, margin=0.2)
    assert (one_sided.p_value, one_sided.generalizes_to) == (result.p_lower, crossed.generalizes_to)
    identical = crossed_test(y[0], y[0], paired=True)
    assert math.isnan(tost(identical.estimate, identical.standard_error, identical.df, margin=0.2).p_value)


@pytest.mark.parametrize("margin", [0.0, -0.01, math.nan, math.inf])
def test_bad_margin_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be positive"):
        tost(0.0, 0.1, 5.0, margin=margin)
    with pytest.raises(ValueError, match="margin must be positive"):
        non_inferiority(0.0, 0.1, 5.0, margin=margin)


def test_negative_standard_error_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must not be negative, got -0\.1"):
        tost(0.0, -0.1, 5.0, margin=0.1)
    with pytest.raises(ValueError, match=r"must not be negative, got -0\.1"):
        non_inferiority(0.0, -0.1, 5.0, margin=0.1)
