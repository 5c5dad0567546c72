from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from analysis.claims.figures import Figure, read_number, read_share
from analysis.claims.seeds import (
    DISCORDANCE,
    RERUN_DISCORDANCE,
    SEEDS_FOR_SENTENCES,
    WelchResult,
    chance_of_gap,
    confirmation,
    welch,
)
from analysis.planning import stated_components
from analysis.power import examples_needed, seeds_needed, shortfall
from analysis.sizes import floor_gap_at, power_at

# Student (1908), Biometrika 6, 1-25: hours of sleep gained with two drugs (R: sleep).
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# R's help page of t.test, t.test(extra ~ group, data = sleep): df, p-value, 95 percent confidence interval.
WELCH_IN_R = (17.776, 0.07939, -3.3654832, 0.2054832)


def right_answers(
    rng: np.random.Generator, n: int, seed_sd: float, shape: tuple[int, ...], accuracy: float = 0.9
) -> NDArray[np.float64]:
    return np.round(n * rng.normal(accuracy, seed_sd, size=shape))


def exact_chance(k: float, sd: float, runs: tuple[int, int], steps: int) -> tuple[float, float]:
    """Chance of a gap of `k` between means of rounded normal numbers of right answers, and the SD of one of them.

    Nothing is drawn: sums are convolutions, and gaps are counted on their common lattice of `steps` to the answer.
    """
    reach = math.ceil(8 * sd)
    edges = np.arange(-reach, reach + 2) - 0.5
    one = np.diff(special.ndtr((edges - 0.3) / sd))
    one /= one.sum()
    sums, shares = [], []
    for m in runs:
        share = np.ones(1)
        for _ in range(m):
            share = np.convolve(share, one)
        sums.append((np.arange(len(share)) - m * reach) * (steps // m))
        shares.append(share)
    gaps = np.abs(sums[0][:, None] - sums[1])
    values = np.arange(len(one))
    spread = math.sqrt(float(one @ values**2 - (one @ values) ** 2))
    return float(np.outer(*shares)[gaps >= round(k * steps)].sum()), spread


def about_as_often(count: int, draws: int, chance: float) -> bool:
    return abs(count / draws - chance) <= 4 * math.sqrt(chance * (1 - chance) / draws)


@pytest.mark.parametrize("sentences", [1, 18, -18, 200])
@pytest.mark.parametrize("seed_sd", [0.005, 0.01, 0.05])
@pytest.mark.parametrize("df", [math.inf, 1, 4, 30.5])
def test_the_chance_of_a_gap_is_the_formula(sentences: int, seed_sd: float, df: float) -> None:
    beyond = (abs(sentences) - 0.5) / (872 * seed_sd * math.sqrt(2))
    expected = 2 * (stats.norm.sf(beyond) if math.isinf(df) else stats.t.sf(beyond, df))
    assert chance_of_gap(sentences, n=872, seed_sd=seed_sd, df=df) == pytest.approx(expected, rel=1e-10)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    normal = chance_of_gap(18, n=872, seed_sd=0.01)
    assert chance_of_gap(18, n=872, seed_sd=0.01, df=1e9) == pytest.approx(normal, rel=1e-6)
    chances = [chance_of_gap(18, n=872, seed_sd=0.01, df=df) for df in (1, 2, 4, 8, 100)]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] > normal


@pytest.mark.parametrize(("sentences", "seed_sd"), [(1, 0.004), (5, 0.006), (18, 0.01), (30, 0.02)])
def test_two_runs_of_one_procedure_are_as_far_apart_as_often(sentences: int, seed_sd: float) -> None:
    rng = np.random.default_rng(1)
    right = right_answers(rng, 872, seed_sd, (2, 200_000))
    count = int(np.count_nonzero(np.abs(right[0] - right[1]) >= sentences))
    assert about_as_often(count, 200_000, chance_of_gap(sentences, n=872, seed_sd=seed_sd))


@pytest.mark.parametrize(
    ("runs", "sentences"), [((2, 2), 8.5), ((3, 3), 7 / 3), ((1, 4), 10.25), ((5, 1), 6.4), ((2, 4), 5.25)]
)
def test_means_over_runs_are_as_far_apart_as_often(runs: tuple[int, int], sentences: float) -> None:
    rng = np.random.default_rng(2)
    means = [right_answers(rng, 872, 0.008, (m, 200_000)).mean(axis=0) for m in runs]
    count = int(np.count_nonzero(np.abs(means[0] - means[1]) >= sentences - 1e-9))
    assert about_as_often(count, 200_000, chance_of_gap(sentences, n=872, seed_sd=0.008, runs=runs))


@pytest.mark.parametrize("sd", [4.0, 9.0])
@pytest.mark.parametrize(
    ("runs", "steps"), [((1, 1), 1), ((2, 2), 2), ((3, 3), 3), ((1, 3), 3), ((4, 2), 4), ((2, 3), 6), ((3, 4), 12)]
)
def test_the_chance_on_the_lattice_of_the_means(runs: tuple[int, int], steps: int, sd: float) -> None:
    for units in (1, steps, 4 * steps + 1, 10 * steps):
        exact, seed_sd = exact_chance(units / steps, sd, runs, steps)
        assert chance_of_gap(units / steps, n=1, seed_sd=seed_sd, runs=runs) == pytest.approx(exact, abs=0.002)


@pytest.mark.parametrize(("m", "arms"), [(3, 1), (5, 1), (3, 2)])
def test_with_few_runs_behind_the_sd_the_chance_keeps_its_level_as_a_p_value(m: int, arms: int) -> None:
    rng = np.random.default_rng(3)
    n, draws, df = 10_000, 8000, arms * (m - 1)
    pilot = right_answers(rng, n, 0.02, (draws, arms, m)).var(axis=2, ddof=1).mean(axis=1)
    gaps = np.diff(right_answers(rng, n, 0.02, (draws, 2)), axis=1)[:, 0]
    cases = list(zip(gaps.tolist(), (np.sqrt(pilot) / n).tolist(), strict=True))
    by_t = np.array([chance_of_gap(gap, n=n, seed_sd=sd, df=df) for gap, sd in cases])
    by_normal = np.array([chance_of_gap(gap, n=n, seed_sd=sd) for gap, sd in cases])
    for level in (0.01, 0.05, 0.2, 0.5):
        rejected = int(np.count_nonzero(by_t <= level))
        assert min(special.bdtr(rejected, draws, level), special.bdtrc(rejected - 1, draws, level)) > 1e-4
    assert special.bdtrc(int(np.count_nonzero(by_normal <= 0.05)), draws, 0.07) < 1e-4


def test_the_sd_of_means_over_runs_keeps_the_level_too() -> None:
    rng = np.random.default_rng(4)
    n, draws = 10_000, 8000
    pilot = right_answers(rng, n, 0.02, (draws, 5)).std(axis=1, ddof=1) / n
    gaps = right_answers(rng, n, 0.02, (draws, 2)).mean(axis=1) - right_answers(rng, n, 0.02, (draws, 4)).mean(axis=1)
    rejected = sum(
        chance_of_gap(gap, n=n, seed_sd=sd, runs=(2, 4), df=4) <= 0.05
        for gap, sd in zip(gaps.tolist(), pilot.tolist(), strict=True)
    )
    assert min(special.bdtr(rejected, draws, 0.05), special.bdtrc(rejected - 1, draws, 0.05)) > 1e-4


@pytest.mark.parametrize("runs", [(1, 1), (3, 3), (1, 5)])
@pytest.mark.parametrize("df", [math.inf, 3])
def test_no_gap_is_certain(runs: tuple[int, int], df: float) -> None:
    assert chance_of_gap(0, n=872, seed_sd=0.01, runs=runs, df=df) == 1
    assert chance_of_gap(0, n=872, seed_sd=1e-12, runs=runs, df=df) == 1


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    sentences=st.integers(0, 872), seed_sd=st.floats(1e-4, 0.2), m=st.integers(1, 10), df=st.sampled_from([math.inf, 4])
)
def test_a_larger_gap_has_a_smaller_chance_and_no_sign(sentences: int, seed_sd: float, m: int, df: float) -> None:
    found = chance_of_gap(sentences, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert 0 <= found <= 1
    assert found == chance_of_gap(-sentences, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert found >= chance_of_gap(sentences + 1, n=872, seed_sd=seed_sd, runs=(m, m), df=df)
    assert found <= chance_of_gap(sentences, n=872, seed_sd=2 * seed_sd, runs=(m, m), df=df)
    assert chance_of_gap(sentences, n=872, seed_sd=seed_sd, runs=(m, 1)) == chance_of_gap(
        sentences, n=872, seed_sd=seed_sd, runs=(1, m)
    )


@pytest.mark.parametrize(
    ("n", "seed_sd"), [(0, 0.01), (-5, 0.01), (872, 0.0), (872, -0.01), (872, math.nan), (0, math.nan)]
)
def test_a_chance_needs_sentences_and_a_scatter(n: int, seed_sd: float) -> None:
    with pytest.raises(ValueError, match=rf"need n >= 1 and seed_sd > 0, got n={n} and seed_sd={seed_sd}"):
        chance_of_gap(18, n=n, seed_sd=seed_sd)
    assert 0 < chance_of_gap(1, n=1, seed_sd=0.3) < 1


@pytest.mark.parametrize(
    "change", [{"runs": (0, 1)}, {"runs": (1, 0)}, {"runs": (-1, 4)}, {"df": 0}, {"df": -1}, {"df": math.nan}]
)
def test_a_chance_needs_runs_and_degrees_of_freedom(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"runs|df"):
        chance_of_gap(18, n=872, seed_sd=0.01, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("gap", [18 / 872, -0.012, 0.03, 0.1, 0.004])
@pytest.mark.parametrize("seed_sd", [0.004, 0.01, 0.02])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize(("discordance", "rerun"), [(0.08, 0.05), (0.15, 0.02), (0.03, 0.05)])
def test_a_confirmation_is_what_the_plan_says(
    gap: float, seed_sd: float, alpha: float, discordance: float, rerun: float
) -> None:
    # No pair of figures here contradicts the others, once two seeds differ no more often than two arms do.
    parts = stated_components(
        seed_sd=seed_sd, discordance=discordance, rerun_discordance=min(rerun, discordance), n_examples=872
    )
    found = confirmation(gap, n=872, seed_sd=seed_sd, discordance=discordance, rerun_discordance=rerun, alpha=alpha)
    seeds = seeds_needed(parts, gap, n_examples=872, alpha=alpha, power=0.8)
    examples = examples_needed(parts, gap, n_seeds=10, alpha=alpha, power=0.8)
    reason = shortfall(parts, gap, seeds=seeds, examples=examples, alpha=alpha, power=0.8)
    assert (found.seeds, found.examples, found.reason) == (seeds, examples, reason)
    assert found.generalizes_to == "seeds and examples"
    assert (found.seeds is None) == bool(found.reason)


def test_what_is_supposed_where_nothing_is_known() -> None:
    assert (DISCORDANCE, RERUN_DISCORDANCE, SEEDS_FOR_SENTENCES) == (0.08, 0.05, 10)
    assert confirmation(0.02, n=872, seed_sd=0.01) == confirmation(
        0.02, n=872, seed_sd=0.01, discordance=0.08, rerun_discordance=0.05, alpha=0.05
    )


def test_a_confirmation_has_four_chances_in_five_and_not_one_seed_too_many() -> None:
    parts = stated_components(seed_sd=0.01, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    found = confirmation(0.02, n=872, seed_sd=0.01)
    assert found.seeds is not None
    assert found.examples is not None
    for size, one_less in (
        ((found.seeds, 872), (found.seeds - 1, 872)),
        ((10, found.examples), (10, found.examples - 1)),
    ):
        enough, too_few = (power_at(parts, 0.02, n_seeds=S, n_examples=N, alpha=0.05) for S, N in (size, one_less))
        assert too_few < 0.8 <= enough + 1e-6


@pytest.mark.parametrize("gap", [0.02, 0.012, 0.001])
def test_the_sign_of_a_gap_changes_nothing(gap: float) -> None:
    assert confirmation(gap, n=872, seed_sd=0.01) == confirmation(-gap, n=872, seed_sd=0.01)


def test_where_no_number_of_seeds_confirms_a_gap_more_sentences_may() -> None:
    parts = stated_components(seed_sd=0.005, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    gap = 0.9 * floor_gap_at(parts, n_examples=872, alpha=0.05)
    found = confirmation(gap, n=872, seed_sd=0.005)
    assert found.seeds is None
    assert found.examples is not None
    assert found.examples > 872
    assert "more test examples" in found.reason


def test_where_neither_seeds_nor_sentences_alone_confirm_a_gap() -> None:
    found = confirmation(0.01, n=872, seed_sd=0.02)
    assert (found.seeds, found.examples) == (None, None)
    assert found.reason.startswith("neither more seeds nor more test examples alone find this gap")
    nothing = confirmation(0.0, n=872, seed_sd=0.01)
    assert (nothing.seeds, nothing.examples) == (None, None)
    assert nothing.reason.startswith("no study finds a gap of 0")


def test_enough_seeds_confirm_a_gap_where_no_number_of_sentences_does() -> None:
    found = confirmation(0.03, n=872, seed_sd=0.05)
    assert found.seeds is not None
    assert found.seeds > 10
    assert (found.examples, found.reason) == (None, "")


@pytest.mark.parametrize("discordance", [1e-12, 1e-6, 1e-4, 0.0])
def test_runs_differ_at_least_as_often_as_their_accuracies_scatter(discordance: float) -> None:
    found = confirmation(0.01, n=872, seed_sd=0.01, discordance=discordance)
    least = 2 * 0.01**2
    assert found == confirmation(0.01, n=872, seed_sd=0.01, discordance=least, rerun_discordance=least)
    assert found.seeds is not None


@pytest.mark.parametrize("seed_sd", [0.17, 0.2, 0.3, 0.4999, 0.5])
def test_a_large_scatter_of_seeds_is_no_contradiction(seed_sd: float) -> None:
    found = confirmation(0.2, n=872, seed_sd=seed_sd)
    assert found.seeds is not None
    assert found.seeds > 10
    least = 2 * seed_sd**2
    assert found == confirmation(0.2, n=872, seed_sd=seed_sd, discordance=least, rerun_discordance=least)


@pytest.mark.parametrize(
    "change",
    [{"seed_sd": -0.6}, {"seed_sd": math.nan}, {"discordance": 1.5}, {"n": 1}, {"alpha": 0.0}, {"alpha": 0.9}],
)
def test_figures_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        confirmation(0.02, **{"n": 872, "seed_sd": 0.01, **change})  # type: ignore[arg-type]


def exact(value: float) -> Figure:
    return Figure(printed=str(value), value=Fraction(value), half_width=Fraction(0))


def printed(value: float, digits: int = 12) -> Figure:
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


def numbers(found: WelchResult) -> tuple[float, float, float, float]:
    """The p-value, the degrees of freedom and the interval of a result without rounding."""
    assert found.p_value[0] == pytest.approx(found.p_value[1], rel=1e-9)
    assert found.df[0] == pytest.approx(found.df[1], rel=1e-9)
    return (found.p_value[0], found.df[0], *found.interval)


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
    found = welch((exact(means[0]), exact(sds[0])), (exact(means[1]), exact(sds[1])), runs=runs)
    assert numbers(found) == pytest.approx(by_hand(means, sds, runs), rel=1e-9)
    assert found.estimate == pytest.approx(means[0] - means[1], abs=1e-15)
    assert (found.runs, found.reason, found.generalizes_to) == (runs, "", "seeds")


def test_many_digits_leave_hardly_a_range() -> None:
    found = welch((printed(0.883), printed(0.0101)), (printed(0.862), printed(0.0093)), runs=(5, 4))
    p_value, df, low, high = by_hand((0.883, 0.862), (0.0101, 0.0093), (5, 4))
    assert found.p_value == pytest.approx((p_value, p_value), rel=1e-3)
    assert found.df == pytest.approx((df, df), rel=1e-3)
    assert found.interval == pytest.approx((low, high), abs=1e-6)
    assert found.p_value[0] <= p_value <= found.p_value[1]


def test_welch_equals_r() -> None:
    drugs = [
        (Fraction(str(round(float(np.mean(hours)), 12))), float(np.std(hours, ddof=1))) for hours in (SLEEP_1, SLEEP_2)
    ]
    arms = [(Figure(printed="", value=mean, half_width=Fraction(0)), exact(sd)) for mean, sd in drugs]
    p_value, df, *interval = numbers(welch(arms[0], arms[1], runs=(10, 10)))
    assert (round(df, 3), round(p_value, 5), *(round(limit, 7) for limit in interval)) == WELCH_IN_R
    # The same from ten printed digits.
    arms = [(read_number(f"{float(mean):.10f}"), read_number(f"{sd:.10f}")) for mean, sd in drugs]
    found = welch(arms[0], arms[1], runs=(10, 10))
    assert found.p_value == pytest.approx((0.07939, 0.07939), abs=5e-6)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_leaves_open_what_stands_behind_the_figures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        runs = int(rng.integers(2, 12)), int(rng.integers(2, 12))
        digits = rng.integers(2, 5, size=4).tolist()
        means = [printed(value, d) for value, d in zip(rng.uniform(0.85, 0.95, 2), digits[:2], strict=True)]
        sds = [printed(value, d) for value, d in zip(rng.uniform(0.006, 0.03, 2), digits[2:], strict=True)]
        found = welch((means[0], sds[0]), (means[1], sds[1]), runs=runs)
        for _ in range(10):
            true = [float(f.low) + rng.random() * float(2 * f.half_width) for f in (*means, *sds)]
            p_value, df, low, high = by_hand((true[0], true[1]), (true[2], true[3]), runs)
            # As close as a grid over the rounding comes.
            assert 0.9 * found.p_value[0] <= p_value <= found.p_value[1] * (1 + 1e-9)
            assert 0.999 * found.df[0] <= df <= 1.001 * found.df[1]
            assert found.interval[0] - 1e-9 <= low < high <= found.interval[1] + 1e-9


def test_the_ends_of_the_rounding_are_reached() -> None:
    # Equal runs and SDs far apart: everything moves one way over the rounding, and its ends are corners.
    arms = (read_share("0.90"), read_share("0.020")), (read_share("0.87"), read_share("0.003"))
    found = welch(*arms, runs=(4, 4))
    ends = ((float(f.low), float(f.high)) for f in (arms[0][0], arms[1][0], arms[0][1], arms[1][1]))
    corners = [by_hand((t, b), (sd_t, sd_b), (4, 4)) for t, b, sd_t, sd_b in itertools.product(*ends)]
    p_values, dfs, lows, highs = zip(*corners, strict=True)
    assert found.p_value == pytest.approx((min(p_values), max(p_values)), rel=1e-9)
    assert found.df == pytest.approx((min(dfs), max(dfs)), rel=1e-9)
    assert found.interval == pytest.approx((min(lows), max(highs)), rel=1e-9)


def test_the_printed_figures_themselves_lie_within_their_rounding() -> None:
    # Degrees of freedom are most where both arms vary alike, which here is inside the rounding and at no end of it.
    arms = (read_share("0.90"), read_share("0.01")), (read_share("0.88"), read_share("0.010"))
    found = welch(*arms, runs=(5, 5))
    assert found.df[0] <= 8 <= found.df[1] * (1 + 1e-9)


def test_the_least_p_value_may_lie_inside_the_rounding() -> None:
    # With more degrees of freedom a larger SD can mean a smaller p-value: here on the other side of 0.05.
    arms = (read_share("0.872"), read_share("0.007")), (read_share("0.894"), read_share("0.01"))
    found = welch(*arms, runs=(2, 4))
    inside = by_hand((0.8715, 0.8945), (0.0065, 0.0089), (2, 4))[0]
    assert inside < 0.05
    assert found.p_value[0] <= 1.03 * inside


def test_means_that_round_to_one_another_may_be_equal() -> None:
    arms = (read_share("0.883"), read_share("0.010")), (read_share("0.882"), read_share("0.010"))
    assert welch(*arms, runs=(5, 5)).p_value[1] == 1
    arms = (read_share("0.883"), read_share("0.010")), (read_share("0.881"), read_share("0.010"))
    assert welch(*arms, runs=(5, 5)).p_value[1] < 1


def test_swapping_the_arms_turns_the_interval_round() -> None:
    arms = (read_share("0.883"), read_share("0.012")), (read_share("0.862"), read_share("0.004"))
    one, other = welch(*arms, runs=(3, 7)), welch(arms[1], arms[0], runs=(7, 3))
    assert one.estimate == -other.estimate == pytest.approx(0.021)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))


@pytest.mark.parametrize(("runs", "sds"), [((5, 5), (0.01, 0.01)), ((4, 8), (0.02, 0.01)), ((10, 3), (0.01, 0.01))])
def test_welch_keeps_its_level_over_runs(runs: tuple[int, int], sds: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    draws, rejected, covered = 1500, 0, 0
    for _ in range(draws):
        arms = [rng.normal(0.8, sd, size=m) for m, sd in zip(runs, sds, strict=True)]
        summaries = [(printed(float(arm.mean())), printed(float(arm.std(ddof=1)))) for arm in arms]
        found = welch(summaries[0], summaries[1], runs=runs)
        rejected += found.p_value[1] <= 0.05
        covered += found.interval[0] <= 0 <= found.interval[1]
    # Welch's approximation is a little off its level with few runs.
    assert 0.04 - 4 * math.sqrt(0.04 * 0.96 / draws) <= rejected / draws <= 0.06 + 4 * math.sqrt(0.06 * 0.94 / draws)
    assert abs(covered + rejected - draws) <= 3


def test_without_any_variation_there_is_no_p_value() -> None:
    found = welch((exact(0.9), exact(0.0)), (exact(0.8), exact(0.0)), runs=(5, 5))
    assert found.estimate == pytest.approx(0.1)
    assert all(math.isnan(x) for x in (*found.p_value, *found.df, *found.interval))
    assert found.reason == "neither arm varies over its runs"


def test_a_printed_sd_of_0_leaves_open_how_little_the_runs_vary() -> None:
    found = welch((read_share("0.90"), read_share("0.00")), (read_share("0.88"), read_share("0.00")), runs=(5, 5))
    assert found.reason == ""
    # The smaller the SDs behind it, the smaller the p-value, without end.
    assert found.p_value[0] == pytest.approx(0, abs=1e-30)
    assert found.p_value[1] == pytest.approx(by_hand((0.895, 0.885), (0.005, 0.005), (5, 5))[0])
    assert found.df[0] == pytest.approx(4)
    assert found.df[1] == pytest.approx(8)


@pytest.mark.parametrize("runs", [(1, 5), (5, 1), (0, 0), (1, 1)])
def test_one_run_of_an_arm_is_no_test(runs: tuple[int, int]) -> None:
    arms = (read_share("0.9"), read_share("0.01")), (read_share("0.8"), read_share("0.01"))
    with pytest.raises(ValueError, match=rf"two of each arm or more, got \({runs[0]}, {runs[1]}\)"):
        welch(*arms, runs=runs)
