"""Campaign: targets are killed at random moments while they train a study, and nothing that finished is lost."""

from __future__ import annotations

import errno
import itertools
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.study.loading import load_study

# The kills of the whole campaign, and what they are divided over.
KILLS = int(os.environ.get("HARNESS_FAULTS", "12"))
TARGETS = ("1 worker", "2 workers", "3 workers", "Ray", "Slurm", "PostgreSQL")
STUDY = (
    "seeds=4",
    "training.num_train_epochs=3",
    "timing=off",
    "arms.searched={search: {trials: 4, batch: 2, fraction: 0.25, "
    "space: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}}}}",
)
SHORT_LEASE = 2.0
# Files and folders that a disk takes before it is full: the manifest, the search, and six of the 16 trials.
TAKEN_BY_A_FULL_DISK = 60
# Says that it is, in the folder of the results.
FULL = "full"
# Far more than a study takes on a busy machine: whatever takes longer hangs.
LONGEST_STUDY = 1800.0


def share(target: str) -> int:
    """Return how many kills a target gets."""
    return (KILLS + TARGETS.index(target)) // len(TARGETS)


def work(file: str, root: str, *, disturbed: str = "", storage: str | None = None, ray: str | None = None) -> None:
    """Train a study as a worker or on a Ray cluster, in a process that may be disturbed in one way."""
    import harness.records.lock
    import harness.records.workers
    from harness import run_study
    from harness.cli.on import On, cluster_of
    from harness.engines.ray import cluster as ray_cluster
    from harness.errors import ResultsError
    from harness.search import mirror

    # A busy machine gets the time that it needs.
    vars(mirror)["_LONGEST_WAIT"] = 60.0
    vars(ray_cluster)["_SECONDS_TO_ANSWER"] = 180.0
    if "short lease" in disturbed:
        for module in (harness.records.lock, harness.records.workers):
            vars(module)["LEASE_SECONDS"] = SHORT_LEASE
    if "full disk" in disturbed:
        fsync, taken = os.fsync, itertools.count()

        def fsync_while_there_is_room(descriptor: int) -> None:
            at = next(taken)
            if at == TAKEN_BY_A_FULL_DISK:
                (Path(root) / FULL).touch()
                # The other worker comes only now: it might have trained all the rest.
                while len([*Path(root).glob("*/.workers/*.json")]) < 2:
                    time.sleep(0.02)
            if at >= TAKEN_BY_A_FULL_DISK:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(descriptor)

        os.fsync = fsync_while_there_is_room
    if "no locks" in disturbed:
        import fcntl

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        fcntl.flock = flock
    if "clock ahead" in disturbed:
        now = time.time
        time.time = lambda: now() + 86400
    try:
        with cluster_of(None if ray is None else On(place="ray", address=ray)) as cluster:
            run_study(load_study(Path(file), STUDY), root, as_worker=True, storage=storage, cluster=cluster)
    except ResultsError:
        os._exit(2)


class Campaign:
    """Runs of one study in one folder, until it has run."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file, self.root = file, root
        self._context = multiprocessing.get_context("forkserver")
        # Torch is loaded once: a worker then begins in milliseconds.
        self._context.set_forkserver_preload(["harness.runs.runner", "peft", "transformers"])

    @property
    def folder(self) -> Path:
        return self.root / "tiny"

    def worker(self, disturbed: str = "", storage: str | None = None, ray: str | None = None) -> BaseProcess:
        options = {"disturbed": disturbed, "storage": storage, "ray": ray}
        process = self._context.Process(target=work, args=(str(self.file), str(self.root)), kwargs=options)
        process.start()
        return process

    def finish(self, disturbed: str = "", storage: str | None = None) -> None:
        """Let one worker end the study."""
        process = self.worker(disturbed, storage)
        process.join(LONGEST_STUDY)
        assert process.exitcode == 0

    def workers(self) -> dict[int, str]:
        """Return the workers that have joined, by pid, and whether each trains; the others prepare or wait."""
        found = {}
        for path in self.folder.glob(".workers/*.json"):
            # Who has ended takes its file away.
            with suppress(FileNotFoundError):
                content = json.loads(path.read_text())
                found[content["pid"]] = "training worker" if content["claims"] else "other worker"
        return found

    def doing(self, worker: BaseProcess) -> str:
        """Return whether a worker trains."""
        return self.workers().get(worker.pid or 0, "other worker")

    def kill(self, worker: BaseProcess) -> str:
        """Kill a worker; return what it was."""
        doing = self.doing(worker)
        worker.kill()
        worker.join()
        return doing

    def finished(self) -> dict[str, int]:
        """Return when each trial was recorded that has finished."""
        times = {}
        for path in self.folder.glob("trials/*/record.json"):
            # What another worker replaces at this moment has not finished.
            try:
                if json.loads(path.read_text())["status"] == "finished":
                    times[path.parent.name] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
        return times

    def predictions(self) -> dict[str, bytes]:
        return {path.parent.name: path.read_bytes() for path in self.folder.glob("trials/*/predictions.parquet")}

    def check(self, undisturbed: dict[str, bytes]) -> None:
        """Nothing is lost, torn or set aside, and what the models said is the same to the last bit."""
        statuses = [json.loads(path.read_text())["status"] for path in self.folder.glob("trials/*/record.json")]
        assert statuses == ["finished"] * len(undisturbed)
        assert not (self.folder / "set_aside").exists()
        assert self.predictions() == undisturbed
        assert not list(self.folder.glob("packs/*"))


class Target(Protocol):
    """What trains a study, and what of it can be killed."""

    def start(self) -> None:
        """Begin, or begin again, to train the study."""
        ...

    def goes_on(self) -> bool:
        """Whether it still trains."""
        ...

    def strike(self, rng: np.random.Generator) -> str | None:
        """Kill a part, and see to it that the study goes on; return the part, or None where it was not there."""
        ...

    def finish(self) -> None:
        """Let the study end undisturbed."""
        ...


def kill_at_random(name: str, target: Target, campaign: Campaign, undisturbed: Campaign, *, longest: float) -> None:
    """Kill parts of a target until it has had its share; every study that ends is compared with the undisturbed one.

    Parameters
    ----------
    name : str
        Of the target.
    target : Target
        Trains the study of the campaign.
    campaign, undisturbed : Campaign
        The study, and the one that nobody disturbed.
    longest : float
        Seconds between two kills, at most: long enough for some packs, and short enough to hit who is training. As long
        as no trial finishes, as on a busy machine, each wait may be a quarter longer than the one before.
    """
    rng = np.random.default_rng(TARGETS.index(name))
    struck: Counter[str] = Counter()
    studies = trials = 0
    while struck.total() < share(name):
        target.start()
        finished: dict[str, int] = {}
        wait = longest
        end = time.monotonic() + LONGEST_STUDY
        while target.goes_on():
            assert time.monotonic() < end, "the study does not end"
            time.sleep(rng.uniform(0, wait))
            seen = campaign.finished()
            assert finished.items() <= seen.items(), "a finished trial was lost, or trained again"
            wait = 1.25 * wait if finished == seen and struck.total() < share(name) else longest
            finished = seen
            if struck.total() < share(name) and (part := target.strike(rng)) is not None:
                struck[part] += 1
        target.finish()
        campaign.check(undisturbed.predictions())
        studies += 1
        trials += len(campaign.finished())
        shutil.rmtree(campaign.folder)
        parts = ", ".join(f"{count} {part}" for part, count in struck.items())
        sys.stdout.write(
            f"{name}: {struck.total()} kills ({parts}); {studies} studies with {trials} trials are whole\n"
        )
        sys.stdout.flush()
