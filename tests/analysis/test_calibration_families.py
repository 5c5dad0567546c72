"""Families of comparisons: both ways of simulating them agree with the analysis, and with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.multiplicity import joint_step_down
from calibration.counts import ClusteredCount, Count, Size
from calibration.every_count import every_count
from calibration.families import (
    FAMILY_SEEDS,
    FAMILY_SIZES,
    MARGIN,
    PROMISED,
    UNLIKE,
    Family,
    count_family,
    families,
    judged,
)
from calibration.normal import (
    MeanSquares,
    by_pair,
    difference_p,
    draw_mean_squares,
    equivalence_p,
    false_claims,
    pooled,
    variances,
)
from calibration.page import page
from calibration.promises import broken, promises
from calibration.regimes import Regime, draw_arms
from calibration.simulation import Calibration

MILD, STRONG = PROMISED[1], PROMISED[2]
SQUARES = ("seed", "example", "residual", "arm_seed", "arm_residual", "pooled_seed")


def measured(arms: NDArray[np.float64]) -> MeanSquares:
    """Mean squares of the scores of one study, shape (K + 1, S, N), by their textbook formulas."""
    _, S, N = arms.shape

    def squares(y: NDArray[np.float64]) -> tuple[float, float, float]:
        r, c, middle = y.mean(axis=1), y.mean(axis=0), y.mean()
        left = y - r[:, None] - c + middle
        return N * r.var(ddof=1), S * c.var(ddof=1), float((left**2).sum() / ((S - 1) * (N - 1)))

    pairs = np.array([squares(arm - arms[-1]) for arm in arms[:-1]])
    alone = np.array([squares(arm) for arm in arms])
    means = arms.mean(axis=2)
    left = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    return MeanSquares(
        n_seeds=S,
        n_examples=N,
        gap=(arms[:-1].mean(axis=(1, 2)) - arms[-1].mean())[None],
        seed=pairs[None, :, 0],
        example=pairs[None, :, 1],
        residual=pairs[None, :, 2],
        arm_seed=alone[None, :, 0],
        arm_residual=alone[None, :, 2],
        pooled_seed=np.array([2 * N * (left**2).sum() / ((len(arms) - 1) * (S - 1))]),
    )


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 20])
@pytest.mark.parametrize("treatments", [1, 2, 4])
def test_the_formulas_are_those_of_the_analysis(treatments: int, seeds: int) -> None:
    arms = draw_arms(MILD, seeds, np.random.default_rng(seeds), gaps=(0.03,) * treatments)
    squares = measured(np.array(arms, dtype=np.float64))
    for variance, fitted in (("pooled", pooled), ("by pair", by_pair)):
        fit = fitted(squares)
        results = judged(arms, variance)  # type: ignore[arg-type]
        assert fit.standard_error[0] == pytest.approx([one.standard_error for one in results], rel=1e-9)
        assert fit.df[0] == pytest.approx([one.df for one in results], rel=1e-9)
        p = np.array([one.p_value if abs(one.statistic) > 1.9 else 1.0 for one in results])
        assert difference_p(squares.gap, fit)[0] == pytest.approx(p, rel=1e-8)


@pytest.mark.parametrize("regime", [MILD, UNLIKE[0], UNLIKE[5]], ids=lambda regime: regime.name)
def test_mean_squares_drawn_from_their_laws_are_those_of_simulated_answers(regime: Regime) -> None:
    rng = np.random.default_rng(4)
    drawn = draw_mean_squares(regime, 4, rng, n_treatments=3, studies=20_000)
    simulated = [measured(np.array(draw_arms(regime, 4, rng, gaps=(0.0,) * 3), dtype=np.float64)) for _ in range(250)]
    for name in SQUARES:
        expected = getattr(drawn, name)
        found = np.concatenate([getattr(one, name) for one in simulated])
        error = found.std(axis=0) / np.sqrt(len(found))
        # Answers are right or wrong, so that a shift of the score is not quite one of accuracy.
        assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=0.06, abs=4 * error.max()), name


def test_mean_squares_drawn_from_their_laws_belong_together_as_sums_of_squares_do() -> None:
    """Without seed and example effects all are sums over normal numbers: the same numbers, added up by hand."""
    flat = Regime(name="flat", seed_sd=0.0, by_example=0.0)
    _, residual = variances(flat)
    rng = np.random.default_rng(7)
    drawn = draw_mean_squares(flat, 3, rng, n_treatments=2, studies=40_000)
    scores = np.sqrt(residual) * rng.standard_normal((2500, 3, 3, 40))
    by_hand = [measured(arms) for arms in scores]

    def together(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        return float(np.corrcoef(first, second)[0, 1])

    for name in SQUARES[:3]:
        columns = np.concatenate([getattr(one, name) for one in by_hand])
        # Two pairs share the baseline: a correlation of 1/4.
        assert together(*columns.T) == pytest.approx(0.25, abs=0.1)
        assert together(*getattr(drawn, name).T) == pytest.approx(0.25, abs=0.02)
    arm = np.concatenate([one.arm_residual for one in by_hand])
    pair = np.concatenate([one.residual for one in by_hand])
    assert together(drawn.arm_residual[:, 0], drawn.residual[:, 0]) == pytest.approx(
        together(arm[:, 0], pair[:, 0]), abs=0.06
    )
    scaled = drawn.residual[:, 0] / (2 * residual) * 2 * 871
    assert stats.kstest(scaled, stats.chi2(2 * 871).cdf).pvalue > 1e-4
    scaled = drawn.pooled_seed / (2 * residual) * 4
    assert stats.kstest(scaled, stats.chi2(4).cdf).pvalue > 1e-4


def test_false_claims_are_those_of_the_joint_step_down() -> None:
    rng = np.random.default_rng(8)
    gaps = np.array([0.0, 0.0, MARGIN, 0.01])
    difference, equivalence = rng.beta(0.3, 3, size=(2, 300, 4))
    wrong = false_claims(gaps, difference, equivalence, margin=MARGIN, alpha=0.05)
    for study in range(300):
        adjusted = joint_step_down(difference[study].tolist(), equivalence[study].tolist())
        claims = [p <= 0.05 for p in (*adjusted.difference[:2], adjusted.equivalence[2])]
        assert wrong[study] == any(claims)
    assert 0.1 < wrong.mean() < 0.9
    few = draw_mean_squares(MILD, 5, rng, n_treatments=2, studies=200)
    t = (MARGIN - np.abs(few.gap)) / pooled(few).standard_error
    p = stats.t.sf(t, pooled(few).df)
    near = t > 1.6
    assert equivalence_p(few.gap, pooled(few), margin=MARGIN)[near] == pytest.approx(p[near])


def test_comparisons_of_one_study_count_for_less_than_as_many_studies() -> None:
    rng = np.random.default_rng(9)
    happened = rng.random((2000, 1)) < 0.05
    one = ClusteredCount.of(happened)
    assert one.lower == pytest.approx(Count(hits=one.hits, studies=2000).lower, rel=1e-6)
    copied = ClusteredCount.of(np.repeat(happened, 8, axis=1))
    assert copied.rate == one.rate
    assert copied.lower == pytest.approx(one.lower, rel=1e-3)
    independent = ClusteredCount.of(rng.random((2000, 8)) < 0.05)
    assert independent.lower == pytest.approx(Count(hits=independent.hits, studies=16_000).lower, rel=0.03)
    assert ClusteredCount.of(np.zeros((10, 2), dtype=bool)).lower == 0
    assert np.isnan(ClusteredCount().lower)


def test_the_lower_limit_is_clopper_and_pearsons() -> None:
    # R: binom.test(140, 2000, alternative = "greater", conf.level = 0.999)$conf.int[1]
    assert Count(hits=140, studies=2000).lower == pytest.approx(0.05357740378, rel=1e-9)
    assert Count(hits=0, studies=2000).lower == 0


@pytest.mark.parametrize("seeds", [3, 5])
def test_both_ways_agree(seeds: int) -> None:
    family = Family(regime=STRONG, gaps=(0.0,) * 4, n_seeds=seeds, normal=False)
    answers = count_family(family, Size(studies=300), 1)
    normal = count_family(replace(family, normal=True), Size(normal=80_000), 1)
    for one, other in zip(answers, normal, strict=True):
        assert one.variance == other.variance
        for first, second in ((one.joint, other.joint), (one.uncorrected, other.uncorrected)):
            assert first.hits == pytest.approx(300 * second.rate, abs=4 * np.sqrt(300 * second.rate))
        assert one.joint.hits <= one.uncorrected.hits
    assert broken(promises(Calibration(size=Size(), families=(*answers, *normal)))) == []


@pytest.mark.parametrize("seeds", [3, 4, 5, 10])
@pytest.mark.parametrize("treatments", [2, 8])
def test_pooling_keeps_the_far_tail(treatments: int, seeds: int) -> None:
    family = Family(regime=STRONG, gaps=(0.0,) * treatments, n_seeds=seeds, normal=True)
    rows = count_family(family, Size(normal=100_000), 2)
    assert broken(promises(Calibration(size=Size(), families=tuple(rows)))) == []
    assert rows[0].uncorrected.rate > 1.4 * 0.05


def test_a_heavy_tail_and_false_claims_are_told() -> None:
    family = Family(regime=MILD, gaps=(0.0,) * 4, n_seeds=4, normal=True)
    row = count_family(family, Size(normal=4000), 3)[0]
    row.tail[0.00125] = ClusteredCount(hits=800, studies=100_000, per_study=4, squares=900)
    row.joint = Count(hits=6500, studies=100_000)
    bad = Calibration(size=Size(), families=(row,))
    assert broken(promises(bad)) == [
        "any false claim among several comparisons, after the joint step-down; mild seed effect, no gap, K = 4, "
        "4 seeds, normal theory: 0.065, promised at most 0.055",
        "a single comparison at .00125; mild seed effect, no gap, K = 4, 4 seeds, normal theory: 0.002, promised at "
        "most 0.00163",
    ]
    unlike = replace(row, family=replace(family, regime=UNLIKE[0]))
    assert broken(promises(Calibration(size=Size(), families=(unlike,)))) == []


@pytest.mark.parametrize("regime", [UNLIKE[1], UNLIKE[3], UNLIKE[5]], ids=lambda regime: regime.name)
def test_arms_unlike_over_seeds_are_known_failures_of_pooling(regime: Regime) -> None:
    assert not regime.promised
    rows = count_family(Family(regime=regime, gaps=(0.0,) * 4, n_seeds=5, normal=True), Size(normal=40_000), 4)
    by_variance = {row.variance: row for row in rows}
    assert by_variance["pooled"].first.rate > 0.09
    assert by_variance["by pair"].first.rate < 0.065


def test_pooling_finds_more() -> None:
    for regime, least in ((MILD, 1.2), (PROMISED[5], 2.5)):
        rows = count_family(Family(regime=regime, gaps=(0.03,) * 4, n_seeds=3, normal=True), Size(normal=40_000), 5)
        by_variance = {row.variance: row.found.rate for row in rows}
        assert by_variance["pooled"] > least * by_variance["by pair"]


def test_every_family_is_counted_and_shown() -> None:
    every = families()
    of_nothing = {(one.regime.name, one.size, one.n_seeds) for one in every if one.normal and one.kind == "no gap"}
    assert {(regime.name, size, seeds) for regime in PROMISED for size in FAMILY_SIZES for seeds in FAMILY_SEEDS} <= (
        of_nothing
    )
    assert {"gaps of the margin", "half of each", "gaps to find"} <= {one.kind for one in every}
    assert len(set(every)) == len(every)
    shown = [one for one in every if one.n_seeds == 3 and one.size in (1, 4) and one.normal]
    rows = tuple(row for family in shown for row in count_family(family, Size(normal=2000), 6))
    result = Calibration(size=Size(normal=2000), families=rows)
    text = page(result, command="nox -s calibration", minutes=1.0)
    for words in ("| mild seed effect | 4 |", "| treatments share luck, .8 | first comparison |", "half of each"):
        assert words in text
    assert len(every_count(result).splitlines()) == 1 + len(rows)
