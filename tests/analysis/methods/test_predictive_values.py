from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.predictive_values import PredictiveValueTest, weighted_generalized_score
from analysis.metrics.confusion_matrix import class_scores, confusion

Cells = tuple[int, int, int, int]
Column = NDArray[np.int64]

# Examples of the class, then of the others; each said to be of the class by both tests, by test 1 alone, by test 2
# alone, by neither. Then, as test 1 minus test 2: PPV 1, PPV 2, statistic, p; NPV 1, NPV 2, statistic, p.
REFERENCES = [
    # Weiner et al. (1979), New England Journal of Medicine 301, 230-235, the data of Kosinski (2013): exercise stress
    # test and history of chest pain. Values: R package testCompareR 1.1, compareR(cass), in its vignette.
    (
        (473, 29, 81, 25),
        (22, 46, 44, 151),
        (0.881, 0.894, 0.8070579, 0.3689915),
        (0.648, 0.785, 22.50225, 2.098972e-06),
    ),
    # R package DTComPair 1.2.6: data(Paired1); pv.wgs(tab.paired(d = d, y1 = y1, y2 = y2, data = Paired1)).
    (
        (319, 78, 22, 32),
        (31, 53, 22, 155),
        (0.82536383, 0.86548223, 5.46588745, 0.01939120),
        (0.7662338, 0.6540881, 16.53540, 4.775012e-05),
    ),
    # testCompareR 1.1, its tests of compareR: cases 2 and 1, in which one test's predictions hold the other's.
    (
        (280, 20, 0, 100),
        (55, 10, 0, 135),
        (0.8219, 0.8358, 3.171214, 0.07494674),
        (0.5745, 0.5472, 5.653882, 0.01741677),
    ),
    ((300, 5, 0, 95), (50, 0, 1, 149), (0.8592, 0.8547, 2.954559, None), (0.6122, 0.5984, 5.888888, None)),
]


def _columns(of_class: Cells, others: Cells) -> tuple[Column, Column, Column]:
    counts = [*of_class, *others]
    labels = np.repeat([1, 1, 1, 1, 0, 0, 0, 0], counts)
    return labels, np.repeat([1, 1, 0, 0] * 2, counts), np.repeat([1, 0, 1, 0] * 2, counts)


@pytest.mark.parametrize(("of_class", "others", "precision", "negative"), REFERENCES)
def test_reference_values(
    of_class: Cells,
    others: Cells,
    precision: tuple[float, float, float, float | None],
    negative: tuple[float, float, float, float | None],
) -> None:
    labels, one, two = _columns(of_class, others)
    result = weighted_generalized_score(labels, one, two, positive=1)
    for test, (value_1, value_2, statistic, p) in (
        (result.precision, precision),
        (result.negative_predictive_value, negative),
    ):
        assert (test.value_treatment, test.value_baseline) == pytest.approx((value_1, value_2), abs=5.1e-4)
        assert test.difference == test.value_treatment - test.value_baseline
        assert test.statistic == pytest.approx(statistic, rel=1e-6)
        if p is not None:
            assert test.p_value == pytest.approx(p, rel=1e-6)
        assert test.reason == ""
    assert (result.positive, result.n, result.generalizes_to) == (1, len(labels), "examples")


eight = st.tuples(*[st.one_of(st.integers(0, 4), st.integers(0, 120))] * 8).filter(lambda counts: sum(counts) > 0)


def _as_published(of_class: Cells, others: Cells) -> tuple[float, float]:
    """Kosinski's statistic with the covariance written out, and the difference."""
    both, one, two, _ = of_class
    both_wrong, one_wrong, two_wrong, _ = others
    n_1, n_2 = both + one + both_wrong + one_wrong, both + two + both_wrong + two_wrong
    pooled = (2 * both + one + two) / (n_1 + n_2)
    covariance = (both * (1 - pooled) ** 2 + both_wrong * pooled**2) / (n_1 + n_2)
    difference = (both + one) / n_1 - (both + two) / n_2
    return difference**2 / ((pooled * (1 - pooled) - 2 * covariance) * (1 / n_1 + 1 / n_2)), difference


@settings(deadline=None, derandomize=True, max_examples=200)
@given(counts=eight)
def test_equals_the_formula_as_published(counts: tuple[int, ...]) -> None:
    of_class, others = counts[:4], counts[4:]
    result = weighted_generalized_score(*_columns(of_class, others), positive=1)
    # For the negative value the roles change: said by neither becomes said by both, and right becomes wrong.
    mirrored = (others[3], others[2], others[1], others[0]), (of_class[3], of_class[2], of_class[1], of_class[0])
    for test, tables in ((result.precision, (of_class, others)), (result.negative_predictive_value, mirrored)):
        if not math.isnan(test.statistic):
            statistic, difference = _as_published(*tables)
            assert test.difference == pytest.approx(difference, abs=1e-12)
            assert test.statistic == pytest.approx(statistic, rel=1e-6, abs=1e-9)
            assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 1), rel=1e-9)
        assert math.isnan(test.statistic) == (test.reason != "")


@settings(deadline=None, derandomize=True, max_examples=100)
@given(counts=st.tuples(*[st.integers(1, 300)] * 4))
def test_without_common_predictions_it_is_the_two_sample_score_test(counts: tuple[int, ...]) -> None:
    right_1, right_2, wrong_1, wrong_2 = counts
    labels, one, two = _columns((0, right_1, right_2, 0), (0, wrong_1, wrong_2, 0))
    test = weighted_generalized_score(labels, one, two, positive=1).precision
    pearson = stats.chi2_contingency([[right_1, wrong_1], [right_2, wrong_2]], correction=False)
    assert (test.statistic, test.p_value) == pytest.approx((pearson.statistic, pearson.pvalue), rel=1e-9, abs=1e-9)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(counts=eight, seed=st.integers(0, 99))
def test_invariants(counts: tuple[int, ...], seed: int) -> None:
    labels, one, two = _columns(counts[:4], counts[4:])
    result = weighted_generalized_score(labels, one, two, positive=1)
    swapped = weighted_generalized_score(labels, two, one, positive=1)
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = weighted_generalized_score(labels[order], one[order], two[order], positive=1)
    # 1 and 0 become 7 and one of two other classes: what the negative is called, and how many it is, does not matter.
    names = np.array([[3, 7], [-2, 7]])
    which = np.random.default_rng(seed).integers(2, size=(3, len(labels)))
    renamed = weighted_generalized_score(
        names[which[0], labels], names[which[1], one], names[which[2], two], positive=7
    )
    mirrored = weighted_generalized_score(1 - labels, 1 - one, 1 - two, positive=1)
    _same(shuffled.precision, result.precision)
    _same(renamed.precision, result.precision)
    _same(renamed.negative_predictive_value, result.negative_predictive_value)
    _same(mirrored.precision, result.negative_predictive_value)
    for test, other in (
        (result.precision, swapped.precision),
        (result.negative_predictive_value, swapped.negative_predictive_value),
    ):
        assert (test.difference, test.statistic, test.p_value) == pytest.approx(
            (-other.difference, other.statistic, other.p_value), nan_ok=True
        )


def _same(one: PredictiveValueTest, other: PredictiveValueTest) -> None:
    for name in ("value_treatment", "value_baseline", "difference", "statistic", "p_value"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True), name


def test_precision_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(5)
    labels, one, two = rng.integers(4, size=(3, 300))
    for positive in range(4):
        test = weighted_generalized_score(labels, one, two, positive=positive).precision
        for value, answers in ((test.value_treatment, one), (test.value_baseline, two)):
            assert value == class_scores(confusion(labels, answers, n_classes=4)).precision[positive]


def test_size_under_the_null_hypothesis() -> None:
    # Two models with unequal numbers of predictions and equal predictive values, that mostly agree: the variance must
    # use the covariance (without it the rate would be near 0) and the pooled share.
    rng = np.random.default_rng(20130)
    cells = np.array([0.30, 0.06, 0.03, 0.11, 0.06, 0.012, 0.006, 0.422])
    right, wrong = cells[:4], cells[4:]
    assert (right[0] + right[1]) / (right[0] + right[1] + wrong[0] + wrong[1]) == pytest.approx(
        (right[0] + right[2]) / (right[0] + right[2] + wrong[0] + wrong[2])
    )
    rejected = 0
    for draw in rng.multinomial(600, cells, size=2000):
        columns = _columns(tuple(draw[:4].tolist()), tuple(draw[4:].tolist()))
        rejected += weighted_generalized_score(*columns, positive=1).precision.p_value < 0.05
    # Within three standard errors of 0.05.
    assert 0.035 < rejected / 2000 < 0.065


def test_a_class_that_a_model_never_predicts() -> None:
    labels, one, two = [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]
    result = weighted_generalized_score(labels, one, two, positive=1)
    precision = result.precision
    assert precision.value_treatment == 0.5
    assert all(
        math.isnan(value)
        for value in (precision.value_baseline, precision.difference, precision.statistic, precision.p_value)
    )
    assert precision.reason == "the baseline never predicts class 1"
    assert result.negative_predictive_value.reason == ""
    assert not math.isnan(result.negative_predictive_value.p_value)
    neither = weighted_generalized_score(labels, two, two, positive=1).precision
    assert neither.reason == "the treatment never predicts class 1; the baseline never predicts class 1"
    always = weighted_generalized_score(labels, one, [1, 1, 1, 1], positive=1).negative_predictive_value
    assert always.reason == "the baseline never predicts any class but 1"


@pytest.mark.parametrize(
    ("labels", "one", "two", "reason"),
    [
        ([1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], "both models predict class 1 for the same examples"),
        ([1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], "every prediction of class 1 is right"),
        ([0, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], "every prediction of class 1 is wrong"),
    ],
)
def test_no_spread_and_no_gap_is_no_evidence(labels: list[int], one: list[int], two: list[int], reason: str) -> None:
    test = weighted_generalized_score(labels, one, two, positive=1).precision
    assert (test.difference, test.p_value, test.reason) == (0, 1, reason)
    assert math.isnan(test.statistic)


@pytest.mark.parametrize(
    ("labels", "treatment", "baseline", "message"),
    [
        ([1, 0], [1, 0, 1], [1, 0], "same examples, got 2 labels, 3 for the treatment and 2 for the baseline"),
        ([[1, 0]], [1, 0], [1, 0], r"labels must be one class per example, got shape \(1, 2\)"),
        ([1, 0], [], [1, 0], "treatment must be one class per example"),
        ([1, 0], [1, 0], [0.5, 1.0], "baseline must hold class numbers"),
        ([1, 0], [1, float("nan")], [0, 1], "treatment must hold class numbers"),
        (["a", "b"], [1, 0], [0, 1], "labels must hold class numbers"),
    ],
)
def test_bad_input_is_refused(labels: list[int], treatment: list[float], baseline: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_generalized_score(labels, treatment, baseline, positive=1)
