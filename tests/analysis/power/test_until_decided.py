"""Studies that run until decided, simulated: against quadrature, against the calibration's own route, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from analysis.methods.components import VarianceComponents
from analysis.methods.interval import NO_INTERVAL
from analysis.methods.multiplicity import joint_step_down
from analysis.power.new_study import PlannedTest
from analysis.power.predictive import predictive_power
from analysis.power.sizes import equivalence_power_at, power_at
from analysis.power.until_decided import DrawnStudies, _claims, draw_studies, outlook
from calibration import normal_looks
from calibration.families import ALPHA, PROMISED
from calibration.normal import variances
from calibration.regimes import N_EXAMPLES
from calibration.until_decided import judged_by_the_analysis

STRONG = PROMISED[2]
LOOKS = (6, 9, 12, 15, 20)
HOPELESS = 0.05


def components() -> VarianceComponents:
    """What a strong seed effect amounts to between two arms."""
    example, residual = variances(STRONG)
    return VarianceComponents(
        seed=2 * STRONG.seed_sd**2,
        example=2 * example,
        residual=2 * residual,
        n_seeds=0,
        n_examples=N_EXAMPLES,
        seed_df=0,
        seed_sd_interval=NO_INTERVAL,
    )


def drawn(size: int, rng: np.random.Generator, *, studies: int) -> DrawnStudies:
    pairs = [(k, size) for k in range(size)]
    return draw_studies(components(), pairs, n_seeds=20, n_examples=N_EXAMPLES, studies=studies, rng=rng)


def how(size: int, **changes: Any) -> dict[str, Any]:
    return {
        "gap": 0.0,
        "margin": 0.01,
        "alpha": ALPHA,
        "test": PlannedTest(n_arms=size + 1),
        "hopeless": HOPELESS,
    } | changes


@pytest.mark.parametrize("n_seeds", [5, 20])
def test_one_look_at_two_arms_has_the_power_of_the_quadrature(n_seeds: int, rng: np.random.Generator) -> None:
    studies = drawn(1, rng, studies=20_000)
    size = {"n_seeds": n_seeds, "n_examples": N_EXAMPLES, "alpha": ALPHA}
    for gap, margin in ((0.03, 0.01), (0.0, 0.04)):
        expected = (
            power_at(components(), gap, **size)
            if gap
            else equivalence_power_at(components(), 0.0, margin=margin, **size)
        )
        found = outlook(studies, (n_seeds,), **how(1, gap=gap, margin=margin))
        assert found.shown == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 20_000))
        assert found.trials == 2 * n_seeds


@pytest.mark.parametrize(("size", "gap"), [(1, 0.022), (3, 0.025), (7, 0.028)])
def test_the_loop_comes_to_what_the_calibration_counts(size: int, gap: float, rng: np.random.Generator) -> None:
    n = 2000 // size
    mine = drawn(size, rng, studies=n)
    for true_gap, margin in ((gap, gap / 2), (0.0, 1.5 * gap)):
        theirs = normal_looks.draw_studies(STRONG, 20, rng, gaps=(true_gap,) * size, studies=n)
        counted = normal_looks.until_decided(theirs, LOOKS, margin=margin, alpha=ALPHA, hopeless=HOPELESS)
        claimed = counted.difference & counted.better if true_gap else counted.equivalence
        found = outlook(mine, LOOKS, **how(size, gap=true_gap, margin=margin))
        assert found.shown == pytest.approx(claimed.mean(), abs=4 * math.sqrt(2 * 0.2 / n))
        spread = counted.trials.std() * math.sqrt(2 / n)
        assert found.trials == pytest.approx(counted.trials.mean(), abs=4 * spread)


def test_it_trains_and_claims_what_a_report_does_with_the_same_studies(rng: np.random.Generator) -> None:
    """Each study alone: scores are made that have its means and mean squares, and the analysis judges them."""
    gap, n_studies, N = 0.03, 8, N_EXAMPLES
    studies = drawn(3, rng, studies=n_studies)
    parts = studies.components
    by_example = rng.normal(0, math.sqrt(parts.example / 2), (n_studies, 4, 1, N))
    left_over = rng.normal(0, math.sqrt(parts.residual / 2), (n_studies, 4, 20, N))
    around = by_example - by_example.mean(axis=-1, keepdims=True) + left_over - left_over.mean(axis=-1, keepdims=True)
    means = studies.seed_means.swapaxes(1, 2) + studies.example_means[:, :, None] + [[gap], [gap], [gap], [0.0]]
    scores = means[..., None] + around
    squares = 20 * (scores[:, :-1].mean(axis=2) - scores[:, -1:].mean(axis=2)).var(axis=-1, ddof=1)
    trials = []
    for number in range(n_studies):
        one = slice(number, number + 1)
        alone = DrawnStudies(
            components=parts,
            n_examples=N,
            pairs=studies.pairs,
            seed_means=studies.seed_means[one],
            example_means=studies.example_means[one],
            example_squares=squares[one] / (20 * parts.example + parts.residual),
        )
        found = outlook(alone, LOOKS, **how(3, gap=gap))
        _, looked = judged_by_the_analysis(list(scores[number]), LOOKS, margin=0.01)
        shown = np.mean([differs and better for differs, better in zip(looked.difference, looked.better, strict=True)])
        assert (found.shown, found.trials) == (shown, looked.trials)
        trials.append(found.trials)
    assert len(set(trials)) > 2


def test_giving_up_saves_trials_and_finds_no_more(rng: np.random.Generator) -> None:
    studies = drawn(1, rng, studies=1000)
    never, soon = (outlook(studies, LOOKS, **how(1, gap=0.015, hopeless=hopeless)) for hopeless in (0.0, 0.3))
    assert soon.trials < never.trials
    assert soon.shown <= never.shown


def test_arms_judged_by_pair_and_comparisons_among_treatments(rng: np.random.Generator) -> None:
    pairs = [(0, 2), (1, 2), (0, 1)]
    studies = draw_studies(components(), pairs, n_seeds=8, n_examples=N_EXAMPLES, studies=1000, rng=rng)
    pooled, by_pair = (
        outlook(studies, (4, 8), **how(2, gap=0.03, test=PlannedTest(n_arms=n_arms))) for n_arms in (3, 2)
    )
    assert by_pair.shown < pooled.shown
    assert 12 < pooled.trials < 24


def test_claims_are_those_of_the_joint_step_down(rng: np.random.Generator) -> None:
    K = 4
    for _ in range(200):
        p = rng.uniform(0, 0.08, (2, K)) ** rng.uniform(0.8, 1.5)
        adjusted = joint_step_down(*p.tolist())
        # By how many comparisons alpha may be shared: p is at most alpha / that many.
        strict = [np.minimum(np.floor(ALPHA / row), K).astype(np.int64)[None] for row in p]
        claims = _claims(*strict)
        for mine, theirs in zip(claims, (adjusted.difference, adjusted.equivalence), strict=True):
            assert mine[0].tolist() == [one <= ALPHA for one in theirs]


def test_where_no_seed_moves_the_estimate_it_stays(rng: np.random.Generator) -> None:
    chances = predictive_power(
        np.array([0.05, 0.001]),
        by_seed=0.0,
        by_example=1e-4,
        seed_df=7,
        df=50.0,
        n_seeds=8,
        last=20,
        levels=(0.05, 0.05),
        margin=0.01,
    )
    assert chances.tolist() == [1.0, 0.0]
    nothing = predictive_power(
        0.0, by_seed=0.0, by_example=0.0, seed_df=7, df=50.0, n_seeds=8, last=20, levels=(0.05, 0.05), margin=0.01
    )
    assert np.isnan(nothing)
