"""Screens of `harness status` and `harness plan`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from analysis.words import counted, listed, seeds_in_words
from harness.progress.tracker import duration_in_words
from harness.records.process import RunProcess
from harness.runs.size import ArmSize
from harness.runs.status import StudyStatus
from harness.study.settings import Arm
from harness.study.study import Study

# Shown of every arm, and what an adapter and a freezing are known by.
_SHOWN = {"training.learning_rate", "training.lr_scheduler_type", "training.num_train_epochs"}
_NAMES = {"adapter.peft_type", "freeze.layers"}
# Where there is less room, a column needs something to show.
_ROOMY = 72
_A_DAY = 86400.0
_HOURS = {"a minute": 1 / 60, "an hour": 1.0, "a day": 24.0}


def show_status(console: Console, status: StudyStatus) -> None:
    """Print how far a study is."""
    console.print(status_screen(status, width=console.width))
    console.print()


def status_screen(status: StudyStatus, *, width: int) -> Group:
    """Lay out how far a study is, for a terminal of so many characters."""
    table = Table(title=Text(status.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    narrow = width < _ROOMY
    share = ", or share of a pack" if any(arm.in_packs for arm in status.arms) and not narrow else ""
    columns, times = _endings(status, narrow=narrow), [f"per trial{share}"] if status.n_files is None else []
    for column in ("arm", *columns, *times):
        table.add_column(column, justify="left" if column == "arm" else "right", overflow="fold")
    for arm in status.arms:
        counts = [str(arm.statuses.get(ending, 0)) for ending in columns.values()]
        seconds = duration_in_words(arm.mean_seconds) if arm.mean_seconds == arm.mean_seconds else "not measured"
        table.add_row(Text(arm.arm), *counts, *(seconds for _ in times))
    lines = [f"  {trouble}" for trouble in status.troubles]
    if status.to_run:
        lines.append(f"{_to_run(status)}, {_time_left(status)}{_pace(status)}")
        arms_by_seeds: dict[tuple[int, ...], list[str]] = {}
        for arm in status.arms:
            if arm.seeds_to_run:
                arms_by_seeds.setdefault(arm.seeds_to_run, []).append(arm.arm)
        for seeds, arms in arms_by_seeds.items():
            lines.append(f"  {seeds_in_words(seeds)}: {', '.join(arms)}")
        if status.may_spare:
            lines.append(f"  {_looks_ahead(status)}")
    elif status.n_files is None:
        lines.append("nothing to run")
    else:
        lines.append(f"imported from {counted(status.n_files, 'file')}")
    if spared := sum(arm.statuses.get("spared", 0) for arm in status.arms):
        lines.append(f"{counted(spared, 'trial')} spared, of arms that stand in no open comparison any more")
    if status.holder is not None:
        lines.append(_holder(status.holder))
    lines += [_worker(worker) for worker in status.workers]
    if status.others:
        belong = "belongs" if status.others == 1 else "belong"
        others = f"{counted(status.others, 'other trial')} in the folder {belong} to earlier settings of the study"
        lines.append(f"{others}; they are kept but not used")
    return Group(table, *(Text(_folded(line, width)) for line in lines))


def _folded(line: str, width: int) -> str:
    """Fold a line, and indent what follows its beginning."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def status_line(status: StudyStatus) -> str:
    """Return how far a study is, in one line."""
    endings = dict.fromkeys(ending for arm in status.arms for ending in arm.statuses)
    counts = {ending: sum(arm.statuses.get(ending, 0) for arm in status.arms) for ending in endings}
    total, finished = sum(counts.values()), counts.pop("finished", 0)
    counts.pop("missing", None)
    parts = [f"{finished} of {counted(total, 'trial')} finished"]
    parts += [f"{count} {ending}" for ending, count in counts.items()]
    if status.to_run:
        parts.append(f"{_to_run(status)}, {_time_left(status)}{_pace(status)}")
    if status.holder is not None and not status.holder.alive:
        parts.append(_holder(status.holder))
    return f"{status.name}: {'; '.join(parts)}"


def _to_run(status: StudyStatus) -> str:
    return f"{'up to ' if status.may_spare else ''}{status.to_run} to run"


def _looks_ahead(status: StudyStatus) -> str:
    """Say how many trials the next look waits for, and which look may spare the others."""
    (size, count), *later = status.looks.items()
    text = f"{counted(count, 'trial')} until the look at {counted(size, 'seed')}"
    if not later:
        return f"{text}, the last one: a run with --until-decided ends there"
    sizes = listed([str(at) for at, _ in later])
    looks = f"looks at {sizes}" if len(later) > 1 else f"a look at {sizes}"
    return f"{text}; then a run with --until-decided trains only what is open, with {looks} seeds"


def _time_left(status: StudyStatus) -> str:
    """Return how long a study that has trials to run takes, and when it ends, in words."""
    if math.isnan(status.seconds_left):
        return "time not known before the first trial"
    left = f"about {duration_in_words(status.seconds_left)} left"
    if status.ends is None:
        return left
    ends = status.ends.astimezone()
    return f"{left}, until {ends:{'%H:%M' if status.seconds_left < _A_DAY else '%d %B, %H:%M'}}"


def _pace(status: StudyStatus) -> str:
    """Return how many trials are training, and how fast they end, where a run goes on."""
    if not status.running:
        return ""
    pace = f"; {counted(status.running, 'trial')} training now"
    if math.isnan(status.per_hour):
        return pace
    rates = {unit: status.per_hour * hours for unit, hours in _HOURS.items()}
    unit = next((unit for unit, rate in rates.items() if rate >= 1), "a day")
    return f"{pace}, {rates[unit]:{'.2g' if rates[unit] < 100 else ',.0f'}} {unit} so far"


def _endings(status: StudyStatus, *, narrow: bool) -> dict[str, str]:
    """Return the columns of the endings of trials, each with the ending that it counts."""
    # Rare, so they get a column only where they occur.
    rare = [ending for ending in ("unreadable", "missing") if any(arm.statuses.get(ending) for arm in status.arms)]
    if status.n_files is not None:
        return {ending: ending for ending in ("finished", *rare)}
    troubles = ["diverged", "failed", "interrupted"]
    if narrow:
        troubles = [ending for ending in troubles if any(arm.statuses.get(ending) for arm in status.arms)]
    shown = ["finished", *troubles, *(ending for ending in rare if ending == "unreadable")]
    return {ending: ending for ending in shown} | {"to run": "missing"}


def _worker(worker: RunProcess) -> str:
    """Return who trains beside the process that runs the study, in words."""
    doing = f": {worker.doing}" if worker.doing else ""
    if worker.alive:
        ends = f"; it received {worker.signal} and stops as soon as nothing is lost" if worker.signal else ""
        return f"beside it {worker.process}{doing} (at {worker.seen}){ends}"
    return f"{worker.process} ended without notice, last seen at {worker.seen}{doing}; others train what it did not end"


def _holder(holder: RunProcess) -> str:
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
    spared: int,
) -> None:
    """Print what a study would train, and how many of these trials looks have spared."""
    table = Table(title=Text(study.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("arm")
    alone = {arm.arm: arm.seconds_alone for arm in ahead.arms if arm.seconds_alone == arm.seconds_alone}
    for column in ("parameters", "trainable", "share", *(["a trial alone"] if alone else [])):
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
        if alone:
            seconds = alone.get(size.arm)
            numbers.append("not measured" if seconds is None else duration_in_words(seconds))
        training = arm.training
        epochs = counted(training.num_train_epochs, "epoch")
        settings = [f"lr {training.learning_rate:g} {training.lr_scheduler_type}", epochs, *differing]
        table.add_row(Text(size.arm), *numbers, Text(", ".join(settings + ["tuned"] * (arm.search is not None))))
    if study.question:
        console.print(Text(study.question))
    console.print(table)
    # Why an arm is refused is the error that the command ends with.
    for reason in dict.fromkeys(size.reason for size in sizes if size.reason and not size.refused):
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
    if spared:
        which = "all of them" if spared == ahead.to_run else f"{spared} of them"
        console.print(Text(f"the looks have spared {which}: a run with --until-decided does not train what is spared"))
    show_floors(console, floors, n_seeds)


def show_floors(console: Console, floors: Mapping[str, float], n_seeds: int) -> None:
    """Print the smallest p that tests over so many seeds can give."""
    if not floors:
        return
    least = "; ".join(f"{name} {floor:.3g}" for name, floor in floors.items())
    tests = f"a test over {counted(n_seeds, 'seed')}"
    console.print(Text(f"smallest p that {tests} can give: {least}; the primary test has no floor"))
