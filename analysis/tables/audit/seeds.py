"""Tables of published gaps against seeds: means over runs, and the scatter of one run."""

from __future__ import annotations

from collections.abc import Callable

from analysis.published.audit import Audit
from analysis.published.seed_scatter import SeedScatterCheck
from analysis.published.seeds import DISCORDANT_OF_ERRORS, POWER, SEEDS_FOR_SENTENCES
from analysis.tables.audit.by_report import audit_table, from_to, full_name, pairs_of
from analysis.tables.digits import (
    declared,
    estimated_count,
    percent,
    planned_seeds,
    points,
    points_interval,
    precise_p_value,
    probability,
    significant_digits,
)
from analysis.tables.table import Column, Table

_NEVER = "never"
_DIVISOR = (
    "Nobody says whether the SDs divide by the runs (numpy's default) or by one less: p is the range over both. In the "
    "claims file, sd: {value: 0.9%, ddof: 0} or ddof: 1 settles it."
)


def runs_table(audit: Audit) -> Table | None:
    """Lay out the tests over printed means and SDs; None without any."""
    tested = [(report, pair, pair.welch) for report, pair in pairs_of(audit) if pair.welch is not None]
    tests = [welch for _, _, welch in tested]
    return audit_table(
        audit,
        "Means over runs",
        [report for report, _, _ in tested],
        (
            Column("Pair", [pair.name for _, pair, _ in tested]),
            Column("Gap", [points(welch.estimate) for welch in tests], numeric=True),
            Column("95% interval", [points_interval(welch.interval) for welch in tests], numeric=True),
            Column("Welch's p", [from_to(*map(precise_p_value, welch.p_value)) for welch in tests], numeric=True),
            Column("Runs", [" and ".join(map(str, welch.runs)) for welch in tests]),
            Column("Speaks about", [welch.generalizes_to for welch in tests]),
        ),
        notes=(
            "From the printed means and SDs, with what their rounding leaves open. New seeds on these very test "
            "sentences: how far other sentences would move the gap, means and SDs do not say.",
            *([_DIVISOR] if any(None in welch.ddof for welch in tests) else []),
        ),
    )


def scatter_table(audit: Audit) -> Table | None:
    """Lay out the gap against the scatter of seeds, one row a pair."""
    rows = [(report, pair) for report, pair in pairs_of(audit) if pair.seeds]

    def each(text: Callable[[SeedScatterCheck], str]) -> list[str]:
        """Return one cell for each pair: its texts at all SDs over seeds, once where they are the same."""
        texts = [[text(reading) for reading in pair.seeds] for _, pair in rows]
        return [cell[0] if len(set(cell)) == 1 else " / ".join(cell) for cell in texts]

    return audit_table(
        audit,
        "The gap against the scatter of seeds",
        [report for report, _ in rows],
        (
            Column("Pair", [pair.name for _, pair in rows]),
            Column("Gap", [points(pair.gap) for _, pair in rows], numeric=True),
            Column(
                "Seed SD",
                [f"{text} pp" for text in each(lambda reading: significant_digits(100 * reading.seed_sd))],
                numeric=True,
            ),
            Column("Where from", each(lambda reading: reading.source)),
            Column("By seeds alone", each(lambda reading: from_to(*map(_chance, reading.chance))), numeric=True),
            Column(
                "Seeds an arm",
                each(lambda reading: planned_seeds(reading.confirmation.seeds, never=_NEVER)),
                numeric=True,
            ),
            Column(f"or sentences at {SEEDS_FOR_SENTENCES} seeds", each(_sentences), numeric=True),
        ),
        notes=(
            "By seeds alone: the chance that two identical procedures come out at least so far apart on this test set, "
            "at this SD over seeds of one run's accuracy.",
            f"What would confirm a gap of the printed size, with {percent(POWER, places=0)} power over new seeds and "
            f"new sentences: so many seeds of each arm on a test set of this size; or, with {SEEDS_FOR_SENTENCES} "
            f"seeds of each arm, so many test sentences. Never: not by this alone. {_supposed(audit)}",
            *_beyond_either(audit),
        ),
    )


def _chance(chance: float) -> str:
    return probability(chance, exact_zero=False)


def _sentences(reading: SeedScatterCheck) -> str:
    examples = reading.confirmation.examples
    return _NEVER if examples is None else estimated_count(examples)


def _supposed(audit: Audit) -> str:
    if all(pair.rerun is not None for _, pair in pairs_of(audit) if pair.seeds):
        return "From the variance components of the study's own runs."
    return (
        f"Exactly one run of two arms is supposed to be right on {declared(DISCORDANT_OF_ERRORS)} sentences for each "
        "that an arm gets wrong, or as near to that as the figures allow."
    )


def _beyond_either(audit: Audit) -> list[str]:
    """Say what does where neither seeds nor sentences alone do, at the SD in the middle."""
    notes = []
    for report, pair in pairs_of(audit):
        if not pair.seeds:
            continue
        middle = pair.seeds[len(pair.seeds) // 2]
        needed = middle.confirmation
        if pair.gap and needed.seeds is None and needed.examples is None:
            notes.append(
                f"{full_name(report, pair.name)}, at an SD of {points(middle.seed_sd, signed=False)}: {needed.reason}."
            )
    return notes
