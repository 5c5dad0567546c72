"""A Slurm of two nodes on loopback, started by hand and ended again: everything of it lies in one folder."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
# Debian keeps daemons where a user's PATH does not look.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

# cred_expire is also how long a job that was requeued must wait; where its old self still runs on that node by then,
# Slurm fails it. KillWait is what a cancelled job has to end.
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={munge},cred_expire=15
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=30
InactiveLimit=0
NodeName=n1 NodeAddr=127.0.0.1 NodeHostname={host} Port={first_port} CPUs=1 RealMemory=1000
NodeName=n2 NodeAddr=127.0.0.1 NodeHostname={host} Port={second_port} CPUs=1 RealMemory=1000
PartitionName=work Nodes=n1,n2 Default=YES MaxTime=60 DefaultTime=10 PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=n1,n2 MaxTime=60 DefaultTime=10 PriorityTier=9
PartitionName=away Nodes=n2 MaxTime=60 DefaultTime=10 PriorityTier=1
"""


def skip_without_slurm() -> None:
    """Skip by name where a program of Slurm or munge is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]
    if missing:
        pytest.skip(
            f"no {', '.join(missing)}; Debian's packages are slurmctld, slurmd, slurm-client, slurm-wlm-basic-plugins "
            "and munge"
        )


def can_hide() -> bool:
    """Whether this user may give a process file systems of its own."""
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def until(what: str, holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds; fails with what it was where it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


class SlurmCluster:
    """Two nodes, n1 and n2, of one CPU each, and three partitions.

    `work` is the default, `urgent` takes its nodes from it (after 30 s of grace), and `away` has n2 alone.

    Parameters
    ----------
    folder : Path
        Keeps everything: configuration, keys, logs, state.
    unseen : Path or None
        A folder of which n2 sees an empty one instead, as where a file system is not shared.
    """

    def __init__(self, folder: Path, unseen: Path | None = None) -> None:
        self.folder = folder
        self.unseen = unseen
        self.configuration = folder / "slurm.conf"
        self._socket = folder / "munge" / "socket"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What programs need to talk to this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.configuration), "PATH": SEARCHED}

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it says."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Return the states of all jobs, also of those that have ended, by their names such as 5_0."""
        lines = self.ask("squeue", "--noheader", "--array", "--states=all", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    @contextmanager
    def running(self) -> Iterator[SlurmCluster]:
        """Start the daemons, and end them with all jobs."""
        self._prepare()
        try:
            self.start("munged")
            until("munge listens", self._socket.exists)
            for name in ("slurmctld", "n1", "n2"):
                self.start(name)
            until("both nodes are idle", lambda: self._answers() and self._in("idle") == 2)
            yield self
            self.cancel_all()
        except BaseException as error:
            for name in self._daemons:
                error.add_note(f"{name} said last:\n{self._log(name).read_text(errors='replace')[-2000:]}")
            raise
        finally:
            for name in reversed([*self._daemons]):
                self._daemons[name].terminate()
            for process in self._daemons.values():
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start(self, name: str) -> None:
        """Start a daemon: munged, slurmctld, or a node."""
        with self._log(name).open("ab") as log:
            command = self._command(name)
            self._daemons[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill a daemon with SIGKILL. The jobs of a node go on: each has a daemon of its own."""
        self._daemons[name].kill()
        self._daemons[name].wait()

    def restart(self, name: str) -> None:
        """Kill a daemon with SIGKILL, start it again, and wait until nodes answer: before that jobs are refused."""
        self.kill(name)
        self.start(name)
        until("both nodes answer", lambda: self._answers() and self._in("idle", "alloc", "mix", "comp") == 2, 300)

    def cancel_all(self) -> None:
        """Cancel all jobs, and wait for their end."""
        subprocess.run(["scancel", "--user", getpass.getuser()], env=self.environment, capture_output=True, timeout=60)
        until("all jobs ended", lambda: not self.ask("squeue", "--noheader").strip())

    def _prepare(self) -> None:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            ports = []
            for one in (first, second, third):
                one.bind(("127.0.0.1", 0))
                ports.append(one.getsockname()[1])
        (self.folder / "state").mkdir()
        # munge's socket must be open to all, and its key to nobody else.
        self._socket.parent.mkdir(mode=0o755)
        key = self._socket.parent / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        self.configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0],
                user=getpass.getuser(),
                munge=self._socket,
                folder=self.folder,
                controller_port=ports[0],
                first_port=ports[1],
                second_port=ports[2],
            )
        )

    def _command(self, name: str) -> list[str]:
        munge = self._socket.parent
        if name == "munged":
            files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
            return ["munged", "--foreground", *(f"--{option}={munge / file}" for option, file in files.items())]
        if name == "slurmctld":
            return ["slurmctld", "-D", "-f", str(self.configuration)]
        command = ["slurmd", "-D", "-N", name, "-f", str(self.configuration)]
        if name == "n1" or self.unseen is None:
            return command
        # A file system of its own over the folder, in a name space of its own.
        return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(self.unseen), *command]

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _answers(self) -> bool:
        done = subprocess.run(["scontrol", "ping"], env=self.environment, capture_output=True, text=True, timeout=60)
        return "UP" in done.stdout

    def _in(self, *states: str) -> int:
        """How many nodes are in one of these states; one that does not answer has a * behind it."""
        nodes = self.ask("sinfo", "--noheader", "--Node", "--partition=work", "--format=%t")
        return sum(node in states for node in nodes.split())
