"""Seed SDs: how far the scores of an arm vary from seed to seed, compared over the arms of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.methods.hartley import largest_ratio_p_value
from analysis.methods.sphericity import DifferenceSpread, difference_spread
from analysis.methods.variance import ROUNDING
from analysis.study.caveat import Caveat
from analysis.study.summaries import ArmSummary

NOTABLE_RATIO = 2.0
"""Fixed before any data: above it the tables warn. The ratio never changes which test is made."""

NOTABLE_P_VALUE = 0.05
"""Fixed too: differences between arms warn only where chance gives so large a ratio less often than this."""

# Fixed, so that the same folder gives the same report.
_SIMULATION_SEED = 0


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
        The number of seeds, in the smallest arm where they differ.
    n_by_arm : tuple of int
        That of each of `arms`.
    largest, smallest : str
        The arms at both ends; empty without a ratio.
    ratio : float
        The largest SD over the smallest; NaN with fewer than two arms or seeds, and where an arm's SD is 0.
    p_value : float
        How often so large a ratio arises between arms whose SDs are equal (Hartley's maximum F-ratio, for independent
        normal seed means; where arms share what a seed does to them, less often). NaN without a ratio.
    unmoved : tuple of str
        Arms whose seeds all have the same mean score.
    differences : DifferenceSpread or None
        How unlike the differences of two of `arms` spread over seeds, which the pooled test takes as alike too; None
        with fewer than three arms.
    pooled : bool
        Whether the primary test pools over the arms what seeds do, and so takes these SDs as equal.
    reason : str
        Why there is no ratio; else empty.
    """

    arms: tuple[str, ...]
    sds: tuple[float, ...]
    n_seeds: int
    n_by_arm: tuple[int, ...]
    largest: str
    smallest: str
    ratio: float
    p_value: float
    unmoved: tuple[str, ...]
    differences: DifferenceSpread | None
    pooled: bool
    reason: str

    @property
    def notable(self) -> str:
        """How unlike the SDs are, in a sentence; empty where the ratio is at most `NOTABLE_RATIO`."""
        if 0 < len(self.unmoved) < len(self.arms):
            return (
                f"All seeds of {', '.join(self.unmoved)} have the same mean score (SD 0), unlike those of other arms."
            )
        return self.in_words if self.ratio > NOTABLE_RATIO else ""

    @property
    def notable_differences(self) -> str:
        """How unlike two arms differ from seed to seed, in a sentence; empty where that may well be chance."""
        spread = self.differences
        if spread is None or not (spread.ratio > NOTABLE_RATIO and spread.p_value < NOTABLE_P_VALUE):
            return ""
        most, least = (" and ".join(self.arms[row] for row in pair) for pair in (spread.most, spread.least))
        if math.isinf(spread.ratio):
            return f"From seed to seed {most} differ, and {least} never do."
        share = "fewer than 1%" if spread.p_value < 0.01 else f"{100 * spread.p_value:.0f}%"
        return (
            f"From seed to seed {most} differ {spread.ratio:.1f} times as far as {least}; if every two arms differed "
            f"alike, so large a ratio would come about in {share} of studies."
        )

    @property
    def in_words(self) -> str:
        """The ratio and how often it arises by chance, in a sentence; empty without a ratio."""
        if math.isnan(self.ratio):
            return ""
        share = "fewer than 1%" if self.p_value < 0.01 else f"{100 * self.p_value:.0f}%"
        fewest, most = min(self.n_by_arm), max(self.n_by_arm)
        seeds = f"{fewest} seeds" if fewest == most else f"{fewest} to {most} seeds in each"
        return (
            f"The seed SD of {self.largest} is {self.ratio:.1f} times that of {self.smallest}; with equal SDs, "
            f"{len(self.arms)} arms and {seeds}, so large a ratio comes about in {share} of studies."
        )


def seed_sds(summaries: Sequence[ArmSummary], *, n_seeds: Mapping[str, int], pooled: bool, reason: str = "") -> SeedSDs:
    """Compare the seed SDs of the arms.

    Parameters
    ----------
    summaries : sequence of ArmSummary
        Of every arm; those that did not finish with all seeds, or whose metric is undefined for some, are left out.
    n_seeds : mapping of str to int
        The number of seeds in use, by arm.
    pooled : bool
        Whether the primary test pools over the arms.
    reason : str
        Why no ratio may be given; else empty.
    """
    complete = [one for one in summaries if len(one.seeds) == n_seeds[one.arm] > 1 and not math.isnan(one.sd)]
    sds = {one.arm: 0.0 if _unmoved(one) else one.sd for one in complete}
    unmoved = tuple(arm for arm, sd in sds.items() if sd == 0)
    spread = SeedSDs(
        arms=tuple(sds),
        sds=tuple(sds.values()),
        n_seeds=min(n_seeds.values()),
        n_by_arm=tuple(n_seeds[arm] for arm in sds),
        largest="",
        smallest="",
        ratio=math.nan,
        p_value=math.nan,
        unmoved=unmoved,
        differences=_differences({one.arm: one.values for one in complete}) if pooled else None,
        pooled=pooled,
        reason=reason or _no_ratio(sds, unmoved),
    )
    if spread.reason:
        return spread
    largest, smallest = max(sds, key=sds.__getitem__), min(sds, key=sds.__getitem__)
    ratio = sds[largest] / sds[smallest]
    p_value = largest_ratio_p_value(ratio**2, df=[n - 1 for n in spread.n_by_arm])
    return replace(spread, largest=largest, smallest=smallest, ratio=ratio, p_value=p_value)


def _no_ratio(sds: Mapping[str, float], unmoved: Sequence[str]) -> str:
    if len(sds) < 2:
        return "fewer than two arms have two seeds or more"
    return f"all seeds of {', '.join(unmoved)} have the same mean score" if unmoved else ""


def _differences(means: Mapping[str, tuple[float, ...]]) -> DifferenceSpread | None:
    if len(means) < 3:
        return None
    # An arm that left at an earlier look has the first seeds of the others.
    shared = min(map(len, means.values()))
    rows = [values[:shared] for values in means.values()]
    return difference_spread(rows, rng=np.random.default_rng(_SIMULATION_SEED))


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
    found = " ".join(filter(None, (spread.notable, spread.notable_differences)))
    if not spread.pooled or not found:
        return []
    advice = (
        "The pooled test takes every two arms as alike in this, and calls a far noisier arm different too often. "
        "Compare the p-value of two arms alone (--details); a new study can declare analysis.variance: pairwise, best "
        "with 4 seeds or more."
    )
    short = "unequal seed SDs" if spread.notable else "unequal differences over seeds"
    return [Caveat(short=short, text=f"{found} {advice}", on_verdicts=True)]
