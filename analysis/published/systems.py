"""System audits: what follows from the figures of one system."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from analysis.published.architectures import known_model
from analysis.published.claims_schema import System
from analysis.published.costs import ParameterCheck, Recomputed, check_parameters, trainable_share
from analysis.published.figure_checks import FigureCheck, check_figures, departures, joint_matrix, kept_epoch
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
        share=(
            trainable_share(system.trainable, system.parameters, system.trainable_share)
            if system.trainable is not None and system.parameters is not None
            else None
        ),
        parameters=parameters,
        parameters_reason=reason,
    )
