"""Signals: the first ends where nothing is lost, the second at once, and the record says which."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import run_study
from harness.engines.engine import Progress
from harness.progress.displays import Display
from harness.signals import StopRequest, stop_on_signal
from harness.study.study import Study

Tiny = Callable[..., Study]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
TWO_EPOCHS = ("training.num_train_epochs=2", "arms={full: {}}", "analysis={}")


@pytest.fixture(autouse=True)
def hang_up_is_heard() -> Iterator[None]:
    """Hear SIGHUP also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Sends(Display):
    """Sends signals when the first epoch is about to end."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.numbers = list(numbers)
        self.stopped: list[str] = []

    def step(self, progress: Progress) -> None:
        if progress.epoch >= 1:
            while self.numbers:
                os.kill(os.getpid(), self.numbers.pop(0))

    def stopping(self, signal: str) -> None:
        self.stopped.append(signal)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("trials/*/record.json"))]


@pytest.mark.parametrize(
    ("engine", "finished", "number"),
    [("trainer", 1, signal.SIGTERM), ("packed", 0, signal.SIGUSR1)],
)
def test_the_first_signal_ends_with_the_trial_or_with_the_epoch_of_a_pack(
    engine: str, finished: int, number: signal.Signals, tmp_path: Path, tiny: Tiny
) -> None:
    handlers = [signal.getsignal(stop_signal) for stop_signal in SIGNALS]
    display = Sends(number)
    summary = run_study(tiny(*TWO_EPOCHS, f"engine={engine}"), tmp_path, display=display)
    assert (summary.stopped, summary.stopped_by) == (True, number.name)
    assert summary.ran == finished
    assert [record["status"] for record in records(summary.folder)] == ["finished"] * finished
    assert len(list(summary.folder.glob("packs/*.pt"))) == (engine == "packed")
    assert display.stopped == [number.name]
    assert [signal.getsignal(stop_signal) for stop_signal in SIGNALS] == handlers
    again = run_study(tiny(*TWO_EPOCHS, f"engine={engine}"), tmp_path)
    assert (again.complete, again.stopped, again.ran) == (True, False, 2 - finished)


@pytest.mark.parametrize("engine", ["trainer", "packed"])
def test_the_second_signal_stops_at_once_and_the_record_names_it(engine: str, tmp_path: Path, tiny: Tiny) -> None:
    display = Sends(signal.SIGUSR1, signal.SIGTERM)
    summary = run_study(tiny(*TWO_EPOCHS, f"engine={engine}"), tmp_path, display=display)
    assert summary.stopped_by == "SIGUSR1"
    ended = records(summary.folder)
    assert ended
    assert {record["status"] for record in ended} == {"interrupted"}
    assert {record["error"]["message"] for record in ended} == {"stopped by SIGTERM"}


def test_a_search_ends_with_the_epoch_of_its_candidate_and_goes_on_from_there(tmp_path: Path, tiny: Tiny) -> None:
    searched = (
        "seeds=1",
        "training.num_train_epochs=2",
        "arms={tuned: {search: {trials: 1, fraction: 0.25, space: {training.learning_rate: {low: 1e-5, high: 1e-2}}}}}",
        "analysis={}",
    )
    summary = run_study(tiny(*searched), tmp_path / "cut", display=Sends(signal.SIGTERM))
    assert (summary.ran, summary.stopped_by) == (0, "SIGTERM")
    assert len(list(summary.folder.glob("packs/*.pt"))) == 1
    began: list[int] = []

    class Watches(Display):
        def step(self, progress: Progress) -> None:
            began.append(progress.began)

    assert run_study(tiny(*searched), tmp_path / "cut", display=Watches()).complete
    assert began[0] > 0


@pytest.mark.parametrize("number", SIGNALS)
def test_what_a_signal_finishes_is_told_outside_its_handler(number: signal.Signals) -> None:
    """A handler that prints would enter the interrupted write to the same stream once more."""
    messages: list[tuple[str, bool]] = []
    with stop_on_signal(
        lambda name: messages.append((name, threading.current_thread() is threading.main_thread()))
    ) as stop:
        os.kill(os.getpid(), number)
        assert (stop.is_set(), stop.by) == (True, number.name)
        with pytest.raises(KeyboardInterrupt, match="stopped by SIGHUP"):
            os.kill(os.getpid(), signal.SIGHUP)
    assert messages == [(number.name, False)]


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal(lambda _: None) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_of_a_program_hears_no_signals() -> None:
    requests: list[StopRequest] = []

    def run() -> None:
        with stop_on_signal(lambda _: None) as stop:
            requests.append(stop)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [stop.is_set() for stop in requests] == [False]
