"""Findings: everything that the page says about one recipe, computed once."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.published.claims_file import read_claims
from analysis.study.analysis_block import parse_plan
from answer.one_recipe.methods import METHODS
from answer.one_recipe.pool import Pool
from answer.one_recipe.rates import (
    DRAWS,
    SMALL_N_SEEDS,
    SMALL_TEST_SET,
    Cell,
    Rate,
    count_pooled,
    count_two,
    sizes,
    streams,
)
from answer.one_recipe.seeds import (
    GapsOfTwo,
    QuantilePlot,
    SeedDistribution,
    at_least,
    gaps_of_two,
    quantile_plot,
    seed_distribution,
)
from answer.one_recipe.variance import Split, regime_like, simulated_pools, split, split_of
from calibration.regimes import REGIMES

SIMULATED_POOLS, SIMULATED_DRAWS = 20, 1000
HABITUAL = 5
"""The number of seeds at which tests are shown where a figure or a table has room for one."""

BESIDE_SIMULATED = (
    ("McNemar's exact test", 1),
    ("paired t", HABITUAL),
    ("multi-bootstrap", HABITUAL),
    ("crossed t (paired)", HABITUAL),
)
"""The tests, with their numbers of seeds, that are counted on simulated recipes too."""

_COMPARED = (
    "arms alike on every example",
    "no seed effect",
    "strong seed effect",
    "very strong seed effect",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedGap:
    """A gap that somebody published of one run each.

    Parameters
    ----------
    words : str
        What the report says of it.
    gap : float
        As a share, without its sign.
    examples : int
        What it is in examples of this test set.
    rate : Rate
        The share of pairs of runs of the one recipe that end up at least so far apart.
    """

    words: str
    gap: float
    examples: int
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One simulated recipe beside the real one.

    Parameters
    ----------
    name : str
    split : Split
    claims : dict of (str, int) to float
        Share of false claims, by test and number of seeds.
    """

    name: str
    split: Split
    claims: dict[tuple[str, int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What many seeds of one recipe show.

    Parameters
    ----------
    pool : Pool
    draws : int
        Splits for each number of seeds.
    margin : float
        Of equivalence in the study's plan, as a share.
    two, small, pooled : tuple of Cell
        False claims about two "methods", the same on fewer examples, and of the pooled test.
    seeds : SeedDistribution
    quantiles : QuantilePlot
    gaps : GapsOfTwo
    published : tuple of PublishedGap
    real : Split
    simulated : tuple of Simulated
        The regimes of docs/calibration.md, and last one that is as measured.
    """

    pool: Pool
    draws: int
    margin: float
    two: tuple[Cell, ...]
    small: tuple[Cell, ...]
    pooled: tuple[Cell, ...]
    seeds: SeedDistribution
    quantiles: QuantilePlot
    gaps: GapsOfTwo
    published: tuple[PublishedGap, ...]
    real: Split
    simulated: tuple[Simulated, ...]

    def rate(self, method: str, n_seeds: int) -> Rate:
        """Return how often a test of two "methods" claims a gap, on all examples."""
        return rate_in(self.two, method, n_seeds)


def rate_in(cells: Sequence[Cell], method: str, n_seeds: int) -> Rate:
    """Return one rate; a KeyError where the test was not counted at so many seeds."""
    for cell in cells:
        if (cell.method, cell.n_seeds) == (method, n_seeds):
            return cell.rate
    raise KeyError((method, n_seeds))


def find(pool: Pool, *, claims: Sequence[Path], calibration: Path, draws: int = DRAWS) -> Findings:
    """Compute everything.

    Parameters
    ----------
    pool : Pool
    claims : sequence of Path
        Claims files with published gaps.
    calibration : Path
        docs/calibration.csv.
    draws : int
        Splits for each number of seeds.

    Raises
    ------
    AnalysisError
        If a claims file or the study's plan cannot be read.
    """
    two, small, pooled, normality, band, like = streams(6)
    P, N = pool.right.shape
    plan = parse_plan(pool.manifest.analysis, arms=list(pool.manifest.arms))
    real = split(pool.right)
    return Findings(
        pool=pool,
        draws=draws,
        margin=plan.margin,
        two=tuple(count_two(pool.right, two, n_seeds=sizes(P), draws=draws)),
        small=tuple(
            count_two(pool.right, small, n_seeds=sizes(P, SMALL_N_SEEDS), n_examples=SMALL_TEST_SET, draws=draws)
        )
        if N > SMALL_TEST_SET
        else (),
        pooled=tuple(count_pooled(pool.right, pooled, margin=plan.margin, draws=draws)),
        seeds=seed_distribution(pool, normality),
        quantiles=quantile_plot(pool.counts, band),
        gaps=gaps_of_two(pool.counts, N),
        published=tuple(_published(claims, pool)),
        real=real,
        simulated=(*_regimes(calibration), _as_measured(real, pool, like)),
    )


def _published(files: Sequence[Path], pool: Pool) -> list[PublishedGap]:
    """Return the gaps that reports put in words, from the largest to the smallest."""
    found = []
    for file in files:
        for report in read_claims(file).reports:
            for pair in report.pairs:
                one, other = (report.systems[name].accuracy for name in pair.sides)
                if pair.words is None or one is None or other is None:
                    continue
                gap = abs(float(one.value - other.value))
                examples = round(gap * pool.n_examples)
                found.append(
                    PublishedGap(words=pair.words, gap=gap, examples=examples, rate=at_least(pool.counts, examples))
                )
    return sorted(found, key=lambda one: -one.gap)


def _regimes(calibration: Path) -> list[Simulated]:
    # A test of one run is counted there at the number of seeds at which studies are drawn for it.
    asked = {method.in_calibration: (method.name, 1 if not method.several else HABITUAL) for method in METHODS}
    claims: dict[str, dict[tuple[str, int], float]] = {name: {} for name in _COMPARED}
    with calibration.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["part"], row["seeds"]) != ("two arms", str(HABITUAL)) or row["regime"] not in claims:
                continue
            if row["judged by"] in asked:
                hits, studies = map(int, row["at .05"].split("/"))
                claims[row["regime"]][asked[row["judged by"]]] = hits / studies
    by_name = {regime.name: regime for regime in REGIMES}
    return [Simulated(name=name, split=split_of(by_name[name]), claims=claims[name]) for name in _COMPARED]


def _as_measured(real: Split, pool: Pool, rng: np.random.Generator) -> Simulated:
    regime = regime_like(real)
    names = {name for name, _ in BESIDE_SIMULATED}
    methods = [method for method in METHODS if method.name in names]
    pools = simulated_pools(regime, rng, n_seeds=pool.n_seeds, n_examples=pool.n_examples, count=SIMULATED_POOLS)
    shares: dict[tuple[str, int], list[float]] = {}
    for right in pools:
        for cell in count_two(right, rng, n_seeds=(1, HABITUAL), draws=SIMULATED_DRAWS, methods=methods):
            shares.setdefault((cell.method, cell.n_seeds), []).append(cell.rate.share)
    return Simulated(
        name=regime.name,
        split=split_of(regime),
        claims={place: float(np.mean(values)) for place, values in shares.items()},
    )
