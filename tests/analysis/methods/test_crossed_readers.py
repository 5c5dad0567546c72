"""The crossed test against published analyses of readers and cases in diagnostic radiology.

Readers are the seeds, cases the examples, treatments the arms and the area under the ROC curve the metric. The
ratings are those of two studies that this literature uses throughout:

- Van Dyke: 5 readers, 69 cases without and 45 with thoracic aortic dissection, spin-echo against cine MRI
  (Van Dyke, White, Obuchowski, Geisinger, Lorig and Meziane, 1993, 79th RSNA Meeting).
- Franken: 4 readers, 33 cases without and 67 with a finding, film against a digital workstation (Franken,
  Berbaum, Marley, Smith, Sato, Kao and Milam, 1992, Investigative Radiology 27, 732-737).
- Zanca: 4 readers, 100 mammograms without and 100 with lesions, five ways to process the image (Zanca, Jacobs, Van
  Ongeval, Claus, Celis, Geniets, Provost, Pauwels, Marchal and Bosmans, 2009, Medical Physics 36, 765-775).

The published numbers are what two programs printed for them: OR-DBM MRMC 2.51 (Schartz, Hillis, Pesce and
Berbaum; trapezoidal areas, jackknife) and JAFROC 4.2.1 (Chakraborty; in single precision). Ratings and printouts
are kept with the R package RJafroc. The values from R come from tests/reference/reader_anova.R.

The programs analyse four and five readers as pairs, and take the degrees of freedom without caution about the
readers' share. `before_pooling` does so too.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.over_seeds import paired_t
from analysis.methods.variance import pooled_seed_spread
from analysis.metrics.auroc import auroc_scores

Floats = NDArray[np.float64]
RATINGS = Path(__file__).parents[2] / "reference" / "reader_ratings.csv"
STUDIES = ("Van Dyke", "Franken")

# OR-DBM MRMC 2.51, "TREATMENT x READER AUC ESTIMATES": treatment 1, treatment 2.
AREAS = {
    "Van Dyke": (
        (0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066),
        (0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169),
    ),
    "Franken": ((0.85345997, 0.86499322, 0.85730439, 0.81524197), (0.84961556, 0.84350972, 0.84011759, 0.81433740)),
}
# The same, "AUC MEAN DIFFERENCES", and "Corresponding DBM variance component": Var(T*R), Var(T*C), residual.
DIFFERENCES = {"Van Dyke": -0.04380032, "Franken": 0.01085482}
COMPONENTS = {"Van Dyke": (0.00020040, 0.01197530, 0.03997160), "Franken": (-0.00071276, -0.00288715, 0.07629656)}
# The same, single-reader tests: standard errors of the difference.
READER_SE = {"Van Dyke": (0.02551, 0.02630, 0.03121, 0.01729, 0.04406), "Franken": (0.04279, 0.04007, 0.03499, 0.03481)}
# JAFROC 4.2.1, Van Dyke, analysis 2(d): t and p of each reader, 113 degrees of freedom.
READER_TESTS = ((-1.10, 0.2717), (-1.77, 0.0795), (-0.57, 0.5680), (-1.52, 0.1318), (-2.27, 0.0249))
# OR-DBM MRMC 2.51, random readers and fixed cases: standard error, t, p, limits.
FIXED_CASES = {
    "Van Dyke": (0.01485, -2.95, 0.0420, -0.08502, -0.00258),
    "Franken": (0.00501, 2.17, 0.1188, -0.00509, 0.02680),
}
# The same, standard errors of single treatments: random readers and cases for Van Dyke, where readers vary more
# than the residual; fixed readers for Franken, where they vary less and the floor leaves the cases alone.
SINGLE_TREATMENT_SE = {"Van Dyke": (0.03317360, 0.02156637), "Franken": (0.02710939, 0.02744860)}
# aov: treatment, treatment:reader, treatment:case, residual.
R_MEAN_SQUARES = {
    "Van Dyke": (0.5467634406093, 0.0628174908788, 0.0998480842327, 0.0399716031905),
    "Franken": (0.0235654096607, 0.0050202641385, 0.0647479678149, 0.0762965577129),
}
# aov on readers 1 and 2 with treatment 1, and on the others with treatment 2: reader and residual mean squares of
# both; variance over cases of the difference of reader means.
R_ARMS = {
    "Van Dyke": (0.2111909262760, 0.0500302616057, 0.2072661879831, 0.0500175755815, 0.0808261226106),
    "Franken": (0.00665078456243, 0.11067316158643, 0.0332309097168, 0.1046924964187, 0.122237301532),
}
# lmer on Van Dyke: standard error of the difference and variances by reader, case and residual; then the standard
# errors of the single treatments. REML meets the mean squares where no variance is cut off at 0.
LME4 = (0.0207485367746, 0.000400786829785, 0.023950622320794, 0.079943203424307)
LME4_SINGLE = (0.0331735180225, 0.0215661448652)


def ratings(study: str) -> tuple[NDArray[np.int64], Floats]:
    """Labels, and ratings by treatment, reader and case."""
    with RATINGS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["study"] == study]
    arms = [
        [
            [float(digit) for digit in row["without_disease"] + row["with_disease"]]
            for row in rows
            if row["treatment"] == t
        ]
        for t in sorted({row["treatment"] for row in rows})
    ]
    labels = [0] * len(rows[0]["without_disease"]) + [1] * len(rows[0]["with_disease"])
    return np.array(labels), np.array(arms)


def area(labels: NDArray[np.int64], rating: Floats) -> float:
    above = rating[labels == 1][:, None] - rating[labels == 0]
    return float(np.mean((np.sign(above) + 1) / 2))


def pseudovalues(study: str) -> Floats:
    """Jackknife pseudovalues of the area, by leaving out one case after the other."""
    labels, y = ratings(study)
    N = len(labels)
    values = np.empty(y.shape)
    for arm, reader in np.ndindex(y.shape[:2]):
        whole = area(labels, y[arm, reader])
        for i in range(N):
            values[arm, reader, i] = N * whole - (N - 1) * area(np.delete(labels, i), np.delete(y[arm, reader], i))
    return values


@pytest.fixture(scope="module")
def pseudo() -> dict[str, Floats]:
    return {study: pseudovalues(study) for study in STUDIES}


def mean_squares(y: Floats) -> tuple[float, float, float, float]:
    """Of treatment, treatment x reader, treatment x case and the residual, from the table of three ways."""
    T, S, N = y.shape
    t, s, c = (y.mean(axis=axes, keepdims=True) for axes in ((1, 2), (0, 2), (0, 1)))
    ts, tc, sc, m = (
        y.mean(axis=2, keepdims=True),
        y.mean(axis=1, keepdims=True),
        y.mean(axis=0, keepdims=True),
        y.mean(),
    )
    return (
        S * N * float(np.sum((t - m) ** 2)) / (T - 1),
        N * float(np.sum((ts - t - s + m) ** 2)) / ((T - 1) * (S - 1)),
        S * float(np.sum((tc - t - c + m) ** 2)) / ((T - 1) * (N - 1)),
        float(np.sum((y - ts - tc - sc + t + s + c - m) ** 2)) / ((T - 1) * (S - 1) * (N - 1)),
    )


def hillis_df(result: CrossedResult) -> float:
    """Denominator degrees of freedom of Hillis (2007) for two treatments, from our components."""
    S, N, parts = result.n_seeds[0], result.n_examples, result.components
    ms_reader = N * parts.seed + parts.residual
    return (ms_reader + S * parts.example) ** 2 / (ms_reader**2 / (S - 1))


@pytest.mark.parametrize("study", STUDIES)
def test_areas_are_the_published_ones_and_placements_rescale_to_pseudovalues(
    study: str, pseudo: dict[str, Floats]
) -> None:
    labels, y = ratings(study)
    N, n_positive = len(labels), int(labels.sum())
    size = np.where(labels == 1, n_positive, N - n_positive)
    for arm in (0, 1):
        scores = auroc_scores(labels, y[arm], positive=1)
        areas = scores.mean(axis=1, keepdims=True)
        assert areas[:, 0] == pytest.approx(AREAS[study][arm], abs=5.1e-9)
        # The jackknife divides by one example less of each kind.
        assert areas + (scores - areas) * (N - 1) / N * size / (size - 1) == pytest.approx(
            pseudo[study][arm], abs=1e-10
        )


def test_van_dyke_gives_the_published_f_standard_error_and_components(pseudo: dict[str, Floats]) -> None:
    result = crossed_test(*pseudo["Van Dyke"], paired=True, before_pooling=True)
    # OR-DBM MRMC 2.51 and JAFROC 4.2.1, analysis 1: F = 4.46, standard error 0.02075, t = -2.11; the error term
    # of JAFROC, in single precision, is 0.12269399.
    assert result.design == "A"
    assert result.estimate == pytest.approx(DIFFERENCES["Van Dyke"], abs=5.1e-9)
    assert result.statistic**2 == pytest.approx(4.46, abs=0.0051)
    assert result.statistic == pytest.approx(-2.11, abs=0.0051)
    assert result.standard_error == pytest.approx(0.02075, abs=5.1e-6)
    assert result.standard_error**2 * 5 * 114 / 2 == pytest.approx(0.12269399, rel=3e-6)
    parts = result.components
    # A difference of two treatments has twice the variance of one.
    components = (parts.seed / 2, parts.example / 2, parts.residual / 2)
    assert components == pytest.approx(COMPONENTS["Van Dyke"], abs=5.1e-9)


def test_van_dyke_gives_the_published_p_value_through_the_published_degrees_of_freedom(
    pseudo: dict[str, Floats],
) -> None:
    result = crossed_test(*pseudo["Van Dyke"], paired=True, before_pooling=True)
    df = hillis_df(result)
    assert df == pytest.approx(15.26, abs=0.0051)
    assert 2 * special.stdtr(df, result.statistic) == pytest.approx(0.0517, abs=5.1e-5)
    half = special.stdtrit(df, 0.975) * result.standard_error
    assert (result.estimate - half, result.estimate + half) == pytest.approx((-0.08796, 0.00036), abs=5.1e-6)
    # Ours counts the uncertainty of the case terms too: fewer degrees of freedom, a slightly larger p.
    assert df - 2 < result.df < df
    assert 0.0517 < result.p_value < 0.0517 + 0.002


def test_franken_has_the_published_components_and_is_floored_where_they_are_negative(
    pseudo: dict[str, Floats],
) -> None:
    S, N = 4, 100
    var_reader, var_case, residual = COMPONENTS["Franken"]
    result = crossed_test(*pseudo["Franken"], paired=True, before_pooling=True)
    _, ms_reader, ms_case, ms_resid = mean_squares(pseudo["Franken"])
    components = ((ms_reader - ms_resid) / N, (ms_case - ms_resid) / S, ms_resid)
    assert components == pytest.approx((var_reader, var_case, residual), abs=5.1e-9)
    assert (result.components.seed, result.components.example) == (0, 0)
    assert result.components.residual / 2 == pytest.approx(residual, abs=5.1e-9)
    assert result.standard_error == pytest.approx(math.sqrt(2 * residual / (S * N)), rel=1e-6)
    # Without the floor readers that happen to agree say F = 4.69 and p = 0.1188 on 3 degrees of freedom, from a
    # standard error a quarter of the one that the cases alone leave (0.01916).
    assert (result.estimate / 0.00501) ** 2 == pytest.approx(4.69, abs=0.02)
    assert result.standard_error > 0.01916
    assert result.p_value > 0.1188


@pytest.mark.parametrize("study", STUDIES)
def test_standard_errors_of_single_treatments_are_the_published_ones(study: str, pseudo: dict[str, Floats]) -> None:
    # Against an arm that is always 0, the difference is the treatment itself.
    for scores, expected in zip(pseudo[study], SINGLE_TREATMENT_SE[study], strict=True):
        for paired in (True, False):
            result = crossed_test(scores, np.zeros_like(scores), paired=paired)
            assert result.standard_error == pytest.approx(expected, abs=5.1e-9)


@pytest.mark.parametrize("study", STUDIES)
def test_one_reader_alone_gives_the_published_standard_error(study: str, pseudo: dict[str, Floats]) -> None:
    for reader, expected in enumerate(READER_SE[study]):
        first, second = (np.tile(arm[reader], (4, 1)) for arm in pseudo[study])
        result = crossed_test(first, second, paired=True)
        assert result.standard_error == pytest.approx(expected, abs=5.1e-6)
        assert result.df == pytest.approx(first.shape[1] - 1)
        if study == "Van Dyke":
            t, p = READER_TESTS[reader]
            assert result.statistic == pytest.approx(t, abs=0.0051)
            assert result.p_value == pytest.approx(p, abs=5.1e-5)


def test_readers_held_fixed_give_the_published_test_over_cases(pseudo: dict[str, Floats]) -> None:
    first, second = (np.tile(arm.mean(axis=0), (4, 1)) for arm in pseudo["Van Dyke"])
    result = crossed_test(first, second, paired=True)
    # JAFROC 4.2.1, analysis 2(b): standard error, t, p, limits.
    assert result.standard_error == pytest.approx(0.01872, abs=5.1e-6)
    assert result.statistic == pytest.approx(-2.34, abs=0.0051)
    assert result.p_value == pytest.approx(0.0210, abs=5.1e-5)
    assert result.interval() == pytest.approx((-0.08088, -0.00672), abs=5.1e-6)


@pytest.mark.parametrize("study", STUDIES)
def test_cases_held_fixed_give_the_published_paired_t_over_readers(study: str) -> None:
    labels, y = ratings(study)
    result = paired_t(*(auroc_scores(labels, arm, positive=1).mean(axis=1) for arm in y))
    se, t, p, low, high = FIXED_CASES[study]
    assert result.standard_error == pytest.approx(se, abs=5.1e-6)
    assert result.statistic == pytest.approx(t, abs=0.0051)
    assert result.p_value == pytest.approx(p, abs=5.1e-5)
    assert result.interval() == pytest.approx((low, high), abs=5.1e-6)


@pytest.mark.parametrize("study", STUDIES)
def test_mean_squares_equal_the_three_way_anova_of_r(study: str, pseudo: dict[str, Floats]) -> None:
    y = pseudo[study]
    S, N = y.shape[1:]
    ms_treatment, ms_reader, ms_case, ms_resid = R_MEAN_SQUARES[study]
    assert mean_squares(y) == pytest.approx(R_MEAN_SQUARES[study], rel=1e-11)
    result = crossed_test(*y, paired=True, before_pooling=True)
    floored = max(ms_reader, ms_resid)
    error = floored + max(ms_case - ms_resid, 0)
    spread = floored**2 / (S - 1) + ms_case**2 / (N - 1) + ms_resid**2 / ((S - 1) * (N - 1))
    assert result.statistic**2 == pytest.approx(ms_treatment / error, rel=1e-10)
    assert result.df == pytest.approx(error**2 / spread, rel=1e-10)
    assert result.components.seed == pytest.approx(2 * max(ms_reader - ms_resid, 0) / N, rel=1e-10)
    assert result.components.example == pytest.approx(2 * max(ms_case - ms_resid, 0) / S, rel=1e-10)
    assert result.components.residual == pytest.approx(2 * ms_resid, rel=1e-11)


def test_van_dyke_equals_a_mixed_model_by_reml(pseudo: dict[str, Floats]) -> None:
    result = crossed_test(*pseudo["Van Dyke"], paired=True, before_pooling=True)
    parts = result.components
    # lmer stops within about 1e-5 of the optimum.
    figures = (result.standard_error, parts.seed, parts.example, parts.residual)
    assert figures == pytest.approx(LME4, rel=1e-4)
    for scores, expected in zip(pseudo["Van Dyke"], LME4_SINGLE, strict=True):
        single = crossed_test(scores, np.zeros_like(scores), paired=True, before_pooling=True)
        assert single.standard_error == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("study", STUDIES)
def test_different_readers_in_each_arm_equal_the_anovas_of_r(study: str, pseudo: dict[str, Floats]) -> None:
    first, second = pseudo[study][0][:2], pseudo[study][1][2:]
    N = first.shape[1]
    reader_1, resid_1, reader_2, resid_2, var_case = R_ARMS[study]
    result = crossed_test(first, second, paired=False)
    A_1, A_2 = max(reader_1, resid_1) / (len(first) * N), max(reader_2, resid_2) / (len(second) * N)
    example = max(var_case - resid_1 / len(first) - resid_2 / len(second), 0)
    assert result.design == "B"
    assert result.standard_error**2 == pytest.approx(A_1 + A_2 + example / N, rel=1e-10)
    # Readers of unequal number: the degrees of freedom count each arm's share with the caution of its own readers.
    # Up to three in both arms are counted as they are.
    equal = len(first) == len(second)
    assert not equal or len(first) < 4
    c_1, c_2 = (1 if equal else 1 + (3.5 / (len(arm) - 1)) ** 2 for arm in (first, second))
    spread = (c_1 * A_1) ** 2 / (len(first) - 1) + (c_2 * A_2) ** 2 / (len(second) - 1) + (var_case / N) ** 2 / (N - 1)
    assert result.df == pytest.approx((c_1 * A_1 + c_2 * A_2 + example / N) ** 2 / spread, rel=1e-9)
    assert result.components.example == pytest.approx(example, rel=1e-10)


def test_independent_readers_follow_from_the_published_covariances(pseudo: dict[str, Floats]) -> None:
    # OR-DBM MRMC 2.51, Van Dyke: reader mean squares and Cov2 by treatment, Cov1, Cov3. With readers apart, the
    # covariance between treatments is subtracted as it is in the data: one pair in five is the same reader.
    readers, within = 0.00308263 + 0.00130460, 0.00048396 + 0.00020419
    between = (0.00034661 + 4 * 0.00023903) / 5
    result = crossed_test(*pseudo["Van Dyke"], paired=False)
    assert result.standard_error**2 == pytest.approx(readers / 5 + within - 2 * between, abs=3e-8)
    paired = crossed_test(*pseudo["Van Dyke"], paired=True)
    assert paired.p_value == pytest.approx(result.p_value, rel=1e-12)


@pytest.mark.parametrize("study", STUDIES)
def test_placement_values_stay_within_two_percent_of_the_jackknife(study: str, pseudo: dict[str, Floats]) -> None:
    labels, y = ratings(study)
    result = crossed_test(*(auroc_scores(labels, arm, positive=1) for arm in y), paired=True)
    jackknife = crossed_test(*pseudo[study], paired=True)
    assert result.estimate == pytest.approx(jackknife.estimate, abs=1e-12)
    # Their variance has n in place of n - 1 in each class, so it is never the larger one.
    assert 0.98 * jackknife.standard_error < result.standard_error < jackknife.standard_error


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("paired", [True, False])
def test_order_of_treatments_readers_and_cases_does_not_matter(
    study: str, paired: bool, pseudo: dict[str, Floats]
) -> None:
    y = pseudo[study]
    result = crossed_test(*y, paired=paired)
    turned = crossed_test(*y[::-1, ::-1, ::-1], paired=paired)
    assert turned.estimate == pytest.approx(-result.estimate, rel=1e-10)
    assert (turned.p_value, turned.df) == pytest.approx((result.p_value, result.df), rel=1e-10)


# OR-DBM MRMC 2.51 and JAFROC 4.2.1, Zanca: "TREATMENT x READER AUC ESTIMATES" of the first treatment, T*R and error
# mean square of the areas, standard error, degrees of freedom and p of every difference of two treatments.
ZANCA_AREAS = (0.90425, 0.79820, 0.81175, 0.86645)
ZANCA_MEAN_SQUARE, ZANCA_ERROR, ZANCA_SE, ZANCA_DF = 0.00046221, 0.00054695, 0.01654, 16.80
ZANCA_P = (0.7616, 0.0477, 0.7475, 0.0402, 0.0258, 0.9851, 0.0216, 0.0249, 0.9312, 0.0208)


def test_five_treatments_pooled_give_the_published_degrees_of_freedom_and_p_values() -> None:
    y = pseudovalues("Zanca")
    T, S, N = y.shape
    assert y[0].mean(axis=1) == pytest.approx(ZANCA_AREAS, abs=1e-9)
    spread = pooled_seed_spread(list(y))
    assert (spread.n_arms, spread.df) == (T, (T - 1) * (S - 1)) == (5, 12)
    # A difference of two treatments has twice the variance of one, and a pseudovalue is N times as far out as an area.
    assert spread.mean_square / 2 / N == pytest.approx(ZANCA_MEAN_SQUARE, abs=5.1e-9)
    # The programs pool treatment x case and residual too; then all differences share one standard error.
    _, ms_reader, ms_case, ms_resid = mean_squares(y)
    assert spread.mean_square == pytest.approx(2 * ms_reader, rel=1e-11)
    error = spread.mean_square / 2 + ms_case - ms_resid
    assert error / N == pytest.approx(ZANCA_ERROR, abs=5.1e-9)
    se, df = math.sqrt(2 * error / (S * N)), error**2 / ((spread.mean_square / 2) ** 2 / spread.df)
    assert (se, df) == (pytest.approx(ZANCA_SE, abs=5.1e-6), pytest.approx(ZANCA_DF, abs=0.0051))
    pairs = [(first, second) for first in range(T) for second in range(first + 1, T)]
    results = [crossed_test(y[first], y[second], paired=True, spread=spread) for first, second in pairs]
    for result, expected in zip(results, ZANCA_P, strict=True):
        assert 2 * special.stdtr(df, -abs(result.estimate) / se) == pytest.approx(expected, abs=5.1e-5)
    # Ours takes treatment x case by pair. On average over the pairs it is the pooled one, but for the floor at 0.
    by_pair = [one.components.example * S + one.components.residual for one in results]
    assert 2 * ms_case <= np.mean(by_pair) < 2 * ms_case * 1.005
    assert np.mean([one.components.residual for one in results]) == pytest.approx(2 * ms_resid, rel=1e-10)
    # The readers vary less than the residual, so the floor takes its place, pair by pair.
    floors = [max(spread.mean_square, one.components.residual) for one in results]
    assert sum(floor > spread.mean_square for floor in floors) >= 5
    for floor, one in zip(floors, results, strict=True):
        assert one.standard_error**2 * S * N == pytest.approx(floor + S * one.components.example, rel=1e-10)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(4, 7), st.integers(3, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 2.0]))
def test_t_squared_is_the_f_of_three_ways_and_df_stay_below_hillis(S: int, N: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(2, S, N)) + spread * rng.normal(size=(2, S, 1)) + spread * rng.normal(size=(2, 1, N))
    ms_treatment, ms_reader, ms_case, ms_resid = mean_squares(y)
    result = crossed_test(*y, paired=True, before_pooling=True)
    F = ms_treatment / (ms_reader + max(ms_case - ms_resid, 0))
    if ms_reader >= ms_resid:
        assert result.statistic**2 == pytest.approx(F, rel=1e-8)
    else:
        assert result.statistic**2 <= F
    assert result.df <= hillis_df(result) * (1 + 1e-9)
