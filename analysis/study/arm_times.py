"""Times of an arm alone, from the turns in which it was timed: of a step, of training and of scoring a whole trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.records.timing import TimedArm
from analysis.study.time_ratio import geometric_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTimes:
    """What a trial of an arm takes by itself: geometric means over turns, with their intervals.

    They generalise to repeats on the machine that was measured.

    Parameters
    ----------
    step_seconds, step_interval : float, Interval
        Of one optimizer step; NaN where a trial trains none.
    seconds, seconds_interval : float, Interval
        Of training a whole trial.
    evaluation_seconds, evaluation_interval : float, Interval
        Of scoring it after every epoch.
    peak_bytes, peak_range : int, tuple of (int, int)
        Largest memory, and the smallest and largest of the turns' peaks.
    """

    step_seconds: float
    step_interval: Interval
    seconds: float
    seconds_interval: Interval
    evaluation_seconds: float
    evaluation_interval: Interval
    peak_bytes: int
    peak_range: tuple[int, int]


def arm_times(timed: TimedArm, *, confidence: float = 0.95) -> ArmTimes:
    """Summarise the turns of an arm that could be timed.

    Parameters
    ----------
    timed : TimedArm
        Of `timing.json`.
    confidence : float
        The confidence of the intervals, between 0 and 1.
    """
    step, of_step = _mean(timed.step_seconds, confidence)
    training, of_training = _mean(timed.training_seconds, confidence)
    evaluation, of_evaluation = _mean(timed.evaluation_seconds, confidence)
    return ArmTimes(
        step_seconds=step,
        step_interval=of_step,
        seconds=training,
        seconds_interval=of_training,
        evaluation_seconds=evaluation,
        evaluation_interval=of_evaluation,
        peak_bytes=max(timed.peak_bytes),
        peak_range=(min(timed.peak_bytes), max(timed.peak_bytes)),
    )


def _mean(seconds: Sequence[float], confidence: float) -> tuple[float, Interval]:
    return geometric_mean(seconds, confidence) if all(seconds) else (math.nan, NO_INTERVAL)
