"""The live report: the page follows the trials, disturbs nothing, and ends as the report of the whole study."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import live
from harness.cli.live import RELOAD, SECONDS, follow
from harness.records.lock import lock_study
from tests.analysis.conftest import StudyFolder, write_study
from tests.harness.cli.test_watch import Step, appear, stepping

Follow = Callable[..., bool]


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Two arms and four seeds, one arm better in every seed; kept aside, so that a test lets its trials appear."""
    rng = np.random.default_rng(1)
    right = (rng.random((2, 4, 200)) < np.array([0.95, 0.6])[:, None, None]).astype(int)
    return write_study(tmp_path / "aside", {"full": right[0], "lora": right[1]}, name="s")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results" / "s"


@pytest.fixture
def followed(folder: Path) -> Follow:
    """Follow the study while steps are done one after the other; Ctrl-C comes after the last."""

    def run(*steps: Step, **options: Any) -> bool:
        options = {"report": None, "resamples": 99, "in_browser": False} | options
        return follow(folder, folder.parent, wait=stepping(*steps), **options)

    return run


def page(folder: Path) -> str:
    return (folder / "report" / "index.html").read_text("utf-8")


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the report."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "report" not in path.parts
    }


def test_the_page_follows_the_trials(
    study: StudyFolder, folder: Path, followed: Follow, capsys: pytest.CaptureFixture[str]
) -> None:
    every = list(study.keys)
    pages: list[tuple[str, int]] = []

    def see(step: Step | None = None) -> Step:
        def done() -> None:
            path = folder / "report" / "index.html"
            pages.append((page(folder), path.stat().st_ino))
            if step is not None:
                step()

        return done

    complete = followed(
        lambda: appear(study, folder),
        see(lambda: appear(study, folder, *every[:5])),
        see(),
        # Nothing has changed.
        see(lambda: appear(study, folder, *every)),
    )
    assert complete
    (empty, _), (five, first), (again, second) = pages
    assert "0 of 8 trials are in" in empty
    assert "5 of 8 trials are in" in five
    assert (again, second) == (five, first)
    for live_page in (empty, five):
        assert f'<meta http-equiv="refresh" content="{RELOAD}">' in live_page
        assert "are withheld until all 8 trials" in live_page
        assert "worse" not in re.sub(r"<style>.*?</style>", "", live_page, flags=re.DOTALL)
    last = page(folder)
    assert "refresh" not in last
    assert "lora is worse than full" in last
    err = capsys.readouterr().err
    assert err.startswith(f"waiting: {folder} does not exist")
    assert re.findall(r"s: (\d) of 8 trials are in: ", err) == ["0", "5", "8"]


def test_only_the_report_is_written_until_verdicts_are_shown(
    study: StudyFolder, folder: Path, followed: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a lock asked for: a run that begins must not find the study locked."""
    every = list(study.keys)
    appear(study, folder, *every[:5])
    before = files(folder)

    def refuse(*_: Any) -> None:
        raise AssertionError("it asked for a lock")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        assert not followed(lambda: None)
    assert files(folder) == before
    # Whoever reads the verdicts of a declared look, or of the whole study, has looked.
    appear(study, folder, *every)
    assert followed()
    assert set(files(folder)) - set(before) - {
        f"trials/{study.keys[t]}/{n}" for t in every for n in ("record.json", "predictions.parquet")
    } == {"looks.json"}


def test_a_page_that_is_left_is_one_that_nobody_renews(study: StudyFolder, folder: Path, followed: Follow) -> None:
    appear(study, folder, *list(study.keys)[:3])
    assert not followed(lambda: None)
    left = page(folder)
    assert "refresh" not in left
    assert "3 of 8 trials were in" in left
    assert "are withheld" in left


def test_a_run_that_has_trained_everything_is_still_followed(
    study: StudyFolder, folder: Path, followed: Follow
) -> None:
    """What it writes last belongs to the report too."""
    appear(study, folder, *study.keys)
    with lock_study(folder) as lock:
        lock.tell(doing="timing")
        assert not followed(lambda: None)
        shown = page(folder)
    assert "lora is worse than full" in shown
    assert "8 of 8 trials were in" in shown
    assert followed()
    assert "trials were in" not in page(folder)


def test_a_page_opens_once(study: StudyFolder, folder: Path, followed: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    every = list(study.keys)
    followed(lambda: appear(study, folder, every[0]), lambda: appear(study, folder, *every), in_browser=True)
    assert opened == [(folder / "report" / "index.html").absolute().as_uri()]


def test_a_page_that_cannot_be_written_is_told_once_and_tried_again(
    study: StudyFolder, folder: Path, followed: Follow, capsys: pytest.CaptureFixture[str]
) -> None:
    every = list(study.keys)
    appear(study, folder, *every[:2])
    (folder / "report").write_text("a file where the folder belongs")

    followed(
        lambda: None,
        lambda: appear(study, folder, every[2]),
        lambda: (folder / "report").unlink(),
    )
    err = capsys.readouterr().err
    assert err.count("the page was not written") == 1
    assert "it is tried again" in err
    assert "3 of 8 trials were in" in page(folder)


def test_a_place_that_was_asked_for_and_cannot_be_written_is_an_error(
    study: StudyFolder, folder: Path, command: Callable[..., Any]
) -> None:
    appear(study, folder, *list(study.keys)[:2])
    place = folder.parent / "taken"
    place.write_text("")
    code, out, err = command("analyze", folder, "--live", "--report", place)
    assert (code, out) == (2, "")
    assert str(place) in err
    assert "Traceback" not in err


def test_what_cannot_be_read_is_waited_for(
    study: StudyFolder, folder: Path, followed: Follow, capsys: pytest.CaptureFixture[str]
) -> None:
    every = list(study.keys)
    appear(study, folder, *every[:2])

    def spoil() -> None:
        (folder / "study.json").write_text("{")

    def mend() -> None:
        (folder / "study.json").unlink()
        appear(study, folder, *every[:3])

    def halve() -> None:
        path = folder / "trials" / study.keys[every[0]] / "record.json"
        path.write_bytes(path.read_bytes()[:100])

    followed(spoil, lambda: None, mend, halve, lambda: shutil.rmtree(folder), lambda: appear(study, folder, every[0]))
    err = capsys.readouterr().err
    assert err.count("study.json cannot be read") == 1
    assert f"waiting: {folder} does not exist" in err
    # The half record is none, and the page says that a trial cannot be read.
    assert [int(count) for count in re.findall(r"s: (\d) of 8", err)] == [2, 3, 2, 1]
    assert "1 of 8 trials were in" in page(folder)


def test_the_run_keeps_most_of_the_time(study: StudyFolder, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appear(study, folder, *list(study.keys)[:2])
    clock = iter([0.0, 2.0, 100.0, 100.0, 100.0, 200.0])
    monkeypatch.setattr(live.time, "process_time", lambda: next(clock))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    follow(folder, folder.parent, report=None, resamples=99, in_browser=False, wait=wait)
    assert waits == [18.0, SECONDS, 30.0]


def test_a_complete_study_is_analysed_as_ever(study: StudyFolder, folder: Path, command: Callable[..., Any]) -> None:
    appear(study, folder, *study.keys)
    code, out, err = command("analyze", folder, "--live", "--resamples", "99")
    assert code == 0
    assert "lora is worse than full" in out
    assert (folder / "report" / "tables.md").exists()
    shown = page(folder)
    assert command("analyze", folder, "--resamples", "99")[0] == 0
    assert page(folder) == shown
    for option in (("--no-html",), ("--require", "lora better than full")):
        code, _, err = command("analyze", folder, "--live", *option)
        assert code == 2
        assert "--live" in err


@pytest.mark.slow
def test_beside_a_real_run(tmp_path: Path, tiny_file: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    harness = [sys.executable, "-m", "harness"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    with (tmp_path / "said").open("w") as stderr:
        live = [*harness, "analyze", str(tiny_file), "--live"]
        analysis = subprocess.Popen(live, cwd=tmp_path, **(pipes | {"stderr": stderr}))
    # The run might have trained everything before it looks.
    while "has not run yet" not in (tmp_path / "said").read_text():
        assert analysis.poll() is None
        time.sleep(0.02)
    watching = subprocess.Popen([*harness, "status", str(tiny_file), "--watch"], cwd=tmp_path, **pipes)
    run = subprocess.run([*harness, "run", str(tiny_file)], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    out, err = watching.communicate(timeout=300)
    assert (watching.returncode, err) == (0, "")
    assert "6 of 6 trials finished" in out.splitlines()[-1]
    out, _ = analysis.communicate(timeout=300)
    err = (tmp_path / "said").read_text()
    assert analysis.returncode == 0, err
    assert "Verdicts" in out
    assert "6 of 6 trials are in" in err
    final = page(tmp_path / "results" / "tiny")
    assert "refresh" not in final
    assert 'class="live"' not in final
    # Ctrl-C in the middle.
    again = subprocess.Popen([*harness, "analyze", "absent", "--live"], cwd=tmp_path, **pipes)
    assert again.stdout is not None
    assert again.stderr is not None
    assert "absent does not exist" in again.stderr.readline()
    again.send_signal(signal.SIGINT)
    with again:
        assert (again.stdout.read(), again.stderr.read()) == ("", "")
    assert again.returncode == 0
