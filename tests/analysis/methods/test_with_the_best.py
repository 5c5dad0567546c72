from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.variance import pooled_seed_spread
from analysis.methods.with_the_best import ComparisonsWithBest, Contender, _Chance, compare_with_best

Arms = dict[str, NDArray[np.float64]]


def pair_results(arms: Mapping[str, Any], *, pooled: bool = True) -> dict[tuple[str, str], CrossedResult]:
    spread = pooled_seed_spread(list(arms.values())) if pooled and len(arms) > 2 else None
    return {(i, j): crossed_test(arms[i], arms[j], paired=True, spread=spread) for i, j in combinations(arms, 2)}


def compared(arms: Mapping[str, Any], *, pooled: bool = True, **options: Any) -> ComparisonsWithBest:
    return compare_with_best(arms, pair_results(arms, pooled=pooled), **options)


def by_arm(result: ComparisonsWithBest) -> dict[str, Contender]:
    return {one.arm: one for one in result.contenders}


def drawn(rng: np.random.Generator, means: Mapping[str, float], *, seeds: int = 5, examples: int = 40) -> Arms:
    """Scores with a variation of their own by example, by seed and left over; seeds are shared in part."""
    by_seed, by_example = rng.normal(0, 0.2, (seeds, 1)), rng.normal(0, 1, examples)
    return {
        arm: mean
        + by_example
        + by_seed
        + rng.normal(0, 0.15, (seeds, 1))
        + rng.normal(0, 0.6, examples)
        + rng.normal(0, 0.5, (seeds, examples))
        for arm, mean in means.items()
    }


# Dunnett (1955), Journal of the American Statistical Association 50, table 1a: one-sided, joint confidence .95, by the
# number of means beside the control and the degrees of freedom.
DUNNETT = {
    (2, 5): 2.44,
    (4, 5): 2.85,
    (9, 5): 3.30,
    (2, 10): 2.15,
    (8, 10): 2.76,
    (4, 20): 2.30,
    (8, 20): 2.56,
    (8, 40): 2.47,
    (3, 120): 2.08,
    (8, math.inf): 2.38,
}


@pytest.mark.parametrize(("k", "df"), DUNNETT)
def test_in_a_balanced_layout_the_critical_values_are_those_of_dunnett(k: int, df: float) -> None:
    level = _Chance(n_tests=k, correlation=0.5, df=df).level(0.05)
    assert stats.t(df).isf(level) == pytest.approx(DUNNETT[k, df], abs=0.0051)


@pytest.mark.parametrize(("n_arms", "n_seeds"), [(3, 6), (5, 6), (9, 6)])
def test_where_examples_change_nothing_it_is_dunnetts_procedure_in_blocks_of_seeds(n_arms: int, n_seeds: int) -> None:
    rng = np.random.default_rng(n_arms)
    means = rng.normal(0, 1, (n_arms, n_seeds)) + rng.normal(0, 2, n_seeds)
    arms = {str(number): np.tile(row[:, None], 30) for number, row in enumerate(means)}
    interaction = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    df = (n_arms - 1) * (n_seeds - 1)
    error = math.sqrt(2 * np.sum(interaction**2) / df / n_seeds)
    found = by_arm(compared(arms))
    for i, mean in enumerate(means.mean(axis=1)):
        one, best_other = found[str(i)], np.delete(means.mean(axis=1), i).max()
        upper = mean - best_other + DUNNETT[n_arms - 1, df] * error
        assert one.standard_error == pytest.approx(error, rel=1e-9)
        assert one.estimate == pytest.approx(mean - best_other, rel=1e-9)
        assert one.interval.high == pytest.approx(max(upper, 0), abs=0.006 * error)
        assert one.in_set == (upper > 0)


@pytest.mark.parametrize(
    ("k", "df", "correlation", "level"),
    [(8, 4.3, 0.3, 0.01), (8, 50, 0.9, 0.02), (16, 8, 0.0, 0.005), (2, 2, 0.5, 0.05), (5, math.inf, 0.2, 0.01)],
)
def test_the_chance_of_any_rejection_is_that_of_drawn_multivariate_t(
    k: int, df: float, correlation: float, level: float
) -> None:
    rng, n = np.random.default_rng(11), 200_000
    z = math.sqrt(correlation) * rng.normal(size=(n, 1)) + math.sqrt(1 - correlation) * rng.normal(size=(n, k))
    scale = np.ones(n) if math.isinf(df) else np.sqrt(rng.chisquare(df, n) / df)
    share = np.mean(z.max(axis=1) / scale >= stats.t(df).isf(level))
    chance = _Chance(n_tests=k, correlation=correlation, df=df).of_any(level)
    assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / n)


@pytest.mark.parametrize(("k", "n"), [(3, 4), (8, 6)])
def test_the_chance_of_any_rejection_is_that_of_scipys_dunnett(k: int, n: int) -> None:
    rng = np.random.default_rng(k)
    control, *others = rng.normal(size=(k + 1, n))
    p_value = stats.dunnett(*others, control=control, alternative="greater", rng=np.random.default_rng(0)).pvalue.min()
    error = math.sqrt(2 * np.mean([np.var(y, ddof=1) for y in (control, *others)]) / n)
    df = (k + 1) * (n - 1)
    raw = stats.t(df).sf((max(y.mean() for y in others) - control.mean()) / error)
    assert _Chance(n_tests=k, correlation=0.5, df=df).of_any(raw) == pytest.approx(p_value, abs=2e-3)


@pytest.mark.parametrize("alpha", [0.3, 0.05, 1e-4, 1e-10])
def test_the_level_lies_between_bonferronis_and_none(alpha: float) -> None:
    for k, correlation, df in [(2, 0.0, 4.0), (16, 0.5, 9.5), (8, 0.9, math.inf)]:
        chance = _Chance(n_tests=k, correlation=correlation, df=df)
        level = chance.level(alpha)
        assert alpha / k * (1 - 1e-9) <= level < alpha
        assert chance.of_any(level) == pytest.approx(alpha, rel=1e-6)


@pytest.mark.parametrize("n_seeds", [3, 4, 6])
def test_with_two_arms_it_is_the_one_sided_crossed_test(n_seeds: int) -> None:
    arms = drawn(np.random.default_rng(n_seeds), {"a": 0.0, "b": 0.25}, seeds=n_seeds)
    (result,) = pair_results(arms).values()
    one_sided = stats.t(result.df).cdf(result.estimate / result.standard_error)
    assert 0.001 < one_sided < 0.5
    assert compared(arms, alpha=one_sided * 0.999).may_be_best == ("a", "b")
    assert compared(arms, alpha=one_sided * 1.001).may_be_best == ("b",)
    # The other end of the two-sided interval at 1 - 2 alpha.
    assert by_arm(compared(arms, alpha=0.1))["b"].interval.high == pytest.approx(-result.interval(0.8).low)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize(
    "means", [dict.fromkeys("abcd", 0.0), {"a": 0.4, "b": 0.0, "c": 0.0, "d": 0.0}], ids=["all equal", "slippage"]
)
def test_the_best_arm_is_in_the_set_and_every_interval_holds(means: dict[str, float], pooled: bool) -> None:
    rng, n, alpha = np.random.default_rng(5), 200, 0.2
    kept = held = 0
    for _ in range(n):
        result = compared(drawn(rng, means), pooled=pooled, alpha=alpha)
        kept += "a" in result.may_be_best
        truth = {arm: mean - max(m for other, m in means.items() if other != arm) for arm, mean in means.items()}
        held += all(one.interval.low <= truth[one.arm] <= one.interval.high for one in result.contenders)
    # Under slippage the best arm is hardly ever out; with all equal it is out as often as the level says.
    assert kept >= n * (1 - alpha) - 3 * math.sqrt(n * alpha * (1 - alpha))
    assert held >= n * (1 - alpha) - 3 * math.sqrt(n * alpha * (1 - alpha))


def test_an_arm_far_behind_is_out_and_its_interval_ends_at_0() -> None:
    arms = drawn(np.random.default_rng(2), {"far": -3.0, "first": 0.0, "second": 0.05})
    result = compared(arms)
    assert result.may_be_best == ("first", "second")
    assert result.confidence == 0.95
    found = by_arm(result)
    assert found["far"].interval.high == 0
    assert found["far"].interval.low < found["far"].estimate < -2
    assert found["far"].rival in ("first", "second")
    assert found["first"].interval.low < 0 < found["first"].interval.high
    assert result.generalizes_to == "seeds and examples"
    alone = by_arm(compared(drawn(np.random.default_rng(2), {"far": -3.0, "first": 0.0, "behind": -4.0})))
    assert alone["first"].in_set
    assert alone["first"].interval.low == 0
    assert alone["first"].interval.high > 2


def test_the_order_of_arms_and_of_each_test_changes_nothing() -> None:
    arms = drawn(np.random.default_rng(8), {"a": 0.0, "b": 0.1, "c": -0.5, "d": 0.2})
    turned = dict(reversed(arms.items()))
    spread = pooled_seed_spread(list(arms.values()))
    results = {(j, i): crossed_test(arms[j], arms[i], paired=True, spread=spread) for i, j in combinations(turned, 2)}
    there, back = by_arm(compared(arms)), by_arm(compare_with_best(turned, results))
    for arm, one in there.items():
        assert back[arm].interval == pytest.approx(one.interval)
        assert (back[arm].rival, back[arm].in_set) == (one.rival, one.in_set)


def test_a_level_of_the_pairs_replaces_alpha() -> None:
    arms = drawn(np.random.default_rng(2), {"far": -3.0, "first": 0.0, "second": 0.05})
    bonferroni = by_arm(compared(arms, pair_level=0.025))
    assert bonferroni["first"].interval.high > by_arm(compared(arms))["first"].interval.high
    nothing = compared(arms, pair_level=0.0)
    assert nothing.may_be_best == tuple(arms)
    assert {one.interval for one in nothing.contenders} == {(-math.inf, math.inf)}


def test_each_pair_may_have_seeds_and_a_level_of_its_own() -> None:
    arms = drawn(np.random.default_rng(2), {"far": -3.0, "first": 0.0, "second": 0.05})
    results = pair_results(arms)
    few = {arm: rows[:3] for arm, rows in arms.items()}
    results["far", "first"] = pair_results(few)["far", "first"]
    levels = dict.fromkeys(results, 0.025)
    assert compare_with_best(arms, results, pair_level=levels) == compare_with_best(arms, results, pair_level=0.025)
    open_pair = by_arm(compare_with_best(arms, results, pair_level=levels | {("first", "second"): 0.0}))
    # Nothing is known of how these two compare; against "far" they are as much ahead as before.
    assert [open_pair[arm].interval.low for arm in ("first", "second")] == [-math.inf] * 2
    assert math.isfinite(open_pair["first"].interval.high)
    assert not open_pair["far"].in_set


def test_seeds_that_put_every_arm_below_another_give_no_set() -> None:
    arms = drawn(np.random.default_rng(2), {"a": 0.0, "b": 0.0, "c": 0.0})
    behind = crossed_test(*drawn(np.random.default_rng(3), {"a": -3.0, "b": 3.0}).values(), paired=True)
    results = {("a", "b"): behind, ("b", "c"): behind, ("c", "a"): behind}
    found = compare_with_best(arms, results, pair_level=0.025)
    assert found.reason == "different seeds put each arm below another"
    assert found.contenders == ()


def test_twins_share_the_set_and_a_pair_without_variation_rules_nothing_out() -> None:
    arms = drawn(np.random.default_rng(3), {"a": 0.0, "b": -0.1, "c": -5.0})
    arms["twin"] = arms["a"].copy()
    result = compared(arms, pooled=False)
    assert {"a", "twin"} <= set(result.may_be_best)
    assert by_arm(result)["a"].rival == "twin"
    for one in result.contenders:
        assert math.isfinite(one.interval.low)
        assert math.isfinite(one.interval.high)
    still = {"a": np.ones((3, 9)), "b": np.ones((3, 9)), "c": np.ones((3, 9))}
    assert compared(still).may_be_best == ("a", "b", "c")


def test_no_level_rules_out_the_arm_with_the_highest_mean() -> None:
    arms = drawn(np.random.default_rng(4), {"a": 0.0, "b": 0.0, "c": 0.0})
    highest = max(arms, key=lambda arm: arms[arm].mean())
    assert compared(arms, alpha=0.999).may_be_best == (highest,)


@pytest.mark.parametrize(
    ("arms", "reason"),
    [
        ({"a": np.eye(4)}, "one arm: there is nothing to compare it with"),
        (drawn(np.random.default_rng(0), {"a": 0, "b": 0}, seeds=2), "fewer than 3 seeds"),
        ({"a": np.zeros((3, 5)), "b": np.ones((3, 5))}, "a and b: every difference is the same"),
    ],
)
def test_without_a_set_there_is_a_reason(arms: Arms, reason: str) -> None:
    result = compared(arms)
    assert result.reason.startswith(reason)
    assert result.contenders == result.may_be_best == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.0}, "alpha must lie between 0 and 1, got 1.0"),
        ({"alpha": math.nan}, "alpha must lie between 0 and 1, got nan"),
        ({"pair_level": {("a", "b"): -1.0}}, "pair_level must be at least 0 and below 1, got -1.0"),
        ({"pair_level": 1.0}, "pair_level must be at least 0 and below 1, got 1.0"),
    ],
)
def test_levels_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compared(drawn(np.random.default_rng(0), {"a": 0, "b": 0}), **options)


def test_every_pair_needs_its_result() -> None:
    arms = drawn(np.random.default_rng(0), {"a": 0, "b": 0, "c": 0})
    results = pair_results(arms)
    del results["a", "c"]
    with pytest.raises(ValueError, match="every two arms need a result, got none for a and c"):
        compare_with_best(arms, results)
    results = pair_results(arms)
    with pytest.raises(ValueError, match="every result needs a level, got none for a and c, b and c"):
        compare_with_best(arms, results, pair_level={("a", "b"): 0.01})
    with pytest.raises(ValueError, match="expected at least one arm, got none"):
        compare_with_best({}, {})
