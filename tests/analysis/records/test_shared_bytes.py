"""What the files of several trials hold alike is read once; what differs is noticed, however alike it looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import RecordError
from analysis.records.data_entry import AnswerKind
from analysis.records.loading import load
from analysis.records.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    from conftest import StudyFolder

KIND = AnswerKind("probabilities", 2)


@pytest.fixture
def folder(tmp_path: Path, write_study: Callable[..., StudyFolder], rng: np.random.Generator) -> StudyFolder:
    return write_study(tmp_path / "s", {arm: rng.integers(0, 2, (2, 3, 50)) for arm in ("full", "lora")})


def read(folder: StudyFolder, arm: str, like: Predictions | None = None) -> Predictions:
    return read_predictions(folder.trial(arm, 0), kind=KIND, like=like)


def test_what_is_stored_alike_is_the_same_object_and_the_answers_are_each_files_own(folder: StudyFolder) -> None:
    first, alone = read(folder, "full"), read(folder, "lora")
    second = read(folder, "lora", like=first)
    assert second.example_ids is first.example_ids
    assert second.labels is first.labels
    assert alone.example_ids is not first.example_ids
    assert second.same_examples(first)
    np.testing.assert_array_equal(second.answers, alone.answers)
    assert not np.array_equal(second.answers, first.answers)


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"use_dictionary": False}, {"row_group_size": 40}])
def test_the_same_values_in_other_bytes_are_read_anew_and_are_the_same_examples(
    folder: StudyFolder, options: dict[str, Any]
) -> None:
    first = read(folder, "full")
    path = folder.trial("lora", 0) / "predictions.parquet"
    pq.write_table(pq.read_table(path), path, **options)
    second = read(folder, "lora", like=first)
    assert second.example_ids is not first.example_ids
    assert second.same_examples(first)
    assert second.epochs == first.epochs == (1, 2, 3)


def test_bytes_of_another_type_are_other_values(folder: StudyFolder) -> None:
    first = read(folder, "full")

    def unsigned(table: pa.Table) -> pa.Table:
        at = table.column_names.index("label")
        return table.set_column(at, "label", table["label"].cast(pa.uint32()))

    folder.change_predictions("lora", 0, unsigned)
    assert read(folder, "lora", like=first).shared != first.shared


def test_a_label_that_differs_is_found_behind_a_file_that_is_alike(folder: StudyFolder) -> None:
    def other_label(table: pa.Table) -> pa.Table:
        at = table.column_names.index("label")
        labels = np.tile([1, *table["label"].to_pylist()[1:50]], 3)
        return table.set_column(at, "label", pa.array(labels, pa.int32()))

    folder.change_predictions("lora", 1, other_label)
    trials = load(folder.root).trials
    assert "1 labels differ, first example 'id-0'" in trials["lora", 1].message
    assert [trials["lora", 0].status, trials["full", 1].status] == ["finished", "finished"]


def test_answers_are_checked_where_the_examples_are_alike(folder: StudyFolder) -> None:
    first = read(folder, "full")
    folder.change_predictions(
        "lora", 0, lambda table: table.set_column(3, "p_0", pa.array(np.full(150, 0.7), pa.float32()))
    )
    with pytest.raises(RecordError, match="do not add up to 1"):
        read(folder, "lora", like=first)
