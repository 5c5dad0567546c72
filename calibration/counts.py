"""Counts: how often something happened, and the limit that a promise is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.clopper_pearson import clopper_pearson

SEED = 20261122
"""All draws follow from this number, the regime and the number of seeds."""

CONFIDENCE = 0.999
"""A rate breaks its promise only where the whole one-sided interval at this confidence lies above it."""


@dataclass(slots=True)
class Count:
    """How often something happened among the studies in which it could."""

    hits: int = 0
    studies: int = 0

    def add(self, hit: bool) -> None:
        """Count one study."""
        self.hits += bool(hit)
        self.studies += 1

    @property
    def rate(self) -> float:
        """The share; NaN without a study."""
        return self.hits / self.studies if self.studies else math.nan

    @property
    def lower(self) -> float:
        """The lower limit of the rate (Clopper and Pearson 1934), one-sided at `CONFIDENCE`."""
        return clopper_pearson(self.hits, self.studies, tail=1 - CONFIDENCE).low if self.studies else math.nan


@dataclass(slots=True)
class ClusteredCount:
    """How often something happened among comparisons of which a study has several.

    Comparisons of one study share its baseline, so they count for less than as many studies. The limit takes off what
    they share: Clopper and Pearson's, at the number of independent comparisons that would be as sure.

    Parameters
    ----------
    hits : int
        Comparisons in which it happened.
    studies : int
    per_study : int
        Comparisons in each.
    squares : int
        Sum over the studies of their squared hits.

    References
    ----------
    Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """

    hits: int = 0
    studies: int = 0
    per_study: int = 1
    squares: int = 0

    @classmethod
    def of(cls, happened: NDArray[np.bool_]) -> ClusteredCount:
        """Count an array of shape (studies, comparisons)."""
        by_study = np.count_nonzero(happened, axis=1)
        return cls(int(by_study.sum()), len(by_study), happened.shape[1], int((by_study**2).sum()))

    @property
    def rate(self) -> float:
        """The share of all comparisons; NaN without one."""
        return self.hits / (self.studies * self.per_study) if self.studies * self.per_study else math.nan

    @property
    def lower(self) -> float:
        """The lower limit of the rate, one-sided at `CONFIDENCE`."""
        trials = self.studies * self.per_study
        if not self.hits or self.hits == trials:
            return Count(self.hits, trials).lower
        variance = self.squares / self.studies - (self.hits / self.studies) ** 2
        shared = max(variance / (self.per_study * self.rate * (1 - self.rate)), 1.0)
        return clopper_pearson(self.hits / shared, trials / shared, tail=1 - CONFIDENCE).low


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated.

    Parameters
    ----------
    studies : int
        Of each regime and number of seeds.
    resampled : int
        Of these, for methods that resample.
    tables : int
        Of each kind of table by class, and of the confidence set for the best arm: each costs as much as forty
        comparisons or more.
    normal : int
        Comparisons of each family in normal theory, of which a study has several.
    """

    studies: int = 2000
    resampled: int = 400
    tables: int = 800
    normal: int = 400_000


def streams(*key: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return two generators that follow from a key: one draws studies, the other what is resampled from them."""
    studies, resamples = np.random.SeedSequence(SEED, spawn_key=key).spawn(2)
    return np.random.default_rng(studies), np.random.default_rng(resamples)
