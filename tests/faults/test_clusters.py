"""Nodes, drivers, jobs, daemons and a database are killed under a study, each skipped where it is not installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from tests.faults.campaign import STUDY, Campaign, kill_at_random
from tests.postgresql_server import Server, running_server, shown
from tests.ray_nodes import add_node, lose, two_nodes
from tests.slurm_cluster import SlurmCluster, skip_without_slurm

pytestmark = [
    pytest.mark.slow,
    # What Ray leaves behind: processes that it does not wait for, and their files and sockets.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed (file|socket):ResourceWarning"),
]

ROOT = Path(harness.__file__).parents[1]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

# Returns what was struck, None where it was not there.
Strike = Callable[[np.random.Generator], str | None]


def one_of(strikes: Sequence[Strike], rng: np.random.Generator) -> str | None:
    """Strike one at random of those that are there."""
    struck = (strikes[at](rng) for at in rng.permutation(len(strikes)))
    return next((part for part in struck if part is not None), None)


def killed(pid: int) -> bool:
    """Kill a process; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class RayTarget:
    """A driver on a cluster of two nodes, of which each trains one pack."""

    def __init__(self, campaign: Campaign, nodes: Any) -> None:
        self._campaign = campaign
        self._nodes = nodes
        self._driver: BaseProcess | None = None

    def start(self) -> None:
        self._driver = self._campaign.worker(ray=self._nodes.address)

    def goes_on(self) -> bool:
        assert self._driver is not None
        assert self._driver.exitcode in (None, 0)
        return self._driver.exitcode is None

    def strike(self, rng: np.random.Generator) -> str | None:
        return one_of([self._node, self._worker, self._kill_driver], rng)

    def finish(self) -> None:
        self._campaign.finish()

    def _node(self, rng: np.random.Generator) -> str:
        nodes = sorted(self._nodes.worker_nodes, key=lambda node: node.node_id)
        lose(self._nodes, nodes[int(rng.integers(len(nodes)))])
        add_node(self._nodes)
        return "node"

    def _worker(self, rng: np.random.Generator) -> str | None:
        """Kill a process that trains, or loads what it trains with."""
        raylets = {info.process.pid for node in self._nodes.worker_nodes for info in node.all_processes["raylet"]}
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                title = (path / "cmdline").read_bytes()
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent in raylets and title.startswith(b"ray::Worker"):
                found.append(int(path.name))
        return "worker" if found and killed(sorted(found)[int(rng.integers(len(found)))]) else None

    def _kill_driver(self, _: np.random.Generator) -> str | None:
        assert self._driver is not None
        if self._driver.exitcode is not None:
            return None
        self._driver.kill()
        self._driver.join()
        self.start()
        return "driver"


def test_on_ray(campaign: Campaign, undisturbed: Campaign) -> None:
    with two_nodes() as nodes:
        kill_at_random("Ray", RayTarget(campaign, nodes), campaign, undisturbed, longest=15)


class SlurmTarget:
    """`harness run --on slurm:2`; it is started again as often as it ends before the study does."""

    def __init__(self, campaign: Campaign, cluster: SlurmCluster) -> None:
        self._campaign = campaign
        self._cluster = cluster
        self._log = campaign.root / "log"
        self._driver: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "harness", "run", str(self._campaign.file), *STUDY, "--on", "slurm:2"]
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(
                [*command, "--results", str(self._campaign.root)],
                env=self._cluster.environment | ENVIRONMENT,
                stdout=log,
                stderr=log,
            )

    def goes_on(self) -> bool:
        assert self._driver is not None
        code = self._driver.poll()
        if code not in (None, 0):
            # Its workers are dead, some before they wrote a word.
            assert code == 1 or "no worker trained anything" in self._log.read_text(), self._log.read_text()
            self.start()
        return code != 0

    def strike(self, rng: np.random.Generator) -> str | None:
        return one_of([self._worker, self._job, self._kill_driver, self._restart], rng)

    def finish(self) -> None:
        self._campaign.finish()

    def _worker(self, rng: np.random.Generator) -> str | None:
        workers = sorted(self._campaign.workers().items())
        if not workers:
            return None
        pid, doing = workers[int(rng.integers(len(workers)))]
        return doing if killed(pid) else None

    def _job(self, rng: np.random.Generator) -> str | None:
        """Let Slurm kill all processes of a job, which then does not come back."""
        running = sorted(name for name, state in self._cluster.jobs().items() if "_" in name and state == "RUNNING")
        if not running:
            return None
        name = running[int(rng.integers(len(running)))]
        kill = ["scancel", "--signal=KILL", "--full", name]
        done = subprocess.run(kill, env=self._cluster.environment, capture_output=True, timeout=60)
        # It may have ended a moment ago.
        return "job" if done.returncode == 0 else None

    def _kill_driver(self, _: np.random.Generator) -> str | None:
        """Kill it, and do what docs/scale.md says: its jobs go on, so they are cancelled before the next one."""
        assert self._driver is not None
        if self._driver.poll() is not None:
            return None
        self._driver.kill()
        self._driver.wait()
        self._cluster.cancel_all()
        self.start()
        return "driver"

    def _restart(self, rng: np.random.Generator) -> str:
        name = str(rng.choice(["slurmctld", "n1", "n2"]))
        self._cluster.restart(name)
        return name


def test_on_slurm(campaign: Campaign, undisturbed: Campaign) -> None:
    skip_without_slurm()
    pytest.importorskip("submitit")
    # munge wants a way to its socket that is open to all, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        Path(name).chmod(0o755)
        with SlurmCluster(Path(name)).running() as cluster:
            kill_at_random("Slurm", SlurmTarget(campaign, cluster), campaign, undisturbed, longest=30)


class DatabaseTarget:
    """A worker that shows its trials in a PostgreSQL server, and is replaced when it is killed."""

    def __init__(self, campaign: Campaign, server: Server) -> None:
        self._campaign = campaign
        self._server = server
        self._url = server.url("runs")
        self._worker: BaseProcess | None = None

    def start(self) -> None:
        self._server.ask("DROP DATABASE IF EXISTS runs WITH (FORCE)")
        self._server.ask("CREATE DATABASE runs TEMPLATE ready")
        self._worker = self._campaign.worker(storage=self._url)

    def goes_on(self) -> bool:
        assert self._worker is not None
        assert self._worker.exitcode in (None, 0)
        return self._worker.exitcode is None

    def strike(self, rng: np.random.Generator) -> str | None:
        return one_of([self._restart, self._kill_worker], rng)

    def finish(self) -> None:
        self._campaign.finish(storage=self._url)
        # A trial that was cut short stays there as pruned, beside the one that took its place.
        states = Counter((key, state) for key, state, _ in shown(self._url) if state != "PRUNED")
        assert states == Counter((key, "COMPLETE") for key in self._campaign.finished())

    def _restart(self, rng: np.random.Generator) -> str:
        self._server.restart(str(rng.choice(["fast", "immediate"])))
        return "server"

    def _kill_worker(self, _: np.random.Generator) -> str | None:
        assert self._worker is not None
        if self._worker.exitcode is not None:
            return None
        doing = self._campaign.kill(self._worker)
        self._worker = self._campaign.worker(storage=self._url)
        return doing


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def test_with_a_database(campaign: Campaign, undisturbed: Campaign, server: Server) -> None:
    kill_at_random("PostgreSQL", DatabaseTarget(campaign, server), campaign, undisturbed, longest=4)
