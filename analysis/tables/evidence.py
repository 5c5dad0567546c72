"""The tables behind the verdicts: every test with its population, wider intervals, and where variation is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.comparisons import ComparisonResult
from analysis.tables.digits import (
    Scale,
    decimals,
    level,
    number,
    p_value,
    percent,
    probability,
)
from analysis.tables.table import BASIS, UNKNOWN, Table
from analysis.tables.verdicts import basis, scale_of, standard_error

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def evidence(report: StudyReport, footer: str) -> Table:
    """Lay out every test of every comparison, each with what it speaks about."""
    rows = [row for one in report.comparisons for row in _test_rows(report, one)]
    return Table(
        title="The tests",
        columns=("Comparison", "p", "Corrected", "Remark", *BASIS),
        numeric=frozenset(("p", "Corrected")),
        rows=tuple(rows),
        notes=(
            "Speaks about what would be drawn anew. Seeds and examples: the training procedure, on new "
            "examples. Seeds: new training runs, this very test set. Examples: these trained models.",
            "Only the first two tests of a comparison decide it. Multi-bootstrap: studentised. Floor: the smallest p "
            "that the test can give with so many seeds. Won: share of the seeds in which the first arm is better, with "
            "its interval. McNemar: accuracy of each seed on its own, exact; the lowest "
            "to the highest p.",
        ),
        footer=footer,
        detail=True,
    )


def _test_rows(report: StudyReport, one: ComparisonResult) -> list[tuple[str, ...]]:
    result, same, flip, bootstrap = one.result, one.equivalence, one.sign_flip, one.bootstrap
    if result is None or same is None or flip is None or bootstrap is None:
        return [(one.name, UNKNOWN, UNKNOWN, one.verdict.reason, *basis(one))]
    other = "unpaired" if result.design == "A" else "paired"
    margin = scale_of(report).margin(report.plan.margin)
    low, high = min(run.p_exact for run in one.mcnemar), max(run.p_exact for run in one.mcnemar)
    small = sum(run.p_exact <= report.plan.alpha for run in one.mcnemar)
    statistic = "" if math.isnan(result.statistic) else f"t = {result.statistic:.2f}, {result.df:.1f} df"
    return [
        (one.name, p_value(result.p_value), p_value(one.difference_p), statistic, *basis(one)),
        (
            one.name,
            p_value(same.p_value),
            p_value(one.equivalence_p),
            "",
            *basis(one, test=f"equivalence at {margin}", population=same.generalizes_to),
        ),
        (
            one.name,
            p_value(result.other_p_value),
            UNKNOWN,
            "the other design",
            *basis(one, test=f"crossed t, {other}"),
        ),
        (
            one.name,
            p_value(bootstrap.p_studentised),
            UNKNOWN,
            bootstrap.reason or f"{bootstrap.resamples} resamples; percentile {p_value(bootstrap.p_percentile)}",
            *basis(one, test="multi-bootstrap", population=bootstrap.generalizes_to),
        ),
        (
            one.name,
            p_value(flip.p_value),
            UNKNOWN,
            f"floor {p_value(flip.floor)}; won {_seeds_won(one)}",
            *basis(one, test="sign-flip", population=flip.generalizes_to),
        ),
        (
            one.name,
            p_value(low) if len(one.mcnemar) == 1 else f"{p_value(low)} to {p_value(high)}",
            UNKNOWN,
            f"≤ {report.plan.alpha:g} in {small} of {len(one.mcnemar)}",
            *basis(one, test="McNemar, each seed", population=one.mcnemar[0].generalizes_to),
        ),
    ]


def intervals(report: StudyReport, footer: str) -> Table:
    """Lay out intervals for one comparison and for all, and the approximate Bayesian reading."""
    scale = scale_of(report)
    margin = scale.margin(report.plan.margin)
    k, first = len(report.comparisons), report.comparisons[0]
    heads = (
        f"{level(1 - first.confidence)} alone",
        f"{level(1 - first.family_confidence)} for all {k}",
        f"P below -{margin}",
        f"P within {margin}",
        f"P above {margin}",
    )
    rows = [
        (
            one.name,
            scale.gap(one.estimate, standard_error=standard_error(one)),
            scale.interval(one.interval, standard_error=standard_error(one)),
            scale.interval(one.family_interval, standard_error=standard_error(one)),
            *(probability(share) for share in one.posterior),
            *basis(one),
        )
        for one in report.comparisons
    ]
    return Table(
        title="Intervals and probabilities",
        columns=("Comparison", "Gap", *heads, *BASIS),
        numeric=frozenset(("Gap", *heads)),
        rows=tuple(rows),
        notes=(
            f"The wider interval is Bonferroni's: alpha / {k} for each of the {k} comparisons.",
            "P: approximate posterior probability of the gap with a flat prior.",
        ),
        footer=footer,
        detail=True,
    )


def _seeds_won(one: ComparisonResult) -> str:
    won = one.outperforming
    if won is None:
        return UNKNOWN
    low, high = (percent(limit, places=0) for limit in won.interval)
    return f"{percent(won.estimate, places=0)} ({low} to {high})"


def variation(report: StudyReport, footer: str) -> Table:
    """Lay out the variance components: what the uncertainty of each gap is made of."""
    rows = [_variation_row(scale_of(report), one) for one in report.comparisons]
    heads = ("Seed SD (95% limits)", "Seeds / examples / rest", "Seed correlation", "Found now", "Floor")
    return Table(
        title="Where the uncertainty comes from",
        columns=("Comparison", *heads, *BASIS),
        numeric=frozenset(heads),
        rows=tuple(rows),
        notes=(
            "Seed SD: how much one gap varies from seed to seed, beyond the choice of examples. "
            "Seeds / examples / rest: shares of the squared standard error. "
            "Seed correlation: of the two arms' means.",
            f"Found now: the smallest gap with 80% power at alpha / {len(rows)}. Floor: the same with any "
            "number of seeds; below it only more test examples help.",
        ),
        footer=footer,
        detail=True,
    )


def _variation_row(scale: Scale, one: ComparisonResult) -> tuple[str, ...]:
    unknown = (UNKNOWN,) * 5
    if one.result is None or one.settling_margin is None:
        return (one.name, *unknown, *basis(one))
    parts, settling = one.result.components, one.settling_margin
    sd = scale.gap(math.sqrt(parts.seed), standard_error=standard_error(one), signed=False)
    low, high = parts.seed_sd_interval
    squares = (
        parts.seed / parts.n_seeds,
        parts.example / parts.n_examples,
        parts.residual / (parts.n_seeds * parts.n_examples),
    )
    total = sum(squares)
    unit = 100 if scale.share else 1
    places = decimals(unit * standard_error(one))
    return (
        one.name,
        f"{sd} ({number(unit * low, places=places)} to {number(unit * high, places=places)})",
        " / ".join(percent(square / total, places=0) for square in squares),
        number(one.result.seed_correlation, places=2),
        scale.gap(settling.detectable_gap, standard_error=standard_error(one), signed=False),
        scale.gap(settling.floor_gap, standard_error=standard_error(one), signed=False),
        *basis(one),
    )
