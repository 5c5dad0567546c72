"""`harness analyze`: what it prints, what it writes, and what it does without."""

from __future__ import annotations

import errno
import json
import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import html
from harness import cli
from tests.analysis.conftest import StudyFolder, simulated, write_study

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def study(folder: Path, name: str = "hand_made") -> StudyFolder:
    scores = simulated(np.random.default_rng(3), {"full": 0.9, "lora": 0.7}, seeds=3, examples=60)
    return write_study(folder, scores, name=name)


def test_the_report_is_written_where_it_always_was(command: Command, tmp_path: Path) -> None:
    root = study(tmp_path / "one").root
    code, out, err = command("analyze", "--resamples", "99", root)
    assert (code, err) == (0, "")
    assert f"All tables: {root}/report/tables.md and tables.tex" in out
    assert (root / "report" / "tables.md").read_text().startswith("# hand")
    assert (root / "report" / "tables.tex").exists()


def test_figures_are_written_where_they_are_asked_for(command: Command, tmp_path: Path) -> None:
    folder = study(tmp_path / "one")
    code, out, err = command("analyze", "--resamples", "99", folder.root, "--figures")
    assert (code, err) == (0, "")
    place = folder.root / "report" / "figures"
    assert f"Figures as PDF, SVG and PNG: {place}: gaps, runs, cost, power, classes\n" in out
    assert "  no figure epochs: Every run was scored after one epoch only" in out
    files = {path.name: path.read_bytes() for path in place.iterdir()}
    names = ("gaps", "runs", "cost", "power", "classes")
    assert set(files) == {f"{name}{end}" for name in names for end in (".pdf", ".svg", ".png", "-wide.pdf")}
    assert command("analyze", "--resamples", "99", folder.root, "--figures", "--format", "markdown")[0] == 0
    assert {path.name: path.read_bytes() for path in place.iterdir()} == files
    # A figure that can be drawn no more does not stay behind.
    for arm, seed in folder.keys:
        folder.pack(arm, seed, 6)
    _, out, _ = command("analyze", "--resamples", "99", folder.root, "--figures")
    assert "  no figure cost: No arm was timed alone" in out
    assert not list(place.glob("cost*"))
    assert (place / "gaps.pdf").exists()


def test_without_figures_none_are_written(command: Command, tmp_path: Path) -> None:
    root = study(tmp_path / "one").root
    _, out, _ = command("analyze", "--resamples", "99", root)
    assert "Figures" not in out
    assert not (root / "report" / "figures").exists()


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex", "json"])
def test_a_folder_that_takes_no_files_is_analysed_all_the_same(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    root = study(tmp_path / "one").root

    def read_only(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    code, out, err = command("analyze", "--resamples", "99", root, "--format", form)
    assert code == 0
    assert "lora" in out
    assert "All tables" not in out
    assert err == (
        f"the report was not written: {root}/report: Read-only file system; --report DIR writes it elsewhere\n"
        f"this look was not noted: {root}/looks.json: Read-only file system; later tables do not count it\n"
    )
    if form == "json":
        assert json.loads(out)["studies"][0]["name"] == "hand_made"


def test_a_full_disk_keeps_the_tables_of_yesterday(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = study(tmp_path / "one").root
    command("analyze", "--resamples", "99", root)
    before = {path.name: path.read_bytes() for path in (root / "report").iterdir()}
    sync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = command("analyze", "--resamples", "99", root)
    assert (code, "Verdicts" in out) == (0, True)
    assert "No space left on device" in err
    monkeypatch.setattr(os, "fsync", sync)
    assert {path.name: path.read_bytes() for path in (root / "report").iterdir()} == before


def test_a_report_goes_where_it_is_told_to(command: Command, tmp_path: Path) -> None:
    for name in "ab":
        study(tmp_path / "results" / name, name)
    code, out, _ = command("analyze", "--resamples", "99", tmp_path / "results" / "a", "--report", tmp_path / "here")
    assert code == 0
    assert f"All tables: {tmp_path}/here/tables.md" in out
    written = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert written == ["index.html", "numbers.tex", "tables.md", "tables.tex"]
    code, _, _ = command("analyze", "--resamples", "99", tmp_path / "results", "--report", tmp_path / "both")
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["a", "b"]
    assert (tmp_path / "both" / "b" / "tables.md").exists()
    assert not list((tmp_path / "results").glob("*/report"))
    (tmp_path / "file").write_text("")
    code, out, err = command("analyze", "--resamples", "99", tmp_path / "results" / "a", "--report", tmp_path / "file")
    assert (code, "Verdicts" in out) == (2, True)
    assert f"the report was not written: {tmp_path}/file: " in err


def test_a_page_is_written_and_shown_when_asked_for(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = study(tmp_path / "one").root
    page = root / "report" / "index.html"
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or len(shown) == 1)
    code, out, err = command("analyze", "--resamples", "99", root)
    assert (code, err, shown) == (0, "", [])
    assert f"A page to read and to send: {page}\n" in out
    first = page.read_bytes()
    assert first.startswith(b"<!DOCTYPE html>")
    assert b"Is the gap real?" in first
    code, _, err = command("analyze", "--resamples", "99", root, "--open")
    assert (code, err, shown) == (0, "", [page.as_uri()])
    assert page.read_bytes() == first
    code, _, err = command("analyze", "--resamples", "99", root, "--open")
    assert (code, err) == (0, f"no browser was found to show {page}\n")
    code, out, err = command("analyze", "--resamples", "99", root, "--no-html")
    assert (code, page.read_bytes()) == (0, first)
    assert err == f"{page} is of an earlier analysis: --no-html leaves it as it is\n"
    assert "A page" not in out
    page.unlink()
    code, out, err = command("analyze", "--resamples", "99", root, "--no-html")
    assert (code, err, page.exists()) == (0, "", False)
    assert "A page" not in out
    code, _, err = command("analyze", root, "--no-html", "--open")
    assert code == 2
    assert "--open: shows index.html, which --no-html leaves out" in " ".join(err.split())


def test_a_page_is_drawn_again_only_where_something_has_changed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study(tmp_path / "one")
    page, drawn, draw = folder.root / "report" / "index.html", [], html.page
    monkeypatch.setattr(html, "page", lambda *given, **more: drawn.append(1) or draw(*given, **more))

    def again() -> bytes:
        drawn.clear()
        assert command("analyze", "--resamples", "99", folder.root)[0] == 0
        return page.read_bytes()

    first = again()
    assert drawn
    assert again() == first
    assert not drawn
    # What somebody wrote into it, or what another study wrote, does not stay.
    page.write_bytes(first.replace(b"Is the gap real?", b"Is the gap there?"))
    assert (again(), len(drawn)) == (first, 1)
    page.write_bytes(b"\xff")
    assert (again(), len(drawn)) == (first, 1)
    folder.change_manifest(lambda content: content.update(question="Which one?"))
    assert b"Which one?" in again()
    assert drawn
    table = {"example_id": [f"id-{i}" for i in range(60)], "text": ["a text"] * 60, "label": [0] * 60}
    pq.write_table(pa.table(table), folder.root / "examples.parquet")
    assert b"a text" in again()
    assert drawn


def test_the_page_shows_the_texts_that_are_stored(command: Command, tmp_path: Path) -> None:
    root = study(tmp_path / "one").root
    page, ids = root / "report" / "index.html", [f"id-{i}" for i in range(60)]

    def write(ids: list[str]) -> None:
        table = {"example_id": ids, "text": [f"sentence of {one}" for one in ids], "label": [0] * len(ids)}
        pq.write_table(pa.table(table), root / "examples.parquet")

    write(ids)
    code, _, err = command("analyze", "--resamples", "99", root)
    assert (code, err) == (0, "")
    assert "sentence of id-" in page.read_text()
    # Texts of other examples, and what is no table, are said and not shown.
    write([f"other-{one}" for one in ids])
    code, _, err = command("analyze", "--resamples", "99", root)
    assert code == 0
    assert err.startswith(
        f"hand_made: no texts in index.html: {root}/examples.parquet cannot be used: it has no text for "
    )
    assert err.endswith("; harness run writes it again\n")
    assert "sentence of" not in page.read_text()
    (root / "examples.parquet").write_text("no table")
    code, _, err = command("analyze", "--resamples", "99", root)
    assert (code, "examples.parquet cannot be read" in err) == (0, True)


def test_an_unreadable_trial_is_named_with_its_reason_and_exits_with_1(command: Command, tmp_path: Path) -> None:
    folder = study(tmp_path / "one")
    (folder.trial("lora", 1) / "record.json").write_bytes(b"\xff")
    for form in ("terminal", "json"):
        code, out, err = command("analyze", "--resamples", "99", folder.root, "--format", form)
        assert code == 1
        assert err.startswith("hand_made: lora seed 1 could not be read: trials/0101abc/record.json cannot be read: ")
        assert err.endswith("; harness run sets it aside and trains it again\n")
    assert json.loads(out)["studies"][0]["unreadable"] == [err.partition(": ")[2].rpartition(";")[0]]
    code, out, _ = command("status", folder.root)
    assert code == 0
    assert "lora, seed 1: unreadable: trials/0101abc/record.json cannot be read" in " ".join(out.split())
    assert "1 to run" in out


def test_one_study_among_many_hides_no_other(command: Command, tmp_path: Path) -> None:
    for name in ("good", "worse"):
        study(tmp_path / name, name)
    manifest = tmp_path / "worse" / "study.json"
    manifest.write_text(
        manifest.read_text().replace('"n_test": 60', '"n_test": "all"').replace('"seed": 1', '"seed": null')
    )
    code, out, err = command("analyze", "--resamples", "99", tmp_path, "--format", "json")
    assert (code, [one["name"] for one in json.loads(out)["studies"]]) == (2, ["good"])
    assert "error: worse: " in err
    assert "data.n_test: expected a whole number, got 'all'" in err
    assert err.count("expected a whole number, got None") == 2
    code, out, err = command("status", "--results", tmp_path)
    assert (code, out.startswith("good")) == (2, True)
    assert f"mv {manifest} {manifest}.broken" in err


def test_times_that_cannot_be_read_are_named_and_the_rest_is_analysed(command: Command, tmp_path: Path) -> None:
    folder = study(tmp_path / "one")
    folder.time({"full": [0.1, 0.2, 0.4], "lora": [0.05, 0.1, 0.2]})
    path = folder.root / "timing.json"
    path.write_text('{"format": 1, "turns"')
    code, out, err = command("analyze", "--resamples", "99", folder.root)
    assert code == 0
    assert "lora against full" in out
    assert "unreadable: timing.json" in out
    assert err.startswith(f"hand_made: no times that were measured in turns: {path} cannot be read: ")
    assert err.endswith(f". Move it away, and harness time measures anew: mv {path} {path}.broken\n")
    assert f"mv {path}" in (folder.root / "report" / "index.html").read_text()
