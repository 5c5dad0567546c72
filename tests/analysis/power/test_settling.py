from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.power.needed_sizes import Question, seeds_needed
from analysis.power.new_study import PlannedTest
from analysis.power.settling import at_limits, settle
from analysis.power.sizes import equivalence_power_at, power_at, standard_error_at


def components(
    seed: float,
    example: float,
    residual: float,
    *,
    n_seeds: int = 5,
    n_examples: int = 872,
    example_sd_interval: Interval = NO_INTERVAL,
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
        seed_sd_interval=Interval(low, high),
        example_sd_interval=example_sd_interval,
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
    result = settle(result_of(parts, df=4), gap=0.012, alpha=alpha, test=PlannedTest(before_pooling=True))
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
    assert 0.01 / math.sqrt(V) == pytest.approx(3.0, abs=0.2)
    assert N > 872
    # At fewer examples the promise fails, at that number it holds.
    smaller = dataclasses.replace(parts, n_examples=N)
    assert settle(result_of(smaller, df=1e6), gap=0.01, alpha=0.05).seeds_needed == 5


def test_where_neither_alone_does() -> None:
    parts = components(0.001, 0.05, 0.03)
    result = settle(result_of(parts, df=10), gap=0.01, alpha=0.05)
    assert (result.seeds_needed, result.examples_needed) == (None, None)
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", result.reason)]
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
    power = power_at(result.components, answer.detectable_gap, n_seeds=5, n_examples=400, alpha=0.05)
    assert power == pytest.approx(0.8, abs=1e-4)
    assert (answer.gap, answer.margin) == (result.estimate, None)


def test_a_floor_of_zero_has_a_range_and_so_has_what_follows_from_it() -> None:
    # The examples' mean square came out below the residual's: the component is cut off at 0, and not shown to be 0.
    parts = components(0.0001, 0.0, 0.08, example_sd_interval=Interval(0.0, 0.16))
    result = settle(result_of(parts, df=6), gap=0.012, alpha=0.05)
    assert result.floor_gap == 0
    assert result.floor_gap_range.low == 0
    assert result.floor_gap_range.high == pytest.approx(0.16 / math.sqrt(872) * (1.96 + 0.8416), rel=3e-3)
    assert result.seeds_needed is not None
    # Between these limits the gap may be found by a few seeds, or by none at all.
    assert result.seeds_needed_range[0] is not None
    assert result.seeds_needed_range[0] < result.seeds_needed
    assert result.seeds_needed_range[1] is None
    low, high = at_limits(parts)
    assert (low.seed, low.example) == pytest.approx((parts.seed_sd_interval.low**2, 0.0))
    assert (high.seed, high.example) == pytest.approx((parts.seed_sd_interval.high**2, 0.16**2))


def test_examples_needed_have_the_range_of_the_seeds() -> None:
    parts = components(0.00004, 0.01, 0.08, n_seeds=6)
    result = settle(result_of(parts, df=8), gap=0.01, alpha=0.05)
    assert result.examples_needed is not None
    low, high = result.examples_needed_range
    assert low is not None
    assert low < result.examples_needed
    # If the seeds vary as much as their limit allows, no test set finds it with six of them.
    assert high is None


@pytest.mark.parametrize("gap", [0.0, 0.003, -0.006])
def test_seeds_for_equivalence_have_the_power_they_promise(gap: float) -> None:
    parts = components(0.00005, 0.005, 0.04, n_seeds=8)
    test = PlannedTest(n_arms=3)
    answer = settle(result_of(parts, df=10), gap=gap, margin=0.015, alpha=0.025, test=test)
    needed = answer.seeds_needed
    assert needed is not None
    size = {"margin": 0.015, "n_examples": 872, "alpha": 0.025, "test": test}
    powers = [equivalence_power_at(parts, gap, n_seeds=S, **size) for S in (needed - 1, needed)]
    assert powers[0] < 0.8 <= powers[1]
    assert (answer.gap, answer.margin, answer.reason) == (gap, 0.015, "")
    low, high = answer.seeds_needed_range
    assert low is not None
    assert low < needed
    assert high is None or high > needed
    examples = answer.examples_needed
    assert examples is not None
    size["n_examples"] = examples
    assert equivalence_power_at(parts, gap, n_seeds=8, **size) >= 0.8


def test_a_comparison_that_has_run_and_is_open_is_told_what_equivalence_takes() -> None:
    # Eight seeds find a gap as large as the margin; to show that a fifth of it lies within takes more.
    parts = components(0.00003, 0.0002, 0.03, n_seeds=8)
    result = result_of(parts, df=9, estimate=0.002)
    found, shown = (settle(result, gap=gap, margin=margin, alpha=0.05) for gap, margin in ((0.01, None), (0.002, 0.01)))
    assert found.seeds_needed is not None
    assert shown.seeds_needed is not None
    assert found.seeds_needed <= 8 < shown.seeds_needed < 14


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.001, "takes more test examples"),
        (0.0109, "neither more seeds nor more test examples alone can show"),
        (0.012, "does not lie within it"),
        (0.0119999, "too close to the margin"),
    ],
)
def test_why_no_number_of_seeds_shows_equivalence(gap: float, words: str) -> None:
    parts = components(0.00001, 0.05, 0.03)
    answer = settle(result_of(parts, df=60), gap=gap, margin=0.012, alpha=0.05)
    assert answer.seeds_needed is None
    assert words in answer.reason


def test_two_seeds_settle_nothing_and_find_nothing() -> None:
    parts = components(1e-6, 0.01, 0.01, n_seeds=2)
    answer = settle(result_of(parts, df=5), gap=5.0, alpha=0.05)
    assert math.isnan(answer.detectable_gap)
    assert (answer.seeds_needed, answer.examples_needed) == (3, None)


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


def test_more_runs_of_unequal_arms_keep_the_lead_of_the_larger_one() -> None:
    rng = np.random.default_rng(12)
    ease = rng.normal(0, 0.4, 300)
    y_t, y_b = (rng.normal(0, 0.03, (S, 1)) + ease + rng.normal(0, 0.3, (S, 300)) for S in (4, 7))
    result = crossed_test(y_t, y_b, paired=False)
    answer = settle(result, gap=0.06, alpha=0.05)
    fewest = answer.seeds_needed
    assert fewest is not None
    assert fewest > 4
    test = PlannedTest(paired=False, lead=-3)
    assert test.seeds(fewest) == (fewest, fewest + 3)
    powers = [
        power_at(result.components, 0.06, n_seeds=S, n_examples=300, alpha=0.05, test=test)
        for S in (fewest - 1, fewest)
    ]
    assert powers[0] < 0.8 <= powers[1]
    # The larger arm's lead is worth something, and swapping the arms changes nothing.
    assert fewest <= (seeds_needed(result.components, Question(0.06), n_examples=300, alpha=0.05) or 0)
    assert settle(crossed_test(y_b, y_t, paired=False), gap=0.06, alpha=0.05).seeds_needed == fewest
    both = settle(result, gap=0.008, alpha=0.05)
    assert re.search(r"(\d+) and (\d+) seeds on about", both.reason)
