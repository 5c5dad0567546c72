from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from analysis import tables
from analysis.errors import AnalysisError
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.multiplicity import benjamini_hochberg
from analysis.methods.variance import pooled_seed_spread
from analysis.metrics.metric_kinds import METRICS
from analysis.records.loading import load
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=199)


def set_plan(folder: StudyFolder, **entries: Any) -> Path:
    folder.change_manifest(lambda content: content.update(analysis=entries))
    return folder.root


def titled(report: StudyReport, title: str) -> tables.Table:
    (table,) = (table for table in tables.build(report) if table.title == title)
    return table


@pytest.fixture
def graded(tmp_path: Path, simulated: Any, write_study: Any) -> StudyFolder:
    """Three arms, two classes, and probabilities that differ from example to example."""
    rng = np.random.default_rng(11)
    scores = simulated(rng, {"full": 0.9, "lora": 0.7, "other": 0.88}, seeds=4, examples=150, seed_sd=0.01)
    folder: StudyFolder = write_study(tmp_path / "s", scores)

    def spread(table: pa.Table) -> pa.Table:
        sure = rng.uniform(0.55, 0.99, size=table.num_rows)
        first = np.where(table["p_0"].to_numpy() > 0.5, sure, 1 - sure).astype(np.float32)
        shares = [pa.array(share, pa.float32()) for share in (first, 1 - first)]
        return (
            table.select(["epoch", "example_id", "label"])
            .append_column("p_0", shares[0])
            .append_column("p_1", shares[1])
        )

    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, spread)
    return folder


def by_definition(metric: str, labels: Any, probabilities: Any) -> float:
    """Return the metric of one run, by formulas that share no code with the package."""
    p, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    predictions = p.argmax(axis=1)
    tp, fp = np.sum((predictions == 1) & (truth == 1)), np.sum((predictions == 1) & (truth == 0))
    fn, tn = np.sum((predictions == 0) & (truth == 1)), np.sum((predictions == 0) & (truth == 0))
    if metric == "accuracy":
        return float(np.mean(predictions == truth))
    if metric == "balanced_accuracy":
        return float((tp / (tp + fn) + tn / (tn + fp)) / 2)
    if metric == "macro_f1":
        return float((2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2)
    if metric == "mcc":
        return float(np.corrcoef(predictions, truth)[0, 1])
    if metric == "auroc":
        gaps = p[truth == 1, 1][:, None] - p[truth == 0, 1][None, :]
        return float(np.mean((gaps > 0) + (gaps == 0) / 2))
    if metric == "log_loss":
        return float(-np.log(p[np.arange(len(truth)), truth]).mean())
    return float(2 * ((p[:, 1] - truth) ** 2).mean())


@pytest.mark.parametrize("metric", [name for name, kind in METRICS.items() if kind.task == "classification"])
def test_every_metric_is_that_of_its_definition(graded: StudyFolder, metric: str) -> None:
    report = analyze(set_plan(graded, metric=metric))
    outcomes = load(graded.root)
    for arm in report.arms:
        runs = [outcomes.answers(outcomes.trials[arm.arm, seed]) for seed in outcomes.seeds]
        expected = [by_definition(metric, outcomes.labels, run) for run in runs]
        assert arm.values == pytest.approx(expected, abs=1e-6)
    comparison = report.comparisons[0]
    scores = {arm: outcomes.scores(arm, metric=metric) for arm in outcomes.arms}
    spread = pooled_seed_spread(list(scores.values()))
    assert comparison.result == crossed_test(scores["lora"], scores["full"], paired=True, spread=spread)
    assert comparison.estimate == pytest.approx(report.arms[1].mean - report.arms[0].mean)
    assert comparison.equivalence == tost(
        comparison.estimate, comparison.result.standard_error, comparison.result.df, margin=0.01
    )


@pytest.mark.parametrize("metric", ["log_loss", "brier"])
def test_a_lower_loss_is_better(graded: StudyFolder, metric: str) -> None:
    report = analyze(set_plan(graded, metric=metric))
    lora = report.comparisons[0]
    assert lora.estimate > 0
    assert lora.verdict.label == "worse"
    assert report.best.in_play == ("full", "other")
    assert report.best.ruled_out == ("lora",)
    assert lora.outperforming is not None
    assert lora.outperforming.estimate == 0.0
    graded.change_manifest(lambda content: content["analysis"].update(baseline="lora"))
    turned = analyze(graded.root).comparisons[0]
    assert (turned.treatment, turned.verdict.label) == ("full", "better")
    assert turned.estimate == pytest.approx(-lora.estimate)
    assert turned.outperforming is not None
    assert turned.outperforming.estimate == 1.0


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        ("macro_f1", "Macro-F1 by arm"),
        ("mcc", "MCC by arm"),
        ("auroc", "AUROC by arm"),
        ("log_loss", "Log loss by arm"),
    ],
)
def test_tables_name_the_metric_and_its_units(graded: StudyFolder, metric: str, title: str) -> None:
    report = analyze(set_plan(graded, metric=metric, margin=0.02))
    first = tables.build(report)[0]
    row = dict(zip(first.headers, first.rows[0], strict=True))
    mean = dict(zip(titled(report, title).headers, titled(report, title).rows[0], strict=True))["Mean"]
    in_points = metric != "log_loss"
    assert row["Gap"].endswith(" pp") == in_points
    assert mean.endswith("%") == in_points
    notes = " ".join(first.notes)
    assert f"Gap: {METRICS[metric].title} of the first arm minus that of the second" in notes
    assert ("in percentage points (pp)" in notes) == in_points
    assert ("lower is better" in notes) == (not in_points)
    assert ("is it within 2 pp?" in notes, "is it within 0.02?" in notes) == (in_points, not in_points)
    assert (
        f"{METRICS[metric].title[:1].upper()}{METRICS[metric].title[1:]} against full" in titled(report, "Cost").headers
    )
    if not in_points:
        for name in ("Verdicts", "Intervals and probabilities", "Where the uncertainty comes from", title):
            table = titled(report, name)
            assert not any("pp" in cell for cells in table.rows for cell in cells), name
            assert not any("pp" in head for head in table.headers), name


def test_a_margin_in_units_of_log_loss_decides_equivalence(graded: StudyFolder) -> None:
    narrow = analyze(set_plan(graded, metric="log_loss", margin=0.01)).comparisons[1]
    wide = analyze(set_plan(graded, metric="log_loss", margin=0.6)).comparisons[1]
    assert narrow.result == wide.result
    assert narrow.verdict.label == "undecided"
    assert wide.verdict.label == "equivalent"


def test_an_undefined_metric_names_arm_and_seed_and_leaves_the_others(graded: StudyFolder) -> None:
    def one_class(table: pa.Table) -> pa.Table:
        shares = [pa.array(np.full(table.num_rows, share), pa.float32()) for share in (0.8, 0.2)]
        return (
            table.select(["epoch", "example_id", "label"])
            .append_column("p_0", shares[0])
            .append_column("p_1", shares[1])
        )

    for seed in (1, 3):
        graded.change_predictions("lora", seed, one_class)
    report = analyze(set_plan(graded, metric="mcc"))
    silent, other = report.comparisons
    assert silent.verdict.label == "no verdict"
    assert silent.verdict.reason == silent.reason == "MCC is undefined: lora seed 1, lora seed 3"
    assert silent.result is None
    assert np.isnan([silent.estimate, *silent.interval, silent.difference_p, *silent.posterior]).all()
    # An arm without a metric is not pooled, which leaves two.
    full, rest = (load(graded.root).scores(arm, metric="mcc") for arm in ("full", "other"))
    assert other.result == crossed_test(rest, full, paired=True)
    # It still counts in the correction.
    assert other.family_confidence == pytest.approx(0.975)
    assert np.isnan(report.arms[1].values[1])
    json.dumps(report.to_json(), allow_nan=False)
    text = tables.markdown(report)
    assert "lora against full: MCC is undefined: lora seed 1, lora seed 3." in text
    runs = 2 * len(report.seeds)
    first, second = tables.build(report)[0].rows
    assert first[3] == f"no verdict: MCC undefined in 2 of {runs} trials"
    assert "undefined" not in second[3]
    assert not re.search(r"\bnan\b", text)
    assert "– to –" not in text
    # A macro-F1 is defined for such a run, and so is the comparison.
    assert analyze(set_plan(graded, metric="macro_f1")).comparisons[0].result is not None


def test_a_class_without_a_test_example_is_named(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.9, "lora": 0.8}, seeds=3, examples=40)
    folder = write_study(tmp_path / "s", scores, classes=["no", "yes", "unsure"], analysis={"metric": "macro_f1"})
    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, lambda t: t.set_column(2, "label", pa.array([0, 1] * 20, pa.int32())))
    report = analyze(folder.root)
    assert tables.build(report)[0].rows[0][3] == "no verdict: macro-F1 undefined in 6 of 6 trials"
    assert report.comparisons[0].reason.endswith("; no test example is of class unsure")


def test_a_metric_that_the_baseline_leaves_undefined_gives_no_verdict_at_all(
    tmp_path: Path, simulated: Any, write_study: Any
) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.9, "lora": 0.8, "other": 0.8}, seeds=3, examples=40)
    scores["full"][0] = np.arange(40) % 2 == 1
    report = analyze(write_study(tmp_path / "s", scores, analysis={"metric": "mcc"}).root)
    assert [comparison.verdict.reason for comparison in report.comparisons] == ["MCC is undefined: full seed 0"] * 2
    assert report.class_comparisons == ()


def test_benjamini_hochberg_pools_both_questions_and_says_what_it_bounds(graded: StudyFolder) -> None:
    report = analyze(set_plan(graded, correction="benjamini_hochberg", margin=0.05))
    raw = [comparison.result.p_value for comparison in report.comparisons if comparison.result]
    same = [comparison.equivalence.p_value for comparison in report.comparisons if comparison.equivalence]
    pooled = benjamini_hochberg([*raw, *same]).tolist()
    assert [comparison.difference_p for comparison in report.comparisons] == pooled[:2]
    assert [comparison.equivalence_p for comparison in report.comparisons] == pooled[2:]
    assert report.footer.caveats[0].short == "exploratory correction"
    assert "for exploration" in report.footer.caveats[0].text
    assert "positively dependent" in report.footer.caveats[0].text
    verdicts, by_class = (
        next(table for table in tables.build(report) if table.title == title)
        for title in ("Verdicts", "Precision and recall by class, compared")
    )
    assert any("as far as the p-values are independent or positively dependent" in note for note in verdicts.notes)
    # Nothing bounds the chance of a false claim among such verdicts, so none is promised for all tables.
    assert any("0.05 of its own: by class, the best arm." in note for note in verdicts.notes)
    assert any("A family of its own, at 0.05" in note for note in by_class.notes)
    assert not any("Holm" in note for note in tables.build(report)[0].notes)
    assert "exploratory correction" in tables.build(report)[0].footer


def test_the_same_folder_gives_the_same_report(graded: StudyFolder) -> None:
    first, second = (analyze_with(graded.root, resamples=399) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert [comparison.bootstrap.resamples for comparison in first.comparisons if comparison.bootstrap] == [399, 399]
    more = analyze_with(graded.root, resamples=800)
    assert [comparison.bootstrap.resamples for comparison in more.comparisons if comparison.bootstrap] == [800, 800]
    assert more.comparisons[0].result == first.comparisons[0].result
    assert more.comparisons[0].bootstrap != first.comparisons[0].bootstrap


def test_few_resamples_widen_no_claim(graded: StudyFolder) -> None:
    report = analyze_with(set_plan(graded, alpha=0.001), resamples=99)
    bootstraps = [comparison.bootstrap for comparison in report.comparisons if comparison.bootstrap]
    # 2 / (99 + 1): one resample is left in each tail.
    assert [result.confidence for result in bootstraps] == pytest.approx([0.98, 0.98])
    assert all(comparison.confidence == pytest.approx(0.999) for comparison in report.comparisons)
    enough = analyze_with(graded.root, resamples=1999).comparisons[0].bootstrap
    assert enough is not None
    assert enough.confidence == pytest.approx(0.999)


def spoil_clusters(folder: StudyFolder) -> None:
    folder.change_manifest(lambda content: content["data"].update(cluster="document"))


def spoil_half(folder: StudyFolder) -> None:
    for arm, seed in list(folder.keys)[::2]:
        folder.change_predictions(arm, seed, lambda table: table.slice(0, 90))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_clusters, r"clusters\.parquet does not exist"),
        (lambda folder: set_plan(folder, looks=[6, 4]), r"analysis\.looks: expected two or more"),
        (lambda folder: set_plan(folder, metric="mc"), "did you mean 'mcc'"),
        (spoil_half, "cannot be compared"),
    ],
)
def test_a_folder_that_cannot_be_analysed_is_an_error_that_names_what_to_put_right(
    graded: StudyFolder, spoil: Any, message: str
) -> None:
    spoil(graded)
    with pytest.raises(AnalysisError, match=message):
        analyze(graded.root)


@pytest.mark.parametrize(
    ("metric", "examples", "told"), [("log_loss", 499, True), ("log_loss", 500, False), ("brier", 60, False)]
)
def test_log_loss_over_few_examples_is_a_caveat(
    tmp_path: Path, simulated: Any, write_study: Any, metric: str, examples: int, told: bool
) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.9, "lora": 0.85}, seeds=3, examples=examples)
    report = analyze(write_study(tmp_path / "s", scores, analysis={"metric": metric}).root)
    texts = [caveat.text for caveat in report.footer.caveats if caveat.short == "few examples for log loss"]
    assert len(texts) == told
    assert all("Compare the Brier score" in text and text in tables.build(report)[0].notes for text in texts)
