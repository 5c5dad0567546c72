"""Looks at the verdicts, as looks.json tells of them."""

from __future__ import annotations

from analysis.records.format import Count, Stored, StoredFile


class TakenLook(Stored):
    """A moment when verdicts were looked at.

    Parameters
    ----------
    seeds : tuple of int
        The seeds that the verdicts took up.
    runs : dict of str to int, or None
        Where runs are not paired by seed: how many of each arm they took up.
    left : tuple of str
        Arms that no open comparison needs after it: a run until decided trains them no further.
    plan : str
        The digest of the plan that they were made by.
    at : str
        When, as an ISO 8601 time; empty in a report, which knows no clock.
    """

    seeds: tuple[Count, ...]
    runs: dict[str, Count] | None = None
    left: tuple[str, ...] = ()
    plan: str
    at: str = ""


class Looks(StoredFile):
    """`looks.json`: every moment when verdicts were looked at."""

    looks: tuple[TakenLook, ...]
