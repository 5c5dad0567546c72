"""Arm table: the study's metric by arm, its spread over seeds, calibration and trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.summaries import ArmSummary
from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import percent
from analysis.tables.table import UNKNOWN, Column, Table, seeds_by_examples, without_test

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_JUDGED = "; the table of verdicts judges the gaps between arms"


def arm_table(report: StudyReport, footer: str) -> Table:
    """Lay out the study's metric by arm."""
    scale = scale_of(report)
    calibrated = report.answers == "probabilities"
    summaries = [(arm, standard_error(report, arm)) for arm in report.arms]
    return Table(
        title=f"{metric_title(report)} by arm",
        columns=(
            Column("Arm", [arm.arm for arm in report.arms]),
            Column("Mean", [scale.score(arm.mean, standard_error=error) for arm, error in summaries], numeric=True),
            Column(
                "SD over seeds",
                [scale.gap(arm.sd, standard_error=error, signed=False) for arm, error in summaries],
                numeric=True,
            ),
            Column(
                "Lowest to highest",
                [
                    " to ".join(scale.score(value, standard_error=error) for value in (arm.minimum, arm.maximum))
                    if not math.isnan(arm.minimum)
                    else UNKNOWN
                    for arm, error in summaries
                ],
                numeric=True,
            ),
            *(
                [Column("ECE", [percent(arm.calibration_error, places=1) for arm in report.arms], numeric=True)]
                if calibrated
                else []
            ),
            Column(
                "Trials",
                [
                    ", ".join(f"{count} {status}" for status, count in sorted(arm.statuses.items()))
                    for arm in report.arms
                ],
            ),
            *without_test([seeds_by_examples(len(arm.seeds), arm.n_examples) for arm in report.arms]),
        ),
        notes=(
            f"This describes these trials{'' if report.withheld else _JUDGED}."
            + (
                " ECE: expected calibration error (15 bins), how far confidence is from accuracy." if calibrated else ""
            ),
            *(f"{arm.arm}: {arm.reason}." for arm in report.arms if len(arm.seeds) > 1 and arm.reason),
        ),
        footer=footer,
    )


def metric_title(report: StudyReport) -> str:
    """Return the name of the study's metric as a title begins."""
    return report.plan.kind.heading


def sampling_error(share: float, n: int) -> float:
    """Return the standard error of a share of so many examples; NaN without any."""
    return math.sqrt(share * (1 - share) / n) if n and not math.isnan(share) else math.nan


def standard_error(report: StudyReport, arm: ArmSummary) -> float:
    """Return the standard error that sets the digits of an arm's mean: over its seeds, or that of one trial's share."""
    if len(arm.seeds) > 1:
        return arm.sd / math.sqrt(len(arm.seeds))
    # One trial has no spread over seeds; the test set's own sampling error then sets the digits.
    return sampling_error(arm.mean, arm.n_examples) if report.plan.metric == "accuracy" else math.nan
