from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from analysis.mcnemar import mcnemar, mcnemar_from_counts


@pytest.mark.parametrize(
    ("b", "c", "n", "p_exact", "p_mid"),
    [
        # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91: airway
        # hyper-responsiveness before and after stem cell transplantation (1, 1, 7, 12), and response to
        # consolidation therapy (59, 6, 16, 80).
        (1, 7, 21, 0.0703, 0.0391),
        (6, 16, 161, 0.0525, 0.0347),
    ],
)
def test_published_examples(b: int, c: int, n: int, p_exact: float, p_mid: float) -> None:
    result = mcnemar_from_counts(b, c, n=n)
    assert round(result.p_exact, 4) == p_exact
    assert round(result.p_mid, 4) == p_mid


counts = st.tuples(st.integers(0, 300), st.integers(0, 300))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(counts=counts)
def test_exact_p_equals_statsmodels_and_the_binomial_test(counts: tuple[int, int]) -> None:
    b, c = counts
    result = mcnemar_from_counts(b, c, n=601)
    table = [[100, b], [c, 601 - 100 - b - c]]
    if b + c:
        assert result.p_exact == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-9)
        assert result.p_exact == pytest.approx(stats.binomtest(b, b + c).pvalue, rel=1e-9)
        pmf = stats.binom.pmf(min(b, c), b + c, 0.5)
        expected = 1 - pmf / 2 if b == c else result.p_exact - pmf
        assert result.p_mid == pytest.approx(expected, rel=1e-9)
    assert result.p_mid <= result.p_exact <= 1


@settings(deadline=None, derandomize=True, max_examples=50)
@given(counts=counts)
def test_swapping_the_arms(counts: tuple[int, int]) -> None:
    b, c = counts
    one, other = mcnemar_from_counts(b, c, n=600), mcnemar_from_counts(c, b, n=600)
    assert one.estimate == -other.estimate
    assert (one.p_exact, one.p_mid) == (other.p_exact, other.p_mid)


def test_equal_counts_have_no_correction_below_one() -> None:
    assert mcnemar_from_counts(9, 9, n=50).p_exact == 1
    assert mcnemar_from_counts(1, 1, n=50).p_mid == pytest.approx(1 - 0.5 / 2)


def test_no_disagreement() -> None:
    result = mcnemar([1, 0, 1], [1, 0, 1])
    assert (result.p_exact, result.p_mid, result.estimate) == (1, 1, 0)


@pytest.mark.parametrize("c", [0, 3, 40])
def test_large_counts(c: int) -> None:
    result = mcnemar_from_counts(2000, c, n=5000)
    assert 0 <= result.p_mid <= result.p_exact < 1e-300


def test_counting_is_directed() -> None:
    treatment = np.array([True, True, True, False, False, True])
    baseline = np.array([False, False, True, True, False, True])
    result = mcnemar(treatment, baseline)
    assert (result.only_treatment, result.only_baseline, result.n) == (2, 1, 6)
    assert result.estimate == pytest.approx(treatment.mean() - baseline.mean())
    assert result.generalizes_to == "examples"
    assert mcnemar(treatment.astype(float), baseline.astype(int)) == result


@pytest.mark.parametrize(
    ("treatment", "baseline", "message"),
    [
        ([1, 0], [1, 0, 1], "same examples, got 2 .* and 3"),
        ([[1, 0]], [[1, 0]], r"treatment must be one row.*\(1, 2\)"),
        ([1, 0], [], "baseline must be one row"),
        ([1, 2], [0, 1], "treatment must hold right"),
        ([1, 0], [0.5, 1], "baseline must hold right"),
        ([1.0, float("nan")], [0, 1], "treatment must hold right"),
    ],
)
def test_bad_answers_are_refused(treatment: list[float], baseline: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcnemar(treatment, baseline)


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 2, 5), (1, -2, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(b: int, c: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"got b={b}, c={c}, n={n}"):
        mcnemar_from_counts(b, c, n=n)
