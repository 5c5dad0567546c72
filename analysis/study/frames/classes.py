"""Frames of classes and of answers: precision and recall, the gaps in them, and how far runs agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.frames.columns import Column, count, note, number, text
from analysis.study.frames.compared import answers, arms_of, sizes

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def classes(report: StudyReport) -> list[Column]:
    """Return precision, recall and F1 of every arm and class."""
    rows = report.classes
    return [
        text("arm", [row.arm for row in rows]),
        text("label", [row.label for row in rows]),
        number("precision", [row.precision for row in rows]),
        number("recall", [row.recall for row in rows]),
        number("f1", [row.f1 for row in rows]),
        count("n_precision", [row.n_defined[0] for row in rows]),
        count("n_recall", [row.n_defined[1] for row in rows]),
        count("n_f1", [row.n_defined[2] for row in rows]),
        count("n_seeds", [row.n_seeds for row in rows]),
        count("n_class_examples", [row.n_class_examples for row in rows]),
        note("reason", [row.reason for row in rows]),
    ]


def class_comparisons(report: StudyReport) -> list[Column]:
    """Return the gaps of every comparison in precision and recall of every class, with their verdicts."""
    rows = report.class_comparisons
    return [
        *arms_of(rows),
        text("label", [row.label for row in rows]),
        text("measure", [row.measure for row in rows]),
        *answers(rows),
        number("margin", [report.class_margin for _ in rows]),
    ]


def agreement(report: StudyReport) -> list[Column]:
    """Return how far the seeds of an arm agree, example by example."""
    arms = report.consistencies
    found = [one for _, one in arms]
    return [
        text("arm", [arm for arm, _ in arms]),
        number("always_right", [one.always_right for one in found]),
        number("always_wrong", [one.always_wrong for one in found]),
        number("disputed", [one.disputed for one in found]),
        number("churn", [one.churn for one in found]),
        count("n_seeds", [one.n_seeds for one in found]),
        count("n_examples", [one.n_examples for one in found]),
        note("reason", [one.reason for one in found]),
    ]


def churn(report: StudyReport) -> list[Column]:
    """Return how often two arms answer differently, against two seeds of one arm."""
    rows = [(pair, one) for pair, one in zip(report.comparisons, report.churns, strict=True) if one is not None]
    pairs = [pair for pair, _ in rows]
    return [
        *arms_of(pairs),
        number("between", [one.between for _, one in rows]),
        number("within", [one.within for _, one in rows]),
        number("excess", [one.excess for _, one in rows]),
        *sizes(pairs),
        note("reason", [one.reason for _, one in rows]),
    ]
