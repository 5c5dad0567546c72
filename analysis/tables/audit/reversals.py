"""Reversals: a pair that two published reports order in opposite ways."""

from __future__ import annotations

from analysis.published.reversals import Reversal
from analysis.tables.digits import points
from analysis.tables.table import UNKNOWN, Column, Table


def reversal_table(reversal: Reversal) -> Table:
    """Lay out one pair as every report has it."""
    settings = reversal.settings
    note = "below it the settings that changed" if settings else "the reports name no setting that changed"
    labels = [f"{setting.setting} of {setting.system}" for setting in settings]
    return Table(
        title=f"Reversed: {reversal.treatment} against {reversal.baseline}",
        columns=(
            Column("", [reversal.treatment, reversal.baseline, "gap", *labels]),
            *(
                Column(
                    occurrence.report,
                    [
                        occurrence.treatment,
                        occurrence.baseline,
                        points(occurrence.gap),
                        *(setting.values[at] or UNKNOWN for setting in settings),
                    ],
                    numeric=True,
                )
                for at, occurrence in enumerate(reversal.occurrences)
            ),
        ),
        notes=(f"The same pair with opposite signs; {note}.",),
        footer="",
    )
