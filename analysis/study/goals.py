"""Goals: what is still to be shown in the undecided comparisons of a study, and what that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.power.settling import Settling
from analysis.study.comparison_result import ComparisonResult
from analysis.study.cost import ArmCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to be shown in one comparison: a gap, or equivalence where `settling` has a margin.

    Parameters
    ----------
    pair : ComparisonResult
        The comparison.
    settling : Settling
        The gap that is supposed, and the seeds or examples that it takes.
    as_observed : bool
        Whether that gap is the one seen; else it is the margin.
    """

    pair: ComparisonResult
    settling: Settling
    as_observed: bool

    @property
    def more_seeds(self) -> int | None:
        """How many seeds are still to run in each arm; 0 where enough have, None where no number is enough."""
        seeds = self.settling.seeds_needed
        return None if seeds is None else max(seeds - min(self.pair.n_seeds), 0)

    def more_seconds(self, costs: Sequence[ArmCost]) -> float:
        """Return how long the seeds that are still to run would take; NaN where there are none, or no number is enough.

        Parameters
        ----------
        costs : sequence of ArmCost
            A further trial is taken to cost what those of its arm so far did on average; where none was recorded, the
            time is NaN.
        """
        # Seeds that have run already had their chance: what they did not show, their number alone will not.
        if not self.more_seeds:
            return math.nan
        by_arm = {cost.arm: cost.further_trial_seconds for cost in costs}
        return self.more_seeds * sum(by_arm.get(arm, math.nan) for arm in (self.pair.treatment, self.pair.baseline))


def goals_of(comparisons: Sequence[ComparisonResult]) -> Iterator[Goal]:
    """Give the goals of every undecided comparison, in their order.

    Parameters
    ----------
    comparisons : sequence of ComparisonResult
        Those of a study.
    """
    for pair in comparisons:
        if not pair.verdict.undecided or pair.result is None:
            continue
        # A gap that looks smaller than the margin is a matter of equivalence, not of finding it.
        if (settling := pair.settling_equivalence or pair.settling_gap) is not None:
            yield Goal(pair=pair, settling=settling, as_observed=True)
        if pair.settling_margin is not None:
            yield Goal(pair=pair, settling=pair.settling_margin, as_observed=False)
