"""Best arms: which arms may still be the best one after the corrected comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.study.comparisons import ComparisonResult


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArms:
    """Which arms may still be the best one.

    An arm is out when a corrected comparison of the plan puts it below another arm. Under the joint step-down, the best
    arm is among the others with probability 1 - alpha at least, for new seeds and new examples.

    Parameters
    ----------
    highest : str or None
        The arm with the highest mean, the first of several that share it; None when no arm finished.
    tied : tuple of str
        The other arms that share it.
    in_play : tuple of str
        The arms that no comparison puts below another.
    below : tuple of str
        The arms that a comparison puts below another.
    not_compared : tuple of str
        Arms in play, other than the highest and those tied with it, whose comparison with one of these is not in the
        plan or has no verdict.
    """

    highest: str | None
    tied: tuple[str, ...]
    in_play: tuple[str, ...]
    below: tuple[str, ...]
    not_compared: tuple[str, ...]


def best_arms(
    means: Mapping[str, float], comparisons: Sequence[ComparisonResult], *, higher_is_better: bool
) -> BestArms:
    """Say which arms may still be the best one after the corrected comparisons.

    Parameters
    ----------
    means : mapping of str to float
        The mean score of each arm, NaN where no trial finished.
    comparisons : sequence of ComparisonResult
        All comparisons of the plan.
    higher_is_better : bool
        Whether a higher score is a better one.
    """
    below = {
        pair.treatment if pair.verdict.direction == "worse" else pair.baseline
        for pair in comparisons
        if pair.verdict.differs
    }
    in_play = tuple(arm for arm in means if arm not in below)
    known = {arm: mean for arm, mean in means.items() if not math.isnan(mean)}
    highest = (max if higher_is_better else min)(known.values(), default=math.nan)
    # Two means of equally many right answers may differ in their last bits, by the order of the sum.
    top = [arm for arm, mean in known.items() if math.isclose(mean, highest, rel_tol=1e-12)]
    compared = {frozenset((pair.treatment, pair.baseline)) for pair in comparisons if pair.verdict.asked}
    return BestArms(
        highest=top[0] if top else None,
        tied=tuple(top[1:]),
        in_play=in_play,
        below=tuple(arm for arm in means if arm in below),
        not_compared=tuple(
            arm for arm in in_play if arm not in top and any(frozenset((arm, best)) not in compared for best in top)
        ),
    )
