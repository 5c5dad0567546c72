"""What `harness status` and `harness plan` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.lock import Holder
from harness.overview import StudyStatus
from harness.study import Study
from harness.tally import duration


def show_status(console: Console, one: StudyStatus) -> None:
    """Print how far a study is."""
    table = Table(title=Text(one.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    a_trial = "a trial, or its share of a pack" if any(arm.in_packs for arm in one.arms) else "a trial"
    # Hardly ever there, so no column of its own unless it is.
    unreadable = ["unreadable"] if any(arm.statuses.get("unreadable") for arm in one.arms) else []
    statuses = ["finished", "diverged", "failed", "interrupted", *unreadable, "missing"]
    for column in ("arm", *statuses[:-1], "to run", a_trial):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for arm in one.arms:
        counts = [str(arm.statuses.get(status, 0)) for status in statuses]
        seconds = duration(arm.mean_seconds) if arm.mean_seconds == arm.mean_seconds else "not measured"
        table.add_row(Text(arm.arm), *counts, seconds)
    console.print(table)
    for trouble in one.troubles:
        console.print(Text(f"  {trouble}"))
    if one.to_run:
        measured = one.seconds_left == one.seconds_left
        left = f"about {duration(one.seconds_left)} left" if measured else "time not known before the first trial"
        console.print(Text(f"{one.to_run} to run, {left}"))
    else:
        console.print(Text("nothing to run"))
    if one.holder is not None:
        console.print(Text(_holder(one.holder)))
    if one.others:
        console.print(
            Text(f"{one.others} other trials in the folder belong to earlier settings of the study; kept, not read")
        )
    console.print()


def _holder(one: Holder) -> str:
    """Return who runs the study and what it does, or how the last run ended, in words."""
    doing = f": {one.doing}" if one.doing else ""
    if one.alive:
        ends = f"; {one.signal} came, and it ends as soon as nothing is lost" if one.signal else ""
        return f"run by {one.process}{doing} (at {one.seen}){ends}"
    if one.signal and one.ended:
        return f"the last run was stopped by {one.signal} at {one.ended}{doing}"
    return f"{one.process} is gone without a word, last seen at {one.seen}{doing}; nothing that was recorded is lost"


def show_plan(
    console: Console,
    study: Study,
    sizes: list[dict[str, Any]],
    remarks: list[str],
    floors: Mapping[str, float],
    ahead: StudyStatus,
) -> None:
    """Print what a study would be."""
    table = Table(title=Text(study.name), title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("arm")
    for column in ("parameters", "trainable", "share"):
        table.add_column(column, justify="right")
    table.add_column("settings")
    for size, arm in zip(sizes, study.arms.values(), strict=True):
        total, trainable = size["total"], size["trainable"]
        numbers = ["", "", ""] if total is None else [f"{total:,}", f"{trainable:,}", f"{100 * trainable / total:.2f}%"]
        training = arm.training
        settings = f"lr {training.learning_rate:g} {training.lr_scheduler_type}, {training.num_train_epochs} epochs"
        table.add_row(Text(size["arm"]), *numbers, Text(settings if arm.search is None else f"{settings}, tuned"))
    if study.question:
        console.print(Text(study.question))
    console.print(table)
    for reason in dict.fromkeys(size["reason"] for size in sizes if size["reason"]):
        console.print(Text(f"parameters not counted: {reason}"))
    for remark in remarks:
        console.print(Text(remark))
    cells = len(study.arms) * len(study.seeds)
    searched = sum(arm.search.trials for arm in study.arms.values() if arm.search)
    more = f", after {searched} trials that search for settings" if searched else ""
    done = f"; {cells - ahead.to_run} of them have run" if ahead.to_run < cells else ""
    console.print(Text(f"{cells} cells: {len(study.arms)} arms x {len(study.seeds)} seeds{more}{done}"))
    if not ahead.to_run:
        console.print(Text("time: every cell has run"))
    elif ahead.seconds_left != ahead.seconds_left:
        console.print(Text("time: known once a trial is measured; harness run says it before it starts"))
    else:
        left = f"about {duration(ahead.seconds_left)} for the {ahead.to_run} to run"
        console.print(Text(f"time: {left}, trained as those measured were"))
    least = "; ".join(f"{name} {floor:.3g}" for name, floor in floors.items())
    console.print(
        Text(f"smallest p that a test over {len(study.seeds)} seeds can give: {least}; the primary test has no floor")
    )
