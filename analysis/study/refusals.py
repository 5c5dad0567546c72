"""Refusal to test: why some arms cannot be compared, such as a trial that failed or a metric that is undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.methods.arm_scores import Scores
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial, named_trials
from analysis.study.crossing import incomplete
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan
from analysis.study.seeds import SeedsInUse


def lost_trials(outcomes: Outcomes, seeds: Mapping[str, Sequence[int]], waiting: Sequence[int] = ()) -> list[Trial]:
    """Return the trials that leave some arms without a verdict.

    Among an arm's seeds in use, these are all trials without usable predictions. Among the seeds that wait, they are
    those that have ended without: a trial that diverged still counts while another arm has yet to run its seed.
    """
    return [
        trial
        for trial in outcomes.unfinished(arms=list(seeds))
        if trial.seed in seeds[trial.arm] or (trial.seed in waiting and not trial.pending)
    ]


def undefined_trials(scores: Mapping[str, Scores], seeds: Mapping[str, Sequence[int]]) -> str:
    """Name the trials without a score, such as ``lora seed 3, full seed 0``; empty where every trial has one.

    Parameters
    ----------
    scores : mapping of str to ndarray of float64
        By arm, one row per seed; a trial whose metric is undefined is NaN throughout.
    seeds : mapping of str to sequence of int
        Of the rows, by arm.
    """
    return ", ".join(
        f"{arm} seed {seed}"
        for arm, rows in scores.items()
        for seed, row in zip(seeds[arm], rows, strict=True)
        if math.isnan(row[0])
    )


def before_first_look(look: Look | None) -> str:
    """Say that nothing is tested before the first declared look; empty from there on, and in a study without looks."""
    return f"the first look is at {look.looks[0]} seeds" if look is not None and not look.number else ""


def refusal(
    outcomes: Outcomes, plan: AnalysisPlan, arms: Sequence[str], scores: Mapping[str, Scores], seeds: SeedsInUse
) -> str:
    """Say why these arms cannot be tested; empty where they can.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    arms : sequence of str
        The arms that a test would be about.
    scores : mapping of str to ndarray of float64
        By arm, one row for each seed in use; only those arms are needed that finished with all of them.
    seeds : SeedsInUse
        The seeds in use.
    """
    # Under drop_seed a seed with such a trial leaves every arm, as soon as it has run in all of them.
    ended = seeds.waiting if plan.failed_trials == "refuse" else ()
    lost = lost_trials(outcomes, {arm: seeds.by_arm[arm] for arm in arms}, ended)
    if lost:
        return named_trials(lost)
    if not seeds.used:
        return "no seed has finished in every arm" + (" yet" if seeds.waiting else "")
    if without := [arm for arm in arms if not seeds.by_arm[arm]]:
        return f"no run of {' and of '.join(without)} has finished"
    if waits := incomplete(plan.crossing, seeds):
        return waits
    undefined = undefined_trials({arm: scores[arm] for arm in arms}, seeds.by_arm)
    if not undefined:
        return ""
    if outcomes.is_regression:
        constant = "all labels are equal" if np.ptp(outcomes.labels) == 0 else "it predicts the same for every example"
        return f"{plan.kind.title} is undefined: {undefined}; {constant}"
    empty = {
        name: None
        for one in outcomes.by_set()
        for label, name in enumerate(outcomes.manifest.data.classes)
        if not np.any(one.labels == label)
    }
    where = "in one of the test sets no" if outcomes.sets else "no test"
    why = f"; {where} example is of class {', '.join(empty)}" if empty else ""
    return f"{plan.kind.title} is undefined: {undefined}{why}"
