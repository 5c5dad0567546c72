"""Screens of `harness status` and `harness plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.words import counted, seeds_in_words
from harness.progress.tracker import duration_in_words
from harness.records.lock import LockOwner
from harness.runs.size import ArmSize
from harness.runs.status import StudyStatus
from harness.study.settings import Arm
from harness.study.study import Study

# Shown of every arm, and what an adapter and a freezing are known by.
_SHOWN = {"training.learning_rate", "training.lr_scheduler_type", "training.num_train_epochs"}
_NAMES = {"adapter.peft_type", "freeze.layers"}


def show_status(console: Console, status: StudyStatus) -> None:
    """Print how far a study is."""
    table = Table(title=Text(status.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    share = ", or share of a pack" if any(arm.in_packs for arm in status.arms) else ""
    columns, times = _endings(status), [f"per trial{share}"] if status.n_files is None else []
    for column in ("arm", *columns, *times):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for arm in status.arms:
        counts = [str(arm.statuses.get(ending, 0)) for ending in columns.values()]
        seconds = duration_in_words(arm.mean_seconds) if arm.mean_seconds == arm.mean_seconds else "not measured"
        table.add_row(Text(arm.arm), *counts, *(seconds for _ in times))
    console.print(table)
    for trouble in status.troubles:
        console.print(Text(f"  {trouble}"))
    if status.to_run:
        measured = status.seconds_left == status.seconds_left
        left = (
            f"about {duration_in_words(status.seconds_left)} left"
            if measured
            else "time not known before the first trial"
        )
        console.print(Text(f"{status.to_run} to run, {left}"))
        arms_by_seeds: dict[tuple[int, ...], list[str]] = {}
        for arm in status.arms:
            if arm.seeds_to_run:
                arms_by_seeds.setdefault(arm.seeds_to_run, []).append(arm.arm)
        for seeds, arms in arms_by_seeds.items():
            console.print(Text(f"  {seeds_in_words(seeds)}: {', '.join(arms)}"))
    elif status.n_files is None:
        console.print(Text("nothing to run"))
    else:
        console.print(Text(f"imported from {counted(status.n_files, 'file')}"))
    if status.holder is not None:
        console.print(Text(_holder(status.holder)))
    if status.others:
        belong = "belongs" if status.others == 1 else "belong"
        others = f"{counted(status.others, 'other trial')} in the folder {belong} to earlier settings of the study"
        console.print(Text(f"{others}; they are kept but not used"))
    console.print()


def _endings(status: StudyStatus) -> dict[str, str]:
    """Return the columns of the endings of trials, each with the ending that it counts."""
    # Rare, so they get a column only where they occur.
    rare = [ending for ending in ("unreadable", "missing") if any(arm.statuses.get(ending) for arm in status.arms)]
    if status.n_files is not None:
        return {ending: ending for ending in ("finished", *rare)}
    shown = ["finished", "diverged", "failed", "interrupted", *(ending for ending in rare if ending == "unreadable")]
    return {ending: ending for ending in shown} | {"to run": "missing"}


def _holder(holder: LockOwner) -> str:
    """Return who runs the study and what it does, or how the last run ended, in words."""
    doing = f": {holder.doing}" if holder.doing else ""
    if holder.alive:
        ends = f"; it received {holder.signal} and stops as soon as nothing is lost" if holder.signal else ""
        return f"run by {holder.process}{doing} (at {holder.seen}){ends}"
    if holder.signal and holder.ended:
        return f"the last run was stopped by {holder.signal} at {holder.ended}{doing}"
    return (
        f"{holder.process} ended without notice, last seen at {holder.seen}{doing}; nothing that was recorded is lost"
    )


def _differences(arms: Iterable[Arm]) -> list[list[str]]:
    """Return of each arm the dotted settings in which arms differ, besides those that every arm shows."""
    by_arm = []
    for arm in arms:
        # Of an adapter what the study file says of it, for the rest are peft's own defaults.
        written = arm.adapter.model_dump(exclude_unset=True) if arm.adapter else {}
        freeze = arm.freeze.model_dump() if arm.freeze else {}
        selection = arm.selection if isinstance(arm.selection, str) else arm.selection.model_dump()
        parts = {"training": arm.training.model_dump(), "adapter": written, "freeze": freeze, "selection": selection}
        by_arm.append({key: value for key, value in _dotted(parts) if key not in _SHOWN})
    telling = set()
    for key in {key for settings in by_arm for key in settings}:
        part = key.partition(".")[0]
        having = [settings for settings in by_arm if any(other.partition(".")[0] == part for other in settings)]
        # What some arms lack altogether is named by what it is, and further by what differs between those that have it.
        if len({settings.get(key) for settings in having}) > 1 or (key in _NAMES and len(having) < len(by_arm)):
            telling.add(key)
    return [
        [f"{key.removeprefix('training.')}={value}" for key, value in settings.items() if key in telling]
        for settings in by_arm
    ]


def _dotted(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{above}{name}.")
        elif value is not None:
            items = value if isinstance(value, list | tuple) else [value]
            text = ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in items)
            yield f"{above}{name}", f"[{text}]" if isinstance(value, list | tuple) else text


def show_plan(
    console: Console,
    study: Study,
    sizes: Sequence[ArmSize],
    remarks: list[str],
    floors: Mapping[str, float],
    ahead: StudyStatus,
) -> None:
    """Print what a study would train."""
    table = Table(title=Text(study.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("arm")
    for column in ("parameters", "trainable", "share"):
        table.add_column(column, justify="right")
    table.add_column("settings")
    differences = _differences(study.arms.values())
    for size, arm, differing in zip(sizes, study.arms.values(), differences, strict=True):
        total, trainable = size.total, size.trainable
        numbers = (
            ["", "", ""]
            if total is None or trainable is None
            else [f"{total:,}", f"{trainable:,}", f"{100 * trainable / total:.2f}%"]
        )
        training = arm.training
        epochs = counted(training.num_train_epochs, "epoch")
        settings = [f"lr {training.learning_rate:g} {training.lr_scheduler_type}", epochs, *differing]
        table.add_row(Text(size.arm), *numbers, Text(", ".join(settings + ["tuned"] * (arm.search is not None))))
    if study.question:
        console.print(Text(study.question))
    console.print(table)
    for reason in dict.fromkeys(size.reason for size in sizes if size.reason):
        console.print(Text(f"parameters not counted: {reason}"))
    for remark in remarks:
        console.print(Text(remark))
    n_seeds = len(study.numbered_seeds)
    trials = len(study.arms) * n_seeds
    searched = sum(arm.search.trials for arm in study.arms.values() if arm.search)
    more = f", after trying {counted(searched, 'candidate')}" if searched else ""
    done = f"; {trials - ahead.to_run} of them have run" if ahead.to_run < trials else ""
    shape = f"{counted(len(study.arms), 'arm')} x {counted(n_seeds, 'seed')}"
    if not isinstance(study.seeds, tuple):
        by_source = study.seeds
        shape = f"{counted(len(study.arms), 'arm')} x {counted(by_source.initialisation, 'initialisation')}"
        shape += f" x {counted(by_source.data_order, 'data order')}"
    console.print(Text(f"{counted(trials, 'trial')}: {shape}{more}{done}"))
    if not ahead.to_run:
        console.print(Text("time: every trial has run"))
    elif ahead.seconds_left != ahead.seconds_left:
        console.print(Text("time: not known before a trial is measured; harness run estimates it before it starts"))
    else:
        left = f"about {duration_in_words(ahead.seconds_left)} for the {ahead.to_run} to run"
        console.print(Text(f"time: {left}, if they train like those measured"))
    show_floors(console, floors, n_seeds)


def show_floors(console: Console, floors: Mapping[str, float], n_seeds: int) -> None:
    """Print the smallest p that tests over so many seeds can give."""
    if not floors:
        return
    least = "; ".join(f"{name} {floor:.3g}" for name, floor in floors.items())
    tests = f"a test over {counted(n_seeds, 'seed')}"
    console.print(Text(f"smallest p that {tests} can give: {least}; the primary test has no floor"))
