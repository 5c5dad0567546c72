"""Tables of pairs: the gap against overlaps, seeds, the choice of the epoch, and a study's own runs."""

from __future__ import annotations

import math
from collections.abc import Callable

from analysis.published.audit import Audit
from analysis.published.overlaps import Overlaps
from analysis.published.pairs import PairAudit, SelectedGap
from analysis.published.seed_scatter import SeedScatterCheck
from analysis.published.seeds import DISCORDANT_OF_ERRORS, POWER, SEEDS_FOR_SENTENCES
from analysis.tables.audit.rows import Row, ends, named, pairs, table, yes
from analysis.tables.audit.words import review
from analysis.tables.digits import about, level, percent, points, points_interval, probability, significant, small_p
from analysis.tables.table import Table
from analysis.tables.verdicts import planned_seeds

_DIVISOR = (
    "Nobody says whether the SDs divide by the runs (numpy's default) or by one less: p is the range over both. In the "
    "claims file, sd: {value: 0.9%, ddof: 0} or ddof: 1 settles it."
)
_SPEAKS = "Speaks about"
_NEVER = "never"


def words(audit: Audit) -> Table | None:
    """Lay out what could stand in a review, pair by pair."""
    rows = [(report, (pair.name, review(audit, report, pair))) for report, pair in pairs(audit)]
    return table(audit, "In words", ("Pair", "What the figures show"), rows)


def gaps(audit: Audit) -> Table | None:
    """Lay out McNemar's test over every overlap; None where it can be made for no pair."""
    tested = [(report, pair, pair.overlaps) for report, pair in pairs(audit) if pair.overlaps is not None]
    rows = [
        (
            report,
            (
                pair.name,
                ends(*(f"{count:+d}" if count else "0" for count in found.gap)),
                ends(*map(str, found.discordance)),
                ends(*map(small_p, found.p_exact)),
                ends(*map(small_p, found.p_mid)),
                _up_to(found.significant_up_to, found),
                _up_to(found.significant_up_to_mid, found),
                found.outcome,
                found.generalizes_to,
            ),
        )
        for report, pair, found in tested
    ]
    heads = ("Sentences", "Discordant", "Exact p", "Mid-p", "Significant up to", "up to, by mid-p")
    return table(
        audit,
        "The gap in sentences",
        ("Pair", *heads, "Outcome", _SPEAKS),
        rows,
        numeric=heads,
        notes=(
            "Sentences: right answers of the first system minus those of the second. Discordant: on how many sentences "
            "exactly one of the two models can be right; the figures leave that open. p: McNemar's test over every "
            "overlap that they allow.",
            f"Significant up to: the greatest discordance at which p is at most {audit.alpha:g}, with its share of all "
            "sentences. The outcome is that of the exact p, about these two trained models"
            f"{_each_by_itself(len(rows))}.",
            *(f"{named(report, pair.name)}: {pair.reason}." for report, pair in pairs(audit) if pair.reason),
        ),
    )


def _each_by_itself(n_pairs: int) -> str:
    return f", for each of the {n_pairs} pairs by itself" if n_pairs > 1 else ""


def intervals(audit: Audit) -> Table | None:
    """Lay out the intervals of the gap at both ends of the discordance."""
    rows = []
    confidence = math.nan
    for report, pair in pairs(audit):
        if pair.overlaps is None:
            continue
        both = (pair.overlaps.at_least, pair.overlaps.at_most)
        for discordance, (newcombe, tango) in zip(pair.overlaps.discordance, both, strict=True):
            confidence = newcombe.confidence
            error = (newcombe.high - newcombe.low) / 4
            limits = (points_interval((one.low, one.high), standard_error=error) for one in (newcombe, tango))
            gap = points(newcombe.estimate, standard_error=error)
            rows.append((report, (pair.name, str(discordance), gap, *limits, newcombe.generalizes_to)))
    heads = ("Discordant", "Gap", "Newcombe", "Tango")
    return table(
        audit,
        "Intervals of the gap at the least and at the greatest discordance",
        ("Pair", *heads, _SPEAKS),
        rows,
        numeric=heads,
        notes=(
            f"{level(1 - confidence)} intervals, in percentage points. Where a figure allows several numbers of right "
            "answers, for the one in the middle. They are of other kinds than the exact test, less strict where few "
            "sentences are discordant, and may leave out 0 where it does not reject.",
        ),
        detail=True,
    )


def runs(audit: Audit) -> Table | None:
    """Lay out the tests over printed means and SDs; None without any."""
    rows = [
        (
            report,
            (
                pair.name,
                points(pair.welch.estimate),
                points_interval(pair.welch.interval),
                ends(*map(small_p, pair.welch.p_value)),
                " and ".join(map(str, pair.welch.runs)),
                pair.welch.generalizes_to,
            ),
        )
        for report, pair in pairs(audit)
        if pair.welch is not None
    ]
    heads = ("Gap", "95% interval", "Welch's p")
    return table(
        audit,
        "Means over runs",
        ("Pair", *heads, "Runs", _SPEAKS),
        rows,
        numeric=heads,
        notes=(
            "From the printed means and SDs, with what their rounding leaves open. New seeds on these very test "
            "sentences: how far other sentences would move the gap, means and SDs do not say.",
            *([_DIVISOR] if any(pair.welch and None in pair.welch.ddof for _, pair in pairs(audit)) else []),
        ),
    )


def seeds(audit: Audit) -> Table | None:
    """Lay out the gap against the scatter of seeds, one row a pair."""
    rows = [(report, _seeds_row(pair)) for report, pair in pairs(audit) if pair.seeds]
    heads = ("Gap", "Seed SD", "By seeds alone", "Seeds an arm", f"or sentences at {SEEDS_FOR_SENTENCES} seeds")
    return table(
        audit,
        "The gap against the scatter of seeds",
        ("Pair", *heads[:2], "Where from", *heads[2:]),
        rows,
        numeric=heads,
        notes=(
            "By seeds alone: the chance that two identical procedures come out at least so far apart on this test set, "
            "at this SD over seeds of one run's accuracy.",
            f"What would confirm a gap of the printed size, with {POWER:.0%} power over new seeds and new sentences: "
            f"so many seeds of each arm on a test set of this size; or, with {SEEDS_FOR_SENTENCES} seeds of each arm, "
            f"so many test sentences. Never: not by this alone. {_supposed(audit)}",
            *_beyond_either(audit),
        ),
    )


def _supposed(audit: Audit) -> str:
    if all(pair.rerun is not None for _, pair in pairs(audit) if pair.seeds):
        return "From the variance components of the study's own runs."
    return (
        f"Exactly one run of two arms is supposed to be right on {DISCORDANT_OF_ERRORS:g} sentences for each that an "
        "arm gets wrong, or as near to that as the figures allow."
    )


def _seeds_row(pair: PairAudit) -> Row:
    def each(text: Callable[[SeedScatterCheck], str]) -> str:
        texts = [text(one) for one in pair.seeds]
        return texts[0] if len(set(texts)) == 1 else " / ".join(texts)

    return (
        pair.name,
        points(pair.gap),
        f"{each(lambda one: significant(100 * one.seed_sd))} pp",
        each(lambda one: one.source),
        each(lambda one: ends(*map(_chance, one.chance))),
        each(lambda one: planned_seeds(one.confirmation.seeds, never=_NEVER)),
        each(lambda one: _NEVER if one.confirmation.examples is None else about(one.confirmation.examples)),
    )


def _chance(chance: float) -> str:
    # What is 0 here has only run out of digits.
    return probability(chance) if chance >= 0.005 else "<0.01"


def _beyond_either(audit: Audit) -> list[str]:
    """Say what does where neither seeds nor sentences alone do, at the SD in the middle."""
    notes = []
    for report, pair in pairs(audit):
        if not pair.seeds:
            continue
        middle = pair.seeds[len(pair.seeds) // 2]
        needed = middle.confirmation
        if pair.gap and needed.seeds is None and needed.examples is None:
            notes.append(
                f"{named(report, pair.name)}, at an SD of {points(middle.seed_sd, signed=False)}: {needed.reason}."
            )
    return notes


def selection(audit: Audit) -> Table | None:
    """Lay out gaps between figures that were picked on the reported sentences, or of different epochs."""
    rows, notes, sources = [], [], []
    for report, pair in pairs(audit):
        notes += [f"{named(report, pair.name)}: {note}." for note in pair.mismatches]
        if pair.selected is not None:
            rows.append((report, _selected_row(pair, pair.selected)))
            sources.append(report.scatter.source)
    if not rows:
        return _across_epochs(audit)
    heads = ("Best of epochs", "Gap", "At the last epochs", "Expected lift", "By epochs alone")
    return table(
        audit,
        "Picked on the reported sentences",
        ("Pair", *heads[:4], "Exceeded", heads[4]),
        rows,
        numeric=heads,
        notes=(
            "Expected lift: what the best of so many epochs has over their mean on average, if all epochs are equally "
            f"good and scatter {' or '.join(dict.fromkeys(sources))}; where both figures were picked alike it cancels "
            "on average. Exceeded: whether the gap is larger.",
            "By epochs alone: how often two equally good arms, reported so, come out at least so far apart by the "
            "scatter of epochs within a run. Seeds come on top, so a small share does not make a gap real; and no p in "
            "these tables allows for the choice of the epoch.",
            *notes,
        ),
    )


def _selected_row(pair: PairAudit, selected: SelectedGap) -> Row:
    return (
        pair.name,
        " and ".join(str(k) if k > 1 else "not picked" for k in selected.epochs),
        points(pair.gap),
        points(selected.last),
        " and ".join(points(lift) for lift in dict.fromkeys(selected.expected)),
        yes(selected.exceeds),
        "<1%" if selected.chance < 0.005 else percent(selected.chance, places=0),
    )


def _across_epochs(audit: Audit) -> Table | None:
    rows = [(report, (pair.name, note)) for report, pair in pairs(audit) for note in pair.mismatches]
    return table(audit, "Compared across epochs", ("Pair", "What"), rows)


def _up_to(discordance: int | None, found: Overlaps) -> str:
    return _NEVER if discordance is None else f"{discordance} ({percent(discordance / found.n, places=1)})"
