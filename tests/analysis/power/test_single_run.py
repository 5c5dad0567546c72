from __future__ import annotations

import math
import time
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from analysis.methods.mcnemar import mcnemar_from_counts
from analysis.power.single_run import mcnemar_power, single_run_detectable_gap

# Gap, discordance, examples, alpha, method, power. R, over all tables of discordant counts (0 to m, of m):
# sum over m of dbinom(m, n, q) * sum(dbinom(b, m, .5 + gap / q / 2)[p <= alpha]), with p = binom.test(b, m)$p.value
# or, for mid-p, 2 * pbinom(k, m, .5) - dbinom(k, m, .5) at k = min(b, m - b), and 1 - dbinom(b, m, .5) / 2 at
# b = m / 2.
MCNEMAR = [
    (0.2, 0.4, 50, 0.05, "exact", 0.5466923295),
    (0.2, 0.4, 50, 0.05, "mid", 0.6194878110),
    (0.1, 0.15, 100, 0.05, "exact", 0.6950304637),
    (0.1, 0.15, 100, 0.05, "mid", 0.7698464770),
    (0.24, 0.4, 50, 0.1, "exact", 0.8393582249),
    (-0.3, 0.3, 30, 0.01, "exact", 0.7186232918),
]


@pytest.mark.parametrize(("gap", "discordance", "n", "alpha", "method", "expected"), MCNEMAR)
def test_power_of_mcnemar_by_r(
    gap: float, discordance: float, n: int, alpha: float, method: Literal["exact", "mid"], expected: float
) -> None:
    power = mcnemar_power(gap, discordance, n, alpha=alpha, method=method)
    assert power == pytest.approx(expected, abs=2e-10)


def test_power_of_mcnemar_as_published() -> None:
    # O'Brien (2002), as given in the manual of G*Power 3.1, chapter on the exact McNemar test: an odds ratio of 0.25
    # with 40% discordance, 50 pairs, one-sided .05: .839343. The other side of our test adds about 1e-5.
    power = mcnemar_power(0.4 * (1 - 0.25) / (1 + 0.25), 0.4, 50, alpha=0.1)
    assert 0.839343 <= power <= 0.839343 + 2e-5


def enumerated(gap: float, discordance: float, n: int, alpha: float, method: str) -> float:
    """Every table of n examples, its probability, and the project's own p-value."""
    up, down = (discordance + gap) / 2, (discordance - gap) / 2
    total = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            result = mcnemar_from_counts(b, c, n=n)
            if (result.p_exact if method == "exact" else result.p_mid) <= alpha:
                ways = math.comb(n, b) * math.comb(n - b, c)
                total += ways * up**b * down**c * (1 - discordance) ** (n - b - c)
    return total


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    n=st.integers(1, 30),
    discordance=st.floats(0.01, 1),
    lean=st.floats(-1, 1),
    alpha=st.sampled_from([0.05, 0.01, 0.2, 0.5, 0.8]),
    method=st.sampled_from(["exact", "mid"]),
)
def test_power_of_mcnemar_is_the_sum_over_all_tables(
    n: int, discordance: float, lean: float, alpha: float, method: Literal["exact", "mid"]
) -> None:
    gap = lean * discordance
    power = mcnemar_power(gap, discordance, n, alpha=alpha, method=method)
    assert power == pytest.approx(enumerated(gap, discordance, n, alpha, method), abs=1e-10)
    assert mcnemar_power(-gap, discordance, n, alpha=alpha, method=method) == power


def test_mid_p_finds_more_and_both_keep_their_level_roughly() -> None:
    for n in (50, 872, 10_000):
        exact, mid = (mcnemar_power(0.0, 0.08, n, method=method) for method in ("exact", "mid"))
        assert exact < 0.05
        assert exact < mid < 0.0501
    assert mcnemar_power(0.02, 0.08, 872, method="mid") > mcnemar_power(0.02, 0.08, 872)


def test_power_of_mcnemar_on_a_huge_test_set() -> None:
    start = time.process_time()
    power = mcnemar_power(0.001, 0.08, 1_000_000)
    assert time.process_time() - start < 5
    # Normal approximation, Miettinen (1968).
    spread = math.sqrt(0.08 - 0.001**2 * 3.08 / 4 / 0.08)
    normal = special.ndtr((0.001 * 1e3 - 1.959964 * math.sqrt(0.08)) / spread)
    assert power == pytest.approx(normal, abs=2e-3)


def test_without_discordance_nothing_is_found() -> None:
    assert mcnemar_power(0.0, 0.0, 100) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.2, 0.1, 100, 0.05, "exact"), r"\|gap\| <= discordance <= 1"),
        ((0.2, 1.1, 100, 0.05, "exact"), r"\|gap\| <= discordance <= 1"),
        ((math.nan, 0.1, 100, 0.05, "exact"), r"\|gap\| <= discordance <= 1"),
        ((0.05, 0.1, 0, 0.05, "exact"), "n must be at least 1"),
        ((0.05, 0.1, 100, 1.0, "exact"), "alpha must lie between 0 and 1"),
        ((0.05, 0.1, 100, 0.05, "wald"), "method must be"),
    ],
)
def test_bad_mcnemar_plans_are_refused(arguments: tuple[float, float, int, float, Any], message: str) -> None:
    gap, discordance, n, alpha, method = arguments
    with pytest.raises(ValueError, match=message):
        mcnemar_power(gap, discordance, n, alpha=alpha, method=method)


def test_one_run_of_each_arm() -> None:
    # 872 examples, 8% discordant: a gap of 2.8 points. 0.11 points take about half a million examples.
    assert round(100 * single_run_detectable_gap(0.08, 872), 1) == 2.8
    assert single_run_detectable_gap(0.08, 520_000) == pytest.approx(0.0011, rel=0.01)
    normal = (1.95996 + 0.84162) * math.sqrt(0.08 / 872)
    assert normal < single_run_detectable_gap(0.08, 872) < 1.05 * normal


@pytest.mark.parametrize(("discordance", "n"), [(0.08, 872), (0.3, 60), (1.0, 40)])
def test_one_run_has_the_power_it_promises(discordance: float, n: int) -> None:
    gap = single_run_detectable_gap(discordance, n)
    m = np.arange(n + 1)
    total = 0.0
    for discordant, weight in zip(m, stats.binom.pmf(m, n, discordance), strict=True):
        if weight < 1e-12:
            continue
        b = np.arange(discordant + 1)
        p = np.array([mcnemar_from_counts(int(x), int(discordant - x), n=n).p_exact for x in b])
        total += weight * stats.binom.pmf(b, discordant, 0.5 + gap / discordance / 2)[p <= 0.05].sum()
    assert total == pytest.approx(0.8, abs=1e-6)


def test_one_run_on_a_small_test_set_finds_nothing() -> None:
    assert math.isnan(single_run_detectable_gap(0.1, 20))
    assert math.isnan(single_run_detectable_gap(1.0, 5))
    # Six discordant examples reject only all for one side: a chance of 0.8 takes a share of 0.8^(1/6) each.
    assert single_run_detectable_gap(1.0, 6) == pytest.approx(2 * 0.8 ** (1 / 6) - 1, abs=1e-6)


@pytest.mark.parametrize(("discordance", "n"), [(0.0, 872), (1.2, 872), (0.1, 0), (math.nan, 872)])
def test_bad_runs_are_refused(discordance: float, n: int) -> None:
    with pytest.raises(ValueError, match="0 < discordance <= 1"):
        single_run_detectable_gap(discordance, n)
