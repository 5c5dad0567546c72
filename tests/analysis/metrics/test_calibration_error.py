from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.metrics.calibration_error import brier_scores, expected_calibration_error, log_loss_scores

LABELS = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
PROBABILITIES = [
    [0.7, 0.2, 0.1],
    [0.4, 0.5, 0.1],
    [0.6, 0.1, 0.3],
    [0.2, 0.7, 0.1],
    [0.3, 0.4, 0.3],
    [0.5, 0.3, 0.2],
    [0.1, 0.8, 0.1],
    [0.2, 0.2, 0.6],
    [0.1, 0.5, 0.4],
    [0.05, 0.15, 0.8],
]
# R, with y and p as above: conf <- apply(p, 1, max); right <- (max.col(p, "first") - 1) == y
#   b <- cut(conf, (0:M)/M); c <- tapply(conf, b, mean, default=0); a <- tapply(right, b, mean, default=0)
#   sum(table(b)/10 * abs(c - a)); table(b)
ERRORS = [
    (5, 0.23, [0, 1, 5, 4, 0]),
    (15, 0.39, [0, 0, 0, 0, 0, 1, 0, 3, 2, 0, 2, 2, 0, 0, 0]),
]


@pytest.mark.parametrize(("bins", "value", "counts"), ERRORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_error_equals_r(bins: int, value: float, counts: list[int], dtype: type) -> None:
    result = expected_calibration_error(LABELS, np.array(PROBABILITIES, dtype=dtype), bins=bins)
    assert result.value == pytest.approx(value, rel=1e-6)
    assert [each.count for each in result.bins] == counts
    assert result.reason == f"{counts.count(0)} of {bins} bins hold no example"
    for each in result.bins:
        assert math.isnan(each.confidence) == math.isnan(each.accuracy) == (each.count == 0)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 10_000))
def test_error_equals_plain_loops(N: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, 3, N), rng.dirichlet([1, 1, 1], N)
    result = expected_calibration_error(labels, p, bins=bins)
    total = 0.0
    for m, each in enumerate(result.bins):
        members = [i for i in range(N) if m / bins < max(p[i]) <= (m + 1) / bins]
        assert each.count == len(members)
        if members:
            confidence = np.mean([max(p[i]) for i in members])
            accuracy = np.mean([p[i][labels[i]] == max(p[i]) for i in members])
            assert (each.confidence, each.accuracy) == pytest.approx((confidence, accuracy))
            total += len(members) / N * abs(confidence - accuracy)
    assert result.value == pytest.approx(total, abs=1e-12)
    order = rng.permutation(N)
    assert expected_calibration_error(labels[order], p[order], bins=bins).value == pytest.approx(result.value)
    renamed = rng.permutation(3)
    moved = expected_calibration_error(np.argsort(renamed)[labels], p[:, renamed], bins=bins)
    assert moved.value == pytest.approx(result.value)


def test_one_bin_compares_the_means() -> None:
    result = expected_calibration_error(LABELS, PROBABILITIES, bins=1)
    assert result.value == pytest.approx(abs(0.61 - 0.7))
    assert result.reason == ""
    assert result.bins[0].confidence == pytest.approx(0.61)


def test_calibrated_model_scores_above_0_the_more_the_fewer_examples() -> None:
    rng = np.random.default_rng(40)
    values = []
    for N in (100, 10_000):
        probability = rng.uniform(0, 1, (30, N))
        labels = (rng.random((30, N)) < probability).astype(int)
        p = np.stack([1 - probability, probability], axis=-1)
        values.append(np.mean([expected_calibration_error(y, q).value for y, q in zip(labels, p, strict=True)]))
    assert values[0] > 5 * values[1] > 0


def test_error_is_a_description() -> None:
    assert "nothing" in expected_calibration_error(LABELS, PROBABILITIES).generalizes_to


# scikit-learn 1.9, documentation: log_loss 0.21616; brier_score_loss of two classes over both columns
# (scale_by_half=False) 0.075; brier_score_loss of three classes 0.146...
SPAM = [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]
TWO = [[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]]
BREAKFAST = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.2, 0.2, 0.6]]


def test_published_examples() -> None:
    assert log_loss_scores([1, 0, 0, 1], [SPAM]).mean() == pytest.approx(0.21616, abs=5e-6)
    assert brier_scores([0, 1, 1, 0], [TWO]).mean() == pytest.approx(0.075, rel=1e-12)
    assert brier_scores([0, 1, 2], [BREAKFAST]).mean() == pytest.approx(0.44 / 3, rel=1e-12)


def test_scores_by_hand() -> None:
    p = [[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]
    assert log_loss_scores([0, 1], p)[0] == pytest.approx([math.log(2), math.log(5)])
    assert brier_scores([0, 1], p) == pytest.approx(np.array([[0.375, 0.01 + 0.64 + 0.49], [0, 2]]))


def test_impossible_truth_costs_no_more_than_the_resolution() -> None:
    scores = log_loss_scores([0, 1], [[[1.0, 0.0], [1.0, 0.0]]])
    assert scores[0].tolist() == [0.0, pytest.approx(-math.log(2**-23))]
    assert math.copysign(1, scores[0, 0]) == 1
    tiny = log_loss_scores([0], [[[2e-7, 1 - 2e-7]]])
    assert tiny[0, 0] == pytest.approx(-math.log(2e-7))


def test_order_and_names_of_classes_do_not_matter() -> None:
    rng = np.random.default_rng(41)
    labels, p = rng.integers(0, 3, 20), rng.dirichlet([1, 1, 1], (2, 20))
    order, renamed = rng.permutation(20), np.array([2, 0, 1])
    for function in (log_loss_scores, brier_scores):
        scores = function(labels, p)
        assert scores.shape == (2, 20)
        assert (function(labels[order], p[:, order]) == scores[:, order]).all()
        assert function(np.argsort(renamed)[labels], p[:, :, renamed]) == pytest.approx(scores, rel=1e-12)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([[[0.5, 0.4]]], "sum to 1 .* sums from 0.9 to 0.9"),
        ([[[2.0, -1.0]]], "smallest one of -1"),
        ([[[0.5, math.nan]]], "finite"),
        ([[0.5, 0.5]], "runs x examples x classes"),
    ],
)
def test_what_is_no_probability_is_refused(p: object, message: str) -> None:
    for function in (log_loss_scores, brier_scores):
        with pytest.raises(ValueError, match=message):
            function([0], p)


@pytest.mark.parametrize(
    ("labels", "p", "bins", "message"),
    [
        ([0], [[0.5, 0.5]], 0, "bins must be at least 1, got 0"),
        ([0], [0.5, 0.5], 15, r"matrix of examples x classes, got shape \(2,\)"),
        ([0], [[3.0, -1.0]], 15, "sum to 1"),
        ([2], [[0.5, 0.5]], 15, "labels must lie between 0 and 1"),
        ([0, 1], [[0.5, 0.5]], 15, "one row of probabilities, got 2 and 1"),
        ([], np.zeros((0, 2)), 15, "got shape"),
    ],
)
def test_bad_input_is_refused(labels: object, p: object, bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(labels, p, bins=bins)  # type: ignore[arg-type]


@pytest.mark.parametrize("bins", [1, 7, 15, 300])
def test_bins_are_those_of_a_search_for_every_example(bins: int) -> None:
    rng = np.random.default_rng(4)
    # On edges too, in single precision.
    largest = np.concatenate([rng.uniform(0.5, 1, 500), np.arange(bins, 0, -1) / bins]).astype(np.float32)
    p = np.stack([largest, 1 - largest], axis=1)
    edges = (np.arange(1, bins) / bins).astype(np.float32)
    expected = np.bincount(np.searchsorted(edges, p.max(axis=1)), minlength=bins)
    result = expected_calibration_error(rng.integers(0, 2, len(p)), p, bins=bins)
    assert [one.count for one in result.bins] == expected.tolist()
