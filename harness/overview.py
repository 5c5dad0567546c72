"""How far a study is: read from its manifest and records, without torch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.lock import Holder, holder
from harness.record import FINAL, Store
from harness.settings import Data
from harness.study import Study

TO_RUN = ("missing", "failed", "interrupted", "unreadable")
"""Cells with these statuses are trained by a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStatus:
    """How far one arm is.

    Parameters
    ----------
    arm : str
        Name of the arm.
    cells : int
        Its cells in the study.
    statuses : mapping of str to int
        How many of them have which status; `missing` have not run.
    mean_seconds : float
        Training and evaluation of one trial; of a packed trial its share of the pack; NaN before the first.
    in_packs : bool
        Whether such shares are in that mean.
    """

    arm: str
    cells: int
    statuses: Mapping[str, int]
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
        Each cell that failed, diverged, was interrupted or cannot be read, with its reason.
    seconds_left : float
        For the cells to run: what the process that runs them expects, else from the trials already measured; NaN
        before the first.
    others : int
        Trials in the folder that do not belong to the study as it is now.
    holder : Holder or None
        The process that runs the study, or that a signal or a kill ended.
    """

    name: str
    arms: tuple[ArmStatus, ...]
    troubles: tuple[str, ...]
    seconds_left: float
    others: int
    holder: Holder | None = None

    @property
    def to_run(self) -> int:
        """Cells that a run would train: those that are missing, failed, interrupted or unreadable."""
        return sum(arm.statuses.get(s, 0) for arm in self.arms for s in TO_RUN)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; None for a time that is not known."""
        return {
            "name": self.name,
            "arms": [
                {
                    "arm": a.arm,
                    "cells": a.cells,
                    "statuses": dict(a.statuses),
                    "mean_seconds": known(a.mean_seconds),
                    "in_packs": a.in_packs,
                }
                for a in self.arms
            ],
            "to_run": self.to_run,
            "troubles": list(self.troubles),
            "seconds_left": known(self.seconds_left),
            "others": self.others,
            "holder": None if self.holder is None else asdict(self.holder),
        }


def known(value: float) -> float | None:
    """Return None for NaN."""
    return None if value != value else value


def find(root: Path) -> list[Path]:
    """Return the folder itself if it holds a study, else every folder in it that does."""
    if (root / "study.json").exists():
        return [root]
    return sorted(path.parent for path in root.glob("*/study.json"))


def status(folder: Path) -> StudyStatus:
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
    states: dict[str, Counter[str]] = {arm: Counter() for arm in manifest.arms}
    seconds: dict[str, list[float]] = {arm: [] for arm in manifest.arms}
    packed: set[str] = set()
    troubles = []
    for trial in store.stored(manifest):
        cell, record = trial.cell, trial.record
        states[cell.arm]["missing" if trial.status == "not run" else trial.status] += 1
        if record is not None and trial.status in FINAL:
            if record.all_seconds is not None:
                seconds[cell.arm].append(record.all_seconds)
            if record.pack_size > 1:
                packed.add(cell.arm)
        if trial.status not in ("finished", "not run"):
            troubles.append(f"{cell.arm}, seed {cell.seed}: {trial.status}: {trial.message}")
    everything = [s for values in seconds.values() for s in values]
    usual = statistics.fmean(everything) if everything else float("nan")
    arms = tuple(
        ArmStatus(
            arm=arm,
            cells=sum(counts.values()),
            statuses=dict(counts),
            mean_seconds=statistics.fmean(seconds[arm]) if seconds[arm] else float("nan"),
            in_packs=arm in packed,
        )
        for arm, counts in states.items()
    )
    left = sum(
        sum(a.statuses.get(s, 0) for s in TO_RUN) * (usual if a.mean_seconds != a.mean_seconds else a.mean_seconds)
        for a in arms
    )
    running = holder(folder)
    if running is not None and running.alive and running.seconds_left is not None:
        left = running.seconds_left
    return StudyStatus(
        name=manifest.name,
        arms=arms,
        troubles=tuple(troubles),
        seconds_left=left,
        others=store.others({cell.key for cell in manifest.cells}),
        holder=running,
    )


def same_settings(study: Study, folder: Path) -> bool:
    """Whether the results in `folder`, where there are some, were made with the study's model, data and arms."""
    manifest = Store(folder).manifest()
    if manifest is None:
        return True
    now, then = study.model_dump(mode="json"), manifest.study
    # A setting that an older manifest does not know of had its default.
    then = {"head": "drawn", **then, "data": {**Data(path=".").model_dump(mode="json"), **then.get("data", {})}}
    return all(now[key] == then.get(key) for key in ("model", "revision", "head", "data", "arms"))
