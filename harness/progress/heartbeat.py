"""Heartbeat: writes where a run is beside its results, for `harness status` and the other workers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.engines.engine import Progress
from harness.engines.result import TrialResult
from harness.progress.displays import Display
from harness.progress.tracker import ProgressTracker
from harness.records.record import TrialRecord
from harness.study.trials import Trial

_SECONDS_BETWEEN_BEATS = 5.0


class Heartbeat(Display):
    """Passes everything on to another display, and writes where the run is every few seconds.

    An error of the other display is ignored: in the middle of a step it would end a trial.

    Parameters
    ----------
    display : Display
        What the run shows.
    tell : callable
        Writes what it is given by name.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, display: Display, tell: Callable[..., Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._tell = tell
        self._clock = clock
        self._tracker = ProgressTracker(clock)
        self._search = ""
        self._beaten = -math.inf

    def say(self, text: str) -> None:
        """Pass on."""
        with _ignoring_errors():
            self._display.say(text)

    def tuning(self, arm: str, done: int, total: int) -> None:
        """Pass on, and note how far the search is."""
        with _ignoring_errors():
            self._display.tuning(arm, done, total)
        self._tracker.running.clear()
        self._search = f"search {arm}, {done} of {total} candidates: "
        self._beat()

    def open(self, trials: Sequence[Trial], records: Mapping[str, TrialRecord], estimate: float) -> None:
        """Pass on, and note what is to do."""
        with _ignoring_errors():
            self._display.open(trials, records, estimate)
        self._search = ""
        self._tracker.open(trials, records, estimate)
        self._beat()

    def step(self, progress: Progress) -> None:
        """Pass on, and note where the trial is."""
        with _ignoring_errors():
            self._display.step(progress)
        if self._tracker.step(progress):
            self._beat_if_due()

    def outcome(self, outcome: TrialResult) -> None:
        """Pass on, and note the outcome of the trial."""
        with _ignoring_errors():
            self._display.outcome(outcome)
        self._tracker.add(outcome)
        self._beat_if_due()

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        """Pass on, and note what another worker has done."""
        with _ignoring_errors():
            self._display.recorded(trial, record)
        self._tracker.recorded(trial, record)
        self._beat_if_due()

    def waiting(self) -> None:
        """Pass on, and note that others are waited for."""
        with _ignoring_errors():
            self._display.waiting()
        self._tracker.running.clear()
        if self._clock() - self._beaten >= _SECONDS_BETWEEN_BEATS:
            self._beaten = self._clock()
            self._tell(doing="waiting for other workers", trials=[])

    def timing(self, turn: int, most: int) -> None:
        """Pass on, and note that trials are timed, not trained."""
        with _ignoring_errors():
            self._display.timing(turn, most)
        doing = f"timing each arm alone, {turn} of at most {most} turns done"
        self._tell(doing=doing, trials=[], seconds_left=None)

    def stopping(self, signal: str) -> None:
        """Pass on, and note the signal."""
        with _ignoring_errors():
            self._display.stopping(signal)
        self._tell(signal=signal)

    def close(self) -> None:
        """Pass on."""
        with _ignoring_errors():
            self._display.close()

    def _beat_if_due(self) -> None:
        if self._clock() - self._beaten >= _SECONDS_BETWEEN_BEATS:
            self._beat()

    def _beat(self) -> None:
        self._beaten = self._clock()
        left = self._tracker.left() if self._tracker.total else math.nan
        self._tell(
            doing=f"{self._search}{self._tracker.doing()}",
            trials=[
                {
                    "arm": progress.trial.arm,
                    "seed": progress.trial.seed,
                    "epoch": progress.epoch,
                    "epochs": progress.trial.settings.training.num_train_epochs,
                    "step": progress.step,
                    "steps": progress.steps,
                    **({"node": progress.node} if progress.node else {}),
                }
                for progress in self._tracker.running.values()
            ],
            seconds_left=left if math.isfinite(left) else None,
        )


def _ignoring_errors() -> suppress:
    return suppress(OSError, UnicodeError)
