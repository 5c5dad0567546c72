from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from analysis.power.error_types import error_types
from analysis.power.noncentral import chances

# True gap, standard error, power, Type S, exaggeration, half a unit of the last published digit of each.
PUBLISHED = [
    # Gelman and Carlin (2014), the example of beauty and the share of girls: a true difference of 0.1, 0.3 or 1
    # points with a standard error of 3.28. The first one is given as .05, .46 and 77.
    (0.1, 3.28, 0.05, 0.46, 77, (0.005, 0.005, 0.5)),
    # Their example of menstrual cycles and voting: 2 points with a standard error of 8.1, given as .06, .24 and 9.7;
    # the exaggeration is the mean of 10,000 simulated studies.
    (2.0, 8.1, 0.06, 0.24, 9.7, (0.005, 0.005, 0.25)),
]
# The same by R: hi = 1 - pnorm(z - A/s), lo = pnorm(-z - A/s), z = qnorm(.975); power = hi + lo; Type S = lo / power;
# exaggeration by integrate(function(x) abs(x) * dnorm(x, A/s)) beyond -z and z, over power * A/s.
BY_R = [
    (0.1, 3.28, 0.05010648, 0.46442284, 76.68916411),
    (0.3, 3.28, 0.05095884, 0.39468467, 25.58735572),
    (1.0, 3.28, 0.06071472, 0.19371229, 7.74918693),
    (2.0, 8.1, 0.05701294, 0.23961765, 9.53662759),
    (0.5, 1.0, 0.07909753, 0.08783520, 4.78859368),
    (2.8, 1.0, 0.79955687, 0.00000121, 1.12521878),
]
# Noncentrality, df, alpha, power, chance of the wrong sign. R: cr = qt(1 - alpha / 2, df);
# pt(cr, df, l, lower.tail = FALSE) + pt(-cr, df, l) and pt(-cr, df, l).
NONCENTRAL = [
    (1.0, 4, 0.05, 0.12224915, 0.00279667),
    (3.0, 4, 0.05, 0.61926146, 0.00000392),
    (3.0, 2, 0.05, 0.38740013, 0.00001078),
    (2.5, 19, 0.05, 0.65994988, 0.00000704),
    (10.0, 1, 0.05, 0.56730657, 0.0),
    (4.0, 7.3, 0.00625, 0.59988141, 0.0),
    (0.5, 3, 0.05, 0.06529427, 0.00968528),
]


@pytest.mark.parametrize(("gap", "standard_error", "power", "type_s", "type_m", "digits"), PUBLISHED)
def test_published_examples(
    gap: float, standard_error: float, power: float, type_s: float, type_m: float, digits: tuple[float, float, float]
) -> None:
    result = error_types(gap, standard_error, math.inf, alpha=0.05)
    for value, expected, half in zip(
        (result.power, result.type_s, result.type_m), (power, type_s, type_m), digits, strict=True
    ):
        assert abs(value - expected) <= half


@pytest.mark.parametrize(("gap", "standard_error", "power", "type_s", "type_m"), BY_R)
def test_the_normal_case_by_r(gap: float, standard_error: float, power: float, type_s: float, type_m: float) -> None:
    result = error_types(gap, standard_error, math.inf, alpha=0.05)
    assert (result.power, result.type_s) == pytest.approx((power, type_s), abs=1e-8)
    assert result.type_m == pytest.approx(type_m, rel=1e-8)
    assert result.reason == ""


@pytest.mark.parametrize(("noncentrality", "df", "alpha", "power", "wrong"), NONCENTRAL)
def test_the_noncentral_t_by_r(noncentrality: float, df: float, alpha: float, power: float, wrong: float) -> None:
    result = error_types(noncentrality * 0.01, 0.01, df, alpha=alpha)
    assert result.power == pytest.approx(power, abs=1e-8)
    assert result.type_s == pytest.approx(wrong / power, abs=1e-7)


@pytest.mark.parametrize(("gap", "df", "alpha"), [(0.004, 2, 0.05), (0.01, 4, 0.05), (0.02, 9.5, 0.01), (0.01, 1, 0.2)])
def test_simulated_studies_agree(gap: float, df: float, alpha: float) -> None:
    rng = np.random.default_rng(11)
    estimate = gap + 0.01 * rng.standard_normal(1_000_000)
    standard_error = 0.01 * np.sqrt(rng.chisquare(df, 1_000_000) / df)
    significant = np.abs(estimate) / standard_error >= stats.t.ppf(1 - alpha / 2, df)
    result = error_types(gap, 0.01, df, alpha=alpha)
    assert significant.mean() == pytest.approx(result.power, abs=0.002)
    assert (estimate[significant] < 0).mean() == pytest.approx(result.type_s, abs=0.006)
    assert np.abs(estimate[significant]).mean() / gap == pytest.approx(result.type_m, rel=0.01)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    gap=st.floats(1e-4, 0.2),
    df=st.one_of(st.floats(1, 500), st.just(math.inf)),
    alpha=st.sampled_from([0.05, 0.01, 0.00625]),
)
def test_a_larger_gap_is_found_more_often_and_exaggerated_less(gap: float, df: float, alpha: float) -> None:
    small, large = (error_types(g, 0.01, df, alpha=alpha) for g in (gap, 1.5 * gap))
    assert alpha * (1 - 1e-6) <= small.power <= large.power * (1 + 1e-9)
    assert 0.5 >= small.type_s >= large.type_s - 1e-14 >= -1e-14
    assert small.type_m >= large.type_m >= 1 - 1e-9
    mirrored = error_types(-gap, 0.01, df, alpha=alpha)
    assert mirrored == small
    scaled = error_types(gap * 100, 1.0, df, alpha=alpha)
    assert (scaled.power, scaled.type_s, scaled.type_m) == pytest.approx(
        (small.power, small.type_s, small.type_m), rel=1e-9
    )


@pytest.mark.parametrize("df", [1, 3, 30, math.inf])
def test_many_degrees_of_freedom_lead_to_the_normal_case(df: float) -> None:
    right, wrong = chances(0.0, df, 0.05)
    assert (right, wrong) == pytest.approx((0.025, 0.025), rel=1e-5)
    assert chances(2.0, 1e7, 0.05)[0] == pytest.approx(special.ndtr(2.0 - 1.959964), rel=1e-5)


@pytest.mark.parametrize(("noncentrality", "df", "alpha"), [(0.5, 2, 1e-9), (0.01, 0.7, 1e-3), (2.0, 12.5, 1e-5)])
def test_the_exaggeration_of_rare_findings_by_quadrature(noncentrality: float, df: float, alpha: float) -> None:
    critical = stats.t.isf(alpha / 2, df)

    def of(ratio: float, mean: bool) -> float:
        # Over the logarithm of estimated by true standard error: chance of a significant result, or its mean size.
        s = math.exp(ratio)
        density = stats.chi2.pdf(df * s * s, df) * 2 * df * s * s
        ends = (critical * s - noncentrality, critical * s + noncentrality)
        chance = [special.ndtr(-end) for end in ends]
        if not mean:
            return float(density * sum(chance))
        at = sum(math.exp(-0.5 * end * end) for end in ends) / math.sqrt(2 * math.pi)
        return float(density * (at + noncentrality * (chance[0] - chance[1])))

    size, power = (
        integrate.quad(of, -40, 5, (mean,), limit=500, points=[-20, -8, -3, 0], epsabs=0)[0] for mean in (True, False)
    )
    errors = error_types(noncentrality * 0.01, 0.01, df, alpha=alpha)
    assert errors.power == pytest.approx(power, rel=1e-7)
    assert errors.type_m == pytest.approx(size / power / noncentrality, rel=1e-7)


def test_a_gap_of_zero_has_no_sign() -> None:
    result = error_types(0.0, 0.01, 5, alpha=0.05)
    assert result.power == pytest.approx(0.05, rel=1e-5)
    assert math.isnan(result.type_s)
    assert math.isnan(result.type_m)
    assert "no sign" in result.reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((math.nan, 0.01, 5, 0.05), "gap must be finite"),
        ((0.01, 0.0, 5, 0.05), "standard_error must be positive"),
        ((0.01, math.inf, 5, 0.05), "standard_error must be positive"),
        ((0.01, 0.01, 0, 0.05), "df must be above 0"),
        ((0.01, 0.01, math.nan, 0.05), "df must be above 0"),
        ((0.01, 0.01, 5, 1.0), "alpha must lie between 0 and 1"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[float, float, float, float], message: str) -> None:
    gap, standard_error, df, alpha = arguments
    with pytest.raises(ValueError, match=message):
        error_types(gap, standard_error, df, alpha=alpha)


def test_a_power_of_0_has_no_errors_to_speak_of() -> None:
    result = error_types(0.001, 0.1, 1.0, alpha=1e-300)
    assert result.power == 0
    assert math.isnan(result.type_s)
    assert math.isnan(result.type_m)
    assert result.reason == "no study would find anything"
