from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.methods import arm_scores
from analysis.methods.arm_scores import ArmScores, MeanSquares, as_arm, difference_squares
from analysis.methods.crossed import crossed_test


def by_the_book(y: NDArray[np.float64]) -> MeanSquares:
    """The split of a two-way layout with one score in each cell, all at once."""
    S, N = y.shape
    r, c, D = y.mean(axis=1), y.mean(axis=0), y.mean()
    rest = (y - r[:, None] - c + D) ** 2
    return MeanSquares(
        seed=N * np.sum((r - D) ** 2) / (S - 1),
        example=S * np.sum((c - D) ** 2) / (N - 1),
        residual=rest.sum() / ((S - 1) * (N - 1)),
        examples=S * (c - D) ** 2 * N / (N - 1),
        residuals=rest.sum(axis=0) * N / ((S - 1) * (N - 1)),
    )


@pytest.mark.parametrize("cells", [32_768, 60, 7])
@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.float64])
def test_mean_squares_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, cells: int, kind: type[np.generic]
) -> None:
    monkeypatch.setattr(arm_scores, "_CELLS", cells)
    first, second = rng.normal(size=(2, 6, 53)) if kind is np.float64 else rng.integers(0, 2, (2, 6, 53)).astype(kind)
    for found, y in (
        (ArmScores(first).mean_squares, first.astype(float)),
        (difference_squares(as_arm(first), as_arm(second)), first.astype(float) - second.astype(float)),
    ):
        for one, expected in zip(found, by_the_book(y), strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-11)


def test_right_and_wrong_in_bytes_are_tested_as_numbers_are(rng: np.random.Generator) -> None:
    first, second = rng.random((2, 9, 40)) < 0.7
    expected = crossed_test(first.astype(float), second.astype(float), paired=True)
    assert crossed_test(first, second, paired=True) == expected
    assert crossed_test(ArmScores(first), ArmScores(second.astype(np.int8)), paired=True) == expected
    assert ArmScores(first).y.dtype == np.int8


def test_bytes_that_hold_larger_numbers_become_floating_ones() -> None:
    y = np.array([[100, -100], [-100, 90]], dtype=np.int8)
    assert ArmScores(y).y.dtype == np.float64
    assert difference_squares(as_arm(y), as_arm(-y))[0] == by_the_book(2.0 * y).seed


def test_the_first_seeds_are_worked_out_once(rng: np.random.Generator) -> None:
    arm = ArmScores(rng.normal(size=(5, 12)))
    assert arm.first(None) is arm
    assert arm.first(3) is arm.first(3)
    np.testing.assert_array_equal(arm.first(3).y, arm.y[:3])


def test_size_fixed_and_finite() -> None:
    arm = ArmScores([[-3.0, 1.0], [-3.0, 1.0]])
    assert (arm.size, arm.fixed, arm.finite) == (3.0, True, True)
    assert not ArmScores([[0.0, np.nan]]).finite
    assert not ArmScores([[True, False], [True, True]]).fixed
