"""How far a study is: read from its manifest and records, without torch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.lock import LockOwner, lock_owner
from harness.records.store import FINAL, Manifest, Store, StoredTrial, TrialEntry
from harness.search.candidates import tuned_arm
from harness.study.settings import Data
from harness.study.study import Study
from harness.study.trials import expand

TO_RUN = ("missing", "failed", "interrupted", "unreadable")
"""Cells with these statuses are trained by a run."""

_UNKNOWN = "unknown"


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
    seeds_to_run : tuple of int
        Seeds of the cells that a run would train.
    mean_seconds : float
        Training and evaluation of one trial; of a packed trial its share of the pack; NaN before the first.
    in_packs : bool
        Whether such shares are in that mean.
    """

    arm: str
    cells: int
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
        Each cell that failed, diverged, was interrupted or cannot be read, with its reason.
    seconds_left : float
        For the cells to run: what the process that runs them expects, else from the trials already measured; NaN
        before the first.
    others : int
        Trials in the folder that do not belong to the study as it is now.
    holder : LockOwner or None
        The process that runs the study, or that a signal or a kill ended.
    """

    name: str
    arms: tuple[ArmStatus, ...]
    troubles: tuple[str, ...]
    seconds_left: float
    others: int
    holder: LockOwner | None = None

    @property
    def to_run(self) -> int:
        """Cells that a run would train: those that are missing, failed, interrupted or unreadable."""
        return sum(len(arm.seeds_to_run) for arm in self.arms)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; None for a time that is not known."""
        return {
            "name": self.name,
            "arms": [
                {
                    "arm": a.arm,
                    "cells": a.cells,
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
    others = store.others({cell.key for cell in manifest.cells})
    found = _counted(manifest.name, list(manifest.arms), store.stored(manifest), others)
    running = lock_owner(folder)
    if running is not None and running.alive and running.seconds_left is not None:
        found = replace(found, seconds_left=running.seconds_left)
    return replace(found, holder=running)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInputs:
    """What a study's trials start from and are trained on.

    Parameters
    ----------
    model : str
        What decides, besides the seed, the model that a trial starts from.
    data : str
        Fingerprint of the processed data.
    n_classes : int
        The number of classes.
    """

    model: str
    data: str
    n_classes: int


def preview(
    study: Study, folder: Path, *, arms: Sequence[str] | None = None, inputs: TrialInputs | None = None
) -> StudyStatus:
    """Say what a run of a study would find done and what it would train, from its results so far.

    Trials are known by their keys, as a run knows them, whatever the study was when it last ran.

    Parameters
    ----------
    study : Study
        As it is asked for: its seeds and settings may be others than those that have run.
    folder : Path
        Its results, where there are some.
    arms : sequence of str, optional
        Those to train; default all.
    inputs : TrialInputs, optional
        Model and data as they are now; default those of the last run, as long as the study names them in the same way.

    Raises
    ------
    ResultsError
        If the folder holds a study that cannot be read.
    """
    store = Store(folder)
    chosen = list(study.arms if arms is None else arms)
    inputs = inputs or _last_inputs(study, store)
    cells = {(arm, seed): TrialEntry(arm=arm, seed=seed, key=_UNKNOWN) for arm in study.arms for seed in study.seeds}
    found: tuple[StoredTrial, ...] = ()
    if inputs is not None:
        source = {"model": inputs.model, "data": inputs.data}
        tuned = {name: tuned_arm(study, name, arm, store=store, **source) for name, arm in study.arms.items()}
        trials = expand(study, arms={name: arm for name, arm in tuned.items() if arm is not None}, **source)
        found = store.entries([TrialEntry(arm=t.arm, seed=t.seed, key=t.key) for t in trials], inputs.n_classes)
    by_place = {(one.cell.arm, one.cell.seed): one for one in found}
    stored = [by_place.get(place, StoredTrial(cell=cell, status="not run")) for place, cell in cells.items()]
    others = store.others({one.cell.key for one in stored})
    return _counted(study.name, chosen, [one for one in stored if one.cell.arm in chosen], others)


def _last_inputs(study: Study, store: Store) -> TrialInputs | None:
    """Return the model and the data of the last run; None where there was none, or the study names others."""
    manifest = store.manifest()
    if manifest is None or not _same_input(study.model_dump(mode="json"), manifest):
        return None
    started = (one.record.settings.get("model") for one in store.stored(manifest) if one.record is not None)
    # Where no trial tells it: a head that every seed draws adds nothing to what identifies the checkpoint.
    model = next((m for m in started if isinstance(m, str)), manifest.model.identity if study.head == "drawn" else None)
    if model is None or manifest.data.fingerprint is None:
        return None
    return TrialInputs(model=model, data=manifest.data.fingerprint, n_classes=len(manifest.data.classes))


def _same_input(now: Mapping[str, Any], manifest: Manifest) -> bool:
    """Whether a resolved study names the model and the data that the results were made with."""
    # A setting that an older manifest does not know of had its default.
    then = {"head": "drawn", **manifest.study}
    if isinstance(then.get("data"), Mapping):
        then["data"] = {**Data(path=".").model_dump(mode="json"), **then["data"]}
    return all(now[key] == then.get(key) for key in ("model", "revision", "head", "data"))


def _agrees(then: Any, now: Any) -> bool:
    """Whether settings are the same; one that an older version did not know of is no difference."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return all(_agrees(then[key], value) for key, value in now.items() if key in then)
    return bool(then == now)


def _counted(name: str, arms: Sequence[str], trials: Iterable[StoredTrial], others: int) -> StudyStatus:
    states: dict[str, Counter[str]] = {arm: Counter() for arm in arms}
    to_run: dict[str, list[int]] = {arm: [] for arm in arms}
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    packed: set[str] = set()
    troubles = []
    for trial in trials:
        cell, record = trial.cell, trial.record
        status = "missing" if trial.status == "not run" else trial.status
        states[cell.arm][status] += 1
        if status in TO_RUN:
            to_run[cell.arm].append(cell.seed)
        if record is not None and trial.status in FINAL:
            if record.all_seconds is not None:
                seconds[cell.arm].append(record.all_seconds)
            if record.pack_size > 1:
                packed.add(cell.arm)
        if trial.status not in ("finished", "not run"):
            troubles.append(f"{cell.arm}, seed {cell.seed}: {trial.status}: {trial.message}")
    everything = [s for values in seconds.values() for s in values]
    usual = statistics.fmean(everything) if everything else float("nan")
    counted = tuple(
        ArmStatus(
            arm=arm,
            cells=sum(counts.values()),
            statuses=dict(counts),
            seeds_to_run=tuple(to_run[arm]),
            mean_seconds=statistics.fmean(seconds[arm]) if seconds[arm] else float("nan"),
            in_packs=arm in packed,
        )
        for arm, counts in states.items()
    )
    left = sum(len(a.seeds_to_run) * (usual if a.mean_seconds != a.mean_seconds else a.mean_seconds) for a in counted)
    return StudyStatus(
        name=name,
        arms=counted,
        troubles=tuple(troubles),
        seconds_left=left,
        others=others,
    )


def same_settings(study: Study, folder: Path) -> bool:
    """Whether the results in `folder`, where there are some, were made with the study's model, data and arms."""
    manifest = Store(folder).manifest()
    if manifest is None:
        return True
    now, then = study.model_dump(mode="json"), manifest.study
    return _same_input(now, manifest) and _agrees(then.get("arms"), now["arms"])
