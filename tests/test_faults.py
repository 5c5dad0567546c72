"""Faults: workers are killed at random moments, and no finished trial is lost.

`nox -s faults` runs it; HARNESS_FAULTS says how many kills each campaign counts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from harness.study.loading import load_study

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("HARNESS_FAULTS", "12"))
# Long enough for some packs, and short enough that most kills hit somebody who is training.
LONGEST = 4.0
STUDY = (
    "seeds=4",
    "training.num_train_epochs=3",
    "timing=off",
    "arms.searched={search: {trials: 4, batch: 2, fraction: 0.25, "
    "space: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}}}}",
)
SHORT_LEASE = 2.0


def work(file: str, root: str, disturbed: str) -> None:
    """Train a study as a worker, in a process that may be disturbed in one way."""
    import harness.records.lock
    import harness.records.workers
    from harness import run_study
    from harness.errors import ResultsError

    if "short lease" in disturbed:
        for module in (harness.records.lock, harness.records.workers):
            vars(module)["LEASE_SECONDS"] = SHORT_LEASE
    if "full disk" in disturbed:
        # What a file may not exceed, it cannot have: study.json fits, predictions do not.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    if "no locks" in disturbed:
        import errno
        import fcntl

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        fcntl.flock = flock
    if "clock ahead" in disturbed:
        now = time.time
        time.time = lambda: now() + 86400
    try:
        run_study(load_study(Path(file), STUDY), root, as_worker=True)
    except ResultsError:
        os._exit(2)


class Campaign:
    """Workers of one study, until it has run."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file, self.root = file, root
        self._context = multiprocessing.get_context("forkserver")
        # Torch is loaded once: a worker then begins in milliseconds.
        self._context.set_forkserver_preload(["harness.runs.runner", "peft", "transformers"])

    @property
    def folder(self) -> Path:
        return self.root / "tiny"

    def worker(self, disturbed: str = "") -> BaseProcess:
        process = self._context.Process(target=work, args=(str(self.file), str(self.root), disturbed))
        process.start()
        return process

    def finish(self, disturbed: str = "") -> None:
        """Let one worker end the study."""
        process = self.worker(disturbed)
        process.join(300)
        assert process.exitcode == 0

    def predictions(self) -> dict[str, bytes]:
        return {path.parent.name: path.read_bytes() for path in self.folder.glob("trials/*/predictions.parquet")}

    def check(self, undisturbed: dict[str, bytes]) -> None:
        """Nothing is lost, torn or set aside, and what the models said is the same to the last bit."""
        statuses = [json.loads(path.read_text())["status"] for path in self.folder.glob("trials/*/record.json")]
        assert statuses == ["finished"] * len(undisturbed)
        assert not (self.folder / "set_aside").exists()
        assert self.predictions() == undisturbed
        assert not list(self.folder.glob("packs/*"))


@pytest.fixture(scope="module")
def undisturbed(tiny_text: str, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "tiny.yaml").write_text(tiny_text)
    os.environ["OMP_NUM_THREADS"] = "1"
    campaign = Campaign(place / "tiny.yaml", place)
    campaign.finish()
    return campaign


@pytest.fixture
def campaign(undisturbed: Campaign, tmp_path: Path) -> Campaign:
    return Campaign(undisturbed.file, tmp_path)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_workers_that_are_killed_at_random_lose_nothing(campaign: Campaign, undisturbed: Campaign, number: int) -> None:
    """Whoever is killed is replaced; every study that ends is compared with the undisturbed one."""
    rng = np.random.default_rng(number)
    killed = studies = 0
    finished: dict[str, int] = {}
    while killed < KILLS:
        workers = [campaign.worker() for _ in range(number)]
        while any(worker.exitcode is None for worker in workers):
            time.sleep(rng.uniform(0, LONGEST))
            seen = {path.parent.name: path.stat().st_mtime_ns for path in campaign.folder.glob("trials/*/record.json")}
            assert finished.items() <= seen.items(), "a finished trial was lost, or trained again"
            finished = seen
            at = int(rng.integers(number))
            if workers[at].exitcode is None and killed < KILLS:
                workers[at].kill()
                workers[at].join()
                killed += 1
                workers[at] = campaign.worker()
        campaign.finish()
        campaign.check(undisturbed.predictions())
        shutil.rmtree(campaign.folder)
        finished = {}
        studies += 1
    sys.stdout.write(f"{number} at once: {killed} kills, {studies} studies run to their end\n")


def test_a_worker_that_is_stopped_past_its_lease_comes_back_and_does_no_harm(
    campaign: Campaign, undisturbed: Campaign
) -> None:
    rng = np.random.default_rng(0)
    one, other = campaign.worker("short lease"), campaign.worker("short lease")
    stopped = 0
    while one.exitcode is None or other.exitcode is None:
        time.sleep(rng.uniform(0, LONGEST / 2))
        if one.exitcode is None and one.pid is not None and stopped < 3:
            os.kill(one.pid, signal.SIGSTOP)
            time.sleep(2 * SHORT_LEASE)
            os.kill(one.pid, signal.SIGCONT)
            stopped += 1
    assert stopped
    campaign.finish("short lease")
    campaign.check(undisturbed.predictions())


@pytest.mark.parametrize("disturbed", ["full disk", "no locks", "clock ahead"])
def test_a_worker_in_trouble_leaves_the_study_whole(campaign: Campaign, undisturbed: Campaign, disturbed: str) -> None:
    workers = [campaign.worker(disturbed), campaign.worker()]
    for worker in workers:
        worker.join(300)
    assert workers[0].exitcode == (2 if disturbed == "full disk" else 0)
    campaign.finish()
    campaign.check(undisturbed.predictions())
