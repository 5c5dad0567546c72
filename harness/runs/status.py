"""Status of a study: how far it is, read from its manifest and records without torch."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.lock import lock_owner
from harness.records.process import RunProcess
from harness.records.store import FINAL, KnownTrials, Store, StoredTrial, Timing
from harness.records.workers import workers_of

TO_RUN = ("missing", "failed", "interrupted", "unreadable")
"""A run trains the trials with these statuses; one until decided leaves out those that are spared."""

# Ten years: no calendar holds the end of what is expected to take longer.
_FORESEEABLE = 10 * 365 * 86400.0


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
        How many of them have which status; `missing` have not run, and `spared` need not: a run until decided trains
        their arm no further.
    seeds_to_run : tuple of int
        Seeds of the trials that are to run.
    mean_seconds : float
        Training and evaluation of one trial; for a packed trial its share of the pack; NaN before the first one.
    in_packs : bool
        Whether shares of packs are in that mean.
    seconds_alone : float
        Training and evaluation of one trial by itself, as it was timed in turns; NaN where it was not.
    """

    arm: str
    trials: int
    statuses: Mapping[str, int]
    seeds_to_run: tuple[int, ...]
    mean_seconds: float
    in_packs: bool
    seconds_alone: float = math.nan


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
    per_hour : float
        How many trials an hour have ended since the run that goes on began; NaN where none goes on, or none has ended.
    holder : RunProcess or None
        The process that runs the study, or whose run ended early.
    workers : tuple of RunProcess
        Those that train beside that process, or did until they ended without notice.
    n_files : int or None
        From how many files an imported study was read; None of a study that is trained here. An imported one has
        nothing to run: what cannot be read is imported again.
    looks : mapping of int to int
        The declared looks that are ahead, as numbers of seeds, and how many of the trials to run come before each. A
        run until decided may end at any of them.
    """

    name: str
    arms: tuple[ArmStatus, ...]
    troubles: tuple[str, ...]
    seconds_left: float
    others: int
    per_hour: float = math.nan
    holder: RunProcess | None = None
    workers: tuple[RunProcess, ...] = ()
    n_files: int | None = None
    looks: Mapping[int, int] = field(default_factory=dict)

    @property
    def to_run(self) -> int:
        """The number of trials to run: those missing, failed, interrupted or unreadable, and not spared."""
        return sum(len(arm.seeds_to_run) for arm in self.arms)

    @property
    def may_spare(self) -> bool:
        """Whether a look is ahead that may spare some of the trials to run."""
        return any(count < self.to_run for count in self.looks.values())

    @property
    def running(self) -> int:
        """How many of the trials to run are being trained now."""
        to_run = {(arm.arm, seed) for arm in self.arms for seed in arm.seeds_to_run}
        # What a process said a few seconds ago may have ended since.
        trained = {(trial.get("arm"), trial.get("seed")) for one in self.alive for trial in one.trials}
        return len(to_run & trained)

    @property
    def alive(self) -> tuple[RunProcess, ...]:
        """The processes that train the study now."""
        everyone = self.workers if self.holder is None else (self.holder, *self.workers)
        return tuple(one for one in everyone if one.alive)

    @property
    def ends(self) -> datetime | None:
        """When the run that goes on is expected to end; None where none goes on, or where that is not known."""
        if self.holder is None or not self.holder.alive or not self.to_run:
            return None
        seen = _moment(self.holder.seen)
        return seen + timedelta(seconds=self.seconds_left) if seen and self.seconds_left < _FORESEEABLE else None

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
                    "seconds_alone": none_if_nan(a.seconds_alone),
                }
                for a in self.arms
            ],
            "to_run": self.to_run,
            "troubles": list(self.troubles),
            "seconds_left": none_if_nan(self.seconds_left),
            "others": self.others,
            "per_hour": none_if_nan(self.per_hour),
            "ends": None if self.ends is None else self.ends.isoformat(timespec="seconds"),
            "holder": None if self.holder is None else asdict(self.holder),
            "workers": [asdict(worker) for worker in self.workers],
            "n_files": self.n_files,
            "looks": [{"seeds": seeds, "to_run": count} for seeds, count in self.looks.items()],
        }


def none_if_nan(value: float) -> float | None:
    """Return None for NaN."""
    return None if value != value else value


def find_studies(root: Path) -> list[Path]:
    """Return the folder itself if it holds a study, else every folder in it that does."""
    if (root / "study.json").exists():
        return [root]
    return sorted(path.parent for path in root.glob("*/study.json"))


def read_status(folder: Path, known: KnownTrials | None = None) -> StudyStatus:
    """Read how far the study in a folder is.

    Parameters
    ----------
    folder : Path
        The results of the study.
    known : KnownTrials, optional
        What was read of them before; only what has changed since is read again.

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
    trials = store.stored(manifest, known)
    owner = lock_owner(folder)
    spared, looks = manifest.spared(store.looks()), looks_of(manifest.study.get("analysis"))
    if owner is not None and owner.alive and any((one.get("arm"), one.get("seed")) in spared for one in owner.trials):
        # A run that is not until decided trains them all the same.
        spared, looks = frozenset(), ()
    status = summarise(manifest.name, list(manifest.arms), trials, others, timing_of(store), spared=spared)
    status = with_looks_ahead(status, manifest.seeds, looks)
    if manifest.imported is not None:
        arms = tuple(replace(arm, seeds_to_run=()) for arm in status.arms)
        status = replace(status, arms=arms, seconds_left=0.0, n_files=len(manifest.imported.files))
    if owner is not None and owner.alive:
        left = status.seconds_left if owner.seconds_left is None else owner.seconds_left
        status = replace(status, seconds_left=left, per_hour=_per_hour(trials, owner))
    # Whoever runs the study is a worker too.
    same = None if owner is None else (owner.host, owner.pid)
    beside = tuple(worker for worker in workers_of(folder) if (worker.host, worker.pid) != same)
    status = replace(status, holder=owner, workers=beside)
    # Each expects to train alone what is left.
    return replace(status, seconds_left=status.seconds_left / max(1, len(status.alive)))


def _per_hour(trials: Iterable[StoredTrial], owner: RunProcess) -> float:
    """Return how many trials have ended an hour since a run began; NaN before the first."""
    since, seen = _moment(owner.since), _moment(owner.seen)
    if since is None or seen is None or seen <= since:
        return math.nan
    ends = [_moment(trial.record.provenance.ended) for trial in trials if trial.record is not None]
    count = sum(end is not None and end >= since for end in ends)
    return count / ((seen - since).total_seconds() / 3600) if count else math.nan


def _moment(text: str | None) -> datetime | None:
    """Return a time as it was written; None where somebody wrote something else."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def timing_of(store: Store) -> Timing | None:
    """Return what was timed; None where it cannot be read, which says nothing about how far a study is."""
    try:
        return store.timing()
    except ResultsError:
        return None


def looks_of(plan: Any) -> Sequence[int]:
    """Return the looks that an `analysis:` block declares; none where it declares none."""
    looks = plan.get("looks") if isinstance(plan, Mapping) else None
    return [size for size in looks if isinstance(size, int)] if isinstance(looks, list) else []


def with_looks_ahead(status: StudyStatus, seeds: Sequence[int], looks: Sequence[int]) -> StudyStatus:
    """Return a status with the looks that are ahead.

    Parameters
    ----------
    status : StudyStatus
    seeds : sequence of int
        Of the study, in the order in which looks take them up.
    looks : sequence of int
        The declared numbers of seeds.
    """
    to_run = Counter(seed for arm in status.arms for seed in arm.seeds_to_run)
    before = {size: sum(to_run[seed] for seed in seeds[:size]) for size in looks if size <= len(seeds)}
    return replace(status, looks={size: count for size, count in before.items() if count})


def summarise(
    name: str,
    arms: Sequence[str],
    trials: Sequence[StoredTrial],
    others: int,
    timing: Timing | None,
    *,
    spared: Container[tuple[str, int]] = frozenset(),
) -> StudyStatus:
    """Count the trials of a study, of which `others` more are in its folder, and some need not run."""
    counts_by_arm: dict[str, Counter[str]] = {arm: Counter() for arm in arms}
    to_run: dict[str, list[int]] = {arm: [] for arm in arms}
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    packed: set[str] = set()
    troubles = []
    for trial in trials:
        entry, record = trial.entry, trial.record
        status: str = "missing" if trial.status == "not run" else trial.status
        if status in TO_RUN and (entry.arm, entry.seed) in spared:
            status = "spared"
        counts_by_arm[entry.arm][status] += 1
        if status in TO_RUN:
            to_run[entry.arm].append(entry.seed)
        if record is not None and trial.status in FINAL:
            if record.all_seconds is not None:
                seconds[entry.arm].append(record.all_seconds)
            if record.pack_size > 1:
                packed.add(entry.arm)
        if trial.status not in ("finished", "not run"):
            whose = entry.name if entry.run is not None else f"{entry.arm}, seed {entry.seed}"
            troubles.append(f"{whose}: {trial.status}: {trial.message}")
    keys = {arm: [trial.entry.key for trial in trials if trial.entry.arm == arm] for arm in arms}
    timed = {} if timing is None else timing.timed(keys)
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
            seconds_alone=timed[arm].mean_seconds if arm in timed else math.nan,
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
