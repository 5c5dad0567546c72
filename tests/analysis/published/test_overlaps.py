from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.mcnemar import binomial_p, mcnemar_from_counts
from analysis.methods.proportions import newcombe_interval, tango_interval
from analysis.published.overlaps import Overlaps, overlaps, p_over_discordance

MOST = 60
CLASS_SIZES = [(1, 1), (2, 3), (4, 4), (3, 5), (5, 2), (2, 2, 3), (1, 2, 1, 2)]


def _by_hand(b: int, c: int) -> tuple[Fraction, Fraction]:
    """The exact and the mid-p value from whole numbers: the share of the 2^m outcomes that are as far from even."""
    m = b + c
    if m == 0:
        return Fraction(1), Fraction(1)
    farther = sum(math.comb(m, k) for k in range(m + 1) if abs(m - 2 * k) > abs(b - c))
    as_far = sum(math.comb(m, k) for k in range(m + 1) if abs(m - 2 * k) == abs(b - c))
    return Fraction(farther + as_far, 2**m), Fraction(2 * farther + as_far, 2 ** (m + 1))


@functools.cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both p-values by the two discordant counts."""
    exact, mid = np.full((MOST + 1, MOST + 1), np.nan), np.full((MOST + 1, MOST + 1), np.nan)
    for b in range(MOST + 1):
        for c in range(MOST + 1 - b):
            exact[b, c], mid[b, c] = map(float, _by_hand(b, c))
    return exact, mid


def _close(values: Sequence[float], expected: Sequence[float]) -> bool:
    return all(math.isclose(one, other, rel_tol=1e-11) for one, other in zip(values, expected, strict=True))


def _each_overlap(t: int, b: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each model is right alone, in every table with these right answers."""
    both = np.arange(n + 1)
    only_t, only_b = t - both, b - both
    neither = n - both - only_t - only_b
    possible = (only_t >= 0) & (only_b >= 0) & (neither >= 0)
    return only_t[possible], only_b[possible]


def _largest(discordance: NDArray[np.int64], significant: NDArray[np.bool_]) -> int | None:
    return int(discordance[significant].max()) if significant.any() else None


def _same_as_the_list(
    result: Overlaps, only_t: NDArray[np.int64], only_b: NDArray[np.int64], *, alpha: float = 0.05
) -> None:
    """Hold what was found against a list of tables."""
    exact, mid = (table[only_t, only_b] for table in _tables())
    discordance, gaps = only_t + only_b, only_t - only_b
    assert result.gap == (gaps.min(), gaps.max())
    assert result.discordance == (discordance.min(), discordance.max()), result
    assert _close(result.p_exact, (exact.min(), exact.max())), result
    assert _close(result.p_mid, (mid.min(), mid.max())), result
    assert result.significant_up_to == _largest(discordance, exact <= alpha), result
    assert result.significant_up_to_mid == _largest(discordance, mid <= alpha), result
    if (exact > alpha).all():
        assert result.outcome == "cannot be significant", result
    elif (exact <= alpha).all():
        assert result.outcome == "significant whatever the overlap", result
    else:
        assert result.outcome == "undetermined without predictions", result


@pytest.mark.parametrize("rest", range(6))
def test_every_overlap_of_up_to_60_examples(rest: int) -> None:
    rng = np.random.default_rng(rest)
    for n in range(MOST - rest, 0, -6):
        for t, b in itertools.combinations_with_replacement(range(n + 1), 2):
            if t + b > n:
                continue
            # All pairs, one of each that differ by which model or which answer is called right: other tests swap these.
            pair = (t, b) if rng.random() < 0.5 else (b, t)
            treatment, baseline = pair if rng.random() < 0.5 else (n - pair[0], n - pair[1])
            result = overlaps((treatment, treatment), (baseline, baseline), n=n)
            assert result.gap == (treatment - baseline, treatment - baseline)
            _same_as_the_list(result, *_each_overlap(treatment, baseline, n))


# 0.5, 0.25 and 0.0625 are p-values themselves: of 1, 2 and 0 against 1, 0 and 5 for one.
@pytest.mark.parametrize("alpha", [0.5, 0.25, 0.2, 0.1, 0.0625, 0.01, 0.001, 1e-6])
def test_every_overlap_at_other_levels(alpha: float) -> None:
    n = 21
    for t, b in itertools.product(range(n + 1), repeat=2):
        result = overlaps((t, t), (b, b), n=n, alpha=alpha)
        assert (result.n, result.alpha, result.generalizes_to) == (n, alpha, "examples")
        _same_as_the_list(result, *_each_overlap(t, b, n), alpha=alpha)


def test_a_p_value_of_alpha_is_significant() -> None:
    # 0 against 5: 2 / 2^5. 0 against 2 by mid-p: 1 / 2^2.
    assert overlaps((5, 5), (0, 0), n=20, alpha=0.0625).outcome == "significant whatever the overlap"
    assert overlaps((5, 5), (0, 0), n=20, alpha=0.0624).outcome == "cannot be significant"
    assert overlaps((2, 2), (0, 0), n=20, alpha=0.25).significant_up_to_mid == 2
    assert overlaps((2, 2), (0, 0), n=20, alpha=0.249).significant_up_to_mid is None
    assert overlaps((1, 1), (0, 0), n=20, alpha=0.5).significant_up_to_mid == 1
    # Along the discordances of one difference, at the very numbers that are computed there.
    discordance = np.arange(4, 15, 2)
    for at, exact, mid in zip(discordance, *p_over_discordance(4, discordance), strict=True):
        assert overlaps((10, 10), (6, 6), n=20, alpha=float(exact)).significant_up_to == at
        assert overlaps((10, 10), (6, 6), n=20, alpha=float(mid)).significant_up_to_mid == at


@functools.cache
def _each_pair(n: int) -> NDArray[np.float64]:
    """By the right answers of both: discordance, p-values, and how far they are significant; the least and greatest."""
    out = np.full((n + 1, n + 1, 8), np.nan)
    for t, b in itertools.product(range(n + 1), repeat=2):
        only_t, only_b = _each_overlap(t, b, n)
        exact, mid = (table[only_t, only_b] for table in _tables())
        discordance = only_t + only_b
        up_to = [_largest(discordance, p <= 0.05) for p in (exact, mid)]
        columns = [value for p in (discordance, exact, mid) for value in (p.min(), p.max())]
        out[t, b] = [*columns, *(-1 if value is None else value for value in up_to)]
    return out


def _ranges(n: int) -> list[tuple[int, int]]:
    return list(itertools.combinations_with_replacement(range(n + 1), 2))


def _same_as_all_pairs(treatment: tuple[int, int], baseline: tuple[int, int], n: int) -> Overlaps:
    """Hold what was found against all pairs of counts; return it."""
    result = overlaps(treatment, baseline, n=n)
    pairs = _each_pair(n)[treatment[0] : treatment[1] + 1, baseline[0] : baseline[1] + 1].reshape(-1, 8)
    least, most = pairs.min(axis=0), pairs.max(axis=0)
    case = treatment, baseline, n
    assert result.gap == (treatment[0] - baseline[1], treatment[1] - baseline[0])
    assert result.discordance == (least[0], most[1]), case
    assert _close(result.p_exact, (least[2], most[3])), case
    assert _close(result.p_mid, (least[4], most[5])), case
    assert result.significant_up_to == (None if most[6] < 0 else most[6]), case
    assert result.significant_up_to_mid == (None if most[7] < 0 else most[7]), case
    never, always = least[2] > 0.05, most[3] <= 0.05
    assert (result.outcome == "cannot be significant") == never, case
    assert (result.outcome == "significant whatever the overlap") == always, case
    return result


@pytest.mark.parametrize("n", range(1, 9))
def test_ranges_of_counts_are_all_their_pairs(n: int) -> None:
    for treatment, baseline in itertools.product(_ranges(n), repeat=2):
        assert _same_as_all_pairs(treatment, baseline, n).n == n


@pytest.mark.parametrize("n", [*range(9, 15), 30, 41, 60])
def test_ranges_of_counts_of_more_examples(n: int) -> None:
    rng = np.random.default_rng(n)
    ranges = _ranges(n)
    for _ in range(400):
        treatment, baseline = (ranges[at] for at in rng.integers(len(ranges), size=2))
        assert _same_as_all_pairs(treatment, baseline, n).n == n
    # Close to each other, as rounding leaves them.
    for _ in range(200):
        low = rng.integers(0, n - 3, size=2)
        high = low + rng.integers(4, size=2)
        _same_as_all_pairs((int(low[0]), int(high[0])), (int(low[1]), int(high[1])), n)


@pytest.mark.parametrize("sizes", CLASS_SIZES)
def test_right_answers_by_class_narrow_the_overlaps(sizes: tuple[int, ...]) -> None:
    n = sum(sizes)
    narrowed = 0
    for right_t in itertools.product(*(range(size + 1) for size in sizes)):
        for right_b in itertools.product(*(range(size + 1) for size in sizes)):
            tables = set()
            per_class = [_each_overlap(t, b, size) for t, b, size in zip(right_t, right_b, sizes, strict=True)]
            for choice in itertools.product(*(zip(*each, strict=True) for each in per_class)):
                tables.add((sum(int(first) for first, _ in choice), sum(int(other) for _, other in choice)))
            t, b = sum(right_t), sum(right_b)
            result = overlaps((t, t), (b, b), n=n, by_class=list(zip(right_t, right_b, sizes, strict=True)))
            only_t, only_b = (np.array(side) for side in zip(*tables, strict=True))
            _same_as_the_list(result, only_t, only_b)
            ends = [int(np.argmin(only_t)), int(np.argmax(only_t))]
            for interval, at in zip((result.at_least, result.at_most), ends, strict=True):
                c, d = int(only_t[at]), int(only_b[at])
                assert interval == (newcombe_interval(t - c, c, d, n - t - d), tango_interval(c, d, n=n))
            narrowed += result.discordance != overlaps((t, t), (b, b), n=n).discordance
    assert narrowed > 0 or n == 2


def test_classes_that_lean_to_different_models() -> None:
    # 410 + 360 against 395 + 357: all tables of each class, added up.
    plain = overlaps((770, 770), (752, 752), n=872)
    assert overlaps((770, 770), (752, 752), n=872, by_class=[(770, 752, 872)]) == plain
    result = overlaps((770, 770), (752, 752), n=872, by_class=[(380, 395, 444), (390, 357, 428)])
    assert result.discordance == (15 + 33, (49 + 64) + (71 + 38))
    assert result.at_least == (newcombe_interval(737, 33, 15, 87), tango_interval(33, 15, n=872))
    assert result.at_most == (newcombe_interval(650, 120, 102, 0), tango_interval(120, 102, n=872))
    assert result.p_exact[0] == pytest.approx(stats.binomtest(15, 48).pvalue)
    assert result.p_exact[1] == plain.p_exact[1]
    assert (result.significant_up_to, result.significant_up_to_mid) == (74, 82)


def test_equal_models_that_differ_by_class() -> None:
    # Without a difference the mid-p value is least at the least discordance, which is not 0 here.
    result = overlaps((10, 10), (10, 10), n=20, by_class=[(7, 5, 10), (3, 5, 10)])
    assert result.discordance == (4, 8 + 8)
    assert result.p_exact == (1, 1)
    assert result.p_mid == pytest.approx((1 - 6 / 2**4 / 2, 1 - math.comb(16, 8) / 2**16 / 2))
    same = overlaps((10, 10), (10, 10), n=20, by_class=[(5, 5, 10), (5, 5, 10)])
    assert same.discordance == (0, 20)
    assert same.p_mid == (0.75, 1)


# Treatment and baseline of 872; discordance; p-values; significant up to, exact and mid-p; outcome.
PUBLISHED = [
    (770, 752, (18, 222), (2.0**-17, 0.254), 74, 82, "undetermined without predictions"),
    (791, 790, (1, 163), (1.0, 1.0), None, None, "cannot be significant"),
    (791, 785, (6, 168), (0.03125, 0.700), 6, 8, "undetermined without predictions"),
    (785, 790, (5, 169), (0.0625, 0.758), None, 5, "cannot be significant"),
]


@pytest.mark.parametrize(("t", "b", "discordance", "p", "up_to", "up_to_mid", "outcome"), PUBLISHED)
def test_the_published_pairs(
    t: int,
    b: int,
    discordance: tuple[int, int],
    p: tuple[float, float],
    up_to: int | None,
    up_to_mid: int | None,
    outcome: str,
) -> None:
    result = overlaps((t, t), (b, b), n=872)
    assert result.gap == (t - b, t - b)
    assert result.discordance == discordance
    assert result.p_exact[0] == p[0]
    assert round(result.p_exact[1], 3) == p[1]
    assert (result.significant_up_to, result.significant_up_to_mid) == (up_to, up_to_mid)
    assert result.outcome == outcome
    # One step of the discordance further on it is no longer significant.
    for level, kind in ((up_to, 0), (up_to_mid, 1)):
        if level is not None:
            fewer = (level - abs(t - b)) // 2
            assert float(_by_hand(fewer, level - fewer)[kind]) <= 0.05
            assert float(_by_hand(fewer + 1, level - fewer + 1)[kind]) > 0.05
    fewer = (discordance[1] - abs(t - b)) // 2
    assert _close([result.p_exact[1], result.p_mid[1]], [*map(float, _by_hand(fewer, discordance[1] - fewer))])


def test_one_answer_of_difference_is_never_significant() -> None:
    result = overlaps((791, 791), (790, 790), n=872)
    assert result.p_exact == (1, 1)
    assert result.p_mid[0] == 0.5
    exact, mid = p_over_discordance(1, np.arange(1, 164, 2))
    assert (exact == 1).all()
    assert (mid >= 0.5).all()
    assert result.p_mid[1] == mid[-1]


def test_intervals_at_both_ends_of_the_discordance() -> None:
    result = overlaps((770, 770), (752, 752), n=872)
    assert result.at_least == (newcombe_interval(752, 18, 0, 102), tango_interval(18, 0, n=872))
    assert result.at_most == (newcombe_interval(650, 120, 102, 0), tango_interval(120, 102, n=872))
    swapped = overlaps((752, 752), (770, 770), n=872, confidence=0.9)
    assert swapped.at_least == (
        newcombe_interval(752, 0, 18, 102, confidence=0.9),
        tango_interval(0, 18, n=872, confidence=0.9),
    )
    assert swapped.at_most == (
        newcombe_interval(650, 102, 120, 0, confidence=0.9),
        tango_interval(102, 120, n=872, confidence=0.9),
    )
    # More wrong answers than right ones: at most all the right answers are apart.
    low = overlaps((20, 20), (30, 30), n=100)
    assert low.at_least == (newcombe_interval(20, 0, 10, 70), tango_interval(0, 10, n=100))
    assert low.at_most == (newcombe_interval(0, 20, 30, 50), tango_interval(20, 30, n=100))


def test_intervals_are_those_of_the_counts_in_the_middle() -> None:
    result = overlaps((769, 772), (751, 753), n=872)
    middle = overlaps((770, 770), (752, 752), n=872)
    assert (result.at_least, result.at_most) == (middle.at_least, middle.at_most)
    assert result.discordance == (16, 872 - 769 + 872 - 751)


@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_intervals_of_every_small_pair(n: int) -> None:
    for t, b in itertools.product(range(n + 1), repeat=2):
        result = overlaps((t, t), (b, b), n=n)
        only_t, only_b = _each_overlap(t, b, n)
        for interval, at in ((result.at_least, only_t.argmin()), (result.at_most, only_t.argmax())):
            c, d = int(only_t[at]), int(only_b[at])
            assert interval == (newcombe_interval(t - c, c, d, n - t - d), tango_interval(c, d, n=n))


def test_the_models_may_change_places() -> None:
    rng = np.random.default_rng(31)
    for _ in range(150):
        n = int(rng.integers(1, 300))
        t, b = (tuple(sorted(int(k) for k in rng.integers(n + 1, size=2))) for _ in range(2))
        one, other = overlaps((t[0], t[1]), (b[0], b[1]), n=n), overlaps((b[0], b[1]), (t[0], t[1]), n=n)
        assert one.gap == (-other.gap[1], -other.gap[0])
        for field in ("discordance", "p_exact", "p_mid", "significant_up_to", "significant_up_to_mid", "outcome"):
            assert getattr(one, field) == getattr(other, field), field


def test_right_and_wrong_may_change_places() -> None:
    rng = np.random.default_rng(37)
    for _ in range(150):
        n = int(rng.integers(1, 300))
        t, b = (sorted(int(k) for k in rng.integers(n + 1, size=2)) for _ in range(2))
        result = overlaps((t[0], t[1]), (b[0], b[1]), n=n)
        other = overlaps((n - t[1], n - t[0]), (n - b[1], n - b[0]), n=n)
        for field in ("discordance", "p_exact", "p_mid", "significant_up_to", "significant_up_to_mid", "outcome"):
            assert getattr(result, field) == getattr(other, field), field


@pytest.mark.parametrize("gap", [0, 1, 2, 3, 4, 9, 25, 100, 1000, -7])
def test_p_values_grow_with_the_discordance(gap: int) -> None:
    rng = np.random.default_rng(abs(gap))
    far = abs(gap) + 2 * np.unique(rng.integers(5_000, 500_000, size=2000))
    discordance = np.concatenate([np.arange(abs(gap), abs(gap) + 10_000, 2), far])
    exact, mid = p_over_discordance(gap, discordance)
    # Up to the rounding of scipy's tails.
    least = 1 - np.where(discordance < 20_000, 1e-10, 1e-7)[1:]
    assert (exact[1:] >= exact[:-1] * least).all()
    # Without a difference the mid-p value is 1 at 0, by convention, and grows from 2.
    start = 2 if gap == 0 else 1
    assert (mid[start:] >= (mid[:-1] * least)[start - 1 :]).all()
    if gap == 0:
        assert list(mid[:2]) == [1, 0.75]
    assert (exact == 1).all() == (abs(gap) <= 1)
    assert (mid[discordance > 0] < 1).all()
    assert (mid <= exact).all()


def test_mid_p_of_equal_counts_is_least_at_a_discordance_of_two() -> None:
    for right, least in [(0, 1), (1, 0.75), (40, 0.75), (59, 0.75), (60, 1)]:
        result = overlaps((right, right), (right, right), n=60)
        assert result.p_mid == (least, 1)
        assert result.p_exact == (1, 1)
        assert (result.significant_up_to, result.significant_up_to_mid) == (None, None)
    # A range around it keeps the 1 of no discordance at all, and takes the least of the others.
    result = overlaps((40, 41), (40, 41), n=60)
    assert result.p_mid == (0.5, 1)
    assert result.discordance == (0, 40)


def test_ranges_of_872_examples_are_all_their_pairs() -> None:
    pairs = [overlaps((t, t), (b, b), n=872) for t in range(763, 772) for b in range(748, 756)]
    result = overlaps((763, 771), (748, 755), n=872)
    assert result.gap == (8, 23)
    assert result.discordance == (8, max(pair.discordance[1] for pair in pairs))
    assert result.p_exact == (min(pair.p_exact[0] for pair in pairs), max(pair.p_exact[1] for pair in pairs))
    assert result.p_mid == (min(pair.p_mid[0] for pair in pairs), max(pair.p_mid[1] for pair in pairs))
    assert result.significant_up_to == max(pair.significant_up_to or -1 for pair in pairs)
    assert result.significant_up_to_mid == max(pair.significant_up_to_mid or -1 for pair in pairs)


def test_a_million_examples() -> None:
    result = overlaps((500_900, 500_900), (500_000, 500_000), n=10**6)
    assert result.discordance == (900, 10**6 - 900)
    for level, kind in ((result.significant_up_to, 0), (result.significant_up_to_mid, 1)):
        assert level is not None
        p = [
            2 * stats.binom.cdf(fewer, m, 0.5) - kind * stats.binom.pmf(fewer, m, 0.5)
            for fewer, m in (((level + step - 900) // 2, level + step) for step in (0, 2))
        ]
        assert p[0] <= 0.05 < p[1]
    assert result.p_exact[1] == pytest.approx(2 * stats.binom.cdf(499_100, 10**6 - 900, 0.5), rel=1e-6)


def test_a_million_examples_and_ten_thousand_counts() -> None:
    result = overlaps((770_000, 780_000), (752_000, 762_000), n=10**6)
    assert result.gap == (8000, 28_000)
    assert result.discordance == (8000, 230_000 + 248_000)
    assert result.significant_up_to == result.significant_up_to_mid == 478_000
    # The least difference, as far apart as can be: 770,000 against 762,000.
    assert result.p_exact[1] == pytest.approx(2 * stats.binom.cdf(230_000, 468_000, 0.5), rel=1e-6)
    assert result.outcome == "significant whatever the overlap"
    level = overlaps((765_000, 775_000), (765_000, 775_000), n=10**6)
    assert level.gap == (-10_000, 10_000)
    assert level.discordance == (0, 470_000)
    assert level.p_exact == (0, 1)
    assert level.p_mid == (0, 1)
    assert level.outcome == "undetermined without predictions"
    rng = np.random.default_rng(41)
    for t, b in rng.integers(765_000, 775_000, size=(20, 2), endpoint=True).tolist():
        pair = overlaps((t, t), (b, b), n=10**6)
        assert pair.discordance[1] <= level.discordance[1]
        assert (pair.significant_up_to or 0) <= (level.significant_up_to or 0)
        assert (pair.significant_up_to_mid or 0) <= (level.significant_up_to_mid or 0)


@pytest.mark.parametrize(
    ("treatment", "baseline", "n"),
    [
        ((-1, 5), (3, 3), 10),
        ((5, 4), (3, 3), 10),
        ((5, 11), (3, 3), 10),
        ((5, 5), (-2, 3), 10),
        ((5, 5), (4, 3), 10),
        ((5, 5), (11, 11), 10),
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 0), -1),
    ],
)
def test_right_answers_out_of_range_are_refused(treatment: tuple[int, int], baseline: tuple[int, int], n: int) -> None:
    with pytest.raises(ValueError, match=rf"need 0 <= right answers <= n and n >= 1, got .* of {n}"):
        overlaps(treatment, baseline, n=n)


@pytest.mark.parametrize("alpha", [0, -0.05, 0.51, 1, 5, math.nan])
def test_levels_out_of_range_are_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"alpha must lie above 0 and be at most 0.5, got {alpha}"):
        overlaps((5, 5), (3, 3), n=10, alpha=alpha)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_confidences_out_of_range_are_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        overlaps((5, 5), (3, 3), n=10, confidence=confidence)


@pytest.mark.parametrize(
    ("treatment", "baseline", "by_class"),
    [
        ((6, 6), (4, 4), [(3, 2, 5), (2, 2, 5)]),
        ((6, 6), (4, 4), [(3, 2, 5), (3, 3, 5)]),
        ((6, 6), (4, 4), [(3, 2, 5), (3, 2, 4)]),
        ((6, 7), (4, 4), [(3, 2, 5), (3, 2, 5)]),
        ((6, 6), (4, 5), [(3, 2, 5), (3, 2, 5)]),
    ],
)
def test_classes_that_do_not_add_up_are_refused(
    treatment: tuple[int, int], baseline: tuple[int, int], by_class: list[tuple[int, int, int]]
) -> None:
    with pytest.raises(ValueError, match="the classes add up to"):
        overlaps(treatment, baseline, n=10, by_class=by_class)


@pytest.mark.parametrize(
    "by_class",
    [
        [(6, 2, 5), (0, 4, 5)],
        [(2, 6, 5), (4, 0, 5)],
        [(-1, 2, 2), (7, 4, 8)],
        [(2, -1, 2), (4, 7, 8)],
        [(3, 4, 5), (3, 2, 6), (0, 0, -1)],
    ],
)
def test_a_class_with_impossible_right_answers_is_refused(by_class: list[tuple[int, int, int]]) -> None:
    with pytest.raises(ValueError, match=r"a class of .* cannot have .* right answers"):
        overlaps((6, 6), (6, 6), n=10, by_class=by_class)


def test_p_values_of_many_pairs_are_those_of_each() -> None:
    b, c = np.meshgrid(np.arange(41), np.arange(41), indexing="ij")
    exact, mid = binomial_p(b, c)
    assert exact.shape == mid.shape == (41, 41)
    for i, j in itertools.product(range(41), repeat=2):
        result = mcnemar_from_counts(i, j, n=100)
        assert (exact[i, j], mid[i, j]) == (result.p_exact, result.p_mid)
    assert (binomial_p(c, b)[0] == exact).all()
    assert (binomial_p(c, b)[1] == mid).all()


def test_p_values_of_many_pairs_by_whole_numbers() -> None:
    b, c = np.array([(i, j) for i in range(MOST + 1) for j in range(MOST + 1 - i)]).T
    for p, table in zip(binomial_p(b, c), _tables(), strict=True):
        np.testing.assert_allclose(p, table[b, c], rtol=1e-12)
    for pair in [(0, 1000), (450, 550), (499, 501), (500, 500), (900, 1100), (1, 1500)]:
        np.testing.assert_allclose(binomial_p(*pair), [*map(float, _by_hand(*pair))], rtol=1e-11)


def test_counts_that_differ_by_at_most_one_have_a_p_of_exactly_one() -> None:
    b = np.concatenate([np.arange(5000), np.random.default_rng(43).integers(5000, 10**7, size=5000)])
    for c in (b, b + 1, np.maximum(b - 1, 0)):
        exact, mid = binomial_p(b, c)
        assert (exact == 1).all()
        assert (mid >= 0.5).all()
        assert (mid[b + c > 0] < 1).all()
    assert [float(p) for p in binomial_p(0, 0)] == [1, 1]
    assert float(binomial_p(0, 2)[0]) == 0.5


def test_counts_broadcast() -> None:
    exact, mid = binomial_p([[0], [3]], [1, 8, 0])
    assert exact.shape == mid.shape == (2, 3)
    assert (exact[1, 1], mid[1, 1]) == tuple(map(float, binomial_p(3, 8)))
    assert (exact[0, 2], mid[0, 2]) == (1, 1)
    empty = binomial_p(np.array([], dtype=int), 3)
    assert [p.shape for p in empty] == [(0,), (0,)]


@pytest.mark.parametrize("gap", [-6, -1, 0, 1, 2, 5])
def test_p_values_over_the_discordance_of_one_difference(gap: int) -> None:
    discordance = np.arange(abs(gap), MOST + 1, 2)
    fewer = (discordance - abs(gap)) // 2
    for p, table in zip(p_over_discordance(gap, discordance), _tables(), strict=True):
        np.testing.assert_allclose(p, table[fewer, discordance - fewer], rtol=1e-12)
