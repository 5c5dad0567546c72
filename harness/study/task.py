"""Task: what a regression cannot have, because its labels are numbers and no classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import KeyPath
from harness.study.settings import Arm, BestEpoch

_NO_ACCURACY = "expected 'loss' (the mean squared error), got 'accuracy', which a regression does not have"
_SMOOTHING = "training.label_smoothing_factor"


def problems_of_regression(raw: Mapping[str, Any], arms: Mapping[str, Arm]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the place and the message of every setting that a regression cannot have.

    Parameters
    ----------
    raw : mapping
        The study file, to name where a setting is written.
    arms : mapping of str to Arm
        The arms with all settings.
    """
    for name, arm in arms.items():
        if arm.training.label_smoothing_factor:
            place = _place(raw, name, ("training", "label_smoothing_factor"))
            yield place, "smooths the labels of classes, and a regression has none; leave it out"
        if isinstance(arm.selection, BestEpoch) and arm.selection.best == "accuracy":
            yield _place(raw, name, ("selection", "best")), _NO_ACCURACY
        if arm.search is not None and arm.search.best == "accuracy":
            yield _place(raw, name, ("search", "best")), _NO_ACCURACY
        if arm.search is not None and _SMOOTHING in arm.search.space:
            place = _place(raw, name, ("search", "space", _SMOOTHING))
            yield place, "smooths the labels of classes, and a regression has none; leave it out"


def _place(raw: Mapping[str, Any], arm: str, setting: KeyPath) -> KeyPath:
    """Return where a setting is written: in the arm, else in the study, else the block that it is missing from."""
    own: KeyPath = ("arms", arm, *setting)
    return next((place for place in (own, setting, own[:3]) if _holds(raw, place)), setting)


def _holds(raw: Any, place: KeyPath) -> bool:
    for key in place:
        if not isinstance(raw, Mapping) or key not in raw:
            return False
        raw = raw[key]
    return True
