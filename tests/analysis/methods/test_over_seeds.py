from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from analysis.methods.crossed import crossed_test
from analysis.methods.outperforming import probability_of_outperforming
from analysis.methods.over_seeds import paired_t, wilcoxon

# Fisher (1935), The Design of Experiments, chapter III: Darwin's pairs of plants, in eighths of an inch.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# Student (1908), Biometrika 6, 1-25: hours of sleep gained with two drugs (R: sleep).
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# Hollander and Wolfe (1973), Nonparametric Statistical Methods, p. 29: Hamilton depression factor IV at two visits.
VISIT_1 = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
VISIT_2 = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]

# R 4: r <- t.test(x, y, paired = TRUE); r$estimate, r$stderr, r$statistic, r$p.value, r$conf.int
PAIRED_T_IN_R = [
    (
        SLEEP_1,
        SLEEP_2,
        (-1.58, 0.388958723888395, -4.06212768338204, 0.00283289019738427, -2.45988576327698, -0.700114236723018),
    ),
    (
        MAIZE,
        [0] * 15,
        (
            20.9333333333333,
            9.74555657804484,
            2.14798746133112,
            0.0497029440218009,
            0.0311933183929742,
            41.8354733482737,
        ),
    ),
    (
        VISIT_1,
        VISIT_2,
        (
            0.431888888888889,
            0.142285164023642,
            3.03537541564859,
            0.0161766274349081,
            0.103778712271217,
            0.75999906550561,
        ),
    ),
]

# R 4, coin 1.4: pvalue(wilcoxsign_test(d ~ rep(0, length(d)), distribution = "exact", zero.method = "Pratt"))
WILCOXON_IN_R = [
    (np.subtract(VISIT_1, VISIT_2).tolist(), 0.0390625),
    (np.subtract(SLEEP_1, SLEEP_2).tolist(), 0.00390625),
    # Also the example in the documentation of scipy.stats.wilcoxon, there with p = 0.041259765625.
    (MAIZE, 0.041259765625),
    ([10, 6, 15, 0, 13, 1, -1, 0], 0.09375),
    # With the zeros left out before ranking: 0.0859375, 0.0703125, 0.0859375.
    ([0, 0, 2, 3, -1, 4, 5, -2, 1, 6], 0.1015625),
    ([0, 0, 1, 1, 2, -1, 3, 3, -2, 5, 8, 0], 0.07421875),
    ([0, 0, 5, 1, 2, -3, 4, -1, 6, 6], 0.109375),
]

# R 4: wilcox.test(x, y, paired = TRUE, conf.int = TRUE, exact = TRUE)$statistic and $estimate
SIGNED_RANKS_IN_R = [(VISIT_1, VISIT_2, 40, 0.46), (MAIZE, [0] * 15, 96, 25)]

# R 4: x <- better + ties / 2; a <- (1 - confidence) / 2; qbeta(c(a, 1 - a), c(x, x + 1), c(n - x + 1, n - x)), which
# binom.test(x, n) gives where x is whole.
CLOPPER_PEARSON_IN_R = [
    (8, 0, 10, 0.95, (0.443904537692359, 0.974789273673167)),
    (5, 0, 5, 0.95, (0.478176249895019, 1.0)),
    (15, 0, 20, 0.90, (0.544417595998251, 0.895919164089864)),
    (0, 0, 3, 0.95, (0.0, 0.707598226178713)),
    (13, 0, 15, 0.95, (0.595397303396628, 0.983424086559916)),
    (6, 3, 10, 0.95, (0.394181681851329, 0.955940586447369)),
]

TESTS = [paired_t, wilcoxon, probability_of_outperforming]
lattice = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=8)
scores = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=12)


def arms(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def signed_ranks_by_enumeration(d: list[int]) -> float:
    doubled = [int(2 * rank) if x else 0 for rank, x in zip(stats.rankdata(np.abs(d)), d, strict=True)]
    observed = abs(sum(rank * (1 if x > 0 else -1) for rank, x in zip(doubled, d, strict=True)))
    flipped = [
        abs(sum(s * rank for s, rank in zip(signs, doubled, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(d))
    ]
    return sum(total >= observed for total in flipped) / len(flipped)


@pytest.mark.parametrize(("treatment", "baseline", "expected"), PAIRED_T_IN_R)
def test_paired_t_equals_r(treatment: list[float], baseline: list[float], expected: tuple[float, ...]) -> None:
    result = paired_t(treatment, baseline)
    numbers = (result.estimate, result.standard_error, result.statistic, result.p_value, *result.interval())
    assert numbers == pytest.approx(expected, rel=1e-11)
    assert (result.df, result.n_seeds) == (len(treatment) - 1, len(treatment))


def test_paired_t_at_another_confidence_equals_r() -> None:
    # R: t.test(maize, conf.level = 0.9)$conf.int
    assert paired_t(MAIZE, [0] * 15).interval(0.9) == pytest.approx((3.76838575365529, 38.0982809130114), rel=1e-11)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(pairs=scores)
def test_paired_t_equals_scipy(pairs: list[tuple[float, float]]) -> None:
    t, b = arms(pairs)
    assume(np.std(np.subtract(t, b)) > 1e-6)
    expected, result = stats.ttest_rel(t, b), paired_t(t, b)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert result.interval(0.8) == pytest.approx(tuple(expected.confidence_interval(0.8)), rel=1e-9, abs=1e-9)


def test_paired_t_is_the_crossed_test_where_examples_do_not_vary() -> None:
    t, b = np.random.default_rng(3).normal(size=(2, 8))
    crossed = crossed_test(np.tile(t[:, None], 50), np.tile(b[:, None], 50), paired=True)
    result = paired_t(t, b)
    assert result.p_value == pytest.approx(crossed.p_value, rel=1e-10)
    assert result.interval() == pytest.approx(crossed.interval(), rel=1e-10)
    assert result.df == pytest.approx(crossed.df)


def test_paired_t_keeps_its_level_over_seeds() -> None:
    rng = np.random.default_rng(0)
    rejected = sum(paired_t(*rng.normal(size=(2, 4))).p_value <= 0.05 for _ in range(4000))
    assert special.bdtr(rejected, 4000, 0.05) > 1e-4
    assert special.bdtrc(rejected, 4000, 0.05) > 1e-4


@pytest.mark.parametrize(
    ("treatment", "baseline", "p_value", "standard_error", "reason"),
    [
        ([0.9], [0.8], math.nan, math.nan, "one seed"),
        ([0.9, 0.8, 0.7], [0.9, 0.8, 0.7], 1.0, 0.0, "equally good with every seed"),
        # 0.9 - 0.8 and 0.8 - 0.7 differ by rounding alone.
        ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6], math.nan, 0.0, "every difference is the same"),
        ([0.1 + 0.2, 0.5], [0.3, 0.5], 1.0, 0.0, "equally good with every seed"),
    ],
)
def test_paired_t_without_variation(
    treatment: list[float], baseline: list[float], p_value: float, standard_error: float, reason: str
) -> None:
    result = paired_t(treatment, baseline)
    assert result.estimate == pytest.approx(np.mean(treatment) - np.mean(baseline))
    assert (result.p_value, result.standard_error) == pytest.approx((p_value, standard_error), nan_ok=True)
    assert all(math.isnan(x) for x in (result.df, result.statistic, *result.interval()))
    assert reason in result.reason


@pytest.mark.parametrize(("d", "p_value"), WILCOXON_IN_R)
def test_wilcoxon_equals_coin(d: list[float], p_value: float) -> None:
    assert wilcoxon(d, [0] * len(d)).p_value == pytest.approx(p_value, rel=1e-12)
    assert wilcoxon([0] * len(d), d).p_value == pytest.approx(p_value, rel=1e-12)


@pytest.mark.parametrize(("treatment", "baseline", "statistic", "estimate"), SIGNED_RANKS_IN_R)
def test_wilcoxon_statistic_and_estimate_equal_r(
    treatment: list[float], baseline: list[float], statistic: float, estimate: float
) -> None:
    result = wilcoxon(treatment, baseline)
    assert (result.statistic, result.estimate) == pytest.approx((statistic, estimate), rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(pairs=lattice)
def test_wilcoxon_equals_enumeration(pairs: list[tuple[int, int]]) -> None:
    t, b = arms(pairs)
    d = [int(x - y) for x, y in zip(t, b, strict=True)]
    result = wilcoxon(t, b)
    assert result.p_value == pytest.approx(signed_ranks_by_enumeration(d), rel=1e-12)
    assert result.n_ties == d.count(0)
    # The same scores as accuracies: what ties exactly as counts still ties.
    assert wilcoxon(np.array(t) / 8 + 0.1, np.array(b) / 8 + 0.1).p_value == result.p_value


@settings(deadline=None, derandomize=True, max_examples=50)
@given(S=st.integers(2, 40), seed=st.integers(0, 999))
def test_wilcoxon_without_ties_equals_scipy(S: int, seed: int) -> None:
    d = np.random.default_rng(seed).normal(0.3, 1, S)
    expected = stats.wilcoxon(d, method="exact")
    result = wilcoxon(d, np.zeros(S))
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert min(result.statistic, S * (S + 1) / 2 - result.statistic) == expected.statistic


@settings(deadline=None, derandomize=True, max_examples=20)
@given(d=st.lists(st.integers(-3, 3), min_size=2, max_size=9).filter(any))
def test_wilcoxon_with_ties_equals_scipy(d: list[int]) -> None:
    # scipy is exact here by going through all assignments of signs, which 13 pairs allow and 20 do not.
    expected = stats.wilcoxon(d, zero_method="pratt", method=stats.PermutationMethod(n_resamples=2 ** len(d)))
    assert wilcoxon(d, [0] * len(d)).p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_differences_equal_up_to_rounding_share_a_rank() -> None:
    # Three gaps of 0.1 and three of 0.2, none of which is the same number in binary.
    t, b = [0.9, 0.8, 0.4, 0.9, 0.7, 0.5], [0.8, 0.7, 0.5, 0.7, 0.9, 0.3]
    assert len({abs(x - y) for x, y in zip(t, b, strict=True)}) > 2
    result = wilcoxon(t, b)
    assert result.statistic == 2 + 2 + 5 + 5
    assert result.p_value == signed_ranks_by_enumeration([1, 1, -1, 2, -2, 2])


@pytest.mark.parametrize("n_seeds", [1, 2, 5, 6, 12])
def test_the_wilcoxon_floor_is_reached(n_seeds: int) -> None:
    result = wilcoxon([0.1 * (s + 1) for s in range(n_seeds)], [0.0] * n_seeds)
    assert result.p_value == result.floor == 2 / 2**n_seeds
    assert result.statistic == n_seeds * (n_seeds + 1) / 2


def test_wilcoxon_rejects_no_more_often_than_it_says() -> None:
    # Under the null every assignment of signs is as likely: the share with p at most x is then exactly x.
    sizes = np.array([1, 2, 2, 3, 5, 8])
    p = [wilcoxon(np.array(signs) * sizes, [0] * 6).p_value for signs in itertools.product((1, -1), repeat=6)]
    assert all(np.mean(np.array(p) <= x + 1e-12) == pytest.approx(x) for x in set(p))


def test_arms_that_always_tie() -> None:
    t = [0.1 + 0.2, 0.5]
    ranks, share = wilcoxon(t, [0.3, 0.5]), probability_of_outperforming(t, [0.3, 0.5])
    assert (ranks.p_value, ranks.statistic, ranks.n_ties) == (1, 0, 2)
    assert (share.estimate, share.n_better, share.n_ties) == (0.5, 0, 2)
    assert ranks.reason == share.reason == "the arms are equally good with every seed"


@pytest.mark.parametrize(("better", "ties", "seeds", "confidence", "expected"), CLOPPER_PEARSON_IN_R)
def test_outperforming_interval_equals_r(
    better: int, ties: int, seeds: int, confidence: float, expected: tuple[float, float]
) -> None:
    t = [1.0] * better + [0.5] * ties + [0.0] * (seeds - better - ties)
    result = probability_of_outperforming(t, [0.5] * seeds, confidence=confidence)
    assert result.interval == pytest.approx(expected, rel=1e-11, abs=1e-15)
    assert result.estimate == (better + ties / 2) / seeds
    assert (result.n_better, result.n_ties, result.n_seeds, result.confidence) == (better, ties, seeds, confidence)
    assert result.reason == ""


@settings(deadline=None, derandomize=True, max_examples=60)
@given(pairs=lattice, confidence=st.floats(0.5, 0.99))
def test_outperforming_interval_holds_the_shares_that_an_exact_test_keeps(
    pairs: list[tuple[int, int]], confidence: float
) -> None:
    t, b = arms(pairs)
    S, result = len(t), probability_of_outperforming(t, b, confidence=confidence)
    won, (least, most) = result.estimate * S, result.interval
    if won == int(won):
        tail = pytest.approx((1 - confidence) / 2, rel=1e-6)
        if least > 1e-9:
            assert stats.binom.sf(won - 1, S, least) == tail
        if most < 1 - 1e-9:
            assert stats.binom.cdf(won, S, most) == tail
    low, high = proportion_confint(won, S, alpha=1 - confidence, method="beta")
    assert result.interval == pytest.approx((low, high), abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(pairs=lattice, seed=st.integers(0, 99))
def test_swapping_arms_and_reordering_seeds(pairs: list[tuple[int, int]], seed: int) -> None:
    t, b = (np.array(arm) / 10 for arm in arms(pairs))
    order = np.random.default_rng(seed).permutation(len(t))
    for test in (paired_t, wilcoxon):
        one, other = test(t, b), test(b[order], t[order])
        assert one.estimate == pytest.approx(-other.estimate, abs=1e-12)
        assert one.p_value == pytest.approx(other.p_value, nan_ok=True)
        assert one.reason == other.reason
    assert paired_t(t, b).interval() == pytest.approx(
        tuple(-limit for limit in reversed(paired_t(b, t).interval())), nan_ok=True
    )
    share, turned = probability_of_outperforming(t, b), probability_of_outperforming(b[order], t[order])
    assert share.estimate == pytest.approx(1 - turned.estimate)
    assert share.interval == pytest.approx((1 - turned.interval[1], 1 - turned.interval[0]))


@pytest.mark.parametrize("test", TESTS)
def test_populations(test: Callable[..., object]) -> None:
    assert test([0.9, 0.7], [0.8, 0.8]).generalizes_to == "seeds"  # type: ignore[attr-defined]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("treatment", "message"),
    [
        ([0.9, math.nan], "treatment must hold finite scores"),
        ([0.9, math.inf], "treatment must hold finite scores"),
        ([[0.9, 0.8]], r"treatment must be one score per seed, got shape \(1, 2\)"),
        ([], "treatment must be one score per seed"),
        ([0.9, 0.8, 0.7], "same seeds, got 3 for the treatment and 2 for the baseline"),
    ],
)
def test_bad_scores_are_refused(test: Callable[..., object], treatment: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        test(treatment, [0.5, 0.6])


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1, math.nan])
def test_bad_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        paired_t([0.9, 0.7], [0.8, 0.8]).interval(confidence)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        probability_of_outperforming([0.9, 0.7], [0.8, 0.8], confidence=confidence)
