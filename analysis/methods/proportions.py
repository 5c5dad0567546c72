"""Newcombe's and Tango's intervals of the gap in accuracy between two trained models, and their odds ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

from scipy import optimize, special

from analysis.methods.clopper_pearson import clopper_pearson

_NAN = float("nan")
_AGREE = "no example is right for one model and wrong for the other"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapInterval:
    """An interval for the gap in accuracy of one pair of trained models; it generalises to new examples.

    Parameters
    ----------
    estimate : float
        Accuracy of the treatment minus accuracy of the baseline.
    low, high : float
        The limits, from -1 to 1.
    confidence : float
        How often intervals of this kind hold the true gap, nearly; between 0 and 1.
    method : str
        ``"newcombe"`` or ``"tango"``.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    generalizes_to: str = "examples"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsRatioResult:
    """The odds that the treatment is the right one where the models differ; it generalises to new examples.

    Parameters
    ----------
    estimate : float
        ``b / c``. Infinite where only the treatment is ever right alone, NaN where the models never differ.
    low, high : float
        The limits, from 0 to infinity; NaN where the models never differ.
    confidence : float
        How often intervals of this kind hold the true odds, at least; between 0 and 1.
    only_treatment : int
        Examples that the treatment alone got right (b).
    only_baseline : int
        Examples that the baseline alone got right (c).
    method : str
        ``"exact conditional"``: the interval is never too narrow.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why a value is missing or infinite; empty if none is.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    only_treatment: int
    only_baseline: int
    method: str = "exact conditional"
    generalizes_to: str = "examples"
    reason: str


def newcombe_interval(
    both_right: int, only_treatment: int, only_baseline: int, neither: int, *, confidence: float = 0.95
) -> GapInterval:
    """Interval for the gap in accuracy from the Wilson limits of either accuracy (square and add).

    Parameters
    ----------
    both_right, only_treatment, only_baseline, neither : int
        Examples that both models, the treatment alone, the baseline alone and no model got right; at least
        one example in all.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    GapInterval
        Generalises to new examples for these two models, and says nothing about other seeds.

    Raises
    ------
    ValueError
        If a count is not a whole number from 0, if all are 0, or if `confidence` is out of range.

    See Also
    --------
    tango_interval : By the score test.
    mcnemar : Whether there is a gap.

    Notes
    -----
    The distances of the Wilson limits from their accuracies are added as two correlated errors are; their
    correlation, where positive, is first moved towards 0 by a continuity correction.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10.

    Examples
    --------
    >>> gap = newcombe_interval(20, 12, 2, 16)
    >>> round(gap.low, 4), gap.estimate, round(gap.high, 4)
    (0.0562, 0.2, 0.3292)
    """
    a, b = _count("both_right", both_right), _count("only_treatment", only_treatment)
    c, d = _count("only_baseline", only_baseline), _count("neither", neither)
    n = a + b + c + d
    if n == 0:
        raise ValueError("need at least one example, got none")
    z = _quantile(confidence)
    down_t, up_t = _wilson_distances(a + b, n, z)
    down_b, up_b = _wilson_distances(a + c, n, z)
    phi = _corrected_phi(a, b, c, d)
    estimate = (b - c) / n
    return GapInterval(
        estimate=estimate,
        low=max(-1.0, estimate - _together(down_t, up_b, phi)),
        high=min(1.0, estimate + _together(up_t, down_b, phi)),
        confidence=confidence,
        method="newcombe",
        reason="" if b + c else _AGREE,
    )


def tango_interval(only_treatment: int, only_baseline: int, *, n: int, confidence: float = 0.95) -> GapInterval:
    """Interval for the gap in accuracy: all the gaps that the score test does not reject.

    At a gap of 0 the score test is McNemar's asymptotic test, so that the two agree.

    Parameters
    ----------
    only_treatment, only_baseline : int
        Examples that the treatment alone and the baseline alone got right.
    n : int
        All examples, at least 1 and at least ``only_treatment + only_baseline``.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    GapInterval
        Generalises to new examples for these two models, and says nothing about other seeds.

    Raises
    ------
    ValueError
        If a count is not a whole number from 0, if there are more disagreements than examples, or if
        `confidence` is out of range.

    See Also
    --------
    newcombe_interval : From the Wilson limits; takes all four counts.

    References
    ----------
    Tango (1998), Statistics in Medicine 17, 891-908 (the score-based interval).

    Examples
    --------
    >>> gap = tango_interval(9, 3, n=32)
    >>> round(gap.low, 3), gap.estimate, round(gap.high, 3)
    (-0.027, 0.1875, 0.39)
    """
    b, c, n = _count("only_treatment", only_treatment), _count("only_baseline", only_baseline), _count("n", n)
    if n < 1 or b + c > n:
        raise ValueError(f"need n >= 1 and only_treatment + only_baseline <= n, got {b}, {c} and n={n}")
    z = _quantile(confidence)
    return GapInterval(
        estimate=(b - c) / n,
        low=_tango_low(b, c, n, z),
        high=-_tango_low(c, b, n, z),
        confidence=confidence,
        method="tango",
        reason="" if b + c else _AGREE,
    )


def discordance_odds_ratio(only_treatment: int, only_baseline: int, *, confidence: float = 0.95) -> OddsRatioResult:
    """Odds that the treatment rather than the baseline is right, on examples where exactly one of them is.

    Parameters
    ----------
    only_treatment, only_baseline : int
        Examples that the treatment alone (b) and the baseline alone (c) got right.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    OddsRatioResult
        Generalises to new examples for these two models. The interval leaves out 1 exactly where McNemar's
        exact test rejects at ``1 - confidence``.

    Raises
    ------
    ValueError
        If a count is not a whole number from 0, or if `confidence` is out of range.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413, for ``b / (b + c)``. Fagerland, Lydersen and Laake
    (2014), Statistics in Medicine 33, 2850-2875 (for the odds).

    Examples
    --------
    >>> odds = discordance_odds_ratio(25, 2)
    >>> odds.estimate, round(odds.low, 3), round(odds.high, 3)
    (12.5, 3.117, 108.889)
    """
    b, c = _count("only_treatment", only_treatment), _count("only_baseline", only_baseline)
    tail = (1 - _confidence(confidence)) / 2
    estimate = low = high = _NAN
    reason = _AGREE
    if b + c:
        # The share of the baseline has its own digits where that of the treatment is nearly 1.
        treatment, baseline = clopper_pearson(b, b + c, tail=tail), clopper_pearson(c, b + c, tail=tail)
        estimate = b / c if c else math.inf
        low = treatment.low / baseline.high
        high = treatment.high / baseline.low if baseline.low else math.inf
        reason = "" if c else "the baseline is never right alone: no upper limit"
    return OddsRatioResult(
        estimate=estimate,
        low=low,
        high=high,
        confidence=confidence,
        only_treatment=b,
        only_baseline=c,
        reason=reason,
    )


def _count(name: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 0:
        raise ValueError(f"{name} must be a whole number from 0, got {value!r}")
    # numpy's integers would overflow in products of large counts.
    return int(value)


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    return confidence


def _quantile(confidence: float) -> float:
    return float(-special.ndtri((1 - _confidence(confidence)) / 2))


def _wilson_distances(right: int, n: int, z: float) -> tuple[float, float]:
    """Return how far the Wilson limits lie below and above the accuracy."""
    p, square = right / n, z * z
    centre = (right + square / 2) / (n + square)
    half = z * math.sqrt(n * p * (1 - p) + square / 4) / (n + square)
    return p - max(0.0, centre - half), min(1.0, centre + half) - p


def _corrected_phi(a: int, b: int, c: int, d: int) -> float:
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    cross = a * d - b * c
    return (cross if cross < 0 else max(0.0, cross - (a + b + c + d) / 2)) / math.sqrt(margins)


def _together(distance: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, distance * distance + other * other - 2 * phi * (distance * other)))


def _tango_low(b: int, c: int, n: int, z: float) -> float:
    k = z * z / n
    # At these corners the variance at the estimate is 0, so that the estimate is a second root of `beyond`.
    if c == n:
        return -1.0
    if b == n:
        return (1 - k) / (1 + k)
    if b + c == 0:
        return -k / (1 + k)
    estimate = (b - c) / n

    def beyond(gap: float) -> float:
        # The discordance that is most likely, given the gap.
        linear = b + c + (b - c) * gap
        constant = (b - c) * gap - (n - b - c) * gap * gap
        discordance = (linear + math.sqrt(max(0.0, linear * linear - 4 * n * constant))) / (2 * n)
        return estimate - gap - math.sqrt(k * max(0.0, discordance - gap * gap))

    return float(optimize.brentq(beyond, -1.0, estimate, xtol=1e-15))
