"""Withholding: whether the verdicts of a study that still runs may be read, and which trials are shown instead."""

from __future__ import annotations

from analysis.records.outcomes import Outcomes
from analysis.study.caveat import Caveat
from analysis.study.looks import current_look
from analysis.study.plan import AnalysisPlan
from analysis.study.seeds import SeedsInUse
from analysis.words import counted

WITHHELD = "verdicts are withheld"
"""The reason in place of a figure that would compare arms."""


def why_withheld(outcomes: Outcomes, plan: AnalysisPlan) -> str:
    """Say why verdicts must not be read yet; empty at a declared look, and where every trial has run.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    """
    done = sum(trial.done for trial in outcomes.trials.values())
    if done == len(outcomes.trials):
        return ""
    look = current_look(outcomes, plan)
    if look is not None and look.number:
        return ""
    until = f"all {counted(len(outcomes.trials), 'trial')} have run, as the plan declares no earlier look"
    if look is not None:
        until = f"every arm has run {look.looks[0]} seeds, the first look that the plan declares"
    return (
        f"Verdicts, gaps and their intervals are withheld until {until}. Whoever reads them before, and may stop where "
        f"they please, claims what is not there more often than alpha = {plan.alpha:g} allows."
    )


def withheld_caveat(why: str) -> list[Caveat]:
    """Return the caveat that belongs to every table of a report without verdicts; none where there is no reason."""
    return [Caveat(short=WITHHELD, text=why, on_verdicts=True)] if why else []


def finished_seeds(outcomes: Outcomes, plan: AnalysisPlan) -> SeedsInUse:
    """Say which seeds a report uses that compares nothing: of each arm all that have finished.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    """
    return SeedsInUse(
        used=outcomes.seeds,
        by_arm={
            arm: tuple(trial.seed for trial in outcomes.of_arm(arm) if trial.status == "finished")
            for arm in outcomes.arms
        },
        taken_up=outcomes.seeds,
        waiting=(),
        look=current_look(outcomes, plan) if plan.paired else None,
    )
