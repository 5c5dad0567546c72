from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from analysis.methods.crossed import CrossedResult, VarianceComponents, crossed_test
from analysis.power.settling import settle
from analysis.power.sizes import standard_error_at


def components(
    seed: float, example: float, residual: float, *, n_seeds: int = 5, n_examples: int = 872
) -> VarianceComponents:
    df = n_seeds - 1
    low, high = (math.sqrt(seed * df / stats.chi2.ppf(q, df)) for q in (0.975, 0.025))
    return VarianceComponents(
        seed=seed,
        example=example,
        residual=residual,
        n_seeds=n_seeds,
        n_examples=n_examples,
        seed_df=df,
        seed_sd_interval=(low, high),
    )


def result_of(parts: VarianceComponents, *, df: float, estimate: float = 0.01) -> CrossedResult:
    standard_error = standard_error_at(parts, n_seeds=parts.n_seeds, n_examples=parts.n_examples)
    return CrossedResult(
        estimate=estimate,
        standard_error=standard_error,
        df=df,
        statistic=estimate / standard_error,
        p_value=2 * float(stats.t.sf(abs(estimate) / standard_error, df)),
        design="A",
        n_arms=2,
        n_seeds=(parts.n_seeds, parts.n_seeds),
        n_examples=parts.n_examples,
        other_p_value=math.nan,
        pairwise_p_value=math.nan,
        seed_correlation=math.nan,
        components=parts,
        reason="",
    )


@pytest.mark.parametrize("alpha", [0.05, 0.00625])
def test_seeds_alone_agree_with_the_one_sample_t(alpha: float) -> None:
    # Without variation over examples this is the t-test over seeds, whose power statsmodels knows.
    parts = components(0.0001, 0.0, 0.0)
    result = settle(result_of(parts, df=4), gap=0.012, alpha=alpha)
    library = TTestPower()
    needed = math.ceil(library.solve_power(effect_size=1.2, alpha=alpha, power=0.8))
    assert result.seeds_needed == needed
    gap = library.solve_power(nobs=5, alpha=alpha, power=0.8) * 0.01
    assert result.detectable_gap == pytest.approx(gap, rel=1e-4)
    assert result.floor_gap == 0
    assert result.reason == ""


def test_range_follows_the_limits_of_the_seed_sd() -> None:
    parts = components(0.0001, 0.005, 0.03, n_seeds=3)
    result = settle(result_of(parts, df=3), gap=0.012, alpha=0.05)
    low, high = result.seeds_needed_range
    assert result.seeds_needed is not None
    assert low is not None
    assert high is not None
    assert low < result.seeds_needed < high
    for needed, sd in ((low, parts.seed_sd_interval[0]), (high, parts.seed_sd_interval[1])):
        other = dataclasses.replace(parts, seed=sd**2)
        assert settle(result_of(other, df=3), gap=0.012, alpha=0.05).seeds_needed == needed


def test_the_answer_has_the_power_it_promises() -> None:
    parts = components(0.0002, 0.01, 0.05, n_seeds=4, n_examples=200)
    gap = 0.035
    needed = settle(result_of(parts, df=5), gap=gap, alpha=0.05).seeds_needed
    assert needed is not None
    rng = np.random.default_rng(1)

    def share_found(S: int) -> float:
        count = 0
        for _ in range(800):
            d = gap + math.sqrt(parts.seed) * rng.standard_normal((S, 1))
            d = d + math.sqrt(parts.example) * rng.standard_normal((1, 200))
            d = d + math.sqrt(parts.residual) * rng.standard_normal((S, 200))
            count += crossed_test(d, np.zeros_like(d), paired=True, before_pooling=True).p_value <= 0.05
        return count / 800

    assert 0.74 <= share_found(needed) <= 0.88
    assert share_found(max(4, needed // 2)) < 0.72


def test_no_number_of_seeds_goes_below_the_floor() -> None:
    parts = components(0.0001, 0.05, 0.03)
    result = result_of(parts, df=60)
    answer = settle(result, gap=0.01, alpha=0.05)
    remaining = math.sqrt(0.05 / 872)
    assert answer.floor_gap == pytest.approx(remaining * (1.96 + 0.8416), rel=3e-3)
    assert answer.seeds_needed is None
    assert answer.seeds_needed_range == (None, None)
    assert "more test examples" in answer.reason
    above = settle(result, gap=answer.floor_gap * 1.02, alpha=0.05)
    assert above.seeds_needed is not None
    assert above.seeds_needed > 50


def test_examples_where_seeds_cannot() -> None:
    parts = components(0.00001, 0.05, 0.03)
    result = settle(result_of(parts, df=60), gap=0.01, alpha=0.05)
    assert result.seeds_needed is None
    assert result.examples_needed is not None
    # By hand at that size: the squared standard error splits into seeds, examples and residual.
    S, N = 5, result.examples_needed
    V = 0.00001 / S + 0.05 / N + 0.03 / (S * N)
    assert 0.01 / math.sqrt(V) == pytest.approx(2.81, abs=0.2)
    assert N > 872
    # At fewer examples the promise fails, at that number it holds.
    smaller = dataclasses.replace(parts, n_examples=N)
    assert settle(result_of(smaller, df=1e6), gap=0.01, alpha=0.05).seeds_needed == 5


def test_where_neither_alone_does() -> None:
    parts = components(0.001, 0.05, 0.03)
    result = settle(result_of(parts, df=10), gap=0.01, alpha=0.05)
    assert (result.seeds_needed, result.examples_needed) == (None, None)
    numbers = [int(word) for word in result.reason.split() if word.isdigit()]
    S, N = numbers
    assert "neither" in result.reason
    standard_error = standard_error_at(parts, n_seeds=S, n_examples=N)
    assert 0.01 / standard_error == pytest.approx(2.83, abs=0.05)


def test_a_gap_of_zero_is_never_found() -> None:
    result = settle(result_of(components(0.001, 0.05, 0.03), df=10), gap=0.0, alpha=0.05)
    assert (result.seeds_needed, result.examples_needed) == (None, None)
    assert "a gap of 0" in result.reason


def test_a_tiny_gap_is_out_of_reach() -> None:
    result = settle(result_of(components(0.001, 0.05, 0.03), df=10), gap=1e-9, alpha=0.05)
    assert (result.seeds_needed, result.examples_needed) == (None, None)
    assert "too small" in result.reason


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.floats(1e-6, 1e-3),
    example=st.floats(0, 0.05),
    residual=st.floats(0, 0.1),
    gap=st.floats(0.002, 0.2),
    alpha=st.sampled_from([0.05, 0.01, 0.00625]),
)
def test_more_is_never_asked_for_a_larger_gap(
    seed: float, example: float, residual: float, gap: float, alpha: float
) -> None:
    result = result_of(components(seed, example, residual), df=8)
    small, large = settle(result, gap=gap, alpha=alpha), settle(result, gap=-1.5 * gap, alpha=alpha)
    assert small.detectable_gap == large.detectable_gap
    assert small.floor_gap <= small.detectable_gap
    assert (small.seeds_needed is not None) == (gap > small.floor_gap)
    if small.seeds_needed is not None:
        assert large.seeds_needed is not None
        assert 2 <= large.seeds_needed <= small.seeds_needed
    if small.examples_needed is not None:
        assert large.examples_needed is not None
        assert large.examples_needed <= small.examples_needed


def test_from_a_real_result() -> None:
    rng = np.random.default_rng(3)
    right = 0.88 + 0.015 * rng.standard_normal((2, 5, 1)) + np.zeros((1, 1, 400))
    right[0] += 0.01
    y_t, y_b = rng.random((2, 5, 400)) < right
    result = crossed_test(y_t, y_b, paired=True)
    answer = settle(result, gap=result.estimate, alpha=0.05)
    critical = stats.t.ppf(0.975, result.df)
    reached = stats.nct.sf(critical, result.df, answer.detectable_gap / result.standard_error)
    assert reached == pytest.approx(0.8, abs=1e-4)


def test_planning_starts_from_the_test_as_it_stands() -> None:
    rng = np.random.default_rng(4)
    d = 0.2 * rng.standard_normal((6, 1)) + rng.standard_normal((1, 80)) + rng.standard_normal((6, 80))
    result = crossed_test(d, np.zeros_like(d), paired=True, before_pooling=True)
    assert min(result.components.seed, result.components.example) > 0
    gap = settle(result, gap=1.0, alpha=0.05).detectable_gap
    just_found = settle(result, gap=gap * 1.0001, alpha=0.05)
    assert (just_found.seeds_needed, just_found.examples_needed) == (6, 80)
    just_missed = settle(result, gap=gap * 0.9999, alpha=0.05)
    assert (just_missed.seeds_needed, just_missed.examples_needed) == (7, 81)


def test_three_seeds_are_the_fewest_as_a_verdict_needs_them() -> None:
    result = settle(result_of(components(1e-6, 0.01, 0.01), df=20), gap=5.0, alpha=0.05)
    assert (result.seeds_needed, result.examples_needed) == (3, 2)


def test_below_the_floor_there_is_no_answer_even_on_a_tiny_test_set() -> None:
    # On three examples a little noise from seeds adds degrees of freedom, which must not be sold as power.
    result = result_of(components(0.01, 0.3, 0.0, n_examples=3), df=3)
    floor_gap = settle(result, gap=1.0, alpha=0.05).floor_gap
    answer = settle(result, gap=0.97 * floor_gap, alpha=0.05)
    assert (answer.seeds_needed, answer.seeds_needed_range) == (None, (None, None))


@pytest.mark.parametrize("treatment", [np.eye(4)[:1], np.zeros((4, 4))])
def test_nothing_to_plan_from(treatment: np.ndarray) -> None:
    result = crossed_test(treatment, np.zeros_like(treatment), paired=True)
    answer = settle(result, gap=0.01, alpha=0.05)
    assert math.isnan(answer.detectable_gap)
    assert math.isnan(answer.floor_gap)
    assert (answer.seeds_needed, answer.examples_needed) == (None, None)
    assert answer.reason == f"nothing to plan from: {result.reason}"


@pytest.mark.parametrize(
    ("gap", "alpha", "power", "message"),
    [
        (0.01, 0.0, 0.8, "alpha=0.0"),
        (0.01, 0.05, 1.0, "power=1.0"),
        (0.01, 0.05, 0.04, "power=0.04"),
        (math.nan, 0.05, 0.8, "gap must be finite"),
    ],
)
def test_bad_plans_are_refused(gap: float, alpha: float, power: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settle(result_of(components(1, 1, 1), df=4), gap=gap, alpha=alpha, power=power)
