"""Costs of training: seconds, trained parameters and memory by arm, of trials alone or in turns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.records.outcomes import Outcomes
from analysis.records.timing import Timing
from analysis.records.trial import Trial
from analysis.records.trial_record import TrialRecord
from analysis.study.arm_times import arm_times
from analysis.study.conditions import mixed
from analysis.study.time_ratio import Measured


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
        How many of them had their device to themselves. A trial that was trained in a pack has no times or memory of
        its own.
    pack_sizes : tuple of int
        The pack sizes of the others, ascending.
    measured : {"trials", "turns", ""}
        On what times and memory are measured: on solo trials; in turns, a few steps and batches of every arm alone,
        from which those of a whole trial follow; or on nothing. Never on a trial of a pack.
    untimed : str
        Why the arm could not be timed in turns; else empty.
    n_turns : int
        The number of turns.
    clock : str
        ``"wall clock"``, or ``"CPU time"`` of the thread that computes.
    seconds : float
        Training time of one trial alone, in seconds: mean over the solo trials, or geometric mean over the turns; NaN
        where it was not measured.
    seconds_range : tuple of (float, float)
        Shortest and longest training time.
    seconds_interval : Interval
        Over the turns; NaN for trials.
    evaluation_seconds, evaluation_interval : float, Interval
        The same for the time of scoring, in seconds.
    step_seconds, step_interval : float, Interval
        The same for one optimizer step.
    trainable, total : int or None
        Parameter counts; None where they were not recorded or differ between seeds.
    peak_bytes, peak_range : int or None, tuple of (int, int) or None
        Largest memory over the solo trials or the turns, in bytes, and the smallest and largest of their peaks; None
        where it was not recorded.
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
    measured: Measured
    untimed: str = ""
    n_turns: int = 0
    clock: str = "wall clock"
    seconds: float
    seconds_range: tuple[float, float]
    seconds_interval: Interval = NO_INTERVAL
    evaluation_seconds: float
    evaluation_interval: Interval = NO_INTERVAL
    step_seconds: float
    step_interval: Interval = NO_INTERVAL
    trainable: int | None
    total: int | None
    peak_bytes: int | None
    peak_range: tuple[int, int] | None
    memory_method: str
    timings: tuple[str, ...]
    further_seconds: float
    further_evaluation_seconds: float
    mixed: str

    @property
    def further_trial_seconds(self) -> float:
        """What one more trial takes, training and scoring together."""
        return self.further_seconds + self.further_evaluation_seconds

    @property
    def share(self) -> float:
        """Trainable parameters as a share of all; NaN where the counts are unknown."""
        return self.trainable / self.total if self.trainable is not None and self.total else math.nan


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
        measured="trials" if solo else "",
        seconds=_mean(training),
        seconds_range=(min(training), max(training)) if training else (math.nan, math.nan),
        evaluation_seconds=_mean(evaluation),
        step_seconds=_mean([one.seconds.training / one.steps for one in solo if one.seconds and one.steps]),
        trainable=trainable,
        total=total,
        peak_bytes=max(peaks) if peaks else None,
        peak_range=(min(peaks), max(peaks)) if peaks else None,
        memory_method="; ".join(sorted({entry.method for entry in memory if entry.method})),
        timings=tuple(sorted({r.seconds.timing for r in records if r.seconds is not None and r.pack_size == 1})),
        further_seconds=_mean(further_training),
        further_evaluation_seconds=_mean(further_evaluation),
        mixed=mixed(records),
    )


def arm_costs(
    outcomes: Outcomes, *, seeds: Mapping[str, Sequence[int]], confidence: float = 0.95
) -> tuple[ArmCost, ...]:
    """Summarise what the arms of a study cost, all of them measured in the same way where that is possible.

    That is on their trials where every one was alone and all ran under the same conditions; else in turns, where there
    are such.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    seeds : mapping of str to sequence of int
        By arm, the seeds of its trials.
    confidence : float
        The confidence of intervals over turns, between 0 and 1.
    """
    trials = {arm: [outcomes.trials[arm, seed] for seed in own] for arm, own in seeds.items()}
    costs = tuple(arm_cost(arm, own) for arm, own in trials.items())
    records = [trial.record for own in trials.values() for trial in own if trial.record is not None]
    if outcomes.timing is None or (all(record.solo for record in records) and not mixed(records)):
        return costs
    return tuple(_in_turns(cost, outcomes.timing, confidence) for cost in costs)


def _in_turns(cost: ArmCost, timing: Timing, confidence: float) -> ArmCost:
    """Return the cost of an arm with what was measured in turns; as it is where the arm was not timed."""
    timed = timing.arms.get(cost.arm)
    if timed is None:
        return cost
    if timed.reason:
        return replace(cost, untimed=timed.reason)
    training = timed.training_seconds
    return replace(
        cost,
        measured="turns",
        n_turns=timing.turns,
        clock=timing.clock,
        seconds_range=(min(training), max(training)) if training else (math.nan, math.nan),
        memory_method=timing.memory_method or "",
        **asdict(arm_times(timed, confidence=confidence)),
    )


def _times(records: Sequence[TrialRecord]) -> tuple[list[float], list[float]]:
    seconds = [record.seconds for record in records if record.seconds is not None]
    evaluation = [entry.evaluation for entry in seconds if entry.evaluation is not None]
    return [entry.training for entry in seconds], evaluation


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
