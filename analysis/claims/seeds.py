"""What a published gap says about the training procedures, which one run of each arm never shows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from scipy import special

from analysis.claims.figures import Figure
from analysis.planning import stated_components
from analysis.power import examples_needed, seeds_needed, shortfall

POWER = 0.8
DISCORDANCE, RERUN_DISCORDANCE = 0.08, 0.05
"""What is supposed of fine-tuned models where nothing else is known, as in `harness plan`."""

SEEDS_FOR_SENTENCES = 10
"""The seeds an arm with which test sentences are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What it would take to confirm a gap with the crossed test; about new seeds and new examples.

    Parameters
    ----------
    seeds
        Seeds in each arm on a test set of this size; None where no number of seeds is enough.
    examples
        Test examples with `SEEDS_FOR_SENTENCES` seeds in each arm; None where no number of examples is enough.
    reason
        Why there are no seeds, and what would do; else empty.
    generalizes_to
        The population that the study would speak about.
    """

    seeds: int | None
    examples: int | None
    reason: str
    generalizes_to: str = "seeds and examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class WelchResult:
    """Welch's test from printed means and SDs over runs; it generalises to new seeds on the same test set.

    Each figure is a range: what the rounding of the printed figures leaves open.

    Parameters
    ----------
    estimate
        The difference of the printed means.
    p_value, df
        The least and the greatest two-sided p-value and degrees of freedom; NaN where no SD is above 0.
    interval
        The 95% interval of the difference, at its widest.
    runs
        Of the treatment and of the baseline.
    reason
        Why there is no p-value; else empty.
    generalizes_to
        The population that the result speaks about.
    """

    estimate: float
    p_value: tuple[float, float]
    df: tuple[float, float]
    interval: tuple[float, float]
    runs: tuple[int, int]
    reason: str
    generalizes_to: str = "seeds"


def chance_of_gap(
    sentences: float, *, n: int, seed_sd: float, runs: tuple[int, int] = (1, 1), df: float = math.inf
) -> float:
    """Chance that two identical procedures come out at least this far apart on a test set, by their seeds alone.

    Parameters
    ----------
    sentences
        The gap in right answers; its sign does not matter.
    n
        Test examples, at least 1.
    seed_sd
        SD over seeds of one run's accuracy on this very test set, above 0.
    runs
        Runs of each arm that were averaged.
    df
        Degrees of freedom of `seed_sd` where it was estimated from few runs; infinite where it is supposed.

    Returns
    -------
    float
        From 0 to 1, for new seeds on this test set; 1 for a gap of 0.

    Raises
    ------
    ValueError
        If `n` or `seed_sd` is out of range.

    Notes
    -----
    ``2 * Phi(-(k - 1/2) / (n * s * sqrt(2)))`` for a gap of k right answers between two single runs; half an answer is
    taken off since accuracies lie on a lattice. With few runs behind `s`, Student's t for the normal distribution.

    Examples
    --------
    >>> [round(chance_of_gap(18, n=872, seed_sd=sd), 3) for sd in (0.005, 0.01, 0.02)]
    [0.005, 0.156, 0.478]
    """
    if n < 1 or not seed_sd > 0:
        raise ValueError(f"need n >= 1 and seed_sd > 0, got n={n!r} and seed_sd={seed_sd!r}")
    beyond = abs(sentences) - 0.5 / max(runs)
    if beyond <= 0:
        return 1.0
    z = beyond / (n * seed_sd * math.sqrt(1 / runs[0] + 1 / runs[1]))
    return 2 * float(special.ndtr(-z) if math.isinf(df) else special.stdtr(df, -z))


def confirmation(
    gap: float,
    *,
    n: int,
    seed_sd: float,
    discordance: float = DISCORDANCE,
    rerun_discordance: float = RERUN_DISCORDANCE,
    alpha: float = 0.05,
) -> Confirmation:
    """Say how many seeds or test sentences confirm a gap of this size with 80% power.

    Parameters
    ----------
    gap
        The true gap to be found, as a share; its sign does not matter.
    n
        Test examples, at least 2.
    seed_sd
        SD over seeds of one run's accuracy.
    discordance, rerun_discordance
        Share of examples on which exactly one of two runs is right: one run of each arm, and two of one arm.
    alpha
        Two-sided level.

    Raises
    ------
    ValueError
        If a figure is out of range.

    Examples
    --------
    >>> confirmation(18 / 872, n=872, seed_sd=0.01).seeds
    11
    """
    # Two runs cannot differ less often than their accuracies scatter, nor two seeds of an arm more than two arms.
    rerun = min(max(min(rerun_discordance, discordance), 2 * seed_sd**2), 0.5)
    parts = stated_components(
        seed_sd=seed_sd, discordance=max(discordance, rerun), rerun_discordance=rerun, n_examples=n
    )
    seeds = seeds_needed(parts, gap, n_examples=n, alpha=alpha, power=POWER)
    examples = examples_needed(parts, gap, n_seeds=SEEDS_FOR_SENTENCES, alpha=alpha, power=POWER)
    return Confirmation(
        seeds=seeds,
        examples=examples,
        reason=shortfall(parts, gap, seeds=seeds, examples=examples, alpha=alpha, power=POWER),
    )


def welch(treatment: tuple[Figure, Figure], baseline: tuple[Figure, Figure], *, runs: tuple[int, int]) -> WelchResult:
    """Welch's test from the printed mean and SD of each arm.

    It knows nothing of the sentences: where the seeds change little it calls almost any gap real, since the test set
    stays what it is.

    Parameters
    ----------
    treatment, baseline
        Printed mean and printed SD over runs.
    runs
        Runs of each arm, at least 2.

    Returns
    -------
    WelchResult
        Generalises to new seeds on the same test set.

    Raises
    ------
    ValueError
        If an arm has fewer than two runs.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.
    """
    if min(runs) < 2:
        raise ValueError(f"a test over runs takes two of each arm or more, got {runs}")
    estimate = float(treatment[0].value - baseline[0].value)
    slack = float(treatment[0].half_width + baseline[0].half_width)
    gaps = [max(0.0, abs(estimate) - slack), abs(estimate) + slack]
    sds = [(max(0.0, float(sd.low)), float(sd.high)) for _, sd in (treatment, baseline)]
    p_values, dfs, reach = [], [], 0.0
    for gap, sd_t, sd_b in itertools.product(gaps, *sds):
        parts = sd_t**2 / runs[0], sd_b**2 / runs[1]
        error = math.sqrt(sum(parts))
        if error == 0:
            continue
        df = sum(parts) ** 2 / (parts[0] ** 2 / (runs[0] - 1) + parts[1] ** 2 / (runs[1] - 1))
        dfs.append(df)
        p_values.append(2 * float(special.stdtr(df, -gap / error)))
        reach = max(reach, float(special.stdtrit(df, 0.975)) * error)
    nothing = (math.nan, math.nan)
    # A printed SD of 0 means that no run differs, or that rounding hides by how much.
    return WelchResult(
        estimate=estimate,
        p_value=(min(p_values), max(p_values)) if p_values else nothing,
        df=(min(dfs), max(dfs)) if dfs else nothing,
        interval=(estimate - slack - reach, estimate + slack + reach) if p_values else nothing,
        runs=runs,
        reason="" if p_values else "neither arm varies over its runs",
    )
