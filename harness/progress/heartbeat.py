"""What a run tells beside its results while it runs, for `harness status`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from harness.engines.engine import Progress
from harness.engines.result import TrialResult
from harness.progress.displays import Display
from harness.progress.tracker import ProgressTracker
from harness.records.lock import StudyLock
from harness.records.record import TrialRecord
from harness.study.trials import Trial

_SECONDS_BETWEEN_BEATS = 5.0


class Heartbeat(Display):
    """Hands on to another display, and writes down where the run stands, every few seconds.

    A display that cannot show what it is told is let be: its error, in the middle of a step, would end a trial.

    Parameters
    ----------
    display : Display
        What the run shows.
    hold : StudyLock
        The study's folder.
    clock : callable
        Seconds that pass.
    """

    def __init__(self, display: Display, hold: StudyLock, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._hold = hold
        self._clock = clock
        self._tracker = ProgressTracker(clock)
        self._search = ""
        self._beaten = -math.inf

    def say(self, text: str) -> None:
        """Hand on."""
        with _unharmed():
            self._display.say(text)

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Hand on, and note how far the search is."""
        with _unharmed():
            self._display.tuning(arm, done, total)
        self._tracker.running.clear()
        self._search = f"search {arm}, {done} of {total} candidates: "
        self._beat()

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> None:
        """Hand on, and note what is to do."""
        with _unharmed():
            self._display.open(trials, records, estimate)
        self._search = ""
        self._tracker.open(trials, records, estimate)
        self._beat()

    def step(self, progress: Progress) -> None:
        """Hand on, and note where the trial stands."""
        with _unharmed():
            self._display.step(progress)
        if self._tracker.step(progress):
            self._beat_now_and_then()

    def outcome(self, outcome: TrialResult) -> None:
        """Hand on, and note what became of the trial."""
        with _unharmed():
            self._display.outcome(outcome)
        self._tracker.add(outcome)
        self._beat_now_and_then()

    def stopping(self, signal: str) -> None:
        """Hand on, and note the signal."""
        with _unharmed():
            self._display.stopping(signal)
        self._hold.tell(signal=signal)

    def close(self) -> None:
        """Hand on."""
        with _unharmed():
            self._display.close()

    def _beat_now_and_then(self) -> None:
        if self._clock() - self._beaten >= _SECONDS_BETWEEN_BEATS:
            self._beat()

    def _beat(self) -> None:
        self._beaten = self._clock()
        left = self._tracker.left() if self._tracker.total else math.nan
        self._hold.tell(
            doing=f"{self._search}{self._tracker.doing()}",
            trials=[
                {
                    "arm": one.trial.arm,
                    "seed": one.trial.seed,
                    "epoch": one.epoch,
                    "epochs": one.trial.settings.training.num_train_epochs,
                    "step": one.step,
                    "steps": one.steps,
                }
                for one in self._tracker.running.values()
            ],
            seconds_left=left if math.isfinite(left) else None,
        )


def _unharmed() -> suppress:
    return suppress(OSError, UnicodeError)
