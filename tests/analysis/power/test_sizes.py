from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed
from analysis.power.new_study import PlannedTest
from analysis.power.noncentral import chances
from analysis.power.sizes import (
    detectable_gap_at,
    equivalence_power_at,
    floor_gap_at,
    power_at,
    standard_error_at,
)

# Seeds, gap in SDs over seeds, alpha, power. R's pwr: pwr.t.test(n, d, sig.level, type = "paired").
OVER_SEEDS = [
    (5, 1.5, 0.05, 0.71070267),
    (20, 0.7, 0.05, 0.84350588),
    (10, 1.0, 0.01, 0.50410673),
    # The manual of G*Power 3.1, chapter on matched pairs.
    (50, 0.421637, 0.05, 0.832114),
    (50, 0.2828427, 0.05, 0.500352),
]

# Gap in SDs over seeds, alpha, power, seeds needed: Lakens (2013), Frontiers in Psychology 4:863, paired design; the
# manual of G*Power 3.1, chapter on one sample.
NEEDED = [(1.5, 0.05, 0.95, 8), (0.1, 0.01, 0.9, 1492)]

# Seeds, alpha, power, smallest gap in SDs. R's pwr: pwr.t.test(n, power = power, sig.level, type = "paired")$d.
SMALLEST = [(5, 0.05, 0.8, 1.68200149), (20, 0.01, 0.9, 0.94723739)]

# Coefficient of variation, subjects of a 2 x 2 crossover, power to show a ratio of 0.95 to lie within 0.80 and 1.25 by
# two one-sided tests at .05. R's PowerTOST: sampleN.TOST(CV).
EQUIVALENCE = [(0.2, 20, 0.8346802), (0.3, 40, 0.815845)]


# Judged by pair at any number of seeds from four on: a paired t where seeds are all that varies.
BY_PAIRS = PlannedTest(before_pooling=True)


def components(seed: float, example: float, residual: float) -> VarianceComponents:
    return VarianceComponents(
        seed=seed,
        example=example,
        residual=residual,
        n_seeds=5,
        n_examples=872,
        seed_df=4,
        seed_sd_interval=(math.nan, math.nan),
    )


def test_standard_error_by_hand() -> None:
    parts = components(0.0004, 0.02, 0.06)
    expected = math.sqrt(0.0004 / 10 + 0.02 / 500 + 0.06 / 5000)
    assert standard_error_at(parts, n_seeds=10, n_examples=500) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("n_seeds", "n_examples"), [(0, 10), (10, 0)])
def test_standard_error_needs_seeds_and_examples(n_seeds: int, n_examples: int) -> None:
    with pytest.raises(ValueError, match="at least one seed and one example"):
        standard_error_at(components(1, 1, 1), n_seeds=n_seeds, n_examples=n_examples)


@pytest.mark.parametrize(("n_seeds", "gap", "alpha", "expected"), OVER_SEEDS)
def test_power_over_seeds(n_seeds: int, gap: float, alpha: float, expected: float) -> None:
    # Without variation over examples this is the t-test over seeds.
    parts = components(0.0001, 0.0, 0.0)
    power = power_at(parts, gap * 0.01, n_seeds=n_seeds, n_examples=872, alpha=alpha, test=BY_PAIRS)
    assert power == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("gap", "alpha", "power", "expected"), NEEDED)
def test_published_numbers_of_pairs(gap: float, alpha: float, power: float, expected: int) -> None:
    parts = components(0.0001, 0.0, 0.0)
    assert seeds_needed(parts, Question(gap * 0.01), n_examples=872, alpha=alpha, power=power) == expected


@pytest.mark.parametrize(("n_seeds", "alpha", "power", "expected"), SMALLEST)
def test_smallest_gap_over_seeds_by_r(n_seeds: int, alpha: float, power: float, expected: float) -> None:
    size = {"n_seeds": n_seeds, "n_examples": 872, "alpha": alpha, "power": power}
    gap = detectable_gap_at(components(0.0001, 0.0, 0.0), **size, test=BY_PAIRS)
    assert gap == pytest.approx(expected * 0.01, rel=2e-5)


@pytest.mark.parametrize(("variation", "subjects", "expected"), EQUIVALENCE)
def test_power_of_equivalence_by_r(variation: float, subjects: int, expected: float) -> None:
    # The crossover has n - 2 degrees of freedom and a squared standard error of 2 s**2 / n: those of n - 1 seeds.
    squared = 2 * math.log1p(variation**2) / subjects
    parts = components(squared * (subjects - 1), 0.0, 0.0)
    size = {"n_seeds": subjects - 1, "n_examples": 872, "alpha": 0.05}
    power = equivalence_power_at(parts, math.log(0.95), margin=math.log(1.25), **size)
    assert power == pytest.approx(expected, abs=1e-6)
    assert equivalence_power_at(parts, -math.log(0.95), margin=math.log(1.25), **size) == pytest.approx(power)


@pytest.mark.parametrize(("df", "gap", "margin"), [(4, 0.0, 3.0), (4, 1.0, 4.0), (19, 0.5, 3.2), (7, 2.0, 2.0)])
def test_power_of_equivalence_by_another_integral(df: int, gap: float, margin: float) -> None:
    # In standard errors. Over the estimate first: both tests reject where the estimated standard error is small enough.
    critical = stats.t.ppf(0.95, df)

    def density(estimate: float) -> float:
        most = max(margin - abs(estimate), 0.0) / critical
        return float(stats.norm.pdf(estimate - gap) * stats.chi2.cdf(df * most**2, df))

    expected = integrate.quad(density, -margin, margin, points=[0.0], epsabs=1e-10)[0]
    parts = components((df + 1) * 1e-4, 0.0, 0.0)
    size = {"n_seeds": df + 1, "n_examples": 872, "alpha": 0.05, "test": BY_PAIRS}
    assert equivalence_power_at(parts, gap * 0.01, margin=margin * 0.01, **size) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("parts", "n_seeds", "n_examples", "gap"),
    [
        ((0.0004, 0.01, 0.05), 5, 200, 0.03),
        ((0.0004, 0.01, 0.05), 10, 200, 0.025),
        ((0.00002, 0.03, 0.05), 8, 400, 0.025),
        ((0.002, 0.0, 0.01), 6, 50, 0.05),
    ],
)
def test_power_against_simulated_studies(
    parts: tuple[float, float, float], n_seeds: int, n_examples: int, gap: float
) -> None:
    S, N, studies = n_seeds, n_examples, 600
    seed, example, residual = (math.sqrt(part) for part in parts)
    rng = np.random.default_rng(2)
    count = 0
    for _ in range(studies):
        d = gap + seed * rng.standard_normal((S, 1)) + example * rng.standard_normal((1, N))
        d = d + residual * rng.standard_normal((S, N))
        count += crossed_test(d, np.zeros_like(d), paired=True, before_pooling=True).p_value <= 0.05
    power = power_at(components(*parts), gap, n_seeds=S, n_examples=N, alpha=0.05, test=BY_PAIRS)
    low, high = stats.binom.interval(0.999, studies, power)
    assert low <= count <= high
    assert 0.2 < power < 0.9


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.floats(1e-6, 1e-3),
    example=st.floats(0, 0.05),
    residual=st.floats(0, 0.1),
    n_seeds=st.integers(3, 30),
    n_examples=st.integers(20, 3000),
    alpha=st.sampled_from([0.05, 0.00625]),
)
def test_power_and_detectable_gap_are_inverse(
    seed: float, example: float, residual: float, n_seeds: int, n_examples: int, alpha: float
) -> None:
    parts = components(seed, example, residual)
    gap = detectable_gap_at(parts, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha)
    power = power_at(parts, gap, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha)
    assert power == pytest.approx(0.8, abs=1e-5)
    assert power_at(parts, -gap, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha) == power
    nothing = power_at(parts, 0.0, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha)
    assert 0 < nothing < 1.3 * alpha
    assert floor_gap_at(parts, n_examples=n_examples, alpha=alpha) <= gap


def test_sizes_needed_are_the_smallest_that_do() -> None:
    parts = components(0.0002, 0.02, 0.05)
    S = seeds_needed(parts, Question(0.02), n_examples=872, alpha=0.05)
    assert S is not None
    assert detectable_gap_at(parts, n_seeds=S, n_examples=872, alpha=0.05) <= 0.02
    assert detectable_gap_at(parts, n_seeds=S - 1, n_examples=872, alpha=0.05) > 0.02
    N = examples_needed(parts, Question(0.02), n_seeds=S + 1, alpha=0.05)
    assert N is not None
    assert N < 872
    assert detectable_gap_at(parts, n_seeds=S + 1, n_examples=N, alpha=0.05) <= 0.02
    assert detectable_gap_at(parts, n_seeds=S + 1, n_examples=N - 1, alpha=0.05) > 0.02


def test_where_nothing_varies_there_is_nothing_to_find() -> None:
    size = {"n_seeds": 7, "n_examples": 50, "alpha": 0.05}
    assert math.isnan(power_at(components(0, 0, 0), 0.1, **size))
    assert math.isnan(equivalence_power_at(components(0, 0, 0), 0.1, margin=0.2, **size))
    assert detectable_gap_at(components(0, 0, 0), **size) == 0


def test_bad_sizes_are_refused() -> None:
    parts = components(1, 1, 1)
    with pytest.raises(ValueError, match="two seeds and two examples, got 1 and 50"):
        power_at(parts, 0.1, n_seeds=1, n_examples=50, alpha=0.05)
    with pytest.raises(ValueError, match="two seeds and two examples, got 5 and 1"):
        detectable_gap_at(parts, n_seeds=5, n_examples=1, alpha=0.05)
    with pytest.raises(ValueError, match="at least two examples"):
        seeds_needed(parts, Question(0.1), n_examples=1, alpha=0.05)
    with pytest.raises(ValueError, match="at least two seeds"):
        examples_needed(parts, Question(0.1), n_seeds=1, alpha=0.05)
    with pytest.raises(ValueError, match=r"alpha=0\.9"):
        examples_needed(parts, Question(0.1), n_seeds=2, alpha=0.9)
    with pytest.raises(ValueError, match="alpha must lie between"):
        power_at(parts, 0.1, n_seeds=5, n_examples=50, alpha=0.0)
    with pytest.raises(ValueError, match="margin must be positive"):
        equivalence_power_at(parts, 0.1, margin=0.0, n_seeds=5, n_examples=50, alpha=0.05)
    with pytest.raises(ValueError, match="gap must be finite"):
        equivalence_power_at(parts, math.nan, margin=0.1, n_seeds=5, n_examples=50, alpha=0.05)
    with pytest.raises(ValueError, match="gap must be finite"):
        power_at(parts, math.inf, n_seeds=5, n_examples=50, alpha=0.05)


@pytest.mark.parametrize(("n_examples", "alpha"), [(2, 0.05), (4, 0.0125), (20, 1e-4), (872, 0.05)])
def test_the_floor_is_that_of_a_t_test_over_examples(n_examples: int, alpha: float) -> None:
    gap = floor_gap_at(components(1e-4, 0.03, 0.05), n_examples=n_examples, alpha=alpha)
    noncentrality = gap / math.sqrt(0.03 / n_examples)
    assert chances(noncentrality, n_examples - 1, alpha)[0] == pytest.approx(0.8, abs=1e-3 if n_examples == 2 else 1e-6)
