"""Labels of a regression: numbers as the data write them, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import dataset
from harness.data.files import DataTable
from harness.data.numbers import numbers_of
from harness.errors import DataError
from harness.study.settings import Data


def table(labels: Sequence[Any], *, untyped: bool = False, classes: Sequence[str] = ()) -> DataTable:
    return DataTable(
        names=("label",),
        columns={"label": list(labels)},
        n_rows=len(labels),
        classes={"label": tuple(classes)} if classes else {},
        untyped=untyped,
    )


def test_numbers_are_read_as_they_are_written() -> None:
    typed, texts = table([3, 2.5, -1]), table(["3", " 2.50", "-1e0"], untyped=True)
    for labels in numbers_of("label", {"train": typed, "validation": texts}).values():
        assert labels.dtype == np.float64
        assert labels.tolist() == [3.0, 2.5, -1.0]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            table([1.0, "2.0"]),
            "column 'label' of split 'train' holds '2.0' in row 2; a regression needs a finite number",
        ),
        (table(["1.0", "good"], untyped=True), "holds 'good'"),
        (table(["1.0", "1_0"], untyped=True), "holds '1_0'"),
        (table([1.0, True]), "holds True"),
        (table([1.0, float("nan")]), "holds nan"),
        (table(["1.0", "inf"], untyped=True), "holds 'inf'"),
        (table([1.0, 1e39]), "holds 1e+39"),
        (table([1.0, 10**400]), "holds 1000"),
        (table([1.0, [2.0]]), "holds [2.0]"),
        (table([-1.0, -1.0]), "the labels of split 'train' are hidden (-1)"),
        (table([0, 1], classes=["bad", "good"]), "holds classes (bad, good, ...), and a regression needs numbers"),
    ],
)
def test_what_is_no_number_is_refused(made: DataTable, words: str) -> None:
    with pytest.raises(DataError) as caught:
        numbers_of("label", {"train": made})
    assert words in str(caught.value)


def write(folder: Path, labels: Sequence[float]) -> Data:
    rows = "".join(f"text {number},{label}\n" for number, label in enumerate(labels))
    (folder / "rated.csv").write_text(f"sentence,label\n{rows}")
    return Data(path=str(folder / "rated.csv"), test_fraction=0.25)


def test_a_regression_has_no_classes(tmp_path: Path) -> None:
    # As many different labels as rows: as classes, each would have one example only, and none to test on.
    labels = [number / 10 for number in range(20)]
    read = dataset.read(write(tmp_path, labels), task="regression")
    assert read.classes == ()
    assert (len(read.train), len(read.test)) == (15, 5)
    assert sorted([*read.train.labels, *read.test.labels]) == labels
    by_text = dict(zip((text for (text,) in read.test.texts), read.test.labels.tolist(), strict=True))
    assert all(label == int(text.removeprefix("text ")) / 10 for text, label in by_text.items())


def test_a_bad_label_is_named_with_its_key_its_file_and_its_row(tmp_path: Path) -> None:
    data = write(tmp_path, [0.5, 1e39, 2.0])
    with pytest.raises(DataError) as caught:
        dataset.read(data, task="regression")
    assert str(caught.value).startswith(
        f"data.label of {data.path}: column 'label' of split 'train' holds '1e+39' in row 2;"
    )


def test_one_number_everywhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split 'train' holds one number only, 2\.5, in 15 examples"):
        dataset.read(write(tmp_path, [2.5] * 20), task="regression")
