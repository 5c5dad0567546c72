from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.published.printed_figures import read_score, read_share
from analysis.published.seeds import welch
from analysis.published.spreads import OVER_RUNS, from_examples_alone, of_sample


@pytest.mark.parametrize("runs", [2, 3, 10])
def test_each_kind_of_spread_gives_the_sd_of_the_runs_back(runs: int) -> None:
    scores = np.random.default_rng(runs).normal(0.9, 0.01, size=runs)
    sd, error = float(scores.std(ddof=1)), float(stats.sem(scores))
    half = error * float(stats.t.ppf(0.975, runs - 1))
    for spread, ddof, kind in ((sd, 1, "sd"), (scores.std(), 0, "sd"), (error, 1, "standard error")):
        assert [factor * spread for factor in of_sample(runs, ddof, kind)] == pytest.approx([sd, sd])
    assert of_sample(runs, 1, "95% interval")[0] * half == pytest.approx(sd)
    assert of_sample(runs, 1, "95% interval")[1] * 1.959964 * error == pytest.approx(sd)
    for spread, ddof in ((sd, 1), (float(scores.std()), 0), (error, 1), (half, 1), (1.96 * error, 1)):
        least, most = of_sample(runs, None, None)
        assert least * spread <= sd * (1 + 1e-4), ddof
        assert most * spread >= sd * (1 - 1e-4), ddof


def test_a_spread_of_unknown_meaning_leaves_all_that_its_readings_leave() -> None:
    arms = ((read_share("92.3%"), read_share("0.4%")), (read_share("90.1%"), read_share("0.5%")))
    unknown = welch(*arms, runs=(5, 5), kinds=(None, None))
    known = [welch(*arms, runs=(5, 5), kinds=(one, other)) for one in OVER_RUNS for other in OVER_RUNS]
    # The least is found on a grid, which is coarser for the wider range.
    assert unknown.p_value[0] == pytest.approx(min(one.p_value[0] for one in known), rel=0.02)
    assert unknown.p_value[1] == pytest.approx(max(one.p_value[1] for one in known))
    assert unknown.p_value[1] == welch(*arms, runs=(5, 5), kinds=("standard error", "standard error")).p_value[1]
    # As SDs 0.4 and 0.5, five runs each: by scipy from summary statistics, within what the digits leave.
    by_scipy = stats.ttest_ind_from_stats(0.923, 0.004, 5, 0.901, 0.005, 5, equal_var=False).pvalue
    low, high = welch(*arms, runs=(5, 5), ddof=(1, 1)).p_value
    assert low <= by_scipy <= high


@pytest.mark.parametrize("n", [277, 872, 1319])
@pytest.mark.parametrize("right", [0.05, 0.4784, 0.91])
def test_the_standard_error_of_a_share_is_no_matter_of_runs(n: int, right: float) -> None:
    count = round(right * n)
    error = math.sqrt(count / n * (1 - count / n) / (n - 1))
    by_hand = float(np.r_[np.ones(count), np.zeros(n - count)].std(ddof=1) / math.sqrt(n))
    assert error == pytest.approx(by_hand)
    for spread in (error, 1.96 * error):
        assert from_examples_alone(read_score(f"{count / n:.4f} ± {spread:.4f}"), n=n)
        assert from_examples_alone(read_score(f"{100 * count / n:.2f} ± {100 * spread:.2f}%"), n=n)
    assert not from_examples_alone(read_score(f"{count / n:.4f} ± {error / 2:.4f}"), n=n)
    assert not from_examples_alone(read_score(f"{count / n:.4f} ± {1.5 * error:.4f}"), n=n)


def test_a_score_without_a_spread_has_none() -> None:
    assert not from_examples_alone(read_score("92.3%"), n=872)
    assert not from_examples_alone(read_score("1/1"), n=1)
