"""Time ratio of two arms: from trials that were alone on their device, or from turns in which every arm was timed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.records.outcomes import Outcomes
from analysis.records.timing import TimedArm
from analysis.records.trial import Trial
from analysis.study.conditions import mixed
from analysis.words import in_packs

Measured = Literal["trials", "turns", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRatio:
    """Seconds that the treatment trains for every second of the baseline, paired by seed or by turn.

    Parameters
    ----------
    treatment, baseline : str
        The two arms.
    ratio : float
        Geometric mean of treatment / baseline over the pairs; NaN where the times cannot be compared.
    interval : Interval
        Its interval, from the t distribution of the mean difference of log seconds over pairs.
    confidence : float
        The confidence of that interval.
    measured : {"trials", "turns", ""}
        On what: whole trials that had their device to themselves, or turns of a few steps of every arm alone. Empty
        where there is no ratio.
    n_seeds, n_turns : int
        The number of paired seeds of trials, or of turns.
    generalizes_to : str
        ``"seeds"``, new seeds on the same machine; or ``"repeats on this machine"``: the turns differ in their seeds as
        well, but what varies is the machine. Another machine may have another ratio.
    reason : str
        Why the ratio or its interval is NaN; else empty.
    """

    treatment: str
    baseline: str
    ratio: float
    interval: Interval
    confidence: float
    measured: Measured
    n_seeds: int
    n_turns: int = 0
    generalizes_to: str
    reason: str


def geometric_mean(values: ArrayLike, confidence: float = 0.95) -> tuple[float, Interval]:
    """Return the geometric mean of positive numbers, and its interval from the t distribution of their logarithms.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        All above 0; seconds, or ratios of them.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    (float, Interval)
        NaN without a value; the interval is NaN without two.

    Examples
    --------
    >>> mean, (low, high) = geometric_mean([0.5, 0.6, 0.7])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (0.594, 0.391, 0.903)
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if not len(logs):
        return math.nan, NO_INTERVAL
    mean = logs.mean()
    if len(logs) < 2:
        return math.exp(mean), NO_INTERVAL
    half = special.stdtrit(len(logs) - 1, (1 + confidence) / 2) * logs.std(ddof=1) / len(logs) ** 0.5
    with np.errstate(over="ignore"):
        return math.exp(mean), Interval(float(np.exp(mean - half)), float(np.exp(mean + half)))


def time_ratio(
    outcomes: Outcomes, *, treatment: str, baseline: str, seeds: Sequence[int], confidence: float = 0.95
) -> TimeRatio:
    """Compare the training times of two arms, seed by seed.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    treatment, baseline : str
        The two arms.
    seeds : sequence of int
        The seeds to pair; both arms must have finished with them.
    confidence : float
        The confidence of the interval, between 0 and 1.

    Returns
    -------
    TimeRatio
        It generalises to new seeds on the machine that was measured. Ratio and interval are NaN with a
        reason unless every trial had its device to itself and all ran under the same conditions: engine, device,
        precision, threads, hardware and versions; with one seed only the interval is.
    """
    trials = [outcomes.trials[arm, seed] for arm in (treatment, baseline) for seed in seeds]
    reason = _not_comparable(trials)
    ratio, interval = math.nan, NO_INTERVAL
    if not reason:
        seconds = np.array([_training_seconds(trial) for trial in trials]).reshape(2, len(seeds))
        ratio, interval = geometric_mean(seconds[0] / seconds[1], confidence)
        reason = "one seed gives no interval" if len(seeds) < 2 else ""
    return TimeRatio(
        treatment=treatment,
        baseline=baseline,
        ratio=ratio,
        interval=interval,
        confidence=confidence,
        measured="" if math.isnan(ratio) else "trials",
        n_seeds=len(seeds),
        generalizes_to="seeds",
        reason=reason,
    )


def turns_ratio(arms: Mapping[str, TimedArm], *, treatment: str, baseline: str, confidence: float = 0.95) -> TimeRatio:
    """Compare the training times of two arms, turn by turn.

    Parameters
    ----------
    arms : mapping of str to TimedArm
        What each arm took in the same turns.
    treatment, baseline : str
        Two of these arms.
    confidence : float
        The confidence of the interval, between 0 and 1.

    Returns
    -------
    TimeRatio
        It generalises to repeats on the machine that was measured. NaN with a reason where an arm could not be timed,
        or trains no step.
    """
    both = [arms[treatment], arms[baseline]]
    reasons = [
        f"{name} could not be timed: {arm.reason}" if arm.reason else f"{name} trains no step"
        for name, arm in zip((treatment, baseline), both, strict=True)
        if not all(arm.training_seconds) or not arm.training_seconds
    ]
    ratios: list[float] = []
    if not reasons:
        treated, base = (arm.training_seconds for arm in both)
        ratios = [one / other for one, other in zip(treated, base, strict=True)]
    ratio, interval = geometric_mean(ratios, confidence)
    return TimeRatio(
        treatment=treatment,
        baseline=baseline,
        ratio=ratio,
        interval=interval,
        confidence=confidence,
        measured="turns" if ratios else "",
        n_seeds=0,
        n_turns=len(ratios),
        generalizes_to="repeats on this machine",
        reason="; ".join(reasons),
    )


def _training_seconds(trial: Trial) -> float:
    return trial.record.seconds.training if trial.record and trial.record.seconds else math.nan


def _not_comparable(trials: Sequence[Trial]) -> str:
    if not trials:
        return "no seed has finished in both arms"
    records = [trial.record for trial in trials]
    if any(record is None or record.seconds is None or record.device is None for record in records):
        return "a trial has no recorded time or device"
    if not all(_training_seconds(trial) > 0 for trial in trials):
        return "a trial recorded no training time"
    packs = [record.pack_size for record in records if record is not None and record.pack_size > 1]
    if packs:
        return f"{len(packs)} of {len(trials)} trials were trained {in_packs(packs)} and have no time of their own"
    shared = [trial.name for trial in trials if trial.record is not None and not trial.record.solo]
    if shared:
        return f"{len(shared)} of {len(trials)} trials shared their device (first: {shared[0]})"
    differing = mixed([record for record in records if record is not None])
    return f"the trials ran under different conditions: {differing}" if differing else ""
