"""Tables of what was measured: the metric by arm, classes, cost, published claims, and provenance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.metrics.scores import METRICS
from analysis.study.comparisons import ComparisonResult
from analysis.study.cost import ArmCost
from analysis.tables.digits import (
    duration_range,
    level,
    memory,
    percent,
    points,
    points_interval,
    ratio_interval,
    whole,
)
from analysis.tables.table import BASIS, UNKNOWN, Table
from analysis.tables.verdicts import basis, mixed_times, scale_of, size, standard_error, verdict_name
from analysis.words import counted, in_packs

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_DESCRIBED = ("none", "these runs")


def arms(report: StudyReport, footer: str) -> Table:
    """Lay out the study's metric by arm."""
    rows, scale = [], scale_of(report)
    for arm in report.arms:
        n = len(arm.seeds)
        # One run has no spread over seeds; the test set's own sampling error then sets the digits.
        alone = _sampling_error(arm.mean, arm.n_examples) if report.plan.metric == "accuracy" else math.nan
        error = arm.sd / math.sqrt(n) if n > 1 else alone
        low, high = (scale.score(value, standard_error=error) for value in (arm.minimum, arm.maximum))
        rows.append(
            (
                arm.arm,
                scale.score(arm.mean, standard_error=error),
                scale.gap(arm.sd, standard_error=error, signed=False),
                f"{low} to {high}" if n else UNKNOWN,
                percent(arm.calibration_error, places=1),
                ", ".join(f"{count} {status}" for status, count in sorted(arm.statuses.items())),
                size(n, arm.n_examples),
                *_DESCRIBED,
            )
        )
    return Table(
        title=f"{_metric(report)} by arm",
        columns=("Arm", "Mean", "SD over seeds", "Lowest to highest", "ECE", "Trials", *BASIS),
        numeric=frozenset(("Mean", "SD over seeds", "Lowest to highest", "ECE")),
        rows=tuple(rows),
        notes=(
            "A description of these runs; gaps between arms are judged in the table of verdicts. ECE: expected "
            "calibration error (15 bins), how far confidence is from accuracy.",
            *(f"{arm.arm}: {arm.reason}." for arm in report.arms if arm.seeds and len(arm.seeds) > 1 and arm.reason),
        ),
        footer=footer,
    )


def classes(report: StudyReport, footer: str) -> Table:
    """Lay out precision, recall and F1 by arm and class."""
    rows, notes = [], []
    for one in report.classes:
        shares = (one.precision, one.recall, one.f1)
        error = _sampling_error(one.recall, one.n_class_examples)
        rows.append(
            (
                one.arm,
                one.label,
                *(percent(share, standard_error=error) for share in shares),
                size(one.n_seeds, one.n_class_examples),
                *_DESCRIBED,
            )
        )
        if one.reason:
            notes.append(f"{one.arm}, class {one.label}: {one.reason}; the means are over the other seeds.")
    return Table(
        title="Precision, recall and F1 by class",
        columns=("Arm", "Class", "Precision", "Recall", "F1", *BASIS),
        numeric=frozenset(("Precision", "Recall", "F1")),
        rows=tuple(rows),
        notes=("Means over seeds; the examples are those of the class.", *notes),
        footer=footer,
        detail=True,
    )


def cost(report: StudyReport, footer: str) -> Table:
    """Lay out what each arm costs, beside the quality that it keeps."""
    baseline = report.plan.baseline
    gaps = {one.treatment: one for one in report.comparisons if one.baseline == baseline}
    ratios = {ratio.treatment: ratio for ratio in report.time_ratios if ratio.baseline == baseline}
    rows = []
    reasons: dict[str, list[str]] = {}
    for arm in report.costs:
        ratio = ratios.get(arm.arm)
        time = "1" if arm.arm == baseline else UNKNOWN
        if ratio is not None:
            time = ratio_interval(ratio.ratio, ratio.interval)
        if ratio is not None and ratio.reason:
            reasons.setdefault(ratio.reason, []).append(arm.arm)
        compared = ratio is not None and not math.isnan(ratio.ratio)
        rows.append(
            (
                arm.arm,
                _of_solo_trials(arm, duration_range(arm.seconds, arm.seconds_range)),
                time,
                whole(arm.trainable),
                _share(arm.share),
                _of_solo_trials(arm, memory(arm.peak_bytes)),
                _quality(report, gaps.get(arm.arm)),
                size(arm.n_seeds, report.n_examples),
                "paired t on log seconds" if compared else _DESCRIBED[0],
                ratio.generalizes_to if ratio is not None and compared else _DESCRIBED[1],
            )
        )
    methods = sorted({arm.memory_method for arm in report.costs if arm.memory_method})
    timings = sorted({timing for arm in report.costs for timing in arm.timings if timing != "solo"})
    return Table(
        title="Cost",
        columns=(
            "Arm",
            "Training time",
            "Time ratio",
            "Trainable",
            "Share",
            "Peak memory",
            f"{_metric(report)} against {baseline}",
            *BASIS,
        ),
        numeric=frozenset(("Training time", "Time ratio", "Trainable", "Share", "Peak memory")),
        rows=tuple(rows),
        notes=(
            "Training time: mean of a trial (shortest to longest). Time ratio: to "
            f"{baseline}, geometric mean over seeds with its {level(report.plan.alpha)} interval; it holds "
            f"for new seeds on this machine. {_metric(report)}: gap and verdict as in the table of verdicts.",
            *_on_solo_trials(report),
            *(f"Peak memory: {method}." for method in methods),
            *(f"Timing: {timing}." for timing in timings),
            *mixed_times((arm.arm, arm.mixed) for arm in report.costs),
            *(f"Time of {', '.join(arms)} against {baseline}: {reason}." for reason, arms in reasons.items()),
        ),
        footer=footer,
    )


def claims(report: StudyReport, footer: str) -> Table | None:
    """Lay out published gaps beside the measured ones; None when the study has no claims."""
    if not report.claims:
        return None
    by_pair = {(one.treatment, one.baseline): one for one in report.comparisons}
    confidence = report.comparisons[0].confidence if report.comparisons else 1 - report.plan.alpha
    interval = f"{level(1 - confidence)} interval"
    rows = []
    for claim in report.claims:
        pair = by_pair.get((claim.treatment, claim.baseline))
        error = standard_error(pair) if pair is not None else math.nan
        published = f"{points(claim.published_gap)} (n = {claim.n})" if pair is not None else UNKNOWN
        checked = pair is not None and claim.kind == "check"
        rows.append(
            (
                claim.source,
                pair.name if pair is not None else UNKNOWN,
                published,
                points(claim.measured_gap, standard_error=error),
                points_interval(claim.interval, standard_error=error),
                claim.reading if claim.kind == "check" else f"context: {claim.reading}",
                *(basis(pair) if checked and pair is not None else (UNKNOWN, "none", UNKNOWN)),
            )
        )
    return Table(
        title="Published claims",
        columns=("Source", "Comparison", "Published gap", "Measured gap", interval, "Reading", *BASIS),
        numeric=frozenset(("Published gap", "Measured gap", interval)),
        rows=tuple(rows),
        notes=(
            "The interval is about the mean over seeds. One published run of each arm scatters more, so a "
            "published gap outside it is not wrong for that alone.",
        ),
        footer=footer,
    )


def provenance(report: StudyReport) -> Table:
    """Lay out where the figures come from, and every caveat in full."""
    rows = [("study", report.name), ("model", report.model), ("data", report.data)]
    for origin in report.footer.origins:
        values = [
            value if not origin.mixed else f"{value} ({counted(count, 'trial')})" for value, count in origin.values
        ]
        rows.append((origin.name, "; ".join(values)))
    rows += [("caveat", caveat.text) for caveat in report.footer.caveats]
    return Table(
        title="Provenance and caveats",
        columns=("What", "Value"),
        numeric=frozenset(),
        rows=tuple(rows),
        notes=() if report.footer.caveats else ("No caveats.",),
        footer="",
        detail=True,
    )


def _quality(report: StudyReport, one: ComparisonResult | None) -> str:
    if one is None:
        return "baseline"
    scale = scale_of(report)
    gap = scale.gap(one.estimate, standard_error=standard_error(one))
    return f"{gap}: {verdict_name(one.verdict, scale.margin(report.plan.margin))}"


def _of_solo_trials(arm: ArmCost, figure: str) -> str:
    return "no solo trial" if arm.n_seeds and not arm.n_solo else figure


def _on_solo_trials(report: StudyReport) -> list[str]:
    """Say once on which trials times and memory rest where not every trial was alone, and how to measure the rest."""
    costs = [arm for arm in report.costs if arm.n_solo < arm.n_seeds]
    if not costs:
        return []
    packs = [size for arm in costs for size in arm.pack_sizes]
    why = f"; trials {in_packs(packs)} have none of their own" if packs else ""
    note = f"Training time and peak memory: of solo trials, each alone on its device{why}."
    if not all(arm.n_solo for arm in costs):
        note += f" To measure them: harness run STUDY engine=trainer seeds=3 name={report.name}-solo."
    some: dict[str, list[str]] = {}
    for arm in costs:
        if arm.n_solo:
            some.setdefault(f"{arm.n_solo} of {arm.n_seeds}", []).append(arm.arm)
    told = "; ".join(f"{count} in {', '.join(arms)}" for count, arms in some.items())
    return [note, *([f"Solo trials: {told}."] if told else [])]


def _metric(report: StudyReport) -> str:
    title = METRICS[report.plan.metric].title
    return f"{title[0].upper()}{title[1:]}"


def _share(share: float) -> str:
    return percent(share, places=0 if share in (0, 1) else 2)


def _sampling_error(share: float, n: int) -> float:
    return math.sqrt(share * (1 - share) / n) if n and not math.isnan(share) else math.nan
