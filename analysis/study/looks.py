"""Looks of a growing study: which declared look has been reached, and which seeds it uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.methods.looks import thresholds
from analysis.records.outcomes import Outcomes
from analysis.records.trial import named_trials
from analysis.study.plan import AnalysisPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The latest look that a study has reached.

    Parameters
    ----------
    looks : tuple of int
        The declared numbers of seeds.
    number : int
        Which of them has been reached, from 1; 0 before the first.
    seeds : tuple of int
        The seeds that this look uses: the first ones of the study. Later ones wait for the next look.
    waiting : str
        What the next look waits for; empty at the last look.
    threshold : float
        The largest two-sided p-value of a single comparison that counts at this look; NaN before the first.
    """

    looks: tuple[int, ...]
    number: int
    seeds: tuple[int, ...]
    waiting: str
    threshold: float

    @property
    def is_last(self) -> bool:
        """Whether no look is left."""
        return self.number == len(self.looks)

    def level(self, alpha: float) -> float:
        """Return the two-sided p-value that counts at this look when `alpha` is spent over all looks."""
        return thresholds(self.looks, alpha=alpha)[self.number - 1] if self.number else math.nan

    def earlier(self, seeds: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Return the seeds of every look so far, of those that are used at all.

        Parameters
        ----------
        seeds : sequence of int
            The seeds in use; a seed that the plan drops is in no look.
        """
        used = set(seeds)
        return tuple(tuple(seed for seed in self.seeds[:size] if seed in used) for size in self.looks[: self.number])


def current_look(outcomes: Outcomes, plan: AnalysisPlan) -> Look | None:
    """Find the latest look that the study has reached; None when its plan declares none.

    A look is reached when every arm is done with as many of the first seeds as the look declares. A trial that diverged
    is done; a trial that failed or was interrupted runs again.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The frozen plan.
    """
    if not plan.looks:
        return None
    pending = {
        seed: [trial for arm in outcomes.arms if not (trial := outcomes.trials[arm, seed]).done]
        for seed in outcomes.seeds
    }
    done = next((at for at, seed in enumerate(outcomes.seeds) if pending[seed]), len(outcomes.seeds))
    number = sum(size <= done for size in plan.looks)
    waiting = ""
    if number < len(plan.looks):
        size = plan.looks[number]
        missing = [trial for seed in outcomes.seeds[:size] for trial in pending[seed]]
        waiting = named_trials(missing) if missing else f"{size} seeds; the study has {len(outcomes.seeds)}"
    return Look(
        looks=plan.looks,
        number=number,
        seeds=outcomes.seeds[: plan.looks[number - 1]] if number else (),
        waiting=waiting,
        threshold=thresholds(plan.looks, alpha=plan.alpha)[number - 1] if number else math.nan,
    )
