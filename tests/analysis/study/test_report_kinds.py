"""Studies that were trained elsewhere, written by hand from docs/records.md: what each kind of answers gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from analysis import tables
from analysis.errors import AnalysisError, PlanError
from analysis.methods.crossed import crossed_test
from analysis.published.rerun import rerun
from analysis.records.loading import load
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with
from analysis.tables.audit.own_study import trained

S, N = 6, 90
ACCURACIES = {"full": 0.9, "lora": 0.6, "mid": 0.88}
LABELS = np.arange(N) % 3
CLASSES = ("a", "b", "c")
ABOUT_CLASSES = {
    "Precision, recall and F1 by class",
    "Precision and recall by class, compared",
    "Agreement of the seeds",
}

Write = Callable[..., Path]


def right() -> dict[str, NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    return {arm: rng.random((S, N)) < accuracy for arm, accuracy in ACCURACIES.items()}


def said() -> dict[str, NDArray[np.int64]]:
    return {arm: np.where(hits, LABELS, (LABELS + 1) % 3) for arm, hits in right().items()}


def probabilities() -> dict[str, NDArray[np.float64]]:
    return {arm: np.where(answers[..., None] == np.arange(3), 0.8, 0.1) for arm, answers in said().items()}


def rewards() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(4)
    return {arm: 10 * accuracy + rng.normal(0, 2, (S, N)) for arm, accuracy in ACCURACIES.items()}


def analyze(folder: Path) -> StudyReport:
    """Analyse a folder, and print it in every way."""
    report = analyze_with(folder, resamples=199)
    tables.latex(report)
    console = Console(file=io.StringIO(), width=200)
    for part in tables.terminal(report):
        console.print(part)
    json.dumps(report.to_json(), allow_nan=False)
    return report


def shown(report: StudyReport) -> dict[str, tables.Table]:
    return {table.title: table for table in tables.build(report)}


def of_kind(kind: str, write: Write, **options: Any) -> StudyReport:
    """Return the report of a small study of a kind."""
    studies: Mapping[str, Any] = {
        "probabilities": lambda: write(probabilities(), labels=LABELS, classes=CLASSES, **options),
        "classes": lambda: write(said(), labels=LABELS, classes=CLASSES, **options),
        "numbers": lambda: write(rewards(), labels=np.linspace(0, 10, N), **options),
        "scores": lambda: write(rewards(), **{"analysis": {"margin": 0.5}} | options),
        "binary scores": lambda: write({arm: hits.astype(float) for arm, hits in right().items()}, **options),
    }
    return analyze(studies[kind]())


KINDS = ("probabilities", "classes", "numbers", "scores", "binary scores")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_where_it_came_from_and_nothing_that_nobody_recorded(kind: str, write_imported: Write) -> None:
    report = of_kind(kind, write_imported)
    by_title = shown(report)
    assert "Cost" not in by_title
    rows = dict(by_title["Provenance and caveats"].rows)
    assert rows["imported from"] == "3 files: full.csv, lora.csv, mid.csv"
    assert rows["read as"] == "arm: the name of the file"
    assert rows["cost"] == "imported: no cost was recorded"
    assert not rows.keys() & {"model", "engine", "device", "hardware", "code", "tool"}
    text = tables.markdown(report)
    assert "not recorded;" not in text
    assert "More time" not in text
    assert "differ not only by arm" not in text
    assert by_title["Verdicts"].footer.startswith("theirs: imported from preds/{arm}.csv. Caveats: ")
    assert report.imported is not None
    assert report.to_json()["imported"]["files"][0] == {
        "path": "full.csv",
        "sha256": "0" * 64,
        "tool": None,
        "version": None,
        "task": None,
    }


def test_predicted_classes_give_what_probabilities_give_but_calibration(write_imported: Write, tmp_path: Path) -> None:
    of_classes, of_probabilities = of_kind("classes", write_imported), None
    (tmp_path / "theirs").rename(tmp_path / "classes")
    of_probabilities = of_kind("probabilities", write_imported)
    ours, theirs = shown(of_probabilities), shown(of_classes)
    assert ours.keys() == theirs.keys()
    for title in ours.keys() - {"Accuracy by arm"}:
        assert ours[title].rows == theirs[title].rows
    assert "ECE" in ours["Accuracy by arm"].headers
    assert "ECE" not in theirs["Accuracy by arm"].headers
    note = "The runs hold predicted classes, no probabilities: calibration (ECE), AUROC, log loss and Brier score"
    assert [note in " ".join(one["Verdicts"].notes) for one in (theirs, ours)] == [True, False]
    assert all(pair.mcnemar for pair in of_classes.comparisons)
    assert of_classes.consistencies == of_probabilities.consistencies
    assert np.isnan([arm.calibration_error for arm in of_classes.arms]).all()
    assert (of_classes.answers, of_probabilities.answers) == ("classes", "probabilities")


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "mcc"])
def test_other_metrics_of_classes_need_no_probabilities(metric: str, write_imported: Write, tmp_path: Path) -> None:
    of_classes = of_kind("classes", write_imported, analysis={"metric": metric})
    (tmp_path / "theirs").rename(tmp_path / "classes")
    of_probabilities = of_kind("probabilities", write_imported, analysis={"metric": metric})
    assert shown(of_classes)["Verdicts"].rows == shown(of_probabilities)["Verdicts"].rows


@pytest.mark.parametrize("metric", ["auroc", "log_loss", "brier"])
def test_a_plan_cannot_ask_for_what_needs_probabilities(metric: str, write_imported: Write) -> None:
    with pytest.raises(PlanError, match="the runs hold predicted classes, no probabilities"):
        of_kind("classes", write_imported, analysis={"metric": metric})


def test_scores_are_compared_in_their_own_units(write_imported: Write) -> None:
    report, scores = of_kind("scores", write_imported), rewards()
    for pair in report.comparisons:
        assert pair.result is not None
        gap = scores[pair.treatment].mean() - scores[pair.baseline].mean()
        assert pair.estimate == pytest.approx(gap)
        alone = crossed_test(scores[pair.treatment], scores[pair.baseline], paired=True)
        assert pair.result.pairwise_p_value == pytest.approx(alone.p_value)
        assert (pair.mcnemar, pair.sign_flip is None, pair.bootstrap is None) == ((), False, False)
    by_title = shown(report)
    assert not by_title.keys() & ABOUT_CLASSES
    assert by_title["rouge by arm"].headers[:4] == ("Arm", "Mean", "SD over seeds", "Lowest to highest")
    verdicts = by_title["Verdicts"]
    assert verdicts.rows[0][3] == "worse; not equivalent at 0.5"
    assert "Gap: rouge of the first arm minus that of the second." in verdicts.notes
    assert sum("no classes: McNemar's test, precision and recall by class" in note for note in verdicts.notes) == 1
    assert (report.metric.title, report.answers) == ("rouge", "scores")
    assert report.best.in_play == ("full", "mid")
    assert (report.classes, report.class_comparisons, report.consistencies, report.churns) == ((), (), (), (None, None))
    assert "few examples for rouge" in by_title["Verdicts"].footer


def test_right_and_wrong_as_scores_give_the_verdicts_of_accuracy(write_imported: Write, tmp_path: Path) -> None:
    of_scores = of_kind("binary scores", write_imported)
    (tmp_path / "theirs").rename(tmp_path / "scores")
    of_classes = of_kind("classes", write_imported)
    assert shown(of_scores)["Verdicts"].rows == shown(of_classes)["Verdicts"].rows
    for title in ("What would decide the rest", "Intervals and probabilities", "Which arm may be the best"):
        assert shown(of_scores)[title].rows == shown(of_classes)[title].rows
    (binary, accuracy) = shown(of_scores)["rouge by arm"], shown(of_classes)["Accuracy by arm"]
    assert binary.rows == accuracy.rows
    for name in ("sign_flip", "mcnemar"):
        assert [getattr(one, name) for one in of_scores.comparisons] == [
            getattr(one, name) for one in of_classes.comparisons
        ]


def test_lower_scores_can_be_the_better_ones(write_imported: Write) -> None:
    report = of_kind("binary scores", write_imported, higher_is_better=False)
    assert shown(report)["Verdicts"].rows[0][3] == "better; not equivalent at 1 pp"
    note = "Gap: rouge of the first arm minus that of the second, in percentage points (pp); lower is better."
    assert note in shown(report)["Verdicts"].notes
    assert report.best.in_play == ("lora",)


def test_scores_in_other_units_need_a_margin(write_imported: Write) -> None:
    with pytest.raises(PlanError, match="margin: expected a number above 0, in the units of the score, got nothing"):
        of_kind("scores", write_imported, analysis={})


def test_equal_scores_are_equivalent(write_imported: Write) -> None:
    rng = np.random.default_rng(5)
    scores = {arm: rng.normal(3, 0.1, (S, 1200)) for arm in ("full", "lora")}
    report = analyze(write_imported(scores, analysis={"margin": 0.5}))
    (row,) = shown(report)["Verdicts"].rows
    assert row[3] == "equivalent within 0.5"
    # So many examples hold what is rare as well.
    assert "Caveats: none" in shown(report)["Verdicts"].footer


def test_scores_have_looks(write_imported: Write) -> None:
    report = of_kind("scores", write_imported, analysis={"margin": 0.5, "looks": [4, 8]})
    assert report.look is not None
    assert (report.look.number, report.seeds, report.decision) == (1, (0, 1, 2, 3), "go on")


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -3.0])
def test_scores_that_never_vary_give_no_verdict_and_no_error(value: float, write_imported: Write) -> None:
    scores = {arm: np.full((S, N), value) for arm in ACCURACIES}
    report = analyze(write_imported(scores, analysis={"margin": 0.5}))
    assert [row[3] for row in shown(report)["Verdicts"].rows] == ["no verdict"] * 2
    assert all("nothing varies" in pair.reason for pair in report.comparisons)


def test_one_arm_may_be_constant(write_imported: Write) -> None:
    report = analyze(write_imported({"full": np.ones((S, N)), "lora": right()["lora"].astype(float)}))
    assert shown(report)["Verdicts"].rows[0][3] == "worse; not equivalent at 1 pp"


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_says_how_many_examples_were_left_out(kind: str, write_imported: Write) -> None:
    report = of_kind(kind, write_imported, left_out=7)
    for table in tables.build(report):
        where = table.footer or " ".join(value for _, value in table.rows)
        assert "7 examples left out" in where or "7 of 97 examples were left out" in where, table.title
    assert any("Everything here is about the other 90." in note for note in shown(report)["Verdicts"].notes)
    assert report.to_json()["n_left_out"] == 7


def test_mixed_versions_of_the_tool_are_a_caveat(write_imported: Write) -> None:
    versions = {"full": "0.4.9", "lora": "0.4.13", "mid": "0.4.9"}
    by_title = shown(of_kind("classes", write_imported, versions=versions))
    rows = by_title["Provenance and caveats"].rows
    assert ("tool", "lm-evaluation-harness 0.4.9 (12 trials); lm-evaluation-harness 0.4.13 (6 trials)") in rows
    assert "mixed tool" in by_title["Verdicts"].footer
    (unlike,) = (note for note in by_title["Verdicts"].notes if "differ not only by arm" in note)
    assert unlike == (
        "lora against full: its trials differ not only by arm but also in tool (lm-evaluation-harness 0.4.13 against "
        "lm-evaluation-harness 0.4.9, in 6 of 6 pairs); the gap may come from what wrote the files."
    )


def test_one_version_of_the_tool_is_provenance(write_imported: Write) -> None:
    report = of_kind("scores", write_imported, versions=dict.fromkeys(ACCURACIES, "0.4.13"))
    assert ("tool", "lm-evaluation-harness 0.4.13") in shown(report)["Provenance and caveats"].rows
    assert "preds/{arm}.csv; lm-evaluation-harness 0.4.13. Caveats: " in shown(report)["Verdicts"].footer


def test_what_the_import_noticed_stands_under_the_verdicts(write_imported: Write) -> None:
    remarks = ["2 examples occur twice.", "no column names the run", "is one a copy?"]
    report = of_kind("classes", write_imported, remarks=remarks)
    for told in ("2 examples occur twice.", "no column names the run.", "is one a copy?"):
        assert f"About the data: {told}" in shown(report)["Verdicts"].notes
    assert "remarks of the import" in shown(report)["Verdicts"].footer


def test_epochs_of_scores_have_a_lift(write_imported: Write) -> None:
    scores = {arm: np.stack([one - 1, one, one - 2], axis=1) for arm, one in rewards().items()}
    report = analyze(write_imported(scores, analysis={"margin": 0.5}))
    table = shown(report)["What choosing the epoch on the test split would add"]
    assert table.notes[0].startswith("rouge. Best on test: at the best epoch by rouge. ")
    assert [lift.lift for lift in report.selection_lifts] == pytest.approx([2.0] * 3)


def test_frames_of_every_kind_have_rows(write_imported: Write) -> None:
    report = of_kind("scores", write_imported)
    assert report.frame("verdicts").attrs["metric"] == "rouge"
    assert len(report.frame("cost")) == 0
    for name in ("verdicts", "arms", "runs", "deciding", "selection", "provenance"):
        report.frame(name)


def test_an_audit_takes_no_scores(write_imported: Write) -> None:
    outcomes = load(write_imported(rewards(), analysis={"margin": 0.5}))
    with pytest.raises(AnalysisError, match="need a study of classes, got one of scores"):
        rerun(outcomes, "lora", "full", published=None)


def test_an_audit_takes_predicted_classes_of_a_model_without_a_name(write_imported: Write) -> None:
    beside = rerun(load(write_imported(said(), labels=LABELS, classes=CLASSES)), "lora", "full", published=None)
    hits = right()
    assert beside.gap == pytest.approx(hits["lora"].mean() - hits["full"].mean())
    assert (beside.model, trained(beside)) == ("", "names no model")


def test_a_trial_that_cannot_be_read_is_imported_again(write_imported: Write) -> None:
    folder = write_imported(said(), labels=LABELS, classes=CLASSES)
    (folder / "trials" / "0102" / "predictions.parquet").unlink()
    notes = " ".join(shown(analyze(folder))["Verdicts"].notes)
    assert "unreadable: lora run r2" in notes
    assert "gets no verdict: import the study again." in notes
    assert "run the trial again" not in notes


def test_a_printed_report_says_the_verdicts(write_imported: Write) -> None:
    report = of_kind("classes", write_imported)
    told = "; ".join(f"{one.name}: {one.verdict.label}" for one in report.comparisons)
    assert repr(report) == f"<StudyReport theirs: {told}>"
