"""Seeds in use: which seeds of a study its tables use, and which they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from analysis.records.outcomes import Outcomes
from analysis.study.looks import Look, current_look
from analysis.study.plan import AnalysisPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedsInUse:
    """The seeds that every table of a study uses, and those that it leaves out.

    Parameters
    ----------
    used : tuple of int
        The seeds that the tables use, the same for every arm but those that left at an earlier look; where runs are not
        paired by seed, those of any arm.
    by_arm : mapping of str to tuple of int
        The same by arm.
    taken_up : tuple of int
        The seeds that they would use if every trial with them had finished: all of the study except those that wait, or
        those of the look.
    waiting : tuple of int
        The seeds that are set aside until every arm has run them.
    look : Look or None
        The look that has been reached; None in a study that declares no looks.
    """

    used: tuple[int, ...]
    by_arm: Mapping[str, tuple[int, ...]]
    taken_up: tuple[int, ...]
    waiting: tuple[int, ...]
    look: Look | None

    @property
    def dropped(self) -> tuple[int, ...]:
        """The seeds that left every arm, as the plan declares (`failed_trials: drop_seed`)."""
        return tuple(seed for seed in self.taken_up if seed not in self.used)

    def of(self, plan: AnalysisPlan, *arms: str) -> SeedsInUse:
        """Return the seeds that these arms share: those of the last look that all of them have reached.

        Parameters
        ----------
        plan : AnalysisPlan
            The frozen plan.
        *arms : str
        """
        if self.look is None or not self.look.number:
            return self
        look = self.look.of(arms, plan.alpha)
        if look is self.look:
            return self

        def first(seeds: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(seed for seed in seeds if seed in look.seeds)

        return replace(
            self,
            used=first(self.used),
            by_arm={arm: first(own) for arm, own in self.by_arm.items()},
            taken_up=look.seeds,
            look=look,
        )


def seeds_in_use(outcomes: Outcomes, plan: AnalysisPlan) -> SeedsInUse:
    """Say which seeds count now.

    Where runs are not paired by seed no arm waits for another, and under ``failed_trials: drop_seed`` every arm keeps
    the runs of its own that have finished.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The frozen plan.
    """
    if not plan.paired:
        kept = {
            arm: tuple(
                trial.seed
                for trial in outcomes.of_arm(arm)
                if plan.failed_trials == "refuse" or trial.status == "finished"
            )
            for arm in outcomes.arms
        }
        used = tuple(seed for seed in outcomes.seeds if any(seed in own for own in kept.values()))
        return SeedsInUse(used=used, by_arm=kept, taken_up=outcomes.seeds, waiting=(), look=None)
    look = current_look(outcomes, plan)
    # Without looks and before the first one, the seeds that every arm has run count, and those that still run wait.
    waiting = _waiting_seeds(outcomes) if look is None or not look.number else ()
    reached = look.seeds if look is not None and look.number else outcomes.seeds
    taken_up = tuple(seed for seed in reached if seed not in waiting)
    lost = _lost_seeds(outcomes) if plan.failed_trials == "drop_seed" else ()
    used = tuple(seed for seed in taken_up if seed not in lost)
    by_arm = dict.fromkeys(outcomes.arms, used)
    for arm, size in look.left.items() if look is not None else ():
        first = outcomes.seeds[:size]
        by_arm[arm] = tuple(seed for seed in used if seed in first)
    return SeedsInUse(used=used, by_arm=by_arm, taken_up=taken_up, waiting=waiting, look=look)


def _lost_seeds(outcomes: Outcomes) -> tuple[int, ...]:
    """Return the seeds with a trial that ended without predictions; a trial that has yet to run is not lost."""
    ended = {trial.seed for trial in outcomes.unfinished() if not trial.pending}
    return tuple(seed for seed in outcomes.seeds if seed in ended)


def _waiting_seeds(outcomes: Outcomes) -> tuple[int, ...]:
    """Return the seeds with a trial that has yet to run, in an arm that has begun.

    An arm that has not begun holds no seed back, nor does an arm that joined after trials had finished: such an arm
    has no verdict until it has run, and the other arms keep theirs.
    """
    first = outcomes.manifest.first_arms
    begun = [arm for arm in outcomes.arms if arm in first and not all(trial.pending for trial in outcomes.of_arm(arm))]
    waiting = {trial.seed for trial in outcomes.unfinished(arms=begun) if trial.pending}
    return tuple(seed for seed in outcomes.seeds if seed in waiting)
