"""Hold-out: how many training examples are kept apart to choose an epoch or settings."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import DataError, with_arms
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


def check_holdouts(arms: Mapping[str, Arm], n: int) -> None:
    """Check that every hold-out that an arm needs leaves something of `n` training examples.

    Raises
    ------
    DataError
        With every arm for which a part would be empty.
    """
    wrong: list[tuple[str, str]] = []
    for name, arm in arms.items():
        fractions = {}
        if arm.search:
            fractions["search.fraction"] = arm.search.fraction
        if isinstance(arm.selection, BestEpoch) and arm.selection.on == "holdout":
            fractions["selection.fraction"] = arm.selection.fraction
        for key, fraction in fractions.items():
            try:
                holdout_size(n, fraction)
            except DataError as error:
                wrong.append((name, f"{key}: {error}"))
    if wrong:
        raise DataError(with_arms(wrong))
