"""Workers on a real Slurm of two nodes: they train, come back where that is due, and stay away where it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError
from harness.launch import slurm_queue
from harness.launch.slurm import SlurmWorkers
from harness.records.workers import workers_of
from tests.harness.runs.test_runner import records
from tests.slurm_cluster import SlurmCluster, can_hide, skip_without_slurm, until

pytestmark = pytest.mark.cluster

ROOT = Path(harness.__file__).parents[1]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
EPOCHS = 3
# A worker stands still at the end of an epoch of its pack as long as a file is there: Slurm takes longer than a pack.
STANDS_STILL = """\
import sys
import time
from pathlib import Path
if "--worker" in sys.orig_argv:
    from harness.engines.packed.saved_pack import SavedPack
    save = SavedPack.save
    def saves(self, content):
        save(self, content)
        while Path({file!r}).exists():
            time.sleep(0.02)
    SavedPack.save = saves
"""
TRIALS = {("full", 0), ("full", 1), ("lora", 0), ("lora", 1)}
# Two workers load torch at once, on a machine that may have more to do.
SECONDS = 300

Make = Callable[..., SlurmWorkers]


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    """A Slurm, for all tests of this file; n2 sees nothing of one folder."""
    skip_without_slurm()
    # munge wants a way to its socket that is open to all, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "unseen").mkdir()
        with SlurmCluster(folder, folder / "unseen" if can_hide() else None).running() as running:
            yield running


@pytest.fixture
def study(tmp_path: Path, tiny_text: str) -> Path:
    """The file of a study of two packs, which two workers share."""
    path = tmp_path / "tiny.yaml"
    text = tiny_text.replace("num_train_epochs: 1", f"num_train_epochs: {EPOCHS}")
    path.write_text(text.replace("grid: {adapter.r: [2, 4]}", ""))
    return path


@pytest.fixture
def make(cluster: SlurmCluster, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make workers of that study; they and all that was queued end with the test."""
    for name, value in (cluster.environment | ENVIRONMENT).items():
        monkeypatch.setenv(name, value)
    # Every Python imports it when it starts.
    (tmp_path / "sitecustomize.py").write_text(STANDS_STILL.format(file=str(tmp_path / "stand still")))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    monkeypatch.setattr(slurm_queue, "_EVERY", 0.2)
    made = []

    def one(*arguments: str, sbatch: str = "", results: Path = tmp_path) -> SlurmWorkers:
        given = arguments or ("run", str(study), "--worker", "--results", str(results))
        made.append(SlurmWorkers(given, 2, sbatch=sbatch, folder=results / "tiny"))
        return made[-1]

    yield one
    for workers in made:
        workers.close()
    cluster.cancel_all()


def ended(workers: SlurmWorkers) -> list[str]:
    """Wait until all workers have ended; returns their news."""
    news: list[str] = []

    def all_ended() -> bool:
        news.extend(workers.news())
        return workers.running() == 0

    until("all workers ended", all_ended, SECONDS)
    return [*news, *workers.news()]


def kept(results: Path) -> int:
    """How many packs have an epoch on disk."""
    return len(list((results / "tiny" / "packs").glob("*.pt")))


@contextmanager
def in_mid_pack(workers: SlurmWorkers, results: Path) -> Iterator[None]:
    """Two workers that stand still for the block, each at the end of the first epoch of its pack."""
    still = results / "stand still"
    still.touch()
    workers.start()
    until("two packs train", lambda: workers.running() and kept(results) == 2, SECONDS)
    yield
    still.unlink()


def to_end(workers: SlurmWorkers, by: str) -> None:
    """Wait until both jobs have told their workers to end with their epoch, and both have heard it."""
    words = (f"{by}: the worker ends with its epoch", "Ctrl-C: finishing the current epoch")
    until("both are to end", lambda: all(logs(workers).count(each) == 2 for each in words))


def finished(results: Path) -> set[tuple[str, int]]:
    return {trial for trial, record in records(results / "tiny").items() if record["status"] == "finished"}


def logs(workers: SlurmWorkers) -> str:
    return "".join(path.read_text() for path in sorted(workers.logs.glob("*.out")))


def jobs(cluster: SlurmCluster, workers: SlurmWorkers) -> list[str]:
    """The states of the array's jobs."""
    return [cluster.jobs()[path.name.removesuffix("_0_log.out")] for path in sorted(workers.logs.glob("*.out"))]


def test_two_workers_train_a_study(cluster: SlurmCluster, study: Path, tmp_path: Path) -> None:
    options = ["--on", "slurm:2", "--sbatch", "time=10 partition=work comment='two words'"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(study), *options, "--results", str(tmp_path)],
        env=cluster.environment | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert finished(tmp_path) == TRIALS
    # Without accounting, submitit's own watcher would complain.
    assert "sacct" not in done.stdout + done.stderr
    assert "died" not in done.stdout
    logs = sorted((tmp_path / "tiny" / ".workers" / "slurm").iterdir())
    assert [path.suffix for path in logs] == [".out", ".out"]
    assert {cluster.jobs()[path.name.removesuffix("_0_log.out")] for path in logs} == {"COMPLETED"}


@pytest.mark.parametrize("by", ["requeue", "preemption"])
def test_a_worker_that_must_make_room_comes_back(make: Make, tmp_path: Path, cluster: SlurmCluster, by: str) -> None:
    workers = make()
    with in_mid_pack(workers, tmp_path):
        if by == "requeue":
            for name in workers.names:
                cluster.ask("scontrol", "requeue", name)
        else:
            cluster.ask("sbatch", "--partition=urgent", "--nodes=2", "--output=/dev/null", "--wrap=true")
        to_end(workers, "SIGTERM")
    # What they go on from.
    assert kept(tmp_path) == 2
    news = ended(workers)
    assert all("wait in Slurm's queue" in line for line in news)
    assert finished(tmp_path) == TRIALS
    assert logs(workers).count("stopped by SIGINT") == 2
    assert logs(workers).count("is requeued, and its worker will go on") == (0 if by == "requeue" else 2)


def test_a_cancelled_worker_does_not_come_back(make: Make, tmp_path: Path, cluster: SlurmCluster) -> None:
    workers = make()
    with in_mid_pack(workers, tmp_path):
        for name in workers.names:
            cluster.ask("scancel", name)
        to_end(workers, "SIGTERM")
    assert sorted(line.rpartition(" on ")[0] for line in ended(workers)) == [f"worker {name}" for name in workers.names]
    assert jobs(cluster, workers) == ["CANCELLED", "CANCELLED"]
    assert kept(tmp_path) == 2


def test_workers_that_are_stopped_end_with_their_epoch(make: Make, tmp_path: Path, cluster: SlurmCluster) -> None:
    workers = make()
    with in_mid_pack(workers, tmp_path):
        workers.stop("SIGINT")
        to_end(workers, "SIGHUP")
    assert ended(workers) == []
    assert jobs(cluster, workers) == ["COMPLETED", "COMPLETED"]
    assert kept(tmp_path) == 2


def test_a_worker_that_is_killed_is_told_of_by_name(make: Make, tmp_path: Path, cluster: SlurmCluster) -> None:
    workers = make()
    with in_mid_pack(workers, tmp_path):
        one, _ = workers_of(tmp_path / "tiny")
        os.kill(one.pid, signal.SIGKILL)
    (line,) = ended(workers)
    name = next(name for name in workers.names if name in line)
    assert line.startswith(f"worker {name} on n")
    assert line.endswith(f"died (FAILED): the worker was killed by SIGKILL; its log: {workers.log(name)}")
    # The other one takes over.
    assert finished(tmp_path) == TRIALS


def test_what_a_worker_is_refused_reaches_the_user(make: Make, tmp_path: Path) -> None:
    workers = make("run", str(tmp_path / "none.yaml"), "--worker")
    workers.start()
    with pytest.raises(HarnessError, match=r"none\.yaml"):
        ended(workers)


def test_a_controller_that_is_killed_ends_nothing(make: Make, tmp_path: Path, cluster: SlurmCluster) -> None:
    workers = make()
    with in_mid_pack(workers, tmp_path):
        cluster.kill("slurmctld")
        assert workers.running() == 2
        assert workers.news() == []
        cluster.start("slurmctld")
    assert ended(workers) == []
    assert finished(tmp_path) == TRIALS


@pytest.mark.parametrize(
    ("sbatch", "words"),
    [
        ("partition=gpu", "no partition 'gpu'; Slurm has work, urgent, away"),
        ("gres=gpu:1", "Invalid generic resource"),
        ("colour=red", "unrecognized option '--colour=red'"),
        ("mem=99G", "Requested node configuration is not available"),
    ],
)
def test_what_slurm_would_refuse_is_found_before(make: Make, cluster: SlurmCluster, sbatch: str, words: str) -> None:
    before = cluster.jobs()
    with pytest.raises(HarnessError, match=words):
        make(sbatch=sbatch).start()
    assert cluster.jobs() == before


def test_a_folder_that_workers_do_not_see(make: Make, cluster: SlurmCluster) -> None:
    if cluster.unseen is None:
        pytest.skip("unshare --mount: this user may have no file systems of their own")
    workers = make(sbatch="partition=away", results=cluster.unseen)
    before = cluster.jobs()
    workers.start()
    with pytest.raises(HarnessError, match=rf"cannot see or write the folder {cluster.unseen}/tiny/.* on n2"):
        ended(workers)
    (probe,) = cluster.jobs().keys() - before.keys()
    assert cluster.jobs()[probe] == "FAILED"


def test_a_busy_queue_says_so(make: Make, cluster: SlurmCluster) -> None:
    job = cluster.ask("sbatch", "--parsable", "--nodes=2", "--output=/dev/null", "--wrap=sleep 600").strip()
    until("it runs", lambda: cluster.jobs()[job] == "RUNNING")
    workers = make()
    workers.start()
    until("the queue says why", lambda: workers.running() and workers._probe and workers._probe.waits_for)
    (line,) = workers.news()
    assert line.startswith("waiting in Slurm's queue for job ")
    cluster.ask("scancel", job)
    until("the probe has passed", lambda: workers.running() and workers.names)


def test_whoever_does_not_want_to_wait_stops_the_probe(make: Make, cluster: SlurmCluster) -> None:
    job = cluster.ask("sbatch", "--parsable", "--nodes=2", "--output=/dev/null", "--wrap=sleep 600").strip()
    until("it runs", lambda: cluster.jobs()[job] == "RUNNING")
    workers = make()
    workers.start()
    assert workers.running() == 2
    workers.stop("SIGINT")
    assert workers.running() == 0
    until("the probe is gone", lambda: [*cluster.jobs().values()].count("PENDING") == 0)
