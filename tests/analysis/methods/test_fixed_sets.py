"""Several test sets in one question: a stratified sample of examples, crossed with shared seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.fixed_sets import set_scores, set_strata
from analysis.methods.moments import caution
from analysis.methods.variance import pooled_seed_spread

SIZES = (12, 40, 25)
SETS = np.repeat(["here", "there", "elsewhere"], SIZES)


def over_sets(treatment: Any, baseline: Any, sets: Any, *, clusters: Any = None, **how: Any) -> CrossedResult:
    arms = [set_scores(y, sets, clusters=clusters) for y in (treatment, baseline)]
    if clusters is not None:
        arms = [cluster_scores(y, clusters) for y in arms]
    return crossed_test(*arms, **{"paired": True, **how}, strata=set_strata(sets, clusters=clusters))


def drawn(rng: np.random.Generator, *sizes: int, seeds: int = 5, gap: Any = 0.0, arms: int = 2) -> np.ndarray:
    """Right or wrong by arm, seed and example: sets of unlike difficulty, each with a gap of its own."""
    y = []
    for size, ease, own in zip(sizes, (1.0, 2.0, 0.3), np.broadcast_to(gap, 3), strict=False):
        latent = ease + rng.normal(size=size) + rng.normal(scale=0.5, size=(arms, 1, size))
        latent = latent + rng.normal(scale=0.3, size=(arms, seeds, size))
        latent[0] += own
        y.append(latent)
    latent = np.concatenate(y, axis=2) + rng.normal(scale=0.1, size=(arms, seeds, 1))
    return (latent > 0).astype(np.float64)


def test_one_set_is_the_crossed_test_to_the_last_bit(rng: np.random.Generator) -> None:
    treatment, baseline, third = drawn(rng, 60, seeds=4, arms=3)
    for paired, arms in ((True, None), (False, None), (True, [treatment, baseline, third])):
        spread = None if arms is None else pooled_seed_spread(arms)
        expected = crossed_test(treatment, baseline, paired=paired, spread=spread)
        assert over_sets(treatment, baseline, ["all"] * 60, paired=paired, spread=spread) == expected


def test_the_mean_is_that_over_the_sets(rng: np.random.Generator) -> None:
    y = drawn(rng, *SIZES)[0]
    made = set_scores(y, SETS)
    by_set = [y[:, name == SETS].mean(axis=1) for name in ("here", "there", "elsewhere")]
    np.testing.assert_allclose(made.mean(axis=1), np.mean(by_set, axis=0), rtol=1e-13)
    # No plain mean: large sets weigh no more than small ones.
    assert np.abs(made.mean(axis=1) - y.mean(axis=1)).max() > 0.01


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_variance_and_df_are_sums_over_the_sets(rng: np.random.Generator, seeds: int) -> None:
    """The formulas by set, written out: w = 1 / M, examples and residual within each set."""
    treatment, baseline = drawn(rng, *SIZES, seeds=seeds, gap=(0.3, 0.0, -0.4))
    result = over_sets(treatment, baseline, SETS)
    parts = [(treatment - baseline)[:, name == SETS] for name in ("here", "there", "elsewhere")]
    M, S = len(parts), seeds
    means = np.mean([d.mean(axis=1) for d in parts], axis=0)
    example, residual = [], []
    for d in parts:
        n, r, c = d.shape[1], d.mean(axis=1), d.mean(axis=0)
        example.append(np.var(c, ddof=1) / n / M**2)
        rest = np.sum((d - r[:, None] - c + d.mean()) ** 2) / ((S - 1) * (n - 1))
        residual.append(rest / (S * n) / M**2)
    df = np.array(SIZES) - 1
    example_df, residual_df = (sum(v) ** 2 / np.sum(np.square(v) / df) for v in (example, residual))
    a, G = max(means.var(ddof=1) / S, sum(residual)), max(sum(example) - sum(residual), 0)
    assert result.estimate == pytest.approx(means.mean(), rel=1e-12)
    if seeds < 8:
        spreads = []
        for y in (treatment, baseline):
            own = [y[:, name == SETS] for name in ("here", "there", "elsewhere")]
            r = np.mean([part.mean(axis=1) for part in own], axis=0)
            rest = 0.0
            for part in own:
                inner = part - part.mean(axis=1)[:, None] - part.mean(axis=0) + part.mean()
                rest += np.sum(inner**2) / ((S - 1) * (part.shape[1] - 1)) / (S * part.shape[1]) / M**2
            spreads.append((max(r.var(ddof=1) / S, rest), rest))
        G = max(sum(example) - sum(rest for _, rest in spreads), 0)
        A = [own for own, _ in spreads]
        c = caution(2 * S - 2, arms_apart=True) if seeds > 3 else 1.0
        squares = sum((c * own) ** 2 / (S - 1) for own in A) + sum(example) ** 2 / example_df
        assert result.design == "B"
        assert result.standard_error**2 == pytest.approx(sum(A) + G, rel=1e-10)
        assert result.df == pytest.approx((c * sum(A) + G) ** 2 / squares, rel=1e-10)
        return
    c = caution(S - 1)
    squares = (c * a) ** 2 / (S - 1) + sum(example) ** 2 / example_df
    squares += sum(residual) ** 2 / ((S - 1) * residual_df)
    assert result.design == "A"
    assert result.standard_error**2 == pytest.approx(a + G, rel=1e-10)
    assert result.df == pytest.approx((c * a + G) ** 2 / squares, rel=1e-10)


@pytest.mark.parametrize("sizes", [(9, 60), (30, 30)])
def test_two_sets_without_seeds_that_matter_are_welchs_test(rng: np.random.Generator, sizes: tuple[int, int]) -> None:
    """Half the sum of two means: scipy compares the first with the second's negative."""
    first, second = rng.normal(0.3, 1.0, sizes[0]), rng.normal(0.1, 3.0, sizes[1])
    expected = stats.ttest_ind(first, -second, equal_var=False)
    d = np.tile(np.concatenate([first, second]), (6, 1))
    result = over_sets(d, np.zeros_like(d), np.repeat([0, 1], sizes))
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert result.df == pytest.approx(expected.df, rel=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.interval() == pytest.approx(tuple(limit / 2 for limit in expected.confidence_interval()), rel=1e-9)


def test_equal_sets_of_one_mean_square_are_one_set(rng: np.random.Generator) -> None:
    """Two sets with the same deviations: the formulas of one set with as many examples, but for a df lost."""
    d = rng.normal(size=(5, 30))
    result = over_sets(np.hstack([d + 0.4, d]), np.zeros((5, 60)), np.repeat([0, 1], 30))
    alone = crossed_test(d + 0.2, np.zeros((5, 30)), paired=True)
    assert result.estimate == pytest.approx(alone.estimate, rel=1e-12)
    assert result.components.example / 60 == pytest.approx(alone.components.example / 30 / 2, rel=59 / 58 - 1 + 1e-9)
    assert result.components.residual / 60 == pytest.approx(alone.components.residual / 30 / 2, rel=1e-1)


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_duplicated_set_changes_nothing(rng: np.random.Generator, seeds: int) -> None:
    arms = drawn(rng, 50, seeds=seeds, arms=3)
    for spread in (None, pooled_seed_spread(list(arms))):
        alone = crossed_test(arms[0], arms[1], paired=True, spread=spread)
        for copies in (2, 3):
            sets, texts = np.repeat(range(copies), 50), np.tile(np.arange(50), copies)
            result = over_sets(*(np.tile(y, copies) for y in arms[:2]), sets, clusters=texts, spread=spread)
            assert result.n_examples == alone.n_examples == 50
            for name in ("estimate", "standard_error", "df", "p_value", "other_p_value", "pairwise_p_value"):
                assert getattr(result, name) == pytest.approx(getattr(alone, name), rel=1e-9), name


def test_clusters_within_sets_are_the_clustered_means_of_each(rng: np.random.Generator) -> None:
    """Cochran's ratio within each set, and the sets as strata: by hand from the scores of the clusters."""
    scores = rng.normal(size=60)
    sets, documents = np.repeat([0, 1], (20, 40)), np.repeat(np.arange(20), 3)
    documents[20:] += 100
    d = np.tile(scores, (5, 1))
    result = over_sets(d, np.zeros_like(d), sets, clusters=documents)
    variance = 0.0
    for number in (0, 1):
        own = cluster_scores(scores[sets == number], documents[sets == number])
        variance += own.var(ddof=1) / len(own) / 4
    assert result.standard_error**2 == pytest.approx(variance, rel=1e-10)


def test_the_standard_error_is_that_of_resampling_within_the_sets(rng: np.random.Generator) -> None:
    """An independent route: the jackknife over examples within sets, and over seeds, of the mean over the sets."""
    d = np.subtract(*drawn(rng, *SIZES, seeds=20, gap=(0.4, -0.2, 0.0)))
    parts = [d[:, name == SETS] for name in ("here", "there", "elsewhere")]

    def gap(parts: list[np.ndarray]) -> float:
        return float(np.mean([part.mean() for part in parts]))

    over_examples = 0.0
    for k, part in enumerate(parts):
        n = part.shape[1]
        left = [gap([np.delete(p, i, axis=1) if j == k else p for j, p in enumerate(parts)]) for i in range(n)]
        over_examples += (n - 1) / n * np.sum((np.array(left) - np.mean(left)) ** 2)
    without = [gap([np.delete(part, s, axis=0) for part in parts]) for s in range(20)]
    over_seeds = 19 / 20 * np.sum((np.array(without) - np.mean(without)) ** 2)
    result = crossed_test(set_scores(d, SETS), np.zeros_like(d), paired=True, strata=set_strata(SETS))
    n = len(SETS)
    residual = result.components.residual / (20 * n)
    # The residual is in both: each of the two jackknives takes it up once.
    assert result.components.example / n + residual == pytest.approx(over_examples, rel=1e-9)
    assert result.components.seed / 20 + residual == pytest.approx(over_seeds, rel=1e-9)
    assert result.standard_error**2 == pytest.approx(over_seeds + over_examples - residual, rel=1e-9)


@pytest.mark.parametrize(("seeds", "sizes"), [(3, (40, 200)), (6, (100, 100, 100))])
def test_equal_procedures_are_rejected_as_often_as_alpha_says(seeds: int, sizes: tuple[int, ...]) -> None:
    """Sets of unlike size and difficulty, with gaps that cancel: each set has one, their mean has none."""
    rng = np.random.default_rng(seeds)
    names = np.repeat(range(len(sizes)), sizes)
    studies, rejected = 400, 0
    for _ in range(studies):
        y = drawn(rng, *sizes, seeds=seeds, gap=0.0)
        shift = np.repeat([0.1, -0.1, 0.0][: len(sizes)], sizes)
        rejected += over_sets(y[0] + shift, y[1], names).p_value < 0.05
    # Four standard errors above .05, with so many studies.
    assert rejected / studies < 0.05 + 4 * np.sqrt(0.05 * 0.95 / studies)


def test_a_small_set_keeps_its_few_degrees_of_freedom(rng: np.random.Generator) -> None:
    sizes = (10, 2000)
    y = drawn(rng, *sizes, seeds=8)
    sets = np.repeat([0, 1], sizes)
    assert over_sets(*y, sets).df < 25
    arms = [set_scores(arm, sets) for arm in y]
    assert crossed_test(*arms, paired=True).df > 25


def test_a_unit_of_two_sets_counts_for_the_smaller() -> None:
    assert set_strata([0, 0, 0, 1, 1], clusters=["a", "b", "c", "a", "d"]).tolist() == [1, 0, 0, 1]
    assert set_strata(["x", "y", "x", "y"]).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("scores", "sets", "clusters", "message"),
    [
        ([1.0, 0.0], [0, 1], None, "matrix of seeds x examples"),
        ([[1.0, 0.0, 1.0]], [0, 0], None, "the set of each example, got 2 for 3 examples"),
        ([[1.0, 0.0, 1.0]], [0, 0, 1], None, "two or more examples, got one in set number 2"),
        ([[1.0, 0.0, 1.0, 1.0]], [0, 0, 1, 1], ["a", "b", "c", "c"], "two or more clusters, got one in set number 2"),
        ([[1.0, 0.0, 1.0, 1.0]], [0, 0, 1, 1], ["a", "b"], "the cluster of each example, got 2 for 4 examples"),
        ([[1.0, 0.0, 1.0, 1.0]], [0, 0, None, 1], None, "missing label"),
    ],
)
def test_bad_input_is_named(scores: Any, sets: Any, clusters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        set_scores(scores, sets, clusters=clusters)
