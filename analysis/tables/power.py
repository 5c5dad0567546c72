"""Power tables for `harness plan`: what a study can find or show, and the seeds, test examples and time it takes."""

from __future__ import annotations

import math
from collections.abc import Callable

from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.power.planning import Plan, Span
from analysis.study.plan import AnalysisPlan
from analysis.study.power import StudyPower
from analysis.tables.digits import (
    Scale,
    alpha_of_each,
    exact_count,
    factor,
    percent,
    planned_range,
    planned_seeds,
    probability,
    significant_digits,
    small_percent,
    stated_percent,
    time_taken,
)
from analysis.tables.notes import mixed_times
from analysis.tables.table import UNKNOWN, Column, Table, seeds_by_examples
from analysis.words import counted, estimated_count, in_packs

_NEVER = "never"


def power_tables(power: StudyPower, plan: AnalysisPlan, *, over: str = "new seeds") -> tuple[Table, Table, Table]:
    """Lay out what the comparisons of a study can find, and what its margin and equivalence within it would take.

    Every figure has its range over what varies.

    Parameters
    ----------
    power : StudyPower
        From `analysis.study.power.study_power`.
    plan : AnalysisPlan
        The study's plan.
    over : str
        What is drawn anew beside the test examples, in words.
    """
    scale, rows = Scale(plan.kind.share), [row for _, row in power.plans]
    names = Column("Comparison", [name for name, _ in power.plans])
    margin = scale.margin(plan.margin)
    return (
        Table(
            title="What the study can find",
            columns=(
                names,
                Column("Detectable gap", [_gaps(scale, row.detectable_gap) for row in rows], numeric=True),
                Column("Floor", [_gaps(scale, row.floor_gap) for row in rows], numeric=True),
                Column(f"Chance to find {margin}", [_span(row.chance, probability) for row in rows], numeric=True),
                Column("Time", [time_taken(3600 * row.hours) for row in rows], numeric=True),
                Column("Seeds × examples", [seeds_by_examples(row.n_seeds, row.n_examples) for row in rows]),
            ),
            notes=(
                _source(power),
                f"For {percent(rows[0].power, places=0)} power at {alpha_of_each(plan.alpha, power.n_comparisons)}, "
                f"over {over} and new examples, by the test that so many seeds and arms get. Detectable gap: the "
                "smallest true gap that is found. Floor: the same with any number of seeds; only more test examples "
                "find a smaller gap.",
                *_too_small(power, plan, margin),
                *_one_run(power, scale, margin),
                *_looks(power),
            ),
            footer="",
        ),
        Table(
            title=f"To find a gap of {margin}, the margin",
            columns=(
                names,
                Column("Seeds per arm", [_needed(row.seeds_needed, _seeds) for row in rows], numeric=True),
                Column("or test examples", [_needed(row.examples_needed, _examples) for row in rows], numeric=True),
                Column("Overstated by", [_span(row.type_m, factor) for row in rows], numeric=True),
                Column("Wrong sign", [_span(row.type_s, small_percent) for row in rows], numeric=True),
                Column("Time", [time_taken(3600 * row.hours_needed.value) for row in rows], numeric=True),
            ),
            notes=(
                "Seeds per arm on this test set, or test examples with the study's seeds. Overstated by, wrong sign: "
                "if the true gap is that large and the study of the table above finds it, how many times too large the "
                "observed gap is on average, and how often it has the wrong sign.",
                *(["Test examples are counted in clusters."] if power.clustered else []),
                *(f"{name}: {row.reason}." for name, row in power.plans if row.reason),
            ),
            footer="",
        ),
        Table(
            title=f"To show equivalence within {margin}, if the arms are equal",
            columns=(
                names,
                Column(
                    "Chance with the study's seeds",
                    [_span(row.equivalence_chance, _chance_of_equivalence(row)) for row in rows],
                    numeric=True,
                ),
                Column("Seeds per arm", [_needed(row.equivalence_seeds, _seeds) for row in rows], numeric=True),
                Column(
                    "or test examples", [_needed(row.equivalence_examples, _examples) for row in rows], numeric=True
                ),
                Column("Time", [time_taken(3600 * row.equivalence_hours.value) for row in rows], numeric=True),
            ),
            notes=(
                "By both one-sided tests, at the same power and the same alpha. A true gap that is not 0 takes more, "
                "and one as large as the margin is never shown to lie within it.",
            ),
            footer="",
        ),
    )


def _source(power: StudyPower) -> str:
    if power.stated is None:
        packs = power.pack_sizes
        each = f"trials {in_packs(packs)} counted with their share of the pack" if packs else "one trial at a time"
        return (
            f"From {counted(power.pilot_seeds, 'seed')} that have run. In brackets: at the 95% limits of the variation "
            f"over seeds and over examples, which are wide with few seeds. Time: all seeds of both arms, {each}."
            + "".join(f" {note}" for note in mixed_times(power.mixed))
        )
    stated = power.stated
    figures = (stated.seed_sd, stated.discordance, stated.rerun_discordance)
    sd, discordance, rerun_discordance = map(stated_percent, figures)
    return (
        f"Assumed, because nothing has run: accuracy varies over seeds with an SD of {sd} (in brackets: half and twice "
        f"that); exactly one of two trials is right on {discordance} of the test examples if they are of two arms, and "
        f"on {rerun_discordance} if they are two seeds of one arm. State your own figures with --seed-sd, "
        "--discordance and --rerun-discordance; after two seeds the study's own are used."
    )


def _too_small(power: StudyPower, plan: AnalysisPlan, margin: str) -> list[str]:
    row = power.plans[0].plan
    notes = []
    if row.n_seeds < SEEDS_FOR_A_VERDICT:
        notes.append(
            f"{counted(row.n_seeds, 'seed')} per arm give an interval, but every verdict stays undecided: a verdict "
            f"needs {SEEDS_FOR_A_VERDICT} seeds."
        )
    if plan.metric == "accuracy" and not power.clustered and plan.margin < 1 / row.n_examples:
        notes.append(
            f"The margin of {margin} is smaller than one test example of {exact_count(row.n_examples)} "
            f"({Scale(share=True).planned_gap(1 / row.n_examples)})."
        )
    return notes


def _one_run(power: StudyPower, scale: Scale, margin: str) -> list[str]:
    if math.isnan(power.one_run_gap):
        return []
    chance = (
        "" if math.isnan(power.one_run_power) else f", and {margin} with a chance of {probability(power.one_run_power)}"
    )
    return [
        f"With one trial of each arm, the exact McNemar test finds a gap of {scale.planned_gap(power.one_run_gap)} "
        f"between these two trained models{chance}. It says nothing about the procedure."
    ]


def _looks(power: StudyPower) -> list[str]:
    if not power.looks:
        return []
    texts = ", ".join(f"{seeds} seeds p ≤ {significant_digits(p)}" for seeds, p in power.looks)
    return [f"Looks, with the largest p at which a single comparison is significant: {texts}."]


def _span(span: Span[float], text: Callable[[float], str]) -> str:
    value, low, high = text(span.value), text(span.low), text(span.high)
    return value if {low, high} <= {value, UNKNOWN} else f"{value} ({low} to {high})"


def _chance_of_equivalence(row: Plan) -> Callable[[float], str]:
    # With three seeds or more no chance is nothing, though it may lie beyond the digits of its computation.
    return lambda chance: probability(chance, exact_zero=row.n_seeds < SEEDS_FOR_A_VERDICT)


def _needed(span: Span[int | None], text: Callable[[int | None], str]) -> str:
    return planned_range(text(span.value), (text(span.low), text(span.high)), never=_NEVER)


def _gaps(scale: Scale, gap: Span[float]) -> str:
    return scale.planned_gap(gap.value, gap.low, gap.high)


def _seeds(seeds: int | None) -> str:
    return planned_seeds(seeds, never=_NEVER)


def _examples(examples: int | None) -> str:
    return _NEVER if examples is None else estimated_count(examples)
