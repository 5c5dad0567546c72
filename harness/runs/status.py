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
from harness.records.store import FINAL, AnswerKind, Manifest, Store, StoredTrial, TrialEntry
from harness.search.candidates import tuned_arm
from harness.study.settings import Data
from harness.study.study import Study
from harness.study.trials import expand

TO_RUN = ("missing", "failed", "interrupted", "unreadable")
"""A run trains the trials with these statuses."""

_UNKNOWN = "unknown"


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
    status = _summarise(manifest.name, list(manifest.arms), store.stored(manifest), others)
    if manifest.imported is not None:
        arms = tuple(replace(arm, seeds_to_run=()) for arm in status.arms)
        status = replace(status, arms=arms, seconds_left=0.0, n_files=len(manifest.imported.files))
    owner = lock_owner(folder)
    if owner is not None and owner.alive and owner.seconds_left is not None:
        status = replace(status, seconds_left=owner.seconds_left)
    return replace(status, holder=owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInputs:
    """What a study's trials start from and are trained on.

    Parameters
    ----------
    model : str
        What identifies the model that a trial starts from, apart from its seed.
    data : str
        Fingerprint of the processed data.
    n_classes : int
        The number of classes; 0 in a regression.
    """

    model: str
    data: str
    n_classes: int


def preview(
    study: Study, folder: Path, *, arms: Sequence[str] | None = None, inputs: TrialInputs | None = None
) -> StudyStatus:
    """Return what a run of a study would find done, and what it would train.

    A trial is found by its key, as in a run, whatever the study was when it last ran.

    Parameters
    ----------
    study : Study
        The study to run; its seeds and settings may differ from those of the last run.
    folder : Path
        The folder of its results; it need not exist.
    arms : sequence of str, optional
        The arms to train; default all.
    inputs : TrialInputs, optional
        Model and data as they are now; default those of the last run, if the study still names the same ones.

    Raises
    ------
    ResultsError
        If the folder holds a study that cannot be read.
    """
    store = Store(folder)
    chosen = list(study.arms if arms is None else arms)
    inputs = inputs or _last_inputs(study, store)
    refuse_other_results(study, store)
    pairs = [(arm, seed) for arm in study.arms for seed in study.numbered_seeds]
    stored: dict[tuple[str, int], StoredTrial] = {
        (arm, seed): StoredTrial(entry=TrialEntry(arm=arm, seed=seed, key=_UNKNOWN), status="not run")
        for arm, seed in pairs
    }
    if inputs is not None:
        source = {"model": inputs.model, "data": inputs.data}
        tuned = {name: tuned_arm(study, name, arm, store=store, **source) for name, arm in study.arms.items()}
        trials = expand(study, arms={name: arm for name, arm in tuned.items() if arm is not None}, **source)
        entries = [TrialEntry(arm=trial.arm, seed=trial.seed, key=trial.key) for trial in trials]
        stored |= {
            (trial.entry.arm, trial.entry.seed): trial
            for trial in store.entries(entries, AnswerKind.trained(inputs.n_classes))
        }
    others = store.others({trial.entry.key for trial in stored.values()})
    return _summarise(study.name, chosen, [trial for trial in stored.values() if trial.entry.arm in chosen], others)


def refuse_other_results(study: Study, store: Store) -> None:
    """Refuse to mix a study with results that it cannot go on from: imported ones, or those of other seeds by source.

    The seeds of a study with seeds by source do not change once a trial of it has run, nor does it become one: its test
    takes every initialisation with every order of the data. What a part of them shows would be a look, and no rule for
    looks covers it.

    Raises
    ------
    ResultsError
        If the results were imported, or are of other seeds.
    """
    before = store.manifest()
    if before is None:
        return
    if before.imported is not None:
        raise ResultsError(
            f"name: {store.folder} holds runs that were imported, and trials that are trained here do not belong to "
            "them. Give this study another name: name=..."
        )
    then, now = before.study.get("seeds"), study.model_dump(mode="json")["seeds"]
    by_source = isinstance(then, Mapping) or isinstance(now, Mapping)
    if by_source and then is not None and then != now and any(trial.record for trial in store.stored(before)):
        raise ResultsError(
            f"seeds: the trials in {store.folder} have run with {_in_words(then)}, got {_in_words(now)}; a study with "
            "seeds by source keeps them as they were declared. Give this one another name: name=..."
        )


def _in_words(seeds: Any) -> str:
    if isinstance(seeds, Mapping):
        return ", ".join(f"{source}: {count}" for source, count in seeds.items())
    return f"{len(seeds)} seeds of one kind"


def _last_inputs(study: Study, store: Store) -> TrialInputs | None:
    """Return the model and the data of the last run; None if there was none, or if the study names others."""
    manifest = store.manifest()
    if manifest is None or not _same_input(study.model_dump(mode="json"), manifest):
        return None
    models = [trial.record.settings.get("model") for trial in store.stored(manifest) if trial.record is not None]
    # Before the first record: a head that is drawn anew for every seed is no part of what identifies the checkpoint.
    of_checkpoint = manifest.model.identity if manifest.model and study.head == "drawn" else None
    model = next((model for model in models if isinstance(model, str)), of_checkpoint)
    if model is None or manifest.data.fingerprint is None:
        return None
    return TrialInputs(model=model, data=manifest.data.fingerprint, n_classes=len(manifest.data.classes))


def _same_input(now: Mapping[str, Any], manifest: Manifest) -> bool:
    """Whether a resolved study names the model and the data of the last run."""
    # A setting that an older manifest lacks had its default.
    then = {"head": "drawn", "task": "classification", **manifest.study}
    if isinstance(then.get("data"), Mapping):
        then["data"] = {**Data(path=".").model_dump(mode="json"), **then["data"]}
    return all(now[key] == then.get(key) for key in ("model", "revision", "head", "task", "data"))


def _agrees(then: Any, now: Any) -> bool:
    """Whether settings are the same, apart from those that an older version did not have."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return all(_agrees(then[key], value) for key, value in now.items() if key in then)
    return bool(then == now)


def _summarise(name: str, arms: Sequence[str], trials: Iterable[StoredTrial], others: int) -> StudyStatus:
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


def same_settings(study: Study, folder: Path) -> bool:
    """Whether the results in `folder`, where there are some, were made with the study's model, data and arms."""
    manifest = Store(folder).manifest()
    if manifest is None:
        return True
    now, then = study.model_dump(mode="json"), manifest.study
    return _same_input(now, manifest) and _agrees(then.get("arms"), now["arms"])
