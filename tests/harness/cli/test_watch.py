"""Watching a study: redrawn on a terminal, lines and JSON elsewhere, whatever happens to the folder meanwhile."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.records import stored_trials
from harness.cli.console import SafeConsole
from harness.cli.watch import glances, watch
from harness.records.lock import lock_study
from harness.runs.status import read_status
from tests.analysis.conftest import StudyFolder, write_study

Step = Callable[[], object]
RIGHT = np.array([[1, 0, 1, 1]] * 2)


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Two arms, two seeds, all finished; kept aside, so that a test lets its trials appear."""
    return write_study(tmp_path / "aside", {"full": RIGHT, "lora": RIGHT}, name="s")


def appear(study: StudyFolder, folder: Path, *trials: tuple[str, int]) -> None:
    """Let trials finish, predictions first, as a run writes them; the first time the manifest comes too."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "study.json").exists():
        shutil.copy(study.root / "study.json", folder)
    for trial in trials:
        place = folder / "trials" / study.keys[trial]
        place.mkdir(parents=True, exist_ok=True)
        for name in ("predictions.parquet", "record.json"):
            if (study.trial(*trial) / name).exists():
                shutil.copy(study.trial(*trial) / name, place)


def stepping(*steps: Step) -> Callable[[float], None]:
    """A clock of which every tick does the next thing; where none is left, Ctrl-C."""
    left = iter(steps)

    def wait(seconds: float) -> None:
        assert seconds > 0
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    return wait


def told(out: str) -> list[str]:
    """The lines of a log, without the times that begin them."""
    lines = out.splitlines()
    assert all(line[2] == line[5] == ":" and line[8] == " " for line in lines)
    return [line[9:] for line in lines]


def test_a_log_gets_a_line_when_something_has_changed(
    tmp_path: Path, study: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "results"
    folder = root / "s"
    study.end("lora", 0, "failed", "out of memory")
    steps: list[Step] = [
        lambda: appear(study, folder),
        lambda: None,
        lambda: appear(study, folder, ("full", 0), ("full", 1)),
        lambda: appear(study, folder, ("lora", 0)),
        lambda: None,
        lambda: appear(study, folder, ("lora", 1)),
    ]
    watch(folder, root, as_json=False, wait=stepping(*steps))
    lines = told(capsys.readouterr().out)
    assert lines[0].startswith(f"waiting: {folder} does not exist")
    assert lines[1:] == [
        "s: 0 of 4 trials finished; 4 to run, time not known before the first trial",
        "s: 2 of 4 trials finished; 2 to run, about 23 s left",
        "s: 2 of 4 trials finished; 1 failed; 2 to run, about 23 s left",
        "s: lora, seed 0: failed: out of memory",
        "s: 3 of 4 trials finished; 1 failed; 1 to run, about 12 s left",
    ]


def test_it_ends_when_nothing_is_left_to_run(
    tmp_path: Path, study: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(_: float) -> None:
        raise AssertionError("it waited for a study that is done")

    watch(None, tmp_path, as_json=False, wait=never)
    assert told(capsys.readouterr().out) == ["s: 4 of 4 trials finished"]


def test_a_run_that_goes_on_is_waited_for_also_when_every_trial_has_ended(tmp_path: Path, study: StudyFolder) -> None:
    looks = glances(study.root, tmp_path)
    with lock_study(study.root):
        assert not next(looks).is_last
    assert next(looks).is_last


def test_json_is_one_object_a_line(tmp_path: Path, study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "results"
    every = list(study.keys)
    steps = [lambda: appear(study, root / "s", *every[:2]), lambda: None, lambda: appear(study, root / "s", *every)]
    watch(root / "s", root, as_json=True, wait=stepping(*steps))
    first, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first["studies"] == []
    assert "does not exist" in first["errors"][0]
    assert [one["studies"][0]["to_run"] for one in others] == [2, 0]
    assert others[-1] == {
        "schema": 1,
        "command": "status",
        "studies": [read_status(root / "s").to_json()],
        "errors": [],
    }


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 60 by 40 characters."""
    screen = io.StringIO()
    monkeypatch.setattr(
        "harness.cli.watch.console_for",
        lambda: SafeConsole(file=screen, force_terminal=True, width=60, height=40, color_system=None),
    )
    return screen


def test_a_terminal_is_redrawn_in_place(tmp_path: Path, study: StudyFolder, terminal: io.StringIO) -> None:
    folder = tmp_path / "results" / "s"
    steps = [lambda: appear(study, folder, ("full", 0)), lambda: appear(study, folder, *study.keys)]
    watch(folder, tmp_path / "results", as_json=False, wait=stepping(*steps))
    frames = terminal.getvalue().split("Ctrl-C ends this, not the run")
    assert len(frames) == 3
    assert "waiting: " in frames[0]
    assert "3 to run" in frames[1]
    assert "nothing to run" in frames[2]
    # Every line of a frame is left before the next one is drawn over it, and nothing clears the whole screen.
    assert all(frame.count("\x1b[1A") >= 2 for frame in frames[1:])
    assert "\x1b[2J" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[?25h")


@pytest.mark.parametrize("width", [20, 40, 60, 72, 120])
def test_a_screen_fits_into_the_terminal(study: StudyFolder, width: int) -> None:
    from harness.cli.screens import show_status

    study.end("lora", 0, "diverged", "the loss is not finite")
    study.forget("lora", 1)
    screen = io.StringIO()
    show_status(SafeConsole(file=screen, width=width), read_status(study.root))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = "".join(screen.getvalue().split())
    assert "notfinite" in text
    # Where there is little room a column needs something to show.
    assert ("interrupted" in text) == (width >= 72)
    if width >= 40:
        assert "full" in text
        assert "diverged" in text


def test_a_record_is_read_once(tmp_path: Path, study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    reader = stored_trials.read_trial

    def counting(folder: Path, entry: Any, **kind: Any) -> Any:
        read.append(entry.name)
        return reader(folder, entry, **kind)

    monkeypatch.setattr(stored_trials, "read_trial", counting)
    looks = glances(study.root, tmp_path)
    first = next(looks)
    assert len(read) == 4
    assert next(looks) == first
    study.end("full", 0, "failed", "out of memory")
    assert next(looks).statuses[0].to_run == 1
    assert read[4:] == ["full seed 0"]


def test_half_a_record_and_a_folder_that_goes_are_told_and_waited_for(
    tmp_path: Path, study: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "results"
    folder = root / "s"
    place = folder / "trials" / study.keys["full", 0]
    every = list(study.keys)

    def halve() -> None:
        content = (place / "record.json").read_bytes()
        (place / "record.json").write_bytes(content[: len(content) // 2])

    def spoil() -> None:
        (folder / "study.json").write_text("{")

    steps = [
        halve,
        lambda: shutil.rmtree(root),
        lambda: appear(study, folder),
        spoil,
        lambda: ((folder / "study.json").unlink(), appear(study, folder, *every)),
    ]
    appear(study, folder, *every[:3])
    watch(folder, root, as_json=False, wait=stepping(*steps))
    lines = told(capsys.readouterr().out)
    assert lines[1] == "s: 2 of 4 trials finished; 1 unreadable; 2 to run, about 23 s left"
    assert lines[2].startswith("s: full, seed 0: unreadable: ")
    assert lines[3].startswith(f"waiting: {folder} does not exist")
    assert "study.json cannot be read" in lines[5]
    assert lines[-1] == "s: 4 of 4 trials finished"


def test_one_study_that_cannot_be_read_hides_no_other(tmp_path: Path, study: StudyFolder) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.json").write_text("[]")
    glance = next(glances(None, tmp_path))
    assert [status.name for status in glance.statuses] == ["s"]
    assert "broken" in glance.problems[0]
    assert not glance.is_last


def test_a_run_has_a_pace_and_an_end(tmp_path: Path, study: StudyFolder) -> None:
    from harness.cli.screens import status_line

    now = datetime.now(UTC).replace(microsecond=0)
    began = now - timedelta(minutes=30)
    study.forget("lora", 1)
    study.forget("full", 1)
    # One trial of an earlier run, one of this.
    study.change_record(
        "full", 0, lambda record: record["provenance"].update(ended=(now - timedelta(minutes=2)).isoformat())
    )
    with lock_study(study.root) as lock:
        trials = [{"arm": arm, "seed": seed} for arm, seed in (("lora", 1), ("full", 0))]
        lock.tell(trials=trials, seconds_left=90.0)
        holder = study.root / ".holder.json"
        content = json.loads(holder.read_text()) | {"since": began.isoformat(), "seen": now.isoformat()}
        holder.write_text(json.dumps(content))
        status = read_status(study.root)
        assert status.per_hour == pytest.approx(2.0)
        assert status.ends == now + timedelta(seconds=90)
        # What it trained when it last wrote and has ended since does not train.
        assert status.running == 1
        ends = (now + timedelta(seconds=90)).astimezone()
        assert status_line(status) == (
            f"s: 2 of 4 trials finished; 2 to run, about 1 min 30 s left, until {ends:%H:%M}; 1 trial training now, "
            "2 an hour so far"
        )
        # Whatever stands in files that others wrote is no reason to end.
        holder.write_text(json.dumps(content | {"since": "yesterday", "seconds_left": 1e300}))
        study.change_record("lora", 0, lambda record: record["provenance"].update(ended="soon"))
        status = read_status(study.root)
        assert (status.ends, str(status.per_hour)) == (None, "nan")
        assert "3e+295 d" not in status_line(status)
    status = read_status(study.root)
    assert (status.running, status.ends, str(status.per_hour)) == (0, None, "nan")


@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_is_no_error(tmp_path: Path, study: StudyFolder, ignored: bool) -> None:
    """Also in the background job of a script, which begins with Ctrl-C ignored."""
    study.forget("lora", 1)
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "status", str(study.root), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert "3 of 4 trials finished" in line
    process.send_signal(signal.SIGINT)
    # `communicate` would lose what `readline` has read ahead.
    with process:
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    assert process.returncode == 0
