"""Counts and lists of trials as plain English."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from analysis.outcomes import Trial

_NAMED_AT_MOST = 4


def counted(count: int, word: str) -> str:
    """Return a count with its noun: ``1 seed``, ``8 seeds``.

    Examples
    --------
    >>> counted(1, "look"), counted(2, "look")
    ('1 look', '2 looks')
    """
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def in_packs(sizes: Collection[int]) -> str:
    """Return how large packs were, of which there is at least one.

    Examples
    --------
    >>> in_packs([12]), in_packs([6, 4, 12])
    ('in packs of 12', 'in packs of 4 to 12')
    """
    least, most = min(sizes), max(sizes)
    return f"in packs of {least}" if least == most else f"in packs of {least} to {most}"


def named_trials(trials: Sequence[Trial]) -> str:
    """Name trials by how they ended: ``diverged: lora seed 3; not run: full seed 4, lora seed 4``."""
    by_status: dict[str, list[str]] = {}
    for trial in trials:
        by_status.setdefault(trial.status, []).append(trial.name)
    parts = []
    for status, names in by_status.items():
        more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
        parts.append(f"{status}: {', '.join(names[:_NAMED_AT_MOST])}{more}")
    return "; ".join(parts)
