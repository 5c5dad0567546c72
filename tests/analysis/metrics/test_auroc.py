from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.methods.crossed import crossed_test
from analysis.metrics.auroc import auroc_scores

# Ratings of CT images, 1 definitely normal to 5 definitely abnormal, of 58 normal and 51 abnormal patients:
# Hanley and McNeil (1982), Radiology 143, 29-36, table I; they report an area of 0.893.
CT = ([33, 6, 6, 11, 2], [3, 2, 2, 11, 33])
# R, pROC: data(aSAH); table(aSAH$outcome, aSAH$wfns), good and poor outcome by grade 1 to 5.
WFNS = ([37, 20, 3, 8, 4], [2, 12, 1, 8, 18])
# Made up, with ties. R: y <- c(rep(0, 8), rep(1, 6)), and a and b as below.
OUTCOME = [0] * 8 + [1] * 6
TEST_A = [0.12, 0.35, 0.35, 0.20, 0.51, 0.44, 0.08, 0.60, 0.35, 0.72, 0.66, 0.51, 0.90, 0.81]
TEST_B = [0.30, 0.22, 0.41, 0.10, 0.70, 0.44, 0.15, 0.38, 0.44, 0.61, 0.25, 0.59, 0.77, 0.95]


def ratings(table: tuple[list[int], list[int]]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1], [sum(row) for row in table])
    return labels, np.concatenate([np.repeat(range(1, 6), row) for row in table])


# Area and DeLong's variance. R, pROC 1.18: r <- roc(y, x, direction="<"); auc(r); var(r)
AREAS = [
    (*ratings(CT), 0.893171061528059, 0.000943989270262985),
    (*ratings(WFNS), 0.823678861788618, 0.00146991470882363),
    (np.array(OUTCOME), np.array(TEST_A), 0.885416666666667, 0.00884796626984127),
    (np.array(OUTCOME), np.array(TEST_B), 0.822916666666667, 0.01502356150793651),
]
# R, pROC: roc.test(roc(y, a, direction="<"), roc(y, b, direction="<"), method="delong", paired=TRUE)
DELONG_Z, DELONG_P, DELONG_COVARIANCE = 0.441367414752375, 0.658947028345216, 0.00190972222222222


def delong_parts(labels: np.ndarray, influence: np.ndarray) -> tuple[float, float]:
    """S10 / N1 and S01 / N0 from influence values: the placements are these times the side's share."""
    N = len(labels)
    parts = []
    for side in (labels == 1, labels == 0):
        n = int(side.sum())
        parts.append(float(np.var(influence[side] * n / N, ddof=1)) / n)
    return parts[0], parts[1]


@pytest.mark.parametrize(("labels", "scores", "area", "variance"), AREAS)
def test_area_and_variance_equal_delong(labels: np.ndarray, scores: np.ndarray, area: float, variance: float) -> None:
    y = auroc_scores(labels, scores[None], positive=1)[0]
    assert y.mean() == pytest.approx(area, rel=1e-12)
    assert sum(delong_parts(labels, y)) == pytest.approx(variance, rel=1e-12)


def test_gap_between_areas_is_delongs_paired_test() -> None:
    labels = np.array(OUTCOME)
    a, b = auroc_scores(labels, [TEST_A, TEST_B], positive=1)
    delong = sum(delong_parts(labels, a - b))
    z = (a - b).mean() / math.sqrt(delong)
    assert z == pytest.approx(DELONG_Z, rel=1e-12)
    assert 2 * stats.norm.sf(z) == pytest.approx(DELONG_P, rel=1e-12)
    covariance = (sum(delong_parts(labels, a)) + sum(delong_parts(labels, b)) - delong) / 2
    assert covariance == pytest.approx(DELONG_COVARIANCE, rel=1e-12)
    # The crossed test divides by N - 1 once, DeLong by n - 1 on each side.
    result = crossed_test(np.tile(a, (4, 1)), np.tile(b, (4, 1)), paired=True)
    N, n_1, n_0 = 14, 6, 8
    positive, negative = delong_parts(labels, a - b)
    expected = N / (N - 1) * (positive * (n_1 - 1) / n_1 + negative * (n_0 - 1) / n_0)
    assert result.standard_error**2 == pytest.approx(expected, rel=1e-12)
    assert result.estimate == pytest.approx(0.0625, rel=1e-12)


def test_gap_between_areas_at_a_usual_size_has_delongs_p_value() -> None:
    rng = np.random.default_rng(30)
    labels = rng.integers(0, 2, 2000)
    first = labels + rng.normal(size=2000)
    scores = np.stack([first, first + rng.normal(scale=0.6, size=2000)])
    a, b = auroc_scores(labels, scores, positive=1)
    z = (a - b).mean() / math.sqrt(sum(delong_parts(labels, a - b)))
    result = crossed_test(np.tile(a, (4, 1)), np.tile(b, (4, 1)), paired=True)
    assert result.statistic == pytest.approx(z, rel=1e-3)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=25))
def test_area_is_the_share_of_pairs(pairs: list[tuple[int, int]]) -> None:
    positives = [score for label, score in pairs if label == 1]
    negatives = [score for label, score in pairs if label == 0]
    won = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    y = auroc_scores([label for label, _ in pairs], [[score for _, score in pairs]], positive=1)
    if won:
        assert y.mean() == pytest.approx(np.mean(won), abs=1e-12)
        above = [np.mean([(p > n) + (p == n) / 2 for n in negatives]) for p in positives]
        below = [np.mean([(p > n) + (p == n) / 2 for p in positives]) for n in negatives]
        N, area = len(pairs), np.mean(won)
        for label, placements in ((1, above), (0, below)):
            scores = y[0][[truth == label for truth, _ in pairs]]
            expected = [area + (v - area) * N / len(placements) for v in placements]
            assert scores == pytest.approx(expected, abs=1e-12)
    else:
        assert np.isnan(y).all()


def test_standard_error_of_a_gap_between_areas_equals_the_bootstrap() -> None:
    rng = np.random.default_rng(31)
    N, levels = 1200, 4
    labels = (rng.random(N) < 0.3).astype(int)
    first = np.clip(labels + rng.integers(0, levels, N), 0, levels - 1)
    second = np.where(rng.random(N) < 0.6, first, rng.integers(0, levels, N))
    joint = np.bincount((labels * levels + first) * levels + second, minlength=2 * levels**2)
    draws = rng.multinomial(N, joint / N, size=6000).reshape(-1, 2, levels, levels)
    wins = np.tri(levels, k=-1) + np.eye(levels) / 2

    def areas(counts: np.ndarray) -> np.ndarray:
        won = np.einsum("bi,ij,bj->b", counts[:, 1], wins, counts[:, 0])
        return won / counts[:, 1].sum(axis=1) / counts[:, 0].sum(axis=1)

    gaps = areas(draws.sum(axis=3)) - areas(draws.sum(axis=2))
    y = auroc_scores(labels, [first, second], positive=1)
    result = crossed_test(np.tile(y[0], (4, 1)), np.tile(y[1], (4, 1)), paired=True)
    assert result.standard_error == pytest.approx(gaps.std(), rel=0.04)


def test_area_depends_on_the_order_of_scores_alone() -> None:
    rng = np.random.default_rng(32)
    labels, scores = rng.integers(0, 3, 30), rng.normal(size=(2, 30)).round(1)
    y = auroc_scores(labels, scores, positive=2)
    assert (auroc_scores(labels, np.exp(scores), positive=2) == y).all()
    assert auroc_scores(labels, -scores, positive=2).mean(axis=1) == pytest.approx(1 - y.mean(axis=1))
    order = rng.permutation(30)
    assert auroc_scores(labels[order], scores[:, order], positive=2) == pytest.approx(y[:, order], rel=1e-12)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_one_class_alone_has_no_area(labels: list[int]) -> None:
    assert np.isnan(auroc_scores(labels, [[0.1, 0.2, 0.3]], positive=1)).all()


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1, 0.2], r"matrix of runs x examples, got shape \(2,\)"),
        ([0, 1], [["a", "b"]], "matrix of runs x examples"),
        ([0, 1], [[0.1, math.nan]], "scores must be finite, got 1 others"),
        ([0, 1, 1], [[0.1, 0.2]], "one column of scores, got 3 and 2"),
        ([0.0, 1.0], [[0.1, 0.2]], "labels must be one row of class numbers"),
    ],
)
def test_bad_scores_are_refused(labels: object, scores: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auroc_scores(labels, scores, positive=1)  # type: ignore[arg-type]
