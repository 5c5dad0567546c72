"""Tables that look below the headline: classes one by one, what selection adds, and how far runs agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.class_comparisons import ClassComparison
from analysis.tables.digits import level, p_value, percent, plain_points, points, points_interval
from analysis.tables.table import BASIS, UNKNOWN, Table
from analysis.tables.verdicts import by_reason, size
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_DESCRIBED = ("none", "these runs")


def class_comparisons(report: StudyReport, footer: str) -> Table | None:
    """Lay out the paired differences in precision and recall of every class; None without a test."""
    if not report.class_comparisons:
        return None
    interval = f"{level(1 - report.class_comparisons[0].confidence)} interval"
    rows = [_class_row(one) for one in report.class_comparisons]
    never = by_reason(
        [
            (f"{one.treatment} against {one.baseline}, {one.measure} of {one.label}", one.verdict.reason)
            for one in report.class_comparisons
        ]
    )
    return Table(
        title="Precision and recall by class, compared",
        columns=("Comparison", "Measure", "Gap", interval, "Corrected p", "Verdict", *BASIS),
        numeric=frozenset(("Gap", interval, "Corrected p")),
        rows=tuple(rows),
        notes=(
            f"Corrected over all {counted(len(rows), 'row')} of this table together, apart from the verdicts of the "
            "plan; equivalent means within "
            f"{plain_points(report.class_margin)}. Precision enters through influence values; recall is about new "
            "examples of its class.",
            *never,
        ),
        footer=footer,
        detail=True,
    )


def _class_row(one: ClassComparison) -> tuple[str, ...]:
    error = one.result.standard_error if one.result else math.nan
    test = "none"
    if one.result is not None:
        test = "crossed t, paired" if one.result.design == "A" else "crossed t, unpaired"
    return (
        f"{one.treatment} against {one.baseline}",
        f"{one.measure} of {one.label}",
        points(one.estimate, standard_error=error),
        points_interval(one.interval, standard_error=error),
        p_value(one.difference_p),
        one.verdict.label,
        size(len(one.seeds), one.n_examples, one.n_clusters),
        test,
        one.result.generalizes_to if one.result else UNKNOWN,
    )


def selection(report: StudyReport, footer: str) -> Table | None:
    """Lay out accuracy at every choice of the epoch, by arm; None where trials have one epoch."""
    if not report.selection_lifts:
        return None
    by_arm = {arm.arm: arm for arm in report.arms}
    published = any(lift.published for lift in report.selection_lifts)
    rows = []
    for lift in report.selection_lifts:
        sd = by_arm[lift.arm].sd if report.plan.metric == "accuracy" else math.nan
        error = sd / math.sqrt(lift.n_seeds) if sd > 0 else math.nan
        rows.append(
            (
                lift.arm,
                str(lift.n_epochs),
                percent(lift.last, standard_error=error),
                percent(lift.holdout, standard_error=error),
                percent(lift.best, standard_error=error),
                points(lift.lift, standard_error=error),
                points_interval(lift.interval, standard_error=error),
                size(lift.n_seeds, lift.n_examples),
                "paired t",
                lift.generalizes_to,
            )
        )
    interval = f"{level(1 - report.selection_lifts[0].confidence)} interval"
    heads = ("Epochs", "Last epoch", "Hold-out's choice", "Best on test", "Selection lift", interval)
    metrics = " or ".join(dict.fromkeys(lift.metric for lift in report.selection_lifts))
    return Table(
        title="As published: the best epoch on the test split" if published else "What selection on test would add",
        columns=("Arm", *heads, *BASIS),
        numeric=frozenset(heads),
        rows=tuple(rows),
        notes=(
            f"Accuracy; best on test by {metrics}. Choosing the epoch on the test split flatters an arm by the "
            "selection lift: best on test less last epoch, paired by seed. Such a figure gets no verdict; the verdicts "
            "use the last epoch or the hold-out's choice.",
            *_gaps(report),
        ),
        footer=footer,
        detail=not published,
    )


def _gaps(report: StudyReport) -> list[str]:
    """Say how the gaps move with the choice of the epoch."""
    if not report.selected_gaps:
        return []
    parts = []
    for gap in report.selected_gaps:
        holdout = "" if math.isnan(gap.holdout) else f", {points(gap.holdout)} at the hold-out's choice"
        parts.append(
            f"{gap.treatment} against {gap.baseline} {points(gap.last)} at the last epoch{holdout}, "
            f"{points(gap.best)} at the best on test"
        )
    return [f"Gaps in accuracy: {'; '.join(parts)}."]


def agreement(report: StudyReport, footer: str) -> Table | None:
    """Lay out how far the seeds of an arm agree; None where no trial finished."""
    if not report.consistencies:
        return None
    rows = [
        (
            arm,
            percent(one.always_right, places=1),
            percent(one.always_wrong, places=1),
            percent(one.disputed, places=1),
            percent(one.churn, places=1),
            size(one.n_seeds, one.n_examples),
            *_DESCRIBED,
        )
        for arm, one in report.consistencies
    ]
    heads = ("All seeds right", "All wrong alike", "Disputed", "Churn between seeds")
    compared = [
        f"{pair.name}: {percent(one.between, places=1)} between the arms, {percent(one.within, places=1)} between "
        f"seeds of one arm ({points(one.excess)})"
        for pair, one in zip(report.comparisons, report.churns, strict=True)
        if one is not None and not one.reason
    ]
    return Table(
        title="Agreement of the seeds",
        columns=("Arm", *heads, *BASIS),
        numeric=frozenset(heads),
        rows=tuple(rows),
        notes=(
            "Shares of the test sentences. Churn: on how many two runs say different things, mean over pairs; the "
            "three shares before it depend on the number of seeds, churn does not.",
            *([f"Churn, {'; '.join(compared)}."] if compared else []),
        ),
        footer=footer,
        detail=True,
    )
