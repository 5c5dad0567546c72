from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.methods.crossed import crossed_test
from analysis.metrics.auroc import auroc_scores
from analysis.metrics.calibration_error import brier_scores, log_loss_scores
from analysis.metrics.confusion_matrix import class_scores, confusion
from analysis.metrics.confusion_metrics import ConfusionMetric, confusion_metric
from analysis.metrics.influence import confusion_scores, metric_scores
from analysis.metrics.metric_kinds import METRICS

OF_CLASSES = [name for name, kind in METRICS.items() if kind.task == "classification"]
OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")

# R: m <- matrix(c(50,5,3, 8,30,12, 2,6,44), 3, byrow=TRUE)
THREE = [[50, 5, 3], [8, 30, 12], [2, 6, 44]]
# R: b <- matrix(c(50,10, 20,20), 2, byrow=TRUE)
TWO = [[50, 10], [20, 20]]

# Counts, metric, value, where from.
VALUES: list[tuple[list[list[int]], str, float, str]] = [
    (
        THREE,
        "mcc",
        0.663843189575734,
        "R: t <- rep(1:3, rowSums(m)); p <- unlist(lapply(1:3, function(j) rep(1:3, m[j,]))); "
        "X <- model.matrix(~factor(t)-1); Y <- model.matrix(~factor(p)-1); "
        "sum(diag(cov(X,Y))) / sqrt(sum(diag(cov(X))) * sum(diag(cov(Y))))",
    ),
    (TWO, "mcc", 0.356348322549899, "R: cor(rep(0:1, rowSums(b)), c(rep(0:1, b[1,]), rep(0:1, b[2,])))"),
    (THREE, "balanced_accuracy", 0.769407603890362, "R: mean(diag(m) / rowSums(m))"),
    (
        THREE,
        "macro_f1",
        0.766530359750699,
        "R: r <- diag(m)/rowSums(m); p <- diag(m)/colSums(m); mean(2*r*p/(r+p))",
    ),
    (THREE, "precision:1", 0.731707317073171, "R: (diag(m) / colSums(m))[2]"),
    (THREE, "f1:2", 0.792792792792793, "R: (2*r*p/(r+p))[3]"),
    # y_true = [0, 1, 2, 0, 1, 2], y_pred = [0, 2, 1, 0, 0, 1]: 2 of class 0 found, 1 of class 1 called 0, ...
    ([[2, 0, 0], [1, 0, 1], [0, 2, 0]], "macro_f1", 0.8 / 3, "scikit-learn 1.9 documentation of f1_score: 0.267"),
    ([[2, 0, 0], [1, 0, 1], [0, 2, 0]], "f1:0", 0.8, "scikit-learn 1.9 documentation of f1_score"),
    ([[2, 0, 0], [1, 0, 1], [0, 2, 0]], "precision:0", 2 / 3, "scikit-learn 1.9 documentation of precision_score"),
    ([[3, 1], [1, 1]], "balanced_accuracy", 0.625, "scikit-learn 1.9 documentation of balanced_accuracy_score"),
    ([[0, 1], [1, 2]], "mcc", -1 / 3, "scikit-learn 1.9 documentation of matthews_corrcoef: -0.33"),
]

# Standard error over examples of one run (delta method), with metric.
# R: se <- function(f, m) { n <- sum(m); p <- m/n; h <- 1e-4
#      g <- sapply(seq_along(p), function(k) { e <- p*0; e[k] <- h
#             (8*(f(p+e)-f(p-e)) - (f(p+2*e)-f(p-2*e))) / (12*h) })
#      S <- diag(c(p)) - c(p) %o% c(p); sqrt(c(t(g) %*% S %*% g) / n) }
# with f over shares, e.g. function(p) mean(2*diag(p) / (rowSums(p)+colSums(p))).
STANDARD_ERRORS = [
    ("mcc", 0.0486396953926989),
    ("macro_f1", 0.0334783134608633),
    ("balanced_accuracy", 0.0322378630070555),
    ("precision:1", 0.0691960310462484),
    ("f1:1", 0.0575245993827641),
    ("recall:1", 0.0692820323027503),
]

# Ten examples of three classes, and scikit-learn 1.9's metrics of them.
LABELS = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
PROBABILITIES = [
    [0.7, 0.2, 0.1],
    [0.4, 0.5, 0.1],
    [0.6, 0.1, 0.3],
    [0.2, 0.7, 0.1],
    [0.3, 0.4, 0.3],
    [0.5, 0.3, 0.2],
    [0.1, 0.8, 0.1],
    [0.2, 0.2, 0.6],
    [0.1, 0.5, 0.4],
    [0.05, 0.15, 0.8],
]
SKLEARN = {
    "accuracy": 0.7,
    "auroc": 0.9285714285714285,  # roc_auc_score(y, p, multi_class="ovr")
    "log_loss": 0.6134133237986267,
    "brier": 0.3465,  # brier_score_loss(y, p, scale_by_half=False)
    "mcc": 0.5471422245456321,
    "macro_f1": 0.7111111111111111,
    "balanced_accuracy": 0.6944444444444443,
}


def names(n_classes: int) -> list[str]:
    return [*OVERALL, *(f"{kind}:{k}" for kind in ("precision", "recall", "f1") for k in range(n_classes))]


def from_counts(counts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    cells = np.repeat(np.arange(np.size(counts)), np.ravel(counts))
    return np.divmod(cells, len(counts))


def draw_runs(rng: np.random.Generator, S: int, N: int, C: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, C, N)
    return labels, np.where(rng.random((S, N)) < right, labels, rng.integers(0, C, (S, N)))


@pytest.mark.parametrize(("counts", "name", "value", "source"), VALUES)
def test_values_from_elsewhere(counts: list[list[int]], name: str, value: float, source: str) -> None:
    metric = confusion_metric(name, n_classes=len(counts))
    assert source
    assert metric.value(np.array(counts) / np.sum(counts)) == pytest.approx(value, rel=1e-12)
    labels, predictions = from_counts(counts)
    assert confusion_scores(metric, labels, predictions[None]).mean() == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("name", "expected"), STANDARD_ERRORS)
def test_spread_over_examples_is_the_delta_method(name: str, expected: float) -> None:
    labels, predictions = from_counts(THREE)
    scores = confusion_scores(confusion_metric(name, n_classes=3), labels, predictions[None])
    assert scores.std() / math.sqrt(len(labels)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_metrics_of_probabilities_equal_sklearn(name: str) -> None:
    scores = metric_scores(name, LABELS, [PROBABILITIES, PROBABILITIES[::-1]])
    assert scores.shape == (2, 10)
    assert scores[0].mean() == pytest.approx(SKLEARN[name], rel=1e-12)
    assert scores[1].mean() != pytest.approx(SKLEARN[name], rel=1e-3)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    counts=st.integers(2, 4).flatmap(lambda C: arrays(np.int64, (C, C), elements=st.integers(1, 30))),
)
def test_gradients_equal_numerical_differentiation(counts: np.ndarray) -> None:
    C, p, h = len(counts), counts / counts.sum(), 1e-5
    steps = h * np.eye(C * C).reshape(C * C, C, C)
    for name in names(C):
        metric = confusion_metric(name, n_classes=C)
        numerical = (metric.value(p + steps) - metric.value(p - steps)) / (2 * h)
        gradient = metric.gradient(p)
        assert gradient.shape == (C, C)
        # Only differences between cells matter: on the shares, which sum to 1, a constant shifts nothing.
        assert gradient.ravel() == pytest.approx(numerical, rel=1e-4, abs=1e-4), name


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(2, 4), st.integers(1, 40), st.integers(0, 10_000))
def test_row_means_are_the_metrics(C: int, N: int, seed: int) -> None:
    labels, predictions = draw_runs(np.random.default_rng(seed), 3, N, C, 0.6)
    for s, answer in enumerate(predictions):
        cells = confusion(labels, answer, n_classes=C)
        by_class = class_scores(cells)
        expected = {
            f"{kind}:{k}": getattr(by_class, kind)[k] for kind in ("precision", "recall", "f1") for k in range(C)
        }
        expected |= {
            "accuracy": float(np.mean(labels == answer)),
            "balanced_accuracy": float(np.mean(by_class.recall)),
            "macro_f1": float(np.mean(by_class.f1)),
        }
        # Gorodkin's definition: covariances of the indicators, summed over the classes.
        X, Y = np.eye(C)[labels], np.eye(C)[answer]
        X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
        varies = len(set(labels)) > 1 and len(set(answer)) > 1
        expected["mcc"] = float(np.sum(X * Y) / math.sqrt(np.sum(X**2) * np.sum(Y**2))) if varies else math.nan
        for name, value in expected.items():
            scores = confusion_scores(confusion_metric(name, n_classes=C), labels, predictions)
            assert scores.shape == predictions.shape
            assert scores[s].mean() == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name
            assert np.isnan(scores[s]).all() == math.isnan(value)


def test_metrics_take_many_matrices_at_once() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(9), (4, 5)).reshape(4, 5, 3, 3)
    for name in names(3):
        metric = confusion_metric(name, n_classes=3)
        assert metric.value(p).shape == (4, 5)
        assert metric.value(p)[2, 3] == pytest.approx(float(metric.value(p[2, 3])))
        assert metric.gradient(p)[2, 3] == pytest.approx(metric.gradient(p[2, 3]))


@pytest.mark.parametrize("name", [*OVERALL, "precision:2", "recall:1", "f1:2"])
def test_standard_error_of_a_gap_equals_the_bootstrap(name: str) -> None:
    # Two runs on the same examples: one multinomial over (true, treatment's answer, baseline's answer).
    rng = np.random.default_rng(20)
    C, N = 3, 1500
    labels, (treatment, baseline) = draw_runs(rng, 2, N, C, 0.7)
    baseline = np.where(rng.random(N) < 0.5, treatment, baseline)
    metric = confusion_metric(name, n_classes=C)
    joint = np.bincount((labels * C + treatment) * C + baseline, minlength=C**3)
    resampled = rng.multinomial(N, joint / N, size=6000).reshape(-1, C, C, C) / N
    gaps = metric.value(resampled.sum(axis=3)) - metric.value(resampled.sum(axis=2))
    scores = [confusion_scores(metric, labels, np.tile(answers, (4, 1))) for answers in (treatment, baseline)]
    result = crossed_test(*scores, paired=True)
    assert result.standard_error == pytest.approx(gaps.std(), rel=0.04)
    assert result.estimate == pytest.approx(gaps.mean(), abs=4 * gaps.std() / math.sqrt(6000) + 1e-3)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.permutations([0, 1, 2, 3]), st.integers(0, 1000))
def test_names_of_classes_do_not_matter(order: list[int], seed: int) -> None:
    labels, predictions = draw_runs(np.random.default_rng(seed), 2, 60, 4, 0.6)
    renamed = np.array(order)
    pairs = [(name, name) for name in OVERALL]
    pairs += [(f"{kind}:{k}", f"{kind}:{order[k]}") for kind in ("precision", "recall", "f1") for k in range(4)]
    for before, after in pairs:
        old = confusion_scores(confusion_metric(before, n_classes=4), labels, predictions)
        new = confusion_scores(confusion_metric(after, n_classes=4), renamed[labels], renamed[predictions])
        assert new == pytest.approx(old, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["mcc", "macro_f1", "precision:0"])
def test_order_of_runs_and_examples_does_not_matter(name: str) -> None:
    rng = np.random.default_rng(21)
    labels, predictions = draw_runs(rng, 5, 80, 3, 0.6)
    rows, columns = rng.permutation(5), rng.permutation(80)
    metric = confusion_metric(name, n_classes=3)
    scores = confusion_scores(metric, labels, predictions)
    moved = confusion_scores(metric, labels[columns], predictions[rows][:, columns])
    assert moved == pytest.approx(scores[rows][:, columns], rel=1e-12)


def test_recall_by_influence_against_recall_within_the_class() -> None:
    # The columns of one class alone are the same estimate. They take the number of its examples as given, the
    # influence values let it vary; for one trial per arm the variances differ by (n-1)/n terms alone.
    rng = np.random.default_rng(22)
    N = 400
    labels, predictions = draw_runs(rng, 12, N, 2, 0.6)
    in_class = labels == 1
    inside = [(arm[:, in_class] == 1).astype(float) for arm in (predictions[:6], predictions[6:])]
    metric = confusion_metric("recall:1", n_classes=2)
    overall = [confusion_scores(metric, labels, arm) for arm in (predictions[:6], predictions[6:])]
    one = crossed_test(*(np.tile(scores[0], (4, 1)) for scores in inside), paired=True)
    other = crossed_test(*(np.tile(scores[0], (4, 1)) for scores in overall), paired=True)
    n = int(in_class.sum())
    assert other.estimate == pytest.approx(one.estimate, abs=1e-12)
    ratio = (other.standard_error / one.standard_error) ** 2
    assert ratio == pytest.approx((n - 1) / n * N / (N - 1), rel=1e-9)
    one, other = crossed_test(*inside, paired=True), crossed_test(*overall, paired=True)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-12)
    assert other.standard_error == pytest.approx(one.standard_error, rel=0.02)
    assert other.p_value == pytest.approx(one.p_value, rel=0.05)


def test_accuracy_by_influence_is_right_or_wrong() -> None:
    labels, predictions = draw_runs(np.random.default_rng(23), 3, 50, 3, 0.6)
    scores = confusion_scores(confusion_metric("accuracy", n_classes=3), labels, predictions)
    assert scores == pytest.approx((predictions == labels).astype(float), abs=1e-12)
    exact = metric_scores("accuracy", labels, np.eye(3)[predictions])
    assert set(np.unique(exact)) == {0.0, 1.0}
    assert (exact == (predictions == labels)).all()


@pytest.mark.parametrize(
    ("name", "labels", "answers"),
    [
        ("precision:1", [0, 1, 0], [0, 0, 0]),
        ("recall:1", [0, 0, 0], [0, 1, 0]),
        ("f1:1", [0, 0, 0], [0, 1, 0]),
        ("balanced_accuracy", [0, 0, 0], [0, 1, 0]),
        ("macro_f1", [0, 0, 0], [0, 1, 0]),
        ("mcc", [0, 0, 0], [0, 1, 0]),
        ("mcc", [0, 1, 0], [1, 1, 1]),
    ],
)
def test_undefined_is_nan_for_that_run_alone(name: str, labels: list[int], answers: list[int]) -> None:
    metric = confusion_metric(name, n_classes=2)
    rows = confusion_scores(metric, labels, [answers, [0, 1, 1]])
    assert np.isnan(rows[0]).all()
    assert np.isnan(metric.gradient(np.array(confusion(labels, answers, n_classes=2)) / 3)).all()
    if len(set(labels)) == 2:
        assert np.isfinite(rows[1]).all()


def test_class_found_nowhere_has_an_f1_of_0() -> None:
    scores = confusion_scores(confusion_metric("f1:1", n_classes=2), [0, 1, 1], [[0, 0, 0]])
    assert scores.tolist() == [[0.0, 0.0, 0.0]]


def test_rounding_of_shares_does_not_hide_a_constant_answer() -> None:
    # 0.1 + 0.2 + 0.7 is not 1 in floating point; all predictions are of one class.
    p = [[0.1, 0, 0], [0.2, 0, 0], [0.7, 0, 0]]
    assert np.isnan(confusion_metric("mcc", n_classes=3).value(p))


def test_auroc_of_two_classes_is_that_of_class_1() -> None:
    rng = np.random.default_rng(24)
    labels, p = rng.integers(0, 2, 40), rng.dirichlet([1, 1], (3, 40))
    scores = metric_scores("auroc", labels, p)
    assert (scores == auroc_scores(labels, p[:, :, 1], positive=1)).all()
    assert scores.mean(axis=1) == pytest.approx(auroc_scores(labels, p[:, :, 0], positive=0).mean(axis=1))


def test_names_dispatch_to_their_scores() -> None:
    rng = np.random.default_rng(25)
    labels, p = rng.integers(0, 3, 40), rng.dirichlet([1, 1, 1], (3, 40)).astype(np.float32)
    assert (metric_scores("log_loss", labels, p) == log_loss_scores(labels, p)).all()
    assert (metric_scores("brier", labels, p) == brier_scores(labels, p)).all()
    for name in ("balanced_accuracy", "macro_f1", "mcc"):
        metric = confusion_metric(name, n_classes=3)
        assert (metric_scores(name, labels, p) == confusion_scores(metric, labels, p.argmax(axis=2))).all()


def test_the_first_of_equal_probabilities_is_predicted() -> None:
    assert metric_scores("accuracy", [0, 1], [[[0.5, 0.5], [0.5, 0.5]]]).tolist() == [[1.0, 0.0]]


def test_empty_class_leaves_auroc_undefined() -> None:
    p = np.full((2, 4, 3), 1 / 3)
    assert np.isnan(metric_scores("auroc", [0, 1, 0, 1], p)).all()
    assert np.isfinite(metric_scores("accuracy", [0, 1, 0, 1], p)).all()


def test_registry_says_which_way_is_up() -> None:
    assert OF_CLASSES == ["accuracy", "balanced_accuracy", "macro_f1", "mcc", "auroc", "log_loss", "brier"]
    assert [name for name in METRICS if name not in OF_CLASSES] == ["pearson", "spearman", "mse"]
    assert all(kind.name == name and kind.title for name, kind in METRICS.items())
    assert [name for name, kind in METRICS.items() if not kind.higher_is_better] == ["log_loss", "brier", "mse"]
    assert [name for name in OF_CLASSES if not METRICS[name].share] == ["log_loss", "brier"]
    assert not any(METRICS[name].share for name in METRICS if name not in OF_CLASSES)
    good, poor = [[[0.9, 0.1], [0.2, 0.8]]], [[[0.4, 0.6], [0.7, 0.3]]]
    for name in OF_CLASSES:
        gap = metric_scores(name, [0, 1], good).mean() - metric_scores(name, [0, 1], poor).mean()
        assert (gap > 0) == METRICS[name].higher_is_better


def test_metrics_are_values() -> None:
    metric: ConfusionMetric = confusion_metric("macro_f1", n_classes=3)
    assert (metric.name, metric.n_classes) == ("macro_f1", 3)
    assert metric == confusion_metric("macro_f1", n_classes=3)
    assert metric != confusion_metric("macro_f1", n_classes=2)


@pytest.mark.parametrize("name", ["f2", "recall", "recall:3", "recall:-1", "precision:x", "mse", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"accuracy.*precision:0.*f1:2.*macro_f1"):
        confusion_metric(name, n_classes=3)
    with pytest.raises(ValueError, match=r"accuracy.*auroc.*brier"):
        metric_scores(name, LABELS, [PROBABILITIES])


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2, got 1"):
        confusion_metric("mcc", n_classes=1)


def test_shares_of_another_size_are_refused() -> None:
    for name in names(2):
        metric = confusion_metric(name, n_classes=2)
        for method in (metric.value, metric.gradient):
            with pytest.raises(ValueError, match=r"2 x 2 shares, got shape \(3, 3\)"):
                method(np.full((3, 3), 1 / 9))


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [0, 1], r"shapes \(2,\) and \(2,\)"),
        ([0, 1, 1], [[0, 1]], r"shapes \(3,\) and \(1, 2\)"),
        ([], np.zeros((1, 0), dtype=int), r"shapes \(0,\) and \(1, 0\)"),
        ([0, 2], [[0, 1]], "labels must lie between 0 and 1, got 0 to 2"),
        ([0, 1], [[0, -1]], "predictions must lie between 0 and 1, got -1 to 0"),
        ([0, 1], [[0.2, math.nan]], "predictions must be class numbers, got float64"),
        (["a", "b"], [[0, 1]], "labels must be class numbers, got <U1"),
    ],
)
def test_what_is_no_class_is_refused(labels: object, predictions: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_scores(confusion_metric("mcc", n_classes=2), labels, predictions)  # type: ignore[arg-type]
