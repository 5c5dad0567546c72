"""Every test of many splits at once says what the test of one split says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.mcnemar import mcnemar
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.over_seeds import paired_t
from analysis.methods.resamples import draw_counts, percentile_limits
from analysis.methods.variance import pooled_seed_spread
from answer.one_recipe.crossed import crossed, pooled
from answer.one_recipe.methods import ALPHA, METHODS, pooled_any, pooled_first
from answer.one_recipe.splits import RESAMPLES, Block, blocks
from calibration.regimes import Regime, draw_arms

N = 150
STRONG = Regime(name="strong, arms alike", seed_sd=0.03, by_example=0.0)
CLAIMS = {method.name: method.claims for method in METHODS}


@pytest.fixture(scope="module")
def right() -> NDArray[np.bool_]:
    return draw_arms(STRONG, 50, np.random.default_rng(1), gaps=(0.0,), n_examples=N)[-1]


def block_of(right: NDArray[np.bool_], n_seeds: int, *, n_methods: int = 2, splits: int = 40) -> Block:
    """The first splits that are drawn."""
    drawn = next(blocks(right, n_methods=n_methods, n_seeds=n_seeds, draws=500, rng=np.random.default_rng(2)))
    return Block(
        right=drawn.right, overlaps=drawn.overlaps, methods=drawn.methods[:splits], rng=np.random.default_rng(3)
    )


def scores(block: Block) -> list[list[NDArray[np.float64]]]:
    """By split, the scores of every "method"."""
    return [[block.right[runs] for runs in split] for split in block.methods]


@pytest.mark.parametrize("n_seeds", [3, 5, 8, 10])
@pytest.mark.parametrize("paired", [True, False])
def test_the_crossed_test_is_that_of_the_package(right: NDArray[np.bool_], n_seeds: int, paired: bool) -> None:
    block = block_of(right, n_seeds)
    one_by_one = [crossed_test(*arms, paired=paired) for arms in scores(block)]
    judged = crossed(block, paired=paired)
    assert judged.gap == pytest.approx([one.estimate for one in one_by_one])
    assert judged.standard_error == pytest.approx([one.standard_error for one in one_by_one])
    assert judged.df == pytest.approx([one.df for one in one_by_one])
    assert judged.p_value == pytest.approx([one.p_value for one in one_by_one])
    claims = CLAIMS["crossed t (paired)" if paired else "crossed t (unpaired)"](block)
    assert claims.tolist() == [one.p_value <= ALPHA for one in one_by_one]


@pytest.mark.parametrize(("n_seeds", "n_methods"), [(3, 3), (5, 3), (4, 5)])
def test_the_pooled_test_is_that_of_a_report(right: NDArray[np.bool_], n_seeds: int, n_methods: int) -> None:
    block = block_of(right, n_seeds, n_methods=n_methods, splits=60)
    margin = 0.01
    first, family = [], []
    for number, (*treatments, baseline) in enumerate(scores(block)):
        spread = pooled_seed_spread([*treatments, baseline])
        results = [crossed_test(one, baseline, paired=True, spread=spread) for one in treatments]
        assert [judged.p_value[number] for judged in pooled(block)] == pytest.approx([r.p_value for r in results])
        within = [tost(one.estimate, one.standard_error, one.df, margin=margin).p_value for one in results]
        assert [one.equivalence(margin)[number] for one in pooled(block)] == pytest.approx(within)
        first.append(results[0].p_value <= ALPHA)
        corrected = joint_step_down([one.p_value for one in results], within)
        family.append(min(corrected.difference) <= ALPHA)
    assert pooled_first(block).tolist() == first
    assert pooled_any(block, margin=margin).tolist() == family
    assert 0 < sum(first) < len(first)


@pytest.mark.parametrize("n_seeds", [3, 5, 9])
def test_tests_over_seeds_are_those_of_one_split(right: NDArray[np.bool_], n_seeds: int) -> None:
    block = block_of(right, n_seeds, splits=400)
    for split, paired, welch, rank_sum in zip(
        block.counts, *(CLAIMS[name](block) for name in ("paired t", "Welch's t", "Wilcoxon's rank sum")), strict=True
    ):
        assert paired == (paired_t(*split).p_value <= ALPHA)
        assert rank_sum == (stats.mannwhitneyu(*split).pvalue <= ALPHA)
        if split.var(axis=1).min() > 0:
            assert welch == (stats.ttest_ind(*split, equal_var=False).pvalue <= ALPHA)


def test_a_split_in_which_no_seed_varies_claims_nothing() -> None:
    right = np.tile(np.arange(20) < 15, (12, 1)).astype(float)
    methods = np.arange(12).reshape(2, 2, 3)
    block = Block(right=right, overlaps=right @ right.T, methods=methods, rng=np.random.default_rng(0))
    for method in METHODS:
        if method.takes(3):
            assert not method.claims(block).any()


def test_mcnemar_is_that_of_one_pair(right: NDArray[np.bool_]) -> None:
    block = block_of(right, 1, splits=300)
    one_by_one = [mcnemar(one[0], other[0]) for one, other in scores(block)]
    assert CLAIMS["McNemar's exact test"](block).tolist() == [one.p_exact <= ALPHA for one in one_by_one]
    assert CLAIMS["McNemar's mid-p"](block).tolist() == [one.p_mid <= ALPHA for one in one_by_one]
    assert 0 < sum(one.p_mid <= ALPHA for one in one_by_one) < 300


@pytest.mark.parametrize("n_seeds", [1, 5])
def test_the_bootstrap_resamples_examples_and_reads_percentiles(right: NDArray[np.bool_], n_seeds: int) -> None:
    block = block_of(right, n_seeds)
    claims = CLAIMS["bootstrap over examples"](block)
    times = draw_counts(np.random.default_rng(3), RESAMPLES, N)
    expected = []
    for treatment, baseline in scores(block):
        gaps = times @ (treatment.mean(axis=0) - baseline.mean(axis=0)) / N
        interval, p_value = percentile_limits(gaps, 0.95, 1e-12)
        assert (p_value <= ALPHA) == (not interval.low <= 1e-12 or not interval.high >= -1e-12)
        expected.append(p_value <= ALPHA)
    assert claims.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_the_multi_bootstrap_resamples_seeds_as_well(right: NDArray[np.bool_]) -> None:
    block = block_of(right, 4, splits=150)
    claims = CLAIMS["multi-bootstrap"](block)
    rng = np.random.default_rng(3)
    of_examples, of_seeds = draw_counts(rng, RESAMPLES, N), draw_counts(rng, RESAMPLES, 4)
    expected = []
    for treatment, baseline in scores(block):
        gaps = np.einsum("bs,si,bi->b", of_seeds, treatment - baseline, of_examples) / (4 * N)
        expected.append(percentile_limits(gaps, 0.95, 1e-12)[1] <= ALPHA)
    assert claims.tolist() == expected
    assert sum(expected) > 0
