from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.methods.label_permutation import label_permutation, label_permutation_floor
from analysis.methods.sign_flip import sign_flip, sign_flip_floor

# Fisher (1935), The Design of Experiments, section 21: Darwin's 15 pairs of plants in eighths of an inch.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def flips_by_enumeration(d: list[int]) -> float:
    observed = abs(sum(d))
    sums = [sum(s * x for s, x in zip(signs, d, strict=True)) for signs in itertools.product((1, -1), repeat=len(d))]
    return sum(abs(total) >= observed for total in sums) / len(sums)


def labels_by_enumeration(t: list[int], b: list[int]) -> float:
    runs, total = t + b, sum(t) + sum(b)

    def distance(sum_t: int) -> int:
        return abs(sum_t * len(b) - (total - sum_t) * len(t))

    far = [distance(sum(chosen)) >= distance(sum(t)) for chosen in itertools.combinations(runs, len(t))]
    return sum(far) / len(far)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(pairs=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=9))
def test_sign_flip_equals_enumeration(pairs: list[tuple[int, int]]) -> None:
    t, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = flips_by_enumeration([x - y for x, y in pairs])
    assert sign_flip(t, b, n_examples=12).p_value == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    t=st.lists(st.integers(850, 862), min_size=1, max_size=6),
    b=st.lists(st.integers(850, 862), min_size=1, max_size=5),
)
def test_label_permutation_equals_enumeration(t: list[int], b: list[int]) -> None:
    result = label_permutation(t, b, n_examples=872)
    assert result.p_value == pytest.approx(labels_by_enumeration(t, b), rel=1e-12)
    assert result.p_value >= result.floor * (1 - 1e-12)


def test_sign_flip_equals_scipy() -> None:
    t, b = [880, 872, 884, 879, 881, 869, 870], [870, 866, 869, 880, 868, 868, 871]
    expected = stats.permutation_test(
        (np.array(t), np.array(b)),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=10_000,
    )
    assert sign_flip(t, b, n_examples=1000).p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("b", [[866, 870, 861, 872], [866, 870, 861]])
def test_label_permutation_equals_scipy(b: list[int]) -> None:
    t = [880, 872, 884, 871]
    expected = stats.permutation_test(
        (np.array(t), np.array(b)),
        lambda x, y: abs(np.mean(x) - np.mean(y)),
        permutation_type="independent",
        alternative="greater",
        n_resamples=10_000,
    )
    assert label_permutation(t, b, n_examples=1000).p_value == pytest.approx(expected.pvalue)


def test_darwins_plants() -> None:
    # Of the 32768 assignments of signs 863 give a sum of 314 or more, so that both tails hold 1726.
    result = sign_flip([100 + d for d in MAIZE], [100] * 15, n_examples=1000)
    assert result.p_value == 1726 / 32768
    in_inches = sign_flip([10 + d / 8 for d in MAIZE], [10] * 15)
    assert in_inches.p_value == 1726 / 32768
    assert in_inches.estimate == pytest.approx(314 / 8 / 15)


def test_ties_count() -> None:
    # The observed sum of 1 is the smallest there is, so every assignment is at least as far from 0.
    assert sign_flip([3, 3, 1], [2, 2, 2], n_examples=3).p_value == 1
    # Accuracies of 0.1 + 0.2 and 0.3 tie exactly as counts.
    assert sign_flip([1, 2, 3], [0, 0, 0], n_examples=10).p_value == 2 / 8
    assert sign_flip([1, 2, 0], [0, 0, 3], n_examples=10).p_value == 1


def test_many_seeds_take_milliseconds_and_stay_exact() -> None:
    # With sizes of 1 the sum is binomial: an independent closed form.
    t, b = [1] * 30 + [0] * 10, [0] * 30 + [1] * 10
    assert sign_flip(t, b, n_examples=1).p_value == pytest.approx(stats.binomtest(30, 40).pvalue, rel=1e-10)
    rng = np.random.default_rng(1)
    right = rng.binomial(872, 0.88, size=(2, 40))
    assert 0 < sign_flip(*right, n_examples=872).p_value <= 1


def test_many_unpaired_seeds_equal_the_hypergeometric() -> None:
    t, b = [1] * 15 + [0] * 5, [1] * 6 + [0] * 14
    # With runs of 0 and 1 the treatment's sum is hypergeometric: Fisher's exact test.
    expected = stats.fisher_exact(np.array([[15, 5], [6, 14]])).pvalue
    assert label_permutation(t, b, n_examples=1).p_value == pytest.approx(expected, rel=1e-10)


def test_counts_whose_table_would_not_fit_are_compared_as_other_scores_are() -> None:
    # Up to 40 runs that is exact as well.
    assert label_permutation([88_000_000, 87_000_000], [1, 2], n_examples=10**8).p_value == pytest.approx(2 / 6)
    far, near = [90_000 + 10 * s for s in range(30)], [80_000 + 9 * s for s in range(30)]
    with pytest.raises(ValueError, match="there are 60 runs, too many"):
        label_permutation(far, near, n_examples=100_000)
    drawn = label_permutation(far, near, n_examples=100_000, rng=np.random.default_rng(0), resamples=99)
    assert (drawn.method, drawn.p_value, drawn.floor) == ("Monte Carlo", 0.01, 0.01)
    assert drawn.estimate == pytest.approx(0.1001, abs=1e-3)
    # The same runs on a test set of a tenth fit, and are counted.
    assert label_permutation([x // 10 for x in far], [x // 10 for x in near], n_examples=10_000).method == "exact"


def test_estimates_are_accuracies() -> None:
    assert sign_flip([90, 80], [80, 85], n_examples=100).estimate == pytest.approx(0.025)
    assert label_permutation([90, 80], [80, 85, 75], n_examples=100).estimate == pytest.approx(0.05)


@pytest.mark.parametrize("n_seeds", [1, 2, 5, 6, 12])
def test_the_sign_flip_floor_is_reached(n_seeds: int) -> None:
    result = sign_flip([10] * n_seeds, [9 - s % 3 for s in range(n_seeds)], n_examples=10)
    assert result.p_value == result.floor == sign_flip_floor(n_seeds) == 2 / 2**n_seeds
    assert result.n_seeds == n_seeds


@pytest.mark.parametrize(
    ("S_t", "S_b", "floor"), [(1, 1, 1), (3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (2, 5, 1 / 21)]
)
def test_the_label_floor_is_reached(S_t: int, S_b: int, floor: float) -> None:
    result = label_permutation([100 + s for s in range(S_t)], [s % 2 for s in range(S_b)], n_examples=200)
    assert result.p_value == pytest.approx(floor)
    assert result.floor == label_permutation_floor(S_t, S_b) == pytest.approx(floor)
    assert result.n_seeds == (S_t, S_b)


def test_no_difference_at_all() -> None:
    paired = sign_flip([5, 6], [5, 6], n_examples=10)
    unpaired = label_permutation([5, 5], [5, 5, 5], n_examples=10)
    assert (paired.p_value, paired.reason) == (1, "the arms are equally good with every seed")
    assert (unpaired.p_value, unpaired.reason) == (1, "every run is equally good")


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    t=st.lists(st.integers(0, 20), min_size=2, max_size=7),
    b=st.lists(st.integers(0, 20), min_size=2, max_size=7),
    seed=st.integers(0, 99),
)
def test_swapping_arms_and_reordering_seeds(t: list[int], b: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (
        label_permutation(t, b, n_examples=20),
        label_permutation(b, rng.permutation(t), n_examples=20),
    )
    assert one.estimate == pytest.approx(-other.estimate)
    assert one.p_value == pytest.approx(other.p_value)
    S = min(len(t), len(b))
    order = rng.permutation(S)
    first = sign_flip(t[:S], b[:S], n_examples=20)
    second = sign_flip(np.array(b[:S])[order], np.array(t[:S])[order], n_examples=20)
    assert first.estimate == pytest.approx(-second.estimate)
    assert first.p_value == pytest.approx(second.p_value)


def test_populations() -> None:
    assert sign_flip([1], [2], n_examples=3).generalizes_to == "seeds"
    assert label_permutation([1], [2], n_examples=3).generalizes_to == "seeds"
    assert sign_flip([1], [2], n_examples=3).method == label_permutation([1], [2], n_examples=3).method == "exact"


@pytest.mark.parametrize("test", [sign_flip, label_permutation])
@pytest.mark.parametrize(
    ("treatment", "message"),
    [
        ([0.88, 0.9], "treatment must hold numbers of right answers"),
        ([1, math.nan], "treatment must hold numbers of right answers"),
        ([-1, 3], "treatment must lie between 0 and 10"),
        ([3, 11], "treatment must lie between 0 and 10"),
        ([[1, 2]], r"treatment must be one count per seed, got shape \(1, 2\)"),
        ([], "treatment must be one count per seed"),
    ],
)
def test_bad_counts_are_refused(test: object, treatment: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        test(treatment, [1, 2], n_examples=10)  # type: ignore[operator]


def test_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same seeds, got 3 .* and 2 .*label_permutation"):
        sign_flip([1, 2, 3], [1, 2], n_examples=10)


def test_floors_need_a_seed() -> None:
    with pytest.raises(ValueError, match="at least one seed, got 0"):
        sign_flip_floor(0)
    with pytest.raises(ValueError, match="got 3 and 0"):
        label_permutation_floor(3, 0)
