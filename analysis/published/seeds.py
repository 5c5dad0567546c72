"""What a published gap says about the training procedures, which one run of each arm never shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.variance import VarianceComponents
from analysis.power.planning import stated_components
from analysis.power.settling import examples_needed, seeds_needed, shortfall
from analysis.published.printed_figures import PrintedFigure

POWER = 0.8

DISCORDANT_OF_ERRORS, RERUN_OF_DISCORDANT = 0.8, 5 / 8
"""What is supposed where nothing is known: on how many sentences exactly one run of two arms is right, for each that an
arm gets wrong; and how much less often two seeds of one arm differ. At an accuracy of 90% these are the shares that
`harness plan` supposes, 8% and 5%."""

SEEDS_FOR_SENTENCES = 10
"""The seeds an arm with which test sentences are counted."""

# The rounding of a printed SD is gone through in so many steps.
_STEPS = 33


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

    Each figure is a range: what the rounding of the printed figures leaves open, and what the SDs were divided by where
    that is not known.

    Parameters
    ----------
    estimate
        The difference of the printed means.
    p_value, df
        The least and the greatest two-sided p-value and degrees of freedom.
    interval
        The 95% interval of the difference, at its widest.
    runs
        Of the treatment and of the baseline.
    ddof
        What their SDs were divided by: 1 for one less than the runs, 0 for the runs, None where that is not known.
    generalizes_to
        The population that the result speaks about.
    """

    estimate: float
    p_value: tuple[float, float]
    df: tuple[float, float]
    interval: tuple[float, float]
    runs: tuple[int, int]
    ddof: tuple[int | None, int | None]
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
        Runs of each arm that were averaged, at least 1 each.
    df
        Degrees of freedom of `seed_sd` where it was estimated from few runs; infinite where it is supposed.

    Returns
    -------
    float
        From 0 to 1, for new and independent seeds on this test set; 1 for a gap of 0. Accuracies are supposed to
        scatter normally and in both arms alike, which a procedure that collapses now and then does not. With an
        estimated SD it is a p-value: it allows for what the estimate does not know.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    ``2 * Phi(-(k - 1/2) / (n * s * sqrt(2)))`` for a gap of k right answers between two single runs; half a step of the
    lattice that accuracies lie on is taken off. With few runs behind `s`, Student's t for the normal distribution.

    Examples
    --------
    >>> [round(chance_of_gap(18, n=872, seed_sd=sd), 3) for sd in (0.005, 0.01, 0.02)]
    [0.005, 0.156, 0.478]
    """
    if n < 1 or min(runs) < 1 or not seed_sd > 0 or not df > 0:
        given = f"n={n!r}, runs={runs!r}, seed_sd={seed_sd!r} and df={df!r}"
        raise ValueError(f"need n >= 1, runs >= 1, seed_sd > 0 and df > 0, got {given}")
    beyond = abs(sentences) - 0.5 / math.lcm(*runs)
    if beyond <= 0:
        return 1.0
    z = beyond / (n * seed_sd * math.sqrt(1 / runs[0] + 1 / runs[1]))
    return 2 * float(special.ndtr(-z) if math.isinf(df) else special.stdtr(df, -z))


def assumed_components(seed_sd: float, *, n: int, discordance: float, gap: float = 0.0) -> VarianceComponents:
    """Suppose variance components of a difference in accuracy where no study has measured them.

    Parameters
    ----------
    seed_sd
        SD over seeds of one run's accuracy, above 0 and at most 0.5.
    n
        Test examples, at least 2.
    discordance
        Share of examples on which exactly one of two runs is right, one run of each arm.
    gap
        The gap that they go with; two runs differ at least that often.

    Raises
    ------
    ValueError
        If a figure is out of range.
    """
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance must lie between 0 and 1, got {discordance!r}")
    # Two seeds of an arm differ at least as often as their accuracies scatter, and at most as often as two arms.
    rerun = max(min(RERUN_OF_DISCORDANT * discordance, 0.5), 2 * seed_sd**2)
    return stated_components(
        seed_sd=seed_sd, discordance=max(discordance, rerun, abs(gap)), rerun_discordance=rerun, n_examples=n
    )


def confirmation(gap: float, components: VarianceComponents, *, n: int, alpha: float = 0.05) -> Confirmation:
    """Say how many seeds or test sentences confirm a gap of this size with 80% power.

    Parameters
    ----------
    gap
        The true gap to be found, as a share; its sign does not matter.
    components
        Supposed, or those of a study.
    n
        Test examples, at least 2.
    alpha
        Two-sided level.

    Raises
    ------
    ValueError
        If a figure is out of range.

    Examples
    --------
    >>> confirmation(18 / 872, assumed_components(0.01, n=872, discordance=0.08), n=872).seeds
    11
    """
    seeds = seeds_needed(components, gap, n_examples=n, alpha=alpha, power=POWER)
    examples = examples_needed(components, gap, n_seeds=SEEDS_FOR_SENTENCES, alpha=alpha, power=POWER)
    return Confirmation(
        seeds=seeds,
        examples=examples,
        reason=shortfall(components, gap, seeds=seeds, examples=examples, alpha=alpha, power=POWER),
    )


def of_sample(runs: int, ddof: int | None) -> tuple[float, float]:
    """Return by what an SD over runs is multiplied to be that of a sample, with one less than the runs below.

    Parameters
    ----------
    runs
        At least 2.
    ddof
        1 where it is one already, 0 where the runs themselves stand below, None where that is not known.

    Returns
    -------
    tuple of float
        The least and the greatest factor; they differ where `ddof` is None.

    Examples
    --------
    >>> [tuple(round(factor, 3) for factor in of_sample(3, ddof)) for ddof in (1, 0, None)]
    [(1.0, 1.0), (1.225, 1.225), (1.0, 1.225)]
    """
    greatest = math.sqrt(runs / (runs - 1))
    return {1: (1.0, 1.0), 0: (greatest, greatest), None: (1.0, greatest)}[ddof]


def welch(
    treatment: tuple[PrintedFigure, PrintedFigure],
    baseline: tuple[PrintedFigure, PrintedFigure],
    *,
    runs: tuple[int, int],
    ddof: tuple[int | None, int | None] = (None, None),
) -> WelchResult:
    """Welch's test from the printed mean and SD of each arm.

    It knows nothing of the sentences: where the seeds change little it calls almost any gap real, since the test set
    stays what it is.

    Parameters
    ----------
    treatment, baseline
        Printed mean and printed SD over runs.
    runs
        Runs of each arm, at least 2.
    ddof
        What each SD was divided by: 1 for one less than the runs, 0 for the runs (numpy's default, and HELM's), None
        where nobody says; the result is then the range over both.

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
    x, y = _squared_errors(treatment[1], baseline[1], runs, ddof)
    error = np.sqrt(x + y)
    df = (x + y) ** 2 / (x**2 / (runs[0] - 1) + y**2 / (runs[1] - 1))
    gaps = max(0.0, abs(estimate) - slack), abs(estimate) + slack
    least, most = (2 * special.stdtr(df, -gap / error) for gap in (gaps[1], gaps[0]))
    reach = slack + float((special.stdtrit(df, 0.975) * error).max())
    # Where both SDs may be 0, so may the p-value of any gap.
    exact = treatment[1].low <= 0 and baseline[1].low <= 0 and gaps[1] > 0
    return WelchResult(
        estimate=estimate,
        p_value=(0.0 if exact else float(least.min()), float(most.max())),
        df=(float(df.min()), float(df.max())),
        interval=(estimate - reach, estimate + reach),
        runs=runs,
        ddof=ddof,
    )


def _squared_errors(
    treatment: PrintedFigure, baseline: PrintedFigure, runs: tuple[int, int], ddof: tuple[int | None, int | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return squared standard errors of both means over all that their SDs leave open: their rounding, and `ddof`.

    Neither the p-value nor the degrees of freedom need have their extremes at a corner: a grid is gone through, and the
    line on which the degrees of freedom are greatest.
    """
    sd_t, sd_b = (
        np.linspace(max(0.0, float(sd.low)) * least, float(sd.high) * most, _STEPS)
        for sd, (least, most) in zip((treatment, baseline), map(of_sample, runs, ddof), strict=True)
    )
    slope = math.sqrt(runs[1] * (runs[1] - 1) / (runs[0] * (runs[0] - 1)))
    on_line_b, on_line_t = np.clip(sd_t * slope, sd_b[0], sd_b[-1]), np.clip(sd_b / slope, sd_t[0], sd_t[-1])
    x = np.concatenate([np.repeat(sd_t, _STEPS), sd_t, on_line_t]) ** 2 / runs[0]
    y = np.concatenate([np.tile(sd_b, _STEPS), on_line_b, sd_b]) ** 2 / runs[1]
    return x[x + y > 0], y[x + y > 0]
