"""Published gaps: review sentences, McNemar's test over every overlap of errors, and intervals."""

from __future__ import annotations

from analysis.methods.interval import Interval
from analysis.published.audit import Audit
from analysis.published.overlaps import Overlaps
from analysis.tables.audit.by_report import audit_table, from_to, full_name, pairs_of
from analysis.tables.audit.review import review
from analysis.tables.digits import confidence_level, declared, percent, points, points_interval, precise_p_value
from analysis.tables.table import Column, Table


def review_table(audit: Audit) -> Table | None:
    """Lay out the review sentences, pair by pair."""
    rows = pairs_of(audit)
    return audit_table(
        audit,
        "In words",
        [report for report, _ in rows],
        (
            Column("Pair", [pair.name for _, pair in rows]),
            Column("What the figures show", [review(audit, report, pair) for report, pair in rows]),
        ),
    )


def overlap_table(audit: Audit) -> Table | None:
    """Lay out McNemar's test over every overlap; None where it can be made for no pair."""
    tested = [(report, pair.name, pair.overlaps) for report, pair in pairs_of(audit) if pair.overlaps is not None]
    overlaps = [overlap for _, _, overlap in tested]
    alpha = declared(audit.alpha)
    return audit_table(
        audit,
        "The gap in test examples",
        [report for report, _, _ in tested],
        (
            Column("Pair", [name for _, name, _ in tested]),
            Column("Examples", [from_to(*map(_signed, overlap.gap)) for overlap in overlaps], numeric=True),
            Column("Discordant", [from_to(*map(str, overlap.discordance)) for overlap in overlaps], numeric=True),
            Column("Exact p", [from_to(*map(precise_p_value, overlap.p_exact)) for overlap in overlaps], numeric=True),
            Column("Mid-p", [from_to(*map(precise_p_value, overlap.p_mid)) for overlap in overlaps], numeric=True),
            Column(
                "Significant up to",
                [_up_to(overlap.significant_up_to, overlap) for overlap in overlaps],
                numeric=True,
            ),
            Column(
                "Up to, by mid-p",
                [_up_to(overlap.significant_up_to_mid, overlap) for overlap in overlaps],
                numeric=True,
            ),
            Column("Outcome", [overlap.outcome for overlap in overlaps]),
            Column("Speaks about", [overlap.generalizes_to for overlap in overlaps]),
        ),
        notes=(
            "Examples: right answers of the first system minus those of the second. Discordant: on how many examples "
            "exactly one of the two models is right; the figures only limit it to a range. p: McNemar's test over "
            "every overlap of errors that they allow.",
            f"Significant up to: the largest discordance at which p is at most {alpha}, with its share of all "
            "examples. The outcome follows the exact p and is about these two trained models"
            f"{f', for each of the {len(tested)} pairs on its own' if len(tested) > 1 else ''}.",
            *(f"{full_name(report, pair.name)}: {pair.reason}." for report, pair in pairs_of(audit) if pair.reason),
        ),
    )


def _signed(count: int) -> str:
    return f"{count:+d}" if count else "0"


def _up_to(discordance: int | None, overlaps: Overlaps) -> str:
    return "never" if discordance is None else f"{discordance} ({percent(discordance / overlaps.n, places=1)})"


def interval_table(audit: Audit) -> Table | None:
    """Lay out the intervals of the gap at both ends of the discordance."""
    rows = [
        (report, pair.name, discordance, newcombe, tango, (newcombe.high - newcombe.low) / 4)
        for report, pair in pairs_of(audit)
        if pair.overlaps is not None
        for discordance, (newcombe, tango) in zip(
            pair.overlaps.discordance, (pair.overlaps.at_least, pair.overlaps.at_most), strict=True
        )
    ]
    if not rows:
        return None
    newcombes = [(newcombe, error) for *_, newcombe, _, error in rows]
    return audit_table(
        audit,
        "Intervals of the gap at the smallest and at the largest discordance",
        [report for report, *_ in rows],
        (
            Column("Pair", [name for _, name, *_ in rows]),
            Column("Discordant", [str(discordance) for _, _, discordance, *_ in rows], numeric=True),
            Column(
                "Gap", [points(newcombe.estimate, standard_error=error) for newcombe, error in newcombes], numeric=True
            ),
            Column(
                "Newcombe",
                [
                    points_interval(Interval(newcombe.low, newcombe.high), standard_error=error)
                    for newcombe, error in newcombes
                ],
                numeric=True,
            ),
            Column(
                "Tango",
                [points_interval(Interval(tango.low, tango.high), standard_error=error) for *_, tango, error in rows],
                numeric=True,
            ),
            Column("Speaks about", [newcombe.generalizes_to for newcombe, _ in newcombes]),
        ),
        notes=(
            f"{confidence_level(1 - newcombes[0][0].confidence)} intervals, in percentage points; where a figure "
            "allows several numbers of right answers, for the one in the middle. They are less strict than the exact "
            "test where few examples are discordant, and may exclude 0 where it does not reject.",
        ),
        detail=True,
    )
