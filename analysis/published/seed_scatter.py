"""Seed scatter: a published gap against SDs over seeds that are stated, printed, measured or assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.published.claims_schema import Pair
from analysis.published.overlaps import Overlaps
from analysis.published.published_report import PublishedReport
from analysis.published.rerun import Rerun
from analysis.published.seeds import (
    DISCORDANT_OF_ERRORS,
    Confirmation,
    assumed_components,
    chance_of_gap,
    confirmation,
)
from analysis.published.spreads import Spread, of_sample

ASSUMED_SEED_SDS = (0.005, 0.01, 0.02)
"""SDs over seeds of one run's accuracy that are tried where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScatterCheck:
    """A gap against the scatter of seeds, at one SD; for new seeds on this test set.

    Parameters
    ----------
    seed_sd : float
        SD over seeds of one run's accuracy; the larger where what a printed one was divided by is not known.
    source : str
        Where it comes from.
    chance : tuple of float
        The chance that two identical procedures show a gap at least as large: the least and the greatest over the
        right answers that the figures allow, and over both divisors where that of the SD is not known; for means over
        runs, that of the printed gap.
    confirmation : Confirmation
        What it would take to confirm a gap of the printed size.
    """

    seed_sd: float
    source: str
    chance: tuple[float, float]
    confirmation: Confirmation


def check_seed_scatter(
    pair: Pair, report: PublishedReport, gap: float, overlaps: Overlaps | None, measured: Rerun | None, alpha: float
) -> tuple[SeedScatterCheck, ...]:
    """Compare a gap with every SD over seeds that may apply.

    Parameters
    ----------
    pair : Pair
    report : PublishedReport
    gap : float
        In accuracy.
    overlaps : Overlaps or None
        McNemar's test over every overlap; None where it cannot be made.
    measured : Rerun or None
        What a study's own runs say; None without one.
    alpha : float
        Two-sided level.
    """
    if math.isnan(gap) or report.n < 2:
        return ()
    runs = report.systems[pair.treatment].runs, report.systems[pair.baseline].runs
    right_answers = [gap * report.n]
    scores = [report.systems[name].score for name in pair.sides]
    errors = sum(float(1 - score.value) for score in scores if score is not None) / 2
    discordance = DISCORDANT_OF_ERRORS * errors
    if overlaps is not None:
        low, high = overlaps.gap
        right_answers = [0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))]
        discordance = min(max(discordance, overlaps.discordance[0] / report.n), overlaps.discordance[1] / report.n)
    checks = []
    for (least, sd), source, df in _seed_sds(pair, report, measured):
        chances = [
            chance_of_gap(k, n=report.n, seed_sd=s, runs=runs, df=df) for k in right_answers for s in {least, sd}
        ]
        components = assumed_components(sd, n=report.n, discordance=discordance, gap=gap)
        if measured is not None and measured.seed_sd > 0:
            components = measured.components
        checks.append(
            SeedScatterCheck(
                seed_sd=sd,
                source=source,
                chance=(min(chances), max(chances)),
                confirmation=confirmation(gap, components, n=report.n, alpha=alpha),
            )
        )
    return tuple(checks)


def _seed_sds(
    pair: Pair, report: PublishedReport, measured: Rerun | None
) -> list[tuple[tuple[float, float], str, float]]:
    """Return the SDs over seeds that may apply, where each comes from, and its degrees of freedom.

    Each SD is a pair, the least and the greatest that it may be; they differ where its divisor is not given.
    """
    stated, systems = report.seed_sd, [report.systems[name] for name in pair.sides]
    spreads = [(system.over_runs(report.n), system.runs) for system in systems]
    printed = [(spread, runs) for spread, runs in spreads if spread is not None and spread.figure.value > 0]
    if measured is not None and measured.seed_sd > 0:
        runs = f"{measured.n_seeds} seeds of {measured.study}"
        return [((measured.seed_sd,) * 2, runs, float(measured.seed_df))]
    if stated is not None:
        value = float(stated.value.value)
        if stated.runs is None:
            return [((value, value), "stated", math.inf)]
        least, most = (value * factor for factor in of_sample(stated.runs, stated.ddof))
        return [((least, most), f"stated, from {stated.runs} runs{_unsaid(stated.ddof)}", float(stated.runs - 1))]
    if printed:
        factors = [of_sample(runs, spread.ddof, spread.kind) for spread, runs in printed]
        least, most = (
            math.sqrt(
                sum((float(one.figure.value) * factor) ** 2 for (one, _), factor in zip(printed, end, strict=True))
            )
            / math.sqrt(len(printed))
            for end in zip(*factors, strict=True)
        )
        unsaid = _meaning_unsaid([spread for spread, _ in printed])
        return [((least, most), f"printed{unsaid}", float(sum(runs - 1 for _, runs in printed)))]
    return [((sd, sd), "assumed", math.inf) for sd in ASSUMED_SEED_SDS]


def _meaning_unsaid(spreads: Sequence[Spread]) -> str:
    if any(spread.kind is None for spread in spreads):
        return ", meaning not given"
    return _unsaid(*(spread.ddof for spread in spreads))


def _unsaid(*ddof: int | None) -> str:
    return ", divisor not given" if None in ddof else ""
