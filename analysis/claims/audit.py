"""Judge published numbers without a single run: what follows from them, and what does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.claims.costs import (
    ParameterCheck,
    Recomputed,
    check_parameters,
    speedup,
    time_saved,
    trainable_share,
)
from analysis.claims.file import ClaimsFile, Pair, Report, SeedSd, System
from analysis.claims.lift import EpochScatter, chance_of_selected_gap, epoch_scatter, expected_lift
from analysis.claims.overlaps import Overlaps, overlaps
from analysis.claims.readings import Reading, departures, joint_matrix, kept_epoch, readings
from analysis.claims.rerun import Rerun, rerun
from analysis.claims.reversals import Reversal, reversals
from analysis.claims.seeds import (
    DISCORDANCE,
    Confirmation,
    WelchResult,
    chance_of_gap,
    confirmation,
    supposed_components,
    welch,
)
from analysis.errors import AnalysisError
from analysis.jsonable import jsonable
from analysis.outcomes import Outcomes
from analysis.problems import near

SUPPOSED_SEED_SDS = (0.005, 0.01, 0.02)
"""SDs over seeds of one run's accuracy that are gone through where none is known."""

# What is simulated follows from the claims alone: the same file gives the same audit.
_SIMULATION_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAudit:
    """What follows from the figures of one system.

    Parameters
    ----------
    name
    runs
        How many runs the figures are means of.
    readings
        The printed figures, then every epoch of the log.
    kept_epoch
        The epoch of the log that the printed figures are of; None where that is not known.
    departures
        Where the printed figures depart from the log.
    lift
        What choosing the epoch on the reported sentences is expected to add; None where it was not chosen so.
    share
        The share of trained parameters; None where it does not follow from the printed figures.
    parameters
        Printed numbers of parameters against the architecture's, where it is known.
    parameters_reason
        Why they could not be held against a known architecture; else empty.
    """

    name: str
    runs: int
    readings: tuple[Reading, ...]
    kept_epoch: int | None
    departures: tuple[str, ...]
    lift: float | None
    share: Recomputed | None
    parameters: tuple[ParameterCheck, ...]
    parameters_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedsReading:
    """A gap against the scatter of seeds, at one SD; for new seeds on this test set.

    Parameters
    ----------
    seed_sd
        SD over seeds of one run's accuracy.
    source
        Where it comes from.
    chance
        The chance that two identical procedures show a gap at least as large: the least and the greatest over the
        right answers that the figures allow; for means over runs, that of the printed gap.
    confirmation
        What it would take to confirm a gap of the printed size.
    """

    seed_sd: float
    source: str
    chance: tuple[float, float]
    confirmation: Confirmation


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedGap:
    """A gap between figures of which at least one is the best of several epochs on the reported sentences.

    Parameters
    ----------
    epochs
        From how many epochs the treatment's and the baseline's figure was picked; 1 where none was.
    last
        The gap in accuracy at the last epochs; NaN without the logs.
    expected
        The expected lift of the treatment's and of the baseline's figure. Where both were picked alike they cancel on
        average, and make the gap no more than noisier.
    exceeds
        Whether the gap is larger than the larger of them.
    chance
        How often two equally good arms, reported so, come out at least as far apart by the scatter of their epochs.
    """

    epochs: tuple[int, int]
    last: float
    expected: tuple[float, float]
    exceeds: bool
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAudit:
    """What follows from the figures of two systems.

    Parameters
    ----------
    treatment, baseline
    said, words
        What the report says of the pair: ``"differ"``, ``"equal"`` or nothing, and in which words.
    printed
        The two accuracies or error rates as printed, the treatment's first.
    gap
        Treatment minus baseline, in accuracy: from the right answers where they are known, else from the printed
        figures; NaN where one is missing.
    overlaps
        McNemar's test over every overlap; None where it cannot be made.
    reason
        Why it cannot be made; else empty.
    seeds
        The gap against the scatter of seeds.
    welch
        The test over printed means and SDs; None where there are none.
    selected
        What choosing epochs on the reported sentences does to the gap; None where none was chosen so.
    costs
        Times recomputed.
    mismatches
        Figures that are compared although they are of different epochs.
    rerun
        What a study's own runs say; None without one.
    """

    treatment: str
    baseline: str
    said: str | None
    words: str | None
    printed: tuple[str, str]
    gap: float
    overlaps: Overlaps | None
    reason: str
    seeds: tuple[SeedsReading, ...]
    welch: WelchResult | None
    selected: SelectedGap | None
    costs: tuple[Recomputed, ...]
    mismatches: tuple[str, ...]
    rerun: Rerun | None

    @property
    def name(self) -> str:
        """The pair in words: ``treatment against baseline``."""
        return f"{self.treatment} against {self.baseline}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAudit:
    """What follows from one published table.

    Parameters
    ----------
    report
        The table.
    scatter
        How far equally good epochs of a run are supposed to scatter.
    systems, pairs
        In the order of the table.
    """

    report: Report
    scatter: EpochScatter
    systems: tuple[SystemAudit, ...]
    pairs: tuple[PairAudit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What follows from published numbers alone.

    Parameters
    ----------
    title
    alpha
        The two-sided level.
    reports
        In the order of the file.
    reversals
        Pairs whose order turns round between reports.
    """

    title: str
    alpha: float
    reports: tuple[ReportAudit, ...]
    reversals: tuple[Reversal, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the audit as plain dicts, lists, texts and numbers; NaN becomes None, its reason stays."""
        plain = jsonable(self)
        if not isinstance(plain, dict):
            raise TypeError(f"an audit becomes a dict, got {type(plain).__name__}")
        return plain


def audit(claims: ClaimsFile, *, own: Outcomes | None = None, alpha: float = 0.05) -> Audit:
    """Judge published numbers.

    Parameters
    ----------
    claims
        What `parse_claims_file` returns.
    own
        A study that retrains some of the systems: its arms have their names, or those that the file gives as `arm`.
    alpha
        Two-sided level, above 0 and at most 0.5.

    Raises
    ------
    AnalysisError
        If the study has both arms of no pair, or fewer than two finished seeds in common.

    Examples
    --------
    >>> from analysis.claims.file import parse_claims_file
    >>> found = audit(parse_claims_file({
    ...     "source": "table 2", "n": "872", "systems": {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}},
    ... }))
    >>> pair = found.reports[0].pairs[0]
    >>> pair.overlaps.gap, pair.overlaps.discordance, pair.overlaps.outcome
    ((-18, -18), (18, 222), 'undetermined without predictions')
    """
    if own is not None:
        _require_a_pair(claims, own)
    return Audit(
        title=claims.title,
        alpha=alpha,
        reports=tuple(_report(report, own, alpha) for report in claims.reports),
        reversals=reversals(claims.reports),
    )


def _require_a_pair(claims: ClaimsFile, own: Outcomes) -> None:
    pairs = [{_arm(report, name) for name in _sides(pair)} for report in claims.reports for pair in report.pairs]
    if any(arms <= set(own.arms) for arms in pairs):
        return
    hints = [f"{arm!r}{near(arm, own.arms)}" for arm in sorted({arm for arms in pairs for arm in arms} - set(own.arms))]
    raise AnalysisError(
        f"{own.folder} has both arms of no pair: its arms are {', '.join(own.arms)}, the claims are about "
        f"{', '.join(hints)}; name a system's arm in the claims file, such as arm: {own.arms[-1]}"
    )


def _arm(report: Report, name: str) -> str:
    return report.systems[name].arm or name


def _sides(pair: Pair) -> tuple[str, str]:
    return pair.treatment, pair.baseline


def _report(report: Report, own: Outcomes | None, alpha: float) -> ReportAudit:
    logs = [[float(f.value) for f in system.log.accuracy] for system in report.systems.values() if system.log]
    scatter = epoch_scatter(logs, n=report.n)
    systems = tuple(_system(name, system, report, scatter) for name, system in report.systems.items())
    by_name = {system.name: system for system in systems}
    pairs = tuple(_pair(pair, report, by_name, scatter, own, alpha) for pair in report.pairs)
    return ReportAudit(report=report, scatter=scatter, systems=systems, pairs=pairs)


def _system(name: str, system: System, report: Report, scatter: EpochScatter) -> SystemAudit:
    parameters: tuple[ParameterCheck, ...] = ()
    reason = ""
    try:
        parameters = check_parameters(
            report.model,
            classes=len(report.classes) or None,
            tuning=_tuning(system),
            trainable=system.trainable,
            total=system.parameters,
        )
    except ValueError as error:
        reason = str(error)
    lift = None
    if _picked(system) > 1:
        rng = np.random.default_rng(_SIMULATION_SEED)
        lift = expected_lift(_picked(system), scatter, rng=rng)
    return SystemAudit(
        name=name,
        runs=system.runs,
        readings=readings(system, report),
        kept_epoch=kept_epoch(system),
        departures=departures(system, report),
        lift=lift,
        share=(
            trainable_share(system.trainable, system.parameters, system.trainable_share)
            if system.trainable is not None and system.parameters is not None
            else None
        ),
        parameters=parameters,
        parameters_reason=reason,
    )


def _tuning(system: System) -> tuple[str, int, Sequence[str]] | None:
    if system.tuning is None:
        return None
    if system.tuning.lora is not None:
        return "lora", system.tuning.lora.r, system.tuning.lora.target_modules
    return ("freeze", system.tuning.freeze.layers, ()) if system.tuning.freeze is not None else ("all", 0, ())


def _picked(system: System) -> int:
    """Return from how many epochs the figure was picked on the reported sentences; 1 where it was not."""
    on_test = system.selection is not None and system.selection.on_test
    return (system.epochs or 1) if on_test and system.runs == 1 else 1


def _pair(
    pair: Pair,
    report: Report,
    systems: dict[str, SystemAudit],
    scatter: EpochScatter,
    own: Outcomes | None,
    alpha: float,
) -> PairAudit:
    treatment, baseline = (report.systems[name] for name in _sides(pair))
    scores = treatment.score, baseline.score
    gap = float(scores[0].value - scores[1].value) if scores[0] and scores[1] else math.nan
    found, reason = _overlaps(pair, report, systems, alpha)
    if found is not None and found.gap[0] == found.gap[1]:
        gap = found.gap[0] / report.n
    measured = _rerun(pair, report, own, found, alpha)
    counts = [systems[name].readings[0].counts for name in _sides(pair)]
    possible = all(one is None or one.possible for one in counts)
    tested = None
    if scores[0] and scores[1] and treatment.sd and baseline.sd:
        tested = welch((scores[0], treatment.sd), (scores[1], baseline.sd), runs=(treatment.runs, baseline.runs))
    selected = _selected(treatment, baseline, report, systems, pair, gap, scatter)
    return PairAudit(
        treatment=pair.treatment,
        baseline=pair.baseline,
        said=pair.said,
        words=pair.words,
        printed=(scores[0].printed if scores[0] else "", scores[1].printed if scores[1] else ""),
        gap=gap,
        overlaps=found,
        reason=reason,
        seeds=_seeds(pair, report, gap, found, measured, alpha) if possible else (),
        welch=tested,
        selected=selected,
        costs=_costs(pair, treatment, baseline),
        mismatches=_mismatches(pair, report, systems),
        rerun=measured,
    )


def _overlaps(pair: Pair, report: Report, systems: dict[str, SystemAudit], alpha: float) -> tuple[Overlaps | None, str]:
    """Return McNemar's test over every overlap, or why it cannot be made."""
    ranges = []
    for name in _sides(pair):
        system, audited = report.systems[name], systems[name]
        matrix = joint_matrix(system, report) if system.runs == 1 else None
        counts = audited.readings[0].counts
        if system.runs > 1:
            return None, f"{name} is a mean over {system.runs} runs, and McNemar's test is about two trained models"
        if counts is None and matrix is None:
            return None, f"no accuracy of {name} is printed, and the other figures leave more than one"
        if counts is not None and not counts.possible:
            return (
                None,
                f"no number of right answers out of {report.n} rounds to {counts.printed}, as {name} is printed",
            )
        ranges.append(_narrowed(audited) if matrix is None else (matrix[0] + matrix[3],) * 2)
    matrices = [joint_matrix(report.systems[name], report) for name in _sides(pair)]
    by_class = []
    if matrices[0] is not None and matrices[1] is not None:
        sizes = tuple(report.classes.values())
        by_class = [(matrices[0][at], matrices[1][at], size) for at, size in zip((0, 3), sizes, strict=True)]
    return overlaps(ranges[0], ranges[1], n=report.n, by_class=by_class, alpha=alpha), ""


def _narrowed(audited: SystemAudit) -> tuple[int, int]:
    """Return the right answers that the printed accuracy allows, and the log where it agrees."""
    printed = audited.readings[0].counts
    logged = audited.readings[audited.kept_epoch].counts if audited.kept_epoch else None
    if printed is None:
        raise ValueError("a system without an accuracy has no numbers of right answers")
    if logged is not None and max(printed.low, logged.low) <= min(printed.high, logged.high):
        return max(printed.low, logged.low), min(printed.high, logged.high)
    return printed.low, printed.high


def _seeds(
    pair: Pair, report: Report, gap: float, found: Overlaps | None, measured: Rerun | None, alpha: float
) -> tuple[SeedsReading, ...]:
    if math.isnan(gap) or report.n < 2:
        return ()
    runs = report.systems[pair.treatment].runs, report.systems[pair.baseline].runs
    sentences = [gap * report.n]
    discordance = DISCORDANCE
    if found is not None:
        low, high = found.gap
        sentences = [0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))]
        discordance = min(max(discordance, found.discordance[0] / report.n), found.discordance[1] / report.n)
    out = []
    for sd, source, df in _seed_sds(report.seed_sd, measured):
        components = supposed_components(sd, n=report.n, discordance=discordance, gap=gap)
        if measured is not None and measured.seed_sd > 0:
            components = measured.components
        out.append(
            SeedsReading(
                seed_sd=sd,
                source=source,
                chance=_ends([chance_of_gap(k, n=report.n, seed_sd=sd, runs=runs, df=df) for k in sentences]),
                confirmation=confirmation(gap, components, n=report.n, alpha=alpha),
            )
        )
    return tuple(out)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _seed_sds(stated: SeedSd | None, measured: Rerun | None) -> list[tuple[float, str, float]]:
    if measured is not None and measured.seed_sd > 0:
        runs = f"{measured.n_seeds} seeds of {measured.study}"
        return [(measured.seed_sd, runs, float(measured.seed_df))]
    if stated is not None:
        runs = f"stated, from {stated.runs} runs" if stated.runs else "stated"
        return [(float(stated.value.value), runs, float(stated.runs - 1) if stated.runs else math.inf)]
    return [(sd, "supposed", math.inf) for sd in SUPPOSED_SEED_SDS]


def _selected(
    treatment: System,
    baseline: System,
    report: Report,
    systems: dict[str, SystemAudit],
    pair: Pair,
    gap: float,
    scatter: EpochScatter,
) -> SelectedGap | None:
    lifts = [systems[name].lift for name in _sides(pair)]
    if all(lift is None for lift in lifts) or math.isnan(gap):
        return None
    epochs = _picked(treatment), _picked(baseline)
    expected = tuple(0.0 if lift is None else lift for lift in lifts)
    logs = [system.log.accuracy if system.log is not None else () for system in (treatment, baseline)]
    return SelectedGap(
        epochs=epochs,
        last=float(logs[0][-1].value - logs[1][-1].value) if all(logs) else math.nan,
        expected=(expected[0], expected[1]),
        exceeds=abs(gap) > max(expected),
        chance=chance_of_selected_gap(
            round(gap * report.n), epochs, scatter, n=report.n, rng=np.random.default_rng(_SIMULATION_SEED)
        ),
    )


def _costs(pair: Pair, treatment: System, baseline: System) -> tuple[Recomputed, ...]:
    if treatment.time is None or baseline.time is None:
        return ()
    return (
        time_saved(treatment.time, baseline.time, pair.time_saved),
        speedup(treatment.time, baseline.time, pair.speedup),
    )


def _mismatches(pair: Pair, report: Report, systems: dict[str, SystemAudit]) -> tuple[str, ...]:
    """Say which printed figures are of different epochs, and how they compare at the same one."""
    treatment, baseline = (report.systems[name] for name in _sides(pair))
    kept = [systems[name].kept_epoch for name in _sides(pair)]
    notes = []
    if treatment.loss and baseline.loss and None not in kept and kept[0] != kept[1]:
        notes.append(
            f"the losses {treatment.loss.printed} and {baseline.loss.printed} are those of epochs {kept[0]} and "
            f"{kept[1]}{_at_the_same_epochs(treatment, baseline)}"
        )
    epochs = treatment.epochs, baseline.epochs
    if treatment.time and baseline.time and None not in epochs and epochs[0] != epochs[1]:
        notes.append(
            f"the times {treatment.time.printed} and {baseline.time.printed} are those of {epochs[0]} and "
            f"{epochs[1]} epochs"
        )
    return tuple(notes)


def _at_the_same_epochs(treatment: System, baseline: System) -> str:
    columns = [system.log.loss if system.log is not None else () for system in (treatment, baseline)]
    pairs = list(zip(*columns, strict=False))
    if not pairs:
        return ""
    named = ", ".join(f"{one.printed} and {other.printed} at {at}" for at, (one, other) in enumerate(pairs, start=1))
    return f"; at the same epochs they are {named}"


def _rerun(pair: Pair, report: Report, own: Outcomes | None, published: Overlaps | None, alpha: float) -> Rerun | None:
    arms = [_arm(report, name) for name in _sides(pair)]
    if own is None or not set(arms) <= set(own.arms):
        return None
    return rerun(own, arms[0], arms[1], published=published, alpha=alpha)
