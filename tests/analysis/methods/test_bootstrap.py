from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.bootstrap import MultiBootstrapResult, multi_bootstrap
from analysis.methods.crossed import crossed_test
from analysis.methods.resamples import draw_counts

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]

# R 4.2.2. Percentile and standard error: boot 1.3-28.1,
#   set.seed(1); b <- boot(x, function(x, i) mean(x[i]), R = 200000); boot.ci(b, type = "perc"); sd(b$t)
# Symmetric bootstrap-t:
#   set.seed(1); n <- length(x); m <- matrix(sample(x, n * 200000, TRUE), 200000); mu <- rowMeans(m)
#   t <- abs(mu - mean(x)) / sqrt(rowSums((m - mu)^2) / (n - 1) / n); q <- quantile(t, .95)
#   mean(x) + c(-1, 1) * q * sd(x) / sqrt(n)
# x = darwin$y of boot (differences in height of paired plants), and the LSAT column of Efron's law schools.
# Columns: data, standard error, percentile limits, symmetric bootstrap-t limits, Monte Carlo tolerance.
FROM_R = [
    (DARWIN, 9.43414, (1.26667, 38.19833), (-3.2429, 45.1095), 1.0),
    (LSAT, 10.4158, (580.46667, 621.20000), (576.4700, 624.0634), 0.8),
]


def scores(S_t: int, S_b: int, N: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    hard = 0.6 + 0.35 * rng.random(N)
    return (rng.random((S_t, N)) < hard + 0.05).astype(float), (rng.random((S_b, N)) < hard).astype(float)


def numbers(result: MultiBootstrapResult) -> list[float]:
    return [
        result.estimate,
        result.bootstrap_se,
        *result.percentile_interval,
        result.p_percentile,
        *result.studentised_interval,
        result.p_studentised,
    ]


@pytest.mark.parametrize(
    ("S_t", "S_b", "N", "paired"), [(5, 5, 23, True), (3, 3, 23, True), (4, 6, 23, False), (4, 4, 3, True)]
)
def test_every_resample_equals_the_crossed_test_on_the_rows_and_columns_it_drew(
    S_t: int, S_b: int, N: int, paired: bool
) -> None:
    B = 199
    y_t, y_b = scores(S_t, S_b, N, seed=1)
    result = multi_bootstrap(y_t, y_b, paired=paired, rng=np.random.default_rng(2), resamples=B)
    rng = np.random.default_rng(2)
    W_t = draw_counts(rng, B, S_t)
    W_b = W_t if paired else draw_counts(rng, B, S_b)
    V = draw_counts(rng, B, N)
    replicates = []
    for w_t, w_b, v in zip(W_t, W_b, V, strict=True):
        rows_t, rows_b, columns = (np.repeat(np.arange(len(k)), k.astype(int)) for k in (w_t, w_b, v))
        replicates.append(crossed_test(y_t[rows_t][:, columns], y_b[rows_b][:, columns], paired=paired))
    estimates = np.array([replicate.estimate for replicate in replicates])
    errors = np.array([replicate.standard_error for replicate in replicates])
    observed = crossed_test(y_t, y_b, paired=paired)
    t = np.full(B, np.inf)
    t[errors > 0] = np.abs(estimates - observed.estimate)[errors > 0] / errors[errors > 0]
    quantile = np.sort(t)[math.ceil(0.95 * (B + 1)) - 1]
    half = quantile * observed.standard_error if np.isfinite(quantile) else math.nan
    side = min(np.sum(estimates <= 1e-12), np.sum(estimates >= -1e-12))
    expected = [
        observed.estimate,
        estimates.std(ddof=1),
        *np.sort(estimates)[[4, B - 5]],
        min(1.0, 2 * (side + 1) / (B + 1)),
        observed.estimate - half,
        observed.estimate + half,
        (np.sum(t >= abs(observed.statistic) - 1e-9) + 1) / (B + 1),
    ]
    assert numbers(result) == pytest.approx(expected, rel=1e-9, nan_ok=True)
    still = int(np.sum(errors == 0))
    assert (f"nothing varies in {still} of {B} resamples" in result.reason) == (still > 0)
    assert (still > 0) == (N == 3)


@pytest.mark.parametrize("paired", [True, False])
def test_the_standard_error_is_the_one_known_in_closed_form(paired: bool) -> None:
    y_t, y_b = scores(6, 6, 40, seed=3)
    result = multi_bootstrap(y_t, y_b, paired=paired, rng=np.random.default_rng(0), resamples=20_000)

    def parts(y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float]:
        S, N = y.shape
        a, b = y.mean(axis=1) - y.mean(), y.mean(axis=0) - y.mean()
        e = y - y.mean() - a[:, None] - b
        return float(np.sum(a**2)) / S**2, b, float(np.sum(e**2)) / (S * N) ** 2

    if paired:
        seed, b, rest = parts(y_t - y_b)
        variance = seed + float(np.sum(b**2)) / 40**2 + rest
    else:
        (seed_t, b_t, rest_t), (seed_b, b_b, rest_b) = parts(y_t), parts(y_b)
        variance = seed_t + seed_b + float(np.sum((b_t - b_b) ** 2)) / 40**2 + rest_t + rest_b
    assert result.bootstrap_se == pytest.approx(math.sqrt(variance), rel=0.025)


def test_the_expected_variance_follows_from_the_components() -> None:
    rng = np.random.default_rng(4)
    S, N, seed, example, rest = 6, 30, 0.02, 0.3, 1.0
    variances = []
    for _ in range(300):
        d = (
            math.sqrt(seed) * rng.normal(size=(S, 1))
            + math.sqrt(example) * rng.normal(size=N)
            + math.sqrt(rest) * rng.normal(size=(S, N))
        )
        result = multi_bootstrap(d, np.zeros((S, N)), paired=True, rng=rng, resamples=199)
        variances.append(result.bootstrap_se**2)
    # Owen (2007): the rest counts nearly three times.
    expected = (
        (S - 1) / S * (seed + rest / N) / S
        + (N - 1) / N * (example + rest / S) / N
        + (S - 1) * (N - 1) * rest / (S * N) ** 2
    )
    assert np.mean(variances) == pytest.approx(expected, rel=0.05)


def test_paired_arms_meet_the_same_examples_and_the_same_seeds() -> None:
    rng = np.random.default_rng(5)
    shared = 3 * rng.normal(size=50) + 2 * rng.normal(size=(8, 1))
    y_t, y_b = (shared + 0.1 * rng.normal(size=(8, 50)) for _ in range(2))
    joint = multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(0), resamples=999)
    W = [draw_counts(rng, 999, 8) for _ in range(2)]
    V = [draw_counts(rng, 999, 50) for _ in range(2)]
    apart = np.std([np.einsum("bs,si,bi->b", w, y, v) / 400 for w, y, v in zip(W, (y_t, -y_b), V, strict=True)], axis=1)
    assert joint.bootstrap_se < 0.05 * math.hypot(*apart)
    unpaired = multi_bootstrap(y_t, y_b, paired=False, rng=np.random.default_rng(0), resamples=999)
    assert joint.bootstrap_se < 0.05 * unpaired.bootstrap_se
    # Independent seeds, and still the same examples in both arms: these do not add to the spread.
    seeds_alone = math.hypot(*(y.mean(axis=1).std() / math.sqrt(8) for y in (y_t, y_b)))
    assert unpaired.bootstrap_se == pytest.approx(seeds_alone, rel=0.1)


@pytest.mark.parametrize(("x", "error", "percentile", "studentised", "tolerance"), FROM_R)
def test_scores_alike_over_seeds_leave_the_ordinary_bootstrap_of_r(
    x: list[float], error: float, percentile: tuple[float, float], studentised: tuple[float, float], tolerance: float
) -> None:
    d = np.tile(np.array(x, dtype=float), (4, 1))
    result = multi_bootstrap(d, 0 * d, paired=True, rng=np.random.default_rng(0), resamples=20_000)
    assert result.bootstrap_se == pytest.approx(error, rel=0.02)
    assert result.percentile_interval == pytest.approx(percentile, abs=tolerance)
    assert result.studentised_interval == pytest.approx(studentised, abs=tolerance)


def test_scores_alike_over_seeds_leave_the_bootstrap_of_scipy_resample_by_resample() -> None:
    x, B = np.random.default_rng(6).exponential(size=40), 999
    result = multi_bootstrap(
        np.tile(x, (5, 1)), np.zeros((5, 40)), paired=True, rng=np.random.default_rng(7), resamples=B
    )
    rng = np.random.default_rng(7)
    draw_counts(rng, B, 5)
    other = stats.bootstrap((x,), np.mean, n_resamples=B, method="percentile", rng=rng)
    assert result.bootstrap_se == pytest.approx(float(other.standard_error), rel=1e-12)
    ordered = np.sort(other.bootstrap_distribution)
    assert result.percentile_interval == pytest.approx((ordered[24], ordered[-25]), rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(S=st.integers(2, 6), N=st.integers(2, 12), seed=st.integers(0, 1000), lattice=st.booleans())
def test_swapping_the_arms_negates_the_effect_and_keeps_p(S: int, N: int, seed: int, lattice: bool) -> None:
    y = np.random.default_rng(seed).normal(size=(2, S, N))
    y = np.round(y) if lattice else y
    one, other = (
        multi_bootstrap(*arms, paired=True, rng=np.random.default_rng(seed), resamples=99) for arms in (y, y[::-1])
    )
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-12)
    assert (other.p_percentile, other.p_studentised) == pytest.approx(
        (one.p_percentile, one.p_studentised), nan_ok=True
    )
    for ours, theirs in (
        (one.percentile_interval, other.percentile_interval),
        (one.studentised_interval, other.studentised_interval),
    ):
        assert theirs == pytest.approx((-ours[1], -ours[0]), rel=1e-9, abs=1e-12, nan_ok=True)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(seed=st.integers(0, 10_000), shift=st.floats(-0.6, 0.6), B=st.sampled_from([39, 99, 150, 199]))
def test_p_values_and_intervals_are_two_sides_of_one_test(seed: int, shift: float, B: int) -> None:
    d = shift + np.random.default_rng(seed).normal(size=(5, 12))
    result = multi_bootstrap(d, 0 * d, paired=True, rng=np.random.default_rng(seed), resamples=B)
    level = 0.05 + 1e-9
    for (low, high), p in (
        (result.percentile_interval, result.p_percentile),
        (result.studentised_interval, result.p_studentised),
    ):
        assert (low > 0 or high < 0) == (p <= level)
        assert 0 < p <= 1


def test_unpaired_arms_can_be_swapped_up_to_monte_carlo_error() -> None:
    y_t, y_b = scores(4, 7, 60, seed=8)
    result = multi_bootstrap(y_t, y_b, paired=False, rng=np.random.default_rng(1), resamples=20_000)
    other = multi_bootstrap(y_b, y_t, paired=False, rng=np.random.default_rng(1), resamples=20_000)
    assert other.estimate == pytest.approx(-result.estimate)
    assert other.bootstrap_se == pytest.approx(result.bootstrap_se, rel=0.03)
    assert other.p_studentised == pytest.approx(result.p_studentised, abs=0.02)
    assert other.p_percentile == pytest.approx(result.p_percentile, abs=0.02)


def test_the_order_of_seeds_and_examples_is_irrelevant_up_to_monte_carlo_error() -> None:
    y = np.stack(scores(6, 6, 50, seed=9))
    result = multi_bootstrap(*y, paired=True, rng=np.random.default_rng(1), resamples=20_000)
    mixed = y[:, [3, 0, 5, 1, 4, 2]][:, :, np.random.default_rng(2).permutation(50)]
    other = multi_bootstrap(*mixed, paired=True, rng=np.random.default_rng(1), resamples=20_000)
    assert other.bootstrap_se == pytest.approx(result.bootstrap_se, rel=0.03)
    assert other.p_studentised == pytest.approx(result.p_studentised, abs=0.02)
    assert other.p_percentile == pytest.approx(result.p_percentile, abs=0.02)


def test_a_common_shift_and_another_unit_change_nothing() -> None:
    y_t, y_b = scores(5, 5, 40, seed=10)
    one, far, percent = (
        multi_bootstrap(scale * y_t + add, scale * y_b + add, paired=True, rng=np.random.default_rng(1), resamples=199)
        for scale, add in ((1, 0), (1, 1000), (100, 0))
    )
    assert numbers(far) == pytest.approx(numbers(one), rel=1e-6)
    assert percent.studentised_interval == pytest.approx([100 * limit for limit in one.studentised_interval])
    assert percent.p_studentised == one.p_studentised


def test_draws_come_from_the_generator_alone() -> None:
    y_t, y_b = scores(5, 5, 40, seed=11)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    results = [
        multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(seed), resamples=199)
        for seed in (0, 0, 1, 12345)
    ]
    assert results[0] == results[1]
    assert len({result.bootstrap_se for result in results}) == 3
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_nothing_varies() -> None:
    same = multi_bootstrap(np.ones((4, 9)), np.ones((4, 9)), paired=True, rng=np.random.default_rng(0))
    gap = multi_bootstrap(np.ones((4, 9)), np.zeros((4, 9)), paired=True, rng=np.random.default_rng(0))
    assert (same.estimate, same.p_percentile, same.p_studentised) == (0, 1, 1)
    assert gap.estimate == 1
    assert math.isnan(gap.p_percentile)
    assert math.isnan(gap.p_studentised)
    for result in (same, gap):
        assert all(math.isnan(limit) for limit in (*result.percentile_interval, *result.studentised_interval))
        assert "nothing varies" in result.reason


@pytest.mark.parametrize("paired", [True, False])
def test_resamples_without_variation_count_as_extreme(paired: bool) -> None:
    d = np.zeros((4, 6))
    d[0, 0] = 1
    result = multi_bootstrap(d, 0 * d, paired=paired, rng=np.random.default_rng(0), resamples=999)
    assert "count as extreme" in result.reason
    assert "too many resamples without variation" in result.reason
    assert all(math.isnan(limit) for limit in result.studentised_interval)
    assert result.p_studentised > 0.4
    # The same up to rounding: 0.1 + 0.2 is not quite 0.3.
    alike = np.where(np.indices(d.shape).sum(axis=0) % 2, 0.3, 0.1 + 0.2)
    rounded = multi_bootstrap(0.1 + 0.2 * d, alike, paired=paired, rng=np.random.default_rng(0), resamples=999)
    assert rounded.reason == result.reason


@pytest.mark.parametrize(("S", "N", "why"), [(1, 20, "one seed"), (4, 1, "one test example")])
def test_too_little_data_leaves_the_estimate_alone(S: int, N: int, why: str) -> None:
    y_t, y_b = np.random.default_rng(15).random((2, S, N))
    result = multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(0))
    assert result.estimate == pytest.approx(y_t.mean() - y_b.mean())
    assert all(math.isnan(value) for value in numbers(result)[1:])
    assert why in result.reason


def test_p_is_never_zero() -> None:
    y = np.random.default_rng(16).random((2, 6, 30)) + np.array([[[9]], [[0]]])
    result = multi_bootstrap(*y, paired=True, rng=np.random.default_rng(0), resamples=99)
    assert (result.p_percentile, result.p_studentised) == (0.02, 0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.0}, "confidence must lie between 0 and 1, got 1.0"),
        ({"confidence": 0.0}, "confidence must lie between 0 and 1, got 0.0"),
        ({"resamples": 38}, "resamples must be at least 39 at confidence 0.95, got 38"),
        ({"resamples": 0}, "got 0"),
        ({"treatment": [[1, math.nan, 0, 0, 1]] * 4}, "treatment must hold finite scores"),
        ({"treatment": [1, 1, 0, 0, 1]}, "treatment must be a matrix"),
        ({"treatment": [[1, 0, 1]] * 4}, "the same examples, got 3"),
        ({"treatment": [[1, 0, 1, 0, 1]] * 3}, "the same seeds, got 3"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"treatment": [[1, 0, 1, 1, 0]] * 4, "baseline": [[1, 0, 1, 0, 0]] * 4, "paired": True}
    with pytest.raises(ValueError, match=message):
        multi_bootstrap(rng=np.random.default_rng(0), **{**given, **change})  # type: ignore[arg-type]
