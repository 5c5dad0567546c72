"""The tables of what a study can find, for `harness plan`."""

from __future__ import annotations

import math
from collections.abc import Callable

from analysis.methods.crossed import SEEDS_FOR_A_VERDICT
from analysis.metrics.scores import METRICS
from analysis.power.planning import Span
from analysis.study.plan import AnalysisPlan
from analysis.study.power import POWER, StudyPower
from analysis.tables.digits import Scale, about, duration, percent, probability
from analysis.tables.table import UNKNOWN, Table
from analysis.tables.verdicts import mixed_times, planned_seeds, size
from analysis.words import counted, in_packs

_NEVER = "never"


def outlook_tables(outlook: StudyPower, plan: AnalysisPlan) -> tuple[Table, Table]:
    """Lay out what the comparisons of a study can find, and what its margin would take.

    Every figure has its range over the seed SD.

    Parameters
    ----------
    outlook
        From `analysis.study.power.study_power`.
    plan
        The study's plan.
    """
    scale = Scale(METRICS[plan.metric].share)
    margin = scale.margin(plan.margin)
    finds = ("Finds", "Floor", f"Chance to find {margin}", "Time")
    takes = ("Seeds an arm", "or test sentences", "Found too large by", "Wrong sign", "Time")
    return (
        Table(
            title="What the study can find",
            columns=("Comparison", *finds, "Seeds × examples"),
            numeric=frozenset(finds),
            rows=tuple(
                (
                    name,
                    _gaps(scale, one.detectable_gap),
                    _gaps(scale, one.floor_gap),
                    _span(one.chance, probability),
                    duration(3600 * one.hours),
                    size(one.n_seeds, one.n_examples),
                )
                for name, one in outlook.plans
            ),
            notes=(
                _source(outlook),
                f"For {100 * POWER:.0f}% power at alpha / {outlook.n_comparisons} = "
                f"{plan.alpha / outlook.n_comparisons:.3g}, over new seeds and new examples. Finds: the smallest true "
                "gap that is found. Floor: the same with any number of seeds; below it only more sentences help.",
                *_too_small(outlook, plan, margin),
                *_one_run(outlook, scale, margin),
                *_looks(outlook),
            ),
            footer="",
        ),
        Table(
            title=f"To find a gap of {margin}, the margin",
            columns=("Comparison", *takes),
            numeric=frozenset(takes),
            rows=tuple(
                (
                    name,
                    _span(one.seeds_needed, _seeds),
                    _span(one.examples_needed, lambda count: _NEVER if count is None else about(count)),
                    _span(one.type_m, lambda times: UNKNOWN if math.isnan(times) else f"×{times:.1f}"),
                    _span(one.type_s, lambda share: UNKNOWN if math.isnan(share) else _chance(share)),
                    duration(3600 * one.hours_needed.value),
                )
                for name, one in outlook.plans
            ),
            notes=(
                "Seeds on this test set, or test sentences with the seeds of the study. If the true gap is that large "
                "and the study of the table above finds it: how many times too large it is seen on average, and how "
                "often with the wrong sign.",
                *(["Where it says sentences, clusters of them are counted."] if outlook.clustered else []),
                *(f"{name}: {one.reason}." for name, one in outlook.plans if one.reason),
            ),
            footer="",
        ),
    )


def _source(outlook: StudyPower) -> str:
    if outlook.stated is None:
        packs = outlook.pack_sizes
        each = f"trials {in_packs(packs)} with their share of the pack" if packs else "one run at a time"
        return (
            f"From {counted(outlook.pilot_seeds, 'seed')} that have run; in brackets at the 95% limits of the seed SD, "
            f"which few seeds leave wide. Time: all seeds of both arms, {each}."
            + "".join(f" {note}" for note in mixed_times(outlook.mixed))
        )
    stated = outlook.stated
    return (
        f"Supposed, as nothing has run: accuracy varies over seeds with an SD of {_pp(stated.seed_sd)} (in brackets "
        f"half and twice that), one run of each arm differs in being right on {_pp(stated.discordance)} of the "
        f"sentences, two seeds of an arm on {_pp(stated.rerun_discordance)}. State your own with --seed-sd, "
        "--discordance and --rerun-discordance; after two seeds the study's own are used."
    )


def _too_small(outlook: StudyPower, plan: AnalysisPlan, margin: str) -> list[str]:
    one = outlook.plans[0][1]
    notes = []
    if one.n_seeds < SEEDS_FOR_A_VERDICT:
        notes.append(
            f"{counted(one.n_seeds, 'seed')} an arm give an interval, but every verdict stays undecided: that takes "
            f"{SEEDS_FOR_A_VERDICT} seeds."
        )
    if plan.metric == "accuracy" and not outlook.clustered and plan.margin < 1 / one.n_examples:
        notes.append(
            f"The margin of {margin} is smaller than one test sentence of {one.n_examples:,}, "
            f"{_gap(Scale(share=True), 1 / one.n_examples)}."
        )
    return notes


def _one_run(outlook: StudyPower, scale: Scale, margin: str) -> list[str]:
    if math.isnan(outlook.one_run_gap):
        return []
    chance = "" if math.isnan(outlook.one_run_power) else f"; {margin} with {probability(outlook.one_run_power)}"
    return [
        f"One run of each arm finds {_gap(scale, outlook.one_run_gap)} between these two trained models (McNemar, "
        f"exact){chance}, and nothing about the procedure."
    ]


def _looks(outlook: StudyPower) -> list[str]:
    if not outlook.looks:
        return []
    named = ", ".join(f"{seeds} seeds p ≤ {p:.2g}" for seeds, p in outlook.looks)
    return [f"Looks, for a comparison alone: {named}."]


def _span(span: Span[float] | Span[int | None], text: Callable[..., str]) -> str:
    value, low, high = text(span.value), text(span.low), text(span.high)
    return value if {low, high} <= {value, UNKNOWN} else f"{value} ({low} to {high})"


def _gaps(scale: Scale, span: Span[float]) -> str:
    if math.isnan(span.value):
        return UNKNOWN
    value, low, high = (_figure(scale, gap) for gap in (span.value, span.low, span.high))
    unit = " pp" if scale.share else ""
    return f"{value}{unit}" if low == high else f"{value}{unit} ({low} to {high})"


def _gap(scale: Scale, gap: float) -> str:
    return f"{_figure(scale, gap)} pp" if scale.share else _figure(scale, gap)


def _figure(scale: Scale, gap: float) -> str:
    """Return a gap without its unit; none between two shares is larger than all of it."""
    if scale.share and gap > 1:
        return "more than 100"
    figure = 100 * gap if scale.share else gap
    text = f"{figure:.2g}"
    return f"{float(text):.0f}" if figure > 99 and math.isfinite(figure) else text


def _seeds(seeds: int | None) -> str:
    return planned_seeds(seeds, never=_NEVER)


def _chance(share: float) -> str:
    return "<0.1%" if share < 0.001 else percent(share, places=1)


def _pp(share: float) -> str:
    return f"{100 * share:.3g}%"
