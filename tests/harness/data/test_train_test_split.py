"""A test split drawn from one file: the same share of every class, once for a study, no text on both sides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.data import dataset
from harness.data.train_test_split import train_test_split
from harness.errors import DataError
from harness.study.settings import Data


def file_of(path: Path, rows: list[tuple[str, str]], more: dict[str, list[Any]] | None = None) -> Path:
    more = more or {}
    lines = [",".join(["sentence", "label", *more])]
    for number, row in enumerate(rows):
        lines.append(",".join([*row, *(str(column[number]) for column in more.values())]))
    path.write_text("\n".join(lines) + "\n")
    return path


ROWS = [(f"text {number}", "rare" if number % 10 == 0 else "common") for number in range(100)]


def test_every_class_gives_its_share_and_the_rest_is_trained_on(tmp_path: Path) -> None:
    path = file_of(tmp_path / "reviews.csv", ROWS, {"id": list(range(100, 200))})
    read = dataset.read(Data(path=str(path), test_fraction=0.2))
    assert Counter(read.classes[label] for label in read.test.labels) == {"common": 18, "rare": 2}
    assert sorted(read.train.ids + read.test.ids) == [str(number) for number in range(100, 200)]
    # Ids, labels and texts stay together, in the order of the file.
    for part in (read.train, read.test):
        assert list(part.ids) == sorted(part.ids)
        for example, label, (text,) in zip(part.ids, part.labels, part.texts, strict=True):
            assert (text, read.classes[label]) == ROWS[int(example) - 100]
    assert f"reviews.csv (100 rows, sha256 {read.origin.train.files[0].sha256[:12]}); 80 drawn to train on" in (
        read.in_words()
    )


def test_the_draw_is_the_same_again_and_another_for_another_seed(tmp_path: Path) -> None:
    path = str(file_of(tmp_path / "reviews.csv", ROWS))
    first = dataset.read(Data(path=path, test_fraction=0.2))
    assert dataset.read(Data(path=path, test_fraction=0.2)).test.ids == first.test.ids
    other = dataset.read(Data(path=path, test_fraction=0.2, split_seed=1))
    assert set(other.test.ids) != set(first.test.ids)
    # A subset is drawn from its part, and a split that is there is not needed.
    small = dataset.read(Data(path=path, test_fraction=0.2, train_size=40, test_size=15))
    assert set(small.test.ids) < set(first.test.ids)
    assert set(small.train.ids) < set(first.train.ids)


def test_a_text_is_never_on_both_sides(tmp_path: Path) -> None:
    rows = [(f"text {number % 25}", "ab"[number % 25 % 2]) for number in range(100)]
    read = dataset.read(Data(path=str(file_of(tmp_path / "r.csv", rows)), test_fraction=0.3))
    assert not set(read.train.texts) & set(read.test.texts)
    assert len(read.train) + len(read.test) == 100
    assert read.remarks == (
        "24 of 32 test texts repeat another one: a model is right or wrong on both, but the tests count each as drawn "
        "on its own, so that gaps look surer than they are; with data.cluster: sentence equal texts count as one",
    )


def test_the_rows_of_a_cluster_stay_together(tmp_path: Path) -> None:
    path = file_of(tmp_path / "r.csv", ROWS, {"author": [number // 5 for number in range(100)]})
    read = dataset.read(Data(path=str(path), test_fraction=0.2, cluster="author"))
    assert read.clusters is not None
    assert set(Counter(read.clusters).values()) == {5}
    tested = {int(author) for author in read.clusters}
    assert all(int(text.split()[1]) // 5 not in tested for (text,) in read.train.texts)
    # A cluster that holds all of a class would leave none of it to train on.
    rows = [(f"t {number}", "c" if number % 5 == 4 and number // 5 == 1 else "ab"[number % 2]) for number in range(20)]
    path = file_of(tmp_path / "s.csv", rows, {"author": [number // 5 for number in range(20)]})
    seeds = [Data(path=str(path), test_fraction=0.3, cluster="author", split_seed=seed) for seed in range(20)]
    messages = []
    for block in seeds:
        try:
            read = dataset.read(block)
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert all("leaves no example of c to train on" in message and "data.split_seed" in message for message in messages)


def test_a_class_with_one_text_is_trained_on() -> None:
    train, test = train_test_split(["a"] * 10 + ["b"], list(range(11)), fraction=0.5, seed=0)
    assert 10 in train
    assert len(test) == 5
    train, test = train_test_split(["a", "a", "b", "b"], list(range(4)), fraction=0.001, seed=0)
    assert (len(train), len(test)) == (2, 2)


def test_the_one_split_of_a_folder_is_divided(tmp_path: Path) -> None:
    file_of(tmp_path / "train.csv", ROWS)
    assert len(dataset.read(Data(path=str(tmp_path), test_fraction=0.1)).test) == 10
    file_of(tmp_path / "unlabelled.csv", ROWS[:50])
    assert len(dataset.read(Data(path=str(tmp_path), test_fraction=0.1)).test) == 10
    assert len(dataset.read(Data(path=str(tmp_path), test_fraction=0.1, train="unlabelled")).test) == 5
    assert len(dataset.read(Data(path="embedded/sentiment", test_fraction=0.1)).test) == 600


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"test_fraction": 0.2, "test": "dev"}, "test names the split 'dev'; leave one of the two out"),
        ({"split_seed": 1}, "has an effect only with test_fraction"),
        ({"test_fraction": 1.0}, "less than 1"),
        ({"test_fraction": 0.0}, "greater than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(block: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Data(path="reviews.csv", **block)


def test_too_few_rows_to_draw_from_are_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path / "r.csv", [("x", "a"), ("y", "b")])
    with pytest.raises(DataError, match="split 'drawn test rows' holds no class in 0 examples"):
        dataset.read(Data(path=str(path), test_fraction=0.5))


def test_texts_that_stand_on_both_sides_are_counted(tmp_path: Path) -> None:
    file_of(tmp_path / "train.csv", [("x", "a"), ("y", "b"), ("z", "a")])
    file_of(tmp_path / "validation.csv", [("x", "a"), ("y", "a"), ("new", "b"), ("new", "b"), ("x", "a")])
    remarks = dataset.read(Data(path=str(tmp_path))).remarks
    assert remarks == (
        "3 of 5 test texts are in the training split too: a model may have memorised them",
        "2 of 5 test texts repeat another one: a model is right or wrong on both, but the tests count each as drawn "
        "on its own, so that gaps look surer than they are; with data.cluster: sentence equal texts count as one",
    )


def test_repeats_within_a_cluster_are_settled_and_others_are_told(tmp_path: Path) -> None:
    rows = [("same", "a"), ("same", "a"), ("same", "a"), ("new", "b")]
    file_of(tmp_path / "train.csv", [("x", "a"), ("y", "b")])
    file_of(tmp_path / "validation.csv", rows, {"author": ["p", "p", "q", "q"]})
    assert dataset.read(Data(path=str(tmp_path), cluster="author")).remarks == (
        "1 of 4 test texts repeat one of another cluster: a model is right or wrong on both, but the tests count "
        "clusters as drawn on their own; name a data.cluster that keeps equal texts together",
    )
    # The advice that is given without a cluster works.
    assert "with data.cluster: sentence equal texts count as one" in dataset.read(Data(path=str(tmp_path))).remarks[0]
    read = dataset.read(Data(path=str(tmp_path), cluster="sentence"))
    assert (read.remarks, read.clusters) == ((), ("same", "same", "same", "new"))
