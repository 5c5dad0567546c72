from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.methods.bca import BcaResult, bca_interval

AIR = [3, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487]
LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
GPA = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

# R 4.2.2, boot 1.3-28.1: aircondit$hours (air-conditioning failures, Davison and Hinkley 1997, example 1.1), both
# columns of Efron's law schools, darwin$y.
#   set.seed(1); b <- boot(x, function(x, i) mean(x[i]), R = 1000000); L <- empinf(b, type = "jack")
#   boot.ci(b, type = "bca", L = L)
# Columns: data, limits at .95, Monte Carlo tolerance.
FROM_R = [
    (AIR, (57.00000, 226.16667), 3.0),
    (LSAT, (581.40000, 622.26667), 1.0),
    (GPA, (2.97667, 3.21400), 0.01),
    (DARWIN, (-1.80000, 36.26667), 1.0),
]

# scipy 1.17.1: stats.bootstrap((x,), np.mean, n_resamples=9999, confidence_level=level, method="BCa",
# rng=np.random.default_rng(2026)), which draws the same resamples from the same generator.
# Columns: data, level, limits.
FROM_SCIPY = [
    (AIR, 0.95, (56.25, 227.63278373204076)),
    (AIR, 0.90, (62.166666666666664, 202.08314909802843)),
    (LSAT, 0.95, (581.2, 622.8881160660443)),
    (LSAT, 0.90, (584.0666666666666, 619.1634268823298)),
    (DARWIN, 0.95, (-1.4666666666666663, 36.2)),
    (DARWIN, 0.90, (2.2727362669243574, 34.0)),
]


@pytest.mark.parametrize(("x", "limits", "tolerance"), FROM_R)
def test_boot_ci_of_r(x: list[float], limits: tuple[float, float], tolerance: float) -> None:
    result = bca_interval(x, rng=np.random.default_rng(0), resamples=50_000)
    assert (result.low, result.high) == pytest.approx(limits, abs=tolerance)


@pytest.mark.parametrize(("x", "level", "limits"), FROM_SCIPY)
def test_scipy(x: list[float], level: float, limits: tuple[float, float]) -> None:
    result = bca_interval(x, rng=np.random.default_rng(2026), resamples=9999, confidence=level)
    assert (result.low, result.high) == pytest.approx(limits, rel=1e-10)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(n=st.integers(5, 60), seed=st.integers(0, 1000), lattice=st.booleans())
def test_negating_the_scores_negates_the_limits(n: int, seed: int, lattice: bool) -> None:
    x = np.random.default_rng(seed).normal(0.3, 1, size=n)
    x = np.round(3 * x) / 3 if lattice else x
    one, other = (bca_interval(sign * x, rng=np.random.default_rng(seed), resamples=999) for sign in (1, -1))
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), rel=1e-9, abs=1e-9)


def test_ties_with_the_estimate_count_half() -> None:
    # Means of thirds differ by rounding where their sums are the same number; scaled to whole numbers they are exact.
    whole = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], p=[0.2, 0.4, 0.4], size=60)
    exact, rounded = (bca_interval(x, rng=np.random.default_rng(1), resamples=9999) for x in (whole, whole / 3 + 0.1))
    assert (rounded.low, rounded.high) == pytest.approx((exact.low / 3 + 0.1, exact.high / 3 + 0.1), abs=1e-12)


def test_an_offset_of_all_scores_moves_the_limits_and_nothing_else() -> None:
    x = np.random.default_rng(3).lognormal(sigma=2, size=60)
    plain, moved = (bca_interval(x + offset, rng=np.random.default_rng(0)) for offset in (0, 1e9))
    assert (moved.low - 1e9, moved.high - 1e9) == pytest.approx((plain.low, plain.high), abs=1e-6)


def test_a_large_test_set_fits_into_memory() -> None:
    x = np.random.default_rng(4).random(4000)
    tracemalloc.start()
    result = bca_interval(x, rng=np.random.default_rng(0), resamples=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.low < result.estimate < result.high
    assert peak < 64 * 2**20


def test_the_interval_covers_the_mean_of_skewed_scores() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        result = bca_interval(rng.exponential(size=100), rng=rng, resamples=499)
        covered += result.low <= 1 <= result.high
    assert 0.90 <= covered / 400 <= 0.975


def test_draws_come_from_the_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    results = [bca_interval(AIR, rng=np.random.default_rng(seed), resamples=999) for seed in (0, 0, 1)]
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_the_order_of_examples_is_irrelevant_up_to_monte_carlo_error() -> None:
    one, other = (bca_interval(x, rng=np.random.default_rng(1), resamples=50_000) for x in (LSAT, LSAT[::-1]))
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1)


def test_below_twenty_seeds_there_is_no_interval_over_seeds() -> None:
    x = np.random.default_rng(3).normal(size=20)
    few = bca_interval(x[:19], rng=np.random.default_rng(0), over="seeds")
    assert undefined(few)
    assert few.reason == "19 seeds: below 20 the interval covers the truth less often than it says"
    assert few.estimate == pytest.approx(x[:19].mean())
    enough = bca_interval(x, rng=np.random.default_rng(0), over="seeds")
    assert enough.low < enough.estimate < enough.high
    assert (few.generalizes_to, enough.generalizes_to) == ("seeds", "seeds")
    assert bca_interval(x[:19], rng=np.random.default_rng(0)).generalizes_to == "examples"


@pytest.mark.parametrize(
    ("x", "why"),
    [([0.5], "one example says nothing about new examples"), ([0.1] * 30, "every score is the same")],
)
def test_undefined_is_nan_with_a_reason(x: list[float], why: str) -> None:
    result = bca_interval(x, rng=np.random.default_rng(0))
    assert undefined(result)
    assert result.estimate == pytest.approx(x[0])
    assert why in result.reason


def test_resampled_means_on_one_side_of_the_estimate_cannot_be_corrected() -> None:
    result = bca_interval([1.0] + [0.0] * 5, rng=np.random.default_rng(6), resamples=3, confidence=0.5)
    assert undefined(result)
    assert result.reason == "the resampled means are too lopsided for a correction"


def undefined(result: BcaResult) -> bool:
    return all(math.isnan(value) for value in (result.low, result.high))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [[0.0, 1.0]]}, r"scores must be one row, got shape \(1, 2\)"),
        ({"scores": []}, "scores must be one row"),
        ({"scores": [0.0, math.nan]}, "scores must be finite, got 1 others"),
        ({"over": "folds"}, "over must be 'examples' or 'seeds', got 'folds'"),
        ({"confidence": -0.5}, "confidence must lie between 0 and 1, got -0.5"),
        ({"resamples": 5}, "resamples must be at least 39 at confidence 0.95, got 5"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"scores": [0.0, 1.0, 1.0]}
    with pytest.raises(ValueError, match=message):
        bca_interval(rng=np.random.default_rng(0), **{**given, **change})  # type: ignore[arg-type]
