"""Cost table: time, parameters and memory of each arm, beside the quality that it keeps."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.study.comparison_result import ComparisonResult
from analysis.study.cost import ArmCost
from analysis.study.time_ratio import TimeRatio
from analysis.tables.arms import metric_title
from analysis.tables.comparison_cells import gap_cell, scale_of, verdict_cell
from analysis.tables.digits import confidence_level, exact_count, memory, percent, ratio_interval, time_taken
from analysis.tables.notes import mixed_times, new_seeds
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population, seeds_by_examples
from analysis.tables.timing import how_timed
from analysis.words import in_packs

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def cost_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out what each arm costs, beside the quality that it keeps; None for an imported study, which knows none."""
    baseline, costs = report.plan.baseline, report.costs
    if not costs:
        return None
    gaps = {pair.treatment: pair for pair in report.comparisons if pair.baseline == baseline}
    ratios = {ratio.treatment: ratio for ratio in report.time_ratios if ratio.baseline == baseline}
    compared = [_compared(ratios.get(arm.arm)) for arm in costs]
    # The baseline is one side of every ratio.
    of_baseline = next((ratio for ratio in compared if ratio is not None), None)
    tested = [of_baseline if arm.arm == baseline else ratio for arm, ratio in zip(costs, compared, strict=True)]
    methods = sorted({arm.memory_method for arm in costs if arm.memory_method})
    timings = sorted({timing for arm in costs for timing in arm.timings if arm.measured != "turns"} - {"solo"})
    return Table(
        title="Cost",
        columns=(
            Column("Arm", [arm.arm for arm in costs]),
            Column(
                "Training time",
                [_measured(arm, time_taken(arm.seconds, _limits(arm))) for arm in costs],
                numeric=True,
            ),
            Column(
                "Time ratio",
                ["1" if arm.arm == baseline else _time_ratio(ratios.get(arm.arm)) for arm in costs],
                numeric=True,
            ),
            Column("Trainable", [exact_count(arm.trainable) for arm in costs], numeric=True),
            Column(
                "Share", [percent(arm.share, places=0 if arm.share in (0, 1) else 2) for arm in costs], numeric=True
            ),
            Column("Peak memory", [_measured(arm, memory(arm.peak_bytes)) for arm in costs], numeric=True),
            Column(
                f"{metric_title(report)} against {baseline}", [_quality(report, gaps.get(arm.arm)) for arm in costs]
            ),
            *n_test_population(
                [seeds_by_examples(arm.n_seeds, report.n_examples) for arm in costs],
                ["paired t on log seconds" if ratio is not None else "none" for ratio in tested],
                [ratio.generalizes_to if ratio is not None else "these trials" for ratio in tested],
            ),
        ),
        notes=(
            *_how_measured(report),
            *how_compared(report, [ratio for ratio in compared if ratio is not None]),
            f"{metric_title(report)}: gap and verdict as in the table of verdicts.",
            *(f"Peak memory: {method}." for method in methods),
            *(f"Timing: {timing}." for timing in timings),
            *mixed_times((arm.arm, arm.mixed) for arm in costs if arm.measured != "turns"),
            *_without_ratio(report, ratios),
        ),
        footer=footer,
    )


def _compared(ratio: TimeRatio | None) -> TimeRatio | None:
    return None if ratio is None or math.isnan(ratio.ratio) else ratio


def _time_ratio(ratio: TimeRatio | None) -> str:
    return UNKNOWN if ratio is None else ratio_interval(ratio.ratio, ratio.interval)


def _without_ratio(report: StudyReport, ratios: dict[str, TimeRatio]) -> list[str]:
    """Say why times of some arms are not compared with the baseline's, or how they are."""
    arms: dict[str, list[str]] = {}
    for arm in report.costs:
        if arm.arm in ratios and ratios[arm.arm].reason:
            arms.setdefault(ratios[arm.arm].reason, []).append(arm.arm)
    return [f"Time of {', '.join(names)} against {report.plan.baseline}: {reason}." for reason, names in arms.items()]


def _quality(report: StudyReport, pair: ComparisonResult | None) -> str:
    if pair is None:
        return "baseline"
    return f"{gap_cell(report, pair)}: {verdict_cell(pair.verdict, scale_of(report).margin(report.plan.margin))}"


def how_compared(report: StudyReport, ratios: Sequence[TimeRatio]) -> list[str]:
    """Say what the ratios of times are, and what they speak about; nothing where there is none."""
    notes = []
    for measured in dict.fromkeys(ratio.measured for ratio in ratios):
        alike = [ratio for ratio in ratios if ratio.measured == measured]
        names = f" of {', '.join(ratio.treatment for ratio in alike)}" if len(alike) < len(ratios) else ""
        paired, over, holds = "", "seeds", new_seeds(report.training_sets)
        if measured == "turns":
            paired, over = ", paired turn by turn", f"{alike[0].n_turns} turns"
            holds = "repeats, not for new seeds,"
        level = confidence_level(report.plan.alpha)
        limits = "" if math.isnan(alike[0].interval.low) else f" with its {level} interval"
        notes.append(
            f"Time ratio{names}: training time relative to {report.plan.baseline}{paired}, geometric mean over "
            f"{over}{limits}; it holds for {holds} on this machine."
        )
    return notes


def _measured(arm: ArmCost, figure: str) -> str:
    return "not measured" if arm.n_seeds and not arm.measured else figure


def _limits(arm: ArmCost) -> tuple[float, float] | None:
    if arm.measured != "turns":
        return arm.seconds_range
    low, high = arm.seconds_interval
    return None if math.isnan(low) else (low, high)


def _how_measured(report: StudyReport) -> list[str]:
    """Say how times and memory were measured, and how to measure those that are missing."""
    in_turns = [arm for arm in report.costs if arm.measured == "turns"]
    on_trials = [arm for arm in report.costs if arm.measured == "trials"]
    notes = []
    if in_turns:
        notes.append(
            f"Training time{_of(in_turns, report)}: {how_timed(in_turns[0].clock)}; geometric mean over "
            f"{in_turns[0].n_turns} turns ({confidence_level(report.plan.alpha)} interval). Peak memory: the largest "
            "of a turn."
        )
    if on_trials:
        alone = len(in_turns) + len(on_trials) < len(report.costs) or any(arm.n_solo < arm.n_seeds for arm in on_trials)
        which = "solo trials, which had their device to themselves" if alone else "trials"
        notes.append(f"Training time{_of(on_trials, report)}: mean over {which} (shortest to longest).")
    arms: dict[str, list[str]] = {}
    for arm in on_trials:
        if arm.n_solo < arm.n_seeds:
            arms.setdefault(f"{arm.n_solo} of {arm.n_seeds}", []).append(arm.arm)
    counts = "; ".join(f"{count} in {', '.join(names)}" for count, names in arms.items())
    if counts:
        notes.append(f"Solo trials: {counts}.")
    return [*notes, *_not_measured(report)]


def _not_measured(report: StudyReport) -> list[str]:
    missing = [arm for arm in report.costs if arm.n_seeds and not arm.measured]
    notes = [
        f"Training time and peak memory of {arm.arm}: not measured: it could not be timed: {arm.untimed}."
        for arm in missing
        if arm.untimed
    ]
    missing = [arm for arm in missing if not arm.untimed]
    if not missing:
        return notes
    packs = [size for arm in missing for size in arm.pack_sizes]
    why = f": trials {in_packs(packs)} have no figures of their own" if packs else ""
    command = shlex.join(["harness", "time", report.name])
    return [
        *notes,
        f"Training time and peak memory{_of(missing, report)}: not measured{why}. To measure them: {command}.",
    ]


def _of(arms: Sequence[ArmCost], report: StudyReport) -> str:
    return "" if len(arms) == len(report.costs) else f" of {', '.join(arm.arm for arm in arms)}"
