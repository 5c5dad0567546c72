"""Crossed test for seeds of two kinds that cross: every initialisation with every order of the data.

Three initialisations with three orders are nine trained models, and not nine independent seeds: models that share an
initialisation are alike, and so are models that share an order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.methods.student import TResult
from analysis.methods.variance import ROUNDING

# With fewer initialisations, or fewer data orders, no correction of their degrees of freedom keeps the far tail.
SEEDS_OF_A_SOURCE = 4
_NAN = float("nan")
_FIRST, _SECOND, _EXAMPLE = 0, 1, 2
_SEEDS = ((_FIRST,), (_SECOND,))
_ALONE = (*_SEEDS, (_EXAMPLE,))
_PAIRS = tuple(combinations((_FIRST, _SECOND, _EXAMPLE), 2))
_ALL = (_FIRST, _SECOND, _EXAMPLE)

Factors = tuple[int, ...]


class SourceShares(NamedTuple):
    """Which share of the squared standard error comes from which source of variation; they add up to 1.

    Parameters
    ----------
    first, second : float
        The seeds of the first kind, and of the second, on all examples alike.
    interaction : float
        What a seed of the first kind changes with some seeds of the second only, and whatever is drawn anew for every
        pair of seeds.
    example : float
        The examples, with all seeds alike.
    residual : float
        What seeds of either kind change on some examples only.
    """

    first: float
    second: float
    interaction: float
    example: float
    residual: float


_NO_SHARES = SourceShares(_NAN, _NAN, _NAN, _NAN, _NAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedSeedsResult(TResult):
    """The outcome of `crossed_seeds_test`. It generalises to new seeds of both kinds and new examples.

    Parameters
    ----------
    estimate : float
        Mean score of the treatment minus mean score of the baseline, in units of the score.
    standard_error : float
        Of the estimate; 0 where no difference varies.
    df : float
        Degrees of freedom (Satterthwaite).
    statistic : float
        ``estimate / standard_error``.
    p_value : float
        Two-sided, for a difference of 0.
    first_sd, second_sd, interaction_sd : float
        SD of the difference over new seeds of the first kind, of the second, and over new pairs of given seeds, on all
        examples alike.
    shares : SourceShares
        Where the squared standard error comes from; NaN without a standard error above 0.
    n_first, n_second, n_examples : int
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why a number above is NaN; empty if none is.
    """

    statistic: float
    p_value: float
    first_sd: float
    second_sd: float
    interaction_sd: float
    shares: SourceShares
    n_first: int
    n_second: int
    n_examples: int
    generalizes_to: str = "seeds and examples"
    reason: str


def crossed_seeds_test(treatment: ArrayLike, baseline: ArrayLike) -> CrossedSeedsResult:
    """Test whether two procedures differ when two kinds of seeds cross in both arms.

    Parameters
    ----------
    treatment, baseline : array_like, shape (A, B, N)
        Scores by seed of the first kind (such as initialisation), seed of the second (such as data order) and
        example; both arms with the same seeds and examples in the same order.

    Returns
    -------
    CrossedSeedsResult
        Generalises to new seeds of both kinds and new examples. With one seed of a kind, or one example, there
        is an estimate but no p-value. If no difference varies, p is 1 where it is 0 and NaN where it is not.

    Raises
    ------
    ValueError
        If an array is not three-dimensional and finite, or if the shapes differ.

    See Also
    --------
    crossed_test : For seeds of one kind.

    Notes
    -----
    The differences are split into the mean squares of a three-way crossed layout of random factors. As in
    `crossed_test` no component counts as negative, and no mean square as smaller than what its components make
    of it: a chance-small one would buy degrees of freedom. Few seeds of a kind leave few degrees of freedom:
    with two initialisations about one, however many orders there are. Satterthwaite's degrees of freedom take the
    estimated shares of the components for known ones, and a share that came out small by chance buys too many. So
    they count what a kind of seeds with F degrees of freedom adds ``1 + (6.5 / F)^2.5`` times, where that makes them
    fewer: with four seeds of a kind or more, p-values down to .001 then come at most about 1.4 times as often as they
    should.

    References
    ----------
    Searle, Casella and McCulloch (1992), Variance Components, chapter 4. Satterthwaite (1946), Biometrics
    Bulletin 2, 110-114.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> baseline = rng.random((3, 3, 200)) < 0.8 + rng.normal(0, 0.02, (3, 1, 1))
    >>> treatment = rng.random((3, 3, 200)) < 0.9
    >>> result = crossed_seeds_test(treatment, baseline)
    >>> f"{result.estimate:.3f}, df {result.df:.1f}, p = {result.p_value:.3f}"
    '0.088, df 1.7, p = 0.071'
    """
    d, size = _differences(treatment, baseline)
    n_first, n_second, n_examples = d.shape
    D = float(d.mean())
    if min(d.shape) == 1:
        return _without_error(D, d.shape, "one seed of a kind, or one example: nothing to tell its variation from")
    squares = _mean_squares(d, size)
    parts = _components(squares)
    total = sum(parts.values())
    if total == 0:
        no_gap = abs(D) <= ROUNDING * size
        reason = "every difference is the same: nothing varies"
        return _without_error(0.0 if no_gap else D, d.shape, reason, p_value=1.0 if no_gap else _NAN, error=0.0)
    counted, spread, counted_spread = total, 0.0, 0.0
    for factors in (*_ALONE, *_PAIRS, _ALL):
        floored = sum(part for inside, part in parts.items() if set(factors) <= set(inside))
        freedom = math.prod(d.shape[factor] - 1 for factor in factors)
        more = (6.5 / freedom) ** 2.5 * parts[factors] if factors in _SEEDS else 0.0
        counted += more
        spread += floored**2 / freedom
        counted_spread += (floored + more) ** 2 / freedom
    V = total / d.size
    df, t = min(total**2 / spread, counted**2 / counted_spread), D / math.sqrt(V)
    return CrossedSeedsResult(
        estimate=D,
        standard_error=math.sqrt(V),
        df=df,
        statistic=t,
        p_value=2 * float(special.stdtr(df, -abs(t))),
        first_sd=math.sqrt(parts[(_FIRST,)] / (n_second * n_examples)),
        second_sd=math.sqrt(parts[(_SECOND,)] / (n_first * n_examples)),
        interaction_sd=math.sqrt(parts[(_FIRST, _SECOND)] / n_examples),
        shares=SourceShares(
            first=parts[(_FIRST,)] / total,
            second=parts[(_SECOND,)] / total,
            interaction=parts[(_FIRST, _SECOND)] / total,
            example=parts[(_EXAMPLE,)] / total,
            residual=(parts[(_FIRST, _EXAMPLE)] + parts[(_SECOND, _EXAMPLE)] + parts[_ALL]) / total,
        ),
        n_first=n_first,
        n_second=n_second,
        n_examples=n_examples,
        reason="",
    )


def _differences(treatment: ArrayLike, baseline: ArrayLike) -> tuple[NDArray[np.float64], float]:
    y_t, y_b = (np.asarray(scores, dtype=np.float64) for scores in (treatment, baseline))
    if y_t.ndim != 3 or y_t.shape != y_b.shape or y_t.size == 0:
        raise ValueError(
            "both arms must be scored by first seed x second seed x example with the same seeds and examples, "
            f"got shapes {y_t.shape} and {y_b.shape}"
        )
    if not (np.isfinite(y_t).all() and np.isfinite(y_b).all()):
        raise ValueError("scores must be finite")
    return y_t - y_b, float(max(np.abs(y_t).max(), np.abs(y_b).max()))


def _mean_squares(d: NDArray[np.float64], size: float) -> dict[Factors, float]:
    """Return the mean square of every factor and interaction; rounding noise counts as 0."""
    effects: dict[Factors, NDArray[np.float64]] = {(): np.asarray(d.mean()).reshape(1, 1, 1)}
    squares: dict[Factors, float] = {}
    for factors in (*_ALONE, *_PAIRS, _ALL):
        others = tuple(axis for axis in _ALL if axis not in factors)
        effect = d.mean(axis=others, keepdims=True) if others else d
        for inside, part in effects.items():
            if set(inside) < set(factors):
                effect = effect - part
        effects[factors] = effect
        repeated = math.prod(d.shape[axis] for axis in others)
        df = math.prod(d.shape[axis] - 1 for axis in factors)
        square = float(repeated * np.sum(effect**2) / df)
        squares[factors] = square if square > d.size * (ROUNDING * size) ** 2 else 0.0
    return squares


def _components(squares: dict[Factors, float]) -> dict[Factors, float]:
    """Return what every factor and interaction adds to the mean squares of the factors in it, none below 0."""
    rest = squares[_ALL]
    parts: dict[Factors, float] = {_ALL: rest}
    for pair in _PAIRS:
        parts[pair] = max(squares[pair] - rest, 0.0)
    for (factor,) in _ALONE:
        explained = rest + sum(parts[pair] for pair in _PAIRS if factor in pair)
        parts[(factor,)] = max(squares[(factor,)] - explained, 0.0)
    return parts


def _without_error(
    D: float, shape: tuple[int, ...], reason: str, *, p_value: float = _NAN, error: float = _NAN
) -> CrossedSeedsResult:
    return CrossedSeedsResult(
        estimate=D,
        standard_error=error,
        df=_NAN,
        statistic=_NAN,
        p_value=p_value,
        first_sd=error,
        second_sd=error,
        interaction_sd=error,
        shares=_NO_SHARES,
        n_first=shape[0],
        n_second=shape[1],
        n_examples=shape[2],
        reason=reason,
    )
