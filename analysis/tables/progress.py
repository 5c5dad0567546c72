"""Progress table: the trials of every arm by how they ended, and those that are still to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.table import Column, Table

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_ENDED = ("finished", "diverged", "spared")


def progress_table(report: StudyReport, footer: str) -> Table:
    """Lay out how far every arm is."""
    others = dict.fromkeys(status for arm in report.arms for status in arm.statuses)
    columns = ["finished", *(status for status in others if status not in ("finished", "not run"))]
    to_run = [sum(count for status, count in arm.statuses.items() if status not in _ENDED) for arm in report.arms]
    notes = []
    if set(columns) - set(_ENDED):
        notes.append("A trial that failed, was interrupted or cannot be read is among those to run.")
    if "spared" in columns:
        notes.append("A spared trial belongs to an arm that no open comparison needs any more.")
    return Table(
        title="Progress",
        columns=(
            Column("Arm", [arm.arm for arm in report.arms]),
            *(
                Column(status.capitalize(), [str(arm.statuses.get(status, 0)) for arm in report.arms], numeric=True)
                for status in columns
            ),
            Column("To run", list(map(str, to_run)), numeric=True),
        ),
        notes=tuple(notes),
        footer=footer,
    )
