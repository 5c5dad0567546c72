"""Which arms the corrected comparisons leave in play for being the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.study.comparisons import ComparisonResult


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArms:
    """Which arms may still be the best one.

    An arm leaves when a corrected comparison of the plan puts it below another arm. Under the joint
    step-down the best procedure is among the others except with probability alpha, for new seeds and new examples.

    Parameters
    ----------
    highest
        The arm with the highest mean, the first of several that share it; None when no arm finished.
    tied
        The other arms that share it.
    in_play
        The arms that no comparison puts below another.
    below
        The arms that one does.
    not_compared
        Arms in play whose comparison with the highest, or with one that is tied with it, is not in the plan or has no
        verdict. Those that are tied are not among them.
    """

    highest: str | None
    tied: tuple[str, ...]
    in_play: tuple[str, ...]
    below: tuple[str, ...]
    not_compared: tuple[str, ...]


def best_arms(
    means: Mapping[str, float], comparisons: Sequence[ComparisonResult], *, higher_is_better: bool
) -> BestArms:
    """Say which arms the corrected comparisons leave in play for being the best.

    Parameters
    ----------
    means
        The mean score of each arm, NaN where no trial finished.
    comparisons
        All comparisons of the plan.
    higher_is_better
        Whether a higher score is a better one.
    """
    below = {
        one.treatment if one.verdict.direction == "worse" else one.baseline
        for one in comparisons
        if one.verdict.differs
    }
    in_play = tuple(arm for arm in means if arm not in below)
    known = {arm: mean for arm, mean in means.items() if not math.isnan(mean)}
    best = (max if higher_is_better else min)(known.values(), default=math.nan)
    # Of as many right answers, two means may differ in their last bits by the order of the sum.
    top = [arm for arm, mean in known.items() if math.isclose(mean, best, rel_tol=1e-12)]
    answered = {frozenset((one.treatment, one.baseline)) for one in comparisons if one.verdict.asked}
    return BestArms(
        highest=top[0] if top else None,
        tied=tuple(top[1:]),
        in_play=in_play,
        below=tuple(arm for arm in means if arm in below),
        not_compared=tuple(
            arm for arm in in_play if arm not in top and any(frozenset((arm, one)) not in answered for one in top)
        ),
    )
