"""Published gaps and seeds: means over runs, and the variation of one run over seeds."""

from __future__ import annotations

from collections.abc import Callable

from analysis.published.audit import Audit
from analysis.published.seed_scatter import SeedScatterCheck
from analysis.published.seeds import DISCORDANT_OF_ERRORS, POWER, SEEDS_FOR_EXAMPLES
from analysis.tables.audit.by_report import audit_table, from_to, full_name, pairs_of
from analysis.tables.digits import (
    declared,
    percent,
    planned_seeds,
    points,
    points_interval,
    precise_p_value,
    probability,
    significant_digits,
)
from analysis.tables.table import Column, Table
from analysis.words import estimated_count

_NEVER = "never"
_KIND = (
    "Nothing says what stands after the ±, so p is the range over an SD of the runs, a standard error of their mean, "
    "and half a 95% interval. To settle it, write spread: sd, standard error or 95% interval in the claims file."
)
_DIVISOR = (
    "Nothing says whether the SDs divide by the number of runs (numpy's default) or by one less, so p is the range "
    "over both. To settle it, write sd: {value: 0.9%, ddof: 0} or ddof: 1 in the claims file."
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
            "From the printed means and SDs, over all values that round to them. It is about new seeds on this test "
            "set: means and SDs do not say how far other test examples would move the gap.",
            *([_KIND] if any(None in welch.kinds for welch in tests) else []),
            *([_DIVISOR] if any(None in welch.ddof and None not in welch.kinds for welch in tests) else []),
        ),
    )


def scatter_table(audit: Audit) -> Table | None:
    """Lay out the gap against the scatter of seeds, one row per pair."""
    rows = [(report, pair) for report, pair in pairs_of(audit) if pair.seeds]

    def each(text: Callable[[SeedScatterCheck], str]) -> list[str]:
        """Return one cell for each pair: its texts at all SDs over seeds, once where they are the same."""
        texts = [[text(reading) for reading in pair.seeds] for _, pair in rows]
        return [cell[0] if len(set(cell)) == 1 else " / ".join(cell) for cell in texts]

    return audit_table(
        audit,
        "The gap compared with variation over seeds",
        [report for report, _ in rows],
        (
            Column("Pair", [pair.name for _, pair in rows]),
            Column("Gap", [points(pair.gap) for _, pair in rows], numeric=True),
            Column(
                "Seed SD",
                [f"{text} pp" for text in each(lambda reading: significant_digits(100 * reading.seed_sd))],
                numeric=True,
            ),
            Column("Source of SD", each(lambda reading: reading.source)),
            Column("By seeds alone", each(lambda reading: from_to(*map(_chance, reading.chance))), numeric=True),
            Column(
                "Seeds per arm",
                each(lambda reading: planned_seeds(reading.confirmation.seeds, never=_NEVER)),
                numeric=True,
            ),
            Column(f"or examples at {SEEDS_FOR_EXAMPLES} seeds", each(_examples), numeric=True),
        ),
        notes=(
            "By seeds alone: the chance that two identical procedures come out at least this far apart on this test "
            "set, at this SD of one run's accuracy over seeds.",
            f"To confirm a gap of the printed size with {percent(POWER, places=0)} power over new seeds and new "
            f"examples: this many seeds per arm on a test set of this size or, with {SEEDS_FOR_EXAMPLES} seeds per "
            f"arm, this many test examples. Never: not by this alone. {_assumed(audit)}",
            *_beyond_either(audit),
        ),
    )


def _chance(chance: float) -> str:
    return probability(chance, exact_zero=False)


def _examples(reading: SeedScatterCheck) -> str:
    examples = reading.confirmation.examples
    return _NEVER if examples is None else estimated_count(examples)


def _assumed(audit: Audit) -> str:
    if all(pair.rerun is not None for _, pair in pairs_of(audit) if pair.seeds):
        return "From the variance components of your own study."
    return (
        "Assumed: for each example that an arm gets wrong, exactly one run of the two arms is right on "
        f"{declared(DISCORDANT_OF_ERRORS)} examples, or as close to that as the figures allow."
    )


def _beyond_either(audit: Audit) -> list[str]:
    """Say what would confirm a gap that neither seeds nor examples alone confirm, at the SD in the middle."""
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
