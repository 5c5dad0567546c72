"""Workers on a Slurm that is not there: what is found before anything is queued, and what the queue's words mean."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.on import On, place_of
from harness.errors import HarnessError
from harness.launch import slurm_queue
from harness.launch.slurm import SlurmWorkers
from harness.launch.slurm_queue import QueuedJob, Watch
from tests.harness.launch.conftest import Program

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol")


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmWorkers:
    """Three workers that were queued as array 7; every look asks the queue."""
    monkeypatch.setattr(slurm_queue, "_EVERY", -1.0)
    made = SlurmWorkers(["run"], 3, sbatch="", folder=tmp_path / "tiny")
    made._queue = Watch("7")
    made._known = {f"7_{task}": QueuedJob("PENDING") for task in range(3)}
    made.logs.mkdir(parents=True)
    return made


@pytest.fixture
def queue(programs: Program) -> Callable[..., None]:
    """Let squeue show these jobs."""
    return lambda *rows: programs("squeue", "".join(f"echo '{row}'\n" for row in rows))


def test_without_submitit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"submitit is not installed; .* pip install -e '\.\[slurm\]'"):
        SlurmWorkers(["run"], 2, sbatch="", folder=tmp_path).start()


def test_on_a_machine_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match="no program sbatch on this machine"):
        SlurmWorkers(["run"], 2, sbatch="", folder=tmp_path).start()
    assert not list(tmp_path.iterdir())


def test_a_wrong_text_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'gpu' is not key=value"):
        SlurmWorkers(["run"], 2, sbatch="gpu", folder=tmp_path)


def test_a_place_on_slurm_has_a_number_and_options() -> None:
    found = place_of("slurm:20", worker=False, budget=None, sbatch="partition=gpu")
    assert found == On(place="slurm", number=20, sbatch="partition=gpu")
    assert place_of("slurm:1", worker=False, budget=None) == On(place="slurm", number=1)
    for text in ("slurm", "slurm:", "slurm:0", "slurm:x"):
        with pytest.raises(HarnessError, match=rf"slurm:N for N jobs of Slurm, .*; got '{text}'"):
            place_of(text, worker=False, budget=None)
    for text in (None, "local:2"):
        with pytest.raises(HarnessError, match="--sbatch: its options are for --on slurm:N; got"):
            place_of(text, worker=False, budget=None, sbatch="partition=gpu")


def test_how_many_run_or_wait(workers: SlurmWorkers, queue: Callable[..., None]) -> None:
    queue("7_0|RUNNING|n1|None|0|", "7_1|COMPLETING|n2|None|0|", "7_2|PENDING||BeginTime|0|")
    assert workers.running() == 3
    queue("7_0|COMPLETED|n1|None|0|", "7_1|PENDING||BeginTime|0|", "7_2|NODE_FAIL|n1|None|0|")
    assert workers.running() == 1


def test_why_workers_wait_is_said_once(workers: SlurmWorkers, queue: Callable[..., None]) -> None:
    queue("7_0|RUNNING|n1|None|0|", "7_1|PENDING||Priority|0|", "7_2|PENDING||Priority|0|")
    assert workers.news() == ["2 of 3 workers wait in Slurm's queue: Priority"]
    queue("7_0|RUNNING|n1|None|0|", "7_1|RUNNING|n2|None|0|", "7_2|PENDING||Priority|0|")
    assert workers.news() == []


def test_a_queue_that_does_not_answer_says_nothing(workers: SlurmWorkers, programs: Program) -> None:
    programs("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    assert workers.running() == 3
    assert workers.news() == []


def test_a_job_that_slurm_has_forgotten(workers: SlurmWorkers, programs: Program) -> None:
    (workers.logs / "7_0_0_result.pkl").touch()
    workers.log("7_1").write_text("epoch 1\nMemoryError: too much\n")
    workers._known["7_2"] = QueuedJob("COMPLETED")
    programs("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert workers.running() == 0
    (line,) = workers.news()
    assert line == f"worker 7_1 died (FAILED): MemoryError: too much; its log: {workers.log('7_1')}"


def test_how_workers_died_is_said_once(workers: SlurmWorkers, queue: Callable[..., None]) -> None:
    queue("7_0|FAILED|n1|None|35072|", "7_1|CANCELLED|n2|None|0|", "7_2|TIMEOUT|n1|None|0|")
    workers.log("7_0").write_text("epoch 1\nthe worker was killed by SIGKILL\nsrun: error: n1: task 0: exit code 137\n")
    workers.log("7_2").write_text("slurmstepd-n1: error: *** JOB 9 ON n1 CANCELLED DUE TO TIME LIMIT ***\n")
    first, second, third = workers.news()
    assert first == f"worker 7_0 on n1 died (FAILED): the worker was killed by SIGKILL; its log: {workers.log('7_0')}"
    assert second == "worker 7_1 on n2 was cancelled"
    assert "(TIMEOUT, because its last epoch took longer" in third
    assert "DUE TO TIME LIMIT" in third
    assert workers.news() == []


def test_workers_that_were_all_refused_speak_with_one_voice(workers: SlurmWorkers, queue: Callable[..., None]) -> None:
    for job in ("7_0", "7_1", "7_2"):
        workers.log(job).write_text("reading\nerror: the study is run\nwith other settings\nsrun: error: task 0\n")
    queue("7_0|FAILED|n1|None|512|", "7_1|RUNNING|n2|None|0|", "7_2|PENDING||Priority|0|")
    # One alone may be on a node with a full disk.
    assert workers.running() == 2
    assert [line for line in workers.news() if "worker 7_0 on n1 died (FAILED): with other settings" in line]
    queue(*(f"{job}|FAILED|n1|None|512|" for job in ("7_0", "7_1", "7_2")))
    with pytest.raises(HarnessError, match=r"^the study is run\nwith other settings$"):
        workers.running()


def test_to_stop_is_to_end_those_that_run_and_to_call_off_the_others(
    workers: SlurmWorkers, queue: Callable[..., None], programs: Program, tmp_path: Path
) -> None:
    programs("scancel", f"echo $* >> {tmp_path}/cancelled")
    workers.stop("SIGINT")
    assert (tmp_path / "cancelled").read_text().splitlines() == ["--state=PENDING 7", "--signal=HUP 7"]
    queue("7_0|FAILED|n1|None|1|", "7_1|CANCELLED|n2|None|0|", "7_2|CANCELLED||None|0|")
    assert workers.running() == 0
    assert workers.news() == []


def test_to_close_is_to_leave_only_logs(workers: SlurmWorkers, programs: Program, tmp_path: Path) -> None:
    programs("squeue", f"[ -e {tmp_path}/cancelled ] || echo '7_0|RUNNING|n1|None|0|'")
    programs("scancel", f"echo $* >> {tmp_path}/cancelled")
    workers.log("7_0").touch()
    for name in ("7_0_submitted.pkl", "7_0_0_result.pkl", "7_submission.sh", ".submission_file_ab.sh", "7_1_in_vain"):
        (workers.logs / name).touch()
    workers.close()
    assert (tmp_path / "cancelled").read_text() == "7\n"
    assert [path.name for path in workers.logs.iterdir()] == ["7_0_0_log.out"]


def test_to_close_what_never_started(tmp_path: Path) -> None:
    workers = SlurmWorkers(["run"], 2, sbatch="", folder=tmp_path)
    workers.stop("SIGINT")
    workers.close()
    assert workers.running() == 0
