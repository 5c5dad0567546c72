"""Rejection rates when nothing is different: counts over simulated studies, with binomial bounds.

A run is right on an example when a normal score passes a threshold. The score is made of the example, of what
the arm makes of the example, of the run's seed, and of what is left; the seed's share is set so that a run's
accuracy of 0.88 varies by the named standard deviation. Methods that are known to fail run on the same
studies: a simulation in which nothing fails would prove nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_design import has_plain_df
from analysis.methods.mcnemar import mcnemar

N = 872
THRESHOLD = float(special.ndtri(0.88))
# Density of the score at the threshold: turns a small shift of the score into one of accuracy.
SLOPE = float(np.exp(-(THRESHOLD**2) / 2) / np.sqrt(2 * np.pi))
ARM_BY_EXAMPLE, LEFT_OVER = 0.06, 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejections:
    studies: int
    crossed: int
    other_design: int
    paired_t: int
    mcnemar_one_run: int


def draw(
    rng: np.random.Generator, S: int, seed_sd: float, correlation: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    shift = seed_sd / SLOPE
    g = rng.standard_normal((2, S))
    g[1] = correlation * g[0] + np.sqrt(1 - correlation**2) * g[1]
    score = rng.standard_normal(N, dtype=np.float32) * np.sqrt(1 - ARM_BY_EXAMPLE - LEFT_OVER)
    score = score + np.sqrt(ARM_BY_EXAMPLE) * rng.standard_normal((2, 1, N), dtype=np.float32)
    score = score + np.sqrt(LEFT_OVER) * rng.standard_normal((2, S, N), dtype=np.float32)
    right = score + (shift * g)[:, :, None] > -THRESHOLD * np.sqrt(1 + shift**2)
    return right[0], right[1]


def simulate(S: int, seed_sd: float, *, studies: int, seed: int, correlation: float = 0.0) -> Rejections:
    rng = np.random.default_rng(seed)
    crossed = other = paired_t = one_run = 0
    for _ in range(studies):
        y_t, y_b = draw(rng, S, seed_sd, correlation)
        result = crossed_test(y_t, y_b, paired=True)
        crossed += result.p_value <= 0.05
        other += result.other_p_value <= 0.05
        d = y_t.mean(axis=1) - y_b.mean(axis=1)
        paired_t += bool(abs(d.mean()) > special.stdtrit(S - 1, 0.975) * d.std(ddof=1) / np.sqrt(S))
        one_run += mcnemar(y_t[0], y_b[0]).p_mid <= 0.05
    return Rejections(studies=studies, crossed=crossed, other_design=other, paired_t=paired_t, mcnemar_one_run=one_run)


def at_most(rate: float, studies: int) -> int:
    return int(stats.binom.ppf(1 - 1e-4, studies, rate))


def at_least(rate: float, studies: int) -> int:
    return int(stats.binom.ppf(1e-4, studies, rate))


@pytest.mark.parametrize(
    ("S", "seed_sd", "lowest", "highest"),
    # Sizes from an independent simulation of the same regimes: .03, .04, .034, .043, .043, .053, .038.
    [
        (3, 0.0, 0.015, 0.05),
        (20, 0.0, 0.03, 0.055),
        (3, 0.008, 0.02, 0.05),
        (5, 0.008, 0.03, 0.055),
        (3, 0.018, 0.03, 0.055),
        (10, 0.018, 0.035, 0.06),
        (3, 0.04, 0.025, 0.055),
    ],
)
def test_the_crossed_test_keeps_its_level(S: int, seed_sd: float, lowest: float, highest: float) -> None:
    studies = 1200
    counts = simulate(S, seed_sd, studies=studies, seed=S * 1000 + round(seed_sd * 1000))
    assert at_least(lowest, studies) <= counts.crossed <= at_most(highest, studies)


def test_seeds_alone_or_examples_alone_do_not_keep_it() -> None:
    examples_matter = simulate(20, 0.0, studies=300, seed=1)
    assert examples_matter.paired_t >= at_least(0.4, 300)
    seeds_matter = simulate(3, 0.018, studies=600, seed=2)
    assert seeds_matter.mcnemar_one_run >= at_least(0.4, 600)


def test_two_seeds_keep_the_level() -> None:
    counts = simulate(2, 0.018, studies=1200, seed=3)
    assert at_least(0.02, 1200) <= counts.crossed <= at_most(0.055, 1200)


@pytest.mark.parametrize(("S_t", "S_b"), [(3, 20), (10, 2)])
def test_unequal_numbers_of_seeds_keep_the_level_that_plain_degrees_of_freedom_break(S_t: int, S_b: int) -> None:
    """Normal scores whose seeds vary about as much as a mean over examples does: there a lucky seed errs most."""
    rng, n, studies = np.random.default_rng(S_t), 50, 4000
    rejected = strictly = plainly = plainly_strictly = 0
    for _ in range(studies):
        arms = [
            3 * rng.standard_normal(n) + 2 * rng.standard_normal((S, 1)) + 0.5 * rng.standard_normal((S, n))
            for S in (S_t, S_b)
        ]
        result = crossed_test(*arms, paired=False)
        rejected += result.p_value <= 0.05
        strictly += result.p_value <= 0.00625
        # Satterthwaite's degrees of freedom as they are written down.
        variances = [y.mean(axis=1).var(ddof=1) / len(y) for y in arms]
        by_example = (arms[0].mean(axis=0) - arms[1].mean(axis=0)).var(ddof=1) / n
        spread = sum(v**2 / (len(y) - 1) for v, y in zip(variances, arms, strict=True)) + by_example**2 / (n - 1)
        plain = 2 * special.stdtr((sum(variances) + by_example) ** 2 / spread, -abs(result.statistic))
        plainly += plain <= 0.05
        plainly_strictly += plain <= 0.00625
    assert rejected <= at_most(0.055, studies)
    assert strictly <= at_most(0.012, studies)
    assert plainly_strictly > at_most(0.012, studies)
    assert plainly > rejected


def test_the_far_tail_of_seeds_that_are_not_paired_holds_where_plain_degrees_of_freedom_break_it() -> None:
    """Mean squares drawn from their laws, and the test written down once more: studies enough for a level of .00125."""
    rng, S, studies, level = np.random.default_rng(9), 4, 400_000, 0.00125
    seed, example, residual = 0.018**2, 0.01, 0.03
    squares = (N * seed + residual) * rng.chisquare(S - 1, (2, studies)) / (S - 1)
    by_example = (2 * example + 2 * residual / S) * rng.chisquare(N - 1, studies) / (N - 1)
    gap = math.sqrt(2 * (seed + residual / N) / S + 2 * example / N) * rng.standard_normal(studies)
    arms = np.maximum(squares, residual) / (S * N)
    examples = np.maximum(by_example - 2 * residual / S, 0) / N

    def claims(c: float) -> int:
        spread = c**2 * np.sum(arms**2, axis=0) / (S - 1) + (by_example / N) ** 2 / (N - 1)
        df = (c * arms.sum(axis=0) + examples) ** 2 / spread
        t = np.abs(gap) / np.sqrt(arms.sum(axis=0) + examples)
        return int(np.count_nonzero(2 * special.stdtr(df, -t) <= level))

    assert not has_plain_df("B", n_seeds=S)
    assert claims(1 + (3.5 / (2 * (S - 1))) ** 2) <= at_most(1.3 * level, studies)
    assert claims(1.0) > at_most(1.3 * level, studies)


def test_shared_seeds_make_the_other_design_conservative() -> None:
    counts = simulate(5, 0.018, studies=1200, seed=4, correlation=0.5)
    assert at_least(0.03, 1200) <= counts.crossed <= at_most(0.055, 1200)
    assert counts.other_design <= at_most(0.02, 1200)


def test_a_real_gap_is_found() -> None:
    rng = np.random.default_rng(5)
    count = 0
    for _ in range(200):
        y_t, y_b = draw(rng, 10, 0.008)
        # The treatment puts right three in a hundred of all examples that it had wrong.
        y_t = y_t | (rng.random(N) < 0.25)
        count += crossed_test(y_t, y_b, paired=True).p_value <= 0.05
    assert count >= at_least(0.7, 200)


def test_a_fragile_arm_is_a_known_failure() -> None:
    """Runs that collapse now and then, with equal true means: no test survives it, and verdicts say so."""
    rng = np.random.default_rng(6)
    rejected = against_the_sound_arm = 0
    for _ in range(600):
        collapsed = rng.random((5, 1)) < 0.1
        sound = rng.random((5, N)) < 0.88
        fragile = rng.random((5, N)) < np.where(collapsed, 0.5, (0.88 - 0.1 * 0.5) / 0.9)
        result = crossed_test(fragile, sound, paired=True)
        rejected += result.p_value <= 0.05
        against_the_sound_arm += result.p_value <= 0.05 and result.estimate > 0
    assert rejected >= at_least(0.15, 600)
    assert against_the_sound_arm >= 0.9 * rejected
