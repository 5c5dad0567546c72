"""Launcher: the interface of what starts the workers of a study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from harness.errors import HarnessError, ProblemsError

# How a command begins to say what is wrong, at the end of what it says.
_WRONG = re.compile(r"^(?:error: |(\d+ problems:)\n)", re.MULTILINE)


def refusal(log: str) -> HarnessError:
    """Return what a worker was refused, which its log ends with, as the error that it was there."""
    starts = [*_WRONG.finditer(log)]
    if not starts:
        return HarnessError(log.rpartition("\n")[2])
    error = HarnessError(log[starts[-1].end() :])
    return ProblemsError([error]) if starts[-1][1] else error


class Launcher(Protocol):
    """Workers of one study, started together."""

    def start(self) -> None:
        """Start them.

        Raises
        ------
        HarnessError
            If they cannot be started.
        """
        ...

    def running(self) -> int:
        """Return how many of them run, or wait to be started.

        Raises
        ------
        HarnessError
            If all of them were refused what they were asked for.
        """
        ...

    def stop(self, signal: str) -> None:
        """Ask them to end as soon as nothing is lost by it; asked again, to end at once.

        Parameters
        ----------
        signal : str
            Which signal came, such as ``SIGINT``.
        """
        ...

    def news(self) -> Sequence[str]:
        """Return what a user should know and has not been told: a worker that died, and why."""
        ...

    def close(self) -> None:
        """Leave none of them running."""
        ...
