from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.moments import caution
from analysis.methods.variance import pooled_seed_spread
from analysis.power.sizes import standard_error_at

EXACT: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "reference" / "crossed_exact.json").read_text(encoding="utf-8")
)
PAIRABLE = [case for case in EXACT if "A" in case]
POOLED = [case for case in EXACT if "pooled" in case]


def names(cases: Sequence[dict[str, Any]]) -> list[str]:
    return [case["name"] for case in cases]


def check_fit(result: CrossedResult, case: dict[str, Any], design: str, df: str = "df") -> None:
    exact = case[design]
    parts = result.components
    assert result.design == ("B" if design == "B" else "A")
    assert result.estimate == pytest.approx(case["estimate"], rel=1e-12)
    assert result.standard_error == pytest.approx(math.sqrt(exact["variance"]), rel=1e-12)
    assert result.df == pytest.approx(exact[df], rel=1e-10)
    assert (parts.seed, parts.example, parts.residual) == pytest.approx(exact["components"], rel=1e-10, abs=1e-14)
    assert result.statistic == pytest.approx(case["estimate"] / math.sqrt(exact["variance"]), rel=1e-12)
    assert result.p_value == pytest.approx(exact_p(case, design, df), rel=1e-9)


def exact_p(case: dict[str, Any], design: str, df: str = "df") -> float:
    t = case["estimate"] / math.sqrt(case[design]["variance"])
    return float(2 * stats.t.sf(abs(t), case[design][df]))


@pytest.mark.parametrize("case", EXACT, ids=names(EXACT))
def test_independent_seeds_equal_exact_fractions(case: dict[str, Any]) -> None:
    result = crossed_test(case["treatment"], case["baseline"], paired=False)
    S_t, S_b = len(case["treatment"]), len(case["baseline"])
    check_fit(result, case, "B", "plain_df" if S_t == S_b < 4 else "df")
    assert result.n_seeds == (len(case["treatment"]), len(case["baseline"]))
    assert result.n_examples == len(case["baseline"][0])
    assert result.pairwise_p_value == result.p_value


@pytest.mark.parametrize("case", PAIRABLE, ids=names(PAIRABLE))
def test_paired_seeds_equal_exact_fractions(case: dict[str, Any]) -> None:
    S = len(case["treatment"])
    result = crossed_test(case["treatment"], case["baseline"], paired=True)
    design, other = ("A", "B") if S >= 8 else ("B", "A")
    check_fit(result, case, design, "df" if S >= 4 else "plain_df")
    assert result.other_p_value == pytest.approx(exact_p(case, other, "plain_df" if other == "B" else "df"), rel=1e-9)
    assert result.pairwise_p_value == result.p_value


@pytest.mark.parametrize("case", PAIRABLE, ids=names(PAIRABLE))
def test_a_plan_frozen_before_pooling_is_judged_by_pairs_from_four_seeds_and_the_plain_df(case: dict[str, Any]) -> None:
    result = crossed_test(case["treatment"], case["baseline"], paired=True, before_pooling=True)
    design, other = ("A", "B") if len(case["treatment"]) >= 4 else ("B", "A")
    check_fit(result, case, design, "plain_df")
    assert result.other_p_value == pytest.approx(exact_p(case, other, "plain_df"), rel=1e-9)


@pytest.mark.parametrize("case", POOLED, ids=names(POOLED))
def test_pooled_seeds_equal_exact_fractions(case: dict[str, Any]) -> None:
    arms = [np.array(y, dtype=float) for y in (case["treatment"], case["baseline"], *case["other_arms"])]
    spread = pooled_seed_spread(arms)
    result = crossed_test(*arms[:2], paired=True, spread=spread)
    check_fit(result, case, "pooled")
    assert result.n_arms == len(arms)
    assert result.components.seed_df == spread.df == (len(arms) - 1) * (len(arms[0]) - 1)
    assert result.pairwise_p_value == crossed_test(*arms[:2], paired=True).p_value != result.p_value
    df = "df" if len(arms[0]) == 4 else "plain_df"
    assert result.other_p_value == pytest.approx(exact_p(case, "B", df), rel=1e-9)


def test_two_arms_pooled_are_the_pair() -> None:
    y = np.random.default_rng(30).random((2, 8, 40))
    spread = pooled_seed_spread(list(y))
    pooled, alone = crossed_test(*y, paired=True, spread=spread), crossed_test(*y, paired=True)
    assert (pooled.p_value, pooled.df) == pytest.approx((alone.p_value, alone.df), rel=1e-12)
    assert (pooled.n_arms, pooled.components.seed_df) == (2, 7)
    d = y[0] - y[1]
    assert spread.mean_square == pytest.approx(40 * np.var(d.mean(axis=1), ddof=1), rel=1e-12)


def test_a_third_arm_brings_its_share_and_no_more() -> None:
    # With equal numbers of seeds, the pooled mean square is the mean over all pairs of arms.
    y = np.random.default_rng(31).random((4, 5, 30))
    pairs = [pooled_seed_spread([y[a], y[b]]).mean_square for a in range(4) for b in range(a)]
    assert pooled_seed_spread(list(y)).mean_square == pytest.approx(np.mean(pairs), rel=1e-12)
    # A seed that moves all arms alike moves no difference.
    shared = y + np.random.default_rng(32).random((5, 1))
    assert pooled_seed_spread(list(shared)).mean_square == pytest.approx(pooled_seed_spread(list(y)).mean_square)


def test_arms_that_cannot_be_pooled_are_refused() -> None:
    y = np.random.default_rng(33).random((3, 4, 10))
    for arms, received in (
        ([y[0]], r"got 1 of \(4, 10\)"),
        ([y[0], y[1, :3]], r"got 2 of \(3, 10\), \(4, 10\)"),
        ([y[0, :1], y[1, :1]], r"got 2 of \(1, 10\)"),
        ([y[0, 0], y[1, 0]], r"got 2 of \(10,\)"),
    ):
        with pytest.raises(ValueError, match=f"two arms or more of one shape, two seeds or more .*{received}"):
            pooled_seed_spread(arms)
    # A score that is not there must not pass for one that never varies.
    with pytest.raises(ValueError, match="finite scores in every arm"):
        pooled_seed_spread([y[0], y[1], np.full((4, 10), math.nan)])
    spread = pooled_seed_spread(list(y))
    with pytest.raises(ValueError, match="does not belong to 4 paired seeds"):
        crossed_test(y[0], y[1], paired=False, spread=spread)
    with pytest.raises(ValueError, match="does not belong to 3 paired seeds"):
        crossed_test(y[0, :3], y[1, :3], paired=True, spread=spread)


def test_reference_file_covers_every_branch() -> None:
    seeds_below = [c for c in PAIRABLE if len(c["treatment"]) >= 4 and c["A"]["components"][0] == 0]
    examples_below = [c for c in PAIRABLE if c["A"]["components"][1] == 0 and c["A"]["components"][0] > 0]
    unequal = [c for c in EXACT if len(c["treatment"]) != len(c["baseline"])]
    assert seeds_below
    assert examples_below
    assert unequal


def test_components_agree_with_a_two_way_anova() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(20)
    S, N = 5, 7
    treatment = rng.normal(size=(S, 1)) + rng.normal(size=(1, N)) + rng.normal(scale=0.3, size=(S, N))
    baseline = rng.normal(scale=0.2, size=(S, N))
    seed, example = np.indices((S, N))
    frame = pd.DataFrame({"d": (treatment - baseline).ravel(), "seed": seed.ravel(), "example": example.ravel()})
    table = anova_lm(ols("d ~ C(seed) + C(example)", data=frame).fit())
    ms_seed, ms_example, ms_resid = (float(table.loc[row, "mean_sq"]) for row in ("C(seed)", "C(example)", "Residual"))
    result = crossed_test(treatment, baseline, paired=True, before_pooling=True)
    assert result.components.seed == pytest.approx((ms_seed - ms_resid) / N)
    assert result.components.example == pytest.approx((ms_example - ms_resid) / S)
    assert result.components.residual == pytest.approx(ms_resid)
    assert result.standard_error**2 == pytest.approx((ms_seed + ms_example - ms_resid) / (S * N))


def test_a_lucky_draw_of_similar_seeds_does_not_buy_degrees_of_freedom() -> None:
    # Every seed has the same mean while seeds and examples interact: the mean square over seeds is 0.
    d = np.tile([[1, -1, 1, -1], [-1, 1, -1, 1], [1, -1, -1, 1], [-1, 1, 1, -1]], (2, 1)) * 0.5
    result = crossed_test(d + 0.3, np.zeros_like(d), paired=True)
    ms_resid = float((d**2).sum()) / 21
    assert result.standard_error == pytest.approx(math.sqrt(ms_resid / 32))
    # By hand: the floored seeds bring (c ms_resid)^2 / 7, the examples 0, the residual ms_resid^2 / 21.
    c = caution(7)
    assert result.df == pytest.approx(c**2 / (c**2 / 7 + 1 / 21))


@pytest.mark.parametrize(
    ("S", "low", "high"),
    # Factors for a standard deviation from chi-square tables: sqrt(df / 7.378), sqrt(df / 0.05064) at df = 2.
    [(3, 0.5207, 6.2847), (10, 0.6878, 1.8256)],
)
def test_limits_of_the_seed_sd_without_residual(S: int, low: float, high: float) -> None:
    r = np.random.default_rng(15).normal(size=S)
    result = crossed_test(np.tile(r[:, None], 25), np.zeros((S, 25)), paired=True)
    sd = math.sqrt(result.components.seed)
    assert sd == pytest.approx(np.std(r, ddof=1))
    assert result.components.seed_sd_interval == pytest.approx((low * sd, high * sd), rel=2e-4)


def test_limits_of_the_seed_sd_cover_the_truth() -> None:
    rng = np.random.default_rng(16)
    covered = 0
    for _ in range(400):
        d = 0.1 * rng.normal(size=(6, 1)) + rng.normal(size=(6, 100))
        low, high = crossed_test(d, np.zeros_like(d), paired=True).components.seed_sd_interval
        covered += low <= 0.1 <= high
    assert stats.binom.ppf(1e-4, 400, 0.95) <= covered <= stats.binom.ppf(1 - 1e-4, 400, 0.97)


@pytest.mark.parametrize(("S", "paired"), [(6, True), (3, True), (6, False)])
def test_components_predict_their_own_standard_error(S: int, paired: bool) -> None:
    rng = np.random.default_rng(17)
    y = rng.normal(size=(2, S, 1)) + rng.normal(size=(2, 1, 30)) + rng.normal(size=(2, S, 30))
    result = crossed_test(*y, paired=paired)
    predicted = standard_error_at(result.components, n_seeds=S, n_examples=30)
    assert predicted == pytest.approx(result.standard_error, rel=1e-12)
    assert (result.components.n_seeds, result.components.n_examples) == (S, 30)


@pytest.mark.parametrize(("arms_differ", "n_seeds"), [(0.0, 3), (0.5, 3), (0.5, 8)])
@pytest.mark.parametrize("paired", [True, False])
def test_limits_of_the_example_sd_cover_the_truth_for_right_and_wrong(
    arms_differ: float, n_seeds: int, paired: bool
) -> None:
    # By the limits for normal scores two thirds of such studies would cover it.
    rng = np.random.default_rng(18)
    lean = 1.2 + rng.standard_normal(100_000)
    p_t, p_b = (special.ndtr((lean + shift) / 0.4) for shift in (arms_differ * rng.standard_normal(100_000), 0.0))
    truth, covered = float(np.std(p_t - p_b)), 0
    for _ in range(200):
        drawn = rng.integers(0, len(lean), 300)
        y_t, y_b = (rng.random((n_seeds, 300)) < p[drawn] for p in (p_t, p_b))
        low, high = crossed_test(y_t, y_b, paired=paired).components.example_sd_interval
        covered += low <= truth <= high
    assert covered >= stats.binom.ppf(1e-4, 200, 0.95)


def test_limits_of_the_example_sd_are_williams_limits_where_scores_are_normal() -> None:
    rng = np.random.default_rng(19)
    S, N = 6, 4000
    d = rng.normal(size=(1, N)) + rng.normal(size=(S, N))
    c, D = d.mean(axis=0), d.mean()
    ms_example = S * np.sum((c - D) ** 2) / (N - 1)
    ms_resid = np.sum((d - d.mean(axis=1, keepdims=True) - c + D) ** 2) / ((S - 1) * (N - 1))
    limits = [
        math.sqrt(
            (N - 1) * (ms_example - ms_resid * stats.f.ppf(q, N - 1, (S - 1) * (N - 1))) / stats.chi2.ppf(q, N - 1) / S
        )
        for q in (0.975, 0.025)
    ]
    parts = crossed_test(d, np.zeros_like(d), paired=True).components
    assert parts.example_sd_interval == pytest.approx(limits, rel=3e-3)
    assert parts.example_sd_interval.low < math.sqrt(parts.example) < parts.example_sd_interval.high


def test_a_component_that_is_cut_off_at_zero_keeps_an_upper_limit() -> None:
    rng = np.random.default_rng(20)
    d = rng.normal(size=(4, 30))
    d = d - 0.8 * d.mean(axis=0)
    parts = crossed_test(d, np.zeros_like(d), paired=True).components
    assert parts.example == 0
    assert parts.example_sd_interval.low == 0
    assert crossed_test(np.zeros((5, 40)), np.ones((5, 40)), paired=True).components.example_sd_interval == (0, 0)


def test_each_arm_has_components_of_its_own() -> None:
    rng = np.random.default_rng(21)
    y_t = rng.normal(size=(40, 1)) + rng.normal(size=(40, 300))
    y_b = 3 * rng.normal(size=(40, 1)) + 2 * rng.normal(size=(40, 300))
    for paired in (True, False):
        by_arm = crossed_test(y_t, y_b, paired=paired).components.by_arm
        assert by_arm is not None
        assert [math.sqrt(part) for arm in by_arm for part in arm] == pytest.approx([1, 1, 3, 2], rel=0.25)
