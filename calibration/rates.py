"""Counts over simulated studies: rejections where nothing is different, coverage, and power."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.methods.clopper_pearson import clopper_pearson
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.looks import thresholds
from analysis.methods.multiplicity import joint_step_down
from calibration.methods import LEVELS, METHODS, Method
from calibration.regimes import REGIMES, Regime, draw, draw_arms

SEED = 20261122
"""All draws follow from this number, the regime and the number of seeds."""

GAP = 0.02
"""The true gap of the studies in which there is one: 2 percentage points of accuracy."""

SEEDS = (2, 3, 5, 10, 20)
LOOKS = (4, 8, 12, 20)
MARGIN = 0.02

CONFIDENCE = 0.999
"""A rate breaks its promise only where the whole one-sided interval at this confidence lies above it."""


@dataclass(slots=True)
class Count:
    """How often something happened among the studies in which it could."""

    hits: int = 0
    studies: int = 0

    def add(self, hit: bool) -> None:
        """Count one study."""
        self.hits += hit
        self.studies += 1

    @property
    def rate(self) -> float:
        """The share; NaN without a study."""
        return self.hits / self.studies if self.studies else math.nan

    @property
    def lower(self) -> float:
        """The lower limit of the rate (Clopper and Pearson 1934), one-sided at `CONFIDENCE`."""
        return clopper_pearson(self.hits, self.studies, tail=1 - CONFIDENCE).low


@dataclass(slots=True, kw_only=True)
class Rates:
    """What one method did in one regime at one number of seeds.

    Parameters
    ----------
    regime, method : str
        Their names.
    population : str
        What the method generalises to.
    n_seeds : int
        Runs of each arm.
    rejected : mapping of float to Count
        Rejections by level where nothing is different.
    covered : Count
        Intervals at 95% that hold the true gap.
    detected : Count
        Rejections at .05 where there is a gap.
    """

    regime: str
    method: str
    population: str
    n_seeds: int
    rejected: dict[float, Count] = field(default_factory=lambda: {level: Count() for level in LEVELS})
    covered: Count = field(default_factory=Count)
    detected: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated: studies of a regime and number of seeds, and studies for methods that resample."""

    studies: int = 2000
    resampled: int = 400


def streams(*key: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return two generators that follow from a key: one draws studies, the other what is resampled from them."""
    studies, resamples = np.random.SeedSequence(SEED, spawn_key=key).spawn(2)
    return np.random.default_rng(studies), np.random.default_rng(resamples)


def count_regime(regime: Regime, n_seeds: int, size: Size, methods: Sequence[Method] = METHODS) -> list[Rates]:
    """Count every method in one regime at one number of seeds.

    Parameters
    ----------
    regime : Regime
        One of `REGIMES`.
    n_seeds : int
        Runs of each arm.
    size : Size
    methods : sequence of Method
    """
    rng, resample_rng = streams(REGIMES.index(regime), n_seeds)
    usable = [method for method in methods if len(regime.class_shares) == 2 or not method.two_classes]
    rows = [
        Rates(regime=regime.name, method=method.name, population=method.population, n_seeds=n_seeds)
        for method in usable
    ]
    for number in range(size.studies):
        alike, different = draw(regime, n_seeds, rng, gap=GAP)
        for method, row in zip(usable, rows, strict=True):
            if method.resampling and number >= size.resampled:
                continue
            null, real = method.answer(alike, resample_rng), method.answer(different, resample_rng)
            for level in LEVELS:
                if not math.isnan(null.p_value):
                    row.rejected[level].add(null.p_value <= level)
            if not math.isnan(real.p_value):
                row.detected.add(real.p_value <= LEVELS[0])
            low, high = real.interval
            if not math.isnan(low):
                row.covered.add(low <= GAP <= high)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRates:
    """How often a study of several comparisons makes any false claim.

    Parameters
    ----------
    gaps : str
        The true gaps in accuracy, in words.
    n_seeds : int
        Runs of each arm.
    joint : Count
        Any false claim after the joint step-down.
    uncorrected : Count
        The same without a correction.
    """

    gaps: str
    n_seeds: int
    joint: Count
    uncorrected: Count


FAMILIES: dict[str, tuple[float, ...]] = {
    "four of 0": (0.0, 0.0, 0.0, 0.0),
    "four of the margin": (MARGIN, MARGIN, MARGIN, MARGIN),
    "two of 0, two of the margin": (0.0, 0.0, MARGIN, MARGIN),
    "eight of 0": (0.0,) * 8,
}


def count_family(name: str, n_seeds: int, size: Size) -> FamilyRates:
    """Count false claims, of a gap or of equivalence, in a family of comparisons with one baseline."""
    gaps = FAMILIES[name]
    rng, _ = streams(1000 + list(FAMILIES).index(name), n_seeds)
    joint, uncorrected = Count(), Count()
    for _ in range(size.studies):
        treatments, baseline = draw_arms(REGIMES[1], n_seeds, rng, gaps=gaps)
        results = [crossed_test(right, baseline, paired=True) for right in treatments]
        difference = [result.p_value for result in results]
        same = [tost(one.estimate, one.standard_error, one.df, margin=MARGIN).p_value for one in results]
        adjusted = joint_step_down(difference, same)
        joint.add(_false_claim(gaps, adjusted.difference, adjusted.equivalence))
        uncorrected.add(_false_claim(gaps, difference, same))
    return FamilyRates(gaps=name, n_seeds=n_seeds, joint=joint, uncorrected=uncorrected)


def _false_claim(gaps: Sequence[float], difference: Sequence[float], same: Sequence[float]) -> bool:
    return any(
        (gap == 0 and differs <= LEVELS[0]) or (abs(gap) >= MARGIN and equal <= LEVELS[0])
        for gap, differs, equal in zip(gaps, difference, same, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRates:
    """What a study does that is looked at while it grows.

    Parameters
    ----------
    regime : str
        Its name.
    declared, undeclared : Count
        Rejections where nothing is different: by the spending at the declared looks, and by the raw p at any of them.
    at_the_end : Count
        Rejections where nothing is different, looking once.
    detected, detected_at_the_end : Count
        Rejections where there is a gap, at the declared looks and looking once.
    seeds : float
        Mean number of seeds at which the study with a gap stops.
    """

    regime: str
    declared: Count
    undeclared: Count
    at_the_end: Count
    detected: Count
    detected_at_the_end: Count
    seeds: float


def count_looks(regime: Regime, size: Size) -> LookRates:
    """Count rejections of a study with looks at `LOOKS`."""
    rng, _ = streams(2000 + REGIMES.index(regime))
    declared, undeclared, at_the_end, detected, detected_at_the_end = (Count() for _ in range(5))
    stops = []
    for _ in range(size.studies):
        alike, different = draw(regime, LOOKS[-1], rng, gap=GAP)
        null, real = _p_by_look(alike.right), _p_by_look(different.right)
        declared.add(_stop(null) is not None)
        undeclared.add(min(null) <= LEVELS[0])
        at_the_end.add(null[-1] <= LEVELS[0])
        stop = _stop(real)
        detected.add(stop is not None)
        detected_at_the_end.add(real[-1] <= LEVELS[0])
        stops.append(stop or LOOKS[-1])
    return LookRates(
        regime=regime.name,
        declared=declared,
        undeclared=undeclared,
        at_the_end=at_the_end,
        detected=detected,
        detected_at_the_end=detected_at_the_end,
        seeds=float(np.mean(stops)),
    )


def _p_by_look(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> list[float]:
    treatment, baseline = arms
    return [crossed_test(treatment[:seeds], baseline[:seeds], paired=True).p_value for seeds in LOOKS]


def _stop(p_values: Sequence[float]) -> int | None:
    """Return the number of seeds at which a declared look rejects; None where none does."""
    allowed = thresholds(LOOKS, alpha=LEVELS[0])
    reached = (seeds for seeds, p, most in zip(LOOKS, p_values, allowed, strict=True) if p <= most)
    return next(reached, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All counts.

    Parameters
    ----------
    size : Size
        How much was simulated.
    rates : tuple of Rates
        Every method in every regime at every number of seeds.
    families : tuple of FamilyRates
        Studies of several comparisons.
    looks : tuple of LookRates
        Studies that are looked at while they grow.
    """

    size: Size
    rates: tuple[Rates, ...]
    families: tuple[FamilyRates, ...]
    looks: tuple[LookRates, ...]


def simulate(size: Size, *, workers: int, done: Callable[[int, int], None]) -> Calibration:
    """Simulate everything.

    Parameters
    ----------
    size : Size
    workers : int
        Processes; the counts do not depend on it.
    done : callable
        Called after each job with how many are done, and how many there are.
    """
    with ProcessPoolExecutor(workers) as pool:
        # The largest first, so that no worker is left alone with one at the end.
        regimes = [pool.submit(count_regime, regime, seeds, size) for seeds in reversed(SEEDS) for regime in REGIMES]
        families = [pool.submit(count_family, name, seeds, size) for name in FAMILIES for seeds in SEEDS[1:]]
        looks = [pool.submit(count_looks, regime, size) for regime in REGIMES[:4]]
        jobs: list[Future[Any]] = [*regimes, *families, *looks]
        for number, _ in enumerate(as_completed(jobs), start=1):
            done(number, len(jobs))
    by_order = sorted(
        (row for job in regimes for row in job.result()),
        key=lambda row: ([regime.name for regime in REGIMES].index(row.regime), row.n_seeds),
    )
    return Calibration(
        size=size,
        rates=tuple(by_order),
        families=tuple(one.result() for one in families),
        looks=tuple(one.result() for one in looks),
    )
