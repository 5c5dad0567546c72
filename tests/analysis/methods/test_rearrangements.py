"""Permutation tests of scores that are not counts: exactly by meeting in the middle, then by random draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.methods.label_permutation import label_permutation
from analysis.methods.rearrangements import deals, drawn_deals, drawn_flips, flips
from analysis.methods.sign_flip import sign_flip

# Fisher (1935), The Design of Experiments, chapter III: Darwin's pairs of plants, in eighths of an inch.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

# R 4, exactRankTests 0.8: perm.test(x, y, paired = TRUE, exact = TRUE)$p.value
FLIPS_IN_R = [
    (MAIZE, [0] * 15, 0.05267333984375),
    ([880, 872, 884, 879, 881, 869, 870, 866], [870, 866, 869, 879, 868, 868, 871, 866], 0.09375),
]

# R 4, coin 1.4: pvalue(oneway_test(y ~ arm, distribution = "exact"))
DEALS_IN_R = [
    # Student (1908), Biometrika 6, 1-25: hours of sleep gained with two drugs (R: sleep).
    (
        [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
        [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
        0.081447963800905,
    ),
    # Hollander and Wolfe (1973), Nonparametric Statistical Methods, p. 69: permeability of a membrane.
    ([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21], 0.131868131868132),
    # Efron and Tibshirani (1993), An Introduction to the Bootstrap, table 2.1: survival of mice; perm.test agrees.
    ([94, 197, 16, 38, 99, 141, 23], [52, 104, 146, 10, 51, 30, 40, 27, 46], 0.278321678321678),
    # Dobson (1983), An Introduction to Statistical Modelling (R: PlantGrowth): control, treatments 1 and 2.
    (
        [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
        [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
        0.247926995605014,
    ),
    (
        [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
        [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
        0.0483340189222542,
    ),
    (
        [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
        [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
        0.00861677022667735,
    ),
]


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


@pytest.mark.parametrize(("treatment", "baseline", "p_value"), FLIPS_IN_R)
def test_sign_flip_equals_r(treatment: list[float], baseline: list[float], p_value: float) -> None:
    assert sign_flip(treatment, baseline).p_value == pytest.approx(p_value, rel=1e-12)


@pytest.mark.parametrize(("treatment", "baseline", "p_value"), DEALS_IN_R)
def test_label_permutation_equals_r(treatment: list[float], baseline: list[float], p_value: float) -> None:
    result = label_permutation(treatment, baseline)
    assert result.p_value == pytest.approx(p_value, rel=1e-12)
    assert result.estimate == pytest.approx(np.mean(treatment) - np.mean(baseline))


@settings(deadline=None, derandomize=True, max_examples=120)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=10),
    unit=st.sampled_from([1.0, 0.1, 1 / 3, 1e-9, 1e9]),
    offset=st.sampled_from([0.0, 0.7, -3.3]),
)
def test_scores_off_the_lattice_flip_like_counts(pairs: list[tuple[int, int]], unit: float, offset: float) -> None:
    t, b = (np.array([pair[arm] for pair in pairs]) for arm in (0, 1))
    counted = sign_flip(t, b, n_examples=12)
    met = sign_flip(unit * (t + offset), unit * (b + offset))
    assert met.p_value == pytest.approx(counted.p_value, rel=1e-12)
    assert met.p_value == pytest.approx(flips_by_enumeration((t - b).tolist()), rel=1e-12)
    assert met.estimate == pytest.approx(counted.estimate * 12 * unit, abs=1e-12 * unit)
    assert (met.method, met.floor, met.reason) == (counted.method, counted.floor, counted.reason)


@settings(deadline=None, derandomize=True, max_examples=120)
@given(
    t=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    b=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    unit=st.sampled_from([1.0, 0.1, 1 / 3, 1e-9, 1e9]),
    offset=st.sampled_from([0.0, 0.7, -3.3]),
)
def test_scores_off_the_lattice_are_dealt_like_counts(t: list[int], b: list[int], unit: float, offset: float) -> None:
    counted = label_permutation(t, b, n_examples=12)
    met = label_permutation(unit * (np.array(t) + offset), unit * (np.array(b) + offset))
    assert met.p_value == pytest.approx(counted.p_value, rel=1e-12)
    assert met.p_value == pytest.approx(labels_by_enumeration(t, b), rel=1e-12)
    assert (met.method, met.floor, met.reason) == (counted.method, counted.floor, counted.reason)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(n=st.integers(2, 11), seed=st.integers(0, 999))
def test_continuous_scores_equal_enumeration(n: int, seed: int) -> None:
    t, b = np.random.default_rng(seed).normal([[0.5], [0.0]], size=(2, n))
    d = t - b
    signs = np.array(list(itertools.product((1, -1), repeat=n)))
    assert sign_flip(t, b).p_value == np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-12)
    few = t[: (n + 1) // 2]
    runs = np.concatenate([few, b])
    chosen = np.array(list(itertools.combinations(range(len(runs)), len(few))))
    first = runs[chosen].sum(axis=1)
    means = first / len(few) - (runs.sum() - first) / n
    expected = np.mean(np.abs(means) >= abs(few.mean() - b.mean()) - 1e-12)
    assert label_permutation(few, b).p_value == pytest.approx(expected, rel=1e-12)


def test_forty_runs_off_the_lattice_equal_the_table_of_sums() -> None:
    rng = np.random.default_rng(5)
    t, b = rng.binomial(872, [[0.884], [0.88]], size=(2, 40))
    counted, met = sign_flip(t, b, n_examples=872), sign_flip(t / 872, b / 872)
    assert met.method == "exact"
    assert met.p_value == pytest.approx(counted.p_value, rel=1e-9)
    counted_20 = label_permutation(t[:20], b[:20], n_examples=872)
    met_20 = label_permutation(t[:20] / 872, b[:20] / 872)
    assert met_20.method == "exact"
    assert met_20.p_value == pytest.approx(counted_20.p_value, rel=1e-9)
    assert 0.001 < met.p_value < 0.9
    assert 0.001 < met_20.p_value < 0.9


@pytest.mark.parametrize("test", [sign_flip, label_permutation])
def test_beyond_forty_runs_draws_stay_close_to_the_exact_p(test: Callable[..., Any]) -> None:
    t, b = np.random.default_rng(6).binomial(872, [[0.881], [0.88]], size=(2, 60))
    exact = test(t, b, n_examples=872).p_value
    drawn = test(t / 872, b / 872, rng=np.random.default_rng(0), resamples=20_000)
    assert drawn.method == "Monte Carlo"
    assert drawn.floor == 1 / 20_001
    error = math.sqrt(exact * (1 - exact) / 20_000)
    assert 0.01 < exact < 0.9
    assert abs(drawn.p_value - exact) < 4 * error


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=10),
    seed=st.integers(0, 999),
)
def test_draws_count_ties_as_the_exact_tests_do(pairs: list[tuple[int, int]], seed: int) -> None:
    rng, B = np.random.default_rng(seed), 8000
    t, b = (np.array([pair[arm] for pair in pairs]) / 10 for arm in (0, 1))
    runs = np.concatenate([t, b])
    for exact, drawn in (
        (flips(t - b, tolerance=1e-12), drawn_flips(t - b, tolerance=1e-12, rng=rng, resamples=B)),
        (
            deals(runs, len(t), tolerance=1e-12),
            drawn_deals(runs, len(t), tolerance=1e-12, rng=rng, resamples=B),
        ),
    ):
        assert abs(drawn - exact) <= 4 * math.sqrt(exact * (1 - exact) / B) + 1 / B


def test_rounding_breaks_no_tie() -> None:
    # 0.1 + 0.2 - 0.3 is not 0 in binary, and the smallest sum there is leaves every assignment as far away.
    assert sign_flip([0.1, 0.2, 0.0], [0.0, 0.0, 0.3]).p_value == 1
    assert label_permutation([0.3, 0.3], [0.1 + 0.2, 0.3, 0.3]).p_value == 1
    # A difference that is rounding alone counts as none.
    assert sign_flip([0.1 + 0.2, 0.5], [0.3, 0.5]).reason == "the arms are equally good with every seed"
    assert label_permutation([0.1 + 0.2], [0.3]).reason == "every run is equally good"


def test_a_drawn_p_is_never_0() -> None:
    t, b = np.linspace(1, 2, 41), np.linspace(0, 0.5, 41)
    for test in (sign_flip, label_permutation):
        result = test(t, b, rng=np.random.default_rng(0), resamples=999)
        assert result.p_value == result.floor == 1 / 1000


@pytest.mark.parametrize("test", [sign_flip, label_permutation])
def test_the_generator_decides_the_draws_and_nothing_else_does(test: Callable[..., Any]) -> None:
    t, b = np.random.default_rng(9).normal(size=(2, 45))

    def drawn(seed: int) -> float:
        return test(t, b, rng=np.random.default_rng(seed), resamples=500).p_value

    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert drawn(0) == drawn(0)
    assert len({drawn(seed) for seed in range(6)}) > 3
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_exact_tests_draw_nothing() -> None:
    rng = np.random.default_rng(0)
    sign_flip([0.1, 0.2, 0.4], [0.3, 0.1, 0.2], rng=rng)
    label_permutation([0.1, 0.2, 0.4], [0.3, 0.1, 0.2], rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_seeds_that_tie_cost_nothing() -> None:
    t, b = np.linspace(0, 1, 60), np.linspace(0, 1, 60)
    t[:5] += 0.25
    result = sign_flip(t, b)
    assert (result.method, result.p_value, result.n_seeds) == ("exact", 2 / 2**5, 60)


@pytest.mark.parametrize("scale", [1, 0.1])
def test_rejects_no_more_often_than_it_says(scale: float) -> None:
    # Under the null every rearrangement is as likely: the share with p at most x is then exactly x.
    sizes = scale * np.array([1, 2, 2, 3, 5, 8])
    flipped = [sign_flip(np.array(s) * sizes, [0] * 6).p_value for s in itertools.product((1, -1), repeat=6)]
    dealt = [
        label_permutation(sizes[list(chosen)], np.delete(sizes, chosen)).p_value
        for chosen in itertools.combinations(range(6), 2)
    ]
    for p in (flipped, dealt):
        assert all(np.mean(np.array(p) <= x + 1e-12) == pytest.approx(x) for x in set(p))


def test_too_many_runs_need_a_generator() -> None:
    t, b = np.linspace(0, 1, 41), np.zeros(41)
    t[0] = 2.0
    with pytest.raises(ValueError, match=r"41 seeds differ, too many .* \(at most 40\): pass rng.*got rng=None"):
        sign_flip(t, b)
    with pytest.raises(ValueError, match=r"there are 82 runs, too many .*got rng=0"):
        label_permutation(t, b, rng=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("test", [sign_flip, label_permutation])
def test_bad_scores_are_refused(test: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="baseline must hold finite scores"):
        test([0.1, 0.2], [0.3, math.nan])
    with pytest.raises(ValueError, match=r"treatment must be one score per seed, got shape \(1, 2\)"):
        test([[0.1, 0.2]], [0.3, 0.4])
    with pytest.raises(ValueError, match="resamples must be at least 1, got 0"):
        test([0.1, 0.2], [0.3, 0.4], resamples=0)
    with pytest.raises(ValueError, match="n_examples must be at least 1, got 0"):
        test([0, 0], [0, 0], n_examples=0)
