"""The lock beside the results: who runs a study, the trials in progress, and how the run ended."""

from __future__ import annotations

import errno
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness import run_study
from harness.cli.screens import show_status
from harness.engines.engine import Progress
from harness.errors import LockedError
from harness.progress import heartbeat
from harness.progress.displays import Display
from harness.records.lock import lock_owner, lock_study
from harness.records.process import RunProcess
from harness.runs.status import StudyStatus, read_status
from harness.study.settings import Arm
from harness.study.study import Study
from harness.study.trials import Trial

Tiny = Callable[..., Study]
PACK = ("training.num_train_epochs=3", "arms={full: {}}", "analysis={}")


def trial(arm: str) -> Trial:
    return Trial(arm=arm, seed=0, settings=Arm(), holdout=None, tuning=False, content={}, key=f"v2-{arm}")


def shown(status: StudyStatus) -> str:
    console = Console(width=300, record=True, quiet=False, file=Path(os.devnull).open("w"))  # noqa: SIM115
    show_status(console, status)
    console.file.close()
    return console.export_text()


class Looks(Display):
    """Asks for the status from within a run, as another process would."""

    def __init__(self, folder: Path, *, stop_at: float = 99) -> None:
        self.folder = folder
        self.stop_at = stop_at
        self.seen: list[StudyStatus] = []

    def step(self, progress: Progress) -> None:
        if self.folder.exists():
            self.seen.append(read_status(self.folder))
        if progress.epoch >= self.stop_at:
            self.stop_at = 99
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_live_run_says_who_trains_what_and_how_long_it_takes(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_SECONDS_BETWEEN_BEATS", 0.0)
    monkeypatch.setattr("harness.engines.packed.training.SECONDS_BETWEEN_REPORTS", 0.0)
    looks = Looks(tmp_path / "tiny")
    run_study(tiny(*PACK), tmp_path, display=looks)
    status = looks.seen[-1]
    assert status.holder is not None
    assert (status.holder.alive, status.holder.pid, status.holder.host) == (True, os.getpid(), platform.node())
    assert status.holder.doing == "2 trials at once (full): epoch 3 of 3, step 8 of 9"
    assert status.holder.trials[1] == {"arm": "full", "seed": 1, "epoch": 8 / 3, "epochs": 3, "step": 8, "steps": 9}
    assert status.seconds_left == status.holder.seconds_left > 0
    assert f"run by process {os.getpid()} on {platform.node()} since 2" in shown(status)
    assert "2 trials at once (full): epoch 3 of 3, step 8 of 9" in shown(status)
    assert json.loads(json.dumps(status.to_json()))["holder"]["trials"][0]["seed"] == 0
    assert read_status(tmp_path / "tiny").holder is None


def test_a_run_that_a_signal_ended_says_so_until_the_next_one(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny(*PACK), tmp_path, display=Looks(tmp_path / "tiny", stop_at=1)).folder
    status = read_status(folder)
    assert status.holder is not None
    assert (status.holder.alive, status.holder.signal) == (False, "SIGTERM")
    # No step: what it trained has ended since it last told of one.
    assert f"the last run was stopped by SIGTERM at {status.holder.ended}\n" in shown(status)
    assert status.holder.trials == []
    with lock_study(folder):
        pass
    assert read_status(folder).holder is None


class Broken(Display):
    """Cannot show anything, as on a terminal that was closed."""

    def _fail(self, *_: object) -> None:
        raise OSError(5, "Input/output error")

    say = open = step = outcome = stopping = close = _fail  # type: ignore[assignment]


def test_a_display_that_breaks_costs_no_trial(tmp_path: Path) -> None:
    """An error in the middle of a step would be taken for the trial's own."""
    with lock_study(tmp_path) as hold, closing(heartbeat.Heartbeat(Broken(), hold.tell)) as display:
        progress = Progress(trial=trial("full"), step=1, steps=9, epoch=0.1)
        display.say("something")
        display.open([progress.trial], {}, 1.0)
        display.step(progress)
        display.stopping("SIGTERM")
        owner = lock_owner(tmp_path)
        assert owner is not None
        assert owner.signal == "SIGTERM"


def test_the_file_names_the_node_that_trains_a_trial(tmp_path: Path) -> None:
    with lock_study(tmp_path) as hold, closing(heartbeat.Heartbeat(Display(), hold.tell)) as display:
        far, here = (Progress(trial=trial("full"), step=1, steps=9, node=node) for node in ("gpu-7", ""))
        seen = []
        for progress in (far, here):
            display.open([progress.trial], {}, 1.0)
            display.step(progress)
            display.open([progress.trial], {}, 1.0)
            display._tracker.step(progress)
            display._beat()
            owner = lock_owner(tmp_path)
            assert owner is not None
            seen.append(owner.trials[0].get("node"))
    assert seen == ["gpu-7", None]


def test_a_killed_run_is_seen_to_be_gone(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from harness.records.lock import lock_study
with lock_study(Path({str(tmp_path)!r})) as hold:
    hold.tell(doing="full, seed 3: epoch 2 of 3, step 4 of 9")
    print(flush=True)
    time.sleep(300)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    owner = lock_owner(tmp_path)
    assert owner is not None
    assert (owner.alive, owner.pid) == (True, process.pid)
    process.kill()
    process.communicate()
    owner = lock_owner(tmp_path)
    assert owner is not None
    assert not owner.alive
    words = shown(StudyStatus(name="s", arms=(), troubles=(), seconds_left=0.0, others=0, holder=owner))
    assert f"process {process.pid} on {platform.node()} since {owner.since} ended without notice" in words
    assert "full, seed 3: epoch 2 of 3, step 4 of 9" in words


@pytest.mark.parametrize(("minutes", "alive"), [(1, True), (3, False)])
def test_a_run_on_another_machine_is_believed_while_it_gives_signs(tmp_path: Path, minutes: int, alive: bool) -> None:
    """A lock may be seen on its own machine only."""
    seen = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
    content = {"host": "elsewhere", "pid": 7, "since": seen, "seen": seen}
    (tmp_path / ".holder.json").write_text(json.dumps(content))
    owner = lock_owner(tmp_path)
    assert owner is not None
    assert owner.alive is alive


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"host": "h", "pid": "x", "since": "2026-01-01"}', "[" * 10**5, "\udcff"]
)
def test_what_is_no_holder_is_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / ".holder.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert lock_owner(tmp_path) is None


def test_a_folder_that_takes_no_word_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        patch.setattr(Path, "unlink", refuse)
        with lock_study(tmp_path) as hold:
            hold.tell(doing="much")
    with lock_study(tmp_path):
        owner = lock_owner(tmp_path)
        assert isinstance(owner, RunProcess)
        assert owner.doing == ""


def test_a_file_system_without_locks_has_one_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with lock_study(tmp_path):
        owner = lock_owner(tmp_path)
        assert owner is not None
        assert owner.alive
        with pytest.raises(LockedError, match=f"is being run by process {os.getpid()}"), lock_study(tmp_path):
            pass
    with lock_study(tmp_path):
        pass


def test_a_lock_that_only_the_other_machine_sees_is_believed_for_a_while(tmp_path: Path) -> None:
    """Its flock is local to that machine, but it wrote a moment ago."""
    now = datetime.now(UTC)
    content = {"host": "elsewhere", "pid": 7, "since": "2026-11-30T10:00:00+00:00", "seen": now.isoformat()}
    (tmp_path / ".holder.json").write_text(json.dumps(content))
    with pytest.raises(LockedError, match="is being run by process 7 on elsewhere"), lock_study(tmp_path):
        pass
    content["seen"] = (now - timedelta(minutes=3)).isoformat()
    (tmp_path / ".holder.json").write_text(json.dumps(content))
    with lock_study(tmp_path):
        pass
