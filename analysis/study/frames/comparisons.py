"""Frames of comparisons: verdicts, intervals, tests, and the arms that may be the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.study.frames.columns import Column, count, flag, limits, note, number, text
from analysis.study.frames.compared import answers, arms_of, rests_on, sizes
from analysis.study.made_tests import made_tests
from analysis.study.set_verdicts import with_set_names

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def verdicts(report: StudyReport) -> list[Column]:
    """Return the verdict of every comparison of the plan."""
    pairs = report.comparisons
    return [*arms_of(pairs), *answers(pairs), note("unlike", [pair.unlike for pair in pairs])]


def set_verdicts(report: StudyReport) -> list[Column]:
    """Return the verdict of every comparison on each of several test sets."""
    rows = with_set_names(report.sets, [one.comparisons for one in report.sets])
    pairs = [pair for _, pair in rows]
    return [
        *arms_of(pairs),
        text("test_set", [name for name, _ in rows]),
        *answers(pairs),
        note("unlike", [pair.unlike for pair in pairs]),
    ]


def set_counts(report: StudyReport) -> list[Column]:
    """Return the p-value of a gap on at least 1, 2, ... of the test sets, for both directions."""
    rows = [
        (one, direction, at_least, p, at_least <= shown)
        for one in report.set_counts
        for direction, shown, p_values in (("better", one.better, one.better_p), ("worse", one.worse, one.worse_p))
        for at_least, p in enumerate(p_values, start=1)
    ]
    return [
        text("treatment", [one.treatment for one, *_ in rows]),
        text("baseline", [one.baseline for one, *_ in rows]),
        text("direction", [direction for _, direction, *_ in rows]),
        count("at_least", [at_least for _, _, at_least, *_ in rows]),
        count("n_sets", [one.n_sets for one, *_ in rows]),
        number("p", [p for *_, p, _ in rows]),
        flag("shown", [shown for *_, shown in rows]),
    ]


def intervals(report: StudyReport) -> list[Column]:
    """Return the intervals of every comparison alone and of all together, and the posterior probabilities."""
    pairs = report.comparisons
    return [
        *arms_of(pairs),
        number("gap", [pair.estimate for pair in pairs]),
        *limits(pair.interval for pair in pairs),
        number("confidence", [pair.confidence for pair in pairs]),
        *limits((pair.family_interval for pair in pairs), of="family"),
        number("family_confidence", [pair.family_confidence for pair in pairs]),
        *limits((pair.seeds_only for pair in pairs), of="seeds_only"),
        *limits((pair.examples_only for pair in pairs), of="examples_only"),
        number("only_confidence", [pair.verdict_confidence for pair in pairs]),
        number("probability_below", [pair.posterior.below for pair in pairs]),
        number("probability_within", [pair.posterior.within for pair in pairs]),
        number("probability_above", [pair.posterior.above for pair in pairs]),
        *rests_on(pairs),
        note("reason", [pair.reason for pair in pairs]),
    ]


def tests(report: StudyReport) -> list[Column]:
    """Return every test of every comparison; of a test about two trained models one row a seed."""
    rows = [test for pair in report.comparisons for test in made_tests(pair)]
    won = [test.won.interval if test.won else None for test in rows]
    return [
        *arms_of([test.pair for test in rows]),
        text("test", [test.name for test in rows]),
        count("seed", [test.seed for test in rows]),
        number("gap", [test.gap for test in rows]),
        number("p", [test.p_value for test in rows]),
        number("p_corrected", [test.corrected_p for test in rows]),
        number("statistic", [test.statistic for test in rows]),
        number("df", [test.df for test in rows]),
        note("design", [test.design for test in rows]),
        number("p_percentile", [test.percentile_p for test in rows]),
        count("resamples", [test.resamples for test in rows]),
        number("floor", [test.floor for test in rows]),
        number("won", [test.won.estimate if test.won else None for test in rows]),
        *limits(won, of="won"),
        *sizes([test.pair for test in rows]),
        note("generalizes_to", [test.generalizes_to for test in rows]),
        note("remark", [test.remark for test in rows]),
    ]


def best(report: StudyReport) -> list[Column]:
    """Return every arm against the best of the others; an arm that could not be judged has a reason."""
    found = report.best
    contenders = {one.arm: one for one in found.contenders}
    rows = [(arm, contenders.get(arm.arm)) for arm in report.arms]
    not_judged = dict(found.not_judged)
    return [
        text("arm", [arm.arm for arm, _ in rows]),
        number("mean", [arm.mean for arm, _ in rows]),
        text("rival", [one.rival if one else None for _, one in rows]),
        number("gap", [one.estimate if one else None for _, one in rows]),
        *limits(one.interval if one else None for _, one in rows),
        number("confidence", [found.confidence for _ in rows]),
        flag("may_be_best", [one.in_set if one else None for _, one in rows]),
        number("standard_error", [one.standard_error if one else None for _, one in rows]),
        count("n_arms", [found.n_arms or None for _ in rows]),
        count("n_seeds", [len(arm.seeds) for arm, _ in rows]),
        count("n_examples", [report.n_examples for _ in rows]),
        count("n_clusters", [report.n_clusters for _ in rows]),
        note("generalizes_to", [found.generalizes_to if one else "" for _, one in rows]),
        note("reason", [not_judged.get(arm.arm, found.reason) for arm, _ in rows]),
    ]
