from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.metrics.regression import mse_scores, pearson_scores, regression_scores, spearman_scores

NAMES = ("pearson", "spearman", "mse")
CORRELATIONS = {"pearson": pearson_scores, "spearman": spearman_scores}

Floats = np.ndarray

# R's data set cars: speed, and the distance to stop, with many ties.
SPEED = [4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 16, 16, 17]
SPEED += [17, 17, 18, 18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25]
STOPS = [2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26, 54, 32, 40]
STOPS += [32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85]


def rated(rng: np.random.Generator, S: int, N: int, *, noise: float = 0.8) -> tuple[Floats, Floats]:
    """Draw ratings from 0 to 5 in steps of .2, as STS-B has them, and runs that share part of their errors."""
    labels = rng.uniform(0, 5, N).round(1) // 0.2 * 0.2
    return labels, labels + noise * (rng.normal(size=N) + rng.normal(size=(S, N)))


def weighted(name: str, y: Floats, x: Floats, weights: Floats) -> float:
    """Return a metric of weighted examples by its definition, pair by pair."""
    w = weights / weights.sum()
    if name == "mse":
        return float(w @ (x - y) ** 2)
    if name == "spearman":
        x, y = (((v < v[:, None]) + (v == v[:, None]) / 2) @ w for v in (x, y))
    x, y = x - w @ x, y - w @ y
    return float(w @ (x * y) / math.sqrt((w @ x**2) * (w @ y**2)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pearson", 0.8068949),  # R: cor(cars$speed, cars$dist)
        ("spearman", 0.8303568),  # R: cor(cars$speed, cars$dist, method = "spearman")
    ],
)
def test_means_are_the_correlations(name: str, expected: float) -> None:
    scores = regression_scores(name, SPEED, [STOPS, STOPS[::-1]])
    assert scores[0].mean() == pytest.approx(expected, abs=5e-8)
    by_scipy = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[name]
    assert scores[1].mean() == pytest.approx(by_scipy(SPEED, STOPS[::-1]).statistic, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(2, 30), st.integers(1, 9), st.integers(0, 10_000))
def test_means_are_the_metrics_with_any_ties(N: int, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, steps + 1, N), rng.integers(0, steps + 1, (3, N)) / 7
    predictions[:, 0], labels[:2] = 9.0, (0, 1)  # Not a constant.
    for row, pearson, spearman in zip(
        predictions, pearson_scores(labels, predictions), spearman_scores(labels, predictions), strict=True
    ):
        assert pearson.mean() == pytest.approx(stats.pearsonr(labels, row).statistic, abs=1e-12)
        assert spearman.mean() == pytest.approx(stats.spearmanr(labels, row).statistic, abs=1e-12)
    assert mse_scores(labels, predictions).mean() == pytest.approx(np.mean((predictions - labels) ** 2))


@pytest.mark.parametrize("name", NAMES)
def test_influence_is_the_derivative_by_the_weight_of_an_example(name: str) -> None:
    labels, predictions = rated(np.random.default_rng(5), 2, 50)
    predictions[1] = predictions[1].round()  # Ties on both sides.
    N, h = len(labels), 1e-6
    for row, scores in zip(predictions, regression_scores(name, labels, predictions), strict=True):
        steps = h * (np.eye(N) - 1 / N)
        derivative = [
            (weighted(name, labels, row, 1 / N + step) - weighted(name, labels, row, 1 / N - step)) / (2 * h)
            for step in steps
        ]
        assert scores - scores.mean() == pytest.approx(derivative, abs=1e-7)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_jackknife_pseudo_values_agree_to_first_order(name: str) -> None:
    far = []
    for N in (100, 400):
        labels, predictions = rated(np.random.default_rng(6), 1, N)
        scores = regression_scores(name, labels, predictions)[0]
        without = [
            regression_scores(name, np.delete(labels, i), np.delete(predictions, i, axis=1)).mean() for i in range(N)
        ]
        pseudo = N * scores.mean() - (N - 1) * np.array(without)
        assert pseudo.std(ddof=1) == pytest.approx(scores.std(ddof=1), rel=10 / N)
        far.append(np.abs(pseudo - scores).mean())
    assert far[1] < far[0] / 3


@pytest.mark.parametrize("name", CORRELATIONS)
def test_standard_error_is_that_of_the_bootstrap(name: str, rng: np.random.Generator) -> None:
    labels, predictions = rated(rng, 1, 400)
    scores = regression_scores(name, labels, predictions)[0]
    draws = rng.integers(0, 400, size=(1500, 400))
    drawn = [regression_scores(name, labels[draw], predictions[:, draw]).mean() for draw in draws]
    # 1,500 resamples know the standard error to 2%.
    assert scores.std(ddof=1) / math.sqrt(400) == pytest.approx(np.std(drawn, ddof=1), rel=0.06)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.7])
def test_variance_is_that_of_the_normal_theory(rho: float, rng: np.random.Generator) -> None:
    x, other = rng.normal(size=(2, 60_000))
    y = rho * x + math.sqrt(1 - rho**2) * other
    assert pearson_scores(x, y[None]).var() == pytest.approx((1 - rho**2) ** 2, rel=0.04)
    # Fieller, Hartley and Pearson (1957), Biometrika 44, 470-481: N times the variance of Spearman's correlation.
    terms = {0: 1, 2: -1.563465, 4: 0.304743, 6: 0.155286, 8: 0.061552, 10: 0.022099}
    expected = sum(factor * rho**power for power, factor in terms.items())
    assert spearman_scores(x, y[None]).var() == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_units_do_not_matter(name: str) -> None:
    labels, predictions = rated(np.random.default_rng(7), 2, 30)
    scores = regression_scores(name, labels, predictions)
    for scale in (1e-200, 3.0, 1e200):
        assert regression_scores(name, scale * labels, scale * predictions + scale) == pytest.approx(scores)
    assert regression_scores(name, labels, -predictions) == pytest.approx(-scores)


def test_ranks_alone_decide_spearman() -> None:
    labels, predictions = rated(np.random.default_rng(8), 2, 30)
    assert (spearman_scores(labels, np.exp(predictions)) == spearman_scores(labels, predictions)).all()


@pytest.mark.parametrize("name", CORRELATIONS)
@pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
def test_a_constant_has_no_correlation(name: str, value: float) -> None:
    scores = regression_scores(name, [1.0, 2.0, 4.0], [[value] * 3, [1.0, 3.0, 2.0]])
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1]).all()
    assert np.isnan(regression_scores(name, [value] * 3, [[1.0, 3.0, 2.0]])).all()


def test_perfect_predictions_have_no_spread() -> None:
    labels = np.arange(10.0)
    for name, value in (("pearson", 1.0), ("spearman", 1.0), ("mse", 0.0)):
        assert regression_scores(name, labels, labels[None]) == pytest.approx(np.full((1, 10), value), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("N", [300, 1000])
def test_crossed_test_errs_as_often_as_it_says(name: str, N: int) -> None:
    """Two arms of one quality, 5 seeds, each with its own errors by example and by seed."""
    rng, simulations = np.random.default_rng(N), 300
    rejected = 0
    for _ in range(simulations):
        labels = rng.uniform(0, 5, N).round(1)
        by_example, by_seed = rng.normal(0, 0.8, (2, 1, N)), rng.normal(1, 0.05, (2, 5, 1))
        arms = labels * by_seed + by_example + rng.normal(0, 0.4, (2, 5, N))
        scores = [regression_scores(name, labels, arm) for arm in arms]
        rejected += crossed_test(*scores, paired=True).p_value <= 0.05
    # 29 of 300 or more have a chance of .0005 at a true size of .05.
    assert rejected <= 28


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], r"shapes \(2,\) and \(2,\)"),
        ([1.0, 2.0, 3.0], [[1.0, 2.0]], r"shapes \(3,\) and \(1, 2\)"),
        ([], np.zeros((1, 0)), r"shapes \(0,\) and \(1, 0\)"),
        ([1.0, math.nan], [[1.0, 2.0]], "labels must be finite, got 1 others"),
        ([1.0, 2.0], [[math.inf, math.nan]], "predictions must be finite, got 2 others"),
        (["a", "b"], [[1.0, 2.0]], "labels must be numbers, got <U1"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_number_is_refused(name: str, labels: object, predictions: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regression_scores(name, labels, predictions)  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'accuracy': choose from pearson, spearman, mse"):
        regression_scores("accuracy", [1.0, 2.0], [[1.0, 2.0]])
