"""Frame of requirements: what was required of a study, and whether it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.frames.columns import Column, limits, note, number, text
from analysis.study.frames.compared import rests_on

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def requirements(report: StudyReport) -> list[Column]:
    """Return every requirement with its answer."""
    answered = report.requirements
    asked = [one.requirement for one in answered]
    return [
        text("arm", [one.arm for one in asked]),
        text("relation", [one.relation for one in asked]),
        text("other", [one.other for one in asked]),
        number("margin", [one.margin for one in asked]),
        text("answer", [one.answer for one in answered]),
        number("gap", [one.estimate for one in answered]),
        *limits(one.interval for one in answered),
        number("confidence", [one.pair.verdict_confidence for one in answered]),
        number("p", [one.p_value for one in answered]),
        *rests_on([one.pair for one in answered]),
        note("reason", [one.reason for one in answered]),
    ]
