from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.metrics.classes import correct
from analysis.metrics.confusion_matrix import class_scores, confusion


def test_rows_are_true_and_columns_predicted() -> None:
    cells = confusion([0, 0, 0, 1, 2, 2], [0, 1, 1, 1, 0, 2], n_classes=3)
    assert cells.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert cells.dtype == np.int64


def test_classes_without_examples_keep_their_place() -> None:
    assert confusion([0, 0], [0, 0], n_classes=3).tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert confusion(np.array([], dtype=int), np.array([], dtype=int), n_classes=2).tolist() == [
        [0, 0],
        [0, 0],
    ]


def test_scores_by_hand() -> None:
    # Class 0: 50 of 60 found, 70 predicted. Class 1: 20 of 40 found, 30 predicted.
    scores = class_scores([[50, 10], [20, 20]])
    assert scores.precision == pytest.approx((50 / 70, 20 / 30))
    assert scores.recall == pytest.approx((50 / 60, 20 / 40))
    assert scores.f1 == pytest.approx((2 * 50 / (60 + 70), 2 * 20 / (40 + 30)))
    assert scores.reason == ""


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_scores_agree_with_counting(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    cells = confusion(labels, predictions, n_classes=3)
    scores = class_scores(cells)
    assert cells.sum() == len(pairs)
    assert np.trace(cells) == correct(labels, predictions).sum()
    for k in range(3):
        hits = sum(truth == answer == k for truth, answer in pairs)
        for value, whole in (
            (scores.precision[k], predictions.count(k)),
            (scores.recall[k], labels.count(k)),
        ):
            assert math.isnan(value) if whole == 0 else value == pytest.approx(hits / whole)
        if hits:
            harmonic = 2 / (1 / scores.precision[k] + 1 / scores.recall[k])
            assert scores.f1[k] == pytest.approx(harmonic)


def test_undefined_is_nan_with_a_reason() -> None:
    scores = class_scores([[3, 0, 1], [2, 0, 0], [0, 0, 0]])
    assert math.isnan(scores.precision[1])
    assert scores.recall[1] == 0
    assert scores.f1[1] == 0
    assert scores.precision[2] == 0
    assert math.isnan(scores.recall[2])
    assert math.isnan(scores.f1[2])
    assert "class 1 was never predicted" in scores.reason
    assert "class 2 has no examples" in scores.reason
    assert "class 0" not in scores.reason


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [0], "one prediction, got 2 and 1"),
        ([0, 1], [0, 2], "predictions must lie between 0 and 1, got 0 to 2"),
        ([0, -1], [0, 1], "labels must lie between 0 and 1, got -1 to 0"),
        ([0, 1], [0.2, 0.8], "predictions must be one row of class numbers"),
        ([[0, 1]], [0, 1], r"labels must be one row of class numbers, got shape \(1, 2\)"),
        (["a", "b"], [0, 1], "labels must be one row of class numbers"),
    ],
)
def test_what_is_no_class_is_refused(labels: object, predictions: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion(labels, predictions, n_classes=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "message"),
    [([[1, 2]], "square"), ([1, 2], "square"), ([], "square"), ([[1, -1], [0, 2]], "0 or more")],
)
def test_what_is_no_confusion_matrix_is_refused(cells: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_scores(cells)  # type: ignore[arg-type]


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2, got 1"):
        confusion([0], [0], n_classes=1)
