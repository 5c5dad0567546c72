"""Frames of uncertainty: where it comes from, which gaps it leaves to be found, and what would decide the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.frames.columns import Column, count, flag, limits, note, number, text
from analysis.study.frames.compared import arms_of, rests_on
from analysis.study.goals import goals_of

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def deciding(report: StudyReport) -> list[Column]:
    """Return what it takes to decide each undecided comparison: seeds in each arm, or test examples."""
    goals = list(goals_of(report.comparisons))
    settlings = [goal.settling for goal in goals]
    return [
        *arms_of([goal.pair for goal in goals]),
        text("to_show", ["gap" if one.margin is None else "equivalence" for one in settlings]),
        number("gap", [abs(one.gap) for one in settlings]),
        flag("as_observed", [goal.as_observed for goal in goals]),
        number("margin", [one.margin for one in settlings]),
        count("seeds", [one.seeds_needed for one in settlings]),
        count("seeds_low", [one.seeds_needed_range[0] for one in settlings]),
        count("seeds_high", [one.seeds_needed_range[1] for one in settlings]),
        count("examples", [one.examples_needed for one in settlings]),
        count("examples_low", [one.examples_needed_range[0] for one in settlings]),
        count("examples_high", [one.examples_needed_range[1] for one in settlings]),
        count("more_seeds", [goal.more_seeds for goal in goals]),
        number("more_seconds", [goal.more_seconds(report.costs) for goal in goals]),
        number("alpha", [report.plan.alpha / len(report.comparisons) for _ in goals]),
        *rests_on([goal.pair for goal in goals]),
        note("reason", [one.reason for one in settlings]),
    ]


def variance(report: StudyReport) -> list[Column]:
    """Return the variance components of every gap, and the share of each in the squared standard error."""
    pairs = report.comparisons if report.crossing is None else ()
    # Without a standard error there is nothing to take apart, and nothing to plan from.
    results = [pair.result if pair.settling_margin else None for pair in pairs]
    parts = [one.components if one else None for one in results]
    shares = [one.shares if one else (None, None, None) for one in results]
    return [
        *arms_of(pairs),
        number("seed_sd", [math.sqrt(one.seed) if one else None for one in parts]),
        *limits((one.seed_sd_interval if one else None for one in parts), of="seed_sd"),
        number("example_sd", [math.sqrt(one.example) if one else None for one in parts]),
        *limits((one.example_sd_interval if one else None for one in parts), of="example_sd"),
        number("residual_sd", [math.sqrt(one.residual) if one else None for one in parts]),
        number("share_seeds", [seeds for seeds, *_ in shares]),
        number("share_examples", [examples for _, examples, _ in shares]),
        number("share_rest", [rest for *_, rest in shares]),
        number("seed_correlation", [one.seed_correlation if one else None for one in results]),
        *rests_on(pairs),
        note("reason", [pair.reason for pair in pairs]),
    ]


def sources(report: StudyReport) -> list[Column]:
    """Return what the uncertainty of each gap is made of where seeds of two kinds cross."""
    pairs = report.comparisons if report.crossing is not None else ()
    found = [pair.result.by_source if pair.result else None for pair in pairs]
    return [
        *arms_of(pairs),
        number("sd_initialisations", [one.first_sd if one else None for one in found]),
        number("sd_data_orders", [one.second_sd if one else None for one in found]),
        number("sd_interaction", [one.interaction_sd if one else None for one in found]),
        number("share_initialisations", [one.shares.first if one else None for one in found]),
        number("share_data_orders", [one.shares.second if one else None for one in found]),
        number("share_interaction", [one.shares.interaction if one else None for one in found]),
        number("share_examples", [one.shares.example if one else None for one in found]),
        number("share_rest", [one.shares.residual if one else None for one in found]),
        count("n_initialisations", [one.n_first if one else None for one in found]),
        count("n_data_orders", [one.n_second if one else None for one in found]),
        *rests_on(pairs),
        note("reason", [pair.reason for pair in pairs]),
    ]


def detectable(report: StudyReport) -> list[Column]:
    """Return the smallest gaps that can be found with the seeds at hand, and with any number of them."""
    pairs = report.comparisons if report.crossing is None else ()
    found = [pair.settling_margin for pair in pairs]
    return [
        *arms_of(pairs),
        number("detectable_gap", [one.detectable_gap if one else None for one in found]),
        number("floor_gap", [one.floor_gap if one else None for one in found]),
        *limits((one.floor_gap_range if one else None for one in found), of="floor_gap"),
        number("alpha", [report.plan.alpha / len(pairs) for _ in pairs]),
        *rests_on(pairs),
        note("reason", [pair.reason for pair in pairs]),
    ]
