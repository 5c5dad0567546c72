"""Workers of one study as an array of Slurm jobs, through submitit."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import HarnessError, ResultsError, one_line, why_unusable
from harness.launch import slurm_queue
from harness.launch.launcher import Launcher, refusal
from harness.launch.slurm_job import SlurmJob, in_vain
from harness.launch.slurm_options import check_options, grace_of, parse_options
from harness.launch.slurm_probe import Probe
from harness.launch.slurm_queue import QueuedJob, Watch
from harness.records.lock import WORKERS

# Slurm kills a cancelled job after KillWait, by default 30 s, and then sees to its end.
_CANCELLED_WITHIN = 90.0
# A worker's exit code where its input is wrong.
_REFUSED = 2
# How Slurm's own lines in a log begin. They follow the last line of the worker.
_OF_SLURM = ("srun: ", "slurmstepd")


class SlurmWorkers(Launcher):
    """Workers of one study as an array of Slurm jobs, which is queued when a probe job has passed.

    Parameters
    ----------
    arguments : sequence of str
        What `harness` is given to make one worker, in the working folder of this process.
    number : int
        How many.
    sbatch : str
        Options of sbatch: key=value, separated by blanks.
    folder : Path
        The study's results. Logs go to .workers/slurm in it, one a job.

    Raises
    ------
    HarnessError
        If `sbatch` is no text of options.
    """

    def __init__(self, arguments: Sequence[str], number: int, *, sbatch: str, folder: Path) -> None:
        self._folder = folder.absolute()
        self.logs = self._folder / WORKERS / "slurm"
        self._arguments = arguments
        self._number = number
        self._options = parse_options(sbatch)
        self._probe: Probe | None = None
        self._queue: Watch | None = None
        self._known: dict[str, QueuedJob] = {}
        self._told: set[str] = set()
        self._stopping = False

    @property
    def names(self) -> list[str]:
        """What Slurm calls the jobs of the array, such as 12_3."""
        return list(self._known)

    def log(self, name: str) -> Path:
        """Return the log of a job; submitit names it."""
        return self.logs / f"{name}_0_log.out"

    def start(self) -> None:
        """Check what can be checked here, and queue the probe.

        Raises
        ------
        HarnessError
            If submitit or Slurm is not there, Slurm refuses the options, or the folder for logs cannot be made.
        """
        if importlib.util.find_spec("submitit") is None:
            raise HarnessError(
                "submitit is not installed; --on slurm needs the extra slurm: in a checkout, pip install -e '.[slurm]'"
            )
        missing = [name for name in ("sbatch", "srun", "squeue", "scancel", "scontrol") if shutil.which(name) is None]
        if missing:
            raise HarnessError(f"--on slurm: no program {missing[0]} on this machine; run it where jobs are submitted")
        check_options(self._options, self._number)
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"{self.logs} cannot be used for logs: {why_unusable(self.logs, error)}") from None
        self._probe = Probe(self.logs, self._options)

    def running(self) -> int:
        """Return how many workers run, or wait for the probe or in Slurm's queue.

        Raises
        ------
        HarnessError
            If a node does not see the study's folder, Slurm refuses the array, or a worker was refused what it was
            asked for, which all of them would be.
        """
        if self._probe is not None:
            if not self._probe.has_passed():
                return self._number
            self._end_probe()
            self._submit()
        self._look()
        if self._known and all(job.has_ended and job.code == _REFUSED for job in self._known.values()):
            raise refusal(self._last_words(next(iter(self._known))))
        return sum(not job.has_ended for job in self._known.values())

    def stop(self, signal: str) -> None:  # noqa: ARG002
        """Ask workers that run to end with their epoch and not to come back, and take the others out of the queue.

        Asked again, workers end at once.
        """
        self._stopping = True
        self._end_probe()
        if self._queue is not None:
            slurm_queue.ask("scancel", "--state=PENDING", self._queue.job)
            # SIGTERM would bring them back: it is what Slurm sends to make room.
            slurm_queue.ask("scancel", "--signal=HUP", self._queue.job)

    def news(self) -> list[str]:
        """Say which workers have died since the last call, and what others wait for."""
        self._look()
        new = {subject: line for subject, line in self._events() if subject not in self._told}
        self._told.update(new)
        return list(new.values())

    def close(self) -> None:
        """Cancel what is left, wait for its end, and leave nothing but the logs."""
        self._end_probe()
        if self._queue is None:
            return
        end = time.monotonic() + _CANCELLED_WITHIN
        while time.monotonic() < end:
            self._look(at_once=True)
            if all(job.has_ended for job in self._known.values()):
                break
            self._stopping = True
            slurm_queue.ask("scancel", self._queue.job)
            time.sleep(1.0)
        job = self._queue.job
        for pattern in (f"{job}_*.pkl", f"{job}_submission.sh", ".submission_file_*.sh", in_vain(f"{job}_*")):
            for file in self.logs.glob(pattern):
                file.unlink(missing_ok=True)

    def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def _submit(self) -> None:
        """Queue the array.

        Raises
        ------
        HarnessError
            If Slurm refuses it.
        """
        from submitit import SlurmExecutor

        # Safe path: a folder named harness where the command is given is not this package.
        command = (sys.executable, "-P", "-m", "harness", *self._arguments)
        job = SlurmJob(command, grace_of(self._options), self._folder)
        threads = self._options.get("cpus-per-task")
        executor = SlurmExecutor(self.logs)
        executor.update_parameters(
            job_name=f"harness-{self._folder.name}",
            # None leaves it to the partition, where submitit would ask for 5 minutes, and for an accounting key.
            time=None,
            wckey=None,
            array_parallelism=self._number,
            stderr_to_stdout=True,
            # Since Slurm 22.05 a step does not take it from its job.
            srun_args=[] if threads is None else [f"--cpus-per-task={threads}"],
            # The same safe path for submitit; and its own words are few.
            setup=["export PYTHONSAFEPATH=1 SUBMITIT_LOG_LEVEL=WARNING"],
            additional_parameters={**self._options, "requeue": True},
        )
        try:
            jobs = executor.submit_array([job] * self._number)
        except Exception as error:
            raise HarnessError(f"--on slurm: Slurm refuses the array: {one_line(error)}") from None
        self._known = {job.job_id: QueuedJob("PENDING") for job in jobs}
        self._queue = Watch(jobs[0].job_id.partition("_")[0])

    def _look(self, *, at_once: bool = False) -> None:
        """Ask for the states, unless that was just done."""
        known = None if self._queue is None else self._queue.look(at_once=at_once)
        if known is None:
            return
        for name, job in self._known.items():
            if name in known:
                self._known[name] = known[name]
            elif not job.has_ended:
                # Slurm has forgotten it, as it does some minutes after the end: submitit notes a result that came.
                came = (self.logs / f"{name}_0_result.pkl").exists()
                self._known[name] = QueuedJob("COMPLETED" if came else "FAILED", job.nodes)

    def _events(self) -> Iterator[tuple[str, str]]:
        """Yield what is to be told once: its subject, and a line."""
        if self._probe is not None and (reason := self._probe.waits_for) is not None:
            yield reason, f"waiting in Slurm's queue for {reason}"
        waiting = [job.waits_for for job in self._known.values() if job.waits_for is not None]
        for reason in sorted(set(waiting)):
            yield reason, f"{waiting.count(reason)} of {self._number} workers wait in Slurm's queue: {reason}"
        for name, job in self._known.items():
            if job.has_ended and job.state != "COMPLETED" and not self._stopping:
                yield name, self._death(name, job)

    def _death(self, name: str, job: QueuedJob) -> str:
        """Say how a worker ended, with the last line of its log."""
        where = f" on {job.nodes}" if job.nodes else ""
        if job.state == "CANCELLED":
            return f"worker {name}{where} was cancelled"
        limit = ", because its last epoch took longer than the notice of that limit" if job.state == "TIMEOUT" else ""
        last = self._last_words(name).rpartition("\n")[2].strip()
        return f"worker {name}{where} died ({job.state}{limit}): {last}; its log: {self.log(name)}"

    def _last_words(self, name: str) -> str:
        """Return the text of a worker's log without what Slurm wrote there, unless there is nothing else."""
        try:
            lines = self.log(name).read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        own = [line for line in lines if not line.startswith(_OF_SLURM)]
        return "\n".join(own).strip() or "\n".join(lines).strip() or "nothing in its log"
