from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import special

from analysis.methods.rank_sets import rank_sets, shown_better


def by_hand(p: np.ndarray, alpha: float) -> set[tuple[int, int]]:
    """Holm's method, statement by statement."""
    statements = sorted(itertools.permutations(range(len(p)), 2), key=lambda pair: p[pair])
    shown: set[tuple[int, int]] = set()
    for left, pair in zip(range(len(statements), 0, -1), statements, strict=True):
        if p[pair] > alpha / left:
            break
        shown.add(pair)
    return shown


def test_holm_goes_over_every_two_systems_in_both_directions() -> None:
    rng = np.random.default_rng(3)
    for k in (2, 3, 6):
        for _ in range(50):
            p = rng.random((k, k)) ** 6
            better = shown_better(p, alpha=0.05)
            assert set(zip(*np.nonzero(better), strict=True)) == by_hand(p, 0.05)


def test_two_systems_are_told_apart_as_by_a_two_sided_test() -> None:
    for p, apart in ((0.025, True), (0.0251, False)):
        assert shown_better([[1, p], [1 - p, 1]], alpha=0.05).any() == apart


def test_a_rank_is_one_more_than_those_shown_to_be_better() -> None:
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    assert rank_sets(better).tolist() == [[1, 2], [1, 3], [2, 4], [3, 4]]
    assert rank_sets(np.zeros((3, 3), dtype=bool)).tolist() == [[1, 3]] * 3
    assert rank_sets(np.zeros((1, 1), dtype=bool)).tolist() == [[1, 1]]


def test_what_is_no_square_is_refused() -> None:
    with pytest.raises(ValueError, match="as many rows as columns"):
        shown_better(np.ones((2, 3)), alpha=0.05)


@pytest.mark.parametrize("spread", [0.0, 0.05, 1.0])
def test_all_true_ranks_are_held_at_once(spread: float) -> None:
    # Means of one unit of error that are equal, nearly equal, and apart.
    rng = np.random.default_rng(11)
    k, draws = 6, 2000
    truth = spread * np.arange(k)
    ranks = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    missed = 0
    for seen in rng.normal(truth, 1.0, size=(draws, k)):
        p = special.ndtr(-(seen[:, None] - seen[None, :]) / np.sqrt(2))
        best, worst = rank_sets(shown_better(p, alpha=0.05)).T
        missed += not ((best <= ranks) & (ranks <= worst)).all()
    assert missed / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
