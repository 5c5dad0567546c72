from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from analysis import tables
from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.variance import pooled_seed_spread
from analysis.records.loading import load
from analysis.study.class_comparisons import MEASURES, ClassComparison
from analysis.study.report import StudyReport, analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

THREE = ("world", "sport", "business")


def rows_of(report: StudyReport) -> Mapping[tuple[str, str, str], ClassComparison]:
    return {
        (comparison.treatment, comparison.label, comparison.measure): comparison
        for comparison in report.class_comparisons
    }


def precision_scores(answers: NDArray[Any], labels: NDArray[Any], label: int) -> NDArray[np.float64]:
    """Precision plus the linearised share of each example, by run: a ratio of two means, Cochran's chapter 6."""
    said = answers == label
    hits, predicted = said & (labels == label), said.mean(axis=1, keepdims=True)
    precision = hits.mean(axis=1, keepdims=True) / predicted
    return np.asarray(precision + (hits - precision * said) / predicted)


@pytest.fixture
def three(tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator) -> StudyFolder:
    scores = simulated(rng, {"full": 0.8, "a": 0.75, "b": 0.8}, seeds=4, examples=90)
    folder: StudyFolder = write_study(tmp_path / "s", scores, classes=THREE)
    return folder


def test_every_row_is_the_crossed_test_of_its_column(three: StudyFolder) -> None:
    report, outcomes = analyze(three.root, resamples=199), load(three.root)
    answers = {arm: outcomes.predicted(arm, seeds=outcomes.seeds) for arm in outcomes.arms}
    labels = outcomes.labels
    assert [
        (comparison.treatment, comparison.label, comparison.measure) for comparison in report.class_comparisons
    ] == list(itertools.product(("a", "b"), THREE, MEASURES))
    for (arm, name, measure), comparison in rows_of(report).items():
        label = THREE.index(name)
        in_class = labels == label
        columns = (
            [np.asarray(answers[side][:, in_class] == label, dtype=float) for side in outcomes.arms]
            if measure == "recall"
            else [precision_scores(answers[side], labels, label) for side in outcomes.arms]
        )
        by_arm = dict(zip(outcomes.arms, columns, strict=True))
        direct = crossed_test(by_arm[arm], by_arm["full"], paired=True, spread=pooled_seed_spread(columns))
        assert comparison.result is not None
        assert comparison.estimate == pytest.approx(direct.estimate, abs=1e-12)
        assert comparison.result.standard_error == pytest.approx(direct.standard_error, rel=1e-9)
        assert comparison.result.p_value == pytest.approx(direct.p_value, rel=1e-8)
        assert comparison.interval == pytest.approx(direct.interval(0.95))
        assert (comparison.confidence, comparison.seeds, comparison.reason) == (0.95, (0, 1, 2, 3), "")
        assert comparison.n_examples == (30 if measure == "recall" else 90)


def test_the_correction_covers_the_whole_table_and_only_it(three: StudyFolder) -> None:
    report = analyze(three.root, resamples=199)
    results = [comparison.result for comparison in report.class_comparisons if comparison.result]
    assert len(results) == 12
    adjusted = joint_step_down(
        [result.p_value for result in results],
        [tost(result.estimate, result.standard_error, result.df, margin=0.01).p_value for result in results],
    )
    assert tuple(comparison.difference_p for comparison in report.class_comparisons) == adjusted.difference
    assert tuple(comparison.equivalence_p for comparison in report.class_comparisons) == adjusted.equivalence


def test_the_gap_of_the_arms_taken_the_other_way_round_is_negated(three: StudyFolder) -> None:
    comparison = rows_of(analyze(three.root, resamples=199))["a", "sport", "precision"]
    three.change_manifest(lambda content: content["analysis"].update(baseline="a"))
    other = rows_of(analyze(three.root, resamples=199))["full", "sport", "precision"]
    assert comparison.result is not None
    assert other.result is not None
    assert other.estimate == pytest.approx(-comparison.estimate)
    assert other.result.p_value == pytest.approx(comparison.result.p_value)


def test_new_names_and_another_order_of_the_classes_change_no_figure(three: StudyFolder) -> None:
    before = rows_of(analyze(three.root, resamples=199))

    def turned(table: pa.Table) -> pa.Table:
        # Class 0 becomes 1, 1 becomes 2, 2 becomes 0.
        labels = pa.array((table["label"].to_numpy() + 1) % 3, pa.int32())
        shares = [table[f"p_{(label - 1) % 3}"] for label in range(3)]
        return pa.table(
            [table["epoch"], table["example_id"], labels, *shares],
            names=["epoch", "example_id", "label", "p_0", "p_1", "p_2"],
        )

    for arm, seed in three.keys:
        three.change_predictions(arm, seed, turned)
    three.change_manifest(lambda content: content["data"].update(classes=["Business", "World", "Sport"]))
    after = rows_of(analyze(three.root, resamples=199))
    for (arm, name, measure), comparison in before.items():
        same = after[arm, name.title(), measure]
        assert comparison.result is not None
        assert same.result is not None
        assert same.estimate == pytest.approx(comparison.estimate, abs=1e-12)
        assert same.result.p_value == pytest.approx(comparison.result.p_value, rel=1e-8)
        assert same.difference_p == pytest.approx(comparison.difference_p, rel=1e-8)


def test_a_planted_gap_is_found_in_its_class_and_in_no_other(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(4)
    full = (rng.random((5, 600)) < 0.95).astype(int)
    lora = (rng.random((5, 600)) < 0.95).astype(int)
    # A class that is missed a third of the time is taken for the next one, "sport": its precision falls as well.
    lora[:, 0::3] &= rng.random((5, 200)) < 0.7
    report = analyze(write_study(tmp_path / "s", {"full": full, "lora": lora}, classes=THREE).root, resamples=199)
    worse = {
        (comparison.label, comparison.measure) for comparison in report.class_comparisons if comparison.verdict.differs
    }
    assert worse == {("world", "recall"), ("sport", "precision")}
    assert rows_of(report)["lora", "world", "recall"].verdict.label == "worse"
    assert rows_of(report)["lora", "world", "recall"].estimate == pytest.approx(-0.28, abs=0.08)


def test_a_class_that_a_seed_never_predicts_has_no_precision_and_spoils_no_other_row(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.8, "other": 0.85}, seeds=4, examples=60)
    scores["lora"][2] = np.arange(60) % 2 == 0
    report = analyze(write_study(tmp_path / "s", scores).root, resamples=199)
    rows = rows_of(report)
    silent = rows["lora", "positive", "precision"]
    assert silent.result is None
    assert silent.reason == "never predicted: lora seed 2"
    assert (silent.verdict.label, silent.verdict.reason) == ("no verdict", silent.reason)
    assert np.isnan([silent.estimate, *silent.interval, silent.difference_p, silent.equivalence_p]).all()
    others = [row for key, row in rows.items() if key != ("lora", "positive", "precision")]
    assert len(others) == 7
    assert all(np.isfinite(row.difference_p) and not row.reason for row in others)
    # Untested, it still counts: the smallest p of the eight rows is multiplied by eight.
    smallest = min(row.result.p_value for row in others if row.result)
    equivalence = min(
        tost(row.estimate, row.result.standard_error, row.result.df, margin=0.01).p_value
        for row in others
        if row.result
    )
    assert smallest < equivalence
    assert min(row.difference_p for row in others) == pytest.approx(min(1.0, 8 * smallest))
    (table,) = [table for table in tables.build(report) if table.title == "Precision and recall by class, compared"]
    assert "lora against full, precision of positive: never predicted: lora seed 2." in table.notes


def test_a_class_without_examples_says_so(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    folder = write_study(tmp_path / "s", simulated(rng, {"full": 0.9, "lora": 0.8}, seeds=4, examples=60))
    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, lambda t: t.append_column("p_2", pa.array(np.zeros(60), pa.float32())))
    folder.change_manifest(lambda content: content["data"]["classes"].append("neutral"))
    rows = rows_of(analyze(folder.root, resamples=199))
    empty = rows["lora", "neutral", "recall"]
    assert (empty.result, empty.n_examples) == (None, 0)
    assert empty.reason == "the test split has no example of this class"
    assert rows["lora", "neutral", "precision"].reason.startswith("never predicted: lora seed 0, ")
    assert rows["lora", "positive", "recall"].result is not None


def test_a_class_with_one_example_gets_no_verdict(tmp_path: Path, write_study: Any, rng: np.random.Generator) -> None:
    scores = {arm: (rng.random((4, 5)) < 0.7).astype(int) for arm in ("full", "lora")}
    for right in scores.values():
        right[:, :2] = 1
    rows = rows_of(analyze(write_study(tmp_path / "s", scores, classes=("a", "b", "c", "d")).root, resamples=199))
    assert rows["lora", "b", "recall"].n_examples == 1
    assert rows["lora", "b", "recall"].verdict.label == "no verdict"
    assert rows["lora", "b", "recall"].verdict.reason == "fewer than 20 test examples of this class: 1"


def test_a_study_with_clusters_tests_classes_by_cluster(three: StudyFolder) -> None:
    clusters = [f"doc {i // 6}" for i in range(90)]
    three.change_manifest(lambda content: content["data"].update(cluster="document"))
    pq.write_table(
        pa.table({"example_id": [f"id-{i}" for i in range(90)], "cluster": clusters}), three.root / "clusters.parquet"
    )
    rows, outcomes = rows_of(analyze(three.root, resamples=199)), load(three.root)
    answers = {arm: outcomes.predicted(arm, seeds=outcomes.seeds) for arm in outcomes.arms}
    members = np.flatnonzero(outcomes.labels == 1)
    of_class = [clusters[i] for i in members]
    recalls = {arm: cluster_scores(answers[arm][:, members] == 1, of_class) for arm in outcomes.arms}
    precisions = {
        arm: cluster_scores(precision_scores(answers[arm], outcomes.labels, 1), clusters) for arm in outcomes.arms
    }
    recall, precision = (
        crossed_test(by_arm["a"], by_arm["full"], paired=True, spread=pooled_seed_spread(list(by_arm.values())))
        for by_arm in (recalls, precisions)
    )
    made = (rows["a", "sport", "recall"].result, rows["a", "sport", "precision"].result)
    for comparison, direct in zip(made, (recall, precision), strict=True):
        assert comparison is not None
        assert comparison.n_examples == 15
        assert comparison.p_value == pytest.approx(direct.p_value, rel=1e-8)


def test_a_comparison_without_a_test_has_no_rows(three: StudyFolder) -> None:
    three.end("a", 1, "diverged", "loss is not finite")
    report = analyze(three.root, resamples=199)
    assert {comparison.treatment for comparison in report.class_comparisons} == {"b"}
    three.end("full", 1, "diverged", "loss is not finite")
    report = analyze(three.root, resamples=199)
    assert report.class_comparisons == ()
    assert "Precision and recall by class, compared" not in [table.title for table in tables.build(report)]


def test_the_margin_is_the_plan_s_or_one_point_where_the_metric_has_other_units(three: StudyFolder) -> None:
    three.change_manifest(lambda content: content["analysis"].update(margin=0.3))
    wide = analyze(three.root, resamples=199)
    three.change_manifest(lambda content: content["analysis"].update(metric="log_loss"))
    other = analyze(three.root, resamples=199)
    assert (wide.class_margin, other.class_margin) == (0.3, 0.01)
    before, after = (rows_of(row)["b", "sport", "recall"] for row in (wide, other))
    assert before.result == after.result
    assert before.equivalence_p < after.equivalence_p


def test_declared_looks_bind_the_classes_too(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(3), {"full": 0.9, "lora": 0.82}, seeds=4, examples=400)
    plain = analyze(write_study(tmp_path / "plain", scores).root).class_comparisons
    looked = analyze(write_study(tmp_path / "looked", scores, analysis={"looks": [4, 12]}).root).class_comparisons
    for one, other in zip(plain, looked, strict=True):
        assert one.result == other.result
        # An early look may spend next to nothing: wider intervals, larger p-values.
        assert other.confidence > one.confidence
        assert other.interval[1] - other.interval[0] > one.interval[1] - one.interval[0]
        assert other.difference_p >= one.difference_p
        assert other.equivalence_p >= one.equivalence_p
    assert any(other.difference_p > one.difference_p for one, other in zip(plain, looked, strict=True))


def test_comparisons_that_could_not_be_made_still_count(study: Any) -> None:
    whole = analyze(study.root).class_comparisons
    study.end("lora-r2", 2, "diverged", "x")
    rest = analyze(study.root).class_comparisons
    assert len(rest) == len(whole) / 2
    raw = [row.result.p_value for row in rest if row.result]
    # Four rows are left, and four more count: the smallest p is multiplied by all eight.
    assert min(row.difference_p for row in rest) == pytest.approx(min(1.0, 8 * min(raw)))
