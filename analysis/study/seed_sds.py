"""Seed SDs: how far the scores of an arm vary from seed to seed, compared over the arms of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.methods.hartley import largest_ratio_p_value
from analysis.methods.variance import ROUNDING
from analysis.study.caveat import Caveat
from analysis.study.summaries import ArmSummary

NOTABLE_RATIO = 2.0
"""Fixed before any data: above it the tables warn. The ratio never changes which test is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSDs:
    """The SD over seeds of every arm's metric, and the ratio of the largest to the smallest; on this test set.

    The SD is that of the seeds' means. All of them are taken on the same examples, so it holds nothing of the choice of
    examples. It does hold the residual's share: the pooled test assumes that seeds *and* residual vary alike in every
    arm, and what is left after taking the residual off is often 0.

    Parameters
    ----------
    arms : tuple of str
        The arms that finished with every seed in use.
    sds : tuple of float
        Of each, in units of the metric.
    n_seeds : int
        The number of seeds.
    largest, smallest : str
        The arms at both ends; empty without a ratio.
    ratio : float
        The largest SD over the smallest; NaN with fewer than two arms or seeds, and where an arm's SD is 0.
    p_value : float
        How often so large a ratio arises between arms whose SDs are equal (Hartley's maximum F-ratio, for independent
        normal seed means; where arms share what a seed does to them, less often). NaN without a ratio.
    unmoved : tuple of str
        Arms whose seeds changed nothing.
    pooled : bool
        Whether the primary test pools over the arms what seeds do, and so takes these SDs as equal.
    reason : str
        Why there is no ratio; else empty.
    """

    arms: tuple[str, ...]
    sds: tuple[float, ...]
    n_seeds: int
    largest: str
    smallest: str
    ratio: float
    p_value: float
    unmoved: tuple[str, ...]
    pooled: bool
    reason: str

    @property
    def notable(self) -> str:
        """How unlike the SDs are, in a sentence; empty where the ratio is at most `NOTABLE_RATIO`."""
        if 0 < len(self.unmoved) < len(self.arms):
            return f"The seeds changed nothing in {', '.join(self.unmoved)}, but did in other arms."
        return self.in_words if self.ratio > NOTABLE_RATIO else ""

    @property
    def in_words(self) -> str:
        """The ratio and how often it arises by chance, in a sentence; empty without a ratio."""
        if math.isnan(self.ratio):
            return ""
        share = "fewer than 1%" if self.p_value < 0.01 else f"{100 * self.p_value:.0f}%"
        return (
            f"The seed SD of {self.largest} is {self.ratio:.1f} times that of {self.smallest}; with equal SDs, "
            f"{len(self.arms)} arms and {self.n_seeds} seeds, so large a ratio comes about in {share} of studies."
        )


def seed_sds(summaries: Sequence[ArmSummary], *, n_seeds: int, pooled: bool, reason: str = "") -> SeedSDs:
    """Compare the seed SDs of the arms.

    Parameters
    ----------
    summaries : sequence of ArmSummary
        Of every arm; those that did not finish with all seeds, or whose metric is undefined for some, are left out.
    n_seeds : int
        The number of seeds in use.
    pooled : bool
        Whether the primary test pools over the arms.
    reason : str
        Why no ratio may be given; else empty.
    """
    complete = [one for one in summaries if len(one.seeds) == n_seeds > 1 and not math.isnan(one.sd)]
    sds = {one.arm: 0.0 if _unmoved(one) else one.sd for one in complete}
    unmoved = tuple(arm for arm, sd in sds.items() if sd == 0)
    spread = SeedSDs(
        arms=tuple(sds),
        sds=tuple(sds.values()),
        n_seeds=n_seeds,
        largest="",
        smallest="",
        ratio=math.nan,
        p_value=math.nan,
        unmoved=unmoved,
        pooled=pooled,
        reason=reason or _no_ratio(sds, unmoved),
    )
    if spread.reason:
        return spread
    largest, smallest = max(sds, key=sds.__getitem__), min(sds, key=sds.__getitem__)
    ratio = sds[largest] / sds[smallest]
    p_value = largest_ratio_p_value(ratio**2, n_variances=len(sds), df=n_seeds - 1)
    return replace(spread, largest=largest, smallest=smallest, ratio=ratio, p_value=p_value)


def _no_ratio(sds: Mapping[str, float], unmoved: Sequence[str]) -> str:
    if len(sds) < 2:
        return "fewer than two arms have two seeds or more"
    return f"the seeds changed nothing in {', '.join(unmoved)}" if unmoved else ""


def _unmoved(arm: ArmSummary) -> bool:
    # Means that are equal may still differ by rounding.
    return arm.maximum - arm.minimum <= ROUNDING * max(abs(arm.maximum), abs(arm.minimum))


def seed_sd_caveats(spread: SeedSDs) -> list[Caveat]:
    """Warn where the primary test assumes equal seed SDs and these are far from it.

    Parameters
    ----------
    spread : SeedSDs
        The seed SDs of the study.
    """
    if not spread.pooled or not spread.notable:
        return []
    advice = (
        "The pooled test takes them as equal, and calls an arm that truly is three times noisier different from an "
        "equal one in 10% (3 arms) to 22% (9 arms) of studies. Compare the p-value by pair (--details); a new study "
        "can declare analysis.variance: pairwise."
    )
    return [Caveat(short="unequal seed SDs", text=f"{spread.notable} {advice}", on_verdicts=True)]
