"""Testable systems: whether the right answers of one trained model follow from the figures of a system, and which."""

from __future__ import annotations

from analysis.published.published_report import PublishedReport
from analysis.published.systems import SystemAudit


def why_not_tested(system: SystemAudit, report: PublishedReport) -> str:
    """Return why McNemar's test cannot be made with the figures of a system; empty where it can."""
    counts = system.readings[0].counts
    if report.systems[system.name].runs_not_said(report.n):
        mean = f"{system.readings[0].accuracy}, the figure of {system.name}, is a mean over runs"
        return f"{mean}, and nothing says over how many, such as runs: 5"
    if system.runs > 1:
        mean = f"{system.name} is a mean over {system.runs} runs"
        return f"{mean}, and McNemar's test compares two trained models"
    if counts is None and system.matrix is None:
        others = ", and its other figures allow more than one" if system.readings[0].fits else ""
        return f"no accuracy of {system.name} is printed{others}"
    if counts is not None and not counts.possible:
        figure = f"{counts.printed}, the figure of {system.name}"
        return f"no number of right answers out of {report.n} rounds to {figure}"
    return ""


def right_answers_of(audited: SystemAudit) -> tuple[int, int]:
    """Return the right answers that the printed figures of a testable system allow, and the log where it agrees."""
    if audited.matrix is not None:
        return (audited.matrix.right_0 + audited.matrix.right_1,) * 2
    known = [audited.readings[0].counts]
    if audited.kept_epoch is not None:
        known.append(audited.readings[audited.kept_epoch].counts)
    counts = [allowed for allowed in known if allowed is not None]
    low, high = max(allowed.low for allowed in counts), min(allowed.high for allowed in counts)
    return (low, high) if low <= high else (counts[0].low, counts[0].high)
