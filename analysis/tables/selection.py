"""Selection table: the score at the last epoch, at the one chosen on the hold-out, and at the best on test."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.metrics.metric_kinds import MetricKind
from analysis.study.epoch_selection import selection_score
from analysis.tables.comparison_cells import standard_error
from analysis.tables.digits import Scale, confidence_level
from analysis.tables.notes import about_the_first_set
from analysis.tables.table import Column, Table, n_test_population, seeds_by_examples

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def selection_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out the score at every choice of the epoch, by arm; None where trials have one epoch."""
    lifts = report.selection_lifts
    if not lifts:
        return None
    published = any(lift.published for lift in lifts)
    metrics = " or ".join(dict.fromkeys(lift.metric for lift in lifts))
    kind = selection_score(report.metric)
    scale = Scale(kind.share)
    rows = [(lift, standard_error_of_arm(report, lift.arm, lift.n_seeds)) for lift in lifts]
    return Table(
        title="As published: the best epoch on the test split"
        if published
        else "What choosing the epoch on the test split would add",
        columns=(
            Column("Arm", [lift.arm for lift in lifts]),
            Column("Epochs", [str(lift.n_epochs) for lift in lifts], numeric=True),
            Column("Last epoch", [scale.score(lift.last, standard_error=error) for lift, error in rows], numeric=True),
            Column(
                "Chosen on hold-out",
                [scale.score(lift.holdout, standard_error=error) for lift, error in rows],
                numeric=True,
            ),
            Column(
                "Best on test", [scale.score(lift.best, standard_error=error) for lift, error in rows], numeric=True
            ),
            Column(
                "Selection lift", [scale.gap(lift.lift, standard_error=error) for lift, error in rows], numeric=True
            ),
            Column(
                f"{confidence_level(1 - lifts[0].confidence)} interval",
                [scale.interval(lift.interval, standard_error=error) for lift, error in rows],
                numeric=True,
            ),
            *n_test_population(
                [seeds_by_examples(lift.n_seeds, lift.n_examples) for lift in lifts],
                ["none" if report.crossing else "paired t"] * len(lifts),
                [lift.generalizes_to for lift in lifts],
            ),
        ),
        notes=(
            f"{kind.heading}. Best on test: at the best epoch by {metrics}. Choosing the "
            "epoch on the test split flatters an arm by the selection lift: best on test minus last epoch, paired by "
            "seed. Such a figure gets no verdict; verdicts use the last epoch or the one chosen on the hold-out.",
            *_gaps(report, kind),
            *about_the_first_set(report),
        ),
        footer=footer,
        detail=not published,
    )


def standard_error_of_arm(report: StudyReport, arm: str, n_seeds: int) -> float:
    """Return the standard error over seeds that sets the digits of scores at a choice of the epoch; NaN if unknown."""
    (sd,) = (one.sd for one in report.arms if one.arm == arm)
    return sd / math.sqrt(n_seeds) if report.plan.metric == selection_score(report.metric).name and sd > 0 else math.nan


def _gaps(report: StudyReport, kind: MetricKind) -> list[str]:
    """Say how the gaps move with the choice of the epoch."""
    if not report.selected_gaps:
        return []
    scale, parts = Scale(kind.share), []
    # Points have two decimals; what other gaps deserve, the test of the gap says.
    errors = {pair.name: math.nan if kind.share else standard_error(pair) for pair in report.comparisons}
    for gap in report.selected_gaps:
        name = f"{gap.treatment} against {gap.baseline}"
        last, chosen, best = (
            scale.gap(value, standard_error=errors[name]) for value in (gap.last, gap.holdout, gap.best)
        )
        holdout = "" if math.isnan(gap.holdout) else f", {chosen} at the epoch chosen on the hold-out"
        parts.append(f"{name} {last} at the last epoch{holdout}, {best} at the best epoch on test")
    return [f"Gaps in {kind.title}: {'; '.join(parts)}."]
