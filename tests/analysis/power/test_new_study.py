"""What is planned against what the real test does with simulated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from analysis.methods.components import ArmComponents, VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.variance import pooled_seed_spread
from analysis.power.new_study import PlannedTest, new_study
from analysis.power.sizes import detectable_gap_at, equivalence_power_at, power_at

STUDIES, N = 250, 60


def of_arms(seed: float, example: float, residual: float, *, correlation: float = 0.0) -> VarianceComponents:
    """Components of the difference of two arms with these variances, whose seeds are correlated."""
    return VarianceComponents(
        seed=2 * seed * (1 - correlation),
        example=2 * example,
        residual=2 * residual,
        n_seeds=5,
        n_examples=N,
        seed_df=4,
        seed_sd_interval=(math.nan, math.nan),
        by_arm=(ArmComponents(seed, residual), ArmComponents(seed, residual)),
    )


@pytest.mark.parametrize("n_arms", [2, 5])
@pytest.mark.parametrize("n_seeds", [3, 4, 5, 20])
@pytest.mark.parametrize(
    ("seed", "example", "residual", "correlation"),
    [(0.02, 0.2, 0.5, 0.0), (0.0, 0.0, 0.5, 0.0), (0.1, 0.2, 0.5, 0.6)],
    ids=["mild", "nothing but the residual", "strong and shared"],
)
def test_the_real_test_does_what_was_planned(
    n_arms: int, n_seeds: int, seed: float, example: float, residual: float, correlation: float
) -> None:
    alpha = 0.05 / (n_arms - 1)
    test, size = PlannedTest(n_arms=n_arms), {"n_seeds": n_seeds, "n_examples": N, "alpha": alpha}
    parts = of_arms(seed, example, residual, correlation=correlation)
    gap = detectable_gap_at(parts, **size, test=test)
    margin = 1.15 * gap
    planned = [
        power_at(parts, gap, **size, test=test),
        power_at(parts, gap / 2, **size, test=test),
        equivalence_power_at(parts, 0.0, margin=margin, **size, test=test),
        equivalence_power_at(parts, 0.3 * margin, margin=margin, **size, test=test),
    ]
    assert planned[0] == pytest.approx(0.8, abs=1e-3)
    rng = np.random.default_rng(7)
    shape = (STUDIES, n_arms, n_seeds, N)
    shared = math.sqrt(seed * correlation) * rng.standard_normal((STUDIES, 1, n_seeds, 1))
    own = math.sqrt(seed * (1 - correlation)) * rng.standard_normal((STUDIES, n_arms, n_seeds, 1))
    by_example = math.sqrt(example) * rng.standard_normal((STUDIES, n_arms, 1, N))
    counts = np.zeros(4)
    for y in shared + own + by_example + math.sqrt(residual) * rng.standard_normal(shape):
        spread = pooled_seed_spread(list(y)) if n_arms > 2 else None
        result = crossed_test(y[0], y[1], paired=True, spread=spread)
        reach = result.standard_error * float(special.stdtrit(result.df, 1 - alpha / 2))
        counts[:2] += [abs(result.estimate + true) > reach for true in (gap, gap / 2)]
        counts[2:] += [
            tost(result.estimate + true, result.standard_error, result.df, margin=margin).p_value < alpha
            for true in (0.0, 0.3 * margin)
        ]
    low, high = stats.binom.interval(0.9999, STUDIES, planned)
    assert (low <= counts).all(), (planned, counts / STUDIES)
    assert (counts <= high).all(), (planned, counts / STUDIES)


@pytest.mark.parametrize(("n_arms", "n_seeds"), [(2, 3), (2, 4), (5, 3)])
def test_few_seeds_are_planned_by_the_test_that_they_get(n_arms: int, n_seeds: int) -> None:
    # A paired t over these seeds has two or three degrees of freedom and reaches far less.
    parts = of_arms(0.01, 0.001, 0.1)
    alpha = 0.05 / (n_arms - 1)
    size = {"n_seeds": n_seeds, "n_examples": 872, "alpha": alpha}
    gap = detectable_gap_at(parts, **size, test=PlannedTest(n_arms=n_arms))
    by_pair = stats.nct.sf(stats.t.isf(alpha / 2, n_seeds - 1), n_seeds - 1, gap / math.sqrt(0.02 / n_seeds))
    assert by_pair < 0.72


def test_a_plan_of_an_older_version_is_planned_as_it_will_be_judged() -> None:
    parts, size = of_arms(0.01, 0.0, 0.0), {"n_seeds": 4, "n_examples": 872, "alpha": 0.05}
    gap = detectable_gap_at(parts, **size, test=PlannedTest(before_pooling=True))
    # Four seeds by design A are a paired t with three degrees of freedom.
    assert stats.nct.sf(stats.t.isf(0.025, 3), 3, gap / math.sqrt(0.02 / 4)) == pytest.approx(0.8, abs=1e-4)


def test_unpaired_seeds_by_welch() -> None:
    parts, size = of_arms(0.01, 0.0, 0.0), {"n_seeds": 12, "n_examples": 872, "alpha": 0.05}
    gap = detectable_gap_at(parts, **size, test=PlannedTest(paired=False))
    # Near the t-test for two samples with equal variances.
    assert stats.nct.sf(stats.t.isf(0.025, 22), 22, gap / math.sqrt(0.02 / 12)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("S_t", "S_b"), [(4, 9), (9, 4), (5, 5)])
def test_runs_that_are_not_paired_are_planned_by_the_test_that_they_get(S_t: int, S_b: int) -> None:
    seeds, residuals, example = (0.05, 0.01), (0.2, 0.4), 0.2
    parts = VarianceComponents(
        seed=sum(seeds),
        example=2 * example,
        residual=sum(residuals),
        n_seeds=4,
        n_examples=N,
        seed_df=3,
        seed_sd_interval=(math.nan, math.nan),
        by_arm=(ArmComponents(seeds[0], residuals[0]), ArmComponents(seeds[1], residuals[1])),
    )
    test, size = PlannedTest(paired=False, lead=S_t - S_b), {"n_seeds": min(S_t, S_b), "n_examples": N}
    study = new_study(parts, test=test, **size)
    assert study is not None
    assert study.standard_error**2 == pytest.approx(
        (0.05 + 0.2 / N) / S_t + (0.01 + 0.4 / N) / S_b + 2 * example / N, rel=1e-12
    )
    gap = detectable_gap_at(parts, alpha=0.05, test=test, **size)
    rng, found = np.random.default_rng(8), 0
    for _ in range(STUDIES):
        y_t, y_b = (
            math.sqrt(of_seed) * rng.standard_normal((S, 1))
            + math.sqrt(example) * rng.standard_normal(N)
            + math.sqrt(residual) * rng.standard_normal((S, N))
            for S, of_seed, residual in zip((S_t, S_b), seeds, residuals, strict=True)
        )
        found += crossed_test(y_t + gap, y_b, paired=False).p_value <= 0.05
    low, high = stats.binom.interval(0.9999, STUDIES, 0.8)
    assert low <= found <= high, found / STUDIES


def test_paired_arms_have_no_lead() -> None:
    with pytest.raises(ValueError, match="paired arms have the same seeds, got a lead of 2"):
        new_study(of_arms(0.01, 0.0, 0.0), n_seeds=4, n_examples=9, test=PlannedTest(lead=2))


def test_shares_add_up_whatever_varies() -> None:
    for parts in (of_arms(0.01, 0.0, 0.0), of_arms(0.0, 0.1, 0.0), of_arms(0.0, 0.0, 0.2), of_arms(1e-9, 0.1, 0.2)):
        for n_seeds in (2, 3, 5, 10**6):
            study = new_study(parts, n_seeds=n_seeds, n_examples=50)
            assert study is not None
            assert study.shares.sum() == pytest.approx(1, abs=1e-9)
            assert np.isfinite(study.estimated).all()
            assert np.isfinite(study.df).all()
