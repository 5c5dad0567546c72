"""Right answers and confusion matrices that published figures stand for."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.published.audit import Audit
from analysis.published.boards import Board
from analysis.published.counts import Counts
from analysis.published.figure_checks import FigureCheck, MatrixFit
from analysis.published.systems import SystemAudit
from analysis.tables.audit.by_report import audit_table, from_to, full_name, systems_of
from analysis.tables.digits import exact_count, percent
from analysis.tables.table import UNKNOWN, Column, Table


def counts_table(audit: Audit) -> Table | None:
    """Lay out the right answers and the number of confusion matrices behind every figure."""
    rows = [
        (report, system, reading)
        for report, system in systems_of(audit)
        for reading in system.readings
        if report.board is None or not _on_board(report.board, system, reading)
    ]
    readings = [reading for _, _, reading in rows]
    counts = [reading.counts for reading in readings]
    columns = [
        Column("System", [system.name for _, system, _ in rows]),
        Column("Where", [figure_place(system, reading) for _, system, reading in rows]),
        Column("Figure", [reading.accuracy or UNKNOWN for reading in readings], numeric=True),
        Column("Right answers", [_right_answers(count) for count in counts], numeric=True),
        Column(
            "Ruled out",
            [UNKNOWN if count is None else percent(count.strength, places=0) for count in counts],
            numeric=True,
        ),
    ]
    # Where accuracies stand alone there is nothing to show beside them.
    if any(reading.others for reading in readings):
        columns += [
            Column("Other figures", [reading.others or UNKNOWN for reading in readings]),
            Column("Matrices", [_how_many(reading.fits) if reading.others else UNKNOWN for reading in readings]),
        ]
    unnamed = any(fit.read_as for reading in readings for fit in reading.fits)
    return audit_table(
        audit,
        "What the figures stand for",
        [report for report, _, _ in rows],
        columns,
        notes=(
            "Right answers: the whole numbers that round to the figure. Ruled out: the share of figures with as many "
            "digits that no whole number gives; at 0% the check cannot fail.",
            *(
                ["Matrices: the confusion matrices that fit, for each class that the figure may be about."]
                if unnamed
                else []
            ),
            *_notes(audit),
        ),
    )


def _on_board(board: Board, system: SystemAudit, reading: FigureCheck) -> bool:
    """Return whether the table of the board has all that there is to say of a figure."""
    left_out = {one.name for one in board.not_ranked}
    return reading.epoch is None and not reading.others and system.name not in left_out


def figure_place(system: SystemAudit, reading: FigureCheck) -> str:
    """Say where a figure stands: printed, or at an epoch of the log."""
    if reading.epoch is None:
        return "printed" if system.runs == 1 else f"mean of {system.runs} runs"
    return f"log, epoch {reading.epoch}{' (kept)' if reading.epoch == system.kept_epoch else ''}"


def _right_answers(counts: Counts | None) -> str:
    if counts is None:
        return UNKNOWN
    right = from_to(exact_count(counts.low), exact_count(counts.high)) if counts.possible else "none"
    return f"{right} of {exact_count(counts.n * counts.runs)}"


def _how_many(fits: Sequence[MatrixFit]) -> str:
    texts = [
        f"{exact_count(fit.matrices.count) if fit.matrices.count else 'none'}"
        f"{f' if {fit.read_as}' if fit.read_as else ''}"
        for fit in fits
    ]
    return ", ".join(texts) or UNKNOWN


def _notes(audit: Audit) -> list[str]:
    """Say which figures no run can have, and which the log does not bear out."""
    notes = []
    for report, system in systems_of(audit):
        name = full_name(report, system.name)
        for reading in system.readings:
            figure = f"{name}, {figure_place(system, reading)}"
            if reading.counts is not None and not reading.counts.possible:
                notes.append(f"{figure}: no number of right answers rounds to {reading.counts.printed}.")
            elif reading.contradicts_itself:
                how = " or are averaged in another way" if len(reading.fits) > 1 else ""
                notes.append(f"{figure}: no confusion matrix has these figures; they contradict each other{how}.")
        notes += [f"{name}: {text}." for text in (*system.departures, *system.not_judged)]
        if system.matrices_reason:
            notes.append(f"{name}: confusion matrices were not searched; {system.matrices_reason}.")
        elif len(report.report.classes) > 2 and any(reading.others for reading in system.readings):
            notes.append(f"{name}: confusion matrices are searched for two classes only.")
    return notes
