"""Families of comparisons with one baseline: false claims, the far tail of single comparisons, and power.

Each family runs in two ways that share no code: on right and wrong answers, drawn run by run and judged by the
functions of the analysis; and in normal theory, where many more studies can be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.equivalence import tost
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.variance import pooled_seed_spread
from calibration.counts import ClusteredCount, Count, Size, streams
from calibration.normal import by_pair, difference_p, draw_mean_squares, equivalence_p, false_claims, pooled
from calibration.regimes import Regime, draw_arms

ALPHA = 0.05
MARGIN = 0.02
"""The largest gap that does not matter: 2 percentage points of accuracy."""

FAMILY_GAP = 0.03
"""The true gap of the families whose power is counted."""

TAIL = (0.05, 0.0125, 0.00625, 0.003125, 0.00125)
"""The levels at which single comparisons are counted: 1, 4, 8, 16 and 40 comparisons under Holm's correction."""

FAMILY_SEEDS = (3, 4, 5, 6, 8, 10, 20)
FAMILY_SIZES = (1, 2, 4, 8, 16)

Variance = Literal["pooled", "by pair"]
VARIANCES: tuple[Variance, ...] = ("pooled", "by pair")

PROMISED = (
    Regime(name="no seed effect", seed_sd=0.0),
    Regime(name="mild seed effect"),
    Regime(name="strong seed effect", seed_sd=0.018),
    Regime(name="very strong seed effect", seed_sd=0.04),
    Regime(name="strong, correlation .5", seed_sd=0.018, correlation=0.5),
    Regime(name="strong, correlation .8", seed_sd=0.018, correlation=0.8),
    Regime(name="arms differ by example", by_example=0.25),
)
"""The regimes in which families make no more false claims than promised: all arms vary alike over seeds."""

UNLIKE = (
    Regime(name="one treatment 1.5 times noisier", seed_sd=0.018, noisier=1.5),
    Regime(name="one treatment 3 times noisier", seed_sd=0.018, noisier=3.0),
    Regime(name="the baseline 1.5 times noisier", seed_sd=0.018, noisier=1.5, noisier_arm=-1),
    Regime(name="the baseline 3 times noisier", seed_sd=0.018, noisier=3.0, noisier_arm=-1),
    Regime(name="treatments share luck, .5", seed_sd=0.018, among_treatments=0.5),
    Regime(name="treatments share luck, .8", seed_sd=0.018, among_treatments=0.8),
    Regime(name="seeds correlated -.2", seed_sd=0.018, correlation=-0.2),
)
"""Regimes that nothing is promised for: pooling takes the arms' spread over seeds for alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Studies of several comparisons with one baseline.

    Parameters
    ----------
    regime : Regime
    gaps : tuple of float
        True accuracy of each treatment minus that of the baseline.
    n_seeds : int
        Runs of each arm.
    normal : bool
        Whether normal theory is simulated, or else every answer of every run.
    """

    regime: Regime
    gaps: tuple[float, ...]
    n_seeds: int
    normal: bool

    @property
    def size(self) -> int:
        """How many comparisons there are: K."""
        return len(self.gaps)

    @property
    def kind(self) -> str:
        """What is true of the gaps, in words."""
        return kind_of(self.gaps)


def kind_of(gaps: tuple[float, ...]) -> str:
    """Say what is true of some gaps."""
    kinds = {(0.0,): "no gap", (MARGIN,): "gaps of the margin", (0.0, MARGIN): "half of each"}
    return kinds.get(tuple(sorted(set(gaps))), "gaps to find")


@dataclass(slots=True, kw_only=True)
class FamilyRates:
    """What one test did in one family.

    Parameters
    ----------
    family : Family
    variance : {"pooled", "by pair"}
        Of the primary test: over all arms of the study, or of two arms alone.
    joint, uncorrected : Count
        Studies with any false claim, of a gap or of equivalence: after the joint step-down, and without a correction.
    tail : mapping of float to ClusteredCount
        Rejections of single comparisons whose true gap is 0, by level.
    first : Count
        Rejections at .05 of the first comparison, where its true gap is 0.
    found : ClusteredCount
        Gaps to find that the strictest step of the correction would find.
    """

    family: Family
    variance: Variance
    joint: Count = field(default_factory=Count)
    uncorrected: Count = field(default_factory=Count)
    tail: dict[float, ClusteredCount] = field(default_factory=dict)
    first: Count = field(default_factory=Count)
    found: ClusteredCount = field(default_factory=ClusteredCount)


def families() -> list[Family]:
    """Return every family of docs/calibration.md."""
    mild, strong, by_example = PROMISED[1], PROMISED[2], PROMISED[-1]
    of_the_margin = [(MARGIN,), (MARGIN,) * 4, (MARGIN,) * 16, (0.0, 0.0, MARGIN, MARGIN), (0.0, MARGIN) * 4]
    to_find = [(FAMILY_GAP,) * 4]
    everywhere = [(regime, (0.0,) * size) for regime in PROMISED for size in FAMILY_SIZES]
    everywhere += [(regime, gaps) for regime in (mild, strong, by_example) for gaps in of_the_margin]
    everywhere += [(regime, gaps) for regime in (*PROMISED[1:3], *PROMISED[4:6]) for gaps in to_find]
    everywhere += [(regime, (0.0,) * 4) for regime in UNLIKE]
    in_normal_theory = [
        Family(regime=regime, gaps=gaps, n_seeds=seeds, normal=True)
        for regime, gaps in everywhere
        for seeds in FAMILY_SEEDS
    ]
    answers: list[tuple[Regime, tuple[float, ...], int]]
    answers = [(regime, (0.0,) * 4, seeds) for regime in PROMISED[1:] for seeds in (3, 5, 10)]
    answers += [(strong, (0.0,) * size, seeds) for size in (2, 8, 16) for seeds in (3, 5)]
    answers += [(regime, gaps, 5) for regime in (mild, by_example) for gaps in of_the_margin[1:4:2]]
    answers += [(regime, (FAMILY_GAP,) * 4, 5) for regime in (mild, strong)]
    in_answers = [Family(regime=regime, gaps=gaps, n_seeds=seeds, normal=False) for regime, gaps, seeds in answers]
    return [*in_answers, *in_normal_theory]


def count_family(family: Family, size: Size, *key: int) -> list[FamilyRates]:
    """Count one family, by the pooled test and by pair.

    Parameters
    ----------
    family : Family
    size : Size
    key : int
        What its draws follow from.
    """
    rng, _ = streams(*key)
    by_variance = _normal_p(family, size, rng) if family.normal else _p_of_answers(family, size, rng)
    gaps = np.array(family.gaps)
    rows = []
    for variance, (difference, equivalence) in by_variance.items():
        row = FamilyRates(family=family, variance=variance)
        if family.normal:
            joint = false_claims(gaps, difference, equivalence, margin=MARGIN, alpha=ALPHA)
        else:
            joint = np.array([_any_false(family.gaps, *pair) for pair in zip(difference, equivalence, strict=True)])
        wrong = ((difference <= ALPHA) & (gaps == 0)) | ((equivalence <= ALPHA) & (gaps >= MARGIN))
        row.joint = Count(int(joint.sum()), len(joint))
        row.uncorrected = Count(int(wrong.any(axis=1).sum()), len(wrong))
        if family.kind == "no gap":
            row.first = Count(int((difference[:, 0] <= ALPHA).sum()), len(difference))
            row.tail = {level: ClusteredCount.of(difference <= level) for level in TAIL}
        if family.kind == "gaps to find":
            row.found = ClusteredCount.of(difference <= ALPHA / len(gaps))
        rows.append(row)
    return rows


PValues = tuple[NDArray[np.float64], NDArray[np.float64]]


def _normal_p(family: Family, size: Size, rng: np.random.Generator) -> dict[Variance, PValues]:
    K = len(family.gaps)
    studies = max(size.normal // K, min(size.normal, 50_000))
    squares = draw_mean_squares(family.regime, family.n_seeds, rng, n_treatments=K, studies=studies)
    gap = squares.gap + np.array(family.gaps)
    p = {}
    for variance, fitted in (("pooled", pooled), ("by pair", by_pair)):
        fit = fitted(squares)
        p[variance] = (difference_p(gap, fit), equivalence_p(gap, fit, margin=MARGIN))
    return p  # type: ignore[return-value]


def _p_of_answers(family: Family, size: Size, rng: np.random.Generator) -> dict[Variance, PValues]:
    shape = (size.studies, len(family.gaps))
    p: dict[Variance, PValues] = {variance: (np.empty(shape), np.empty(shape)) for variance in VARIANCES}
    for study in range(size.studies):
        arms = draw_arms(family.regime, family.n_seeds, rng, gaps=family.gaps)
        for variance in VARIANCES:
            difference, equivalence = p[variance]
            results = judged(arms, variance)
            difference[study] = [one.p_value for one in results]
            equivalence[study] = [
                tost(one.estimate, one.standard_error, one.df, margin=MARGIN).p_value for one in results
            ]
    return p


def judged(arms: Sequence[NDArray[np.bool_]], variance: Variance) -> list[CrossedResult]:
    """Compare every treatment with the baseline, which is the last arm, as a study does.

    Parameters
    ----------
    arms : sequence of ndarray, shape (S, N)
    variance : {"pooled", "by pair"}
    """
    *treatments, baseline = (np.asarray(arm, dtype=np.float64) for arm in arms)
    spread = pooled_seed_spread([*treatments, baseline]) if variance == "pooled" and len(arms) > 2 else None
    return [crossed_test(treatment, baseline, paired=True, spread=spread) for treatment in treatments]


def _any_false(gaps: Sequence[float], difference: NDArray[np.float64], equivalence: NDArray[np.float64]) -> bool:
    adjusted = joint_step_down(difference.tolist(), equivalence.tolist())
    return any(
        (gap == 0 and differs <= ALPHA) or (gap >= MARGIN and same <= ALPHA)
        for gap, differs, same in zip(gaps, adjusted.difference, adjusted.equivalence, strict=True)
    )
