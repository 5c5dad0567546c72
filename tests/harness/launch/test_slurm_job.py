"""A job of the array, as submitit would run it, with a queue that says what the test wants."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness
from harness.atomic_file import atomic_write
from tests.harness.launch.conftest import Program

ROOT = Path(harness.__file__).parents[1]
JOB = """\
import sys
from pathlib import Path
from harness.launch.slurm_job import SlurmJob
SlurmJob(tuple(sys.argv[3:]), float(sys.argv[1]), Path(sys.argv[2]))()
"""
# Counts its signals, and ends with 1 as one that was stopped where a line comes.
WORKER = """\
import signal, sys
heard = []
signal.signal(signal.SIGINT, lambda number, _: (heard.append(number), print("heard", len(heard), flush=True)))
print("ready", flush=True)
sys.stdin.readline()
sys.exit(int(sys.argv[1]))
"""


@contextmanager
def started(*command: str, grace: float = 60) -> Iterator[subprocess.Popen[str]]:
    """Run a job whose worker is ready; its signals reach all processes, as with Slurm's proctrack/linuxproc."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    environment |= {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, str(grace), "study", *command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def has_heard_sigterm(process: subprocess.Popen[str]) -> None:
    """Wait until a job and its worker have been told: the worker might end before the job looks at its signals."""
    assert process.stdout is not None
    assert process.stdout.readline() == "SIGTERM: the worker ends with its epoch\n"
    assert process.stdout.readline() == "heard 1\n"


@pytest.fixture
def queue(programs: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Let the queue show a state and a node of job 7_3; returns the file that gets what scontrol was asked for."""
    asked = tmp_path / "asked"
    (tmp_path / "study" / ".workers" / "slurm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def show(state: str) -> Path:
        programs("squeue", f"echo '7_3|{state.replace(' ', '|')}|None|0|'")
        programs("scontrol", f'echo "$*" >> {asked}')
        return asked

    return show


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_a_job_that_must_make_room_asks_to_come_back(queue: Callable[[str], Path], name: str) -> None:
    asked = queue("RUNNING n1")
    with started(sys.executable, "-c", WORKER, "1") as process:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.Signals[name])
        # To the worker, all signals of the whole wave are one.
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{name}: the worker ends with its epoch\n"
        assert process.stdout.readline() == "heard 1\n"
        output, _ = process.communicate("end\n")
    assert output == "job 7_3 is requeued, and its worker will go on\n"
    assert process.returncode == 0
    assert asked.read_text() == "requeue 7_3\n"


@pytest.mark.parametrize("state", ["CANCELLED n1", "COMPLETING n1", "TIMEOUT n1", "RUNNING n2"])
def test_what_slurm_has_decided_stays_decided(queue: Callable[[str], Path], state: str) -> None:
    asked = queue(state)
    with started(sys.executable, "-c", WORKER, "1") as process:
        os.killpg(process.pid, signal.SIGTERM)
        has_heard_sigterm(process)
        output, _ = process.communicate("end\n")
    assert output.splitlines()[-1] == f"no requeue asked for: Slurm says {state} of job 7_3"
    assert process.returncode == 1
    assert not asked.exists()


def test_a_worker_that_has_finished_all_does_not_come_back(queue: Callable[[str], Path]) -> None:
    asked = queue("RUNNING n1")
    with started(sys.executable, "-c", WORKER, "0") as process:
        os.killpg(process.pid, signal.SIGTERM)
        has_heard_sigterm(process)
        process.communicate("end\n")
    assert process.returncode == 0
    assert not asked.exists()


def test_a_user_ends_a_job_and_then_at_once(queue: Callable[[str], Path]) -> None:
    asked = queue("RUNNING n1")
    with started(sys.executable, "-c", WORKER, "1") as process:
        assert process.stdout is not None
        os.killpg(process.pid, signal.SIGHUP)
        lines = [process.stdout.readline(), process.stdout.readline()]
        os.killpg(process.pid, signal.SIGHUP)
        lines += [process.stdout.readline(), process.stdout.readline()]
        process.communicate("end\n")
    assert sorted(lines) == sorted(
        [
            "SIGHUP: the worker ends with its epoch\n",
            "heard 1\n",
            "SIGHUP again: the worker ends now\n",
            "heard 2\n",
        ]
    )
    assert process.returncode == 0
    assert not asked.exists()


def test_a_job_that_never_ends_an_epoch_stays_away_after_some_times(
    queue: Callable[[str], Path], tmp_path: Path
) -> None:
    asked = queue("RUNNING n1")

    def told_to_end(keeps: bool = False) -> tuple[int, str]:
        with started(sys.executable, "-c", WORKER, "1") as process:
            if keeps:
                with atomic_write(tmp_path / "study" / "packs" / "one.pt") as stream:
                    stream.write(b"an epoch")
            process.send_signal(signal.SIGTERM)
            has_heard_sigterm(process)
            output, _ = process.communicate("end\n")
        return process.returncode, output.splitlines()[-1]

    for _ in range(2):
        # An epoch in between begins the count anew.
        assert {told_to_end() for _ in range(3)} == {(0, "job 7_3 is requeued, and its worker will go on")}
        assert told_to_end(keeps=True)[0] == 0
    assert [told_to_end()[0] for _ in range(4)] == [0, 0, 0, 1]
    code, said = told_to_end()
    assert code == 1
    assert said.startswith(
        "not requeued: 4 times in a row this job was told to end before an epoch had ended; give it "
    )
    assert asked.read_text() == "requeue 7_3\n" * 11


def test_an_epoch_longer_than_the_grace_is_cut_by_a_requeue(queue: Callable[[str], Path]) -> None:
    asked = queue("RUNNING n1")
    with started(sys.executable, "-c", WORKER, "1", grace=10) as process:
        process.send_signal(signal.SIGTERM)
        # Its worker waits for a line that never comes; Slurm would kill it now.
        assert process.wait() == 0
        os.killpg(process.pid, signal.SIGKILL)
    assert asked.read_text() == "requeue 7_3\n"


def test_a_worker_that_was_killed_is_told_of(queue: Callable[[str], Path]) -> None:
    queue("RUNNING n1")
    # It dies once the test has read its first line: communicate loses what readline has read beyond that.
    dies = "import os, signal; print('ready', flush=True); input(); os.kill(os.getpid(), signal.SIGKILL)"
    with started(sys.executable, "-c", dies) as process:
        output, _ = process.communicate("die\n")
    assert output == "the worker was killed by SIGKILL\n"
    assert process.returncode == 137


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 0), (2, 2), (3, 3)])
def test_the_exit_code_of_a_worker(code: int, expected: int) -> None:
    with started(sys.executable, "-c", WORKER, str(code)) as process:
        output, _ = process.communicate("end\n")
    assert output == ""
    assert process.returncode == expected
