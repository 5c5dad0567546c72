"""The chance of a decision by the last look, against studies that are continued."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.equivalence import tost
from analysis.methods.looks import one_sided_thresholds, thresholds
from analysis.study.futility import chance_of_decision
from analysis.study.looks import Look

LOOKS = (8, 20)
N = 60


def look(number: int = 1) -> Look:
    return Look(looks=LOOKS, number=number, seeds=tuple(range(8)), waiting="", threshold=math.nan, left={})


def result_of(gap: float, rng: np.random.Generator) -> CrossedResult:
    seeds = 8
    by_seed = rng.normal(0, 0.02, (seeds, 1))
    rows = by_seed + rng.normal(0, 0.3, (1, N)) * 0.5 + rng.normal(0, 0.1, (seeds, N))
    return crossed_test(rows - rows.mean() + gap, np.zeros((seeds, N)) + rng.normal(0, 1e-3, (seeds, N)), paired=True)


@pytest.mark.parametrize(("gap", "margin"), [(0.0, 0.01), (0.0, 0.08), (0.04, 0.01), (0.1, 0.01)])
def test_it_is_how_often_continued_studies_are_decided(gap: float, margin: float, rng: np.random.Generator) -> None:
    result = result_of(gap, rng)
    chance = chance_of_decision(result, look(), alpha=0.05, margin=margin)
    parts = result.components
    variance = parts.seed + parts.residual / N
    # What the first seeds say of the true gap on these examples, and what twelve more make of it.
    t = rng.standard_t(parts.seed_df, 40_000)
    final = result.estimate + t * math.sqrt(variance * (1 / 8 - 1 / 20))
    error = math.sqrt(variance / 20 + parts.example / N)
    df = max(result.df * 20 / 8, 1.0)
    p = 2 * stats.t.sf(np.abs(final) / error, df)
    q = np.array([tost(one, error, df, margin=margin).p_value for one in final[:2000]])
    decided = (p[:2000] <= thresholds(LOOKS, alpha=0.05)[-1]) | (q <= one_sided_thresholds(LOOKS, alpha=0.05)[-1])
    assert chance == pytest.approx(decided.mean(), abs=4 * math.sqrt(0.25 / 2000))


def test_a_gap_far_from_0_is_nearly_sure_and_an_odd_one_is_not(rng: np.random.Generator) -> None:
    assert chance_of_decision(result_of(0.5, rng), look(), alpha=0.05, margin=0.01) > 0.99
    assert chance_of_decision(result_of(0.0, rng), look(), alpha=0.05, margin=0.01) < 0.05


def test_a_margin_that_holds_every_estimate_is_sure(rng: np.random.Generator) -> None:
    assert chance_of_decision(result_of(0.0, rng), look(), alpha=0.05, margin=0.9) == 1.0


def test_without_variation_there_is_nothing_to_compute_it_from() -> None:
    same = crossed_test(np.ones((8, 5)), np.ones((8, 5)), paired=True)
    assert math.isnan(chance_of_decision(same, look(), alpha=0.05, margin=0.01))
