"""Look designs: how many looks a study may take, at which seeds, and what each choice costs; chosen before it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.power.planning import Plan
from analysis.power.sizes import standard_error_at
from analysis.power.until_decided import Outlook, draw_studies, outlook
from analysis.study.futility import HOPELESS
from analysis.study.plan import FEWEST_SEEDS_AT_A_LOOK, AnalysisPlan
from analysis.study.power import StudyPower
from analysis.study.primary_test import planned_test

# At which shares of the seeds: two looks, three, and those of `looks: auto`. More save little more.
_SHARES = ((0.6, 1.0), (0.5, 0.75, 1.0), (0.3, 0.45, 0.6, 0.75, 1.0))
# A further look stops all trials once more, and empties the packs: it must save more than this share of the trials.
_WORTH_A_LOOK = 0.05
# Looks cost power, and a few more seeds at the last one bring it back: not many, unless the test set is the limit.
_MORE_SEEDS = 1.5
_MOST_SEEDS = 200
# Looks may cost this much power: the simulation cannot tell less from nothing.
_POINT = 0.01
# Enough for a chance to about two points; the same studies for every design, so that their differences are surer.
_ARMS_DRAWN, _FEWEST_STUDIES = 4_000, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDesign:
    """Looks of a study, and what it comes to by what is true of all of its comparisons.

    Parameters
    ----------
    looks : tuple of int
        Numbers of seeds. A single one: all trials run, and are judged once.
    at_gap, at_twice : Outlook
        Where the true gap is that of the designs, and where it is twice that.
    if_equal : Outlook
        Where there is no gap: then equivalence within the plan's margin is what is shown.
    """

    looks: tuple[int, ...]
    at_gap: Outlook
    at_twice: Outlook
    if_equal: Outlook

    @property
    def mean_trials(self) -> float:
        """The mean of the three numbers of trials."""
        return (self.at_gap.trials + self.at_twice.trials + self.if_equal.trials) / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDesigns:
    """Designs that find one gap with the wanted power, by `look_designs`.

    Parameters
    ----------
    gap : float
        In units of the score: the plan's margin; where no number of seeds, or none that is worth planning, finds that,
        the smallest gap that the study's own seeds find.
    power : float
        The wanted chance to find it.
    comparison : str
        The comparison whose variances count for all: the one that is hardest to decide.
    designs : tuple of LookDesign
        Without looks first, then by the number of looks. Except for the looks that the plan declares, each has the
        fewest seeds that give the power, to within a point of what the same studies show without looks.
    advised : tuple of int
        The fewest looks that come within 5% of the fewest trials, on average over the three truths; empty where looks
        save nothing.
    """

    gap: float
    power: float
    comparison: str
    designs: tuple[LookDesign, ...]
    advised: tuple[int, ...]


def look_designs(
    power: StudyPower, plan: AnalysisPlan, arms: Sequence[str], *, rng: np.random.Generator
) -> LookDesigns | None:
    """Say which looks a study may declare, and how many trials it would take with them on average.

    Parameters
    ----------
    power : StudyPower
        What it can find.
    plan : AnalysisPlan
    arms : sequence of str
    rng : numpy.random.Generator
        Draws the studies that each design is tried on, the same ones for all.

    Returns
    -------
    LookDesigns or None
        For new seeds and new examples, as `harness run --until-decided` goes. Every comparison counts as the hardest
        one. None where so few seeds leave no room for looks, where it would take too many, and for an exploratory
        correction.
    """
    name, row = max(power.plans, key=lambda one: _standard_error(one.plan))
    if plan.correction != "holm" or not _standard_error(row) > 0:
        return None
    gap, seeds = _aim(row)
    if not FEWEST_SEEDS_AT_A_LOOK < seeds <= _MOST_SEEDS:
        return None
    most = math.ceil(_MORE_SEEDS * seeds)
    declared = plan.looks if plan.looks and plan.looks[-1] <= _MOST_SEEDS else ()
    number = {arm: at for at, arm in enumerate(arms)}
    studies = draw_studies(
        row.components,
        [(number[pair.treatment], number[pair.baseline]) for pair in plan.all_comparisons(arms)],
        n_seeds=max((most, *declared)),
        n_examples=row.n_examples,
        studies=max(_ARMS_DRAWN // len(arms), _FEWEST_STUDIES),
        rng=rng,
    )
    test = planned_test(plan, n_arms=len(arms))

    def come_to(looks: tuple[int, ...], true_gap: float) -> Outlook:
        return outlook(studies, looks, gap=true_gap, margin=plan.margin, alpha=plan.alpha, test=test, hopeless=HOPELESS)

    def design(looks: tuple[int, ...]) -> LookDesign:
        at_gap, at_twice, if_equal = (come_to(looks, true_gap) for true_gap in (gap, 2 * gap, 0.0))
        return LookDesign(looks=looks, at_gap=at_gap, at_twice=at_twice, if_equal=if_equal)

    # In the very same studies: what they show without looks may miss the wanted power by chance.
    enough = min(row.power, come_to((seeds,), gap).shown) - _POINT

    def placed(shares: Sequence[float]) -> tuple[int, ...] | None:
        """Return looks at these shares of the fewest seeds that have the power, from those without looks on."""
        for last in range(seeds, most + 1, max(1, seeds // 40)):
            looks = tuple(sorted({max(FEWEST_SEEDS_AT_A_LOOK, round(share * last)) for share in shares}))
            if len(looks) > 1 and come_to(looks, gap).shown >= enough:
                return looks
        return None

    found = dict.fromkeys(looks for looks in ((seeds,), *map(placed, _SHARES)) if looks is not None)
    designs = {looks: design(looks) for looks in found}
    least = min(one.mean_trials for one in designs.values())
    advised = next(one for one in designs.values() if one.mean_trials <= (1 + _WORTH_A_LOOK) * least)
    if declared and declared not in designs:
        designs[declared] = design(declared)
    return LookDesigns(
        gap=gap,
        power=row.power,
        comparison=name,
        designs=tuple(sorted(designs.values(), key=lambda one: (len(one.looks), one.looks))),
        advised=advised.looks if len(advised.looks) > 1 else (),
    )


def _standard_error(row: Plan) -> float:
    return standard_error_at(row.components, n_seeds=row.n_seeds, n_examples=row.n_examples)


def _aim(row: Plan) -> tuple[float, int]:
    """Return the gap to find, and how many seeds find it without looks."""
    needed = row.seeds_needed.value
    if needed is not None and needed <= _MOST_SEEDS:
        return row.margin, needed
    return row.detectable_gap.value, row.n_seeds
