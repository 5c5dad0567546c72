"""Crossed tests of many splits at once: `analysis.crossed_test`, from how many examples every two runs both get right.

Where scores are 0 and 1, every mean square of a study follows from these overlaps, so that no matrix of scores has to
be looked at again for each split. Each p-value is that of `crossed_test`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.crossed_design import design_of, has_plain_df
from analysis.methods.moments import caution, independent_moments, paired_moments
from answer.one_recipe.splits import Block

Floats = NDArray[np.float64]


class _Squares(NamedTuple):
    """Mean squares of M score matrices, shape (M,) each."""

    seed: Floats
    example: Floats
    residual: Floats


class Judged(NamedTuple):
    """Gap, its standard error and degrees of freedom for each split, shape (M,) each."""

    gap: Floats
    standard_error: Floats
    df: Floats

    @property
    def p_value(self) -> Floats:
        """Two-sided, for a gap of 0; 1 where nothing varies and the gap is 0, NaN where it is not."""
        p = 2 * special.stdtr(self.df, -self._t(np.abs(self.gap)))
        return np.asarray(np.where(self.gap == 0, 1.0, p))

    def equivalence(self, margin: float) -> Floats:
        """Return the p-value of equivalence within a margin."""
        return np.asarray(special.stdtr(self.df, -self._t(margin - np.abs(self.gap))))

    def _t(self, distance: Floats) -> Floats:
        t = np.full(distance.shape, np.nan)
        np.divide(distance, self.standard_error, out=t, where=self.standard_error > 0)
        return t


def crossed(block: Block, *, paired: bool) -> Judged:
    """Judge the first two "methods" of each split.

    Parameters
    ----------
    block : Block
    paired : bool
        Whether the runs of the two are taken for pairs, as runs with one seed would be.
    """
    if paired and design_of(n_seeds=block.n_seeds) == "A":
        S = block.n_seeds
        return _by_pairs(block, 0, 1, _differences(block, 0, 1).seed, seed_df=S - 1, plain=has_plain_df("A", n_seeds=S))
    S, n = block.n_seeds, block.n_examples
    arms = [_own(block, number) for number in (0, 1)]
    gap = _gap(block, 0, 1)
    by_example = (_both(block, 0, 0) + _both(block, 1, 1) - 2 * _both(block, 0, 1)) / S**2
    variance, df = independent_moments(
        (arms[0].seed, arms[1].seed),
        (arms[0].residual, arms[1].residual),
        _no_less_than_zero(by_example - n * gap**2) / (n - 1),
        n_seeds=(S, S),
        n_examples=n,
        plain_df=has_plain_df("B", n_seeds=S),
    )
    return Judged(gap, np.sqrt(variance), df)


def pooled(block: Block) -> list[Judged]:
    """Judge each "method" but the last against the last, with the variation over seeds pooled over all of them.

    Parameters
    ----------
    block : Block
        With three "methods" or more.
    """
    n, S, K = block.n_examples, block.n_seeds, block.methods.shape[1]
    means = block.counts / n
    interaction = means - means.mean(axis=1, keepdims=True) - means.mean(axis=2, keepdims=True)
    interaction += means.mean(axis=(1, 2), keepdims=True)
    df = (K - 1) * (S - 1)
    spread = 2 * n * np.square(interaction).sum(axis=(1, 2)) / df
    return [_by_pairs(block, number, K - 1, spread, seed_df=df, plain=False) for number in range(K - 1)]


def _by_pairs(block: Block, treatment: int, baseline: int, ms_seed: Floats, *, seed_df: int, plain: bool) -> Judged:
    squares = _differences(block, treatment, baseline)
    variance, df = paired_moments(
        ms_seed,
        squares.example,
        squares.residual,
        n_seeds=block.n_seeds,
        n_examples=block.n_examples,
        seed_df=seed_df,
        weight=1.0 if plain else caution(seed_df),
    )
    return Judged(_gap(block, treatment, baseline), np.sqrt(variance), df)


def _gap(block: Block, treatment: int, baseline: int) -> Floats:
    counts = block.counts[:, treatment].sum(axis=1) - block.counts[:, baseline].sum(axis=1)
    return np.asarray(counts / (block.n_seeds * block.n_examples))


def _both(block: Block, one: int, other: int) -> Floats:
    """Sum the overlaps of all runs of one "method" with all of another: an inner product of their sums by example."""
    rows, columns = block.methods[:, one, :, None], block.methods[:, other, None, :]
    return np.asarray(block.overlaps[rows, columns].sum(axis=(1, 2)))


def _own(block: Block, number: int) -> _Squares:
    counts = block.counts[:, number]
    return _mean_squares(counts, counts.sum(axis=1), _both(block, number, number), block.n_examples)


def _differences(block: Block, treatment: int, baseline: int) -> _Squares:
    one, other = block.methods[:, treatment], block.methods[:, baseline]
    first, second = block.counts[:, treatment], block.counts[:, baseline]
    # A difference is 1 or -1 where exactly one of the two is right.
    raw = (first + second - 2 * block.overlaps[one, other]).sum(axis=1)
    by_example = (
        _both(block, treatment, treatment) + _both(block, baseline, baseline) - 2 * _both(block, treatment, baseline)
    )
    return _mean_squares(first - second, raw, by_example, block.n_examples)


def _mean_squares(by_seed: Floats, raw: Floats, by_example: Floats, n: int) -> _Squares:
    """Split the variation of M matrices of whole scores.

    Parameters
    ----------
    by_seed : ndarray, shape (M, S)
        Sum of each row.
    raw : ndarray, shape (M,)
        Sum of all squares.
    by_example : ndarray, shape (M,)
        Sum over the columns of the squared sum of each.
    n : int
        Columns.
    """
    S = by_seed.shape[1]
    middle = by_seed.sum(axis=1) ** 2 / (S * n)
    seed = np.square(by_seed).sum(axis=1) / n - middle
    example = by_example / S - middle
    residual = raw - middle - seed - example
    return _Squares(
        _no_less_than_zero(seed) / (S - 1),
        _no_less_than_zero(example) / (n - 1),
        _no_less_than_zero(residual) / ((S - 1) * (n - 1)),
    )


def _no_less_than_zero(squares: Floats) -> Floats:
    # Sums of squares of whole numbers over a common divisor: what rounding leaves is far below the smallest of them.
    return np.where(squares > 1e-9, squares, 0.0)
