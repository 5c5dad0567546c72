from __future__ import annotations

import itertools
import math
import time
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from analysis.methods import looks as module
from analysis.methods.looks import one_sided_thresholds, sequential_p, spent, thresholds

LOOKS = (4, 8, 12, 20)

# Boundaries of z: looks, alpha, sides, boundaries, digits, source.
REFERENCE = [
    # Reboussin, DeMets, Kim and Lan (2000), Controlled Clinical Trials 21, 190-207; also R's ldbounds:
    # ldBounds(t = seq(.2, 1, .2), iuse = c(1, 1), alpha = c(.025, .025))
    ((4, 8, 12, 16, 20), 0.05, 2, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310), 1.2e-4),
    # R's mvtnorm 1.x: z[k] by uniroot so that 1 - pmvnorm(-z, z, corr = sqrt(t_i / t_j),
    # algorithm = Miwa(steps = 2049)) is f(t[k]) = sides * (2 - 2 * pnorm(qnorm(1 - alpha / (2 * sides)) / sqrt(t[k])))
    ((4, 8, 12, 20), 0.05, 2, (4.876885, 3.357012, 2.680280, 1.981389), 2e-6),
    ((4, 8, 12, 20), 0.00625, 2, (6.504536, 4.528150, 3.642386, 2.739334), 2e-6),
    ((4, 8, 12, 20), 0.05, 1, (4.229195, 2.888137, 2.298090, 1.680671), 2e-6),
    ((3, 5, 10), 0.2, 2, (2.785454, 2.071489, 1.317310), 2e-6),
    ((5, 10, 15), 0.05, 2, (3.710303, 2.511427, 1.993047), 2e-6),
    ((10, 20), 0.05, 2, (2.962588, 1.968596), 2e-6),
    ((10, 20), 0.01, 2, (3.801369, 2.577585), 2e-6),
    ((5, 10, 15, 20), 0.05, 1, (3.749552, 2.539943, 2.016070, 1.720177), 2e-6),
]


def limits(looks: tuple[int, ...], alpha: float, sides: int) -> tuple[float, ...]:
    return (thresholds if sides == 2 else one_sided_thresholds)(looks, alpha=alpha)


@pytest.mark.parametrize(("looks", "alpha", "sides", "expected", "digits"), REFERENCE)
def test_published_boundaries(
    looks: tuple[int, ...], alpha: float, sides: int, expected: tuple[float, ...], digits: float
) -> None:
    boundaries = [-special.ndtri(p / sides) for p in limits(looks, alpha, sides)]
    assert boundaries == pytest.approx(expected, abs=digits)


def test_the_plan_of_four_looks() -> None:
    levels = thresholds(LOOKS, alpha=0.05)
    assert levels == pytest.approx((1.0777e-6, 0.00078790, 0.0073561, 0.0475476), rel=1e-4)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.9])
def test_a_normal_distribution_of_three_looks_agrees(sides: int, alpha: float) -> None:
    looks = (3, 7, 10)
    z = np.array([-special.ndtri(p / sides) for p in limits(looks, alpha, sides)])
    t = np.array(looks) / 10
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    lower = -z if sides == 2 else np.full(3, -np.inf)
    rng = np.random.default_rng(0)
    stay = stats.multivariate_normal(cov=correlation, seed=rng, abseps=1e-7, releps=1e-7, maxpts=2_000_000)
    assert 1 - stay.cdf(z, lower_limit=lower) == pytest.approx(alpha, abs=2e-6)


def paths(looks: tuple[int, ...], n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = np.diff(np.array((0, *looks)))
    return np.cumsum(rng.standard_normal((n, len(looks))) * np.sqrt(steps), axis=1) / np.sqrt(looks)


@pytest.mark.parametrize(("looks", "alpha"), [(LOOKS, 0.05), ((3, 4, 5, 20), 0.2), ((10, 11, 12), 0.00625)])
@pytest.mark.parametrize("sides", [1, 2])
def test_brownian_paths_cross_as_often_as_promised(looks: tuple[int, ...], alpha: float, sides: int) -> None:
    z = paths(looks, 200_000, seed=7)
    p = special.ndtr(-z) if sides == 1 else 2 * special.ndtr(-np.abs(z))
    crossed = (p <= np.array(limits(looks, alpha, sides))).cumsum(axis=1) > 0
    for k in range(1, len(looks) + 1):
        promised = spent(looks, k, alpha) if sides == 2 else spent(looks, k, 2 * alpha) / 2
        low, high = stats.binom.interval(1 - 1e-4, 200_000, promised)
        assert low <= crossed[:, k - 1].sum() <= high


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("looks", [LOOKS, (2, 3, 100), (10, 11, 12, 13, 20), (9, 10)])
def test_a_larger_level_never_asks_for_a_smaller_p(looks: tuple[int, ...], sides: int) -> None:
    levels = [*10.0 ** np.linspace(-30, -1, 40), *np.linspace(0.11, 0.9999, 40)]
    p_values = np.array([limits(looks, alpha, sides) for alpha in levels])
    assert (np.diff(p_values, axis=0) >= 0).all()
    assert (np.diff(p_values[:, -1]) > 0).all()
    assert (p_values <= np.array(levels)[:, None] * (1 + 1e-9)).all()


def test_a_finer_grid_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [(LOOKS, 0.05, 2), (LOOKS, 0.9, 1), ((100, 101, 104, 200), 0.01, 2), ((2, 3, 100), 0.05, 1)]
    coarse = [module._boundaries.__wrapped__(looks, len(looks), alpha, sides) for looks, alpha, sides in plans]
    monkeypatch.setattr(module, "_STEP", 0.3)
    fine = [module._boundaries.__wrapped__(looks, len(looks), alpha, sides) for looks, alpha, sides in plans]
    for one, other in zip(coarse, fine, strict=True):
        assert one == pytest.approx(other, rel=1e-8)


def test_a_look_at_nothing_rejects_nothing_and_costs_nothing() -> None:
    first, last = thresholds((2, 10_000), alpha=0.05)
    assert first == 0
    assert last == pytest.approx(0.05, rel=1e-10)
    early = thresholds((2, 3, 100), alpha=0.05)
    assert 0 < early[0] < 1e-50
    assert sequential_p([1e-300, 0.03], (2, 10_000), sides=2) == pytest.approx(0.03, rel=1e-8)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [1e-9, 0.00625, 0.05, 0.4])
def test_a_p_on_its_threshold_has_that_level(k: int, sides: Literal[1, 2], alpha: float) -> None:
    p = [0.9999] * (k - 1) + [limits(LOOKS, alpha, sides)[k - 1]]
    assert sequential_p(p, LOOKS, sides=sides) == pytest.approx(alpha, rel=1e-6)


def test_rejection_at_a_level_is_the_same_as_a_small_sequential_p() -> None:
    z = paths(LOOKS, 300, seed=3) + np.sqrt(np.array(LOOKS) / 20) * 2
    agree = 0
    for row in 2 * special.ndtr(-np.abs(z)):
        rejected = bool((row <= np.array(thresholds(LOOKS, alpha=0.05))).any())
        assert (sequential_p(list(row), LOOKS, sides=2) <= 0.05) == rejected
        agree += rejected
    assert 100 < agree < 250


@pytest.mark.parametrize("sides", [1, 2])
def test_the_sequential_p_is_honest_wherever_a_study_stops(sides: Literal[1, 2]) -> None:
    """Stopping at the smallest p so far, under the null, the sequential p is no smaller than uniform."""
    z = paths(LOOKS, 1_000, seed=5)
    p = special.ndtr(-z) if sides == 1 else 2 * special.ndtr(-np.abs(z))
    p_values = np.array([sequential_p(list(row), LOOKS, sides=sides) for row in p])
    for level in (0.01, 0.05, 0.2, 0.5):
        assert (p_values <= level).sum() <= stats.binom.ppf(0.9999, 1_000, level)
    # At the last look the whole level has been spent: the sequential p is uniform itself.
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    assert (p.min(axis=1) <= 0.05).mean() > 0.09


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    p=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    sides=st.sampled_from([1, 2]),
    looks=st.sampled_from([LOOKS, (2, 3, 4, 5), (5, 20, 80, 81)]),
)
def test_one_more_look_never_raises_it(p: list[float], sides: Literal[1, 2], looks: tuple[int, ...]) -> None:
    p_values = [sequential_p(p[:k], looks, sides=sides) for k in range(1, len(p) + 1)]
    assert all(before * (1 + 1e-7) >= after for before, after in itertools.pairwise(p_values))
    assert min(p) <= p_values[-1] * (1 + 1e-9)
    assert p_values[-1] <= 1


def test_a_missing_look_rejects_nothing() -> None:
    complete = sequential_p([1.0, 0.03, 0.004], LOOKS, sides=2)
    assert sequential_p([math.nan, 0.03, 0.004], LOOKS, sides=2) == pytest.approx(complete, rel=1e-9)
    assert sequential_p([0.001, math.nan], LOOKS, sides=2) == sequential_p([0.001], LOOKS, sides=2)
    assert math.isnan(sequential_p([math.nan, math.nan], LOOKS, sides=2))


def test_the_extremes() -> None:
    assert sequential_p([1.0], LOOKS, sides=2) == 1
    assert sequential_p([0.9, 1.0, 1.0, 1.0], LOOKS, sides=1) <= 1
    assert 0 < sequential_p([0.5, 0.5, 0.5, 0.0], LOOKS, sides=2) < 1e-200


def test_what_is_spent() -> None:
    def side(t: float) -> float:
        return 2 - 2 * stats.norm.cdf(stats.norm.ppf(1 - 0.05 / 4) / math.sqrt(t))

    assert [spent(LOOKS, k, 0.05) for k in range(5)] == pytest.approx(
        [0, 2 * side(0.2), 2 * side(0.4), 2 * side(0.6), 0.05], rel=1e-6
    )
    assert spent(LOOKS, 1, 0.05) == pytest.approx(thresholds(LOOKS, alpha=0.05)[0], rel=1e-9)


def test_it_is_fast() -> None:
    module._boundaries.cache_clear()
    start = time.process_time()
    thresholds((4, 8, 12, 16, 20), alpha=0.0421)
    assert time.process_time() - start < 1
    start = time.process_time()
    sequential_p([0.5, 0.01, 0.005, 0.012, 0.02], (4, 8, 12, 16, 20), sides=2)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("looks", [(4,), (), (8, 4), (4, 4, 8), (1, 4), (4, 20_000)])
def test_bad_looks_are_refused(looks: tuple[int, ...]) -> None:
    for call in (
        lambda: thresholds(looks, alpha=0.05),
        lambda: one_sided_thresholds(looks, alpha=0.05),
        lambda: spent(looks, 1, 0.05),
        lambda: sequential_p([0.1], looks, sides=2),
    ):
        with pytest.raises(ValueError, match="two or more increasing numbers of seeds from 2 to 10000"):
            call()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_bad_levels_are_refused(alpha: float) -> None:
    for call in (
        lambda: thresholds(LOOKS, alpha=alpha),
        lambda: one_sided_thresholds(LOOKS, alpha=alpha),
        lambda: spent(LOOKS, 1, alpha),
    ):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
            call()


@pytest.mark.parametrize(
    ("p_values", "sides", "message"),
    [
        ([], 2, "1 to 4 of them, got 0"),
        ([0.1] * 5, 2, "1 to 4 of them, got 5"),
        ([0.1, 1.5], 2, "between 0 and 1, got 1.5"),
        ([-0.1], 1, "between 0 and 1, got -0.1"),
        ([0.1], 3, "sides must be 1 or 2"),
    ],
)
def test_bad_p_values_are_refused(p_values: list[float], sides: Literal[1, 2], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sequential_p(p_values, LOOKS, sides=sides)


@pytest.mark.parametrize("k", [-1, 5])
def test_looks_beyond_the_plan_have_spent_nothing_known(k: int) -> None:
    with pytest.raises(ValueError, match="between 0 and the 4 declared looks"):
        spent(LOOKS, k, 0.05)
