"""Tables of systems: what their figures stand for, by class, cost, parameters, and pairs that turn round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.published.audit import Audit, ReportAudit
from analysis.published.costs import Recomputed
from analysis.published.counts import Counts
from analysis.published.figure_checks import FigureCheck, MatrixFit
from analysis.published.reversals import Reversal
from analysis.published.systems import SystemAudit
from analysis.tables.audit.rows import Row, ends, named, pairs, recomputed, systems, table, yes
from analysis.tables.digits import percent, points, whole
from analysis.tables.table import UNKNOWN, Table


def counts(audit: Audit) -> Table | None:
    """Lay out the right answers and the number of confusion matrices behind every figure."""
    rows, notes = [], []
    for report, system in systems(audit):
        for reading in system.readings:
            rows.append((report, _count_row(system, reading)))
            where = f"{named(report, system.name)}, {_where(system, reading)}"
            if reading.counts is not None and not reading.counts.possible:
                notes.append(f"{where}: no number of right answers rounds to {reading.counts.printed}.")
            elif reading.contradicts_itself:
                how = " or are averaged in another way" if len(reading.fits) > 1 else ""
                notes.append(f"{where}: no confusion matrix has these figures; they contradict each other{how}.")
        notes += [f"{named(report, system.name)}: {note}." for note in system.departures]
        if system.matrices_reason:
            said = f"no confusion matrix was looked for; {system.matrices_reason}."
            notes.append(f"{named(report, system.name)}: {said}")
        elif len(report.report.classes) > 2 and any(reading.others for reading in system.readings):
            notes.append(f"{named(report, system.name)}: confusion matrices are gone through for two classes only.")
    unnamed = any(fit.read_as for _, system in systems(audit) for reading in system.readings for fit in reading.fits)
    heads = ("Figure", "Right answers", "Ruled out")
    # Where accuracies stand alone there is nothing to show beside them.
    beside = ("Other figures", "Matrices") if any(row[-2] != UNKNOWN for _, row in rows) else ()
    width = 2 + len(heads) + len(beside)
    return table(
        audit,
        "What the figures stand for",
        ("System", "Where", *heads, *beside),
        [(report, row[:width]) for report, row in rows],
        numeric=heads,
        notes=(
            "Right answers: the whole numbers that round to the figure. Ruled out: the share of figures with as many "
            "digits that no whole number gives; at 0% the check could not fail.",
            *(
                ["Matrices: the confusion matrices that fit, for each class that the figure may be about."]
                if unnamed
                else []
            ),
            *notes,
        ),
    )


def _count_row(system: SystemAudit, reading: FigureCheck) -> Row:
    found = reading.counts
    return (
        system.name,
        _where(system, reading),
        reading.accuracy or UNKNOWN,
        UNKNOWN if found is None else f"{_right(found)} of {whole(found.n * found.runs)}",
        UNKNOWN if found is None else percent(found.strength, places=0),
        reading.others or UNKNOWN,
        _how_many(reading.fits) if reading.others else UNKNOWN,
    )


def _right(found: Counts) -> str:
    return ends(whole(found.low), whole(found.high)) if found.possible else "none"


def _where(system: SystemAudit, reading: FigureCheck) -> str:
    if reading.epoch is None:
        return "printed" if system.runs == 1 else f"mean of {system.runs} runs"
    return f"log, epoch {reading.epoch}{' (kept)' if reading.epoch == system.kept_epoch else ''}"


def _how_many(fits: Sequence[MatrixFit]) -> str:
    texts = [
        f"{whole(fit.matrices.count) if fit.matrices.count else 'none'}{f' if {fit.read_as}' if fit.read_as else ''}"
        for fit in fits
    ]
    return ", ".join(texts) or UNKNOWN


def classes(audit: Audit) -> Table | None:
    """Lay out precision and recall by class where one confusion matrix is left."""
    rows = []
    for report, system, reading, fit in _fits(audit):
        if fit.matrices.count != 1 or len(reading.fits) > 1:
            continue
        found, where = fit.matrices, _where(system, reading)
        for at, (name, size) in enumerate(report.report.classes.items()):
            right = round(found.recall[at][0] * size)
            shares = (_shares(column[at]) for column in (found.precision, found.recall, found.f1))
            rows.append((report, (system.name, where, name, str(right), str(size - right), *shares)))
    heads = ("Right", "Wrong", "Precision", "Recall", "F1")
    return table(
        audit,
        "By class, where one confusion matrix is left",
        ("System", "Where", "Class", *heads),
        rows,
        numeric=heads,
        notes=("A description of these runs on these sentences.",),
    )


def every_matrix(audit: Audit) -> Table | None:
    """Lay out the ranges of precision, recall and F1 over all confusion matrices that fit."""
    rows = []
    for report, system, reading, fit in _fits(audit):
        found = fit.matrices
        head = (system.name, _where(system, reading), fit.read_as or UNKNOWN, whole(found.count))
        for at, name in enumerate(report.report.classes):
            rows.append((report, (*head, name, *(_shares(c[at]) for c in (found.precision, found.recall, found.f1)))))
        rows.append((report, (*head, "macro", UNKNOWN, UNKNOWN, _shares(found.macro_f1))))
    heads = ("Matrices", "Precision", "Recall", "F1")
    return table(
        audit,
        "By class, over all confusion matrices that fit",
        ("System", "Where", "Read as", "Matrices", "Class", "Precision", "Recall", "F1"),
        rows,
        numeric=heads,
        notes=("Macro: the mean of both classes. A description of these runs on these sentences.",),
        detail=True,
    )


def _fits(audit: Audit) -> Iterator[tuple[ReportAudit, SystemAudit, FigureCheck, MatrixFit]]:
    """Go through what fits the printed figures and the kept epoch of the log, each set of figures once."""
    for report, system in systems(audit):
        seen = set()
        for reading in system.readings:
            if reading.epoch not in (None, system.kept_epoch):
                continue
            for fit in reading.fits:
                if fit.matrices.count and (fit.read_as, fit.matrices) not in seen:
                    seen.add((fit.read_as, fit.matrices))
                    yield report, system, reading, fit


def _shares(limits: tuple[float, float]) -> str:
    return ends(*(percent(share) for share in limits))


def reversal(one: Reversal) -> Table:
    """Lay out one pair as every report has it."""
    reports = [occurrence.report for occurrence in one.occurrences]
    rows: list[Row] = [
        (one.treatment, *(occurrence.treatment for occurrence in one.occurrences)),
        (one.baseline, *(occurrence.baseline for occurrence in one.occurrences)),
        ("gap", *(points(occurrence.gap) for occurrence in one.occurrences)),
    ]
    rows += [
        (f"{setting.setting} of {setting.system}", *(value or UNKNOWN for value in setting.values))
        for setting in one.settings
    ]
    settings = "below it the settings that changed" if one.settings else "no setting is said to have changed"
    return Table(
        title=f"Reversed: {one.treatment} against {one.baseline}",
        columns=("", *reports),
        numeric=frozenset(reports),
        rows=tuple(rows),
        notes=(f"The same pair with opposite signs; {settings}.",),
        footer="",
    )


def costs(audit: Audit) -> Table | None:
    """Lay out times and shares of parameters as they follow from the printed figures."""
    rows = [(report, (pair.name, *_cost_row(one))) for report, pair in pairs(audit) for one in pair.costs]
    rows += [
        (report, (system.name, *_cost_row(system.share)))
        for report, system in systems(audit)
        if system.share is not None and system.share.value < 1
    ]
    heads = ("Recomputed", "Claimed")
    return table(
        audit,
        "Cost claims",
        ("Pair or system", "What", *heads, "Agrees"),
        rows,
        numeric=heads,
        notes=("From the printed figures. One timing of each arm does not say how far another run's would lie.",),
    )


def _cost_row(one: Recomputed) -> Row:
    return one.what, recomputed(one), one.claimed or UNKNOWN, UNKNOWN if one.agrees is None else yes(one.agrees)


def parameters(audit: Audit) -> Table | None:
    """Lay out printed numbers of parameters against those of known architectures."""
    rows = [
        (report, (system.name, check.what, check.printed, whole(check.expected), yes(check.agrees)))
        for report, system in systems(audit)
        for check in system.parameters
    ]
    heads = ("Printed", "By the architecture")
    return table(
        audit,
        "Parameters",
        ("System", "Which", *heads, "Agrees"),
        rows,
        numeric=heads,
        notes=(
            "With the head that classifies sequences. Under an adapter the total has the head twice: peft trains a "
            "copy of it.",
            *(
                f"{named(report, system.name)}: not judged, {system.parameters_reason}."
                for report, system in systems(audit)
                if system.parameters_reason
            ),
        ),
    )
