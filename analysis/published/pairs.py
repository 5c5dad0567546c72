"""Pair audits: what follows from the figures of two systems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.published.claims_schema import Pair, System
from analysis.published.costs import Recomputed, not_recomputed, speedup, time_saved
from analysis.published.lift import EpochScatter, chance_of_selected_gap
from analysis.published.overlaps import Overlaps, overlaps
from analysis.published.published_report import PublishedReport
from analysis.published.rerun import Rerun, rerun
from analysis.published.seed_scatter import SeedScatterCheck, check_seed_scatter
from analysis.published.seeds import WelchResult, welch
from analysis.published.systems import SIMULATION_SEED, SystemAudit
from analysis.published.testable import right_answers_of, why_not_tested
from analysis.records.outcomes import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedGap:
    """A gap between figures of which at least one is the best of several epochs on the reported test examples.

    Parameters
    ----------
    epochs : tuple of int
        From how many epochs the treatment's and the baseline's figure was picked; 1 where none was.
    last : float
        The gap in accuracy at the last epochs; NaN without the logs.
    expected : tuple of float
        The expected lift of the treatment's and of the baseline's figure. Where both were picked alike they cancel on
        average, and make the gap no more than noisier.
    exceeds : bool
        Whether the gap is larger than the larger of them.
    chance : float
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
    treatment, baseline : str
    said, words : str or None
        What the report says of the pair: ``"differ"``, ``"equal"`` or nothing, and in which words.
    printed : tuple of str
        The two accuracies or error rates as printed, the treatment's first.
    gap : float
        Treatment minus baseline, in accuracy: from the right answers where they are known, else from the printed
        figures; NaN where one is missing.
    overlaps : Overlaps or None
        McNemar's test over every overlap; None where it cannot be made.
    reason : str
        Why it cannot be made; else empty.
    seeds : tuple of SeedScatterCheck
        The gap against the scatter of seeds.
    welch : WelchResult or None
        The test over printed means and SDs; None where there are none.
    selected : SelectedGap or None
        What choosing epochs on the reported test examples does to the gap; None where none was chosen so.
    costs : tuple of Recomputed
        Times recomputed.
    mismatches : tuple of str
        Figures that are compared although they are from different epochs, in words.
    rerun : Rerun or None
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
    seeds: tuple[SeedScatterCheck, ...]
    welch: WelchResult | None
    selected: SelectedGap | None
    costs: tuple[Recomputed, ...]
    mismatches: tuple[str, ...]
    rerun: Rerun | None

    @property
    def name(self) -> str:
        """The pair in words: ``treatment against baseline``."""
        return f"{self.treatment} against {self.baseline}"


def judge_pair(
    pair: Pair,
    report: PublishedReport,
    systems: Mapping[str, SystemAudit],
    scatter: EpochScatter,
    outcomes: Outcomes | None,
    alpha: float,
) -> PairAudit:
    """Judge the figures of two systems.

    Parameters
    ----------
    pair : Pair
    report : PublishedReport
        The report of the pair.
    systems : mapping of str to SystemAudit
        What follows from the figures of each.
    scatter : EpochScatter
        How far equally good epochs of a run are assumed to scatter.
    outcomes : Outcomes or None
        A study that retrains some of the systems.
    alpha : float
        Two-sided level.
    """
    treatment, baseline = (report.systems[name] for name in pair.sides)
    scores = treatment.score, baseline.score
    gap = float(scores[0].value - scores[1].value) if scores[0] and scores[1] else math.nan
    all_overlaps, reason = _overlaps(pair, report, systems, alpha)
    if all_overlaps is not None and all_overlaps.gap[0] == all_overlaps.gap[1]:
        gap = all_overlaps.gap[0] / report.n
    measured = _rerun(pair, report, outcomes, all_overlaps, alpha)
    counts = [systems[name].readings[0].counts for name in pair.sides]
    unknown_runs = any(system.runs_not_said(report.n) for system in (treatment, baseline))
    possible = not unknown_runs and all(count is None or count.possible for count in counts)
    tested, spreads = None, (treatment.over_runs(report.n), baseline.over_runs(report.n))
    if scores[0] and scores[1] and spreads[0] and spreads[1]:
        tested = welch(
            (scores[0], spreads[0].figure),
            (scores[1], spreads[1].figure),
            runs=(treatment.runs, baseline.runs),
            ddof=(spreads[0].ddof, spreads[1].ddof),
            kinds=(spreads[0].kind, spreads[1].kind),
        )
    selected = _selected(treatment, baseline, report, systems, pair, gap, scatter)
    return PairAudit(
        treatment=pair.treatment,
        baseline=pair.baseline,
        said=pair.said,
        words=pair.words,
        printed=(scores[0].printed if scores[0] else "", scores[1].printed if scores[1] else ""),
        gap=gap,
        overlaps=all_overlaps,
        reason=reason,
        seeds=check_seed_scatter(pair, report, gap, all_overlaps, measured, alpha) if possible else (),
        welch=tested,
        selected=selected,
        costs=_costs(pair, treatment, baseline),
        mismatches=_mismatches(pair, report, systems),
        rerun=measured,
    )


def _overlaps(
    pair: Pair, report: PublishedReport, systems: Mapping[str, SystemAudit], alpha: float
) -> tuple[Overlaps | None, str]:
    """Return McNemar's test over every overlap, or why it cannot be made."""
    audited = [systems[name] for name in pair.sides]
    if reason := next(filter(None, (why_not_tested(system, report) for system in audited)), ""):
        return None, reason
    treatment, baseline = map(right_answers_of, audited)
    matrices = [system.matrix for system in audited if system.matrix is not None]
    by_class = []
    if len(matrices) == 2:
        right = zip(*([matrix.right_0, matrix.right_1] for matrix in matrices), strict=True)
        by_class = [(*both, size) for both, size in zip(right, report.classes.values(), strict=True)]
    return overlaps(treatment, baseline, n=report.n, by_class=by_class, alpha=alpha), ""


def _selected(
    treatment: System,
    baseline: System,
    report: PublishedReport,
    systems: Mapping[str, SystemAudit],
    pair: Pair,
    gap: float,
    scatter: EpochScatter,
) -> SelectedGap | None:
    lifts = [systems[name].lift for name in pair.sides]
    if all(lift is None for lift in lifts) or math.isnan(gap):
        return None
    epochs = treatment.picked_from, baseline.picked_from
    expected = tuple(0.0 if lift is None else lift for lift in lifts)
    logs = [system.log.accuracy if system.log is not None else () for system in (treatment, baseline)]
    return SelectedGap(
        epochs=epochs,
        last=float(logs[0][-1].value - logs[1][-1].value) if all(logs) else math.nan,
        expected=(expected[0], expected[1]),
        exceeds=abs(gap) > max(expected),
        chance=chance_of_selected_gap(
            round(gap * report.n), epochs, scatter, n=report.n, rng=np.random.default_rng(SIMULATION_SEED)
        ),
    )


def _costs(pair: Pair, treatment: System, baseline: System) -> tuple[Recomputed, ...]:
    if treatment.time is None or baseline.time is None:
        claims = (("time saved", pair.time_saved), ("times as fast", pair.speedup))
        return tuple(not_recomputed(quantity, claimed) for quantity, claimed in claims if claimed is not None)
    return (
        time_saved(treatment.time, baseline.time, pair.time_saved),
        speedup(treatment.time, baseline.time, pair.speedup),
    )


def _mismatches(pair: Pair, report: PublishedReport, systems: Mapping[str, SystemAudit]) -> tuple[str, ...]:
    """Return which printed figures are from different epochs, and how they compare at the same one, in words."""
    treatment, baseline = (report.systems[name] for name in pair.sides)
    kept = [systems[name].kept_epoch for name in pair.sides]
    notes = []
    if treatment.loss and baseline.loss and None not in kept and kept[0] != kept[1]:
        notes.append(
            f"the losses {treatment.loss.printed} and {baseline.loss.printed} are from epochs {kept[0]} and "
            f"{kept[1]}{_at_the_same_epochs(treatment, baseline)}"
        )
    epochs = treatment.epochs, baseline.epochs
    if treatment.time and baseline.time and None not in epochs and epochs[0] != epochs[1]:
        notes.append(
            f"the times {treatment.time.printed} and {baseline.time.printed} are of {epochs[0]} and {epochs[1]} epochs"
        )
    return tuple(notes)


def _at_the_same_epochs(treatment: System, baseline: System) -> str:
    columns = [system.log.loss if system.log is not None else () for system in (treatment, baseline)]
    pairs = list(zip(*columns, strict=False))
    if not pairs:
        return ""
    named = ", ".join(
        f"{left.printed} and {right.printed} at {epoch}" for epoch, (left, right) in enumerate(pairs, start=1)
    )
    return f"; at the same epochs they are {named}"


def _rerun(
    pair: Pair, report: PublishedReport, outcomes: Outcomes | None, published: Overlaps | None, alpha: float
) -> Rerun | None:
    arms = report.arms(pair)
    if outcomes is None or not set(arms) <= set(outcomes.arms):
        return None
    return rerun(outcomes, arms[0], arms[1], published=published, alpha=alpha)
