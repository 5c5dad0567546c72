"""Which arms the corrected comparisons leave in play for being the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.comparisons import ComparisonReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArms:
    """Which arms may still be the best one.

    An arm leaves when a corrected comparison of the plan puts it below another arm. Under the joint
    step-down the best procedure is among the others except with probability alpha, for new seeds and new examples.

    Parameters
    ----------
    highest
        The arm with the highest mean; None when no arm finished.
    in_play
        The arms that no comparison puts below another.
    below
        The arms that one does.
    not_compared
        Arms in play whose comparison with the highest is not in the plan or has no verdict.
    """

    highest: str | None
    in_play: tuple[str, ...]
    below: tuple[str, ...]
    not_compared: tuple[str, ...]


def best_arms(
    means: Mapping[str, float], comparisons: Sequence[ComparisonReport], *, higher_is_better: bool
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
        one.treatment if one.verdict.label.startswith("worse") else one.baseline
        for one in comparisons
        if one.verdict.differs
    }
    in_play = tuple(arm for arm in means if arm not in below)
    known = {arm: mean for arm, mean in means.items() if not math.isnan(mean)}
    first = max if higher_is_better else min
    highest = first(known, key=lambda arm: known[arm]) if known else None
    answered = {frozenset((one.treatment, one.baseline)) for one in comparisons if one.verdict.label != "no verdict"}
    return BestArms(
        highest=highest,
        in_play=in_play,
        below=tuple(arm for arm in means if arm in below),
        not_compared=tuple(
            arm
            for arm in in_play
            if highest is not None and arm != highest and frozenset((arm, highest)) not in answered
        ),
    )
