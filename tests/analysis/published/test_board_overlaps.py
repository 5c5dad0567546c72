"""Every overlap on a leaderboard, held against lists of all overlaps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from analysis.methods.rank_sets import rank_sets, shown_better
from analysis.published.board_overlaps import p_at_best, p_at_worst, p_better
from analysis.published.overlaps import overlaps


def one_sided(only_first: int, only_second: int) -> float:
    """The chance of so many or more, where each discordant example goes either way."""
    m = only_first + only_second
    return float(stats.binomtest(only_first, m, alternative="greater").pvalue) if only_first > only_second else 1.0


def all_overlaps(first: int, second: int, n: int) -> Iterator[tuple[int, int]]:
    for both in range(max(0, first + second - n), min(first, second) + 1):
        yield first - both, second - both


@pytest.mark.parametrize("n", [1, 4, 7, 12])
def test_the_ends_are_those_of_all_overlaps(n: int) -> None:
    for first, second in itertools.product(range(n + 1), repeat=2):
        p = [one_sided(*only) for only in all_overlaps(first, second, n)]
        least, greatest = p_better(np.array([[first, first], [second, second]]), n=n)
        assert least[0, 1] == pytest.approx(min(p)), (first, second)
        assert greatest[0, 1] == pytest.approx(max(p)), (first, second)


def test_the_ends_are_those_of_all_counts_that_figures_leave_open() -> None:
    n = 9
    ranges = [(low, high) for low in range(n + 1) for high in range(low, min(low + 3, n) + 1)]
    for one, other in itertools.product(ranges, repeat=2):
        p = [
            one_sided(*only)
            for first in range(one[0], one[1] + 1)
            for second in range(other[0], other[1] + 1)
            for only in all_overlaps(first, second, n)
        ]
        least, greatest = p_better(np.array([one, other]), n=n)
        assert (least[0, 1], greatest[0, 1]) == pytest.approx((min(p), max(p))), (one, other)


def test_a_pair_of_a_board_is_the_pair_of_an_audit() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        n = int(rng.integers(1, 1500))
        low = rng.integers(0, n + 1, size=2)
        high = np.minimum(n, low + rng.integers(0, 5, size=2))
        least, greatest = p_better(np.stack([low, high], axis=1), n=n)
        pair = overlaps((int(low[0]), int(high[0])), (int(low[1]), int(high[1])), n=n)
        assert min(1, 2 * min(least[0, 1], least[1, 0])) == pytest.approx(pair.p_exact[0])
        assert min(1, 2 * min(greatest[0, 1], greatest[1, 0])) == pytest.approx(pair.p_exact[1])


def test_the_figures_of_a_review() -> None:
    # 791 against 785 of 872: 6 to 168 discordant; the ends of McNemar's p are 0.03125 and, by scipy, 0.700.
    assert 2 * p_at_best(np.array(6)) == 0.03125
    worst = 2 * float(p_at_worst(np.array(791), np.array(785), n=872))
    assert worst == pytest.approx(stats.binomtest(81, 168).pvalue)
    assert round(worst, 3) == 0.700


def patterns(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every way in which three systems can be right on n examples: right answers, and how often only i beats j."""
    answers = list(itertools.product((0, 1), repeat=3))
    for bars in itertools.combinations(range(n + 7), 7):
        edges = (-1, *bars, n + 7)
        cells = [right - left - 1 for left, right in itertools.pairwise(edges)]
        counts, only = np.zeros(3, dtype=np.int64), np.zeros((3, 3), dtype=np.int64)
        for times, answer in zip(cells, answers, strict=True):
            counts += times * np.array(answer)
            only += times * np.outer(answer, 1 - np.array(answer))
        yield counts, only


def test_whatever_three_systems_answered_lies_between_the_ends() -> None:
    n, alpha, told, nested = 7, 0.4, 0, set()
    chance = {pair: one_sided(*pair) for pair in itertools.product(range(n + 1), repeat=2) if sum(pair) <= n}
    known: dict[tuple[int, ...], tuple[np.ndarray, ...]] = {}
    for counts, only in patterns(n):
        key = tuple(counts.tolist())
        if key not in known:
            ends = p_better(np.stack([counts, counts], axis=1), n=n)
            at_best, whatever = (shown_better(p, alpha=alpha) for p in ends)
            known[key] = at_best, whatever, rank_sets(at_best), rank_sets(whatever)
        at_best, whatever, narrow, wide = known[key]
        p = np.array(
            [[chance[int(only[i, j]), int(only[j, i])] if i != j else 1.0 for j in range(3)] for i in range(3)]
        )
        shown = shown_better(p, alpha=alpha)
        ranks = rank_sets(shown)
        assert not (whatever & ~shown).any()
        assert not (shown & ~at_best).any()
        assert (wide[:, 0] <= ranks[:, 0]).all()
        assert (ranks[:, 0] <= narrow[:, 0]).all()
        assert (narrow[:, 1] <= ranks[:, 1]).all()
        assert (ranks[:, 1] <= wide[:, 1]).all()
        told += bool(whatever.any())
        if (only.min(axis=0) + np.minimum(only, only.T).max(axis=0)).max() == 0:
            # Nested errors: the best overlaps, all of them at once.
            nested.add(key)
            assert (shown == at_best).all()
    assert told > 0
    assert len(nested) == len(known) == math.comb(n + 1, 1) ** 3
