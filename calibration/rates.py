"""Counts of every method for two arms: rejections where nothing is different, coverage, and power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from calibration.counts import Count, Size, streams
from calibration.methods import LEVELS, METHODS, Method
from calibration.regimes import REGIMES, Regime, draw

GAP = 0.02
"""The true gap of the studies in which there is one: 2 percentage points of accuracy."""


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
    usable = [
        method
        for method in methods
        if n_seeds in method.seeds and (len(regime.class_shares) == 2 or not method.two_classes)
    ]
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
