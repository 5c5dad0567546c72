"""System audits: what follows from the figures of one system."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from analysis.published.architectures import known_model
from analysis.published.claims_schema import System
from analysis.published.costs import ParameterCheck, Recomputed, check_parameters, trainable_share
from analysis.published.figure_checks import (
    FigureCheck,
    check_figures,
    departures,
    joint_matrix,
    kept_epoch,
    with_spread,
)
from analysis.published.lift import EpochScatter, expected_lift
from analysis.published.matrices import Matrix
from analysis.published.published_report import PublishedReport

# What is simulated follows from the claims alone: the same file gives the same audit.
SIMULATION_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAudit:
    """What follows from the figures of one system.

    Parameters
    ----------
    name : str
    runs : int
        How many runs the figures are means of.
    readings : tuple of FigureCheck
        The printed figures, then every epoch of the log.
    kept_epoch : int or None
        The epoch of the log that the printed figures are of; None where that is not known.
    matrix : Matrix or None
        The only confusion matrix that fits the printed and the logged figures together; None where there are others.
    departures : tuple of str
        Where the printed figures differ from the log, in words.
    lift : float or None
        What choosing the epoch on the reported test examples is expected to add; None where it was not chosen so.
    matrices_reason : str
        Why no confusion matrix was searched; else empty.
    not_judged : tuple of str
        Figures that are printed and not judged, and why, in words.
    share : Recomputed or None
        The share of trained parameters; None where it does not follow from the printed figures.
    parameters : tuple of ParameterCheck
        Printed numbers of parameters against the architecture's, where it is known.
    parameters_reason : str
        Why they could not be compared with a known architecture; else empty.
    """

    name: str
    runs: int
    readings: tuple[FigureCheck, ...]
    kept_epoch: int | None
    matrix: Matrix | None
    departures: tuple[str, ...]
    lift: float | None
    matrices_reason: str
    not_judged: tuple[str, ...]
    share: Recomputed | None
    parameters: tuple[ParameterCheck, ...]
    parameters_reason: str


def judge_system(
    name: str, system: System, report: PublishedReport, scatter: EpochScatter, *, matrices_reason: str = ""
) -> SystemAudit:
    """Judge the figures of one system.

    Parameters
    ----------
    name : str
    system : System
    report : PublishedReport
        The report of the system.
    scatter : EpochScatter
        How far equally good epochs of a run are assumed to scatter.
    matrices_reason : str
        Why no confusion matrix is searched; empty to search for them.
    """
    parameters: tuple[ParameterCheck, ...] = ()
    reason = ""
    try:
        parameters = check_parameters(
            report.model,
            classes=len(report.classes) or None,
            tuning=system.tuning,
            trainable=system.trainable,
            total=system.parameters,
        )
    except ValueError as error:
        reason = str(error)
    printed = system.trainable is not None or system.parameters is not None
    if printed and system.tuning is not None and (report.model is None or known_model(report.model) is None):
        reason = f"the parameter counts of {report.model or 'the model'} are not known"
    lift = None
    if system.picked_from > 1:
        lift = expected_lift(system.picked_from, scatter, rng=np.random.default_rng(SIMULATION_SEED))
    # Without the sizes of the classes only right answers follow from the figures.
    read = dataclasses.replace(report, classes={}) if matrices_reason else report
    return SystemAudit(
        name=name,
        runs=system.runs,
        readings=check_figures(system, read),
        kept_epoch=kept_epoch(system),
        matrix=joint_matrix(system, read),
        departures=departures(system, read),
        lift=lift,
        matrices_reason=matrices_reason,
        not_judged=_not_judged(system, report),
        share=(
            trainable_share(system.trainable, system.parameters, system.trainable_share)
            if system.trainable is not None and system.parameters is not None
            else None
        ),
        parameters=parameters,
        parameters_reason=reason,
    )


def _not_judged(system: System, report: PublishedReport) -> tuple[str, ...]:
    """Return the printed figures that nothing is made of, and why, in words."""
    notes = []
    score = system.score
    if score is not None and score.spread is not None:
        figure = with_spread(score)
        if system.runs_not_said(report.n):
            notes.append(
                f"{figure} is not judged: a spread says that it is a mean over runs, but not over how many; write "
                "runs: 5, or spread: over examples where the ± is of the test examples"
            )
        elif system.spread_over_examples(report.n):
            notes.append(
                f"the ± of {figure} is taken for what {report.n:,} test examples alone give any accuracy of this size; "
                "it says nothing about runs or pairs"
            )
    if system.mcc is not None and len(report.classes) != 2:
        notes.append(
            f"MCC {with_spread(system.mcc)} is not judged: that takes two classes and, as classes, the test examples "
            "of each"
        )
    correlations = (("Pearson", system.pearson), ("Spearman", system.spearman))
    notes += [
        f"{name} {with_spread(correlation)} is not judged: a correlation is no count of right answers, so its digits "
        "rule nothing out, and whether a gap is significant takes the predictions"
        for name, correlation in correlations
        if correlation is not None
    ]
    return tuple(notes)
