"""Stated figures: what a person expects of a study before it runs, as variance components."""

from __future__ import annotations

from analysis.methods.components import VarianceComponents
from analysis.methods.interval import NO_INTERVAL


def stated_components(
    *, seed_sd: float, discordance: float, rerun_discordance: float, n_examples: int
) -> VarianceComponents:
    """Turn figures that a person can state into variance components of a difference in accuracy.

    Parameters
    ----------
    seed_sd : float
        SD over seeds of one trial's accuracy on the test set, at least 0.
    discordance : float
        Share of test examples on which exactly one of two trials is right, one trial of each arm; above 0, at
        most 1.
    rerun_discordance : float
        The same for two seeds of one arm, on average over the arms; at least 0, at most 0.5 and at most the
        discordance.
    n_examples : int
        Size of the test set on which the seed SD was seen, at least 2.

    Returns
    -------
    VarianceComponents
        For independent seeds in the two arms and a gap whose square is small beside the discordance. They
        were stated and not estimated: `n_seeds` and `seed_df` are 0, and the intervals of the SDs are NaN.

    Raises
    ------
    ValueError
        If a figure is out of range, or if the figures contradict each other.

    Notes
    -----
    Let ``p[a, i]`` be the share of seeds with which arm `a` is right on example `i`. Two seeds of an arm differ
    there with probability ``2 * p * (1 - p)``, twice the variance of one score, so that over new seeds the
    difference of the arms has the variance `rerun_discordance`, on average over examples. This is ``seed +
    residual``. On the whole test set the difference of two accuracies has the variance ``2 * seed_sd**2 = seed
    + residual / n_examples``. Both together give `seed` and `residual`; where trials vary less than independent
    flips would make them, `seed` is 0. One trial of each arm differs with probability ``p_t * (1 - p_b) + p_b *
    (1 - p_t)``, which exceeds the mean of the arms' own by ``(p_t - p_b)**2``: what `discordance` has over
    `rerun_discordance` is `example`, plus the square of the gap, which is left out.

    Examples
    --------
    >>> parts = stated_components(seed_sd=0.008, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    >>> f"{parts.seed:.2g}, {parts.example:.2g}, {parts.residual:.2g}"
    '7.1e-05, 0.03, 0.05'
    """
    if not 0 < discordance <= 1:
        raise ValueError(f"discordance must lie above 0 and be at most 1, got {discordance!r}")
    if not 0 <= rerun_discordance <= 0.5:
        raise ValueError(f"rerun_discordance must lie between 0 and 0.5, got {rerun_discordance!r}")
    if rerun_discordance > discordance:
        raise ValueError(
            "two seeds of one arm cannot differ on more examples than one run of each arm (state one share for both if "
            f"the arms are alike): got rerun_discordance={rerun_discordance!r} above discordance={discordance!r}"
        )
    if n_examples < 2:
        raise ValueError(f"need at least two examples, got {n_examples!r}")
    if not 0 <= 2 * seed_sd**2 <= rerun_discordance or seed_sd < 0:
        raise ValueError(
            "seed_sd must be at least 0 and at most the root of half of rerun_discordance, since accuracy cannot "
            f"vary more than the examples do: got {seed_sd!r} with {rerun_discordance!r}"
        )
    seed = max(2 * seed_sd**2 - rerun_discordance / n_examples, 0.0) / (1 - 1 / n_examples)
    return VarianceComponents(
        seed=seed,
        example=discordance - rerun_discordance,
        residual=max(rerun_discordance - seed, 0.0),
        n_seeds=0,
        n_examples=n_examples,
        seed_df=0,
        seed_sd_interval=NO_INTERVAL,
    )
