"""Probe job: whether workers of a Slurm would see the study's folder, and run the code that runs here."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from harness import provenance
from harness.errors import HarnessError
from harness.launch import slurm_queue
from harness.launch.slurm_options import as_flags
from harness.launch.slurm_queue import QueuedJob, Watch

# The file appears whole, with the exit code on its first line. A log would lie in a folder that may not be there.
_SCRIPT = """\
#!/bin/sh
cd {folder} || exit 1
said=$({python} -P -c 'import json; from harness import launch, provenance; print(json.dumps(provenance.code()))' 2>&1)
printf '%s\\n%s\\n' "$?" "$said" > {part} && mv {part} {name}
"""
# Folders of a network file system are looked up again after a minute at the latest.
_SEEN_WITHIN = 70.0


class Probe:
    """A short job that writes a file into a folder which workers must see, queued when this is made.

    Parameters
    ----------
    folder : Path
        An absolute path.
    options : mapping
        Those of the workers' jobs: the probe runs where they would.

    Raises
    ------
    HarnessError
        If Slurm refuses the job.
    """

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self._file = folder / f"probe-{time.time_ns()}"
        names = {"folder": str(folder), "python": sys.executable, "part": f"{self._file.name}.part"}
        quoted = {key: shlex.quote(value) for key, value in names.items()}
        script = _SCRIPT.format(**quoted, name=self._file.name)
        own = {"job-name": "harness-probe", "time": "5", "chdir": "/", "output": "/dev/null"}
        self._queue = Watch(slurm_queue.submit(script, [*as_flags({**options, **own}), "--no-requeue"]))
        self._last: QueuedJob | None = None
        self._end = float("inf")

    @property
    def waits_for(self) -> str | None:
        """What keeps the job in the queue; None where it does not wait there."""
        reason = None if self._last is None else self._last.waits_for
        return None if reason is None else f"job {self._queue.job}, which looks whether nodes see the results: {reason}"

    def has_passed(self) -> bool:
        """Say whether a node has answered as it should; False as long as it may still do so.

        Raises
        ------
        HarnessError
            If the file does not come, or the package is missing on the node or of another version or commit.
        """
        if self._file.exists():
            self._check(self._file.read_text("utf-8"))
            return True
        if time.monotonic() > self._end:
            raise HarnessError(self._nothing_came())
        known = self._queue.look()
        if known is None:
            return False
        self._last = known.get(self._queue.job, self._last)
        if self._queue.job in known and not known[self._queue.job].has_ended:
            return False
        # A job that failed has nothing under way.
        failed = self._last is not None and self._last.has_ended and self._last.state != "COMPLETED"
        self._end = min(self._end, time.monotonic() + (0.0 if failed else _SEEN_WITHIN))
        return False

    def cancel(self) -> None:
        """Leave nothing of it."""
        slurm_queue.ask("scancel", self._queue.job)
        self._file.unlink(missing_ok=True)

    def _check(self, said: str) -> None:
        """Check what the node wrote.

        Raises
        ------
        HarnessError
            If the package is missing there or of another version or commit.
        """
        code, _, text = said.partition("\n")
        last = (text.strip().splitlines() or ["nothing"])[-1]
        if code != "0":
            raise HarnessError(f"--on slurm: no worker could start: on a node, {sys.executable} says: {last}")
        try:
            version, commit = json.loads(last)
        except (ValueError, TypeError):
            raise HarnessError(
                f"--on slurm: expected the version and the commit of the package from a node, got: {last}"
            ) from None
        here, there = provenance.code(), (version, commit)
        if not provenance.same_code(here, there):
            raise HarnessError(
                f"--on slurm: here is {provenance.code_in_words(here)}, and on a node, as {sys.executable}, "
                f"{provenance.code_in_words(there)}; install the same one"
            )

    def _nothing_came(self) -> str:
        where = f" on {self._last.nodes}" if self._last is not None and self._last.nodes else ""
        state = "" if self._last is None else f" ({self._last.state})"
        return (
            f"--on slurm: workers cannot see or write the folder {self._file.parent}: job {self._queue.job}{where} "
            f"ended{state} and left no file there; --results must be on a file system that the nodes share with this "
            "machine"
        )
