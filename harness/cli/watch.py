"""Watching: `harness status --watch` looks again every few seconds, until nothing is left to run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from harness.cli.screens import status_line, status_screen
from harness.cli.shared import console_for, print_json, results_of_again
from harness.errors import ResultsError
from harness.records.store import KnownTrials
from harness.runs.status import StudyStatus, read_status
from harness.signals import until_ctrl_c

SECONDS = 2.0
"""Between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What one look found.

    Parameters
    ----------
    statuses : tuple of StudyStatus
        How far each study is.
    problems : tuple of str
        Why a study, or all of them, cannot be read.
    """

    statuses: tuple[StudyStatus, ...]
    problems: tuple[str, ...]

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to run, and nothing runs."""
        going_on = any(one.to_run or one.alive for one in self.statuses)
        return not going_on and not self.problems


Show = Callable[[Glance], None]


def glances(study: Path | None, results: Path) -> Iterator[Glance]:
    """Look at studies again and again; a record is read again only when it has changed.

    What cannot be read, or is not there yet, may be there at the next look.

    Parameters
    ----------
    study, results : Path or None, Path
        What `results_of` takes.

    Yields
    ------
    Glance
    """
    known: dict[Path, KnownTrials] = defaultdict(KnownTrials)
    for folders, problem in results_of_again(study, results):
        statuses, problems = [], [problem] if problem else []
        for folder in folders:
            try:
                statuses.append(read_status(folder, known[folder]))
            except ResultsError as error:
                problems.append(f"waiting: {error}")
        yield Glance(statuses=tuple(statuses), problems=tuple(problems))


def watch(study: Path | None, results: Path, *, as_json: bool, wait: Callable[[float], None] = time.sleep) -> None:
    """Show how far studies are until nothing is left to run, or until Ctrl-C.

    A terminal is redrawn in place. In a log or a pipe what was written stays: there, a line is added whenever something
    has changed.

    Parameters
    ----------
    study, results : Path or None, Path
        What `results_of` takes.
    as_json : bool
        Whether to print an object in a line of its own whenever something has changed.
    wait : callable
        Is called with the seconds until the next look.
    """
    display = nullcontext(_json_lines()) if as_json else show_on(console_for(), "Ctrl-C ends this, not the run")
    with until_ctrl_c(), display as show:
        for glance in glances(study, results):
            show(glance)
            if glance.is_last:
                return
            wait(SECONDS)


def show_on(console: Console, hint: str) -> AbstractContextManager[Show]:
    """Return what shows glances: a screen that is redrawn on a terminal, with a hint below, and lines elsewhere."""
    return _redrawn(console, hint) if console.is_terminal else nullcontext(_lines(console))


@contextmanager
def _redrawn(console: Console, hint: str) -> Iterator[Show]:
    """Draw every glance in the place of the one before."""
    # Drawn when there is something to draw: a thread that draws in between would only flicker.
    with Live(console=console, auto_refresh=False) as live:

        def show(glance: Glance) -> None:
            screens = [
                part for status in glance.statuses for part in (status_screen(status, width=console.width), Text())
            ]
            ends = "" if glance.is_last else f"{datetime.now():%H:%M:%S}; {hint}"
            live.update(Group(*screens, *map(Text, glance.problems), Text(ends, style="dim")), refresh=True)

        yield show


def _lines(console: Console) -> Show:
    """Print a line for every study in which something has changed, and for every new trouble."""
    told: dict[str, object] = {}

    def show(glance: Glance) -> None:
        now: dict[str, object] = dict.fromkeys(glance.problems)
        for status in glance.statuses:
            now |= {status.name: _news(status)} | {f"{status.name}: {trouble}": None for trouble in status.troubles}
        lines = {status.name: status_line(status) for status in glance.statuses}
        for name, news in now.items():
            if name not in told or told[name] != news:
                line = f"{datetime.now():%H:%M:%S} {lines.get(name, name)}"
                console.print(Text(line), soft_wrap=True)
        told.clear()
        told.update(now)

    return show


def _json_lines() -> Show:
    """Print what `harness status --json` prints, in one line, whenever something has changed."""
    told: list[object] = []

    def show(glance: Glance) -> None:
        now = [glance.problems, *map(_news, glance.statuses)]
        if now != told:
            print_json("status", [status.to_json() for status in glance.statuses], errors=glance.problems, indent=None)
        told[:] = now

    return show


def _news(status: StudyStatus) -> object:
    """Return what makes a status worth a line: how trials ended, and which process runs the study."""
    holder = status.holder
    run = None if holder is None else (holder.host, holder.pid, holder.alive, holder.signal, holder.ended)
    workers = [(one.host, one.pid, one.alive, one.signal) for one in status.workers]
    return status.name, [(arm.arm, arm.statuses) for arm in status.arms], run, workers
