"""Launcher: the interface of what starts the workers of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


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
