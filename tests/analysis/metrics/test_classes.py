from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.metrics.classes import correct, labelled_probabilities, predicted_classes


def test_accuracy_is_the_mean_of_correct() -> None:
    right = correct(np.array([0, 1, 1, 0], dtype=np.int32), np.array([0, 1, 0, 0]))
    assert right.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert right.dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], r"runs x examples x classes.*got shape \(2, 2\)"),
        ([0, 1], [[[1.0], [1.0]]], r"two classes or more, got shape \(1, 2, 1\)"),
        ([], np.zeros((1, 0, 2)), r"got shape \(1, 0, 2\)"),
        ([0], [[[0.5, math.inf]]], "probabilities must be finite, got 1 others"),
        ([0, 1], [[[0.5, 0.5]]], "one row of probabilities, got 2 and 1"),
        ([2], [[[0.5, 0.5]]], "labels must lie between 0 and 1, got 2 to 2"),
    ],
)
def test_bad_probabilities_are_refused(labels: object, probabilities: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled_probabilities(labels, probabilities)  # type: ignore[arg-type]


def test_probabilities_keep_their_precision() -> None:
    assert labelled_probabilities([0], np.full((1, 1, 2), 0.5, dtype=np.float32))[1].dtype == np.float32
    assert labelled_probabilities([0], [[[1, 0]]])[1].dtype == np.float64


@pytest.mark.parametrize(("n_classes", "kind"), [(2, "uint8"), (16, "uint8"), (17, "uint8"), (300, "uint16")])
def test_predicted_classes_are_the_first_of_the_largest(n_classes: int, kind: str) -> None:
    # Few different numbers, so that many are largest together; by class and by example.
    p = np.random.default_rng(1).integers(0, 4, (3, 40, n_classes)) / 4
    for layout in (p, np.ascontiguousarray(p.transpose(2, 0, 1)).transpose(1, 2, 0)):
        found = predicted_classes(layout)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, p.argmax(axis=-1))
