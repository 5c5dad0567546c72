"""Timing table: what harness time measured of each arm."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.records.timing import Timing
from analysis.study.arm_times import ArmTimes
from analysis.study.time_ratio import TimeRatio
from analysis.tables.digits import confidence_level, memory, ratio_interval, time_taken
from analysis.tables.table import Column, Table

_CLOCKS = {"CPU time": "CPU time of one thread", "wall clock": "wall-clock time"}


def timing_table(
    timing: Timing, times: Mapping[str, ArmTimes], ratios: Mapping[str, TimeRatio], *, baseline: str, alpha: float
) -> Table:
    """Lay out the times of the arms that could be timed.

    Parameters
    ----------
    timing : Timing
        From the disk.
    times : mapping of str to ArmTimes
        By arm.
    ratios : mapping of str to TimeRatio
        By treatment, where there are some.
    baseline : str
        The arm at a ratio of 1.
    alpha : float
        1 minus the confidence of the intervals.
    """
    rows = list(times.items())
    return Table(
        title="A trial of each arm by itself",
        columns=(
            Column("Arm", [name for name, _ in rows]),
            Column("Training time", [time_taken(one.seconds, one.seconds_interval) for _, one in rows], numeric=True),
            Column(
                "Time ratio",
                [
                    "1" if name == baseline else ratio_interval(ratios[name].ratio, ratios[name].interval)
                    for name, _ in rows
                ],
                numeric=True,
            ),
            Column(
                "Scoring time",
                [time_taken(one.evaluation_seconds, one.evaluation_interval) for _, one in rows],
                numeric=True,
            ),
            Column("Peak memory", [memory(one.peak_bytes) for _, one in rows], numeric=True),
        ),
        notes=(
            f"{timing.turns} turns; {how_timed(timing.clock)}. In brackets: {confidence_level(alpha)} intervals over "
            f"the turns, for repeats on this machine. Time ratio: training time relative to {baseline}.",
        ),
        footer="",
    )


def how_timed(clock: str) -> str:
    """Say how a trial by itself is timed in turns."""
    return (
        f"{_CLOCKS[clock]}, scaled up to a whole trial from a few steps and batches of each arm alone, by the "
        "reference engine"
    )
