"""Process of a run, as it tells it beside the results: who it is, what it is doing, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.provenance import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProcess:
    """A process that runs a study or trains beside one that does, or whose run ended early.

    Parameters
    ----------
    host, pid, since : str, int, str
        The process, and when it started.
    seen : str
        When it last wrote to the file.
    alive : bool
        Whether it still runs.
    doing : str
        What it was doing then, in words.
    trials : list of mapping
        The trials that it was training then: `arm`, `seed`, `epoch`, `epochs`, `step`, `steps`.
    seconds_left : float or None
        Its estimate then.
    signal : str or None
        The signal that asked it to end.
    ended : str or None
        When it ended after that signal.
    settings : str
        What identifies the settings that it runs the study with; empty until it says so.
    code : tuple of str or None
        The version of this package that it runs, and its commit.
    """

    host: str
    pid: int
    since: str
    seen: str
    alive: bool
    doing: str = ""
    trials: list[Mapping[str, Any]]
    seconds_left: float | None = None
    signal: str | None = None
    ended: str | None = None
    settings: str = ""
    code: Code = (None, None)

    @property
    def seconds_since_seen(self) -> float:
        """How long ago it last wrote to the file."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.seen)).total_seconds()

    @property
    def process(self) -> str:
        """The process in words."""
        return f"process {self.pid} on {self.host} since {self.since}"


def process_in(path: Path, alive: Callable[[RunProcess], bool]) -> RunProcess | None:
    """Return the process that a file tells of; None where there is no such file, or it tells of none.

    Parameters
    ----------
    path : Path
        The file.
    alive : callable
        Whether the process still runs.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        trials, left = content.get("trials", []), content.get("seconds_left")
        process = RunProcess(
            host=str(content["host"]),
            pid=int(content["pid"]),
            since=str(content["since"]),
            seen=str(content.get("seen", content["since"])),
            alive=False,
            doing=str(content.get("doing", "")),
            trials=[dict(trial) for trial in trials],
            seconds_left=None if left is None else float(left),
            signal=content.get("signal"),
            ended=content.get("ended"),
            settings=str(content.get("settings", "")),
            code=_code_in(content.get("code")),
        )
        return replace(process, alive=alive(process))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _code_in(written: Any) -> Code:
    version, commit = written if isinstance(written, list) and len(written) == 2 else (None, None)
    return (None if version is None else str(version), None if commit is None else str(commit))
