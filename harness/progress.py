"""What a run shows: bars in a terminal, plain lines elsewhere, nothing for a program."""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from harness.engines import Outcome, Progress
from harness.record import Record
from harness.trials import Trial

# Bars of running trials that are shown: more would push the arms off the screen.
_BARS = 8
_SECONDS_BETWEEN_REFRESHES = 0.5


class Display:
    """What the runner tells while it runs; this one shows nothing, for a program."""

    def say(self, text: str) -> None:
        """Tell one thing."""

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Tell how far the search of an arm is."""

    def open(self, trials: Sequence[Trial], records: Mapping[str, Record], estimate: float) -> None:
        """Tell what is done, what is to do, and the estimated seconds of one trial."""

    def step(self, progress: Progress) -> None:
        """Tell where the running trial stands."""

    def outcome(self, outcome: Outcome) -> None:
        """Tell what became of a trial."""

    def close(self) -> None:
        """Stop showing."""


@dataclass(slots=True)
class _ArmState:
    seeds: int = 0
    accuracies: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self) -> str:
        text = f"{len(self.accuracies)}/{self.seeds} seeds"
        if self.accuracies:
            low, high = min(self.accuracies), max(self.accuracies)
            text += f"  {100 * statistics.fmean(self.accuracies):.1f}%  ({100 * low:.1f} to {100 * high:.1f})"
        return text + "".join(f"  {trouble}" for trouble in self.troubles)


class _Count:
    """What both displays count: seeds by arm, and the time that is left."""

    def __init__(self) -> None:
        self.arms: dict[str, _ArmState] = defaultdict(_ArmState)
        self.todo: dict[str, str] = {}
        self.shares: dict[str, float] = {}
        self.total = 0
        self._estimate = 0.0
        self._began = time.monotonic()

    def open(self, trials: Sequence[Trial], records: Mapping[str, Record], estimate: float) -> str:
        self.total, self._estimate = len(trials), estimate
        for trial in trials:
            arm = self.arms[trial.arm]
            arm.seeds += 1
            record = records.get(trial.key)
            if record is None:
                self.todo[trial.key] = trial.arm
            elif record.status == "finished" and record.accuracy is not None:
                arm.accuracies.append(record.accuracy)
                if record.all_seconds is not None:
                    arm.seconds.append(record.all_seconds)
            else:
                arm.troubles.append(f"seed {trial.seed} {record.status}")
        arms = len(self.arms)
        shape = f"{_plural(self.total, 'cell')} ({_plural(arms, 'arm')} x {_plural(self.total // arms, 'seed')})"
        done = self.total - len(self.todo)
        if not self.todo:
            return f"{shape}: all done, nothing to run"
        return f"{shape}: {done} done, {len(self.todo)} to run, {self.left_in_words('about {}')}"

    def add(self, outcome: Outcome) -> None:
        arm = self.arms[outcome.trial.arm]
        self.todo.pop(outcome.trial.key, None)
        arm.seconds.append(outcome.training_seconds + outcome.evaluation_seconds)
        if outcome.status == "finished" and outcome.selected is not None and outcome.selected.test is not None:
            arm.accuracies.append(outcome.selected.test.accuracy)
        else:
            arm.troubles.append(f"seed {outcome.trial.seed} {outcome.status}")

    def step(self, progress: Progress) -> None:
        self.shares[progress.trial.key] = progress.step / max(progress.steps, 1)

    def left(self) -> float:
        """Return the seconds that are left to do, by the arms' measured means where there are any."""
        everything = [s for arm in self.arms.values() for s in arm.seconds]
        usual = statistics.fmean(everything) if everything else self._estimate
        return sum(
            statistics.fmean(self.arms[arm].seconds or [usual]) * (1 - self.shares.get(key, 0))
            for key, arm in self.todo.items()
        )

    def left_in_words(self, form: str) -> str:
        left = self.left()
        return "time not known yet" if math.isnan(left) else form.format(duration(left))

    def elapsed(self) -> float:
        return time.monotonic() - self._began


class Lines(Display):
    """Plain lines, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = _Count()

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(Text(text), soft_wrap=True)

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Print one line a candidate."""
        self.say(f"search {arm}: {done} of {total} candidates")

    def open(self, trials: Sequence[Trial], records: Mapping[str, Record], estimate: float) -> None:
        """Print what is to do."""
        self.say(self._count.open(trials, records, estimate))

    def outcome(self, outcome: Outcome) -> None:
        """Print one line a trial."""
        self._count.add(outcome)
        done = self._count.total - len(self._count.todo)
        left = f", {self._count.left_in_words('{} left')}" if self._count.todo else ""
        self.say(f"[{done}/{self._count.total}] {_outcome_line(outcome)}{left}")


class Terminal(Display):
    """Bars for the study and the running trials, and a line for each arm."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = _Count()
        self._bars = Bars(
            TextColumn("{task.fields[label]}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._live: Live | None = None
        self._study: TaskID | None = None
        self._trials: dict[str, TaskID] = {}
        self._search: TaskID | None = None
        self._refreshed = 0.0

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(Text(text))

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Move the bar of the search; the candidate before, of which no outcome is told, is done."""
        self._start()
        self._remove_all()
        if self._search is None:
            self._search = self._bars.add_task("", total=total, label="search", note="")
        self._bars.update(self._search, label=f"search {arm}", completed=done, total=total, note="candidates")

    def open(self, trials: Sequence[Trial], records: Mapping[str, Record], estimate: float) -> None:
        """Say what is to do, and show the bar of the study."""
        if self._search is not None:
            self._bars.remove_task(self._search)
            self._search = None
        self.say(self._count.open(trials, records, estimate))
        if self._count.todo:
            self._start()
            self._study = self._bars.add_task(
                "",
                total=self._count.total,
                completed=self._count.total - len(self._count.todo),
                label="study",
                note="",
            )
            self._refresh()

    def step(self, progress: Progress) -> None:
        """Move the bar of a running trial; those of a large pack beyond the first few are counted."""
        trial = progress.trial
        if trial.key not in self._trials:
            label = "candidate" if trial.tuning else f"{trial.arm}, seed {trial.seed}"
            shown = len(self._trials) < _BARS
            task = self._bars.add_task("", total=progress.steps, label=label, note="steps", visible=shown)
            self._trials[trial.key] = task
        self._bars.update(self._trials[trial.key], completed=progress.step)
        self._count.step(progress)
        if time.monotonic() - self._refreshed > _SECONDS_BETWEEN_REFRESHES:
            self._refresh()

    def outcome(self, outcome: Outcome) -> None:
        """Move the bar of the study; print a line for what did not finish."""
        self._count.add(outcome)
        self._remove(outcome.trial.key)
        if outcome.status != "finished":
            self.say(_outcome_line(outcome))
        self._refresh()

    def _remove(self, key: str) -> None:
        task = self._trials.pop(key, None)
        if task is not None:
            self._bars.remove_task(task)
        for number, left in enumerate(self._trials.values()):
            self._bars.update(left, visible=number < _BARS)

    def _remove_all(self) -> None:
        for key in list(self._trials):
            self._remove(key)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._remove_all()
        if self._live is not None:
            self._refresh()
            self._live.stop()
            self._live = None

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(self._bars, console=self._console, refresh_per_second=8)
            self._live.start()

    def _refresh(self) -> None:
        if self._live is None or self._study is None:
            return
        self._refreshed = time.monotonic()
        done = self._count.total - len(self._count.todo)
        left = self._count.left_in_words("{} left") if self._count.todo else f"in {duration(self._count.elapsed())}"
        self._bars.update(self._study, completed=done, note=f"cells, {left}")
        table = Table.grid(padding=(0, 2))
        for name, arm in self._count.arms.items():
            table.add_row(Text(name), Text(arm.line()))
        hidden = len(self._trials) - _BARS
        more = [Text(f"and {hidden} more in step with them")] if hidden > 0 else []
        self._live.update(Group(table, self._bars, *more))


def display_for(console: Console) -> Display:
    """Return bars where the output is a terminal, plain lines elsewhere."""
    return Terminal(console) if console.is_terminal else Lines(console)


def duration(seconds: float) -> str:
    """Return seconds as a person would say them.

    >>> duration(0.4), duration(75), duration(7260), duration(200000)
    ('1 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {s} s" if s else f"{minutes} min"
    hours, m = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {m} min" if m else f"{hours} h"
    days, h = divmod(hours, 24)
    return f"{days} d {h} h" if h else f"{days} d"


def _outcome_line(outcome: Outcome) -> str:
    name = f"{outcome.trial.arm}, seed {outcome.trial.seed}"
    seconds = duration(outcome.training_seconds + outcome.evaluation_seconds)
    if outcome.status == "finished" and outcome.selected is not None and outcome.selected.test is not None:
        took = f"in {seconds}" if outcome.pack_size == 1 else f"in a pack of {outcome.pack_size}, its share {seconds}"
        return f"{name}: accuracy {100 * outcome.selected.test.accuracy:.1f}% {took}"
    reason = f": {outcome.error.message}" if outcome.error else ""
    return f"{name}: {outcome.status}{reason}"


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
