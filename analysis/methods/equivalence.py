"""Equivalence (TOST) and non-inferiority: is a gap smaller than a margin fixed beforehand, or no worse than it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceResult:
    """The outcome of `tost`.

    Parameters
    ----------
    margin : float
        The largest gap that does not matter.
    p_lower : float
        One-sided p-value against a gap of ``-margin`` or less.
    p_upper : float
        One-sided p-value against a gap of ``margin`` or more.
    p_value : float
        The larger of the two: small means that the gap lies within the margin.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why the p-values are NaN; empty if they are not.
    """

    margin: float
    p_lower: float
    p_upper: float
    p_value: float
    generalizes_to: str = "seeds and examples"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiorityResult:
    """The outcome of `non_inferiority`.

    Parameters
    ----------
    margin : float
        The largest loss that does not matter.
    p_value : float
        One-sided, against a gap of ``-margin`` or less: small means that the treatment is not worse than the
        baseline by the margin or more.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why the p-value is NaN; empty if it is not.
    """

    margin: float
    p_value: float
    generalizes_to: str = "seeds and examples"
    reason: str


def tost(estimate: float, standard_error: float, df: float, *, margin: float) -> EquivalenceResult:
    """Test whether a gap lies within ``-margin`` to ``margin``.

    The p-value is below alpha exactly where the ``1 - 2 * alpha`` confidence interval lies inside the margin.

    Parameters
    ----------
    estimate : float
        The gap, in units of the score.
    standard_error : float
        Of the estimate, as `crossed_test` gives it; NaN where it is unknown.
    df : float
        Degrees of freedom of the standard error, above 0; NaN where they are unknown.
    margin : float
        The largest gap that does not matter, above 0, in units of the score.

    Returns
    -------
    EquivalenceResult
        Generalises to seeds and examples, as the standard error of `crossed_test` does. A standard error of 0
        gives NaN, also where the estimate is 0: scores that never vary say nothing about how far they could
        have varied.

    Raises
    ------
    ValueError
        If the margin is not positive and finite, or if the standard error is negative.

    See Also
    --------
    non_inferiority : One side only: no worse by the margin.

    References
    ----------
    Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Examples
    --------
    >>> round(tost(0.001, 0.003, 20.0, margin=0.01).p_value, 4)
    0.0035
    """
    reason = _unjudged(estimate, standard_error, df, margin)
    if reason:
        nan = float("nan")
        return EquivalenceResult(margin=margin, p_lower=nan, p_upper=nan, p_value=nan, reason=reason)
    p_lower = float(special.stdtr(df, -(estimate + margin) / standard_error))
    p_upper = float(special.stdtr(df, (estimate - margin) / standard_error))
    return EquivalenceResult(margin=margin, p_lower=p_lower, p_upper=p_upper, p_value=max(p_lower, p_upper), reason="")


def non_inferiority(estimate: float, standard_error: float, df: float, *, margin: float) -> NonInferiorityResult:
    """Test whether the treatment is no worse than the baseline by `margin` or more.

    The side is fixed beforehand and never follows the data. The p-value is below alpha exactly where the lower
    limit of the ``1 - 2 * alpha`` confidence interval lies above ``-margin``.

    Parameters
    ----------
    estimate : float
        The gap, treatment minus baseline, in units of the score. Higher scores are better: for a loss, pass the
        gap with its sign turned.
    standard_error : float
        Of the estimate, as `crossed_test` gives it; NaN where it is unknown.
    df : float
        Degrees of freedom of the standard error, above 0; NaN where they are unknown.
    margin : float
        The largest loss that does not matter, above 0, in units of the score.

    Returns
    -------
    NonInferiorityResult
        Generalises to seeds and examples, as the standard error of `crossed_test` does. A standard error of 0
        gives NaN, as in `tost`.

    Raises
    ------
    ValueError
        If the margin is not positive and finite, or if the standard error is negative.

    See Also
    --------
    tost : Both sides: within the margin.

    References
    ----------
    Blackwelder (1982), Controlled Clinical Trials 3, 345-353.

    Examples
    --------
    >>> round(non_inferiority(-0.002, 0.003, 20.0, margin=0.01).p_value, 4)
    0.0074
    """
    reason = _unjudged(estimate, standard_error, df, margin)
    p_value = float("nan") if reason else float(special.stdtr(df, -(estimate + margin) / standard_error))
    return NonInferiorityResult(margin=margin, p_value=p_value, reason=reason)


def _unjudged(estimate: float, standard_error: float, df: float, margin: float) -> str:
    """Why there is no p-value; empty if there is one."""
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive and finite, got {margin!r}")
    if standard_error < 0:
        raise ValueError(f"standard_error must not be negative, got {standard_error!r}")
    if math.isnan(estimate) or math.isnan(standard_error):
        return "there is no standard error to judge the gap by"
    if standard_error == 0:
        return "no score varies, so there is nothing to judge the gap by"
    return "" if df > 0 else "there are no degrees of freedom to judge the gap by"
