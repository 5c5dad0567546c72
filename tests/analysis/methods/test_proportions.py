from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.methods.mcnemar import mcnemar_from_counts
from analysis.methods.proportions import discordance_odds_ratio, newcombe_interval, tango_interval

# Newcombe (1998), Statistics in Medicine 17, 2635-2650, table III, method 10, 95%: cells e, f, g, h; limits.
# The paper prints 0.8736 for the lower limit of 1, 97, 1, 1, and 0.8737 for method 8, which is the same formula
# where e h <= f g; the latter is right.
NEWCOMBE_TABLE_III = [
    (36, 12, 2, 0, 0.0569, 0.3404),
    (20, 12, 2, 16, 0.0562, 0.3292),
    (18, 12, 2, 18, 0.0562, 0.3290),
    (36, 14, 0, 0, 0.1528, 0.4167),
    (35, 14, 0, 1, 0.1461, 0.4175),
    (18, 14, 0, 18, 0.1441, 0.3963),
    (2, 97, 1, 0, 0.8721, 0.9854),
    (1, 97, 1, 1, 0.8737, 0.9850),
    (0, 29, 1, 0, 0.6666, 0.9882),
    (2, 98, 0, 0, 0.9178, 0.9945),
    (1, 98, 0, 1, 0.9171, 0.9916),
    (0, 30, 0, 0, 0.8395, 1.0),
    (54, 0, 0, 0, -0.0664, 0.0664),
    (53, 0, 0, 1, -0.0729, 0.0729),
    (30, 0, 0, 24, -0.0358, 0.0358),
    (29, 0, 0, 25, -0.0354, 0.0354),
    (28, 0, 0, 26, -0.0352, 0.0352),
    (27, 0, 0, 27, -0.0351, 0.0351),
]

# Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33, 2850-2875, and their book of 2017, chapter 8:
# airway hyper-responsiveness, and complete response. The last digits of the second are those of the R package
# contingencytables 3, Newcombe_square_and_add_CI_paired_2x2(cavo_2012).
FAGERLAND_NEWCOMBE = [(1, 1, 7, 12, -0.507, -0.026, 3), (59, 6, 16, 80, -0.1186, -0.0046, 4)]

# b, c, n, confidence, low, high, decimals.
TANGO_PUBLISHED = [
    # Tango (1998), Statistics in Medicine 17, 891-908: disinfection of contact lenses; cross-over trial.
    (0, 1, 44, 0.90, -0.096, 0.037, 3),
    (9, 3, 32, 0.95, -0.027, 0.390, 3),
    # Agresti and Min (2005), Statistics in Medicine 24, 729-740: cross-over of treatments.
    (16, 8, 86, 0.95, -0.020, 0.207, 3),
    # Fagerland, Lydersen and Laake (2014), as above; contingencytables 3,
    # Tango_asymptotic_score_CI_paired_2x2(cavo_2012).
    (1, 7, 21, 0.95, -0.517, -0.026, 3),
    (6, 16, 161, 0.95, -0.1240, -0.0054, 4),
    # PropCIs 0.3: scoreci.mp(25, 28, 618, 0.90).
    (28, 25, 618, 0.90, -0.0148, 0.0247, 4),
]

# R 4.2, the statistic as Tango (1998) writes it (c is the count of the subtracted arm):
#   T <- function(D) {A <- 2*n; B <- -b-c+(2*n-b+c)*D; C <- -c*D*(1-D); q <- (sqrt(B^2-4*A*C)-B)/(2*A)
#     (b-c-n*D)/sqrt(n*(2*q+D*(1-D)))}; z <- qnorm((1+conf)/2)
#   uniroot(function(D) T(D)-z, c(-1+1e-9, 1-1e-9), tol=1e-12); the same with T(D)+z
TANGO_R = [
    (1, 7, 21, 0.95, -0.5172322764, -0.02600303248),
    (6, 16, 161, 0.95, -0.1240234325, -0.005433395732),
    (9, 3, 32, 0.95, -0.0270904645, 0.3896974871),
    (40, 20, 160, 0.95, 0.03086453313, 0.2180642442),
    (132, 107, 1144, 0.95, -0.00466132966, 0.04849455069),
]

# R: x <- binom.test(b, b + c, conf.level = conf)$conf.int; x / (1 - x)
ODDS_R = [
    (1, 7, 0.95, 0.00316973903025, 1.11197555365),
    (6, 16, 0.95, 0.120183663269, 1.00892445107),
    (86, 150, 0.95, 0.434597606084, 0.752316239171),
    (12, 2, 0.95, 1.33574372247, 55.1970906679),
    (40, 20, 0.95, 1.14191160481, 3.61106910663),
    (9, 9, 0.95, 0.351699474053, 2.8433366376),
    # The same as contingencytables 3: Transformed_Clopper_Pearson_exact_CI_paired_2x2(ezra_2010), 3.1169 to 108.8892.
    (25, 2, 0.95, 3.116948563, 108.8892291),
    (0, 5, 0.95, 0.0, 1.09127910518),
    (12, 2, 0.90, 1.594776264, 37.46252576),
    (86, 150, 0.99, 0.398720593, 0.8160601427),
    (5, 0, 0.99, 0.5303914818, math.inf),
]


@pytest.mark.parametrize(("a", "b", "c", "d", "low", "high"), NEWCOMBE_TABLE_III)
def test_newcombe_published(a: int, b: int, c: int, d: int, low: float, high: float) -> None:
    gap = newcombe_interval(a, b, c, d)
    assert (gap.low, gap.high) == pytest.approx((low, high), abs=5.1e-5)
    assert gap.estimate == (b - c) / (a + b + c + d)
    assert (gap.method, gap.generalizes_to, gap.confidence) == ("newcombe", "examples", 0.95)


@pytest.mark.parametrize(("a", "b", "c", "d", "low", "high", "decimals"), FAGERLAND_NEWCOMBE)
def test_newcombe_of_fagerland(a: int, b: int, c: int, d: int, low: float, high: float, decimals: int) -> None:
    gap = newcombe_interval(a, b, c, d)
    assert (round(gap.low, decimals), round(gap.high, decimals)) == (low, high)


@pytest.mark.parametrize(("b", "c", "n", "confidence", "low", "high", "decimals"), TANGO_PUBLISHED)
def test_tango_published(b: int, c: int, n: int, confidence: float, low: float, high: float, decimals: int) -> None:
    gap = tango_interval(b, c, n=n, confidence=confidence)
    assert (round(gap.low, decimals), round(gap.high, decimals)) == (low, high)
    assert (gap.method, gap.generalizes_to, gap.confidence) == ("tango", "examples", confidence)


@pytest.mark.parametrize(("b", "c", "n", "confidence", "low", "high"), TANGO_R)
def test_tango_equals_r(b: int, c: int, n: int, confidence: float, low: float, high: float) -> None:
    gap = tango_interval(b, c, n=n, confidence=confidence)
    assert (gap.low, gap.high) == pytest.approx((low, high), rel=1e-8)


@pytest.mark.parametrize(("b", "c", "confidence", "low", "high"), ODDS_R)
def test_odds_ratio_equals_r(b: int, c: int, confidence: float, low: float, high: float) -> None:
    odds = discordance_odds_ratio(b, c, confidence=confidence)
    assert (odds.low, odds.high) == pytest.approx((low, high), rel=1e-8)
    assert odds.estimate == (b / c if c else math.inf)
    assert (odds.only_treatment, odds.only_baseline, odds.confidence) == (b, c, confidence)
    assert (odds.method, odds.generalizes_to) == ("exact conditional", "examples")


cells = st.tuples(*[st.one_of(st.integers(0, 6), st.integers(0, 400))] * 4).filter(lambda cell: sum(cell) > 0)
levels = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.9999])


@settings(deadline=None, derandomize=True, max_examples=200)
@given(cell=cells, confidence=levels)
def test_newcombe_from_statsmodels_wilson_limits(cell: tuple[int, int, int, int], confidence: float) -> None:
    a, b, c, d = cell
    n = a + b + c + d
    p, q = (a + b) / n, (a + c) / n
    # statsmodels' Wilson limits, and the square-and-add of two errors as the length of a vector sum.
    (l_p, u_p), (l_q, u_q) = (proportion_confint(x, n, alpha=1 - confidence, method="wilson") for x in (a + b, a + c))
    product = p * (1 - p) * q * (1 - q)
    covariance = (a * d - b * c) / n**2
    if covariance > 0:
        covariance = max(0.0, covariance - 1 / (2 * n))
    phi = covariance / math.sqrt(product) if product > 1e-15 else 0.0
    errors = np.array([[1, -phi], [-phi, 1]])
    down, up = np.array([p - l_p, u_q - q]), np.array([u_p - p, q - l_q])
    gap = newcombe_interval(a, b, c, d, confidence=confidence)
    assert gap.low == pytest.approx(p - q - math.sqrt(max(0.0, down @ errors @ down)), abs=1e-7)
    assert gap.high == pytest.approx(p - q + math.sqrt(max(0.0, up @ errors @ up)), abs=1e-7)


def _score(b: int, c: int, n: int, gap: float) -> float:
    """Tango's statistic, its nuisance parameter by brute force over the likelihood's derivative."""
    low, high = abs(gap), 1.0

    def slope(s: float) -> float:
        total = -(n - b - c) / (1 - s) if n > b + c else 0.0
        total += b / (s + gap) if b else 0.0
        return total + (c / (s - gap) if c else 0.0)

    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return ((b - c) / n - gap) / math.sqrt((low - gap**2) / n)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(cell=cells, confidence=levels)
def test_tango_limits_are_where_the_score_test_turns(cell: tuple[int, int, int, int], confidence: float) -> None:
    _, b, c, d = cell
    n = b + c + d + 1
    gap = tango_interval(b, c, n=n, confidence=confidence)
    z = stats.norm.ppf((1 + confidence) / 2)
    assert _score(b, c, n, gap.low) == pytest.approx(z, rel=1e-5)
    assert _score(b, c, n, gap.high) == pytest.approx(-z, rel=1e-5)
    # No other gap is on the wrong side: the limits are the only roots. (Without discordance, 0 itself is 0 / 0.)
    for point in np.linspace(-0.999, 0.999, 40):
        inside = abs(_score(b, c, n, point)) <= z
        assert inside == (gap.low <= point <= gap.high) or min(abs(point - gap.low), abs(point - gap.high)) < 1e-9


@settings(deadline=None, derandomize=True, max_examples=100)
@given(cell=cells, confidence=levels)
def test_tango_limits_solve_the_quartic(cell: tuple[int, int, int, int], confidence: float) -> None:
    # Yang, Sun and Hardin (2013), Statistics in Medicine 32, 1336-1342: without iteration, the limits are roots of a
    # polynomial of degree four. Here: the discordance s from the score equation, put into its likelihood equation.
    _, b, c, d = cell
    n = b + c + d + 1
    k = stats.norm.ppf((1 + confidence) / 2) ** 2 / n
    x = np.polynomial.Polynomial([0, 1])
    s = x**2 + ((b - c) / n - x) ** 2 / k
    equation = s**2 - s * (b + c + (b - c) * x) / n + ((b - c) * x - (n - b - c) * x**2) / n
    gap = tango_interval(b, c, n=n, confidence=confidence)
    scale = np.abs(equation.coef).max()
    for limit in (gap.low, gap.high):
        assert abs(equation(limit)) < 1e-10 * scale


@settings(deadline=None, derandomize=True, max_examples=100)
@given(cell=cells, confidence=levels)
def test_swapping_the_arms(cell: tuple[int, int, int, int], confidence: float) -> None:
    a, b, c, d = cell
    n = a + b + c + d
    pairs = [
        (newcombe_interval(a, b, c, d, confidence=confidence), newcombe_interval(a, c, b, d, confidence=confidence)),
        (tango_interval(b, c, n=n, confidence=confidence), tango_interval(c, b, n=n, confidence=confidence)),
    ]
    for one, other in pairs:
        assert (one.estimate, one.low, one.high) == (-other.estimate, -other.high, -other.low)
        assert -1 <= one.low <= one.estimate <= one.high <= 1
    # Right and wrong change places: the gap of the errors is the gap with its sign changed.
    wrong = newcombe_interval(d, c, b, a, confidence=confidence)
    right = pairs[0][0]
    assert (wrong.low, wrong.high) == pytest.approx((-right.high, -right.low), abs=1e-12)
    odds, inverse = (discordance_odds_ratio(*pair, confidence=confidence) for pair in ((b, c), (c, b)))
    if b and c:
        assert (odds.low * inverse.high, odds.high * inverse.low) == pytest.approx((1, 1), rel=1e-12)
        assert odds.low < odds.estimate < odds.high


@settings(deadline=None, derandomize=True, max_examples=100)
@given(b=st.integers(0, 60), c=st.integers(0, 60), confidence=levels)
def test_intervals_agree_with_their_tests(b: int, c: int, confidence: float) -> None:
    if b + c == 0:
        return
    odds = discordance_odds_ratio(b, c, confidence=confidence)
    assert (odds.low <= 1 <= odds.high) == (mcnemar_from_counts(b, c, n=200).p_exact >= 1 - confidence)
    gap = tango_interval(b, c, n=200, confidence=confidence)
    asymptotic = 2 * stats.norm.sf(abs(b - c) / math.sqrt(b + c))
    assert (gap.low <= 0 <= gap.high) == (asymptotic >= 1 - confidence)


@pytest.mark.parametrize("n", [1, 2, 21, 1000, 10**6])
def test_corners_have_closed_forms(n: int) -> None:
    k = stats.norm.ppf(0.975) ** 2 / n
    none = tango_interval(0, 0, n=n)
    assert (none.low, none.high) == pytest.approx((-k / (1 + k), k / (1 + k)), rel=1e-12)
    assert none.reason == "no example is right for one model and wrong for the other"
    every = tango_interval(n, 0, n=n)
    assert (every.low, every.high) == pytest.approx(((1 - k) / (1 + k), 1.0), rel=1e-12)
    assert every.reason == ""
    square_and_add = newcombe_interval(0, n, 0, 0)
    assert square_and_add.high == 1.0
    # Two Wilson limits at their ends, each k / (1 + k) from its accuracy.
    assert square_and_add.low == pytest.approx(max(-1.0, 1 - math.sqrt(2) * k / (1 + k)), rel=1e-9)


def test_a_million_examples() -> None:
    gap = tango_interval(500_300, 499_700, n=10**6)
    half = stats.norm.ppf(0.975) * math.sqrt(1 / 10**6)
    assert (gap.low, gap.high) == pytest.approx((0.0006 - half, 0.0006 + half), rel=1e-4)
    few = tango_interval(1, 0, n=10**6)
    assert -4e-6 < few.low < 0 < 1e-6 < few.high < 6e-6
    # Fixed-width integers would overflow in the product of the margins.
    counts = np.array([800_000, 60_000, 50_000, 90_000], dtype=np.int32)
    assert newcombe_interval(*counts) == newcombe_interval(800_000, 60_000, 50_000, 90_000)
    odds = discordance_odds_ratio(10**6, 0)
    # Clopper and Pearson (1934): with b of b, the lower limit is the b-th root of alpha / 2.
    assert odds.low == pytest.approx(1 / math.expm1(-math.log(0.025) / 10**6), rel=1e-9)


def test_more_confidence_is_a_wider_interval() -> None:
    for of in (
        lambda level: newcombe_interval(500, 60, 40, 300, confidence=level),
        lambda level: tango_interval(60, 40, n=900, confidence=level),
        lambda level: discordance_odds_ratio(60, 40, confidence=level),
    ):
        widths = [of(level).high - of(level).low for level in (0.5, 0.9, 0.95, 0.999)]
        assert widths == sorted(widths)
        assert len(set(widths)) == 4


def test_coverage() -> None:
    # Exact coverage: every table's probability, at a true gap of 4 points with 10% discordance and 60 examples.
    n, b_rate, c_rate = 60, 0.07, 0.03
    covered = dict.fromkeys(("newcombe", "tango"), 0.0)
    for b in range(25):
        for c in range(18):
            # Given b and c, the rest splits evenly between both right and neither.
            rest = n - b - c
            chance = float(stats.multinomial.pmf([b, c, rest], n, [b_rate, c_rate, 1 - b_rate - c_rate]))
            if chance < 1e-9:
                continue
            for gap in (newcombe_interval(rest // 2, b, c, rest - rest // 2), tango_interval(b, c, n=n)):
                covered[gap.method] += chance * (gap.low <= b_rate - c_rate <= gap.high)
    assert 0.94 < covered["newcombe"] < 0.99
    assert 0.94 < covered["tango"] < 0.97


def test_models_that_never_differ_have_no_odds() -> None:
    odds = discordance_odds_ratio(0, 0)
    assert all(math.isnan(value) for value in (odds.estimate, odds.low, odds.high))
    assert odds.reason == "no example is right for one model and wrong for the other"
    endless = discordance_odds_ratio(4, 0)
    assert (endless.estimate, endless.high) == (math.inf, math.inf)
    assert endless.reason == "the baseline is never right alone: no upper limit"
    assert discordance_odds_ratio(0, 4).reason == ""


@pytest.mark.parametrize("bad", [-1, 1.5, float("nan"), "3", None])
def test_counts_must_be_whole_numbers(bad: int) -> None:
    with pytest.raises(ValueError, match=r"only_baseline must be a whole number from 0, got"):
        newcombe_interval(1, 2, bad, 4)
    with pytest.raises(ValueError, match=r"only_treatment must be a whole number from 0, got"):
        tango_interval(bad, 1, n=10)
    with pytest.raises(ValueError, match=r"n must be a whole number from 0, got"):
        tango_interval(0, 0, n=bad)
    with pytest.raises(ValueError, match=r"only_treatment must be a whole number from 0, got"):
        discordance_odds_ratio(bad, 1)


def test_impossible_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="need at least one example, got none"):
        newcombe_interval(0, 0, 0, 0)
    with pytest.raises(ValueError, match=r"got 3, 3 and n=5"):
        tango_interval(3, 3, n=5)
    with pytest.raises(ValueError, match=r"got 0, 0 and n=0"):
        tango_interval(0, 0, n=0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.1, 95, float("nan")])
def test_confidence_lies_between_0_and_1(confidence: float) -> None:
    for of in (
        lambda: newcombe_interval(1, 2, 3, 4, confidence=confidence),
        lambda: tango_interval(2, 3, n=10, confidence=confidence),
        lambda: discordance_odds_ratio(2, 3, confidence=confidence),
        lambda: discordance_odds_ratio(0, 0, confidence=confidence),
    ):
        with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got"):
            of()
