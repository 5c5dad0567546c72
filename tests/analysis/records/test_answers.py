"""Stored answers of each kind: what predictions.parquet holds, how it is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.metrics.influence import class_metric_scores
from analysis.records.loading import load

LABELS = np.array([0, 1, 2, 0])
CLASSES = ("a", "b", "c")
SAID = {"full": np.array([[0, 1, 2, 1], [0, 1, 1, 1]]), "lora": np.array([[0, 0, 0, 0], [2, 1, 2, 0]])}
SCORES = {"full": np.array([[0.5, -2.0, 7.25, 0.1]] * 2), "lora": np.array([[0.0, 1e-9, 3.0, 0.1]] * 2)}


@pytest.fixture
def classes(write_imported: Callable[..., Path]) -> Path:
    return write_imported(SAID, labels=LABELS, classes=CLASSES)


@pytest.fixture
def scores(write_imported: Callable[..., Path]) -> Path:
    return write_imported(SCORES)


def test_predicted_classes_are_read_and_give_every_metric_of_classes(classes: Path) -> None:
    outcomes = load(classes)
    assert (outcomes.has_classes, outcomes.has_probabilities, outcomes.is_regression) == (True, False, False)
    assert outcomes.predictions(outcomes.trials["lora", 1]).tolist() == [2, 1, 2, 0]
    assert outcomes.predicted("full", seeds=[0, 1]).tolist() == SAID["full"].tolist()
    assert outcomes.scores("full").tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    for metric in ("balanced_accuracy", "macro_f1", "mcc"):
        expected = class_metric_scores(metric, LABELS, SAID["lora"], n_classes=3)
        np.testing.assert_array_equal(outcomes.scores("lora", metric=metric), expected)
    assert outcomes.scores("lora", metric="balanced_accuracy").mean(axis=1) == pytest.approx([1 / 3, 5 / 6])


def test_scores_are_read_as_they_are_and_need_no_label(scores: Path) -> None:
    outcomes = load(scores)
    assert (outcomes.has_classes, outcomes.has_probabilities, outcomes.is_regression) == (False, False, False)
    assert (outcomes.labels.shape, outcomes.n_examples) == ((0,), 4)
    assert outcomes.scores("full", metric="score").tolist() == SCORES["full"].tolist()
    assert outcomes.answers(outcomes.trials["lora", 1]).tolist() == SCORES["lora"][1].tolist()


def test_numbers_keep_the_precision_in_which_they_are_stored(write_imported: Callable[..., Path]) -> None:
    numbers = {"full": np.array([[0.1, 0.2]]), "lora": np.array([[0.3, 1 / 3]])}
    outcomes = load(write_imported(numbers, labels=np.array([0.0, 1.0])))
    assert outcomes.is_regression
    assert outcomes.answers(outcomes.trials["lora", 0]).tolist() == [0.3, 1 / 3]


def test_trials_are_called_what_their_source_calls_them(scores: Path) -> None:
    assert load(scores).trials["lora", 1].name == "lora run r1"


def changed(table: pa.Table, name: str, values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values, kind or table.schema.field(name).type))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: changed(t, "prediction", [0, 1, 3, 1]), "a prediction is outside 0 to 2"),
        (lambda t: changed(t, "prediction", [0, 1, -1, 1]), "a prediction is outside 0 to 2"),
        (lambda t: changed(t, "prediction", [0.0] * 4, pa.float32()), "the column prediction holds float"),
        (lambda t: changed(t, "label", [0, 1, 3, 1]), "a label is outside 0 to 2"),
        (
            lambda t: t.rename_columns([*t.column_names[:3], "p_0"]),
            "expected the columns epoch, example_id, label, pred",
        ),
        (lambda t: t.slice(0, 0), "it holds no predictions"),
    ],
)
def test_predicted_classes_that_cannot_be_used(classes: Path, change: Any, message: str) -> None:
    assert message in spoiled(classes, change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: changed(t, "score", [0.0, np.nan, 1.0, 1.0]), "a score is not finite"),
        (lambda t: changed(t, "score", [0.0, np.inf, 1.0, 1.0]), "a score is not finite"),
        (lambda t: changed(t, "score", [0, 1, 0, 1], pa.int64()), "the column score holds int64"),
        (lambda t: t.append_column("label", pa.array([0] * 4)), "expected the columns epoch, example_id, score"),
        (lambda t: changed(t, "example_id", ["a", "b", "b", "c"]), "an example id occurs twice"),
    ],
)
def test_scores_that_cannot_be_used(scores: Path, change: Any, message: str) -> None:
    assert message in spoiled(scores, change)


def spoiled(folder: Path, change: Callable[[pa.Table], pa.Table]) -> str:
    """Why the first trial cannot be read once its predictions were changed."""
    path = folder / "trials" / "0000" / "predictions.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    trial = load(folder).trials["full", 0]
    assert trial.status == "unreadable"
    return trial.message
