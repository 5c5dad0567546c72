"""Epochs figure: the score of every arm after each epoch, and what picking the epoch on the test split would report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.panels import panels
from analysis.figures.style import FAINT, INK, ORANGE
from analysis.study.epoch_curves import EpochCurve
from analysis.study.epoch_selection import selection_score
from analysis.study.study_report import StudyReport
from analysis.tables.digits import Scale
from analysis.tables.notes import about_the_first_set
from analysis.tables.selection import standard_error_of_arm
from analysis.tables.table import Column, seeds_by_examples, without_test
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "epochs", "From epoch to epoch"
_MOST_PANELS, _TOLD_AT_MOST = 9, 4
_PICKED = "best on test"
# Of the height of a panel, what the bars may take.
_BARS = 0.22


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEpochs:
    """The epochs of one arm.

    Parameters
    ----------
    curve : EpochCurve
        Its score after each epoch.
    picked : float
        The mean score if every run reported its best epoch on the test split; NaN where that is undefined.
    """

    curve: EpochCurve
    picked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """The epochs of the arms of a study; a description of these trials.

    Parameters
    ----------
    arms : tuple of ArmEpochs
        At least one.
    ylabel : str
        The score, with its unit.
    scale : float
        What a score is multiplied with to be in that unit.
    """

    arms: tuple[ArmEpochs, ...]
    ylabel: str
    scale: float


def epochs_figure(report: StudyReport) -> Figure:
    """Show the score of every arm after each epoch."""
    arms = arm_epochs(report)
    if not arms:
        return missing(_NAME, _TITLE, _why_not(report))
    kind = selection_score(report.metric)
    # What the choice of the epoch would change is what a reader looks for.
    by_lift = sorted(arms, key=lambda one: -abs(one.picked - one.curve.mean[-1]) if math.isfinite(one.picked) else 0.0)
    chosen = {one.curve.arm for one in by_lift[:_MOST_PANELS]}
    epochs = Epochs(
        arms=tuple(one for one in arms if one.curve.arm in chosen),
        ylabel=f"{kind.title} (%)" if kind.share else kind.title,
        scale=100.0 if kind.share else 1.0,
    )
    return Figure(
        name=_NAME,
        title=f"{kind.heading} from epoch to epoch",
        caption=_caption(report, epochs, n_arms=len(arms)),
        alt=_alt(report, epochs),
        columns=_columns(report, arms),
        draw=partial(draw_epochs, epochs),
    )


def arm_epochs(report: StudyReport) -> list[ArmEpochs]:
    """Collect the epochs of the arms of a study, of which a score is defined."""
    best = {lift.arm: lift.best for lift in report.selection_lifts}
    return [
        ArmEpochs(curve=curve, picked=best.get(curve.arm, math.nan))
        for curve in report.epoch_curves
        if any(map(math.isfinite, curve.mean))
    ]


def _why_not(report: StudyReport) -> str:
    if not any(arm.seeds for arm in report.arms):
        return "No trial has finished."
    if report.epoch_curves:
        return f"{selection_score(report.metric).heading} is undefined after every epoch."
    return "Every run was scored after one epoch only: there is none to follow, and none to pick."


def _caption(report: StudyReport, epochs: Epochs, *, n_arms: int) -> str:
    kind = selection_score(report.metric)
    curves = [one.curve for one in epochs.arms]
    runs = sorted({max(curve.n_runs) for curve in curves})
    seeds = " to ".join(map(str, dict.fromkeys((runs[0], runs[-1]))))
    parts = [
        f"{kind.heading} after each epoch, the mean over {seeds} {'seeds' if report.paired else 'runs'} of an arm and "
        f"the range from the lowest to the highest, on {counted(curves[0].n_examples, 'test example')}.",
        "Dashed: the mean if every run reported its best epoch on the test split, which flatters the arm; no verdict "
        "uses it. Bars: how many of the runs have their best epoch there.",
        *about_the_first_set(report),
    ]
    if n_arms > len(curves):
        parts.append(f"Shown are {len(curves)} of {n_arms} arms, those that it flatters most; the table has all.")
    parts.append("It describes these trials and tests nothing.")
    return " ".join(parts)


def _alt(report: StudyReport, epochs: Epochs) -> str:
    told = []
    for one in epochs.arms[:_TOLD_AT_MOST]:
        first, last, picked = (
            _score(report, one.curve, value) for value in (one.curve.mean[0], one.curve.mean[-1], one.picked)
        )
        told.append(
            f"{one.curve.arm} from {first} after epoch {one.curve.epochs[0]} to {last} after epoch "
            f"{one.curve.epochs[-1]}, {picked} at the epochs picked on the test split"
        )
    more = len(epochs.arms) - len(told)
    return (
        f"Mean {selection_score(report.metric).title} from epoch to epoch: {'; '.join(told)}"
        f"{f'; and {more} more arms' if more else ''}."
    )


def _score(report: StudyReport, curve: EpochCurve, value: float) -> str:
    error = standard_error_of_arm(report, curve.arm, max(curve.n_runs))
    return Scale(selection_score(report.metric).share).score(value, standard_error=error)


def _columns(report: StudyReport, arms: Sequence[ArmEpochs]) -> tuple[Column, ...]:
    rows: list[tuple[str, str, str, str, str, str]] = []
    for one in arms:
        curve = one.curve
        for at, epoch in enumerate(curve.epochs):
            mean, low, high = (
                _score(report, curve, values[at]) for values in (curve.mean, curve.lowest, curve.highest)
            )
            size = seeds_by_examples(curve.n_runs[at], curve.n_examples)
            rows.append((curve.arm, str(epoch), mean, f"{low} to {high}", str(curve.n_picked[at]), size))
        size = seeds_by_examples(max(curve.n_runs), curve.n_examples)
        rows.append((curve.arm, _PICKED, _score(report, curve, one.picked), "", "", size))
    names, epochs, means, spans, picked, sizes = zip(*rows, strict=True)
    return (
        Column("Arm", names),
        Column("Epoch", epochs, numeric=True),
        Column("Mean", means, numeric=True),
        Column("Lowest to highest", spans, numeric=True),
        Column("Best epoch of", picked, numeric=True),
        *without_test(sizes),
    )


def draw_epochs(epochs: Epochs, width: float) -> Picture:
    """Draw the curves, so many points wide."""
    entries = [
        KeyEntry("mean", linewidth=1.2),
        KeyEntry("lowest to highest", colour=FAINT, patch=True),
        KeyEntry("if picked on test", colour=ORANGE, dashed=True),
        KeyEntry("best epoch of runs", colour=ORANGE, bar=True),
    ]
    picture, axes = panels(
        [one.curve.arm for one in epochs.arms],
        width=width,
        height=70.0,
        xlabel="epoch",
        ylabel=epochs.ylabel,
        key=key_height(entries, width),
    )
    low, high = _range(epochs)
    axes[0].set_ylim(low, high)
    all_epochs = [epoch for one in epochs.arms for epoch in one.curve.epochs]
    axes[0].set_xlim(min(all_epochs) - 0.4, max(all_epochs) + 0.4)
    for place, one in zip(axes, epochs.arms, strict=True):
        _draw_arm(place, one, epochs.scale)
    draw_key(picture, entries)
    return picture


def _range(epochs: Epochs) -> tuple[float, float]:
    """Return the ends of the axis, with room for the bars under the lowest run."""
    values = [
        epochs.scale * value
        for one in epochs.arms
        for value in (*one.curve.lowest, *one.curve.highest, one.picked)
        if math.isfinite(value)
    ]
    span = max(values) - min(values) or 0.01 * epochs.scale
    return min(values) - (_BARS + 0.08) / (1 - _BARS - 0.12) * span, max(values) + 0.06 * span


def _draw_arm(axes: Axes, one: ArmEpochs, scale: float) -> None:
    from matplotlib.ticker import MaxNLocator

    curve, (low, high) = one.curve, axes.get_ylim()
    scaled = [[scale * value for value in values] for values in (curve.mean, curve.lowest, curve.highest)]
    axes.fill_between(curve.epochs, scaled[1], scaled[2], color=FAINT, linewidth=0, alpha=0.7, zorder=0)
    axes.plot(curve.epochs, scaled[0], color=INK, linewidth=1.2, marker="o", markersize=2.6, markeredgewidth=0)
    if math.isfinite(one.picked):
        axes.axhline(scale * one.picked, color=ORANGE, linewidth=1.0, linestyle=(0, (2.5, 1.5)), zorder=3)
    most = max(curve.n_runs)
    bars = [_BARS * (high - low) * picked / most for picked in curve.n_picked]
    # One outline for all of them keeps the file of fifty epochs small.
    x = [epoch + side for epoch in curve.epochs for side in (-0.25, -0.25, 0.25, 0.25)]
    y = [low + height for bar in bars for height in (0.0, bar, bar, 0.0)]
    axes.fill(x, y, color=ORANGE, linewidth=0, alpha=0.75)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
