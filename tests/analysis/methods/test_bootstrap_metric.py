from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.methods.bootstrap import multi_bootstrap
from analysis.methods.bootstrap_metric import CellMetric, multi_bootstrap_metric
from analysis.methods.resamples import draw_counts
from analysis.metrics.confusion_matrix import class_scores, confusion


class Accuracy:
    def __init__(self, n_classes: int = 2) -> None:
        self.n_classes = n_classes

    def value(self, p: NDArray[np.float64], /) -> NDArray[np.float64]:
        return np.trace(p, axis1=-2, axis2=-1)


class Precision:
    """Of class 1."""

    n_classes = 2

    def value(self, p: NDArray[np.float64], /) -> NDArray[np.float64]:
        return p[..., 1, 1] / p[..., 1].sum(axis=-1)


class MacroF1:
    n_classes = 3

    def value(self, p: NDArray[np.float64], /) -> NDArray[np.float64]:
        hits = np.diagonal(p, axis1=-2, axis2=-1)
        return (2 * hits / (p.sum(axis=-1) + p.sum(axis=-2))).mean(axis=-1)


def answers(S: int, labels: NDArray[np.int64], right: float, C: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    wrong = (labels + rng.integers(1, C, size=(S, len(labels)))) % C
    return np.where(rng.random((S, len(labels))) < right, labels, wrong)


@pytest.mark.parametrize("paired", [True, False])
def test_accuracy_as_a_metric_is_the_bootstrap_of_right_answers(paired: bool) -> None:
    labels = np.random.default_rng(1).integers(0, 4, size=50)
    said_t, said_b = answers(5, labels, 0.85, 4, seed=2), answers(5 if paired else 3, labels, 0.8, 4, seed=3)
    metric: CellMetric = Accuracy(4)
    ours = multi_bootstrap_metric(
        metric, labels, said_t, said_b, paired=paired, rng=np.random.default_rng(4), resamples=499
    )
    direct = multi_bootstrap(
        said_t == labels, said_b == labels, paired=paired, rng=np.random.default_rng(4), resamples=499
    )
    assert ours.estimate == pytest.approx(direct.estimate)
    assert ours.bootstrap_se == pytest.approx(direct.bootstrap_se)
    assert ours.percentile_interval == pytest.approx(direct.percentile_interval)
    assert ours.p_percentile == pytest.approx(direct.p_percentile)
    assert math.isnan(ours.p_studentised)
    assert "no studentised interval" in ours.reason


@pytest.mark.parametrize("paired", [True, False])
def test_every_resample_equals_the_mean_metric_of_the_runs_it_drew(paired: bool) -> None:
    B, N = 99, 60
    labels = np.random.default_rng(5).integers(0, 3, size=N)
    said_t, said_b = answers(4, labels, 0.8, 3, seed=6), answers(4, labels, 0.7, 3, seed=7)
    result = multi_bootstrap_metric(
        MacroF1(), labels, said_t, said_b, paired=paired, rng=np.random.default_rng(8), resamples=B
    )

    def arm(predictions: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
        tables = [confusion(labels[columns], predictions[row, columns], n_classes=3) for row in rows]
        return float(np.mean([np.mean(class_scores(table).f1) for table in tables]))

    rng = np.random.default_rng(8)
    W_t = draw_counts(rng, B, 4)
    W_b = W_t if paired else draw_counts(rng, B, 4)
    estimates = []
    for counts in zip(W_t, W_b, draw_counts(rng, B, N), strict=True):
        rows_t, rows_b, columns = (np.repeat(np.arange(len(k)), k.astype(int)) for k in counts)
        estimates.append(arm(said_t, rows_t, columns) - arm(said_b, rows_b, columns))
    assert result.bootstrap_se == pytest.approx(np.std(estimates, ddof=1), rel=1e-9)
    assert result.percentile_interval == pytest.approx(tuple(np.sort(estimates)[[1, -2]]), rel=1e-9)
    every = np.arange(4), np.arange(N)
    assert result.estimate == pytest.approx(arm(said_t, *every) - arm(said_b, *every))


def test_swapping_the_arms_negates_the_effect_and_keeps_p() -> None:
    labels = np.random.default_rng(9).integers(0, 2, size=80)
    predictions = answers(4, labels, 0.85, 2, seed=10), answers(4, labels, 0.75, 2, seed=11)
    one, other = (
        multi_bootstrap_metric(Precision(), labels, *arms, paired=True, rng=np.random.default_rng(1), resamples=199)
        for arms in (predictions, predictions[::-1])
    )
    assert other.estimate == pytest.approx(-one.estimate)
    assert other.p_percentile == one.p_percentile
    assert other.percentile_interval == pytest.approx((-one.percentile_interval[1], -one.percentile_interval[0]))


def test_undefined_resamples_are_left_out_and_counted() -> None:
    labels = np.array([1] * 6 + [0] * 24)
    predictions = np.tile((labels == 1).astype(int), (3, 1))
    predictions[:, 0] = 0
    predictions[0, 7:9] = 1
    result = multi_bootstrap_metric(
        Precision(), labels, predictions, predictions[::-1], paired=True, rng=np.random.default_rng(0), resamples=2000
    )
    rng = np.random.default_rng(0)
    W, V = draw_counts(rng, 2000, 3), draw_counts(rng, 2000, 30)
    # The first run, which is the baseline's last, answers 1 on seven examples, the others on five of them.
    first = V[:, [1, 2, 3, 4, 5, 7, 8]].sum(axis=1) == 0
    others = V[:, 1:6].sum(axis=1) == 0
    drew_first = (W[:, 0] > 0) | (W[:, 2] > 0)
    drew_others = (W[:, 1:].sum(axis=1) > 0) | (W[:, :2].sum(axis=1) > 0)
    lost = np.sum((first & drew_first) | (others & drew_others))
    assert 0 < lost < 50
    assert f"the metric is undefined in {lost} of 2000 resamples: they are left out" in result.reason
    assert result.percentile_interval[0] <= result.estimate <= result.percentile_interval[1]


def test_a_run_that_was_not_drawn_may_be_undefined() -> None:
    labels = np.array([1] * 20 + [0] * 20)
    said_b = np.tile(labels, (3, 1))
    said_t = said_b.copy()
    said_t[0, 1:] = 0
    result = multi_bootstrap_metric(
        Precision(), labels, said_t, said_b, paired=True, rng=np.random.default_rng(0), resamples=500
    )
    rng = np.random.default_rng(0)
    W, V = draw_counts(rng, 500, 3), draw_counts(rng, 500, 40)
    lost = np.sum((W[:, 0] > 0) & (V[:, 0] == 0))
    assert 0 < lost < np.sum(V[:, 0] == 0)
    assert f"undefined in {lost} of 500 resamples" in result.reason


def test_too_many_undefined_resamples_leave_no_interval() -> None:
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    predictions = np.tile(labels, (3, 1))
    result = multi_bootstrap_metric(
        Precision(), labels, predictions, predictions, paired=True, rng=np.random.default_rng(0)
    )
    assert result.estimate == 0
    assert math.isnan(result.p_percentile)
    assert math.isnan(result.bootstrap_se)
    assert "too many resamples are left out" in result.reason


def test_an_undefined_metric_has_no_estimate() -> None:
    labels = np.array([1, 0, 1, 0])
    never = np.zeros((3, 4), dtype=int)
    result = multi_bootstrap_metric(
        Precision(), labels, np.tile(labels, (3, 1)), never, paired=True, rng=np.random.default_rng(0)
    )
    assert math.isnan(result.estimate)
    assert math.isnan(result.p_percentile)
    assert result.reason == "the metric is undefined for a run"


def test_one_seed_or_one_example_leaves_the_estimate_alone() -> None:
    labels = np.array([1, 0, 1, 0])
    seed = multi_bootstrap_metric(Accuracy(), labels, [labels], [1 - labels], paired=True, rng=np.random.default_rng(0))
    example = multi_bootstrap_metric(Accuracy(), [1], [[1]] * 3, [[0]] * 3, paired=True, rng=np.random.default_rng(0))
    for result, why in ((seed, "one seed"), (example, "one test example")):
        assert result.estimate == 1
        assert math.isnan(result.p_percentile)
        assert math.isnan(result.percentile_interval[0])
        assert why in result.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": Accuracy(1)}, "n_classes must be at least 2, got 1"),
        ({"labels": [0, 1, 2]}, "labels must lie between 0 and 1, got 0 to 2"),
        ({"treatment": [[0, 1, -1]] * 2}, "treatment must lie between 0 and 1, got -1 to 1"),
        ({"treatment": [[0.0, 1.0, 1.0]] * 2}, "treatment must be a matrix of class numbers"),
        ({"labels": [[0, 1, 1]]}, "labels must be one row of class numbers"),
        ({"baseline": [[0, 1]] * 2}, "every example needs a label"),
        ({"baseline": [[0, 1, 1]] * 3}, "paired arms need the same seeds, got 2"),
        ({"confidence": 2.0}, "confidence must lie between 0 and 1, got 2.0"),
        ({"resamples": 10}, "resamples must be at least 39"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {
        "metric": Accuracy(),
        "labels": [0, 1, 1],
        "treatment": [[0, 1, 1]] * 2,
        "baseline": [[0, 1, 0]] * 2,
        "paired": True,
    }
    with pytest.raises(ValueError, match=message):
        multi_bootstrap_metric(rng=np.random.default_rng(0), **{**given, **change})  # type: ignore[arg-type]
