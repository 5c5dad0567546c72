from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed import crossed_test
from analysis.power.needed_sizes import Question, examples_needed, seeds_needed, shortfall
from analysis.power.sizes import power_at
from analysis.published.printed_figures import PrintedFigure, read_share
from analysis.published.seeds import (
    DISCORDANT_OF_ERRORS,
    RERUN_OF_DISCORDANT,
    SEEDS_FOR_EXAMPLES,
    WelchResult,
    assumed_components,
    chance_of_gap,
    confirmation,
    welch,
)

# Student (1908), Biometrika 6, 1-25: hours of sleep gained with two drugs (R: sleep).
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# R's help page of t.test, t.test(extra ~ group, data = sleep): df, p-value, 95 percent confidence interval.
WELCH_IN_R = (17.776, 0.07939, -3.3654832, 0.2054832)


SAMPLE = (1, 1)
"""SDs with one less than the runs below."""


def right_answers(rng: np.random.Generator, n: int, seed_sd: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.round(n * rng.normal(0.9, seed_sd, size=shape))


def exact_chance(k: float, sd: float, runs: tuple[int, int], steps: int) -> tuple[float, float]:
    """Chance of a gap of `k` between means of rounded normal numbers of right answers, and the SD of one of them.

    Nothing is drawn: sums are convolutions, and gaps are counted on their common lattice of `steps` to the answer.
    """
    reach = math.ceil(8 * sd)
    edges = np.arange(-reach, reach + 2) - 0.5
    chances = np.diff(special.ndtr((edges - 0.3) / sd))
    chances /= chances.sum()
    sums, shares = [], []
    for m in runs:
        share = np.ones(1)
        for _ in range(m):
            share = np.convolve(share, chances)
        sums.append((np.arange(len(share)) - m * reach) * (steps // m))
        shares.append(share)
    gaps = np.abs(sums[0][:, None] - sums[1])
    values = np.arange(len(chances))
    spread = math.sqrt(float(chances @ values**2 - (chances @ values) ** 2))
    return float(np.outer(*shares)[gaps >= round(k * steps)].sum()), spread


@pytest.mark.parametrize("examples", [1, 18, -18, 200])
@pytest.mark.parametrize("seed_sd", [0.005, 0.05])
@pytest.mark.parametrize("df", [math.inf, 1, 4, 30.5, 1e9])
def test_the_chance_of_a_gap_is_the_formula(examples: int, seed_sd: float, df: float) -> None:
    beyond = (abs(examples) - 0.5) / (872 * seed_sd * math.sqrt(2))
    expected = 2 * (stats.norm.sf(beyond) if math.isinf(df) else stats.t.sf(beyond, df))
    assert chance_of_gap(examples, n=872, seed_sd=seed_sd, df=df) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sd", [4.0, 9.0])
@pytest.mark.parametrize(
    ("runs", "steps"), [((1, 1), 1), ((2, 2), 2), ((3, 3), 3), ((1, 3), 3), ((4, 2), 4), ((2, 3), 6), ((3, 4), 12)]
)
def test_the_chance_on_the_lattice_of_the_means(runs: tuple[int, int], steps: int, sd: float) -> None:
    for units in (1, steps, 4 * steps + 1, 10 * steps):
        exact, seed_sd = exact_chance(units / steps, sd, runs, steps)
        assert chance_of_gap(units / steps, n=1, seed_sd=seed_sd, runs=runs) == pytest.approx(exact, abs=0.001)


@pytest.mark.parametrize(("m", "arms", "runs"), [(3, 1, (1, 1)), (5, 1, (1, 1)), (3, 2, (1, 1)), (5, 1, (2, 4))])
def test_with_few_runs_behind_the_sd_the_chance_keeps_its_level_as_a_p_value(
    m: int, arms: int, runs: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    n, draws, df = 10_000, 6000, arms * (m - 1)
    pilot = right_answers(rng, n, 0.02, (draws, arms, m)).var(axis=2, ddof=1).mean(axis=1)
    one, other = (right_answers(rng, n, 0.02, (draws, k)).mean(axis=1) for k in runs)
    cases = list(zip((one - other).tolist(), (np.sqrt(pilot) / n).tolist(), strict=True))
    by_t = np.array([chance_of_gap(gap, n=n, seed_sd=sd, runs=runs, df=df) for gap, sd in cases])
    by_normal = np.array([chance_of_gap(gap, n=n, seed_sd=sd, runs=runs) for gap, sd in cases])
    for level in (0.01, 0.05, 0.2, 0.5):
        rejected = int(np.count_nonzero(by_t <= level))
        assert min(special.bdtr(rejected, draws, level), special.bdtrc(rejected - 1, draws, level)) > 1e-4
    assert special.bdtrc(int(np.count_nonzero(by_normal <= 0.05)), draws, 0.07) < 1e-4


@pytest.mark.parametrize("runs", [(1, 1), (3, 3), (1, 5)])
@pytest.mark.parametrize("df", [math.inf, 3])
def test_no_gap_is_certain(runs: tuple[int, int], df: float) -> None:
    assert [chance_of_gap(0, n=872, seed_sd=sd, runs=runs, df=df) for sd in (0.01, 1e-12)] == [1, 1]


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    examples=st.integers(0, 872), seed_sd=st.floats(1e-4, 0.2), m=st.integers(1, 10), df=st.sampled_from([math.inf, 4])
)
def test_a_larger_gap_has_a_smaller_chance_and_no_sign(examples: int, seed_sd: float, m: int, df: float) -> None:
    chance = chance_of_gap(examples, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert 0 <= chance <= 1
    assert chance == chance_of_gap(-examples, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert chance >= chance_of_gap(examples + 1, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert chance <= chance_of_gap(examples, n=872, seed_sd=2 * seed_sd, runs=(m, m), df=df)
    assert chance_of_gap(examples, n=872, seed_sd=seed_sd, runs=(m, 1)) == chance_of_gap(
        examples, n=872, seed_sd=seed_sd, runs=(1, m)
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n", (0, -5)),
        ("seed_sd", (0.0, -0.01, math.nan)),
        ("runs", ((0, 1), (1, 0), (-1, 4))),
        ("df", (0, -1, math.nan)),
    ],
)
def test_a_chance_needs_examples_runs_and_a_scatter(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=r"need n >= 1, runs >= 1, seed_sd > 0 and df > 0, got n=") as info:
            chance_of_gap(18, **{"n": 872, "seed_sd": 0.01, name: value})
        assert f"{name}={value!r}" in str(info.value)
    assert 0 < chance_of_gap(1, n=1, seed_sd=0.3) < chance_of_gap(1, n=1, seed_sd=0.3, df=0.5) < 1


def of_a_study() -> VarianceComponents:
    rng = np.random.default_rng(6)
    p = rng.uniform(0.6, 1.0, size=300) + rng.normal(0.0, 0.02, size=(2, 6, 1))
    right = (rng.random((2, 6, 300)) < p + np.array([0.03, 0.0])[:, None, None]).astype(np.int64)
    return crossed_test(right[0], right[1], paired=True).components


@pytest.mark.parametrize("gap", [18 / 872, -0.012, 0.1, 0.004, 0.0])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(
    "components",
    [
        assumed_components(0.004, n=872, discordance=0.08),
        assumed_components(0.01, n=872, discordance=0.15),
        assumed_components(0.02, n=872, discordance=0.03),
        of_a_study(),
    ],
)
def test_a_confirmation_is_what_the_plan_says(gap: float, alpha: float, components: VarianceComponents) -> None:
    result = confirmation(gap, components, n=872, alpha=alpha)
    question = Question(gap)
    seeds = seeds_needed(components, question, n_examples=872, alpha=alpha, power=0.8)
    examples = examples_needed(components, question, n_seeds=10, alpha=alpha, power=0.8)
    reason = shortfall(components, question, seeds=seeds, examples=examples, alpha=alpha, power=0.8)
    assert (result.seeds, result.examples, result.reason) == (seeds, examples, reason)
    assert result.generalizes_to == "seeds and examples"
    assert (result.seeds is None) == bool(result.reason)
    assert result == confirmation(-gap, components, n=872, alpha=alpha)


def test_a_confirmation_has_four_chances_in_five_and_not_one_seed_too_many() -> None:
    components = assumed_components(0.01, n=872, discordance=0.08)
    result = confirmation(0.02, components, n=872)
    assert result.seeds is not None
    assert result.examples is not None
    for size, one_less in (
        ((result.seeds, 872), (result.seeds - 1, 872)),
        ((10, result.examples), (10, result.examples - 1)),
    ):
        enough, too_few = (power_at(components, 0.02, n_seeds=S, n_examples=N, alpha=0.05) for S, N in (size, one_less))
        assert too_few < 0.8 <= enough + 1e-6


@pytest.mark.parametrize(
    ("seed_sd", "given", "discordance", "rerun"),
    [
        # Two seeds of an arm differ on 5/8 as many examples as two arms do.
        (0.01, {"discordance": 0.08}, 0.08, 0.05),
        (0.01, {"discordance": 0.16}, 0.16, 0.1),
        (0.01, {"discordance": 0.032}, 0.032, 0.02),
        # On half of the examples they differ when both guess.
        (0.01, {"discordance": 0.8}, 0.8, 0.5),
        (0.01, {"discordance": 0.9}, 0.9, 0.5),
        (0.5, {"discordance": 1.0}, 1.0, 0.5),
        # Runs differ at least as often as their accuracies scatter: 2 * 0.01^2, 2 * 0.2^2 and 2 * 0.5^2.
        (0.01, {"discordance": 1e-6}, 0.0002, 0.0002),
        (0.01, {"discordance": 0.0}, 0.0002, 0.0002),
        (0.2, {"discordance": 0.08}, 0.08, 0.08),
        (0.5, {"discordance": 0.08}, 0.5, 0.5),
        # Two runs differ at least as often as one is better.
        (0.01, {"discordance": 0.08, "gap": 0.07}, 0.08, 0.05),
        (0.01, {"discordance": 0.08, "gap": 0.3}, 0.3, 0.05),
        (0.01, {"discordance": 0.08, "gap": -0.3}, 0.3, 0.05),
        (0.01, {"discordance": 0.016, "gap": 0.02}, 0.02, 0.01),
        (0.01, {"discordance": 0.08, "gap": 1.0}, 1.0, 0.05),
    ],
)
@pytest.mark.parametrize("n", [872, 200])
def test_what_is_supposed_by_hand(
    seed_sd: float, given: dict[str, float], discordance: float, rerun: float, n: int
) -> None:
    result = assumed_components(seed_sd, n=n, **given)
    assert result.example == pytest.approx(discordance - rerun, abs=1e-12)
    assert result.seed + result.residual == pytest.approx(rerun, rel=1e-12)
    # Runs scatter at least as independent flips make them.
    assert result.seed + result.residual / n == pytest.approx(max(2 * seed_sd**2, rerun / n), rel=1e-9)


def test_what_is_supposed_where_nothing_is_known() -> None:
    assert (DISCORDANT_OF_ERRORS, RERUN_OF_DISCORDANT, SEEDS_FOR_EXAMPLES) == (0.8, 0.625, 10)
    # Two arms that get a tenth of the examples wrong: the shares that `harness plan` supposes.
    discordance = DISCORDANT_OF_ERRORS * 0.1
    assert (discordance, RERUN_OF_DISCORDANT * discordance) == pytest.approx((0.08, 0.05))
    assert confirmation(18 / 872, assumed_components(0.01, n=872, discordance=discordance), n=872).seeds == 12


def test_how_often_two_arms_differ_has_to_be_said() -> None:
    with pytest.raises(TypeError, match="discordance"):
        assumed_components(0.01, n=872)  # type: ignore[call-arg]
    for discordance in (-0.01, 1.0001, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"discordance must lie between 0 and 1, got {discordance!r}"):
            assumed_components(0.01, n=872, discordance=discordance)


@pytest.mark.parametrize(
    "change",
    [
        *({"seed_sd": sd} for sd in (-0.01, -0.6, 0.51, math.nan)),
        {"discordance": 1.5},
        {"discordance": -0.5},
        {"n": 1},
        {"gap": -1.01},
    ],
)
def test_figures_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        assumed_components(**{"seed_sd": 0.01, "n": 872, "discordance": 0.08, **change})
    for other in ({"n": 1}, {"alpha": 0.0}, {"alpha": 0.9}):
        with pytest.raises(ValueError, match=r"must|need"):
            confirmation(0.02, assumed_components(0.01, n=872, discordance=0.08), **{"n": 872, **other})  # type: ignore[arg-type]


def exact(value: float) -> PrintedFigure:
    return PrintedFigure(printed=str(value), value=Fraction(value), half_width=Fraction(0))


def printed(value: float, digits: int = 12) -> PrintedFigure:
    return read_share(f"{value:.{digits}f}")


def by_hand(
    means: tuple[float, float], sds: tuple[float, float], runs: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Welch's p-value, degrees of freedom and 95% interval, by scipy."""
    result = stats.ttest_ind_from_stats(means[0], sds[0], runs[0], means[1], sds[1], runs[1], equal_var=False)
    parts = sds[0] ** 2 / runs[0], sds[1] ** 2 / runs[1]
    df = sum(parts) ** 2 / (parts[0] ** 2 / (runs[0] - 1) + parts[1] ** 2 / (runs[1] - 1))
    reach = stats.t.ppf(0.975, df) * math.sqrt(sum(parts))
    gap = means[0] - means[1]
    return float(result.pvalue), df, float(gap - reach), float(gap + reach)


def numbers(test: WelchResult) -> tuple[float, float, float, float]:
    """The p-value, the degrees of freedom and the interval of a result without rounding."""
    assert test.p_value[0] == pytest.approx(test.p_value[1], rel=1e-9)
    assert test.df[0] == pytest.approx(test.df[1], rel=1e-9)
    return (test.p_value[0], test.df[0], *test.interval)


@pytest.mark.parametrize(
    ("means", "sds", "runs"),
    [
        ((0.883, 0.862), (0.010, 0.010), (5, 5)),
        ((0.862, 0.883), (0.004, 0.020), (3, 12)),
        ((0.901, 0.9), (0.02, 0.001), (2, 30)),
        ((0.9, 0.9), (0.003, 0.005), (4, 6)),
        ((0.93, 0.9), (0.0, 0.01), (5, 4)),
        ((0.93, 0.9), (0.01, 0.0), (5, 4)),
    ],
)
def test_welch_is_scipys_where_nothing_is_rounded(
    means: tuple[float, float], sds: tuple[float, float], runs: tuple[int, int]
) -> None:
    result = welch((exact(means[0]), exact(sds[0])), (exact(means[1]), exact(sds[1])), runs=runs, ddof=SAMPLE)
    assert numbers(result) == pytest.approx(by_hand(means, sds, runs), rel=1e-9)
    assert result.estimate == pytest.approx(means[0] - means[1], abs=1e-15)
    assert (result.runs, result.generalizes_to) == (runs, "seeds")


def test_welch_equals_r() -> None:
    drugs = [
        (Fraction(str(round(float(np.mean(hours)), 12))), float(np.std(hours, ddof=1))) for hours in (SLEEP_1, SLEEP_2)
    ]
    arms = [(PrintedFigure(printed="", value=mean, half_width=Fraction(0)), exact(sd)) for mean, sd in drugs]
    p_value, df, *interval = numbers(welch(arms[0], arms[1], runs=(10, 10), ddof=SAMPLE))
    assert (round(df, 3), round(p_value, 5), *(round(limit, 7) for limit in interval)) == WELCH_IN_R


@pytest.mark.parametrize("seed", range(4))
def test_rounding_leaves_open_what_stands_behind_the_figures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        runs = int(rng.integers(2, 12)), int(rng.integers(2, 12))
        digits = rng.integers(2, 5, size=4).tolist()
        means = [printed(value, d) for value, d in zip(rng.uniform(0.85, 0.95, 2), digits[:2], strict=True)]
        sds = [printed(value, d) for value, d in zip(rng.uniform(0.006, 0.03, 2), digits[2:], strict=True)]
        result = welch((means[0], sds[0]), (means[1], sds[1]), runs=runs, ddof=SAMPLE)
        for _ in range(10):
            true = [float(f.low) + rng.random() * float(2 * f.half_width) for f in (*means, *sds)]
            p_value, df, low, high = by_hand((true[0], true[1]), (true[2], true[3]), runs)
            # The least p-value is that of a grid: it may be missed by 1%, and by more where it is tiny.
            assert result.p_value[0] <= p_value * (1.01 if p_value > 1e-4 else 2)
            assert p_value <= result.p_value[1] * (1 + 1e-9)
            assert result.df[0] - 1e-9 <= df <= result.df[1] + 1e-9
            assert result.interval[0] - 1e-9 <= low < high <= result.interval[1] + 1e-9


def test_the_ends_of_the_rounding_are_reached() -> None:
    # Equal runs and SDs far apart: everything moves one way over the rounding, and its ends are corners.
    arms = (read_share("0.90"), read_share("0.020")), (read_share("0.87"), read_share("0.003"))
    result = welch(*arms, runs=(4, 4), ddof=SAMPLE)
    ends = ((float(f.low), float(f.high)) for f in (arms[0][0], arms[1][0], arms[0][1], arms[1][1]))
    corners = [by_hand((t, b), (sd_t, sd_b), (4, 4)) for t, b, sd_t, sd_b in itertools.product(*ends)]
    p_values, dfs, lows, highs = zip(*corners, strict=True)
    assert result.p_value == pytest.approx((min(p_values), max(p_values)), rel=1e-9)
    assert result.df == pytest.approx((min(dfs), max(dfs)), rel=1e-9)
    assert result.interval == pytest.approx((min(lows), max(highs)), rel=1e-9)


@pytest.mark.parametrize(("runs", "sds"), [((5, 5), ("0.01", "0.0104")), ((3, 7), ("0.0040", "0.01"))])
def test_degrees_of_freedom_are_most_inside_the_rounding(runs: tuple[int, int], sds: tuple[str, str]) -> None:
    # Where s^2 / (m * (m - 1)) is the same in both arms, they are those of both arms together.
    one, other = ((read_share("0.90"), read_share(sd)) for sd in sds)
    for result in (welch(one, other, runs=runs, ddof=SAMPLE), welch(other, one, runs=(runs[1], runs[0]), ddof=SAMPLE)):
        assert result.df[1] == pytest.approx(8, rel=1e-9)
        assert result.df[0] < 7


@pytest.mark.parametrize(
    ("means", "sds", "runs"),
    [
        # With more degrees of freedom a larger SD can mean a smaller p-value: 0.038 here, and 0.059 at the ends.
        (("0.894", "0.872"), ("0.01", "0.007"), (4, 2)),
        (("0.90", "0.88"), ("0.00", "0.004"), (4, 4)),
    ],
)
def test_the_least_p_value_may_lie_inside_the_rounding(
    means: tuple[str, str], sds: tuple[str, str], runs: tuple[int, int]
) -> None:
    one, other = ((read_share(mean), read_share(sd)) for mean, sd in zip(means, sds, strict=True))

    def least(steps: int) -> float:
        x, y = (np.linspace(max(0.0, float(sd.low)), float(sd.high), steps) for sd in (one[1], other[1]))
        ends = float(one[0].high), x[:, None], runs[0], float(other[0].low), y, runs[1]
        return float(np.min(stats.ttest_ind_from_stats(*ends, equal_var=False).pvalue))

    assert least(301) < 0.95 * least(2)
    assert welch(one, other, runs=runs, ddof=SAMPLE).p_value[0] == pytest.approx(least(301), rel=0.01)


def test_means_that_round_to_one_another_may_be_equal() -> None:
    arms = (read_share("0.883"), read_share("0.010")), (read_share("0.882"), read_share("0.010"))
    assert welch(*arms, runs=(5, 5), ddof=SAMPLE).p_value[1] == 1
    arms = (read_share("0.883"), read_share("0.010")), (read_share("0.881"), read_share("0.010"))
    assert welch(*arms, runs=(5, 5), ddof=SAMPLE).p_value[1] < 1


def test_a_printed_sd_of_0_leaves_open_how_little_the_runs_vary() -> None:
    result = welch(
        (read_share("0.90"), read_share("0.00")), (read_share("0.88"), read_share("0.00")), runs=(5, 5), ddof=SAMPLE
    )
    # The smaller the SDs behind it, the smaller the p-value, without end.
    least, most = (by_hand(means, (0.005, 0.005), (5, 5)) for means in ((0.895, 0.885), (0.905, 0.875)))
    assert result.p_value[0] == 0
    assert result.p_value[1] == pytest.approx(least[0])
    assert result.df == pytest.approx((4, 8))
    assert result.interval == pytest.approx((least[2], most[3]))
    arm = read_share("0.90"), read_share("0.00")
    assert welch(arm, arm, runs=(5, 5), ddof=SAMPLE).p_value == (0, 1)
    # Not so where one arm does vary.
    assert (
        welch((arm[0], read_share("0.02")), (read_share("0.88"), arm[1]), runs=(5, 5), ddof=SAMPLE).p_value[0] > 0.008
    )


@pytest.mark.parametrize("runs", [(1, 5), (5, 1), (0, 0), (1, 1)])
def test_one_run_of_an_arm_is_no_test(runs: tuple[int, int]) -> None:
    arms = (read_share("0.9"), read_share("0.01")), (read_share("0.8"), read_share("0.01"))
    with pytest.raises(ValueError, match=rf"two of each arm or more, got \({runs[0]}, {runs[1]}\)"):
        welch(*arms, runs=runs)


@pytest.mark.parametrize("runs", [(3, 3), (2, 30)])
def test_an_sd_of_which_nobody_says_what_it_was_divided_by_is_taken_both_ways(runs: tuple[int, int]) -> None:
    arms = (exact(0.95), exact(0.01)), (exact(0.925), exact(0.008))
    by_less, by_runs, unsaid = (welch(*arms, runs=runs, ddof=(ddof, ddof)) for ddof in (1, 0, None))
    of_sample = [sd * math.sqrt(n / (n - 1)) for sd, n in zip((0.01, 0.008), runs, strict=True)]
    expected = by_hand((0.95, 0.925), (of_sample[0], of_sample[1]), runs)
    assert numbers(by_runs) == pytest.approx(expected, rel=1e-9)
    assert unsaid == welch(*arms, runs=runs)
    assert unsaid.p_value[0] <= by_less.p_value[0] < by_runs.p_value[1] <= unsaid.p_value[1] * (1 + 1e-9)
    assert (
        unsaid.interval[0] <= by_runs.interval[0] * (1 - 1e-9) < by_runs.interval[1] <= unsaid.interval[1] * (1 + 1e-9)
    )
    assert (by_less.ddof, by_runs.ddof, unsaid.ddof) == ((1, 1), (0, 0), (None, None))


def test_one_arm_may_say_what_its_sd_was_divided_by() -> None:
    arms = (exact(0.95), exact(0.01)), (exact(0.925), exact(0.01))
    half, unsaid = (welch(*arms, runs=(3, 3), ddof=(1, other)) for other in (1, None))
    assert half.p_value[1] < unsaid.p_value[1] < welch(*arms, runs=(3, 3)).p_value[1]


def test_sds_divided_by_the_runs_keep_no_level_if_taken_for_a_samples() -> None:
    # Three runs an arm, no gap: read as what they are the test keeps its level, read as a sample's it does not.
    rng, rejected = np.random.default_rng(7), np.zeros(3)
    for _ in range(800):
        scores = rng.normal(0.9, 0.01, size=(2, 3))
        arms = [(exact(float(one.mean())), exact(float(one.std()))) for one in scores]
        rejected += [welch(*arms, runs=(3, 3), ddof=(one, one)).p_value[1] <= 0.05 for one in (0, None, 1)]
    level, unsaid, taken_for_less = rejected / 800
    assert unsaid <= level
    assert level <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 800)
    assert taken_for_less > 0.055
