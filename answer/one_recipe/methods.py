"""Tests that are counted: each says of many splits at once in which of them it claims a gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.mcnemar import binomial_p
from analysis.methods.resamples import draw_counts
from answer.one_recipe.crossed import crossed, pooled
from answer.one_recipe.splits import RESAMPLES, Block
from calibration.normal import false_claims

ALPHA = 0.05

Claims = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A test of two "methods".

    Parameters
    ----------
    name : str
        For the tables.
    population : str
        What it generalises to.
    claims : callable
        From a block of splits to whether the test claims a gap in each, at `ALPHA`.
    one_run : bool
        Whether it judges one run of each "method".
    several : bool
        Whether it judges three runs of each or more.
    in_calibration : str
        What docs/calibration.csv calls it; empty where it is not in there.
    """

    name: str
    population: str
    claims: Callable[[Block], Claims]
    one_run: bool = False
    several: bool = True
    in_calibration: str = ""

    def takes(self, n_seeds: int) -> bool:
        """Say whether it judges so many runs of each "method"."""
        return self.one_run if n_seeds == 1 else self.several


def _mcnemar(block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = block.methods[:, 0, 0], block.methods[:, 1, 0]
    both = block.overlaps[first, second]
    tables = np.stack([block.counts[:, 0, 0] - both, block.counts[:, 1, 0] - both], axis=1)
    # Many pairs share their two counts.
    distinct, place = np.unique(tables, axis=0, return_inverse=True)
    p_exact, p_mid = binomial_p(*distinct.T.astype(np.int64))
    return p_exact[place], p_mid[place]


def _mcnemar_exact(block: Block) -> Claims:
    return _mcnemar(block)[0] <= ALPHA


def _mcnemar_mid(block: Block) -> Claims:
    return _mcnemar(block)[1] <= ALPHA


def _paired_t(block: Block) -> Claims:
    d = block.counts[:, 0] - block.counts[:, 1]
    return _t_claims(d.mean(axis=1), d.var(axis=1, ddof=1) / block.n_seeds, np.full(len(d), block.n_seeds - 1.0))


def _welch(block: Block) -> Claims:
    S = block.n_seeds
    of_arms = block.counts.var(axis=2, ddof=1) / S
    variance = of_arms.sum(axis=1)
    squares = np.square(of_arms).sum(axis=1) / (S - 1)
    df = np.divide(np.square(variance), squares, out=np.ones_like(squares), where=squares > 0)
    gap = block.counts[:, 0].mean(axis=1) - block.counts[:, 1].mean(axis=1)
    return _t_claims(gap, variance, df)


def _t_claims(gap: NDArray[np.float64], variance: NDArray[np.float64], df: NDArray[np.float64]) -> Claims:
    t = np.divide(np.abs(gap), np.sqrt(variance), out=np.zeros_like(gap), where=variance > 0)
    return np.asarray(2 * special.stdtr(df, -t) <= ALPHA)


def _rank_sum(block: Block) -> Claims:
    """Judge by scipy's ``mannwhitneyu`` as it is called by default: exact for few seeds without ties."""
    from scipy import stats

    claims = np.zeros(len(block.methods), dtype=bool)
    both = np.sort(block.counts.reshape(len(claims), -1), axis=1)
    tied = (np.diff(both, axis=1) == 0).any(axis=1)
    exact = ~tied & (block.n_seeds <= 8)
    ways: tuple[tuple[Claims, Literal["exact", "asymptotic"]], ...] = ((exact, "exact"), (~exact, "asymptotic"))
    for rows, method in ways:
        if rows.any():
            one, other = block.counts[rows, 0], block.counts[rows, 1]
            claims[rows] = stats.mannwhitneyu(one, other, axis=1, method=method).pvalue <= ALPHA
    return claims


def _bootstrap(block: Block) -> Claims:
    signed = np.zeros((len(block.methods), len(block.right)), dtype=np.float32)
    rows = np.arange(len(signed))[:, None]
    signed[rows, block.methods[:, 0]] = 1
    signed[rows, block.methods[:, 1]] = -1
    return _leaves_out_zero(signed @ block.resampled_counts)


def _multi_bootstrap(block: Block) -> Claims:
    counts, times = block.resampled_counts, draw_counts(block.rng, RESAMPLES, block.n_seeds).astype(np.float32)
    gaps = np.zeros((len(block.methods), RESAMPLES), dtype=np.float32)
    for run, of_run in enumerate(times.T):
        gaps += (counts[block.methods[:, 0, run]] - counts[block.methods[:, 1, run]]) * of_run
    return _leaves_out_zero(gaps)


def _leaves_out_zero(gaps: NDArray[np.float32]) -> Claims:
    """Say whether the percentile interval of resampled gaps leaves out 0, by the p-value that belongs to it."""
    # Sums of whole numbers far below 2**24: single precision holds them exactly.
    side = np.minimum((gaps <= 0).sum(axis=1), (gaps >= 0).sum(axis=1))
    return np.asarray(2 * (side + 1) / (RESAMPLES + 1) <= ALPHA)


def _crossed_paired(block: Block) -> Claims:
    return crossed(block, paired=True).p_value <= ALPHA


def _crossed_unpaired(block: Block) -> Claims:
    return crossed(block, paired=False).p_value <= ALPHA


EXAMPLES, SEEDS, BOTH = "examples", "seeds", "seeds and examples"

METHODS = (
    Method(
        name="McNemar's exact test",
        population=EXAMPLES,
        claims=_mcnemar_exact,
        one_run=True,
        several=False,
        in_calibration="McNemar, exact",
    ),
    Method(
        name="McNemar's mid-p",
        population=EXAMPLES,
        claims=_mcnemar_mid,
        one_run=True,
        several=False,
        in_calibration="McNemar, mid-p",
    ),
    Method(name="bootstrap over examples", population=EXAMPLES, claims=_bootstrap, one_run=True),
    Method(name="paired t", population=SEEDS, claims=_paired_t, in_calibration="paired t"),
    Method(name="Welch's t", population=SEEDS, claims=_welch),
    Method(name="Wilcoxon's rank sum", population=SEEDS, claims=_rank_sum),
    Method(
        name="multi-bootstrap",
        population=BOTH,
        claims=_multi_bootstrap,
        in_calibration="multi-bootstrap, percentile",
    ),
    Method(name="crossed t (unpaired)", population=BOTH, claims=_crossed_unpaired),
    Method(name="crossed t (paired)", population=BOTH, claims=_crossed_paired, in_calibration="crossed t"),
)


def pooled_first(block: Block) -> Claims:
    """Say where the pooled test claims a gap between the first "method" and the last, without a correction."""
    return pooled(block)[0].p_value <= ALPHA


def pooled_any(block: Block, *, margin: float) -> Claims:
    """Say where it claims any gap with the last "method", after the correction of a report.

    Parameters
    ----------
    block : Block
        With three "methods" or more.
    margin : float
        Of equivalence, whose p-values the correction takes in as well; as a share.
    """
    judged = pooled(block)
    difference = np.stack([one.p_value for one in judged], axis=1)
    equivalence = np.stack([one.equivalence(margin) for one in judged], axis=1)
    claims = false_claims(np.zeros(len(judged)), difference, equivalence, margin=margin, alpha=ALPHA)
    return np.asarray(claims, dtype=bool)
