"""Looks of a study file: `looks: auto` becomes the numbers of seeds that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import KeyPath

# With fewer seeds a look may claim nothing, and gives up too much.
_FEWEST = 4
# An earlier look may claim next to nothing. More looks save little more, cost power, and empty the packs.
_SHARES = (0.30, 0.45, 0.60, 0.75, 1.0)


def automatic_looks(n_seeds: int) -> list[int]:
    """Return the looks of a study with so many seeds: at 30, 45, 60, 75 and 100% of them, but never below four.

    Examples
    --------
    >>> automatic_looks(20), automatic_looks(10), automatic_looks(5)
    ([6, 9, 12, 15, 20], [4, 6, 8, 10], [4, 5])
    """
    return sorted({max(_FEWEST, round(n_seeds * share)) for share in _SHARES})


def with_looks(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[tuple[KeyPath, str]]]:
    """Return a study file's content with its looks spelled out, and what is wrong with `looks: auto`.

    Parameters
    ----------
    raw : mapping of str to Any
        The content of the file, with its overrides.
    """
    plan, seeds = raw.get("analysis"), raw.get("seeds")
    # Seeds by source have no looks, which the checks of the plan say.
    if not isinstance(plan, Mapping) or plan.get("looks") != "auto" or isinstance(seeds, Mapping):
        return raw, []
    n_seeds = len(seeds) if isinstance(seeds, list) else seeds
    looks: list[int] = []
    problems: list[tuple[KeyPath, str]] = []
    # What is wrong with the seeds is said of them.
    if isinstance(n_seeds, int) and not isinstance(n_seeds, bool):
        if n_seeds > _FEWEST:
            looks = automatic_looks(n_seeds)
        else:
            message = f"auto takes more than {_FEWEST} seeds, got {n_seeds}; give more seeds, or leave looks out"
            problems.append((("analysis", "looks"), message))
    return {**raw, "analysis": {**plan, "looks": looks}}, problems
