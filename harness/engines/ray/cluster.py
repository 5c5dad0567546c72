"""Cluster: the connection to Ray, and the nodes that may train."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness import provenance
from harness.errors import HarnessError, one_line

# Ray itself tries for two minutes to reach an address where nothing answers.
_SECONDS_TO_CONNECT = 5.0
_SECONDS_TO_ANSWER = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster.

    Parameters
    ----------
    id, name : str
        Ray's name for it, and what a user calls it: the name of its host.
    cpus, gpus : int
        How many of each it offers to Ray.
    """

    id: str
    name: str
    cpus: int
    gpus: int


class Cluster:
    """The cluster that this process is connected to."""

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive and offer something to train on."""
        import ray

        alive = [node for node in ray.nodes() if node["Alive"]]
        hosts = Counter(node["NodeManagerHostname"] for node in alive)
        nodes = []
        for node in alive:
            host, name = node["NodeManagerHostname"], node["NodeID"]
            offered = {kind: int(node["Resources"].get(kind, 0)) for kind in ("CPU", "GPU")}
            if any(offered.values()):
                unique = host if hosts[host] == 1 else f"{host} ({name[:6]})"
                nodes.append(Node(id=name, name=unique, cpus=offered["CPU"], gpus=offered["GPU"]))
        return nodes

    def unfit(self, nodes: Sequence[Node]) -> dict[str, str]:
        """Return of the nodes that do not run this code, by their name, what they run instead.

        A node that is lost before it answers runs nothing, so it is not among them.
        """
        import ray

        # Without a core: it must not wait for other work.
        asked = {
            ray.remote(_code_of_node())
            .options(num_cpus=0, max_retries=0, scheduling_strategy=on_node(node))
            .remote(): node
            for node in nodes
        }
        ours, reasons = provenance.code(), {}
        answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_SECONDS_TO_ANSWER)
        for one in silent:
            reasons[asked[one].name] = f"it did not answer within {_SECONDS_TO_ANSWER:.0f} s"
        for one in answered:
            try:
                theirs = ray.get(one)
            except (ray.exceptions.NodeDiedError, ray.exceptions.TaskUnschedulableError):
                continue
            except ray.exceptions.RayError as error:
                theirs = one_line(error)
            if isinstance(theirs, str):
                reasons[asked[one].name] = theirs
            elif not provenance.same_code(theirs, ours):
                here, there = provenance.code_in_words(ours), provenance.code_in_words(theirs)
                reasons[asked[one].name] = f"it has {there}, and here is {here}"
        return reasons


def on_node(node: Node) -> Any:
    """Return the scheduling strategy that runs something on this node and on no other."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node.id, soft=False)


@contextmanager
def connected(address: str | None = None) -> Iterator[Cluster]:
    """Connect to a cluster for a while; without an address, to one that is started on this machine.

    Parameters
    ----------
    address : str, optional
        ``HOST:PORT`` of its head, or ``auto`` for the one that this machine is a node of.

    Raises
    ------
    HarnessError
        If Ray is not installed, if no cluster answers at the address, or if a node does not run this code.
    """
    # Ray would report to its makers from a cluster that it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What it will do in future versions, and warns of until then.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise HarnessError(
            "--on ray: Ray is not installed; it comes with the extra ray: in a checkout, pip install -e '.[train,ray]'"
        ) from None
    if address is not None:
        _check_address(address)
    # A folder of its own: Ray's usual one belongs to the user of this machine who made it first.
    folder = tempfile.mkdtemp(prefix="ray-") if address is None else None
    own = {} if folder is None else {"_temp_dir": folder, "include_dashboard": False}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        try:
            ray.init(address or "local", logging_level=logging.ERROR, log_to_driver=False, **own)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = f"at {address}" if address is not None else "on this machine"
            raise HarnessError(f"--on ray: no cluster {where} can be used: {one_line(error)}") from None
        finally:
            # Ray's handler would end the process in the middle of a trial.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, on_sigterm)
        cluster = Cluster()
        nodes = cluster.nodes()
        if not nodes:
            where = "that was started" if address is None else f"at {address}"
            raise HarnessError(f"--on ray: the cluster {where} has no node with a core or a GPU to train on")
        unfit = cluster.unfit(nodes)
        if unfit:
            listed = "; ".join(f"node {name}: {reason}" for name, reason in unfit.items())
            raise HarnessError(f"--on ray: every node must run the same code as this machine. {listed}")
        yield cluster
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _check_address(address: str) -> None:
    """Refuse an address where no cluster answers, in seconds."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        raise HarnessError(
            f"--on ray: expected ray, ray:auto, or ray:HOST:PORT of the cluster's head, such as ray:10.0.0.5:6379; "
            f"got {address!r}"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise HarnessError(f"--on ray: nothing answers at {address}: {one_line(error)}") from None
    # Something listens there. Whether it is Ray, only Ray can say.
    asked = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        code = subprocess.run(asked, capture_output=True, timeout=_SECONDS_TO_ANSWER, check=False).returncode
    except subprocess.TimeoutExpired:
        code = 1
    if code:
        raise HarnessError(
            f"--on ray: what answers at {address} is no head of a cluster that Ray {provenance.version('ray')} "
            "can use; expected the address that ray start --head prints, with its port"
        )


def _code_of_node() -> Any:
    """Return what asks a node for its code: by value, for the node may have another version of this module, or none."""

    def code() -> tuple[str | None, str | None] | str:
        try:
            from harness.provenance import code

            return code()
        except ImportError as error:
            return f"this version of ablation-harness is not installed there ({error})"

    return code
