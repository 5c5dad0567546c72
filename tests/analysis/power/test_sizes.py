from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from analysis.methods.crossed import VarianceComponents, crossed_test
from analysis.power.noncentral import chances, noncentrality_for
from analysis.power.settling import examples_needed, seeds_needed
from analysis.power.sizes import detectable_gap_at, df_at, floor_gap_at, power_at, standard_error_at

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
SMALLEST = [(5, 0.05, 0.8, 1.68200149), (3, 0.05, 0.8, 3.26405222), (20, 0.01, 0.9, 0.94723739)]


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
    power = power_at(parts, gap * 0.01, n_seeds=n_seeds, n_examples=872, alpha=alpha)
    assert power == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("gap", "alpha", "power", "expected"), NEEDED)
def test_published_numbers_of_pairs(gap: float, alpha: float, power: float, expected: int) -> None:
    parts = components(0.0001, 0.0, 0.0)
    assert seeds_needed(parts, gap * 0.01, n_examples=872, alpha=alpha, power=power) == expected


@pytest.mark.parametrize(("n_seeds", "alpha", "power", "expected"), SMALLEST)
def test_smallest_gap_over_seeds_by_r(n_seeds: int, alpha: float, power: float, expected: float) -> None:
    gap = detectable_gap_at(components(0.0001, 0.0, 0.0), n_seeds=n_seeds, n_examples=872, alpha=alpha, power=power)
    assert gap == pytest.approx(expected * 0.01, rel=2e-5)


@pytest.mark.parametrize(
    ("parts", "n_seeds", "n_examples", "gap"),
    [
        ((0.0004, 0.01, 0.05), 4, 200, 0.03),
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
        count += crossed_test(d, np.zeros_like(d), paired=True).p_value <= 0.05
    power = power_at(components(*parts), gap, n_seeds=S, n_examples=N, alpha=0.05)
    low, high = stats.binom.interval(0.999, studies, power)
    # Satterthwaite's degrees of freedom are themselves estimated: two points of room.
    assert low - 0.02 * studies <= count <= high + 0.02 * studies
    assert 0.2 < power < 0.9


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.floats(1e-6, 1e-3),
    example=st.floats(0, 0.05),
    residual=st.floats(0, 0.1),
    n_seeds=st.integers(2, 30),
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
    assert nothing == pytest.approx(alpha, rel=1e-4)
    assert floor_gap_at(parts, n_examples=n_examples, alpha=alpha) <= gap


def test_sizes_needed_are_the_smallest_that_do() -> None:
    parts = components(0.0002, 0.02, 0.05)
    S = seeds_needed(parts, 0.02, n_examples=872, alpha=0.05)
    assert S is not None
    assert detectable_gap_at(parts, n_seeds=S, n_examples=872, alpha=0.05) <= 0.02
    assert detectable_gap_at(parts, n_seeds=S - 1, n_examples=872, alpha=0.05) > 0.02
    N = examples_needed(parts, 0.02, n_seeds=S + 1, alpha=0.05)
    assert N is not None
    assert N < 872
    assert detectable_gap_at(parts, n_seeds=S + 1, n_examples=N, alpha=0.05) <= 0.02
    assert detectable_gap_at(parts, n_seeds=S + 1, n_examples=N - 1, alpha=0.05) > 0.02


def test_degrees_of_freedom_at_the_ends() -> None:
    assert df_at(components(1, 0, 0), n_seeds=7, n_examples=50) == pytest.approx(6)
    assert df_at(components(0, 1, 0), n_seeds=7, n_examples=50) == pytest.approx(49)
    # Each mean square is the residual's: two of them enter the variance as one.
    assert df_at(components(0, 0, 1), n_seeds=7, n_examples=50) == pytest.approx(1 / (1 / 6 + 1 / 49 + 1 / 294))
    assert math.isnan(df_at(components(0, 0, 0), n_seeds=7, n_examples=50))
    assert math.isnan(power_at(components(0, 0, 0), 0.1, n_seeds=7, n_examples=50, alpha=0.05))
    assert detectable_gap_at(components(0, 0, 0), n_seeds=7, n_examples=50, alpha=0.05) == 0


def test_bad_sizes_are_refused() -> None:
    parts = components(1, 1, 1)
    with pytest.raises(ValueError, match="two seeds and two examples, got 1 and 50"):
        power_at(parts, 0.1, n_seeds=1, n_examples=50, alpha=0.05)
    with pytest.raises(ValueError, match="two seeds and two examples, got 5 and 1"):
        detectable_gap_at(parts, n_seeds=5, n_examples=1, alpha=0.05)
    with pytest.raises(ValueError, match="at least two examples"):
        seeds_needed(parts, 0.1, n_examples=1, alpha=0.05)
    with pytest.raises(ValueError, match="at least two seeds"):
        examples_needed(parts, 0.1, n_seeds=1, alpha=0.05)
    with pytest.raises(ValueError, match=r"alpha=0\.9"):
        examples_needed(parts, 0.1, n_seeds=2, alpha=0.9)
    with pytest.raises(ValueError, match="alpha must lie between"):
        power_at(parts, 0.1, n_seeds=5, n_examples=50, alpha=0.0)
    with pytest.raises(ValueError, match="gap must be finite"):
        power_at(parts, math.inf, n_seeds=5, n_examples=50, alpha=0.05)


def found_by_quadrature(noncentrality: float, df: float, alpha: float) -> float:
    """Chance of a significant result with the right sign, averaged over the standard errors of the studies."""
    critical = stats.t.ppf(1 - alpha / 2, df)

    def chance(tail: float) -> float:
        return float(special.ndtr(noncentrality - critical * math.sqrt(special.chdtri(df, tail) / df)))

    return float(integrate.quad(chance, 0, 1, epsabs=1e-11, limit=500)[0])


@pytest.mark.parametrize("df", [1.0, 1.7, 3.0, 19.3, 871.0])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.0125, 0.99), (1e-4, 0.06)])
def test_noncentrality_by_quadrature(df: float, alpha: float, power: float) -> None:
    noncentrality = noncentrality_for(df, alpha, power)
    assert found_by_quadrature(noncentrality, df, alpha) == pytest.approx(power, abs=1e-9)
    assert chances(noncentrality, df, alpha)[0] == pytest.approx(power, abs=1e-10)


def test_noncentrality_where_the_standard_error_is_known() -> None:
    assert noncentrality_for(math.inf, 0.05, 0.8) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert noncentrality_for(1e9, 0.05, 0.8) == pytest.approx(noncentrality_for(math.inf, 0.05, 0.8), abs=1e-7)


@pytest.mark.parametrize(("df", "alpha"), [(1 / 3, 0.0125), (0.6, 1e-4), (1.0, 1e-8)])
def test_a_noncentrality_beyond_the_reach_of_scipy(df: float, alpha: float) -> None:
    # So far out the estimate's own error is nothing: the study finds the gap where its standard error is small.
    noncentrality = noncentrality_for(df, alpha, 0.8)
    limit = stats.t.ppf(1 - alpha / 2, df) * math.sqrt(special.chdtri(df, 0.2) / df)
    assert noncentrality == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("df", [1.0, 1.2])
def test_few_degrees_of_freedom_have_an_answer(df: float) -> None:
    """`scipy.special.nctdtrinc` does not return here; simulation says what is right."""
    critical = float(special.stdtrit(df, 1 - 0.05 / 8))
    noncentrality = noncentrality_for(df, 0.05 / 4, 0.8)
    rng = np.random.default_rng(0)
    t = (noncentrality + rng.standard_normal(400_000)) / np.sqrt(rng.chisquare(df, 400_000) / df)
    assert (t > critical).mean() == pytest.approx(0.8, abs=0.004)
