from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.power.error_types import error_types
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed
from analysis.power.planning import Plan, Span, plan_comparison
from analysis.power.settling import settle
from analysis.power.sizes import detectable_gap_at, equivalence_power_at, floor_gap_at, power_at, standard_error_at
from analysis.power.stated_figures import stated_components

NOTHING = float("nan")


def stated(seed_sd: float, *, n_examples: int = 872) -> VarianceComponents:
    return stated_components(seed_sd=seed_sd, discordance=0.08, rerun_discordance=0.05, n_examples=n_examples)


def plan(margin: float = 0.02, seconds: float | None = None, n_seeds: int = 5) -> Plan:
    return plan_comparison(
        stated(0.008),
        low=stated(0.006),
        high=stated(0.012),
        n_seeds=n_seeds,
        n_examples=872,
        margin=margin,
        alpha=0.05,
        seconds_per_pair=seconds,
    )


def scores(rng: np.random.Generator, S: int, lean: np.ndarray, noise: float, seed_effect: float) -> np.ndarray:
    """Right or wrong, for S seeds: an example's own difficulty, a seed's own skill, and chance."""
    latent = lean + seed_effect * rng.standard_normal((S, 1)) + noise * rng.standard_normal((S, lean.size))
    return (latent > 0).astype(float)


def test_every_answer_is_the_shared_formula() -> None:
    result = plan(seconds=300)
    for parts, end in ((stated(0.008), "value"), (stated(0.006), "low"), (stated(0.012), "high")):
        sizes = {"n_seeds": 5, "n_examples": 872, "alpha": 0.05}
        needed, equal = (
            seeds_needed(parts, question, n_examples=872, alpha=0.05)
            for question in (Question(0.02), Question(0.0, 0.02))
        )
        assert needed is not None
        assert equal is not None
        expected = {
            "detectable_gap": detectable_gap_at(parts, **sizes),
            "floor_gap": floor_gap_at(parts, n_examples=872, alpha=0.05),
            "seeds_needed": needed,
            "examples_needed": examples_needed(parts, Question(0.02), n_seeds=5, alpha=0.05),
            "chance": power_at(parts, 0.02, **sizes),
            "equivalence_chance": equivalence_power_at(parts, 0.0, margin=0.02, **sizes),
            "equivalence_seeds": equal,
            "equivalence_examples": examples_needed(parts, Question(0.0, 0.02), n_seeds=5, alpha=0.05),
            "hours_needed": needed * (300 / 3600),
            "equivalence_hours": equal * (300 / 3600),
        }
        assert {name: getattr(getattr(result, name), end) for name in expected} == expected
    assert result.hours == pytest.approx(5 * 300 / 3600)
    assert (result.reason, result.generalizes_to) == ("", "seeds and examples")


def test_wrong_signs_and_exaggeration_are_those_of_a_t_test_where_seeds_are_all_that_varies() -> None:
    only_seeds = stated_components(seed_sd=0.1, discordance=0.08, rerun_discordance=0.08, n_examples=10**9)
    result = plan_comparison(only_seeds, n_seeds=8, n_examples=10**9, margin=0.05, alpha=0.05)
    expected = error_types(0.05, standard_error_at(only_seeds, n_seeds=8, n_examples=10**9), 7, alpha=0.05)
    assert result.type_s.value == pytest.approx(expected.type_s, rel=1e-4)
    assert result.type_m.value == pytest.approx(expected.type_m, rel=1e-4)
    assert result.chance.value == pytest.approx(expected.power, rel=1e-4)


def test_a_planned_study_finds_the_margin_as_often_as_promised() -> None:
    """From stated figures to simulated right and wrong answers, through the test itself."""
    rng = np.random.default_rng(12)
    S, N, studies, shift, noise, seed_effect = 6, 400, 500, 0.2, 0.5, 0.08
    lean = 1.2 + rng.standard_normal(20_000)
    count, wins = 0, []
    # The figures of such runs, without chance: a new seed gets an example right with probability p.
    p_t, p_b = (special.ndtr((lean + s) / math.hypot(noise, seed_effect)) for s in (shift, 0.0))
    gap = float(np.mean(p_t - p_b))
    reruns = float(np.mean(p_t * (1 - p_t) + p_b * (1 - p_b)))
    arms = float(np.mean(p_t * (1 - p_b) + p_b * (1 - p_t)))
    skills = seed_effect * special.ndtri((np.arange(200) + 0.5) / 200)
    shared = [np.var([np.mean(special.ndtr((lean + s + u) / noise)) for u in skills]) for s in (shift, 0.0)]
    seed_sd = math.sqrt((sum(shared) + reruns / N) / 2)
    parts = stated_components(seed_sd=seed_sd, discordance=arms, rerun_discordance=reruns, n_examples=N)
    for _ in range(studies):
        own = rng.choice(lean, N)
        y_t, y_b = (scores(rng, S, own + s, noise, seed_effect) for s in (shift, 0.0))
        result = crossed_test(y_t, y_b, paired=True)
        count += result.p_value <= 0.05
        if result.p_value <= 0.05:
            wins.append(abs(result.estimate) / gap)
    answer = plan_comparison(parts, n_seeds=S, n_examples=N, margin=gap, alpha=0.05)
    low, high = stats.binom.interval(0.999, studies, answer.chance.value)
    assert low - 0.02 * studies <= count <= high + 0.02 * studies
    assert 0.3 < answer.chance.value < 0.9
    assert np.mean(wins) == pytest.approx(answer.type_m.value, abs=0.08)


def test_a_pilot_plans_from_its_own_components_and_agrees_with_settle() -> None:
    rng = np.random.default_rng(4)
    d = 0.3 * rng.standard_normal((6, 1)) + rng.standard_normal((1, 80)) + rng.standard_normal((6, 80))
    pilot = crossed_test(d, np.zeros_like(d), paired=True, before_pooling=True)
    result = plan_comparison(pilot.components, n_seeds=6, n_examples=80, margin=0.6, alpha=0.05)
    settled = settle(pilot, gap=0.6, alpha=0.05)
    seeds = result.seeds_needed
    assert seeds.value == settled.seeds_needed
    assert (seeds.low, seeds.high) == settled.seeds_needed_range
    assert result.examples_needed.value == settled.examples_needed
    assert result.floor_gap.value == settled.floor_gap
    assert result.detectable_gap.value == settled.detectable_gap
    assert (result.floor_gap.low, result.floor_gap.high) == settled.floor_gap_range
    equal = settle(pilot, gap=0.0, margin=0.6, alpha=0.05)
    assert result.equivalence_seeds.value == equal.seeds_needed
    assert (result.equivalence_examples.low, result.equivalence_examples.high) == equal.examples_needed_range
    assert result.detectable_gap.low < result.detectable_gap.value < result.detectable_gap.high


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    seed_sd=st.floats(0.0, 0.03),
    rerun=st.floats(0.01, 0.2),
    extra=st.floats(0.0, 0.2),
    margin=st.floats(0.005, 0.1),
    n_seeds=st.integers(3, 12),
)
def test_answers_hang_together(seed_sd: float, rerun: float, extra: float, margin: float, n_seeds: int) -> None:
    parts = [
        stated_components(seed_sd=sd, discordance=rerun + extra, rerun_discordance=rerun, n_examples=872)
        for sd in (seed_sd / 2, seed_sd, 1.5 * seed_sd)
    ]
    result = plan_comparison(
        parts[1], low=parts[0], high=parts[2], n_seeds=n_seeds, n_examples=872, margin=margin, alpha=0.05
    )
    reaches = result.detectable_gap.value <= margin
    assert reaches == (result.chance.value >= 0.8 - 1e-5) or abs(result.chance.value - 0.8) < 1e-4
    if result.seeds_needed.value is not None:
        assert reaches == (result.seeds_needed.value <= n_seeds) or n_seeds < result.seeds_needed.value
    else:
        assert result.reason
        assert margin <= result.floor_gap.value
    assert result.type_m.value >= 1
    assert 0 <= result.type_s.value <= 0.5


def test_below_the_floor_the_plan_says_what_else_would_do() -> None:
    result = plan(margin=0.015, seconds=60)
    assert result.seeds_needed == Span(value=None, low=None, high=None)
    assert result.floor_gap.value > 0.015
    assert math.isnan(result.hours_needed.value)
    assert "more test examples" in result.reason
    assert result.examples_needed.value is not None


def test_without_seconds_there_is_no_cost() -> None:
    result = plan()
    assert math.isnan(result.hours)
    assert math.isnan(result.hours_needed.value)


def test_without_a_range_the_ends_are_missing_and_said_to_be() -> None:
    result = plan_comparison(stated(0.008), n_seeds=5, n_examples=872, margin=0.02, alpha=0.05)
    assert result.chance.value == plan().chance.value
    assert math.isnan(result.chance.low)
    assert result.seeds_needed.high is None
    assert result.reason == "no range of the seed SD was stated or estimated"


@pytest.mark.parametrize("seed", [0.0, NOTHING])
def test_nothing_to_plan_from(seed: float) -> None:
    empty = VarianceComponents(
        seed=seed, example=seed, residual=seed, n_seeds=1, n_examples=10, seed_df=0, seed_sd_interval=(NOTHING, NOTHING)
    )
    result = plan_comparison(empty, n_seeds=5, n_examples=872, margin=0.02, alpha=0.05, seconds_per_pair=60)
    assert math.isnan(result.detectable_gap.value)
    assert math.isnan(result.chance.value)
    assert result.seeds_needed.value is None
    assert result.reason.startswith("nothing to plan from")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 0.0}, "margin must be positive"),
        ({"margin": math.nan}, "margin must be positive"),
        ({"n_seeds": 1}, "at least two seeds and two examples, got 1 and 872"),
        ({"n_examples": 1}, "at least two seeds and two examples, got 5 and 1"),
        ({"alpha": 0.0}, "0 < alpha < power < 1"),
        ({"power": 1.0}, "0 < alpha < power < 1"),
        ({"seconds_per_pair": -1.0}, "seconds_per_pair must be finite"),
        ({"low": stated(0.006)}, "low and high come together"),
    ],
)
def test_bad_plans_are_refused(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"n_seeds": 5, "n_examples": 872, "margin": 0.02, "alpha": 0.05, **change}
    with pytest.raises(ValueError, match=message):
        plan_comparison(stated(0.008), **arguments)  # type: ignore[arg-type]


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan().margin = 0.1  # type: ignore[misc]
