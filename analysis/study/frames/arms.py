"""Frames of arms: their scores, each run, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from analysis.records.stored_trials import Status
from analysis.study.frames.columns import Column, count, limits, note, number, text
from analysis.study.set_verdicts import with_set_names
from analysis.study.summaries import ArmSummary

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def arms(report: StudyReport) -> list[Column]:
    """Return the metric by arm, over its seeds, and how its trials ended."""
    return [
        text("arm", [arm.arm for arm in report.arms]),
        *_spread(report.arms),
        number("calibration_error", [arm.calibration_error for arm in report.arms]),
        *(
            count(f"n_{status.replace(' ', '_')}", [arm.statuses.get(status, 0) for arm in report.arms])
            for status in (*get_args(Status), "spared")
        ),
        *_rest_on(report.arms),
    ]


def runs(report: StudyReport) -> list[Column]:
    """Return the metric of every run that the tables use: one row for each arm and seed."""
    return _runs(report, report.arms)


def set_arms(report: StudyReport) -> list[Column]:
    """Return the metric by arm on each of several test sets."""
    rows = with_set_names(report.sets, [one.arms for one in report.sets])
    arms = [arm for _, arm in rows]
    return [
        text("arm", [arm.arm for arm in arms]),
        text("test_set", [name for name, _ in rows]),
        *_spread(arms),
        *_rest_on(arms),
    ]


def set_runs(report: StudyReport) -> list[Column]:
    """Return the metric of every run on each of several test sets."""
    rows = with_set_names(report.sets, [one.arms for one in report.sets])
    arm, *rest = _runs(report, [arm for _, arm in rows])
    return [arm, text("test_set", [name for name, arm in rows for _ in arm.seeds]), *rest]


def cost(report: StudyReport) -> list[Column]:
    """Return what each arm costs, and its time and its gap against the baseline of the study."""
    costs, baseline = report.costs, report.plan.baseline
    pairs = {pair.treatment: pair for pair in report.comparisons if pair.baseline == baseline}
    ratios = {ratio.treatment: ratio for ratio in report.time_ratios if ratio.baseline == baseline}
    compared = [(arm, pairs.get(arm.arm), ratios.get(arm.arm)) for arm in costs]
    times = [1.0 if arm.arm == baseline else ratio.ratio if ratio else None for arm, _, ratio in compared]
    return [
        text("arm", [arm.arm for arm in costs]),
        note("measured", [arm.measured for arm in costs]),
        count("n_turns", [arm.n_turns for arm in costs]),
        note("clock", [arm.clock if arm.measured else None for arm in costs]),
        number("seconds", [arm.seconds for arm in costs]),
        number("shortest_seconds", [arm.seconds_range[0] for arm in costs]),
        number("longest_seconds", [arm.seconds_range[1] for arm in costs]),
        *limits((arm.seconds_interval for arm in costs), of="seconds"),
        number("evaluation_seconds", [arm.evaluation_seconds for arm in costs]),
        *limits((arm.evaluation_interval for arm in costs), of="evaluation_seconds"),
        number("step_seconds", [arm.step_seconds for arm in costs]),
        *limits((arm.step_interval for arm in costs), of="step_seconds"),
        number("time_ratio", times),
        *limits((ratio.interval if ratio else None for *_, ratio in compared), of="time_ratio"),
        number("confidence", [1 - report.plan.alpha for _ in costs]),
        count("trainable", [arm.trainable for arm in costs]),
        count("total", [arm.total for arm in costs]),
        number("share", [arm.share for arm in costs]),
        count("peak_bytes", [arm.peak_bytes for arm in costs]),
        count("smallest_peak_bytes", [arm.peak_range[0] if arm.peak_range else None for arm in costs]),
        number("gap", [pair.estimate if pair else None for _, pair, _ in compared]),
        text("verdict", [pair.verdict.label if pair else None for _, pair, _ in compared]),
        count("n_seeds", [arm.n_seeds for arm in costs]),
        count("n_solo", [arm.n_solo for arm in costs]),
        count("n_examples", [report.n_examples for _ in costs]),
        note("memory_method", [arm.memory_method for arm in costs]),
        note("mixed", [arm.mixed for arm in costs]),
        note("generalizes_to", [ratio.generalizes_to if ratio and ratio.ratio > 0 else None for *_, ratio in compared]),
        note("reason", [ratio.reason if ratio else None for *_, ratio in compared]),
    ]


def _runs(report: StudyReport, summaries: Sequence[ArmSummary]) -> list[Column]:
    rows = [
        (arm, seed, run, value)
        for arm in summaries
        for seed, run, value in zip(arm.seeds, arm.runs, arm.values, strict=True)
    ]
    n_orders = report.crossing.data_orders if report.crossing else None
    pairs = [divmod(seed, n_orders) if n_orders else (None, None) for _, seed, *_ in rows]
    return [
        text("arm", [arm.arm for arm, *_ in rows]),
        count("seed", [seed for _, seed, *_ in rows]),
        text("run", [run for *_, run, _ in rows]),
        count("initialisation", [initialisation for initialisation, _ in pairs]),
        count("data_order", [data_order for _, data_order in pairs]),
        number("value", [value for *_, value in rows]),
        count("n_examples", [arm.n_examples for arm, *_ in rows]),
    ]


def _spread(summaries: Sequence[ArmSummary]) -> tuple[Column, ...]:
    return (
        number("mean", [arm.mean for arm in summaries]),
        number("sd", [arm.sd for arm in summaries]),
        number("lowest", [arm.minimum for arm in summaries]),
        number("highest", [arm.maximum for arm in summaries]),
    )


def _rest_on(summaries: Sequence[ArmSummary]) -> tuple[Column, ...]:
    return (
        count("n_seeds", [len(arm.seeds) for arm in summaries]),
        count("n_examples", [arm.n_examples for arm in summaries]),
        note("reason", [arm.reason for arm in summaries]),
    )
