from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost


def test_p_value_and_interval_are_two_sides_of_one_test() -> None:
    rng = np.random.default_rng(8)
    result = crossed_test(rng.random((6, 40)) + 0.15, rng.random((6, 40)), paired=True)
    low, high = result.interval(1 - result.p_value)
    assert low == pytest.approx(0, abs=1e-9)
    assert high == pytest.approx(2 * result.estimate)
    assert result.interval(0.99)[0] < result.interval()[0] < result.estimate


def test_posterior_adds_up_and_matches_the_one_sided_tests() -> None:
    rng = np.random.default_rng(9)
    result = crossed_test(rng.random((6, 40)) + 0.05, rng.random((6, 40)), paired=True)
    below, within, above = result.posterior(0.06)
    equivalence = tost(result.estimate, result.standard_error, result.df, margin=0.06)
    assert below + within + above == pytest.approx(1)
    assert (below, above) == pytest.approx((equivalence.p_lower, equivalence.p_upper))
    draws = stats.t.rvs(
        result.df, result.estimate, result.standard_error, size=200_000, random_state=np.random.default_rng(1)
    )
    shares = np.mean(draws < -0.06), np.mean(np.abs(draws) <= 0.06), np.mean(draws > 0.06)
    assert (below, within, above) == pytest.approx(shares, abs=0.005)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
def test_bad_confidence_is_refused(confidence: float) -> None:
    result = crossed_test(np.eye(4), np.zeros((4, 4)), paired=True)
    with pytest.raises(ValueError, match="confidence"):
        result.interval(confidence)


@pytest.mark.parametrize("margin", [0, -0.01, math.nan, math.inf])
def test_bad_margin_is_refused(margin: float) -> None:
    result = crossed_test(np.eye(4), np.zeros((4, 4)), paired=True)
    with pytest.raises(ValueError, match="margin"):
        result.posterior(margin)


def test_a_result_cannot_be_changed_and_names_its_population() -> None:
    result = crossed_test(np.eye(4), np.zeros((4, 4)), paired=True)
    assert result.generalizes_to == "seeds and examples"
    with pytest.raises(AttributeError):
        result.p_value = 0.0  # type: ignore[misc]
