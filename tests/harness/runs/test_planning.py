"""A plan reads the data as a run does: the same classes, the same refusals, the same remarks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from harness import run_study
from harness.errors import DataError
from harness.progress.displays import Display
from harness.runs.planning import study_size
from harness.runs.preview import same_settings
from harness.study.loading import load_study
from harness.study.study import Study


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Write a study of one arm on data of the rows given."""

    def write(train: list[str], test: list[str], *overrides: str, columns: str = "sentence,label") -> Study:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        for split, rows in (("train", train), ("validation", test)):
            (folder / f"{split}.csv").write_text("\n".join([columns, *rows, ""]))
        (tmp_path / "s.yaml").write_text(
            "name: s\nmodel: embedded/tiny-gpt2\ndata: {path: data}\ntraining: {num_train_epochs: 0}\n"
            "arms: {full: {}}\nseeds: 1\n"
        )
        return load_study(tmp_path / "s.yaml", overrides)

    return write


def test_the_classes_are_counted_and_what_was_read_is_said(study: Callable[..., Study]) -> None:
    two = study(["a,x", "b,y"], ["a,x", "c,y", "c,y"])
    size = study_size(two)
    remarks = size.remarks
    assert size.n_test == 3
    assert remarks[0].startswith("data: ")
    assert "train.csv (2 rows, sha256 " in remarks[0]
    assert [remark[:6] for remark in remarks[1:]] == ["1 of 3", "1 of 3"]
    three_classes = study_size(study(["a,x", "b,y", "d,z"], ["a,x", "c,y"]))
    totals = [arm.total for arm in (*size.arms, *three_classes.arms)]
    assert totals == sorted({total for total in totals if total is not None})
    assert len(totals) == 2


def test_sets_of_unlike_sizes_are_as_sure_as_fewer_examples(study: Callable[..., Study], tmp_path: Path) -> None:
    both = study(["a,x", "b,y"], ["c,x", "d,y", "e,y", "f,x"], "data.test=[validation, more]")
    (tmp_path / "data" / "more.csv").write_text("sentence,label\ng,x\nh,y\n")
    size = study_size(both)
    # Four over a quarter and a half: less than the six examples that there are.
    assert size.n_test == 5
    assert size.remarks[1].endswith("is as sure as one set of 5 examples")


@pytest.mark.parametrize(
    ("train", "test", "columns", "overrides", "words"),
    [
        (["a,x", "b,x"], ["a,x", "b,x"], "sentence,label", [], "split 'train' holds one class only, 'x'"),
        (["a,x,1", "b,y,1"], ["a,x,1", "b,y,2"], "sentence,label,id", [], "column 'id' holds '1' twice"),
        (["a,x,1", "b,y,"], ["a,x,1", "b,y,2"], "sentence,label,id", [], "column 'id' is empty in some rows"),
        (["a,x", "b,y"], ["a,x", "b,z"], "sentence,label", [], "holds classes that split 'train' lacks: 'z'"),
        (["a,x", "b,y"], ["a,x", "b,y"], "sentence,label", ["data.train_size=3"], "3 examples asked for"),
        (["a,x", "b,y"], ["a<|endoftext|>,x", "b,y"], "sentence,label", [], "which is the padding token"),
        ([f"{'a ' * 200},x", "b,y"], ["a,x", "b,y"], "sentence,label", ["data.max_length=150"], "reads at most 128"),
        (["a,x", "b,y"], ["a,x", "b,y"], "sentence,label", ["selection={best: loss}"], "a hold-out of 0.1 of 2"),
    ],
)
def test_what_a_run_refuses_a_plan_refuses(
    study: Callable[..., Study],
    tmp_path: Path,
    train: list[str],
    test: list[str],
    columns: str,
    overrides: list[str],
    words: str,
) -> None:
    loaded = study(train, test, *overrides, columns=columns)
    for command in (study_size, lambda read_study: run_study(read_study, tmp_path / "results")):
        with pytest.raises(DataError, match=words):
            command(loaded)
    assert not (tmp_path / "results").exists()


def test_a_folder_that_is_not_here_is_no_data_set_of_the_hub(study: Callable[..., Study], tmp_path: Path) -> None:
    loaded = study(["a,x", "b,y"], ["a,x", "b,y"], "data.path=reviews")
    with pytest.raises(DataError, match=f"no file or folder reviews in the working folder, {tmp_path}"):
        study_size(loaded)
    size = study_size(study(["a,x", "b,y"], ["a,x", "b,y"], "data.path=org/reviews"))
    assert size.n_test is None
    assert size.remarks[0].startswith("two classes are assumed: data set 'org/reviews' cannot be loaded")


def test_online_a_plan_downloads_nothing_and_says_so(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded = study(["a,x", "b,y"], ["a,x", "b,y"], "data.path=reviews")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(datasets, "load_dataset", None)
    assert (
        study_size(loaded)
        .remarks[0]
        .startswith(f"no file or folder reviews in the working folder, {tmp_path}; on the Hub, a plan")
    )


def test_a_run_says_and_records_what_it_read(study: Callable[..., Study], tmp_path: Path) -> None:
    messages: list[str] = []

    class Watcher(Display):
        def say(self, text: str) -> None:
            messages.append(text)

    loaded = study(["a,x", "b,y"], ["a,x", "c,y"])
    folder = run_study(loaded, tmp_path / "results", display=Watcher()).folder
    assert messages[0].startswith(f"data: {tmp_path / 'data'}: train.csv (2 rows, sha256 ")
    assert messages[1] == "1 of 2 test texts are in the training split too: a model may have memorised them"
    recorded = json.loads((folder / "study.json").read_text())["data"]
    assert recorded["origin"]["place"] == str(tmp_path / "data")
    assert [file["rows"] for file in recorded["origin"]["test"]["files"]] == [2]
    assert recorded["remarks"] == messages[1:2]
    # Rows replaced under the same path, with the time kept, are another study's trials.
    path = tmp_path / "data" / "train.csv"
    before = path.stat()
    path.write_text("sentence,label\na,y\nb,x\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    messages.clear()
    assert run_study(loaded, tmp_path / "results", display=Watcher()).ran == 1
    assert messages[2].startswith("the examples have changed since the last run, though the study names the same data")
    messages.clear()
    assert run_study(loaded, tmp_path / "results", display=Watcher()).ran == 0
    assert not any("not those of the last run" in message for message in messages)
    # A setting that changes the examples is said as a difference of the study, not as replaced data.
    run_study(study(["a,x", "b,y"], ["a,x", "c,y"], "data.max_length=2"), tmp_path / "results", display=Watcher())
    assert not any("not those of the last run" in message for message in messages)


def test_a_manifest_from_before_a_setting_is_of_the_same_study(study: Callable[..., Study], tmp_path: Path) -> None:
    loaded = study(["a,x", "b,y"], ["a,x", "c,y"])
    folder = run_study(loaded, tmp_path / "results").folder
    manifest = json.loads((folder / "study.json").read_text())
    for key in ("test_fraction", "split_seed"):
        del manifest["study"]["data"][key]
    (folder / "study.json").write_text(json.dumps(manifest))
    assert same_settings(loaded, folder)
    assert not same_settings(study(["a,x", "b,y"], ["a,x", "c,y"], "data.test_fraction=0.5"), folder)
