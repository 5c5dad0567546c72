"""Names of models and data sets: a path of this machine, or a name on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ModelError
from harness.hub import find_local, is_on_hub, not_found
from harness.models import checkpoints
from harness.study.loading import load_study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder, with a folder of study files next to it."""
    for name in ("here", "studies"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize("name", ["nyu-mll/glue", "gpt2", "openai-community/gpt2", "org/v1.5-base_x"])
def test_a_name_of_the_hub_is_one(here: Path, name: str) -> None:
    assert is_on_hub(name)


@pytest.mark.parametrize(
    "name",
    [
        "./data",
        "../data",
        "~/data",
        "/data",
        "a/b/c",
        "data/",
        "reviews.csv",
        "data/Reviews.CSV",
        "my data",
        "d/sst2[v2]",
        "back\\slash",
        "é/x",
        "",
        "x" * 5000 + "/",
        "embedded/sentiment",
    ],
)
def test_what_looks_like_a_path_is_never_looked_up_on_the_hub(here: Path, name: str) -> None:
    assert not is_on_hub(name)


def test_what_lies_in_a_folder_that_is_here_is_no_name_of_the_hub(here: Path) -> None:
    assert is_on_hub("data/part")
    (here / "data").mkdir()
    assert not is_on_hub("data/part")
    assert is_on_hub("other/part")


def test_a_path_is_relative_to_the_working_folder_then_to_the_study_file(here: Path) -> None:
    studies = here.parent / "studies"
    assert find_local("data", studies) is None
    (studies / "data").mkdir()
    assert find_local("data") is None
    assert find_local("data", studies) == studies / "data"
    assert not is_on_hub("data", studies)
    (here / "data").mkdir()
    assert find_local("data", studies) == Path("data")
    assert find_local(str(here / "data"), studies) == here / "data"


def test_an_error_says_where_a_path_was_looked_for(here: Path) -> None:
    studies = here.parent / "studies"
    assert not_found("data", studies) == (
        f"no file or folder data in the working folder, {here}, nor beside the study file, in {studies}"
    )
    assert not_found("data", here) == f"no file or folder data in the working folder, {here}"
    assert not_found("/data", studies) == "no file or folder /data"


def test_a_study_knows_its_folder_and_is_the_same_study_anywhere(here: Path) -> None:
    text = "name: a\nmodel: m/m\ndata: {path: d}\narms: {full: {}}\nseeds: 1\n"
    for folder in (here, here.parent / "studies"):
        (folder / "a.yaml").write_text(text)
    first, second = load_study("a.yaml"), load_study("../studies/a.yaml")
    assert (first.folder, second.folder) == (here, here / ".." / "studies")
    assert first.model_dump() == second.model_dump()
    assert "folder" not in str(first.model_dump())


def test_a_model_beside_the_study_file_is_found(here: Path) -> None:
    studies = here.parent / "studies"
    (studies / "mine").symlink_to(checkpoints.find_checkpoint("embedded/tiny-gpt2").source)
    checkpoint = checkpoints.find_checkpoint("mine", beside=studies)
    assert checkpoint.identity == checkpoints.find_checkpoint("embedded/tiny-gpt2").identity
    with pytest.raises(ModelError, match=r"no file or folder mine/x in the working folder, .*nor beside the study"):
        checkpoints.find_checkpoint("mine/x", beside=studies)
