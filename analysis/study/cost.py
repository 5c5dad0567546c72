"""Costs of training: seconds, trained parameters and memory by arm, and the time ratio of two arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial
from analysis.records.trial_record import TrialRecord
from analysis.study.conditions import mixed
from analysis.words import in_packs


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCost:
    """The measured cost of training one arm once.

    Parameters
    ----------
    arm : str
        The name of the arm.
    n_seeds : int
        The number of finished trials.
    n_solo : int
        How many of them had their device to themselves. Times and memory are measured on these alone: a trial that was
        trained in a pack has no times or memory of its own.
    pack_sizes : tuple of int
        The pack sizes of the others, ascending.
    seconds : float
        Mean training time of a solo trial, in seconds; NaN without one.
    seconds_range : tuple of (float, float)
        Shortest and longest training time.
    evaluation_seconds : float
        Mean time of scoring the test split, in seconds.
    trainable, total : int or None
        Parameter counts; None where they were not recorded or differ between seeds.
    peak_bytes : int or None
        Largest memory over the solo trials, in bytes; None where it was not recorded.
    memory_method : str
        How the memory was measured.
    timings : tuple of str
        What the records of the trials outside packs say about their seconds: ``"solo"``, or why they are not.
    further_seconds, further_evaluation_seconds : float
        Mean times as recorded, a packed trial with its share of its pack's time. They predict what one more trial
        takes that is trained in the same way; they do not measure the time of one trial.
    mixed : str
        The conditions that differ between its trials, such as ``threads 1 (4 trials) and 2 (2 trials)``; else empty.
        Where they differ, the mean describes no single machine.
    """

    arm: str
    n_seeds: int
    n_solo: int
    pack_sizes: tuple[int, ...]
    seconds: float
    seconds_range: tuple[float, float]
    evaluation_seconds: float
    trainable: int | None
    total: int | None
    peak_bytes: int | None
    memory_method: str
    timings: tuple[str, ...]
    further_seconds: float
    further_evaluation_seconds: float
    mixed: str

    @property
    def share(self) -> float:
        """Trainable parameters as a share of all; NaN where the counts are unknown."""
        return self.trainable / self.total if self.trainable is not None and self.total else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRatio:
    """Seconds that the treatment trains for every second of the baseline, paired by seed.

    Parameters
    ----------
    treatment, baseline : str
        The two arms.
    ratio : float
        Geometric mean of treatment / baseline over the seeds; NaN where the times cannot be compared.
    interval : Interval
        Its interval, from the t distribution of the mean difference of log seconds over seeds.
    confidence : float
        The confidence of that interval.
    n_seeds : int
        The number of paired seeds.
    generalizes_to : str
        ``"seeds"``: new seeds on the same machine. Another machine may have another ratio.
    reason : str
        Why the ratio or its interval is NaN; else empty.
    """

    treatment: str
    baseline: str
    ratio: float
    interval: Interval
    confidence: float
    n_seeds: int
    generalizes_to: str
    reason: str


def arm_cost(arm: str, trials: Sequence[Trial]) -> ArmCost:
    """Summarise what the finished trials of one arm cost.

    Parameters
    ----------
    arm : str
        The name of the arm.
    trials : sequence of Trial
        Trials of the arm; those that did not finish are left out.
    """
    records = [trial.record for trial in trials if trial.status == "finished" and trial.record is not None]
    solo = [record for record in records if record.solo]
    training, evaluation = _times(solo)
    further_training, further_evaluation = _times(records)
    counts = {(record.parameters.trainable, record.parameters.total) for record in records if record.parameters}
    trainable, total = next(iter(counts)) if len(counts) == 1 else (None, None)
    memory = [record.peak_memory for record in solo if record.peak_memory is not None]
    peaks = [entry.bytes for entry in memory if entry.bytes is not None]
    return ArmCost(
        arm=arm,
        n_seeds=len(records),
        n_solo=len(solo),
        pack_sizes=tuple(sorted({record.pack_size for record in records if record.pack_size > 1})),
        seconds=_mean(training),
        seconds_range=(min(training), max(training)) if training else (math.nan, math.nan),
        evaluation_seconds=_mean(evaluation),
        trainable=trainable,
        total=total,
        peak_bytes=max(peaks) if peaks else None,
        memory_method="; ".join(sorted({entry.method for entry in memory if entry.method})),
        timings=tuple(sorted({r.seconds.timing for r in records if r.seconds is not None and r.pack_size == 1})),
        further_seconds=_mean(further_training),
        further_evaluation_seconds=_mean(further_evaluation),
        mixed=mixed(records),
    )


def _times(records: Sequence[TrialRecord]) -> tuple[list[float], list[float]]:
    seconds = [record.seconds for record in records if record.seconds is not None]
    evaluation = [entry.evaluation for entry in seconds if entry.evaluation is not None]
    return [entry.training for entry in seconds], evaluation


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


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
        logs = np.log([_training_seconds(trial) for trial in trials]).reshape(2, len(seeds))
        gaps = logs[0] - logs[1]
        ratio = math.exp(gaps.mean())
        if len(seeds) < 2:
            reason = "one seed gives no interval"
        else:
            half = special.stdtrit(len(seeds) - 1, (1 + confidence) / 2) * gaps.std(ddof=1) / len(seeds) ** 0.5
            with np.errstate(over="ignore"):
                interval = Interval(float(np.exp(gaps.mean() - half)), float(np.exp(gaps.mean() + half)))
    return TimeRatio(
        treatment=treatment,
        baseline=baseline,
        ratio=ratio,
        interval=interval,
        confidence=confidence,
        n_seeds=len(seeds),
        generalizes_to="seeds",
        reason=reason,
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
