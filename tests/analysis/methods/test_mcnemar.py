from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from analysis.methods.mcnemar import mcnemar, mcnemar_from_counts
from analysis.methods.mcnemar_clustered import mcnemar_clustered


@pytest.mark.parametrize(
    ("b", "c", "n", "p_exact", "p_mid"),
    [
        # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91: airway
        # hyper-responsiveness before and after stem cell transplantation (1, 1, 7, 12), and response to
        # consolidation therapy (59, 6, 16, 80).
        (1, 7, 21, 0.0703, 0.0391),
        (6, 16, 161, 0.0525, 0.0347),
    ],
)
def test_published_examples(b: int, c: int, n: int, p_exact: float, p_mid: float) -> None:
    result = mcnemar_from_counts(b, c, n=n)
    assert round(result.p_exact, 4) == p_exact
    assert round(result.p_mid, 4) == p_mid


# R: binom.test(b, b + c)$p.value
BINOM_TEST_R = [
    (1, 7, 0.0703125),
    (6, 16, 0.0524787902832),
    (86, 150, 3.71593613957e-05),
    (12, 2, 0.012939453125),
    (40, 20, 0.0134892937312),
    (25, 121, 2.63098900062e-16),
    (25, 2, 5.647540092e-06),
    (9, 9, 1.0),
    (0, 5, 0.0625),
]


@pytest.mark.parametrize(("b", "c", "p_exact"), BINOM_TEST_R)
def test_exact_p_equals_r(b: int, c: int, p_exact: float) -> None:
    assert mcnemar_from_counts(b, c, n=300).p_exact == pytest.approx(p_exact, rel=1e-9)


counts = st.tuples(st.integers(0, 300), st.integers(0, 300))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(counts=counts)
def test_exact_p_equals_statsmodels_and_the_binomial_test(counts: tuple[int, int]) -> None:
    b, c = counts
    result = mcnemar_from_counts(b, c, n=601)
    table = [[100, b], [c, 601 - 100 - b - c]]
    if b + c:
        assert result.p_exact == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-9)
        assert result.p_exact == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-9)
        pmf = stats.binom.pmf(min(b, c), b + c, 0.5)
        expected = 1 - pmf / 2 if b == c else result.p_exact - pmf
        assert result.p_mid == pytest.approx(expected, rel=1e-9)
    assert result.p_mid <= result.p_exact <= 1


@settings(deadline=None, derandomize=True, max_examples=50)
@given(counts=counts)
def test_swapping_the_arms(counts: tuple[int, int]) -> None:
    b, c = counts
    one, other = mcnemar_from_counts(b, c, n=600), mcnemar_from_counts(c, b, n=600)
    assert one.estimate == -other.estimate
    assert (one.p_exact, one.p_mid) == (other.p_exact, other.p_mid)


def test_equal_counts_have_no_correction_below_one() -> None:
    assert mcnemar_from_counts(9, 9, n=50).p_exact == 1
    assert mcnemar_from_counts(1, 1, n=50).p_mid == pytest.approx(1 - 0.5 / 2)


def test_no_disagreement() -> None:
    result = mcnemar([1, 0, 1], [1, 0, 1])
    assert (result.p_exact, result.p_mid, result.estimate) == (1, 1, 0)


@pytest.mark.parametrize("c", [0, 3, 40])
def test_large_counts(c: int) -> None:
    result = mcnemar_from_counts(2000, c, n=5000)
    assert 0 <= result.p_mid <= result.p_exact < 1e-300


def test_counting_is_directed() -> None:
    treatment = np.array([True, True, True, False, False, True])
    baseline = np.array([False, False, True, True, False, True])
    result = mcnemar(treatment, baseline)
    assert (result.only_treatment, result.only_baseline, result.n) == (2, 1, 6)
    assert result.estimate == pytest.approx(treatment.mean() - baseline.mean())
    assert result.generalizes_to == "examples"
    assert mcnemar(treatment.astype(float), baseline.astype(int)) == result


@pytest.mark.parametrize(
    ("treatment", "baseline", "message"),
    [
        ([1, 0], [1, 0, 1], "same examples, got 2 .* and 3"),
        ([[1, 0]], [[1, 0]], r"treatment must be one row.*\(1, 2\)"),
        ([1, 0], [], "baseline must be one row"),
        ([1, 2], [0, 1], "treatment must hold right"),
        ([1, 0], [0.5, 1], "baseline must hold right"),
        ([1.0, float("nan")], [0, 1], "treatment must hold right"),
    ],
)
def test_bad_answers_are_refused(treatment: list[float], baseline: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcnemar(treatment, baseline)


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 2, 5), (1, -2, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(b: int, c: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"got b={b}, c={c}, n={n}"):
        mcnemar_from_counts(b, c, n=n)


def _times(differences: list[int], counts: list[int]) -> list[int]:
    return np.repeat(differences, counts).tolist()


# The differences of the clusters, and the exact p.
FLIPS = [
    # By hand: of 1, 2, 3 two of the eight sums are as far from 0 as 6; of 3, 3, -2 four are as far as 4.
    ([1, 2, 3], 2 / 8),
    ([2, 1, -1], 6 / 8),
    ([3, 3, -2], 4 / 8),
    # Fisher (1935), The Design of Experiments, section 21, Darwin's plants: 863 of the 2^15 sums are at least as large.
    ([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], 2 * 863 / 2**15),
    # R 4.2, package exactRankTests 0.8: perm.test(d, rep(0, length(d)), paired = TRUE, exact = TRUE)$p.value
    (_times([3, -1, 2, -2, 1, 4, -3, 1], [3, 9, 6, 2, 14, 1, 1, 2]), 0.0196032560125),
    (_times([1, -1, 2, -2, 5, -5], [40, 31, 12, 9, 3, 1]), 0.13368265223),
    (_times([1, 2, 3], [20, 10, 5]), 5.82076609135e-11),
]


def _examples(
    differences: list[int], rng: np.random.Generator | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Examples whose clusters have these differences, among others on which the models do not differ."""
    d = np.array(differences)
    clusters = np.repeat(np.arange(len(d)), np.abs(d) + 1)
    last = np.append(clusters[1:] != clusters[:-1], True)
    treatment = np.where(last, True, d[clusters] > 0)
    baseline = np.where(last, True, d[clusters] < 0)
    order = np.arange(len(clusters)) if rng is None else rng.permutation(len(clusters))
    return treatment[order], baseline[order], clusters[order]


@pytest.mark.parametrize(("differences", "p_exact"), FLIPS)
def test_clustered_reference_values(differences: list[int], p_exact: float) -> None:
    treatment, baseline, clusters = _examples(differences)
    result = mcnemar_clustered(treatment, baseline, clusters)
    assert result.p_exact == pytest.approx(p_exact, rel=1e-10)
    assert result.n_clusters == len(differences)
    assert result.only_treatment == sum(d for d in differences if d > 0)
    assert result.only_baseline == -sum(d for d in differences if d < 0)
    assert (result.n, result.generalizes_to, result.reason) == (len(treatment), "examples", "")
    assert result.estimate == pytest.approx(treatment.mean() - baseline.mean())


@settings(deadline=None, derandomize=True, max_examples=100)
@given(differences=st.lists(st.integers(-6, 6), min_size=1, max_size=10), seed=st.integers(0, 99))
def test_clustered_equals_the_list_of_all_flips(differences: list[int], seed: int) -> None:
    sums = [abs(sum(flips)) for flips in itertools.product(*[(d, -d) for d in differences])]
    observed = abs(sum(differences))
    farther, as_far = sum(s > observed for s in sums), sum(s == observed for s in sums)
    treatment, baseline, clusters = _examples(differences, np.random.default_rng(seed))
    result = mcnemar_clustered(treatment, baseline, clusters)
    assert result.p_exact == pytest.approx((farther + as_far) / len(sums), rel=1e-12)
    # With nothing to flip there is nothing to split either.
    expected_mid = 1 if not any(differences) else (farther + as_far / 2) / len(sums)
    assert result.p_mid == pytest.approx(expected_mid, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(b=st.integers(0, 60), c=st.integers(0, 60), equal=st.integers(0, 5))
def test_clusters_of_one_are_mcnemar(b: int, c: int, equal: int) -> None:
    treatment = np.repeat([True, False, True], [b, c, equal + 1])
    baseline = np.repeat([False, True, True], [b, c, equal + 1])
    plain = mcnemar(treatment, baseline)
    names = [f"document {i}" for i in range(len(treatment))]
    clustered = mcnemar_clustered(treatment, baseline, names)
    for field in ("only_treatment", "only_baseline", "n", "estimate", "p_exact", "p_mid"):
        assert getattr(clustered, field) == getattr(plain, field), field
    assert clustered.n_clusters == plain.n
    # Every example three times over, in clusters of three: the same evidence.
    tripled = mcnemar_clustered(np.repeat(treatment, 3), np.repeat(baseline, 3), np.repeat(names, 3))
    assert (tripled.p_exact, tripled.p_mid) == (plain.p_exact, plain.p_mid)


@pytest.mark.parametrize("b", [1, 4, 30])
def test_clusters_of_one_with_equal_counts(b: int) -> None:
    right = np.repeat([True, False], b)
    result = mcnemar_clustered(right, ~right, np.arange(2 * b))
    assert result.p_exact == 1
    assert result.p_mid == pytest.approx(1 - stats.binom.pmf(b, 2 * b, 0.5) / 2, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(differences=st.lists(st.integers(-9, 9), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_clustered_invariants(differences: list[int], seed: int) -> None:
    treatment, baseline, clusters = _examples(differences)
    result = mcnemar_clustered(treatment, baseline, clusters)
    swapped = mcnemar_clustered(baseline, treatment, clusters)
    assert (swapped.p_exact, swapped.p_mid, swapped.estimate) == (result.p_exact, result.p_mid, -result.estimate)
    shuffled = _examples(differences, np.random.default_rng(seed))
    assert mcnemar_clustered(*shuffled) == result
    assert mcnemar_clustered(treatment, baseline, [f"text {label}" for label in clusters]) == result
    assert mcnemar_clustered(treatment, baseline, [("text", label) for label in clusters.tolist()]) == result
    assert 0 < result.p_mid <= result.p_exact <= 1


def test_many_clusters_approach_the_asymptotic_tests() -> None:
    rng = np.random.default_rng(1998)
    for shift in (0.0, 0.05, 0.1):
        clusters = rng.integers(4000, size=20_000)
        lean = rng.normal(shift, 0.8, size=4000)[clusters]
        differ = rng.random(20_000) < 0.3
        wins = rng.random(20_000) < 1 / (1 + np.exp(-lean))
        treatment, baseline = ~differ | wins, ~differ | ~wins
        result = mcnemar_clustered(treatment, baseline, clusters)
        d = np.bincount(clusters, weights=treatment.astype(float) - baseline)
        sizes = np.bincount(clusters)
        G = np.count_nonzero(sizes)
        # Obuchowski (1998), Statistics in Medicine 17, 1495-1507, as a ratio of sums over clusters; and the variance
        # of the flips.
        spread = math.sqrt(G / (G - 1) * np.sum((d - sizes * result.estimate) ** 2)) / result.n
        obuchowski = 2 * stats.norm.sf(abs(result.estimate) / spread)
        null = 2 * stats.norm.sf(abs(d.sum()) / math.sqrt(np.sum(d**2)))
        assert result.p_mid == pytest.approx(null, abs=1e-3)
        assert result.p_mid == pytest.approx(obuchowski, abs=5e-3)


def test_clusters_matter_and_the_level_holds() -> None:
    # 150 documents of 8 examples, in each of which one model tends to win: McNemar's test rejects far too often.
    rng = np.random.default_rng(2003)
    clusters = np.repeat(np.arange(150), 8)
    rejected = np.zeros(2)
    for _ in range(400):
        wins = rng.random(1200) < np.repeat(rng.beta(0.5, 0.5, size=150), 8)
        differ = rng.random(1200) < 0.3
        treatment, baseline = ~differ | wins, ~differ | ~wins
        rejected += (
            mcnemar_clustered(treatment, baseline, clusters).p_mid < 0.05,
            mcnemar(treatment, baseline).p_mid < 0.05,
        )
    # Three standard errors above 0.05 are 0.083.
    assert 0.02 < rejected[0] / 400 < 0.083
    assert rejected[1] / 400 > 0.1


@pytest.mark.parametrize(("largest", "each"), [(2, 33_333), (10, 1818), (100, 20), (440, 1)])
def test_a_hundred_thousand_examples_are_quick(largest: int, each: int) -> None:
    sizes = np.repeat(np.arange(1, largest + 1), each)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    won = np.random.default_rng(7).integers(2, size=len(sizes)).astype(bool)[clusters]
    start = time.process_time()
    result = mcnemar_clustered(won, ~won, clusters)
    assert time.process_time() - start < 10
    d = np.where(won, 1, -1).sum()
    assert result.p_mid == pytest.approx(2 * stats.norm.sf(abs(d) / math.sqrt(np.sum(sizes**2))), abs=5e-3)


def test_tails_far_below_rounding() -> None:
    # All of the 300 + 60 clusters favour the treatment: 2 of 2^360 assignments.
    treatment, baseline, clusters = _examples(_times([1, 2], [300, 60]))
    result = mcnemar_clustered(treatment, baseline, clusters)
    assert math.log2(result.p_exact) == pytest.approx(-359, rel=1e-12)
    assert result.p_mid == pytest.approx(result.p_exact / 2, rel=1e-9)
    hopeless = mcnemar_clustered(*_examples(_times([1, 2], [3000, 600])))
    assert 0 <= hopeless.p_mid <= hopeless.p_exact < 1e-290


def test_clusters_without_a_winner() -> None:
    result = mcnemar_clustered([1, 0, 1, 1], [0, 1, 1, 1], ["a", "a", "b", "b"])
    assert (result.p_exact, result.p_mid, result.estimate) == (1, 1, 0)
    assert (result.only_treatment, result.only_baseline, result.n_clusters) == (1, 1, 2)
    assert result.reason == "in every cluster the models are equally often right"


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        (["a"], "must name the cluster of each example, got 1 for 2 examples"),
        (["a", None], "must name the cluster of each example, got a missing label"),
        (np.array([1.0, np.nan]), "must name the cluster of each example, got a missing label"),
        ([[1], [2]], "must be one row of labels"),
        (np.array([[1], [2]]), "must be one row of labels"),
        (3, "must be one row of labels"),
    ],
)
def test_bad_clusters_are_refused(clusters: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"clusters {message}"):
        mcnemar_clustered([1, 0], [1, 1], clusters)


def test_clustered_answers_are_checked() -> None:
    with pytest.raises(ValueError, match=r"same examples, got 2 .* and 3"):
        mcnemar_clustered([1, 0], [1, 0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="treatment must hold right"):
        mcnemar_clustered([1, 2], [1, 0], ["a", "b"])
