"""Sample-size planning: what a study can show before it runs, from stated figures or a pilot's own components."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed, shortfall
from analysis.power.new_study import BY_PAIR, PlannedTest, new_study
from analysis.power.settling import at_limits
from analysis.power.sizes import check_levels, detectable_gap_at, equivalence_power_at, floor_gap_at, power_at

_NAN = float("nan")
_RARE = 1e-9
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(Generic[T]):
    """One answer at the best guess of the variances, and at the ends of their range.

    Parameters
    ----------
    value : T
        At the best guess.
    low, high : T
        With the smallest and with the largest variances to be reckoned with; NaN or None where there is no range.
    """

    value: T
    low: T
    high: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The outcome of `plan_comparison`. All gaps are in units of the score.

    Parameters
    ----------
    n_seeds, n_examples : int
        The study's size: seeds in each arm and test examples.
    margin : float
        The gap that would matter.
    alpha, power : float
        The two-sided level and the wanted power.
    components : VarianceComponents
        The best guess of the variances.
    detectable_gap : Span of float
        The smallest true gap that the study finds.
    floor_gap : Span of float
        The smallest true gap that any number of seeds finds on this test set.
    seeds_needed : Span of (int or None)
        Seeds in each arm that find a gap as large as the margin; None where no number of seeds does.
    examples_needed : Span of (int or None)
        Test examples that find it with the study's seeds; None where no number of examples does.
    chance : Span of float
        The chance that the study finds a gap as large as the margin.
    type_s, type_m : Span of float
        If the true gap is as large as the margin: the chance that a significant gap has the wrong sign, and
        how many times too large it is on average.
    equivalence_chance : Span of float
        If the arms are equal: the chance that the study shows the gap to lie within the margin.
    equivalence_seeds, equivalence_examples : Span of (int or None)
        If the arms are equal: the seeds in each arm, or the test examples with the study's seeds, that show it with
        the wanted power; None where no number does.
    hours : float
        What the study costs; NaN where no seconds were given.
    hours_needed, equivalence_hours : Span of float
        What the needed seeds cost, for the gap and for equivalence; NaN without seconds, or where no number of seeds
        is enough.
    generalizes_to : str
        The population that the answers speak about.
    reason : str
        Why a value is missing; empty if none is.
    """

    n_seeds: int
    n_examples: int
    margin: float
    alpha: float
    power: float
    components: VarianceComponents
    detectable_gap: Span[float]
    floor_gap: Span[float]
    seeds_needed: Span[int | None]
    examples_needed: Span[int | None]
    chance: Span[float]
    type_s: Span[float]
    type_m: Span[float]
    equivalence_chance: Span[float]
    equivalence_seeds: Span[int | None]
    equivalence_examples: Span[int | None]
    hours: float
    hours_needed: Span[float]
    equivalence_hours: Span[float]
    generalizes_to: str = "seeds and examples"
    reason: str


def plan_comparison(
    components: VarianceComponents,
    *,
    low: VarianceComponents | None = None,
    high: VarianceComponents | None = None,
    n_seeds: int,
    n_examples: int,
    margin: float,
    alpha: float,
    power: float = 0.8,
    test: PlannedTest = BY_PAIR,
    seconds_per_pair: float | None = None,
) -> Plan:
    """Say what a comparison of two arms can show, what the margin would take, and what that costs.

    Parameters
    ----------
    components : VarianceComponents
        The best guess: `stated_components`, or a pilot's own.
    low, high : VarianceComponents or None
        The same with the smallest and with the largest variances to be reckoned with; both or neither. By
        default at the 95% limits of the pilot's SDs over seeds and over examples.
    n_seeds, n_examples : int
        The study's size: seeds in each arm and test examples, at least 2 each.
    margin : float
        The gap that would matter, above 0, in units of the score.
    alpha : float
        Two-sided level, between 0 and 1; after Bonferroni where there are several comparisons. The two tests of
        equivalence are one-sided at the same level.
    power : float
        Wanted chance of finding the margin, between `alpha` and 1.
    test : PlannedTest
        How the study will be judged: the number of arms that are pooled, above all. By default a pair by itself.
    seconds_per_pair : float or None
        Seconds to train and score one trial of each arm.

    Returns
    -------
    Plan
        For new seeds and new examples, by the crossed test that will be run at each number of seeds.

    Raises
    ------
    ValueError
        If an argument is out of range, or if `low` and `high` do not come together.

    References
    ----------
    Hillis, Obuchowski and Berbaum (2011), Academic Radiology 18, 129-142 (power for readers and cases). Phillips
    (1990), Journal of Pharmacokinetics and Biopharmaceutics 18, 137-144 (power of two one-sided tests). Gelman
    and Carlin (2014), Perspectives on Psychological Science 9, 641-651 (wrong signs and exaggeration).

    Examples
    --------
    >>> from analysis.power.stated_figures import stated_components
    >>> low, middle, high = (
    ...     stated_components(seed_sd=sd, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    ...     for sd in (0.006, 0.008, 0.012)
    ... )
    >>> plan = plan_comparison(
    ...     middle, low=low, high=high, n_seeds=5, n_examples=872, margin=0.02, alpha=0.05, seconds_per_pair=300
    ... )
    >>> plan.seeds_needed
    Span(value=9, low=6, high=19)
    >>> f"{plan.chance.value:.2f} in {plan.hours:.2f} hours, {plan.hours_needed.value:.2f} for the seeds it takes"
    '0.70 in 0.42 hours, 0.75 for the seeds it takes'
    >>> plan.equivalence_seeds.value
    12
    """
    check_levels(alpha, power)
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive and finite, got {margin!r}")
    if min(n_seeds, n_examples) < 2:
        raise ValueError(f"need at least two seeds and two examples, got {n_seeds} and {n_examples}")
    if seconds_per_pair is not None and not (math.isfinite(seconds_per_pair) and seconds_per_pair >= 0):
        raise ValueError(f"seconds_per_pair must be finite and at least 0, got {seconds_per_pair!r}")
    if (low is None) != (high is None):
        raise ValueError("low and high come together, got only one of them")
    if low is None and not math.isnan(components.seed_sd_interval[0]):
        low, high = at_limits(components)

    def span(answer: Callable[[VarianceComponents], U], missing: U) -> Span[U]:
        value, at_low, at_high = (
            answer(c) if c is not None and _varies(c) else missing for c in (components, low, high)
        )
        return Span(value=value, low=at_low, high=at_high)

    def chance_of_a_verdict(answer: Callable[[VarianceComponents], float]) -> Span[float]:
        # Two seeds give an interval and never a verdict, so they show nothing.
        return span(answer, _NAN) if n_seeds >= SEEDS_FOR_A_VERDICT else Span(value=0.0, low=0.0, high=0.0)

    def sign_and_magnitude(c: VarianceComponents) -> tuple[float, float]:
        study = new_study(c, n_seeds=n_seeds, n_examples=n_examples, test=test)
        if study is None or n_seeds < SEEDS_FOR_A_VERDICT:
            return _NAN, _NAN
        right, wrong = study.found(margin, alpha=alpha)
        # So rare a finding comes from beyond what the points of the average reach.
        if right + wrong < _RARE:
            return _NAN, _NAN
        return wrong / (right + wrong), study.exaggeration(margin, alpha=alpha)

    def seeds(question: Question) -> Span[int | None]:
        return span(
            lambda c: seeds_needed(c, question, n_examples=n_examples, alpha=alpha, power=power, test=test), None
        )

    def examples(question: Question) -> Span[int | None]:
        return span(lambda c: examples_needed(c, question, n_seeds=n_seeds, alpha=alpha, power=power, test=test), None)

    def hours(needed: Span[int | None]) -> Span[float]:
        value, at_low, at_high = (
            _NAN if count is None else count * hours_per_seed for count in (needed.value, needed.low, needed.high)
        )
        return Span(value=value, low=at_low, high=at_high)

    size = {"n_seeds": n_seeds, "n_examples": n_examples}
    hours_per_seed = _NAN if seconds_per_pair is None else seconds_per_pair / 3600
    gap, equality = Question(margin), Question(0.0, margin)
    seeds_for_gap, examples_for_gap, seeds_for_equality = seeds(gap), examples(gap), seeds(equality)
    errors = span(sign_and_magnitude, (_NAN, _NAN))
    if _varies(components):
        reasons = [
            shortfall(
                components,
                gap,
                seeds=seeds_for_gap.value,
                examples=examples_for_gap.value,
                alpha=alpha,
                power=power,
                test=test,
            ),
            "" if low is not None and _varies(low) else "no range of the seed SD was stated or estimated",
        ]
    else:
        reasons = ["nothing to plan from: no variance components, or none above 0"]
    return Plan(
        n_seeds=n_seeds,
        n_examples=n_examples,
        margin=margin,
        alpha=alpha,
        power=power,
        components=components,
        detectable_gap=span(
            lambda c: (
                _NAN
                if n_seeds < SEEDS_FOR_A_VERDICT
                else detectable_gap_at(c, **size, alpha=alpha, power=power, test=test)
            ),
            _NAN,
        ),
        floor_gap=span(lambda c: floor_gap_at(c, n_examples=n_examples, alpha=alpha, power=power), _NAN),
        seeds_needed=seeds_for_gap,
        examples_needed=examples_for_gap,
        chance=chance_of_a_verdict(lambda c: power_at(c, margin, **size, alpha=alpha, test=test)),
        type_s=Span(value=errors.value[0], low=errors.low[0], high=errors.high[0]),
        type_m=Span(value=errors.value[1], low=errors.low[1], high=errors.high[1]),
        equivalence_chance=chance_of_a_verdict(
            lambda c: equivalence_power_at(c, 0.0, margin=margin, **size, alpha=alpha, test=test)
        ),
        equivalence_seeds=seeds_for_equality,
        equivalence_examples=examples(equality),
        hours=n_seeds * hours_per_seed,
        hours_needed=hours(seeds_for_gap),
        equivalence_hours=hours(seeds_for_equality),
        reason="; ".join(reason for reason in reasons if reason),
    )


def _varies(components: VarianceComponents) -> bool:
    # Also false where the components are NaN.
    return components.seed + components.example + components.residual > 0
