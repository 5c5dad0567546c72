"""Displays: bars on a terminal, plain lines in a log, nothing for a program."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from harness.engines.engine import Progress
from harness.engines.result import TrialResult
from harness.progress.tracker import ProgressTracker, duration_in_words
from harness.records.record import TrialRecord
from harness.study.trials import Trial

# Bars of running trials that are shown: more would push the arms off the screen.
_BARS = 8
_SECONDS_BETWEEN_REFRESHES = 0.5
# A log gets a line when an epoch ends, unless one has just been written (a run of days has many), and after a silence.
_SECONDS_BETWEEN_EPOCHS = 5.0
_SHARE_BETWEEN_EPOCHS = 0.01
_SECONDS_OF_SILENCE = 60.0


class Display:
    """What the runner reports to while it runs; this base class shows nothing."""

    def say(self, text: str) -> None:
        """Show one message."""

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Show how far the search of an arm is."""

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> None:
        """Show what is done and what is to do; `estimate` is the seconds of one trial."""

    def step(self, progress: Progress) -> None:
        """Show how far a running trial is."""

    def outcome(self, outcome: TrialResult) -> None:
        """Show the outcome of a trial."""

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        """Show that another worker has recorded a trial."""

    def waiting(self) -> None:
        """Show that nothing is left to train here, and that other workers are waited for."""

    def timing(self, turn: int, most: int) -> None:
        """Show how many turns of timing are done; `most` may follow."""

    def stopping(self, signal: str) -> None:
        """Show that a signal came, and what will be finished first."""

    def close(self) -> None:
        """Stop showing."""


class LogDisplay(Display):
    """Plain lines, for a log: at every epoch, and at least every minute."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._tracker = ProgressTracker(clock)
        self._last_line_at = clock()
        self._epoch = 0

    def say(self, text: str) -> None:
        """Print one line."""
        self._last_line_at = self._clock()
        self._console.print(Text(text), soft_wrap=True)

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Print one line per candidate."""
        self._tracker.running.clear()
        self.say(f"search {arm}: {done} of {total} candidates")

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> None:
        """Print what is to do."""
        self.say(self._tracker.open(trials, records, estimate))

    def step(self, progress: Progress) -> None:
        """Print how far the running trials are, at every epoch or minute."""
        if not self._tracker.step(progress):
            return
        before, self._epoch = self._epoch, self._tracker.epochs_done
        enough = _SECONDS_OF_SILENCE
        if self._epoch > before:
            enough = min(enough, max(_SECONDS_BETWEEN_EPOCHS, _SHARE_BETWEEN_EPOCHS * self._tracker.elapsed()))
        if self._clock() - self._last_line_at >= enough:
            self.say(f"{self._tracker.doing()}{self._left()}")

    def outcome(self, outcome: TrialResult) -> None:
        """Print one line per trial."""
        self._tracker.add(outcome)
        done = self._tracker.total - len(self._tracker.todo)
        self.say(f"[{done}/{self._tracker.total}] {_outcome_line(outcome)}{self._left()}")

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        """Print one line per trial."""
        self._tracker.recorded(trial, record)
        done = self._tracker.total - len(self._tracker.todo)
        self.say(f"[{done}/{self._tracker.total}] {trial.arm}, seed {trial.seed}: {record.status}, by another worker")

    def timing(self, turn: int, most: int) -> None:  # noqa: ARG002
        """Note that trials are timed, not trained."""
        self._tracker.timing = True

    def stopping(self, signal: str) -> None:
        """Print what will be finished first."""
        self.say(self._tracker.ending(signal))

    def _left(self) -> str:
        return f", {self._tracker.left_in_words('{} left')}" if self._tracker.todo else ""


class TerminalDisplay(Display):
    """Bars for the study and the running trials, and a line for each arm."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tracker = ProgressTracker()
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
        self._timing: TaskID | None = None
        self._refreshed = 0.0

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(Text(text))

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Move the bar of the search; the bar of the last candidate goes, as it reports no outcome."""
        self._start()
        self._remove_all()
        self._tracker.running.clear()
        if self._search is None:
            self._search = self._bars.add_task("", total=total, label="search", note="")
        self._bars.update(self._search, label=f"search {arm}", completed=done, total=total, note="candidates")

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> None:
        """Say what is to do, and show the bar of the study."""
        if self._search is not None:
            self._bars.remove_task(self._search)
            self._search = None
        # A run that goes from look to look opens again at each.
        if self._study is not None:
            self._bars.remove_task(self._study)
            self._study = None
        self.say(self._tracker.open(trials, records, estimate))
        if self._tracker.todo:
            self._start()
            self._study = self._bars.add_task(
                "",
                total=self._tracker.total,
                completed=self._tracker.total - len(self._tracker.todo),
                label="study",
                note="",
            )
            self._refresh()

    def step(self, progress: Progress) -> None:
        """Move the bar of a running trial; those of a large pack beyond the first few are counted."""
        trial = progress.trial
        if trial.key not in self._trials:
            label = "candidate" if trial.tuning else f"{trial.arm}, seed {trial.seed}"
            label += f" on {progress.node}" if progress.node else ""
            shown = len(self._trials) < _BARS
            task = self._bars.add_task("", total=progress.steps, label=label, note="steps", visible=shown)
            self._trials[trial.key] = task
        self._bars.update(self._trials[trial.key], completed=progress.step)
        self._tracker.step(progress)
        if time.monotonic() - self._refreshed > _SECONDS_BETWEEN_REFRESHES:
            self._refresh()

    def outcome(self, outcome: TrialResult) -> None:
        """Move the bar of the study; print a line for what did not finish."""
        self._tracker.add(outcome)
        self._remove(outcome.trial.key)
        if outcome.status != "finished":
            self.say(_outcome_line(outcome))
        self._refresh()

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        """Move the bar of the study."""
        self._tracker.recorded(trial, record)
        self._refresh()

    def timing(self, turn: int, most: int) -> None:
        """Move the bar of the timing."""
        self._tracker.timing = True
        self._start()
        if self._timing is None:
            self._timing = self._bars.add_task("", total=most, label="timing", note="turns at most")
        self._bars.update(self._timing, completed=turn)

    def stopping(self, signal: str) -> None:
        """Print above the bars what will be finished first."""
        self.say(self._tracker.ending(signal))

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
        """Stop the bars; their last state stays on the screen."""
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
        done = self._tracker.total - len(self._tracker.todo)
        left = (
            self._tracker.left_in_words("{} left")
            if self._tracker.todo
            else f"in {duration_in_words(self._tracker.elapsed())}"
        )
        self._bars.update(self._study, completed=done, note=f"trials, {left}")
        table = Table.grid(padding=(0, 2))
        for name, arm in self._tracker.arms.items():
            table.add_row(Text(name), Text(arm.line()))
        hidden = len(self._trials) - _BARS
        more = [Text(f"and {hidden} more trials")] if hidden > 0 else []
        nodes = [Text(line) for line in self._tracker.doing_by_node()] if self._tracker.nodes else []
        self._live.update(Group(table, self._bars, *more, *nodes))


def display_for(console: Console) -> Display:
    """Return bars where the output is a terminal, plain lines elsewhere."""
    return TerminalDisplay(console) if console.is_terminal else LogDisplay(console)


def _outcome_line(outcome: TrialResult) -> str:
    name = f"{outcome.trial.arm}, seed {outcome.trial.seed}"
    seconds = duration_in_words(outcome.training_seconds + outcome.evaluation_seconds)
    if outcome.status == "finished" and outcome.selected is not None and outcome.selected.test is not None:
        took = f"in {seconds}" if outcome.pack_size == 1 else f"in a pack of {outcome.pack_size}, its share {seconds}"
        accuracy, loss = outcome.selected.test.accuracy, outcome.selected.test.loss
        score = f"mean squared error {loss:.3g}" if accuracy is None else f"accuracy {100 * accuracy:.1f}%"
        return f"{name}: {score} {took}"
    reason = f": {outcome.error.message}" if outcome.error else ""
    return f"{name}: {outcome.status}{reason}"
