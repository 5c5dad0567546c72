"""Confusion matrices that published figures allow: precision, recall and F1 by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.published.audit import Audit, ReportAudit
from analysis.published.figure_checks import FigureCheck, MatrixFit
from analysis.published.systems import SystemAudit
from analysis.tables.audit.by_report import audit_table, from_to, systems_of
from analysis.tables.audit.counts import figure_place
from analysis.tables.digits import exact_count, percent
from analysis.tables.table import UNKNOWN, Column, Table


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The confusion matrices that fit one reading of a system's figures."""

    report: ReportAudit
    system: SystemAudit
    reading: FigureCheck
    fit: MatrixFit


def single_matrix_table(audit: Audit) -> Table | None:
    """Lay out precision and recall by class where one confusion matrix is left."""
    rows = [
        (fitting, at, name, size, round(fitting.fit.matrices.recall[at][0] * size))
        for fitting in _fits(audit)
        if fitting.fit.matrices.count == 1 and len(fitting.reading.fits) == 1
        for at, (name, size) in enumerate(fitting.report.report.classes.items())
    ]
    return audit_table(
        audit,
        "By class, where only one confusion matrix fits",
        [fitting.report for fitting, *_ in rows],
        (
            Column("System", [fitting.system.name for fitting, *_ in rows]),
            Column("Where", [figure_place(fitting.system, fitting.reading) for fitting, *_ in rows]),
            Column("Class", [name for _, _, name, _, _ in rows]),
            Column("Right", [str(right) for *_, right in rows], numeric=True),
            Column("Wrong", [str(size - right) for *_, size, right in rows], numeric=True),
            Column(
                "Precision", [_shares(fitting.fit.matrices.precision[at]) for fitting, at, *_ in rows], numeric=True
            ),
            Column("Recall", [_shares(fitting.fit.matrices.recall[at]) for fitting, at, *_ in rows], numeric=True),
            Column("F1", [_shares(fitting.fit.matrices.f1[at]) for fitting, at, *_ in rows], numeric=True),
        ),
        notes=("This describes these runs on this test set.",),
    )


def all_matrices_table(audit: Audit) -> Table | None:
    """Lay out the ranges of precision, recall and F1 over all confusion matrices that fit."""
    rows: list[tuple[_Fitting, str, str, str, str]] = []
    for fitting in _fits(audit):
        matrices = fitting.fit.matrices
        for at, name in enumerate(fitting.report.report.classes):
            precision, recall, f1 = (shares[at] for shares in (matrices.precision, matrices.recall, matrices.f1))
            rows.append((fitting, name, _shares(precision), _shares(recall), _shares(f1)))
        rows.append((fitting, "macro", UNKNOWN, UNKNOWN, _shares(matrices.macro_f1)))
    return audit_table(
        audit,
        "By class, over all confusion matrices that fit",
        [fitting.report for fitting, *_ in rows],
        (
            Column("System", [fitting.system.name for fitting, *_ in rows]),
            Column("Where", [figure_place(fitting.system, fitting.reading) for fitting, *_ in rows]),
            Column("Read as", [fitting.fit.read_as or UNKNOWN for fitting, *_ in rows]),
            Column("Matrices", [exact_count(fitting.fit.matrices.count) for fitting, *_ in rows], numeric=True),
            Column("Class", [name for _, name, _, _, _ in rows]),
            Column("Precision", [precision for _, _, precision, _, _ in rows], numeric=True),
            Column("Recall", [recall for _, _, _, recall, _ in rows], numeric=True),
            Column("F1", [f1 for *_, f1 in rows], numeric=True),
        ),
        notes=("Macro: the mean of both classes. This describes these runs on this test set.",),
        detail=True,
    )


def _fits(audit: Audit) -> Iterator[_Fitting]:
    """Go through what fits the printed figures and the kept epoch of the log, each set of figures once."""
    for report, system in systems_of(audit):
        seen = set()
        for reading in system.readings:
            if reading.epoch not in (None, system.kept_epoch):
                continue
            for fit in reading.fits:
                if fit.matrices.count and (fit.read_as, fit.matrices) not in seen:
                    seen.add((fit.read_as, fit.matrices))
                    yield _Fitting(report, system, reading, fit)


def _shares(limits: tuple[float, float]) -> str:
    return from_to(*(percent(share) for share in limits))
