"""Hold-out: how many training examples are kept apart to choose an epoch or settings."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import DataError
from harness.study.settings import Arm, BestEpoch


def holdout_size(n: int, fraction: float) -> int:
    """Return how many of `n` training examples a hold-out takes.

    Raises
    ------
    DataError
        If a part would be empty.
    """
    held = round(fraction * n)
    if not 0 < held < n:
        raise DataError(f"a hold-out of {fraction:g} of {n} training examples leaves one of the two parts empty")
    return held


def check_holdouts(arms: Iterable[Arm], n: int) -> None:
    """Check that every hold-out that an arm needs leaves something of `n` training examples.

    Raises
    ------
    DataError
        If a part would be empty.
    """
    for arm in arms:
        if arm.search:
            holdout_size(n, arm.search.fraction)
        if isinstance(arm.selection, BestEpoch) and arm.selection.on == "holdout":
            holdout_size(n, arm.selection.fraction)
