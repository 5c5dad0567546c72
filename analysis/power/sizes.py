"""Power and detectable gap of the crossed test, for a study of a given size."""

from __future__ import annotations

import math

from analysis.methods.variance import VarianceComponents
from analysis.power.noncentral import chances, check_levels, noncentrality_for

_NAN = float("nan")


def standard_error_at(components: VarianceComponents, *, n_seeds: int, n_examples: int) -> float:
    """Predict the standard error of a difference for another study size.

    Parameters
    ----------
    components : VarianceComponents
        As `crossed_test` estimates them.
    n_seeds : int
        Seeds in each arm, at least 1.
    n_examples : int
        Test examples, at least 1.

    Returns
    -------
    float
        Over new seeds and new examples of the same kind, in units of the score. At the size that the
        components come from it equals the test's own standard error, as long as both arms have the same
        number of seeds.

    Raises
    ------
    ValueError
        If a number is below 1.

    See Also
    --------
    df_at : Its degrees of freedom.
    power_at, detectable_gap_at : What can be found with it.

    Examples
    --------
    >>> components = VarianceComponents(
    ...     seed=1e-4,
    ...     example=0.02,
    ...     residual=0.05,
    ...     n_seeds=5,
    ...     n_examples=872,
    ...     seed_df=4,
    ...     seed_sd_interval=(0.006, 0.029),
    ... )
    >>> round(standard_error_at(components, n_seeds=5, n_examples=872), 4)
    0.0074
    >>> round(standard_error_at(components, n_seeds=20, n_examples=872), 4)
    0.0056
    """
    if min(n_seeds, n_examples) < 1:
        raise ValueError(f"need at least one seed and one example, got {n_seeds} and {n_examples}")
    return math.sqrt(
        components.seed / n_seeds + components.example / n_examples + components.residual / (n_seeds * n_examples)
    )


def df_at(components: VarianceComponents, *, n_seeds: int, n_examples: int) -> float:
    """Predict the degrees of freedom of the crossed test, by design A, for another study size.

    Parameters
    ----------
    components : VarianceComponents
    n_seeds, n_examples : int
        Seeds in each arm and test examples, at least 2 each.

    Returns
    -------
    float
        NaN where all components are 0.

    Raises
    ------
    ValueError
        If a number is below 2.

    See Also
    --------
    standard_error_at : The standard error that they belong to.

    References
    ----------
    Hillis (2007), Statistics in Medicine 26, 596-619.
    """
    if min(n_seeds, n_examples) < 2:
        raise ValueError(f"need at least two seeds and two examples, got {n_seeds} and {n_examples}")
    ms_resid = components.residual
    ms_seed = n_examples * components.seed + ms_resid
    ms_example = n_seeds * components.example + ms_resid
    total = ms_seed + n_seeds * components.example
    spread = (
        ms_seed**2 / (n_seeds - 1) + ms_example**2 / (n_examples - 1) + ms_resid**2 / ((n_seeds - 1) * (n_examples - 1))
    )
    return total**2 / spread if spread > 0 else _NAN


def power_at(components: VarianceComponents, gap: float, *, n_seeds: int, n_examples: int, alpha: float) -> float:
    """Chance that the crossed test finds a gap with a study of this size.

    Parameters
    ----------
    components : VarianceComponents
    gap : float
        True gap, in units of the score; its sign does not matter.
    n_seeds, n_examples : int
        Seeds in each arm and test examples, at least 2 each.
    alpha : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    float
        For new seeds and new examples, by the noncentral t with the degrees of freedom of design A. At a gap
        of 0 it is `alpha`. NaN where all components are 0.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    detectable_gap_at : The gap that is found with a wanted power.
    mcnemar_power : For one trial of each arm.

    References
    ----------
    Hillis, Obuchowski and Berbaum (2011), Academic Radiology 18, 129-142 (power for readers and cases).

    Examples
    --------
    >>> components = VarianceComponents(
    ...     seed=1e-4,
    ...     example=0.02,
    ...     residual=0.05,
    ...     n_seeds=5,
    ...     n_examples=872,
    ...     seed_df=4,
    ...     seed_sd_interval=(0.006, 0.029),
    ... )
    >>> [round(power_at(components, 0.02, n_seeds=S, n_examples=872, alpha=0.05), 2) for S in (5, 10, 20)]
    [0.7, 0.88, 0.95]
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, got {gap!r}")
    df = df_at(components, n_seeds=n_seeds, n_examples=n_examples)
    if math.isnan(df):
        return _NAN
    standard_error = standard_error_at(components, n_seeds=n_seeds, n_examples=n_examples)
    return math.fsum(chances(abs(gap) / standard_error, df, alpha))


def detectable_gap_at(
    components: VarianceComponents, *, n_seeds: int, n_examples: int, alpha: float, power: float = 0.8
) -> float:
    """Smallest true gap that a study of this size finds with the wanted power.

    Parameters
    ----------
    components : VarianceComponents
    n_seeds, n_examples : int
        Seeds in each arm and test examples, at least 2 each.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    float
        In units of the score, for new seeds and new examples; 0 where all components are 0.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    power_at : The power for a given gap.
    single_run_detectable_gap : For one trial of each arm.

    References
    ----------
    As for `power_at`.
    """
    check_levels(alpha, power)
    standard_error = standard_error_at(components, n_seeds=n_seeds, n_examples=n_examples)
    return detectable(standard_error, df_at(components, n_seeds=n_seeds, n_examples=n_examples), alpha, power)


def floor_gap_at(components: VarianceComponents, *, n_examples: int, alpha: float, power: float = 0.8) -> float:
    """Smallest true gap that any number of seeds finds on a test set of this size.

    Parameters
    ----------
    components : VarianceComponents
    n_examples : int
        Test examples, at least 2.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    float
        In units of the score, for new seeds and new examples. It comes from the standard error that remains,
        ``sqrt(components.example / n_examples)``.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    detectable_gap_at : The same for a number of seeds.
    """
    check_levels(alpha, power)
    if n_examples < 2:
        raise ValueError(f"need at least two examples, got {n_examples}")
    return detectable(math.sqrt(components.example / n_examples), n_examples - 1, alpha, power)


def detectable(standard_error: float, df: float, alpha: float, power: float) -> float:
    """Smallest true gap that a t-test with this standard error finds.

    Parameters
    ----------
    standard_error : float
        At least 0.
    df : float
        Degrees of freedom of the standard error.
    alpha, power : float
        Two-sided level and wanted power.

    Returns
    -------
    float
        In the units of the standard error.
    """
    return standard_error * noncentrality_for(df, alpha, power) if standard_error > 0 else 0.0
