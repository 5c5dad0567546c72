"""Workers: what one has claimed no other takes, and what a dead one has claimed is free again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.errors import ResultsError
from harness.records import workers
from harness.records.workers import Worker, join, workers_of


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    with ExitStack() as stack:
        yield stack.enter_context(join(tmp_path, print)), stack.enter_context(join(tmp_path, print))


def elsewhere(folder: Path, rest: str) -> subprocess.Popen[str]:
    """Start a worker in a process of its own; it prints a line when it is there."""
    code = f"""
import sys, time
from pathlib import Path
from harness.records.workers import join
with join(Path({str(folder)!r}), print) as worker:
    {rest}
    print("there", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def test_what_one_has_claimed_no_other_takes(two: tuple[Worker, Worker]) -> None:
    one, other = two
    assert one.claim(["a", "b"])
    assert not other.claim(["b", "c"])
    assert other.claim(["c"])
    # A claim takes the place of the one before.
    assert one.claim(["d"])
    assert other.claim(["a", "b"])


def test_who_leaves_gives_up_its_claims(tmp_path: Path) -> None:
    with join(tmp_path, print) as one:
        with join(tmp_path, print) as other:
            assert other.claim(["a"])
            assert not one.is_alone()
        assert one.is_alone()
        assert one.claim(["a"])
    assert not list((tmp_path / ".workers").iterdir())


def test_the_claims_of_a_killed_worker_are_free_at_once_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with elsewhere(tmp_path, 'worker.claim(["a", "b"])') as process, join(tmp_path, said.append) as one:
        assert not one.claim(["a"])
        (told,) = [worker for worker in workers_of(tmp_path) if worker.pid == process.pid]
        assert told.alive
        process.kill()
        process.wait()
        (told,) = [worker for worker in workers_of(tmp_path) if worker.pid == process.pid]
        assert not told.alive
        assert one.claim(["a"])
        assert [str(process.pid) in line and "2 trials" in line for line in said] == [True]
        assert [worker.pid for worker in workers_of(tmp_path)] == [os.getpid()]


def test_a_worker_that_is_stopped_past_its_lease_joins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease runs out, another takes what it had claimed, and when it comes back it claims like any other."""
    monkeypatch.setattr(workers, "LEASE_SECONDS", 0.6)
    code = f"""
import sys
import harness.records.workers as workers
from pathlib import Path
workers.LEASE_SECONDS = 0.6
with workers.join(Path({str(tmp_path)!r}), print) as worker:
    print(worker.claim(["a"]), flush=True)
    sys.stdin.readline()
    # The heartbeat looks every 0.2 s, and believes what it sees twice.
    while worker._lease.compromise is None: pass
    print(worker.claim(["a"]), worker.claim(["b"]), flush=True)
    sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with join(tmp_path, print) as one:
            process.send_signal(signal.SIGSTOP)
            while not one.claim(["a"]):
                pass
            process.send_signal(signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "False True\n"
            assert not one.claim(["b"])
            process.communicate("\n")
            assert one.claim(["b"])


def test_what_a_worker_wrote_by_halves_claims_nothing(tmp_path: Path) -> None:
    with join(tmp_path, print) as one, join(tmp_path, print) as other:
        assert other.claim(["a"])
        other._file.write_text('{"claims": ["a"')
        assert one.claim(["a"])
        other._file.write_text("[]")
        assert one.claim(["b"])


def test_where_nothing_can_be_written_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".workers").write_text("in the way")
    with pytest.raises(ResultsError, match=r"cannot be used for results: .*\.workers is no folder; move it away"):
        join(tmp_path, print).__enter__()


def test_a_worker_tells_what_it_does(tmp_path: Path) -> None:
    with join(tmp_path, print) as one:
        one.claim(["a"])
        one.tell(doing="full, seed 0: epoch 1 of 2")
        (told,) = workers_of(tmp_path)
        assert (told.alive, told.pid, told.doing) == (True, os.getpid(), "full, seed 0: epoch 1 of 2")
        assert json.loads(one._file.read_text())["claims"] == ["a"]
    assert workers_of(tmp_path) == ()


@pytest.mark.parametrize("name", ["turn.lease", "other.lease"])
def test_a_lease_that_a_killed_process_left_empty_holds_nobody_up(tmp_path: Path, name: str) -> None:
    """It was made and not yet written when the process was killed."""
    with join(tmp_path, print) as one:
        empty = tmp_path / ".workers" / name
        empty.touch()
        os.utime(empty, (0, 0))
        (tmp_path / ".workers/other.json").write_text('{"claims": ["a"]}')
        # Whoever has no lease is gone, and the turn goes to the next.
        assert one.claim(["a"])


@pytest.mark.parametrize("claims", ["null", "3", '[["a"]]', '{"a": 1}'])
def test_what_is_no_claim_claims_nothing(tmp_path: Path, claims: str) -> None:
    with join(tmp_path, print) as one, join(tmp_path, print) as other:
        other._file.write_text(f'{{"claims": {claims}}}')
        assert one.claim(["a"])
        assert not one.claimed_elsewhere()
