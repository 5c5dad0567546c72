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
        number("margin", [math.nan if one.margin is None else one.margin for one in settlings]),
        count("seeds", [one.seeds_needed for one in settlings]),
        count("seeds_low", [one.seeds_needed_range[0] for one in settlings]),
        count("seeds_high", [one.seeds_needed_range[1] for one in settlings]),
        count("examples", [one.examples_needed for one in settlings]),
        count("examples_low", [one.examples_needed_range[0] for one in settlings]),
        count("examples_high", [one.examples_needed_range[1] for one in settlings]),
        number("more_seconds", [goal.more_seconds(report.costs) for goal in goals]),
        number("alpha", [report.plan.alpha / len(report.comparisons) for _ in goals]),
        *rests_on([goal.pair for goal in goals]),
        note("reason", [one.reason for one in settlings]),
    ]


def variance(report: StudyReport) -> list[Column]:
    """Return the variance components of every gap, and the share of each in the squared standard error."""
    rows = [
        (pair, pair.result)
        for pair in report.comparisons
        if pair.result is not None and pair.settling_margin is not None
    ]
    pairs, parts = [pair for pair, _ in rows], [result.components for _, result in rows]
    shares = [one.shares for one in parts]
    return [
        *arms_of(pairs),
        number("seed_sd", [math.sqrt(one.seed) for one in parts]),
        *limits((one.seed_sd_interval for one in parts), of="seed_sd"),
        number("example_sd", [math.sqrt(one.example) for one in parts]),
        *limits((one.example_sd_interval for one in parts), of="example_sd"),
        number("residual_sd", [math.sqrt(one.residual) for one in parts]),
        number("share_seeds", [seeds for seeds, *_ in shares]),
        number("share_examples", [examples for _, examples, _ in shares]),
        number("share_rest", [rest for *_, rest in shares]),
        number("seed_correlation", [result.seed_correlation for _, result in rows]),
        *rests_on(pairs),
    ]


def sources(report: StudyReport) -> list[Column]:
    """Return what the uncertainty of each gap is made of where seeds of two kinds cross."""
    rows = [
        (pair, by_source)
        for pair in report.comparisons
        if pair.result is not None and (by_source := pair.result.by_source) is not None
    ]
    found = [one for _, one in rows]
    return [
        *arms_of([pair for pair, _ in rows]),
        number("sd_initialisations", [one.first_sd for one in found]),
        number("sd_data_orders", [one.second_sd for one in found]),
        number("sd_interaction", [one.interaction_sd for one in found]),
        number("share_initialisations", [one.shares.first for one in found]),
        number("share_data_orders", [one.shares.second for one in found]),
        number("share_interaction", [one.shares.interaction for one in found]),
        number("share_examples", [one.shares.example for one in found]),
        number("share_rest", [one.shares.residual for one in found]),
        count("n_initialisations", [one.n_first for one in found]),
        count("n_data_orders", [one.n_second for one in found]),
        *rests_on([pair for pair, _ in rows]),
    ]


def detectable(report: StudyReport) -> list[Column]:
    """Return the smallest gaps that can be found with the seeds at hand, and with any number of them."""
    rows = [(pair, pair.settling_margin) for pair in report.comparisons if pair.settling_margin is not None]
    found = [one for _, one in rows]
    return [
        *arms_of([pair for pair, _ in rows]),
        number("detectable_gap", [one.detectable_gap for one in found]),
        number("floor_gap", [one.floor_gap for one in found]),
        *limits((one.floor_gap_range for one in found), of="floor_gap"),
        number("alpha", [report.plan.alpha / len(report.comparisons) for _ in found]),
        *rests_on([pair for pair, _ in rows]),
    ]
