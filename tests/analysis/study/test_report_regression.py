"""A study of numbers, written by hand from docs/records.md: its metrics, its tables, and what has no place in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis import tables
from analysis.errors import AnalysisError, PlanError, RecordError
from analysis.methods.crossed import crossed_test
from analysis.metrics.regression import regression_scores
from analysis.published.rerun import rerun
from analysis.records.loading import load
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder

S, EPOCHS, N = 5, 2, 80
NOISE = {"full": 0.5, "lora": 0.9, "other": 0.5}


def analyze(folder: StudyFolder) -> StudyReport:
    return analyze_with(folder.root, resamples=199)


def set_plan(folder: StudyFolder, **entries: Any) -> None:
    folder.change_manifest(lambda content: content.update(analysis=entries))


def change_outputs(folder: StudyFolder, arm: str, seed: int, outputs: Callable[[Any], Any], column: str) -> None:
    """Change one column of the stored predictions."""

    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(column)
        values = outputs(table[column].to_numpy())
        return table.set_column(at, column, pa.array(values, table.schema.field(column).type))

    folder.change_predictions(arm, seed, change)


@pytest.fixture
def rated(tmp_path: Path, write_study: Any) -> StudyFolder:
    """Three arms; the second predicts worse. Labels from 0 to 5, in steps of 0.1; the first epoch is worse."""
    rng = np.random.default_rng(12)
    labels = rng.uniform(0, 5, N).round(1)
    folder: StudyFolder = write_study(tmp_path / "s", {arm: np.ones((S, EPOCHS, N), dtype=int) for arm in NOISE})
    folder.change_manifest(lambda content: content["data"].update(task="regression", classes=[]))
    for arm, seed in folder.keys:
        noise = NOISE[arm] * rng.normal(size=(EPOCHS, N)) + 0.1 * rng.normal()
        values = (labels + noise + [[1.0], [0.0]]).astype(np.float32)

        def write(table: pa.Table, values: Any = values) -> pa.Table:
            columns = {name: table[name] for name in ("epoch", "example_id")}
            columns["label"] = pa.array(np.tile(labels, EPOCHS))
            return pa.table(columns | {"prediction": pa.array(values.ravel())})

        def record(content: dict[str, Any], values: Any = values) -> None:
            for entry, row in zip(content["epochs"], values, strict=True):
                entry["test"] = {"loss": float(np.mean((row - labels) ** 2))}

        folder.change_predictions(arm, seed, write)
        folder.change_record(arm, seed, record)
    return folder


def by_definition(metric: str, labels: Any, predictions: Any) -> float:
    if metric == "mse":
        return float(np.mean((labels - predictions) ** 2))
    return float({"pearson": stats.pearsonr, "spearman": stats.spearmanr}[metric](labels, predictions).statistic)


@pytest.mark.parametrize(("metric", "margin"), [("pearson", 1.5), ("spearman", 0.01), ("mse", 3.0)])
def test_verdicts_are_about_the_metric(rated: StudyFolder, metric: str, margin: float) -> None:
    set_plan(rated, metric=metric, margin=margin)
    report, outcomes = analyze(rated), load(rated.root)
    for arm in report.arms:
        runs = [outcomes.answers(outcomes.trials[arm.arm, seed]) for seed in outcomes.seeds]
        assert arm.values == pytest.approx([by_definition(metric, outcomes.labels, run) for run in runs])
    lora, other = report.comparisons
    assert (lora.estimate > 0) == (metric == "mse")
    assert lora.verdict.label.startswith("worse")
    assert other.verdict.direction is None
    assert lora.mcnemar == ()
    scores = [
        regression_scores(metric, outcomes.labels, [outcomes.answers(t) for t in outcomes.of_arm(arm)])
        for arm in ("lora", "full")
    ]
    assert lora.estimate == pytest.approx(crossed_test(*scores, paired=True).estimate)
    assert report.best.ruled_out == ("lora",)
    assert (report.classes, report.class_comparisons, report.consistencies) == ((), (), ())


@pytest.mark.parametrize("metric", ["pearson", "mse"])
def test_several_test_sets_are_averaged(rated: StudyFolder, metric: str) -> None:
    set_plan(rated, metric=metric, margin=0.1)
    sets = [{"name": "near", "n_test": 30}, {"name": "far", "n_test": 50}]
    rated.change_manifest(lambda content: content["data"].update(sets=sets))
    report, outcomes = analyze(rated), load(rated.root)
    parts = (slice(30), slice(30, None))
    for arm in report.arms:
        runs = [outcomes.answers(outcomes.trials[arm.arm, seed]) for seed in outcomes.seeds]
        by_set = [[by_definition(metric, outcomes.labels[part], run[part]) for part in parts] for run in runs]
        assert arm.values == pytest.approx(np.mean(by_set, axis=1))
    assert [one.comparisons[0].verdict.direction for one in report.sets] == ["worse", "worse"]
    assert (report.set_counts[0].better, report.set_counts[0].worse) == (0, 2)
    # The epoch that is best on the first set is chosen by the loss on that set.
    assert [lift.n_examples for lift in report.selection_lifts] == [30] * 3
    few = [caveat.text for caveat in report.footer.caveats if "over 30 test examples" in caveat.text]
    assert len(few) == (metric == "mse")


def test_pearson_is_the_metric_where_none_is_named(rated: StudyFolder) -> None:
    assert analyze(rated).plan.metric == "pearson"


@pytest.mark.parametrize(("metric", "lower"), [("pearson", False), ("mse", True)])
def test_tables_leave_out_what_is_about_classes(rated: StudyFolder, metric: str, lower: bool) -> None:
    set_plan(rated, metric=metric, margin=0.1)
    report = analyze(rated)
    built = tables.build(report)
    titles = [table.title for table in built]
    assert titles[:2] == [
        "Verdicts",
        f"{'Pearson correlation' if metric == 'pearson' else 'Mean squared error'} by arm",
    ]
    assert not any("class" in title or "Agreement" in title for title in titles)
    assert all(table.rows for table in built)
    assert "ECE" not in built[1].headers
    page = tables.markdown(report)
    for word in ("accuracy", "ECE", "McNemar", "precision", "recall", "pp", "%]"):
        assert f" {word}" not in page, word
    assert ("lower is better" in page) == lower
    assert not any(cell == "nan" for table in built for row in table.rows for cell in row)
    # What the best epoch on test would add is in the same units, by the loss.
    (selection,) = (table for table in built if table.title.startswith("What choosing the epoch"))
    assert "at the best epoch by loss" in selection.notes[0]
    full = dict(zip(selection.headers, selection.rows[0], strict=True))
    assert float(full["Last epoch"]) == pytest.approx(report.arms[0].mean, abs=0.01)


def test_a_constant_prediction_leaves_a_correlation_without_a_verdict(rated: StudyFolder) -> None:
    change_outputs(rated, "lora", 3, lambda values: np.full_like(values, 2.5), "prediction")
    report = analyze(rated)
    lora, other = report.comparisons
    assert not lora.verdict.asked
    assert lora.verdict.reason == (
        "Pearson correlation is undefined: lora seed 3; it predicts the same for every example"
    )
    assert other.verdict.asked
    assert "undefined with 1 of 5 seeds" in report.arms[1].reason
    assert tables.markdown(report)
    set_plan(rated, metric="mse", margin=1.0)
    assert analyze(rated).comparisons[0].verdict.asked


def test_constant_labels_leave_no_correlation_at_all(rated: StudyFolder) -> None:
    for arm, seed in rated.keys:
        change_outputs(rated, arm, seed, lambda values: np.full_like(values, 2.5), "label")
    assert all("all labels are equal" in pair.verdict.reason for pair in analyze(rated).comparisons)


def test_a_plan_of_classes_is_refused(rated: StudyFolder) -> None:
    set_plan(rated, metric="accuracy")
    with pytest.raises(PlanError, match="expected 'pearson', 'spearman' or 'mse', got 'accuracy'"):
        analyze(rated)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("prediction", np.nan, "a prediction is not finite"),
        ("label", np.inf, "a label is not finite"),
        ("label", 1.23, "1 labels differ, first example 'id-0' with 1.23"),
    ],
)
def test_damaged_predictions_are_unreadable(rated: StudyFolder, column: str, value: float, reason: str) -> None:
    def spoil(values: Any) -> Any:
        spoilt = values.copy()
        spoilt[::N] = value
        return spoilt

    change_outputs(rated, "lora", 1, spoil, column)
    trial = load(rated.root).trials["lora", 1]
    assert trial.status == "unreadable"
    assert reason in trial.message


def test_a_finished_record_needs_a_loss(rated: StudyFolder) -> None:
    rated.change_record("lora", 1, lambda content: content["epochs"][-1].update(test={"accuracy": 0.5}))
    trial = load(rated.root).trials["lora", 1]
    assert (trial.status, "has no loss on test at epoch 2" in trial.message) == ("unreadable", True)


@pytest.mark.parametrize(
    ("task", "classes", "words"),
    [
        ("regression", ["a", "b"], "a regression has no classes, got 2"),
        ("classification", ["a"], "expected two classes or more, got 1"),
        ("ranking", ["a", "b"], "task"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    rated: StudyFolder, task: str, classes: list[str], words: str
) -> None:
    rated.change_manifest(lambda content: content["data"].update(task=task, classes=classes))
    with pytest.raises(RecordError, match=words):
        load(rated.root)


def test_published_accuracies_are_of_classes(rated: StudyFolder) -> None:
    with pytest.raises(AnalysisError, match="need a study of classes, got a regression"):
        rerun(load(rated.root), "lora", "full", published=None)


def test_squared_errors_over_few_examples_are_a_caveat(rated: StudyFolder) -> None:
    for metric, told in (("mse", 1), ("spearman", 0)):
        set_plan(rated, metric=metric, margin=0.1)
        report = analyze(rated)
        caveats = [caveat for caveat in report.footer.caveats if caveat.short == "few examples for mean squared error"]
        assert len(caveats) == told
        assert all("Compare Spearman's correlation" in caveat.text for caveat in caveats)
        assert all(caveat.text in tables.build(report)[0].notes for caveat in caveats)
