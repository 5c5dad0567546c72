"""How far a study is: read from its manifest and records, without torch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.record import Store
from harness.study import Study


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
        Each cell that failed, diverged or was interrupted, with its reason.
    seconds_left : float
        For the cells to run, from the trials already measured; NaN before the first.
    others : int
        Trials in the folder that do not belong to the study as it is now.
    """

    name: str
    arms: tuple[ArmStatus, ...]
    troubles: tuple[str, ...]
    seconds_left: float
    others: int

    @property
    def to_run(self) -> int:
        """Cells that a run would train: those that are missing, failed or interrupted."""
        return sum(arm.statuses.get(s, 0) for arm in self.arms for s in ("missing", "failed", "interrupted"))

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
        If the folder holds no study.
    """
    store = Store(folder)
    manifest = store.manifest()
    if manifest is None:
        raise ResultsError(f"{folder} holds no study: there is no study.json in it")
    states: dict[str, Counter[str]] = {arm: Counter() for arm in manifest["arms"]}
    seconds: dict[str, list[float]] = {arm: [] for arm in manifest["arms"]}
    packed: set[str] = set()
    troubles = []
    for cell in manifest["cells"]:
        record = store.record(cell["key"])
        state = record["status"] if record else "missing"
        states[cell["arm"]][state] += 1
        if record is None:
            continue
        if state in {"finished", "diverged"}:
            seconds[cell["arm"]].append(record["seconds"]["training"] + record["seconds"]["evaluation"])
            if record.get("pack_size", 1) > 1:
                packed.add(cell["arm"])
        if state != "finished":
            reason = f": {record['error']['message']}" if record["error"] else ""
            troubles.append(f"{cell['arm']}, seed {cell['seed']}: {state}{reason}")
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
        sum(a.statuses.get(s, 0) for s in ("missing", "failed", "interrupted"))
        * (usual if a.mean_seconds != a.mean_seconds else a.mean_seconds)
        for a in arms
    )
    return StudyStatus(
        name=manifest["name"],
        arms=arms,
        troubles=tuple(troubles),
        seconds_left=left,
        others=store.others({cell["key"] for cell in manifest["cells"]}),
    )


def same_settings(study: Study, folder: Path) -> bool:
    """Whether the results in `folder`, where there are some, were made with the study's model, data and arms."""
    manifest = Store(folder).manifest()
    if manifest is None:
        return True
    now, then = study.model_dump(mode="json"), manifest["study"]
    return all(now[key] == then.get(key) for key in ("model", "revision", "data", "arms"))
