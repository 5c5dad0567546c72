"""Several test sets: read one after the other, each with its name, and what they share is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.data import dataset
from harness.data.splits import ScoredSet
from harness.errors import DataError
from harness.study.settings import Data

TEXTS = {
    "train": ["a good film", "a bad film", "so good", "so bad"],
    "validation": ["well made", "badly made", "well acted"],
    "other": ["fine food", "cold food", "warm food", "old food"],
}


def write(path: Path, texts: list[str], **columns: list[str]) -> Path:
    rows = [",".join(["sentence", "label", *columns])]
    rows += [
        ",".join([text, str(number % 2), *(column[number] for column in columns.values())])
        for number, text in enumerate(texts)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, texts in TEXTS.items():
        write(tmp_path / f"{split}.csv", texts)
    return tmp_path


def read(folder: Path, *tests: str, **more: Any) -> dataset.Dataset:
    return dataset.read(Data(path=str(folder), test=tests, **more))


def test_sets_stand_one_after_the_other_each_as_it_is_alone(folder: Path) -> None:
    both = read(folder, "validation", "other")
    assert both.sets == (ScoredSet("validation", 3, 0), ScoredSet("other", 4, 0))
    alone = [read(folder, name) for name in ("validation", "other")]
    assert both.test.texts == alone[0].test.texts + alone[1].test.texts
    assert both.test.labels.tolist() == [*alone[0].test.labels, *alone[1].test.labels]
    first, second = (one.test.ids for one in alone)
    assert both.test.ids == (*(f"1/{example}" for example in first), *(f"2/{example}" for example in second))
    assert both.train.ids == alone[0].train.ids
    assert both.clusters is None
    assert both.remarks == ()
    assert "validation.csv (3 rows" in both.in_words()
    assert "other.csv (4 rows" in both.in_words()
    assert "drawn" not in both.in_words()
    assert [part["rows"] for part in both.origin.to_dict()["test"]] == [3, 4]


def test_one_set_is_what_it_was_before_there_could_be_several(folder: Path) -> None:
    alone, listed = read(folder, "other"), dataset.read(Data(path=str(folder), test=["other"]))  # type: ignore[arg-type]
    assert alone.sets == listed.sets == ()
    assert alone.test.ids == listed.test.ids
    assert "/" not in "".join(alone.test.ids)
    assert alone.origin.to_dict()["test"]["rows"] == 4


def test_a_test_set_may_be_a_file_somewhere_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    path = write(tmp_path / "away" / "food.csv", TEXTS["other"])
    both = read(folder, "validation", str(path))
    assert both.sets == (ScoredSet("validation", 3, 0), ScoredSet(str(path), 4, 0))
    assert "food.csv (4 rows, sha256" in both.in_words()
    # What a trial is known by does not say where the file lies.
    assert both.test.ids == read(folder, "validation", "other").test.ids
    single = dataset.read(Data(path=str(folder / "train.csv"), test=str(path)))
    assert single.test.texts == read(folder, "other").test.texts
    with pytest.raises(DataError, match=r"data.test: no file or folder .*foot\.csv"):
        read(folder, "validation", str(tmp_path / "away" / "foot.csv"))


def test_a_copy_is_known_as_one(folder: Path) -> None:
    write(folder / "copy.csv", TEXTS["validation"])
    both = read(folder, "validation", "copy")
    assert both.sets == (ScoredSet("validation", 3, 0), ScoredSet("copy", 3, 3))
    assert both.clusters is not None
    assert both.clusters[:3] == both.clusters[3:]
    assert len(set(both.clusters)) == 3
    (remark,) = both.remarks
    assert remark.startswith("test set copy: 3 of 3 texts are in an earlier test set too")


def test_a_text_that_a_set_repeats_is_its_own_copy_in_neither(folder: Path) -> None:
    write(folder / "other.csv", ["well made", "well made", "cold food", "cold food"])
    both = read(folder, "validation", "other")
    assert both.sets[1].n_shared == 1
    assert both.clusters is not None
    assert [both.clusters.index(name) for name in both.clusters] == [0, 1, 2, 0, 4, 5, 6]
    assert any(remark.startswith("test set other: 2 of 4 test texts repeat") for remark in both.remarks)


def test_each_set_gives_its_subset_and_its_clusters(folder: Path) -> None:
    write(folder / "validation.csv", TEXTS["validation"], page=["a", "a", "b"])
    write(folder / "other.csv", TEXTS["other"], page=["b", "c", "c", "c"])
    both = read(folder, "validation", "other", cluster="page")
    assert both.clusters == ("a", "a", "b", "b", "c", "c", "c")
    drawn = read(folder, "validation", "other", test_size=2)
    assert [one.n_test for one in drawn.sets] == [2, 2]
    assert "4 drawn to train on and 4 to test on" in drawn.in_words()
    write(folder / "other.csv", TEXTS["other"], page=["c"] * 4)
    with pytest.raises(DataError, match="split 'other' holds one cluster only"):
        read(folder, "validation", "other", cluster="page")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("sentence,label\nx,2\ny,0\n", ["split 'other'", "classes that split 'train' lacks: 2"]),
        ("sentence,label\nx,\ny,0\n", ["column 'label' of split 'other' is empty in 1 of 2 rows"]),
        ("sentence,label\nx,-1\ny,-1\n", ["labels of split 'other' are hidden"]),
        ("sentence,verdict\nx,1\ny,0\n", ["split 'other'", "has no column 'label'"]),
        ("sentence,label\nx,1\ny,1\n", ["split 'other' holds one class only"]),
    ],
)
def test_a_set_that_cannot_be_scored_is_named(folder: Path, rows: str, words: list[str]) -> None:
    (folder / "other.csv").write_text(rows)
    with pytest.raises(DataError) as caught:
        read(folder, "validation", "other")
    for word in words:
        assert word in str(caught.value)


def test_two_names_of_one_split_are_one_set(folder: Path) -> None:
    with pytest.raises(DataError, match="two of the test sets are the same split"):
        read(folder, "validation", "dev")
