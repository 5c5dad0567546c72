"""Looks of a growing study: which declared look has been reached, which seeds it uses, and which arms have left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    left : mapping of str to int
        Arms that are trained no further, with the number of seeds of the look after which they left: no open comparison
        needed them. A run until decided notes them.
    """

    looks: tuple[int, ...]
    number: int
    seeds: tuple[int, ...]
    waiting: str
    threshold: float
    left: Mapping[str, int]

    @property
    def is_last(self) -> bool:
        """Whether no look is left."""
        return self.number == len(self.looks)

    def level(self, alpha: float) -> float:
        """Return the two-sided p-value that counts at this look when `alpha` is spent over all looks."""
        return thresholds(self.looks, alpha=alpha)[self.number - 1] if self.number else math.nan

    def of(self, arms: Sequence[str], alpha: float) -> Look:
        """Return the last look that all of these arms have reached.

        Parameters
        ----------
        arms : sequence of str
        alpha : float
            The error rate of the plan.
        """
        size = min([self.looks[self.number - 1], *(self.left[arm] for arm in arms if arm in self.left)])
        number = self.looks.index(size) + 1
        if number == self.number:
            return self
        return replace(
            self, number=number, seeds=self.seeds[:size], threshold=thresholds(self.looks, alpha=alpha)[number - 1]
        )

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

    A look is reached when every arm that has not left is done with as many of the first seeds as the look declares. A
    trial that diverged is done; a trial that failed or was interrupted runs again. An arm that left and was trained
    further all the same takes part in the looks that it has reached.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The frozen plan.
    """
    if not plan.looks:
        return None
    done = {arm: _first_done(outcomes, arm) for arm in outcomes.arms}
    noted = outcomes.manifest.arms_left(outcomes.looks_taken)
    # In the order of the study, which a set does not keep.
    left = [arm for arm in outcomes.arms if noted.get(arm) in plan.looks and done.get(arm, 0) >= noted[arm]]
    in_play = [arm for arm in outcomes.arms if arm not in left]
    reached = min(done[arm] for arm in in_play) if in_play else max(done.values())
    number = sum(size <= reached for size in plan.looks)
    last = plan.looks[number - 1] if number else 0
    waiting = ""
    if in_play and number < len(plan.looks):
        size = plan.looks[number]
        missing = [
            trial for seed in outcomes.seeds[:size] for arm in in_play if not (trial := outcomes.trials[arm, seed]).done
        ]
        waiting = named_trials(missing) if missing else f"{size} seeds; the study has {len(outcomes.seeds)}"
    return Look(
        looks=plan.looks,
        number=number,
        seeds=outcomes.seeds[:last],
        waiting=waiting,
        threshold=thresholds(plan.looks, alpha=plan.alpha)[number - 1] if number else math.nan,
        left={arm: own for arm in left if (own := max(n for n in plan.looks if n <= done[arm])) < last},
    )


def _first_done(outcomes: Outcomes, arm: str) -> int:
    """Return with how many of the first seeds an arm is done."""
    return next(
        (at for at, seed in enumerate(outcomes.seeds) if not outcomes.trials[arm, seed].done), len(outcomes.seeds)
    )
