from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import tables
from analysis.study.report import StudyReport, analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

SHORT = "rare class c"


def answers_of(folder: StudyFolder, arm: str, seed: int, labels: Any, answers: Any) -> None:
    """Let one trial say what it is told, about examples of these classes."""

    def change(table: pa.Table) -> pa.Table:
        shares = np.where(answers[:, None] == np.arange(3), 0.9, 0.05)
        columns = {f"p_{label}": pa.array(shares[:, label], pa.float32()) for label in range(3)}
        fixed = {"epoch": table["epoch"], "example_id": table["example_id"], "label": pa.array(labels, pa.int32())}
        return pa.table(fixed | columns)

    folder.change_predictions(arm, seed, change)


def study_of(
    folder: Path, write_study: Any, *, n_rare: int, n_said: int, metric: str = "accuracy", seeds: int = 4
) -> StudyFolder:
    """Write a study of 300 examples, `n_rare` of them of class c; full seed 3 names `n_said` of them, others 30."""
    study: StudyFolder = write_study(
        folder,
        {arm: np.ones((seeds, 300), dtype=int) for arm in ("full", "lora", "other")},
        classes=("a", "b", "c"),
        analysis={"metric": metric},
    )
    rng = np.random.default_rng(1)
    labels = np.concatenate([np.full(n_rare, 2), np.arange(300 - n_rare) % 2])
    for arm, seed in study.keys:
        said = np.where(rng.random(300) < 0.85, labels % 2, 1 - labels % 2)
        said[rng.choice(60, size=n_said if (arm, seed) == ("full", 3) else 30, replace=False)] = 2
        answers_of(study, arm, seed, labels, said)
    return study


def row_of(report: StudyReport, treatment: str, measure: str, label: str = "c") -> Any:
    return next(
        row
        for row in report.class_comparisons
        if (row.treatment, row.measure, row.label) == (treatment, measure, label)
    )


@pytest.mark.parametrize(
    ("n_rare", "n_said", "measure", "reason"),
    [
        (40, 6, "precision", "fewer than 20 predictions of this class: 6 in full seed 3"),
        (40, 19, "precision", "fewer than 20 predictions of this class: 19 in full seed 3"),
        (40, 20, "precision", ""),
        (19, 30, "recall", "fewer than 20 test examples of this class: 19"),
        (20, 30, "recall", ""),
    ],
)
def test_a_row_with_fewer_than_twenty_has_no_verdict_and_says_why(
    tmp_path: Path, write_study: Any, n_rare: int, n_said: int, measure: str, reason: str
) -> None:
    report = analyze(study_of(tmp_path / "s", write_study, n_rare=n_rare, n_said=n_said).root, resamples=199)
    row = row_of(report, "lora", measure)
    assert (row.reason, row.verdict.reason, row.verdict.asked) == (reason, reason, not reason)
    # The gap itself is what it is.
    assert np.isfinite(row.estimate)
    assert np.isnan([*row.interval, *row.verdict_interval, row.difference_p, row.equivalence_p]).all() == bool(reason)
    notes = next(one.notes for one in tables.build(report) if one.title == "Precision and recall by class, compared")
    assert any(f"{measure} of c: {reason}." in note for note in notes) or not reason


def test_a_row_without_a_verdict_still_counts_in_the_correction(tmp_path: Path, write_study: Any) -> None:
    few, enough = (
        analyze(study_of(tmp_path / str(said), write_study, n_rare=40, n_said=said).root, resamples=199)
        for said in (19, 20)
    )
    assert len(few.class_comparisons) == len(enough.class_comparisons) == 12
    assert sum(row.verdict.asked for row in few.class_comparisons) == 10
    tested = [row for row in few.class_comparisons if row.verdict.asked]
    smallest = min(tested, key=lambda row: row.result.p_value if row.result else 1.0)
    assert smallest.result is not None
    assert smallest.difference_p == pytest.approx(min(1.0, 12 * smallest.result.p_value))


def test_trials_with_few_predictions_are_counted_and_the_fewest_is_named(tmp_path: Path, write_study: Any) -> None:
    study = study_of(tmp_path / "s", write_study, n_rare=40, n_said=6)
    labels = np.concatenate([np.full(40, 2), np.arange(260) % 2])
    said = labels % 2
    said[:11] = 2
    answers_of(study, "lora", 1, labels, said)
    reason = row_of(analyze(study.root, resamples=199), "lora", "precision").reason
    assert reason == ("fewer than 20 predictions of this class: 6 in full seed 3, the fewest of 2 such trials out of 8")


def test_clusters_are_counted_in_place_of_examples(tmp_path: Path, write_study: Any) -> None:
    study = study_of(tmp_path / "s", write_study, n_rare=40, n_said=30)
    study.change_manifest(lambda content: content["data"].update(cluster="document"))
    # Six examples a document: the 40 of class c are in 7, and the 30 of the first 60 that are said to be in 10.
    table = {"example_id": [f"id-{i}" for i in range(300)], "cluster": [f"d{i // 6}" for i in range(300)]}
    pq.write_table(pa.table(table), study.root / "clusters.parquet")
    report = analyze(study.root, resamples=199)
    assert row_of(report, "lora", "recall").reason == ("fewer than 20 clusters with test examples of this class: 7")
    assert row_of(report, "lora", "precision").reason.startswith(
        "fewer than 20 clusters with predictions of this class: 10 in lora seed 0"
    )


@pytest.mark.parametrize(
    ("metric", "n_rare", "n_said", "told"),
    [
        (
            "macro_f1",
            40,
            6,
            "Macro-F1 depends on what is rare here. Class c: fewer than 20 predictions of this class: 6",
        ),
        ("mcc", 40, 6, "MCC depends on what is rare here. Class c: fewer than 20 predictions of this class: 6 in full"),
        ("mcc", 40, 0, "MCC depends on what is rare here. Class c: fewer than 20 predictions of this class: 0 in full"),
        ("balanced_accuracy", 40, 6, ""),
        ("balanced_accuracy", 12, 30, "Balanced accuracy depends on what is rare here. Class c: fewer than 20 test ex"),
        ("macro_f1", 40, 30, ""),
        ("auroc", 40, 6, ""),
        ("auroc", 12, 30, "AUROC depends on what is rare here. Class c: fewer than 20 test examples of this class: 12"),
        ("accuracy", 12, 6, ""),
    ],
)
def test_a_metric_that_rests_on_a_rare_class_is_a_caveat(
    tmp_path: Path, write_study: Any, metric: str, n_rare: int, n_said: int, told: str
) -> None:
    folder = study_of(tmp_path / "s", write_study, n_rare=n_rare, n_said=n_said, metric=metric).root
    report = analyze(folder, resamples=199)
    texts = [caveat.text for caveat in report.footer.caveats if caveat.short == SHORT]
    assert [text[: len(told)] for text in texts] == [told] * bool(told)
    assert all(text in tables.build(report)[0].notes for text in texts)
    assert (SHORT in tables.build(report)[0].footer) == bool(told)


def test_an_undefined_precision_names_its_seeds_beside_the_mean(tmp_path: Path, write_study: Any) -> None:
    study = study_of(tmp_path / "s", write_study, n_rare=40, n_said=0)
    labels = np.concatenate([np.full(40, 2), np.arange(260) % 2])
    answers_of(study, "full", 1, labels, labels % 2)
    for seed in range(4):
        answers_of(study, "other", seed, labels, labels % 2)
    table = next(
        one
        for one in tables.build(analyze(study.root, resamples=199))
        if one.title == "Precision, recall and F1 by class"
    )
    precision = {row[:2]: row[2] for row in table.rows}
    assert precision["full", "c"].endswith(" (2 of 4 seeds)")
    assert "seeds" not in precision["full", "a"] + precision["lora", "c"]
    assert precision["other", "c"] == "–"
    assert (
        "full, class c: never predicted with seeds 1, 3; its precision is undefined there, and the mean is over the "
        "other seeds."
    ) in table.notes
    assert "other, class c: never predicted with seeds 0-3." in table.notes
