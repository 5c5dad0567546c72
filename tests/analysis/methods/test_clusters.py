from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis import tables
from analysis.errors import AlignmentError, RecordError
from analysis.methods.clusters import cluster_numbers, cluster_scores
from analysis.methods.crossed import crossed_test
from analysis.methods.mcnemar import mcnemar
from analysis.methods.mcnemar_clustered import mcnemar_clustered
from analysis.records.loading import load
from analysis.study.report import analyze
from analysis.tables.table import seeds_by_examples

if TYPE_CHECKING:
    from conftest import StudyFolder

SCORES = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1]
CLUSTERS = list("aaabbcddddef")

# Cluster-robust standard error of a mean. In R (sandwich):
#   y <- c(1,0,1,1,0,0,1,1,1,0,1,1); g <- strsplit("aaabbcddddef", "")[[1]]
#   sqrt(vcovCL(lm(y ~ 1), cluster = g, type = "HC0"))
STANDARD_ERRORS = [
    (SCORES, CLUSTERS, 0.08606629658238703),
    ([2.5, -1.0, 0.0, 4.0, 4.0, 1.5], [1, 2, 1, 3, 3, 2], 1.121135337256143),
]


def standard_error(scores: Any) -> float:
    values = np.asarray(scores)
    return float(values.std(ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize(("scores", "clusters", "expected"), STANDARD_ERRORS)
def test_the_standard_error_is_the_cluster_robust_one(scores: Any, clusters: Any, expected: float) -> None:
    assert standard_error(cluster_scores(scores, clusters)) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 5)), min_size=3, max_size=40))
def test_the_standard_error_is_that_of_a_clustered_regression(rows: list[tuple[float, int]]) -> None:
    import statsmodels.api as sm

    scores, clusters = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(set(clusters.tolist())) > 1 and np.ptp(scores) > 1e-3)
    fit = sm.OLS(scores, np.ones(len(scores))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    made = cluster_scores(scores, clusters)
    assert made.mean() == pytest.approx(fit.params[0], abs=1e-12)
    assert standard_error(made) == pytest.approx(fit.bse[0], rel=1e-6, abs=1e-9)


def test_one_example_in_each_cluster_changes_nothing(rng: np.random.Generator) -> None:
    scores = rng.random((3, 20))
    np.testing.assert_allclose(cluster_scores(scores, [f"doc {i}" for i in range(20)]), scores, rtol=0, atol=1e-15)
    assert cluster_scores(scores[0], range(20)).shape == (20,)


def test_row_means_stay_whatever_the_sizes(rng: np.random.Generator) -> None:
    scores, clusters = rng.random((4, 60)), np.minimum(rng.geometric(0.2, size=60), 7)
    made = cluster_scores(scores, clusters)
    assert made.shape == (4, len(set(clusters.tolist())))
    np.testing.assert_allclose(made.mean(axis=1), scores.mean(axis=1), rtol=1e-13)


def test_columns_follow_the_first_examples_and_names_do_not_matter(rng: np.random.Generator) -> None:
    scores = rng.random((2, 6))
    made = cluster_scores(scores, ["z", "b", "z", "a", "b", "b"])
    np.testing.assert_array_equal(made, cluster_scores(scores, np.array([7, 1, 7, 0, 1, 1])))
    # By hand: mean + G / N * sum of the deviations, G = 3 and N = 6.
    means = scores.mean(axis=1)
    np.testing.assert_allclose(made[:, 0], means + 0.5 * (scores[:, 0] + scores[:, 2] - 2 * means))
    np.testing.assert_allclose(made[:, 2], means + 0.5 * (scores[:, 3] - means))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    seeds=st.integers(2, 6),
    n=st.integers(3, 25),
    copies=st.integers(2, 6),
    shuffled=st.booleans(),
)
def test_copies_of_the_examples_add_nothing(seed: int, seeds: int, n: int, copies: int, shuffled: bool) -> None:
    rng = np.random.default_rng(seed)
    treatment, baseline = (rng.random((2, seeds, n)) < 0.7).astype(float)
    clusters, which = np.repeat(np.arange(n), copies), np.arange(n * copies)
    if shuffled:
        rng.shuffle(which)
    made = [cluster_scores(np.repeat(arm, copies, axis=1)[:, which], clusters[which]) for arm in (treatment, baseline)]
    once, again = crossed_test(treatment, baseline, paired=True), crossed_test(*made, paired=True)
    assert again.n_examples == n
    assert again.estimate == pytest.approx(once.estimate, abs=1e-12)
    assert again.standard_error == pytest.approx(once.standard_error, rel=1e-9, abs=1e-12, nan_ok=True)
    assert again.p_value == pytest.approx(once.p_value, rel=1e-6, nan_ok=True)


def test_examples_alike_within_clusters_fool_the_plain_test_and_not_the_clustered_one() -> None:
    # Equal arms without a seed effect; documents of 1 to 9 examples, right or wrong as a whole but for some noise.
    rng, studies, plain, clustered = np.random.default_rng(5), 300, 0, 0
    for _ in range(studies):
        clusters = np.repeat(np.arange(50), rng.integers(1, 10, size=50))
        right = rng.random((2, 1, 50)) < 0.85
        flipped = rng.random((2, 4, 50)) < 0.03
        treatment, baseline = (right ^ flipped)[:, :, clusters].astype(float)
        plain += crossed_test(treatment, baseline, paired=True).p_value < 0.05
        made = [cluster_scores(arm, clusters) for arm in (treatment, baseline)]
        clustered += crossed_test(*made, paired=True).p_value < 0.05
    # At most one in 4,000 binomial draws of 300 at .05 lies outside 4 to 31; the plain test rejects a quarter and more.
    assert plain > 75
    assert 3 < clustered < 32


def test_one_run_of_nan_stays_nan() -> None:
    made = cluster_scores([[np.nan] * 4, [1, 0, 1, 1]], [0, 0, 1, 1])
    assert np.isnan(made[0]).all()
    assert np.isfinite(made[1]).all()


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan")])
def test_a_missing_label_is_refused_and_makes_no_cluster_of_its_own(missing: Any) -> None:
    with pytest.raises(ValueError, match="missing label"):
        cluster_scores([1, 0, 1], ["a", missing, "b"])
    with pytest.raises(ValueError, match="missing label"):
        mcnemar_clustered([1, 0, 1], [1, 1, 1], ["a", missing, "b"])


@pytest.mark.parametrize(
    ("scores", "clusters", "message"),
    [
        ([1, 0, 1], ["a", "b"], "got 2 for 3 examples"),
        ([[1, 0], [1, 1]], ["a", "b", "c"], "got 3 for 2 examples"),
        ([1, 0], [["a"], ["b"]], "one row of labels"),
        ([1, 0], np.zeros((2, 2)), "one row of labels"),
        ([[[1, 0]]], ["a", "b"], r"got shape \(1, 1, 2\)"),
        ([], [], r"got shape \(0,\)"),
        (1.0, ["a"], r"got shape \(\)"),
    ],
)
def test_bad_input_says_what_it_got(scores: Any, clusters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_scores(scores, clusters)


def test_numbers_come_in_the_order_of_first_examples() -> None:
    assert cluster_numbers(iter(["x", "a", "x", "b"]), 4).tolist() == [0, 1, 0, 2]


def grouped(folder: StudyFolder, clusters: list[Any], *, ids: list[Any] | None = None) -> StudyFolder:
    folder.change_manifest(lambda content: content["data"].update(cluster="document"))
    names = [f"id-{i}" for i in range(len(clusters))] if ids is None else ids
    pq.write_table(pa.table({"example_id": names, "cluster": clusters}), folder.root / "clusters.parquet")
    return folder


BY_DOCUMENT = [f"doc {i % 40}" for i in range(120)]


@pytest.fixture
def small(tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator) -> StudyFolder:
    folder: StudyFolder = write_study(tmp_path / "s", simulated(rng, {"full": 0.9, "lora": 0.8}, seeds=4, examples=120))
    return folder


def test_a_study_with_clusters_is_judged_by_cluster(small: StudyFolder) -> None:
    plain = analyze(small.root, resamples=199)
    assert plain.n_clusters is None
    assert plain.comparisons[0].n_clusters is None
    report = analyze(grouped(small, BY_DOCUMENT).root, resamples=199)
    scores = {arm: load(small.root).scores(arm) for arm in ("full", "lora")}
    (comparison,) = report.comparisons
    by_cluster = [cluster_scores(scores[arm], BY_DOCUMENT) for arm in ("lora", "full")]
    assert (report.n_clusters, comparison.n_clusters, comparison.n_examples) == (40, 40, 120)
    assert comparison.result == crossed_test(*by_cluster, paired=True)
    assert comparison.estimate == pytest.approx(plain.comparisons[0].estimate)
    assert comparison.mcnemar == tuple(
        mcnemar_clustered(scores["lora"][seed], scores["full"][seed], BY_DOCUMENT) for seed in range(4)
    )
    assert plain.comparisons[0].mcnemar[0] == mcnemar(scores["lora"][0], scores["full"][0])
    # Over seeds, on this very test set, clusters change nothing.
    assert comparison.sign_flip == plain.comparisons[0].sign_flip
    assert tables.build(report)[0].rows[0][-3] == "4 × 120 in 40 clusters"
    assert "in 40 clusters" not in tables.markdown(plain)
    assert seeds_by_examples(4, 120, 120) == "4 × 120"


def test_the_order_of_the_cluster_file_does_not_matter(small: StudyFolder) -> None:
    report = analyze(grouped(small, BY_DOCUMENT).root, resamples=199)
    ids = [f"id-{i}" for i in range(120)]
    again = analyze(grouped(small, BY_DOCUMENT[::-1], ids=ids[::-1]).root, resamples=199)
    assert again.comparisons[0].result == report.comparisons[0].result


def test_one_example_in_each_cluster_leaves_the_figures(small: StudyFolder) -> None:
    plain = analyze(small.root, resamples=199).comparisons[0]
    single = analyze(grouped(small, [str(i) for i in range(120)]).root, resamples=199).comparisons[0]
    assert single.result is not None
    assert plain.result is not None
    assert single.result.p_value == pytest.approx(plain.result.p_value)
    assert single.interval == pytest.approx(plain.interval)
    assert [run.p_exact for run in single.mcnemar] == pytest.approx([run.p_exact for run in plain.mcnemar])


def test_one_cluster_alone_gives_no_verdict(small: StudyFolder) -> None:
    report = analyze(grouped(small, ["all"] * 120).root, resamples=199)
    assert report.n_clusters == 1
    assert report.comparisons[0].verdict.label == "no verdict"
    assert "says nothing about new examples" in report.comparisons[0].verdict.reason
    assert "4 × 120 in 1 cluster" in tables.markdown(report)


def test_a_missing_cluster_file_is_named(small: StudyFolder) -> None:
    small.change_manifest(lambda content: content["data"].update(cluster="document"))
    with pytest.raises(RecordError, match=r"clusters\.parquet does not exist"):
        load(small.root)


def test_an_example_without_a_cluster_is_named(small: StudyFolder) -> None:
    with pytest.raises(
        AlignmentError, match=r"clusters\.parquet names no cluster for 1 of 120 test examples, first 'id-119'"
    ):
        load(grouped(small, BY_DOCUMENT[:-1]).root)


@pytest.mark.parametrize(
    ("clusters", "ids", "message"),
    [
        ([*BY_DOCUMENT[:-1], None], None, "a value is missing"),
        (BY_DOCUMENT, ["id-0"] * 120, "an example id occurs twice"),
    ],
)
def test_a_spoiled_cluster_file_is_refused(small: StudyFolder, clusters: Any, ids: Any, message: str) -> None:
    with pytest.raises(RecordError, match=rf"clusters\.parquet cannot be used: {message}"):
        load(grouped(small, clusters, ids=ids).root)
    (small.root / "clusters.parquet").write_text("no table")
    with pytest.raises(RecordError, match=r"clusters\.parquet cannot be read"):
        load(small.root)


def test_a_cluster_file_that_the_study_does_not_declare_is_not_read(small: StudyFolder) -> None:
    (small.root / "clusters.parquet").write_text("no table")
    assert load(small.root).clusters is None
