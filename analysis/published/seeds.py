"""Tests over seeds from printed figures: the chance of a gap by seeds alone, Welch's test, what would confirm it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.components import VarianceComponents
from analysis.methods.interval import Interval
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed, shortfall
from analysis.power.stated_figures import stated_components
from analysis.published.printed_figures import PrintedFigure
from analysis.published.spreads import SpreadKind, of_sample

POWER = 0.8

DISCORDANT_OF_ERRORS, RERUN_OF_DISCORDANT = 0.8, 5 / 8
"""Assumptions where nothing is known. For each example that an arm gets wrong, exactly one run of two arms is right on
0.8 examples; and two seeds of one arm differ on 5/8 as many examples as two arms. At an accuracy of 90% these are the
shares that `harness plan` assumes, 8% and 5%."""

SEEDS_FOR_EXAMPLES = 10
"""Seeds per arm for which the number of test examples is computed."""

# The rounding of a printed SD is searched in this many steps.
_STEPS = 33


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What it would take to confirm a gap with the crossed test; about new seeds and new examples.

    Parameters
    ----------
    seeds : int or None
        Seeds in each arm on a test set of this size; None where no number of seeds is enough.
    examples : int or None
        Test examples with `SEEDS_FOR_EXAMPLES` seeds in each arm; None where no number of examples is enough.
    reason : str
        Why no number of seeds is enough, and what would be; else empty.
    generalizes_to : str
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
    estimate : float
        The difference of the printed means.
    p_value, df : tuple of float
        The least and the greatest two-sided p-value and degrees of freedom.
    interval : Interval
        The 95% interval of the difference, at its widest.
    runs : tuple of int
        Of the treatment and of the baseline.
    ddof : tuple of int or None
        What their SDs were divided by: 1 for one less than the runs, 0 for the runs, None where that is not known.
    kinds : tuple of SpreadKind or None
        What the spreads of both are, None where that is not known.
    generalizes_to : str
        The population that the result speaks about.
    """

    estimate: float
    p_value: tuple[float, float]
    df: tuple[float, float]
    interval: Interval
    runs: tuple[int, int]
    ddof: tuple[int | None, int | None]
    kinds: tuple[SpreadKind | None, SpreadKind | None]
    generalizes_to: str = "seeds"


def chance_of_gap(gap: float, *, n: int, seed_sd: float, runs: tuple[int, int] = (1, 1), df: float = math.inf) -> float:
    """Chance that two identical procedures come out at least this far apart on a test set, by their seeds alone.

    Parameters
    ----------
    gap : float
        The gap in right answers; its sign does not matter.
    n : int
        Test examples, at least 1.
    seed_sd : float
        SD over seeds of one run's accuracy on this very test set, above 0.
    runs : tuple of int
        Runs of each arm that were averaged, at least 1 each.
    df : float
        Degrees of freedom of `seed_sd` where it was estimated from few runs; infinite where it is assumed.

    Returns
    -------
    float
        From 0 to 1, for new and independent seeds on this test set; 1 for a gap of 0. Accuracies are assumed to
        scatter normally and in both arms alike, which those of a procedure that occasionally collapses do not. With an
        estimated SD it is a p-value: it allows for the error of the estimate.

    Raises
    ------
    ValueError
        If a number is out of range.

    See Also
    --------
    analysis.published.lift.chance_of_selected_gap : The chance by the choice of an epoch alone.
    welch : From the means and SDs over several runs.

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
    beyond = abs(gap) - 0.5 / math.lcm(*runs)
    if beyond <= 0:
        return 1.0
    z = beyond / (n * seed_sd * math.sqrt(1 / runs[0] + 1 / runs[1]))
    return 2 * float(special.ndtr(-z) if math.isinf(df) else special.stdtr(df, -z))


def assumed_components(seed_sd: float, *, n: int, discordance: float, gap: float = 0.0) -> VarianceComponents:
    """Assume variance components of a difference in accuracy where no study has measured them.

    Parameters
    ----------
    seed_sd : float
        SD over seeds of one run's accuracy, above 0 and at most 0.5.
    n : int
        Test examples, at least 2.
    discordance : float
        Share of examples on which exactly one of two runs is right, one run of each arm.
    gap : float
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
    """Compute how many seeds or test examples would confirm a gap of this size with 80% power.

    Parameters
    ----------
    gap : float
        The true gap to be found, as a share; its sign does not matter.
    components : VarianceComponents
        Assumed, or those of a study.
    n : int
        Test examples, at least 2.
    alpha : float
        Two-sided level.

    Raises
    ------
    ValueError
        If a figure is out of range.

    Examples
    --------
    >>> confirmation(18 / 872, assumed_components(0.01, n=872, discordance=0.08), n=872).seeds
    12
    """
    question = Question(gap)
    seeds = seeds_needed(components, question, n_examples=n, alpha=alpha, power=POWER)
    examples = examples_needed(components, question, n_seeds=SEEDS_FOR_EXAMPLES, alpha=alpha, power=POWER)
    return Confirmation(
        seeds=seeds,
        examples=examples,
        reason=shortfall(components, question, seeds=seeds, examples=examples, alpha=alpha, power=POWER),
    )


def welch(
    treatment: tuple[PrintedFigure, PrintedFigure],
    baseline: tuple[PrintedFigure, PrintedFigure],
    *,
    runs: tuple[int, int],
    ddof: tuple[int | None, int | None] = (None, None),
    kinds: tuple[SpreadKind | None, SpreadKind | None] = ("sd", "sd"),
) -> WelchResult:
    """Welch's test from the printed mean and SD of each arm.

    It ignores the uncertainty from the test examples: where the seeds change little it calls almost any gap real, since
    the test set stays the same.

    Parameters
    ----------
    treatment, baseline : tuple of PrintedFigure
        Printed mean and printed SD over runs.
    runs : tuple of int
        Runs of each arm, at least 2.
    ddof : tuple of int or None
        What each SD was divided by: 1 for one less than the runs, 0 for the runs (numpy's default, and HELM's), None
        where it is not given; the result is then the range over both.
    kinds : tuple of SpreadKind or None
        What is printed in the place of each SD; None where that is not known, and the result is the range over an SD, a
        standard error and half a 95% interval.

    Returns
    -------
    WelchResult
        Generalises to new seeds on the same test set.

    Raises
    ------
    ValueError
        If an arm has fewer than two runs.

    See Also
    --------
    chance_of_gap : For single runs and an SD that comes from elsewhere.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.
    """
    if min(runs) < 2:
        raise ValueError(f"a test over runs takes two of each arm or more, got {runs}")
    estimate = float(treatment[0].value - baseline[0].value)
    slack = float(treatment[0].half_width + baseline[0].half_width)
    x, y = _squared_errors(
        treatment[1], baseline[1], runs, (of_sample(runs[0], ddof[0], kinds[0]), of_sample(runs[1], ddof[1], kinds[1]))
    )
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
        interval=Interval(estimate - reach, estimate + reach),
        runs=runs,
        ddof=ddof,
        kinds=kinds,
    )


def _squared_errors(
    treatment: PrintedFigure,
    baseline: PrintedFigure,
    runs: tuple[int, int],
    factors: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return squared standard errors of both means over all that their spreads leave open: rounding and meaning.

    Neither the p-value nor the degrees of freedom need have their extremes at a corner: so a grid is searched, and the
    line on which the degrees of freedom are greatest.
    """
    sd_t, sd_b = (
        np.linspace(max(0.0, float(sd.low)) * least, float(sd.high) * most, _STEPS)
        for sd, (least, most) in zip((treatment, baseline), factors, strict=True)
    )
    slope = math.sqrt(runs[1] * (runs[1] - 1) / (runs[0] * (runs[0] - 1)))
    on_line_b, on_line_t = np.clip(sd_t * slope, sd_b[0], sd_b[-1]), np.clip(sd_b / slope, sd_t[0], sd_t[-1])
    x = np.concatenate([np.repeat(sd_t, _STEPS), sd_t, on_line_t]) ** 2 / runs[0]
    y = np.concatenate([np.tile(sd_b, _STEPS), on_line_b, sd_b]) ** 2 / runs[1]
    return x[x + y > 0], y[x + y > 0]
