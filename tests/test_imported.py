"""An imported study, written by hand: what the commands that train make of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import cli

Write = Callable[..., Path]
SCORES = {arm: np.tile([0.0, 1.0, 0.5], (2, 1)) for arm in ("full", "lora")}


Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command and return its exit code."""

    def run(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return run


@pytest.mark.parametrize(
    ("answers", "options"),
    [
        (SCORES, {}),
        ({arm: np.array([[0, 1]]) for arm in SCORES}, {"labels": np.array([0, 1]), "classes": ("a", "b")}),
        ({arm: np.array([[0.3, 1.5]]) for arm in SCORES}, {"labels": np.array([0.0, 1.0])}),
        ({arm: np.array([[[0.3, 0.7]] * 2]) for arm in SCORES}, {"labels": np.array([0, 1]), "classes": ("a", "b")}),
    ],
    ids=["scores", "classes", "numbers", "probabilities"],
)
def test_status_shows_what_was_imported(
    answers: Any, options: Any, write_imported: Write, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_imported(answers, **options)
    assert command("status", folder) == 0
    out = capsys.readouterr().out
    runs = str(len(answers["full"]))
    assert [line.split() for line in out.splitlines() if line][:3] == [
        ["theirs"],
        ["arm", "finished"],
        ["full", runs],
    ]
    assert "imported from 2 files" in out
    assert "not measured" not in out
    assert "to run" not in out


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "json"])
def test_analyze_takes_what_was_imported(
    form: str, write_imported: Write, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    folder = write_imported({arm: rng.random((4, 30)) for arm in SCORES}, left_out=2)
    assert command("analyze", folder, "--resamples", 99, "--format", form) == 0
    out = capsys.readouterr().out
    assert "rouge" in out
    assert "left out" in out
    assert "rouge by arm" in (folder / "report" / "tables.md").read_text()
    assert len(json.loads((folder / "looks.json").read_text())["looks"]) == 1


def test_status_names_runs_that_cannot_be_read(
    write_imported: Write, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_imported(SCORES)
    (folder / "trials" / "0101" / "predictions.parquet").write_bytes(b"")
    assert command("status", folder) == 0
    out = capsys.readouterr().out
    assert "lora run r1: unreadable: " in out
    assert command("status", folder, "--json") == 0
    (study,) = json.loads(capsys.readouterr().out)["studies"]
    assert (study["n_files"], study["to_run"], study["arms"][1]["statuses"]) == (2, 0, {"finished": 1, "unreadable": 1})


@pytest.mark.parametrize("name", ["run", "plan"])
def test_nothing_is_trained_into_an_imported_study(
    name: str, write_imported: Write, command: Command, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_imported(SCORES)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    arguments = (tiny_file, "name=theirs", "--results", folder.parent)
    assert command(name, *arguments) == 2
    assert "holds runs that were imported" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
