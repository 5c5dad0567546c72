"""Published selection: figures that were picked among epochs on the reported test set."""

from __future__ import annotations

from analysis.published.audit import Audit
from analysis.tables.audit.by_report import audit_table, full_name, pairs_of, yes_or_no
from analysis.tables.digits import points, whole_percent
from analysis.tables.table import Column, Table


def selection_table(audit: Audit) -> Table | None:
    """Lay out gaps between figures that were picked on the reported test set, or of different epochs."""
    rows = [(report, pair, pair.selected) for report, pair in pairs_of(audit) if pair.selected is not None]
    if not rows:
        return _epochs_table(audit)
    gaps = [selected for _, _, selected in rows]
    sources = " or ".join(dict.fromkeys(report.scatter.source for report, _, _ in rows))
    return audit_table(
        audit,
        "Picked on the reported test set",
        [report for report, _, _ in rows],
        (
            Column("Pair", [pair.name for _, pair, _ in rows]),
            Column(
                "Best of epochs",
                [" and ".join(str(k) if k > 1 else "not picked" for k in gap.epochs) for gap in gaps],
                numeric=True,
            ),
            Column("Gap", [points(pair.gap) for _, pair, _ in rows], numeric=True),
            Column("At last epochs", [points(gap.last) for gap in gaps], numeric=True),
            Column(
                "Expected lift",
                [" and ".join(points(lift) for lift in dict.fromkeys(gap.expected)) for gap in gaps],
                numeric=True,
            ),
            Column("Exceeded", [yes_or_no(gap.exceeds) for gap in gaps]),
            Column("By epochs alone", [whole_percent(gap.chance) for gap in gaps], numeric=True),
        ),
        notes=(
            "Expected lift: how far the best of that many epochs lies above their mean on average, if all epochs are "
            f"equally good and vary {sources}; where both figures were picked in the same way it cancels on average. "
            "Exceeded: whether the gap is larger.",
            "By epochs alone: how often two equally good arms, reported in this way, come out at least this far apart "
            "through variation between the epochs of a run. Variation over seeds comes on top, so a small share does "
            "not make a gap real; and no p in these tables allows for the choice of the epoch.",
            *(
                f"{full_name(report, pair.name)}: {mismatch}."
                for report, pair in pairs_of(audit)
                for mismatch in pair.mismatches
            ),
        ),
    )


def _epochs_table(audit: Audit) -> Table | None:
    """Lay out gaps between figures of different epochs, where none was picked."""
    rows = [(report, pair.name, mismatch) for report, pair in pairs_of(audit) for mismatch in pair.mismatches]
    return audit_table(
        audit,
        "Compared across epochs",
        [report for report, _, _ in rows],
        (
            Column("Pair", [name for _, name, _ in rows]),
            Column("What", [mismatch for _, _, mismatch in rows]),
        ),
    )
