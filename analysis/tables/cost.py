"""Cost table: time, parameters and memory of each arm, beside the quality that it keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.comparisons import ComparisonResult
from analysis.study.cost import ArmCost, TimeRatio
from analysis.tables.arms import metric_title
from analysis.tables.comparison_cells import gap_cell, scale_of, verdict_cell
from analysis.tables.digits import confidence_level, exact_count, memory, percent, ratio_interval, time_taken
from analysis.tables.notes import mixed_times, new_seeds
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population, seeds_by_examples
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
    methods = sorted({arm.memory_method for arm in costs if arm.memory_method})
    timings = sorted({timing for arm in costs for timing in arm.timings if timing != "solo"})
    held = (
        f" Time ratio: relative to {baseline}, geometric mean over seeds with its "
        f"{confidence_level(report.plan.alpha)} interval; it holds for "
        f"{new_seeds(report.training_sets)} on this machine."
    )
    return Table(
        title="Cost",
        columns=(
            Column("Arm", [arm.arm for arm in costs]),
            Column(
                "Training time",
                [_of_solo_trials(arm, time_taken(arm.seconds, arm.seconds_range)) for arm in costs],
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
            Column("Peak memory", [_of_solo_trials(arm, memory(arm.peak_bytes)) for arm in costs], numeric=True),
            Column(
                f"{metric_title(report)} against {baseline}", [_quality(report, gaps.get(arm.arm)) for arm in costs]
            ),
            *n_test_population(
                [seeds_by_examples(arm.n_seeds, report.n_examples) for arm in costs],
                ["paired t on log seconds" if ratio is not None else "none" for ratio in compared],
                [ratio.generalizes_to if ratio is not None else "these trials" for ratio in compared],
            ),
        ),
        notes=(
            f"Training time: mean per trial (shortest to longest).{held if any(compared) else ''} "
            f"{metric_title(report)}: gap and verdict as in the "
            "table of verdicts.",
            *_on_solo_trials(report),
            *(f"Peak memory: {method}." for method in methods),
            *(f"Timing: {timing}." for timing in timings),
            *mixed_times((arm.arm, arm.mixed) for arm in costs),
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


def _of_solo_trials(arm: ArmCost, figure: str) -> str:
    return "no solo trial" if arm.n_seeds and not arm.n_solo else figure


def _on_solo_trials(report: StudyReport) -> list[str]:
    """Say once on which trials times and memory rest where not every trial was alone, and how to measure the rest."""
    costs = [arm for arm in report.costs if arm.n_solo < arm.n_seeds]
    if not costs:
        return []
    packs = [size for arm in costs for size in arm.pack_sizes]
    why = f"; trials {in_packs(packs)} have no figures of their own" if packs else ""
    note = f"Training time and peak memory: of solo trials, which had their device to themselves{why}."
    if not all(arm.n_solo for arm in costs):
        note += f" To measure them: harness run STUDY engine=trainer seeds=3 name={report.name}-solo."
    arms: dict[str, list[str]] = {}
    for arm in costs:
        if arm.n_solo:
            arms.setdefault(f"{arm.n_solo} of {arm.n_seeds}", []).append(arm.arm)
    counts = "; ".join(f"{count} in {', '.join(names)}" for count, names in arms.items())
    return [note, *([f"Solo trials: {counts}."] if counts else [])]
