"""All simulations of docs/calibration.md, over several processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from calibration.best_arm import BEST_ARMS, BEST_REGIMES, BEST_SEEDS, BestArmRates, count_best_arm
from calibration.classes import CLASS_ARMS, CLASS_REGIMES, CLASS_SEEDS, ClassRates, count_classes
from calibration.counts import Size
from calibration.failures import FailureRates, failure_jobs
from calibration.families import FamilyRates, count_family, families
from calibration.looks import LookErrors, LookRates, count_family_looks, count_looks
from calibration.methods import N_SEEDS
from calibration.rates import Rates, count_regime
from calibration.regimes import REGIMES
from calibration.until_decided import DecidedRates, count_decided, decided_studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All counts.

    Parameters
    ----------
    size : Size
        How much was simulated.
    rates : tuple of Rates
        Every method in every regime, by the number of seeds.
    families : tuple of FamilyRates
        Studies of several comparisons.
    classes : tuple of ClassRates
        Tables by class.
    best_arms : tuple of BestArmRates
        The confidence set for the best arm.
    looks : tuple of LookRates
        Studies that are looked at while they grow.
    family_looks : tuple of LookErrors
        The same with several comparisons.
    decided : tuple of DecidedRates
        Studies that run until decided.
    failures : tuple of FailureRates
        Where nothing is promised.
    """

    size: Size
    rates: tuple[Rates, ...] = ()
    families: tuple[FamilyRates, ...] = ()
    classes: tuple[ClassRates, ...] = ()
    best_arms: tuple[BestArmRates, ...] = ()
    looks: tuple[LookRates, ...] = ()
    family_looks: tuple[LookErrors, ...] = ()
    decided: tuple[DecidedRates, ...] = ()
    failures: tuple[FailureRates, ...] = ()


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
        # The longest first, so that no worker is left alone with one at the end.
        classes = [
            pool.submit(count_classes, regime, arms, seeds, size)
            for arms in reversed(CLASS_ARMS)
            for regime in CLASS_REGIMES
            for seeds in CLASS_SEEDS
        ]
        regimes = [pool.submit(count_regime, regime, seeds, size) for seeds in reversed(N_SEEDS) for regime in REGIMES]
        best_arms = [
            pool.submit(count_best_arm, regime, arms, seeds, size)
            for arms in reversed(BEST_ARMS)
            for regime in BEST_REGIMES
            for seeds in BEST_SEEDS
        ]
        looks = [pool.submit(count_looks, regime, size) for regime in REGIMES[:4]]
        family_looks = [pool.submit(count_family_looks, regime, size) for regime in REGIMES[:4]]
        decided = [pool.submit(count_decided, of, size, 2200, key) for key, of in enumerate(decided_studies())]
        failures = [pool.submit(count, *what, size) for count, what in failure_jobs()]
        of_families = [pool.submit(count_family, family, size, 1000, key) for key, family in enumerate(families())]
        jobs: list[Future[Any]] = [
            *classes,
            *regimes,
            *best_arms,
            *looks,
            *family_looks,
            *decided,
            *failures,
            *of_families,
        ]
        for number, _ in enumerate(as_completed(jobs), start=1):
            done(number, len(jobs))
    by_order = sorted(
        (row for job in regimes for row in job.result()),
        key=lambda row: ([regime.name for regime in REGIMES].index(row.regime), row.n_seeds),
    )
    return Calibration(
        size=size,
        rates=tuple(by_order),
        families=tuple(row for job in of_families for row in job.result()),
        classes=tuple(sorted((job.result() for job in classes), key=lambda one: (one.n_arms, one.regime, one.n_seeds))),
        best_arms=tuple(job.result() for job in best_arms),
        looks=tuple(job.result() for job in looks),
        family_looks=tuple(job.result() for job in family_looks),
        decided=tuple(job.result() for job in decided),
        failures=tuple(row for job in failures for row in job.result()),
    )
