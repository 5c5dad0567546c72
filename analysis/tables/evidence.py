"""The tables behind the verdicts: every test with its population, wider intervals, and where variation is."""

from __future__ import annotations

import math

from analysis.comparisons import ComparisonReport
from analysis.report import StudyReport
from analysis.tables.digits import (
    decimals,
    level,
    number,
    p_value,
    percent,
    plain_points,
    points,
    points_interval,
    probability,
)
from analysis.tables.table import BASIS, UNKNOWN, Table
from analysis.tables.verdicts import basis, standard_error


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
            "Only the first two tests of a comparison decide it. Floor: the smallest p that the test can "
            "give with so many seeds. McNemar: each seed on its own, exact; the lowest to the highest p.",
        ),
        footer=footer,
        detail=True,
    )


def _test_rows(report: StudyReport, one: ComparisonReport) -> list[tuple[str, ...]]:
    result, same, flip = one.result, one.equivalence, one.sign_flip
    if result is None or same is None or flip is None:
        return [(one.name, UNKNOWN, UNKNOWN, one.verdict.reason, *basis(one))]
    other = "unpaired" if result.design == "A" else "paired"
    margin = plain_points(report.plan.margin)
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
            p_value(flip.p_value),
            UNKNOWN,
            f"floor {p_value(flip.floor)}",
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
    margin = plain_points(report.plan.margin)
    k = len(report.comparisons)
    heads = (
        f"{level(report.plan.alpha)} alone",
        f"{level(report.plan.alpha / k)} for all {k}",
        f"P below -{margin}",
        f"P within {margin}",
        f"P above {margin}",
    )
    rows = [
        (
            one.name,
            points(one.estimate, standard_error=standard_error(one)),
            points_interval(one.interval, standard_error=standard_error(one)),
            points_interval(one.family_interval, standard_error=standard_error(one)),
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


def variation(report: StudyReport, footer: str) -> Table:
    """Lay out the variance components: what the uncertainty of each gap is made of."""
    rows = [_variation_row(one) for one in report.comparisons]
    heads = ("Seed SD (95% limits)", "Seeds / examples / rest", "Seed correlation", "Found now", "Floor")
    return Table(
        title="Where the uncertainty comes from",
        columns=("Comparison", *heads, *BASIS),
        numeric=frozenset(heads),
        rows=tuple(rows),
        notes=(
            "Seed SD: how much one gap varies from seed to seed, beyond the choice of examples. "
            "Seeds / examples / rest: shares of the squared standard error. "
            "Seed correlation: of the two arms' accuracies.",
            f"Found now: the smallest gap with 80% power at alpha / {len(rows)}. Floor: the same with any "
            "number of seeds; below it only more test examples help.",
        ),
        footer=footer,
        detail=True,
    )


def _variation_row(one: ComparisonReport) -> tuple[str, ...]:
    unknown = (UNKNOWN,) * 5
    if one.result is None or one.settling_margin is None:
        return (one.name, *unknown, *basis(one))
    parts, settling = one.result.components, one.settling_margin
    sd = points(math.sqrt(parts.seed), standard_error=standard_error(one), signed=False)
    low, high = parts.seed_sd_interval
    squares = (
        parts.seed / parts.n_seeds,
        parts.example / parts.n_examples,
        parts.residual / (parts.n_seeds * parts.n_examples),
    )
    total = sum(squares)
    places = decimals(100 * standard_error(one))
    return (
        one.name,
        f"{sd} ({number(100 * low, places=places)} to {number(100 * high, places=places)})",
        " / ".join(percent(square / total, places=0) for square in squares),
        number(one.result.seed_correlation, places=2),
        points(settling.detectable_gap, standard_error=standard_error(one), signed=False),
        points(settling.floor_gap, standard_error=standard_error(one), signed=False),
        *basis(one),
    )
