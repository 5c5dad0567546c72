"""Frames of where the results come from, and of what to know before trusting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.frames.columns import Column, count, flag, text

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def provenance(report: StudyReport) -> list[Column]:
    """Return the study, its plan, and what its trials ran with: one row for each value."""
    plan = report.plan
    of_study: list[tuple[str, object]] = [
        ("study", report.name),
        ("metric", report.metric.label),
        *((key, getattr(plan, key)) for key in ("baseline", "margin", "alpha", "correction", "variance")),
        *(("look", seeds) for seeds in plan.looks),
        ("model", report.model or None),
        ("data", report.data),
        *(("source", file.path) for file in (report.imported.files if report.imported else ())),
    ]
    rows: list[tuple[str, str, int | None, int | None]] = [
        (name, str(value), None, None) for name, value in of_study if value is not None
    ]
    rows += [("test set", one.name, None, one.n_examples) for one in report.sets]
    rows += [(origin.name, value, n, None) for origin in report.footer.origins for value, n in origin.values]
    return [
        text("what", [what for what, *_ in rows]),
        text("value", [value for _, value, *_ in rows]),
        count("n_trials", [n for _, _, n, _ in rows]),
        count("n_examples", [n for *_, n in rows]),
    ]


def caveats(report: StudyReport) -> list[Column]:
    """Return what a reader must know before trusting the tables."""
    found = report.footer.caveats
    return [
        text("short", [one.short for one in found]),
        text("text", [one.text for one in found]),
        flag("on_verdicts", [one.on_verdicts for one in found]),
    ]
