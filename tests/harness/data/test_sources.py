"""Data sources: exactly the files that were named are read, as they are now, never from a cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from harness.data import dataset, sources
from harness.errors import DataError
from harness.study.loading import load_study
from harness.study.settings import Data

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with an empty cache of datasets."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def write(path: str | Path, *texts: str) -> Path:
    """Write a CSV file of texts, by turns of class 0 and 1."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sentence,label\n" + "".join(f"{text},{number % 2}\n" for number, text in enumerate(texts)))
    return path


def both(folder: str, *texts: str, train: str = "train.csv", test: str = "validation.csv") -> Path:
    for name in (train, test):
        write(Path(folder) / name, *texts)
    return Path(folder)


def texts(path: str | Path, **more: Any) -> list[str]:
    return [text for (text,) in dataset.read(Data(path=str(path), **more)).train.texts]


def refused(path: str | Path, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        dataset.read(Data(path=str(path), **more))
    return str(caught.value)


def cached(path: str) -> Path:
    """Have datasets read a folder, and return what its cache keeps of it."""
    loaded = datasets.load_dataset(path)
    return Path(loaded["train"].cache_files[0]["filename"]).parent


def test_what_a_cache_holds_of_another_folder_of_this_name_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both("../elsewhere/data/part", "theirs", "alas")
    monkeypatch.chdir(tmp_path / "elsewhere")
    cached("data")
    monkeypatch.chdir(tmp_path / "here")
    # What the library alone would do.
    assert datasets.load_dataset("data")["train"]["sentence"][:] == ["theirs", "alas"]
    message = refused("data")
    assert f"no file or folder data in the working folder, {tmp_path / 'here'}" in message
    assert "was read from local files, not from the Hub" in message


def test_what_a_cache_holds_of_the_hub_is_read(tmp_path: Path) -> None:
    kept = cached(str(both("../elsewhere/glue", "one", "two")))
    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(kept, tmp_path / "cache" / "org___glue" / "default" / "0.0.0" / commit)
    read = dataset.read(Data(path="org/glue"))
    assert [text for (text,) in read.train.texts] == ["one", "two"]
    assert read.in_words() == ("data: org/glue on the Hub, commit 0123456789ab: train (2 rows), validation (2 rows)")
    assert read.origin.to_dict()["revision"] == commit
    assert dataset.read(Data(path="org/glue", revision=commit)).test.ids == read.test.ids
    other = "f" * 40
    assert f"asked for {other}, and without a network datasets' cache gave {commit}" in refused(
        "org/glue", revision=other
    )


@pytest.mark.parametrize("name", ["csv", "json", "parquet", "text", "org/unknown"])
def test_a_name_that_nobody_has_is_one_message(name: str) -> None:
    message = refused(name)
    assert f"data set {name!r} cannot be loaded: no file or folder {name} in the working folder" in message
    assert "data.path=FOLDER" in message


def test_replaced_rows_are_read_though_the_time_stamp_is_kept(here: Path) -> None:
    both("data", "old", "rows")
    before = [path.stat() for path in sorted(here.glob("data/*"))]
    assert texts("data") == ["old", "rows"]
    both("data", "new", "rows")
    for path, stat in zip(sorted(here.glob("data/*")), before, strict=True):
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert texts("data") == ["new", "rows"]


def test_a_link_that_points_elsewhere_now_is_followed(here: Path) -> None:
    both("v1", "first", "version")
    both("v2", "later", "version")
    Path("data").symlink_to("v1")
    assert texts("data") == ["first", "version"]
    Path("data").unlink()
    Path("data").symlink_to("v2")
    assert texts("data") == ["later", "version"]


@pytest.mark.parametrize(("asked", "beside"), [("sst2[v2]", "sst2v"), ("run?", "run1"), ("a*", "ab"), ("{a,b}", "a")])
def test_a_path_is_no_pattern(asked: str, beside: str) -> None:
    both(asked, "mine", "own")
    both(beside, "other", "rows", "here")
    assert texts(asked) == ["mine", "own"]
    shutil.rmtree(asked)
    assert f"no file or folder {asked}" in refused(asked)


def test_the_working_folder_comes_before_the_study_files_folder(here: Path) -> None:
    studies = here.parent / "studies"
    write(studies / "data" / "train.csv", "beside", "it")
    write(studies / "data" / "validation.csv", "beside", "it")
    study = studies / "s.yaml"
    study.write_text("name: s\nmodel: embedded/tiny-gpt2\ndata: {path: data}\narms: {full: {}}\nseeds: 1\n")
    loaded = load_study(study)
    assert dataset.read(loaded.data, beside=loaded.folder).origin.place == str(studies / "data")
    both("data", "in", "here")
    assert dataset.read(loaded.data, beside=loaded.folder).origin.place == str(here / "data")
    shutil.rmtree(here / "data")
    shutil.rmtree(studies / "data")
    with pytest.raises(
        DataError, match=r"was read from local files|no file or folder data .* beside the study file, in"
    ):
        dataset.read(loaded.data, beside=loaded.folder)


def test_what_was_read_is_said_and_can_be_recorded(here: Path) -> None:
    both("data", "a", "b", "c", "d")
    files = {name: (here / "data" / f"{name}.csv").read_bytes() for name in ("train", "validation")}
    digest = hashlib.sha256(files["train"]).hexdigest()
    read = dataset.read(Data(path="data", train_size=3))
    assert read.in_words() == (
        f"data: {here}/data: train.csv (4 rows, sha256 {digest[:12]}), validation.csv (4 rows, sha256 {digest[:12]})"
        "; 3 drawn to train on and 4 to test on"
    )
    assert json.loads(json.dumps(read.origin.to_dict())) == {
        "place": str(here / "data"),
        "revision": None,
        **{
            role: {
                "name": name,
                "rows": 4,
                "files": [{"path": str(here / "data" / f"{name}.csv"), "sha256": digest, "rows": 4}],
            }
            for role, name in (("train", "train"), ("test", "validation"))
        },
    }
    embedded = dataset.read(Data(path="embedded/sentiment"))
    assert embedded.in_words() == "data: embedded/sentiment: train (6,000 rows), validation (800 rows)"
    assert embedded.remarks == ()


@pytest.mark.parametrize(
    ("train", "test", "asked"),
    [
        ("train.csv", "dev.csv", {}),
        ("train.csv", "valid.csv", {}),
        ("training.csv", "val.csv", {}),
        ("TRAIN.CSV", "Validation.Csv", {}),
        ("train.csv", "validation.csv", {"test": "dev"}),
        ("train.csv", "test.csv", {"test": "test"}),
        ("train-00000-of-00001.csv", "validation-00000-of-00001-0123456789abcdef.csv", {}),
        ("train/part.csv", "validation/part.csv", {}),
        ("data/train.csv", "data/validation.csv", {}),
        ("sst2/train.csv", "sst2/validation.csv", {"name": "sst2"}),
    ],
)
def test_usual_names_of_splits_are_found(train: str, test: str, asked: dict[str, Any]) -> None:
    write(Path("d", train), "x", "y")
    write(Path("d", test), "p", "q", "r")
    Path("d/dataset_infos.json").write_text("{}")
    Path("d/README.md").write_text("about")
    Path("d/.hidden.csv").write_text("none")
    read = dataset.read(Data(path="d", **asked))
    assert (len(read.train), len(read.test)) == (2, 3)
    assert Path(test).name in read.in_words()


def test_parts_of_a_split_are_read_in_order(here: Path) -> None:
    both("d", "x", "y")
    Path("d/train.csv").unlink()
    for number, words in enumerate((["a", "b"], ["c", "d"], ["e", "f"])):
        write(f"d/train-{number:05}-of-00003.csv", *words)
    assert texts("d") == list("abcdef")
    assert "train (3 files, 6 rows, sha256 " in dataset.read(Data(path="d")).in_words()
    Path("d/train-00001-of-00003.csv").unlink()
    assert "split 'train' in" in refused("d")
    assert "is not complete" in refused("d")
    shutil.rmtree("d")
    both("d", "x", "y")
    Path("d/train.csv").rename("d/other.csv")
    write("d/train/one.csv", "a", "b")
    write("d/train/two.csv", "c", "d")
    assert texts("d") == list("abcd")
    Path("d/train/two.csv").write_text("sentence,label,more\nc,0,1\n")
    assert "do not fit together" in refused("d")


def test_a_single_data_set_from_save_to_disk_is_one_split(here: Path) -> None:
    rows = {"sentence": list("abcdefgh"), "label": [0, 1] * 4}
    datasets.Dataset.from_dict(rows).save_to_disk("saved")
    message = refused("saved")
    assert "has no split 'train'; there are data; data.test_fraction=0.2 draws the rows to test on" in message
    read = dataset.read(Data(path="saved", test_fraction=0.25))
    assert (len(read.train), len(read.test)) == (6, 2)


@pytest.mark.parametrize(
    ("files", "asked", "words"),
    [
        (["data.py"], {}, ["holds no data that can be read", "there is data.py"]),
        (["dataset_infos.json", "README.md"], {}, ["holds no data that can be read"]),
        ([], {}, ["there is nothing"]),
        (["train.csv"], {}, ["no split 'validation'; there are train; data.test_fraction=0.2"]),
        (["train.csv", "test.csv"], {}, ["no split 'validation'; there are test, train; data.train and data.test say"]),
        (["train.csv", "test.csv"], {"test": "tset"}, ["did you mean 'test'?"]),
        (["train.csv", "train.json", "dev.csv"], {}, ["split 'train' is in", "train.csv, train.json; leave one"]),
        (["train.csv", "train/a.csv", "dev.csv"], {}, ["more than once: train/a.csv, train.csv"]),
        (["Train.csv", "TRAIN.csv", "dev.csv"], {}, ["no split 'train'; there are TRAIN, Train, dev"]),
        (["dev.csv", "val.csv", "train.csv"], {}, ["no split 'validation'; there are dev, train, val"]),
        (["train.csv", "dev.csv"], {"test": "training"}, ["are the same split of", "'train'"]),
        (["a/train.csv", "a/dev.csv", "b/train.csv", "b/dev.csv"], {}, ["each hold the splits; name one of these"]),
        (["train.csv", "dev.csv"], {"name": "sst2"}, ["has no folder 'sst2'; data.name=null"]),
        (["train.tsv"], {}, ["holds no data that can be read", "ends in .parquet, .csv, .json"]),
    ],
)
def test_what_is_not_plain_is_one_message(files: list[str], asked: dict[str, Any], words: list[str]) -> None:
    Path("d").mkdir()
    for file in files:
        write(Path("d", file), "a", "b")
    message = refused("d", **asked)
    assert all(word in message for word in words), message


def test_what_only_the_hub_knows_is_not_ignored(here: Path) -> None:
    both("d", "a", "b")
    assert "data.revision: 'v2' names something on the Hub, and d is on this machine" in refused("d", revision="v2")
    message = refused("embedded/sentiment", name="sst2", revision="v2")
    assert message.endswith("leave it out: data.name=null data.revision=null")


def test_a_file_that_may_not_be_read_or_is_none_is_one_message(here: Path) -> None:
    assert "is not a data file; expected one that ends in" in refused(write("notes.txt", "a", "b"))
    assert "data.name=null" in refused(write("one.csv", "a", "b"), name="sst2", test_fraction=0.5)
    folder = both("d", "a", "b")
    (folder / "train.csv").unlink()
    (folder / "train.csv").mkdir()
    assert "no split 'train'; there are validation" in refused("d")


def test_a_misspelt_file_is_told_of_the_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside" / "data").mkdir(parents=True)
    (tmp_path / "beside" / "data" / "reviews.csv").write_text("sentence,label\na,0\nb,1\n")
    monkeypatch.chdir(tmp_path)
    for path, beside in (("beside/data/review.csv", None), ("data/review.csv", tmp_path / "beside")):
        with pytest.raises(
            DataError, match=f"no file or folder {path} .*; did you mean '{path.replace('w.', 'ws.')}'\\?"
        ):
            sources.read(Data(path=path, test_fraction=0.5), beside)
