"""Frames of figures that get no verdict: what choosing the epoch adds, and published gaps beside measured ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.epoch_selection import selection_score
from analysis.study.frames.columns import Column, count, flag, limits, note, number, text
from analysis.study.made_tests import primary_test_name

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def selection(report: StudyReport) -> list[Column]:
    """Return the score of every arm at each choice of the epoch, and what choosing it on the test split adds."""
    lifts = report.selection_lifts
    return [
        text("arm", [lift.arm for lift in lifts]),
        text("score", [selection_score(report.metric).label for _ in lifts]),
        number("last", [lift.last for lift in lifts]),
        number("holdout", [lift.holdout for lift in lifts]),
        number("best", [lift.best for lift in lifts]),
        number("lift", [lift.lift for lift in lifts]),
        *limits(lift.interval for lift in lifts),
        number("confidence", [lift.confidence for lift in lifts]),
        count("n_epochs", [lift.n_epochs for lift in lifts]),
        text("best_by", [lift.metric for lift in lifts]),
        flag("published", [lift.published for lift in lifts]),
        count("n_seeds", [lift.n_seeds for lift in lifts]),
        count("n_examples", [lift.n_examples for lift in lifts]),
        note("generalizes_to", [lift.generalizes_to for lift in lifts]),
    ]


def selection_gaps(report: StudyReport) -> list[Column]:
    """Return the gap of every comparison at each choice of the epoch; a description without a test."""
    gaps = report.selected_gaps
    return [
        text("treatment", [gap.treatment for gap in gaps]),
        text("baseline", [gap.baseline for gap in gaps]),
        text("score", [selection_score(report.metric).label for _ in gaps]),
        number("last", [gap.last for gap in gaps]),
        number("holdout", [gap.holdout for gap in gaps]),
        number("best", [gap.best for gap in gaps]),
        count("n_seeds", [gap.n_seeds for gap in gaps]),
        count("n_examples", [gap.n_examples for gap in gaps]),
    ]


def epochs(report: StudyReport) -> list[Column]:
    """Return the score of every arm after each epoch, and for how many runs the test split would pick it."""
    rows = [(curve, at) for curve in report.epoch_curves for at in range(len(curve.epochs))]
    return [
        text("arm", [curve.arm for curve, _ in rows]),
        count("epoch", [curve.epochs[at] for curve, at in rows]),
        text("score", [selection_score(report.metric).label for _ in rows]),
        number("mean", [curve.mean[at] for curve, at in rows]),
        number("lowest", [curve.lowest[at] for curve, at in rows]),
        number("highest", [curve.highest[at] for curve, at in rows]),
        count("n_picked", [curve.n_picked[at] for curve, at in rows]),
        count("n_runs", [curve.n_runs[at] for curve, at in rows]),
        count("n_examples", [curve.n_examples for curve, _ in rows]),
    ]


def claims(report: StudyReport) -> list[Column]:
    """Return published gaps beside the measured ones."""
    rows = report.claims
    # Figures are published of one test set.
    comparisons = report.sets[0].comparisons if report.sets else report.comparisons
    by_arms = {(pair.treatment, pair.baseline): pair for pair in comparisons}
    checked = [by_arms.get((one.treatment, one.baseline)) if one.kind == "check" else None for one in rows]
    results = [pair.result if pair else None for pair in checked]
    return [
        text("source", [one.source for one in rows]),
        text("kind", [one.kind for one in rows]),
        note("treatment", [one.treatment for one in rows]),
        note("baseline", [one.baseline for one in rows]),
        note("printed_treatment", [one.printed[0] for one in rows]),
        note("printed_baseline", [one.printed[1] for one in rows]),
        number("published_gap", [one.published_gap for one in rows]),
        number("half_width", [one.half_width for one in rows]),
        count("n_published", [one.n for one in rows]),
        number("measured_gap", [one.measured_gap for one in rows]),
        *limits(one.interval for one in rows),
        number("confidence", [pair.verdict_confidence if pair else None for pair in checked]),
        note("verdict", [one.verdict for one in rows]),
        flag("inside", [one.inside for one in rows]),
        text("reading", [one.reading for one in rows]),
        text("test", [primary_test_name(pair.result) if pair else None for pair in checked]),
        count("n_seeds_treatment", [one.n_seeds[0] if one else None for one in results]),
        count("n_seeds_baseline", [one.n_seeds[1] if one else None for one in results]),
        count("n_examples", [pair.n_examples if pair else None for pair in checked]),
        count("n_clusters", [pair.n_clusters if pair else None for pair in checked]),
        note("generalizes_to", [one.generalizes_to if one else None for one in results]),
    ]
