"""Power and detectable gap of the crossed test, for a study of a given size."""

from __future__ import annotations

import math

from analysis.methods.components import VarianceComponents
from analysis.power.new_study import BY_PAIR, PlannedTest, new_study, with_endless_seeds

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


def power_at(
    components: VarianceComponents,
    gap: float,
    *,
    n_seeds: int,
    n_examples: int,
    alpha: float,
    test: PlannedTest = BY_PAIR,
) -> float:
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
    test : PlannedTest
        How the study will be judged: the number of arms that are pooled, above all. By default a pair by itself.

    Returns
    -------
    float
        For new seeds and new examples, averaged over the standard errors and degrees of freedom that such a study may
        estimate. At a gap of 0 it is the chance of a false claim, which few seeds often leave below `alpha`. NaN where
        all components are 0.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    detectable_gap_at : The gap that is found with a wanted power.
    equivalence_power_at : For the question whether a gap lies within a margin.
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
    [0.72, 0.88, 0.95]
    >>> five_arms = PlannedTest(n_arms=5)
    >>> round(power_at(components, 0.02, n_seeds=5, n_examples=872, alpha=0.05, test=five_arms), 2)
    0.75
    """
    _check_alpha(alpha)
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, got {gap!r}")
    study = new_study(components, n_seeds=n_seeds, n_examples=n_examples, test=test)
    return _NAN if study is None else math.fsum(study.found(gap, alpha=alpha))


def equivalence_power_at(
    components: VarianceComponents,
    gap: float,
    *,
    margin: float,
    n_seeds: int,
    n_examples: int,
    alpha: float,
    test: PlannedTest = BY_PAIR,
) -> float:
    """Chance that a study of this size shows a gap to lie within a margin, by both one-sided tests.

    Parameters
    ----------
    components : VarianceComponents
    gap : float
        True gap, in units of the score; its sign does not matter.
    margin : float
        The largest gap that does not matter, above 0.
    n_seeds, n_examples : int
        Seeds in each arm and test examples, at least 2 each.
    alpha : float
        One-sided level of each test, between 0 and 0.5.
    test : PlannedTest
        How the study will be judged.

    Returns
    -------
    float
        For new seeds and new examples, as `power_at`. NaN where all components are 0.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    power_at : For the question whether there is a gap.

    References
    ----------
    Phillips (1990), Journal of Pharmacokinetics and Biopharmaceutics 18, 137-144. Owen (1965), Biometrika 52, 437-446.

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
    >>> size = {"n_examples": 872, "alpha": 0.05}
    >>> [round(equivalence_power_at(components, 0.0, margin=0.02, n_seeds=S, **size), 2) for S in (5, 10, 20)]
    [0.65, 0.87, 0.95]
    """
    _check_alpha(alpha)
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, got {gap!r}")
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive and finite, got {margin!r}")
    study = new_study(components, n_seeds=n_seeds, n_examples=n_examples, test=test)
    return _NAN if study is None else study.equivalent(gap, margin=margin, alpha=alpha)


def detectable_gap_at(
    components: VarianceComponents,
    *,
    n_seeds: int,
    n_examples: int,
    alpha: float,
    power: float = 0.8,
    test: PlannedTest = BY_PAIR,
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
    test : PlannedTest
        How the study will be judged.

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
    study = new_study(components, n_seeds=n_seeds, n_examples=n_examples, test=test)
    return 0.0 if study is None else study.detectable_gap(alpha=alpha, power=power)


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
        ``sqrt(components.example / n_examples)``, and is 0 where that component was estimated as 0: a few hundred
        examples do not rule out a larger one, and `VarianceComponents.example_sd_interval` says how large.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    detectable_gap_at : The same for a number of seeds.
    """
    check_levels(alpha, power)
    study = with_endless_seeds(components, n_examples=n_examples)
    return 0.0 if study is None else study.detectable_gap(alpha=alpha, power=power)


def check_levels(alpha: float, power: float) -> None:
    """Refuse a level or a power out of range.

    Raises
    ------
    ValueError
        Unless ``0 < alpha < power < 1``.
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha={alpha!r} and power={power!r}")


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
