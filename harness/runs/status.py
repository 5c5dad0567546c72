"""Status of a study: how far it is, read from its manifest and records without torch."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.lock import LockOwner, lock_owner
from harness.records.store import FINAL, Store, StoredTrial

TO_RUN = ("missing", "failed", "interrupted", "unreadable")
"""A run trains the trials with these statuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStatus:
    """How far one arm is.

    Parameters
    ----------
    arm : str
        Name of the arm.
    trials : int
        Its trials in the study.
    statuses : mapping of str to int
        How many of them have which status; `missing` have not run.
    seeds_to_run : tuple of int
        Seeds of the trials that a run would train.
    mean_seconds : float
        Training and evaluation of one trial; for a packed trial its share of the pack; NaN before the first one.
    in_packs : bool
        Whether shares of packs are in that mean.
    """

    arm: str
    trials: int
    statuses: Mapping[str, int]
    seeds_to_run: tuple[int, ...]
    mean_seconds: float
    in_packs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStatus:
    """How far a study is.

    Parameters
    ----------
    name : str
        Name of the study.
    arms : tuple of ArmStatus
        In the order of the study file.
    troubles : tuple of str
        Each trial that failed, diverged, was interrupted or cannot be read, with its reason.
    seconds_left : float
        For the trials to run: what the process that runs them expects, or an estimate from measured trials; NaN
        before the first one.
    others : int
        Trials in the folder that do not belong to the study as it is now.
    holder : LockOwner or None
        The process that runs the study, or whose run ended early.
    n_files : int or None
        From how many files an imported study was read; None of a study that is trained here. An imported one has
        nothing to run: what cannot be read is imported again.
    """

    name: str
    arms: tuple[ArmStatus, ...]
    troubles: tuple[str, ...]
    seconds_left: float
    others: int
    holder: LockOwner | None = None
    n_files: int | None = None

    @property
    def to_run(self) -> int:
        """The number of trials that a run would train: those that are missing, failed, interrupted or unreadable."""
        return sum(len(arm.seeds_to_run) for arm in self.arms)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; None for a time that is not known."""
        return {
            "name": self.name,
            "arms": [
                {
                    "arm": a.arm,
                    "cells": a.trials,
                    "statuses": dict(a.statuses),
                    "seeds_to_run": list(a.seeds_to_run),
                    "mean_seconds": none_if_nan(a.mean_seconds),
                    "in_packs": a.in_packs,
                }
                for a in self.arms
            ],
            "to_run": self.to_run,
            "troubles": list(self.troubles),
            "seconds_left": none_if_nan(self.seconds_left),
            "others": self.others,
            "holder": None if self.holder is None else asdict(self.holder),
            "n_files": self.n_files,
        }


def none_if_nan(value: float) -> float | None:
    """Return None for NaN."""
    return None if value != value else value


def find_studies(root: Path) -> list[Path]:
    """Return the folder itself if it holds a study, else every folder in it that does."""
    if (root / "study.json").exists():
        return [root]
    return sorted(path.parent for path in root.glob("*/study.json"))


def read_status(folder: Path) -> StudyStatus:
    """Read how far the study in `folder` is.

    Raises
    ------
    ResultsError
        If the folder holds no study, or one that cannot be read.
    """
    store = Store(folder)
    manifest = store.manifest()
    if manifest is None:
        raise ResultsError(f"{folder} holds no study: there is no study.json in it")
    others = store.others({entry.key for entry in manifest.cells})
    status = summarise(manifest.name, list(manifest.arms), store.stored(manifest), others)
    if manifest.imported is not None:
        arms = tuple(replace(arm, seeds_to_run=()) for arm in status.arms)
        status = replace(status, arms=arms, seconds_left=0.0, n_files=len(manifest.imported.files))
    owner = lock_owner(folder)
    if owner is not None and owner.alive and owner.seconds_left is not None:
        status = replace(status, seconds_left=owner.seconds_left)
    return replace(status, holder=owner)


def summarise(name: str, arms: Sequence[str], trials: Iterable[StoredTrial], others: int) -> StudyStatus:
    """Count the trials of a study, of which `others` more are in its folder."""
    counts_by_arm: dict[str, Counter[str]] = {arm: Counter() for arm in arms}
    to_run: dict[str, list[int]] = {arm: [] for arm in arms}
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    packed: set[str] = set()
    troubles = []
    for trial in trials:
        entry, record = trial.entry, trial.record
        status = "missing" if trial.status == "not run" else trial.status
        counts_by_arm[entry.arm][status] += 1
        if status in TO_RUN:
            to_run[entry.arm].append(entry.seed)
        if record is not None and trial.status in FINAL:
            if record.all_seconds is not None:
                seconds[entry.arm].append(record.all_seconds)
            if record.pack_size > 1:
                packed.add(entry.arm)
        if trial.status not in ("finished", "not run"):
            name = entry.name if entry.run is not None else f"{entry.arm}, seed {entry.seed}"
            troubles.append(f"{name}: {trial.status}: {trial.message}")
    all_seconds = [s for values in seconds.values() for s in values]
    overall_mean = statistics.fmean(all_seconds) if all_seconds else float("nan")
    arm_statuses = tuple(
        ArmStatus(
            arm=arm,
            trials=sum(counts.values()),
            statuses=dict(counts),
            seeds_to_run=tuple(to_run[arm]),
            mean_seconds=statistics.fmean(seconds[arm]) if seconds[arm] else float("nan"),
            in_packs=arm in packed,
        )
        for arm, counts in counts_by_arm.items()
    )
    seconds_left = sum(
        len(arm.seeds_to_run) * (overall_mean if math.isnan(arm.mean_seconds) else arm.mean_seconds)
        for arm in arm_statuses
    )
    return StudyStatus(
        name=name,
        arms=arm_statuses,
        troubles=tuple(troubles),
        seconds_left=seconds_left,
        others=others,
    )
