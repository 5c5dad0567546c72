"""Checks of the figures of one system, as printed and as logged: the right answers and confusion matrices that fit."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from analysis.published import matrices
from analysis.published.claims_epochs import BY_CLASS, Criterion, Log
from analysis.published.claims_fields import MACRO, WEIGHTED
from analysis.published.claims_schema import System
from analysis.published.counts import Counts, right_answers
from analysis.published.matrices import Bound, Matrices, Matrix, Measure, fitting_matrices
from analysis.published.printed_figures import PrintedFigure
from analysis.published.published_report import PublishedReport

ByClass = Mapping[str, PrintedFigure]

_NAMES = {"f1": "F1", "precision": "precision", "recall": "recall", "mcc": "MCC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFit:
    """The confusion matrices that fit if the figures without a class are about this one.

    Parameters
    ----------
    read_as : str
        The class, ``macro`` or ``weighted``; empty where every figure names its class.
    matrices : Matrices
    """

    read_as: str
    matrices: Matrices


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureCheck:
    """One set of figures of a system, and what fits it. A description of these runs on this test set.

    Parameters
    ----------
    epoch : int or None
        The epoch of the log; None for the printed figures.
    accuracy : str
        The accuracy or error rate as printed; empty where there is none.
    others : str
        F1, precision and recall as printed, in words.
    counts : Counts or None
        The right answers; None without an accuracy.
    fits : tuple of MatrixFit
        The confusion matrices, for two classes of known size and one run; else empty.
    """

    epoch: int | None
    accuracy: str
    others: str
    counts: Counts | None
    fits: tuple[MatrixFit, ...]

    @property
    def contradicts_itself(self) -> bool:
        """Whether no right answers, or no matrix under any reading, fit the figures."""
        impossible = self.counts is not None and not self.counts.possible
        return impossible or (bool(self.fits) and not any(fit.matrices.count for fit in self.fits))


def check_figures(system: System, report: PublishedReport) -> tuple[FigureCheck, ...]:
    """Check the printed figures of a system, then those of every epoch of its log.

    Parameters
    ----------
    system : System
    report : PublishedReport
        The report of the system.
    """
    log = system.log
    if log is None:
        return (_printed(system, report),)
    return (_printed(system, report), *(_logged(log, report, epoch) for epoch in range(1, log.epochs + 1)))


def matrix_rows(system: System, report: PublishedReport) -> int:
    """Count the rows that a search for the confusion matrices of a system takes.

    A row is one number of right answers of the first class, for one set of figures and one reading of them.

    Parameters
    ----------
    system : System
    report : PublishedReport
        The report of the system.
    """
    if len(report.classes) != 2 or (system.runs > 1 and system.log is None):
        return 0
    blocks = [block for block in (system, system.log) if block is not None]
    unnamed = any("" in getattr(block, measure) for block in blocks for measure in BY_CLASS)
    # The printed figures, each epoch of the log, and the printed figures with those of their epoch.
    sets = 1 if system.log is None else 2 + system.log.epochs
    size, *_ = report.classes.values()
    return sets * (len(report.classes) + 2 if unnamed else 1) * (size + 1)


def kept_epoch(system: System) -> int | None:
    """Find the epoch of the log that the printed figures are of.

    Accuracy and loss decide. Where several epochs have both, it is the one that the selection means: the best, of
    equal ones the earliest; else the last.

    Returns
    -------
    int or None
        From 1; None without a log, or where no epoch has the printed figures.
    """
    log = system.log
    if log is None:
        return None
    printed = [(system.score, log.accuracy), (system.loss, log.loss)]
    epochs = [
        epoch
        for epoch in range(1, log.epochs + 1)
        if all(figure.agrees_with(column[epoch - 1]) for figure, column in printed if figure and column)
    ]
    if not any(figure and column for figure, column in printed):
        return None
    if system.selection is None or system.selection.best is None:
        return epochs[-1] if epochs else None
    order = _order(log, system.selection.best)
    return min(epochs, key=lambda epoch: (order[epoch - 1], epoch), default=None)


def _order(log: Log, criterion: Criterion) -> list[Fraction]:
    """Return for each epoch a number that is the smaller the better; all alike where the log does not say."""
    sign = 1 if criterion == "loss" else -1
    return [sign * figure.value for figure in _column(log, criterion)] or [Fraction(0)] * log.epochs


def _column(log: Log, criterion: Criterion) -> tuple[PrintedFigure, ...]:
    return {"loss": log.loss, "accuracy": log.accuracy}.get(criterion, ())


def joint_matrix(system: System, report: PublishedReport) -> Matrix | None:
    """Return the only confusion matrix that fits the printed and the logged figures together, where there is one."""
    matrices = [fit.matrices for fit in _joint(system, report) if fit.matrices.count]
    return matrices[0].listed[0] if len(matrices) == 1 and matrices[0].count == 1 else None


def departures(system: System, report: PublishedReport) -> tuple[str, ...]:
    """Return where the printed figures differ from the log of the same run, in words."""
    log, epoch = system.log, kept_epoch(system)
    if log is None:
        return ()
    if epoch is None:
        comparable = {"accuracy": system.score and log.accuracy, "loss": system.loss and log.loss}
        printed = " and ".join(name for name, known in comparable.items() if known)
        return (f"no epoch of the log has the printed {printed}",) if printed else ()
    notes: list[str] = []
    for measure, logged in _by_class_at(log, epoch).items():
        for name, figure in getattr(system, measure).items():
            # A figure that names no class may be that of any.
            beside = logged.values() if not name or "" in logged else [logged[name]] if name in logged else []
            if beside and not any(figure.agrees_with(other) for other in beside):
                values = " and ".join(other.printed for other in beside)
                what = _named(measure, name)
                notes.append(f"{what} is printed as {figure.printed}, but epoch {epoch} of the log has {values}")
    joint = _joint(system, report)
    alone = (_printed(system, report), _logged(log, report, epoch))
    fits = any(fit.matrices.count for fit in joint) or any(check.contradicts_itself for check in alone)
    if not notes and joint and not fits:
        notes.append("no confusion matrix fits the printed figures and the log together")
    return (*_other_than_said(system, log, epoch), *notes)


def _other_than_said(system: System, log: Log, epoch: int) -> list[str]:
    """Return where the figures are not from the epoch that the report says was chosen, in words."""
    selection = system.selection
    if selection is None or selection.on == "holdout":
        return []
    if selection.best is None:
        note = f"the figures are said to be from the last epoch, but they are from epoch {epoch} of {log.epochs}"
        return [note] if epoch != log.epochs else []
    order, column = _order(log, selection.best), _column(log, selection.best)
    best = order.index(min(order)) + 1
    note = f"epoch {best} of the log has the best {selection.best}, but the figures are from epoch {epoch}"
    return [] if best == epoch or not column or column[best - 1].agrees_with(column[epoch - 1]) else [note]


def _named(measure: Measure, name: str) -> str:
    if name in (MACRO, WEIGHTED):
        return f"{name} {_NAMES[measure]}"
    return f"{_NAMES[measure]} of {name}" if name else _NAMES[measure]


def _joint(system: System, report: PublishedReport) -> tuple[MatrixFit, ...]:
    log, epoch = system.log, kept_epoch(system)
    printed = _printed(system, report)
    if log is None or epoch is None or not printed.fits:
        return printed.fits
    accuracies = [figure for figure in (system.score, _accuracy_at(log, epoch)) if figure is not None]
    return _fits(accuracies, [_by_class(system), _by_class_at(log, epoch)], report, mcc=system.mcc)


def _printed(system: System, report: PublishedReport) -> FigureCheck:
    runs = None if system.runs_not_said(report.n) else system.runs
    check = _checked(system.score, _by_class(system), report, runs=runs, epoch=None, mcc=system.mcc)
    correlations = (("Pearson", system.pearson), ("Spearman", system.spearman))
    others = [check.others, *(f"{name} {with_spread(figure)}" for name, figure in correlations if figure is not None)]
    return dataclasses.replace(check, others=", ".join(filter(None, others)))


def _logged(log: Log, report: PublishedReport, epoch: int) -> FigureCheck:
    return _checked(_accuracy_at(log, epoch), _by_class_at(log, epoch), report, runs=1, epoch=epoch)


def _accuracy_at(log: Log, epoch: int) -> PrintedFigure | None:
    return log.accuracy[epoch - 1] if log.accuracy else None


def _by_class(system: System) -> dict[Measure, ByClass]:
    return {measure: getattr(system, measure) for measure in BY_CLASS}


def _by_class_at(log: Log, epoch: int) -> dict[Measure, ByClass]:
    return {
        measure: {name: figures[epoch - 1] for name, figures in getattr(log, measure).items()} for measure in BY_CLASS
    }


def _checked(
    accuracy: PrintedFigure | None,
    by_class: Mapping[Measure, ByClass],
    report: PublishedReport,
    *,
    runs: int | None,
    epoch: int | None,
    mcc: PrintedFigure | None = None,
) -> FigureCheck:
    figures = [
        f"{_named(measure, name)} {with_spread(figure)}"
        for measure, named in by_class.items()
        for name, figure in named.items()
    ]
    if mcc is not None:
        figures.append(f"MCC {with_spread(mcc)}")
    return FigureCheck(
        epoch=epoch,
        accuracy=with_spread(accuracy) if accuracy is not None else "",
        others=", ".join(figures),
        counts=right_answers(accuracy, n=report.n, runs=runs) if accuracy is not None and runs is not None else None,
        fits=_fits([accuracy] if accuracy is not None else [], [by_class], report, mcc=mcc) if runs == 1 else (),
    )


def with_spread(figure: PrintedFigure) -> str:
    """Return a figure as printed, with the spread beside it."""
    return figure.printed if figure.spread is None else f"{figure.printed} ± {figure.spread.printed}"


def _fits(
    accuracies: Sequence[PrintedFigure],
    sets: Sequence[Mapping[Measure, ByClass]],
    report: PublishedReport,
    *,
    mcc: PrintedFigure | None,
) -> tuple[MatrixFit, ...]:
    """Find the matrices under every reading of the figures that name no class."""
    given = [
        (measure, name, figure) for one in sets for measure, named in one.items() for name, figure in named.items()
    ]
    if len(report.classes) != 2 or not (accuracies or given or mcc):
        return ()
    classes = list(report.classes)
    numbers = {**{name: at for at, name in enumerate(classes)}, MACRO: matrices.MACRO, WEIGHTED: matrices.WEIGHTED}
    unnamed = any(not name for _, name, _ in given)
    first, second = report.classes.values()
    fits = []
    for read_as in [*classes, MACRO, WEIGHTED] if unnamed else [""]:
        bounds = [Bound(measure="accuracy", of=0, low=figure.low, high=figure.high) for figure in accuracies]
        bounds += [
            Bound(measure=measure, of=numbers[name or read_as], low=figure.low, high=figure.high)
            for measure, name, figure in given
        ]
        if mcc is not None:
            bounds.append(Bound(measure="mcc", of=matrices.MACRO, low=mcc.low, high=mcc.high))
        fits.append(MatrixFit(read_as=read_as, matrices=_matrices((first, second), tuple(bounds))))
    return tuple(fits)


@functools.lru_cache(maxsize=64)
def _matrices(class_counts: tuple[int, int], bounds: tuple[Bound, ...]) -> Matrices:
    # The same figures are asked about by themselves, with the log, and for the pair.
    return fitting_matrices(class_counts, bounds)
