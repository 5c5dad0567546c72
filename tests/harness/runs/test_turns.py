"""Timing in turns: when a run does it, in which order, when it ends, and what of it is stored."""

from __future__ import annotations

import json
import math
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness import run_study
from harness.engines.timing import TimedBlock
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.records.store import Store
from harness.runs import timing, turns
from harness.runs.preview import preview
from harness.runs.status import ArmStatus, read_status
from harness.runs.timing import time_study
from harness.study.study import Study
from harness.study.trials import Trial

Tiny = Callable[..., Study]
ARMS = ("full", "lora-r2", "lora-r4")


class Timer:
    """Takes no time, and says what each arm takes: twice as long as the one before it, with a little noise."""

    clock = "CPU time"
    threads = 1
    device = torch.device("cpu")
    memory_method = "none"
    noise = 0.01

    def __init__(self, engine: Any = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.broken: dict[str, Exception | type[BaseException]] = {}

    def block(self, trial: Trial, turn: int) -> TimedBlock:
        assert trial.seed == turn
        self.asked.append((trial.arm, turn))
        if trial.arm in self.broken:
            raise self.broken[trial.arm]
        seconds = 2.0 ** ARMS.index(trial.arm) * (1 + self.noise * ((turn * 7 + ARMS.index(trial.arm) * 3) % 5))
        return TimedBlock(step_seconds=seconds, example_seconds=seconds / 100, peak_bytes=2**20)


class Watcher(Display):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    """The results of the tiny study, trained in packs and not timed."""
    root = tmp_path_factory.mktemp("turns")
    run_study(tiny(), root)
    assert not (root / "tiny" / "timing.json").exists()
    return root / "tiny"


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "results" / "tiny")
    return tmp_path / "results"


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> Timer:
    made = Timer()
    for module in (turns, timing):
        monkeypatch.setattr(module, "TrialTimer", lambda _: made)
    # How long these trials took is up to the machine.
    monkeypatch.setattr(turns, "_WORTH", math.inf)
    return made


def stored(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "tiny" / "timing.json").read_text())
    return content


def test_a_run_ends_with_turns_there_and_back(root: Path, tiny: Tiny, timer: Timer) -> None:
    display = Watcher()
    summary = run_study(tiny("timing=on"), root, display=display)
    assert (summary.ran, summary.turns, summary.complete) == (0, 6, True)
    there = [(arm, turn) for turn in range(6) for arm in (ARMS if turn % 2 == 0 else reversed(ARMS))]
    assert timer.asked == there
    content = stored(root)
    assert (content["turns"], content["clock"], content["device"]["threads"]) == (6, "CPU time", 1)
    assert {arm: len(entry["step_seconds"]) for arm, entry in content["arms"].items()} == dict.fromkeys(ARMS, 6)
    # 48 examples in batches of 16, one epoch; 40 test examples.
    assert {(one["trial_steps"], one["trial_examples"]) for one in content["arms"].values()} == {(3.0, 40.0)}
    assert any(text.startswith("Timing each arm alone: ") and "within 20 s" in text for text in display.messages)
    assert any(text.startswith("timed full, lora-r2, lora-r4 in 6 turns") for text in display.messages)


def test_what_is_known_is_not_timed_again_and_more_seeds_leave_it_valid(root: Path, tiny: Tiny, timer: Timer) -> None:
    assert run_study(tiny("timing=on"), root).turns == 6
    before = (root / "tiny" / "timing.json").read_bytes()
    assert run_study(tiny("timing=on"), root).turns == 0
    assert run_study(tiny("timing=on", "seeds=3"), root).turns == 0
    assert (root / "tiny" / "timing.json").read_bytes() == before
    changed = tiny("timing=on", "seeds=3", "arms.full.training.learning_rate=2e-3")
    assert run_study(changed, root).turns == 6
    assert stored(root)["arms"]["full"]["key"] != json.loads(before)["arms"]["full"]["key"]
    assert stored(root)["arms"]["lora-r2"]["key"] == json.loads(before)["arms"]["lora-r2"]["key"]


def test_a_changed_arm_is_timed_with_all_others_in_no_fewer_turns_than_are_known(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer.noise = 0.5
    run_study(tiny("timing=on"), root)
    assert stored(root)["turns"] == 12
    # From here on, three turns would do.
    monkeypatch.setattr(turns, "_WORTH", 0.0)
    assert run_study(tiny("timing=on", "arms.full.training.learning_rate=2e-3"), root).turns == 12
    assert {len(entry["step_seconds"]) for entry in stored(root)["arms"].values()} == {12}
    # Nothing of what is known is about these arms.
    assert run_study(tiny("timing=on", "training.weight_decay=0.5"), root).turns == 3


def test_a_timing_that_ends_too_soon_leaves_a_better_one_where_it_is(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer.noise, display = 0.5, Watcher()
    run_study(tiny("timing=on"), root)
    before = (root / "tiny" / "timing.json").read_bytes()
    timer.asked.clear()
    # A block takes a second, so that twenty seconds are up after seven turns of three arms.
    clock = SimpleNamespace(process_time=lambda: float(len(timer.asked)), monotonic=time.monotonic)
    monkeypatch.setattr(turns, "time", clock)
    changed = tiny("timing=on", "arms.full.training.learning_rate=2e-3")
    assert run_study(changed, root, display=display).turns == 0
    assert (root / "tiny" / "timing.json").read_bytes() == before
    assert any("7 of 12 turns, and no new timing is stored" in text for text in display.messages)


def test_a_run_of_some_arms_times_nothing_until_all_have_run(root: Path, tiny: Tiny, timer: Timer) -> None:
    assert run_study(tiny("timing=on", "seeds=3"), root, arms=["full"]).turns == 0
    assert run_study(tiny("timing=on", "seeds=3"), root, arms=["lora-r2", "lora-r4"]).turns == 6


def test_trials_that_were_all_alone_are_not_timed(tmp_path: Path, tiny: Tiny, timer: Timer) -> None:
    study = tiny("timing=on", "engine=trainer", "seeds=1", "data.train_size=16")
    assert (run_study(study, tmp_path).turns, timer.asked) == (0, [])


def test_it_goes_on_until_the_ratios_are_known_to_five_percent(root: Path, tiny: Tiny, timer: Timer) -> None:
    timer.noise = 0.5
    assert run_study(tiny("timing=on"), root).turns == turns.MOST_TURNS == 12


def test_an_arm_that_breaks_does_not_take_the_others_with_it(root: Path, tiny: Tiny, timer: Timer) -> None:
    timer.broken["lora-r2"] = RuntimeError("out of memory")
    display = Watcher()
    assert run_study(tiny("timing=on"), root, display=display).turns == 6
    assert timer.asked.count(("lora-r2", 0)) == 1
    assert not any(arm == "lora-r2" and turn for arm, turn in timer.asked)
    assert "lora-r2 cannot be timed: out of memory" in display.messages
    content = stored(root)["arms"]
    assert content["lora-r2"] == {"key": content["lora-r2"]["key"], "reason": "out of memory"}
    assert len(content["full"]["step_seconds"]) == 6
    # It would break again.
    assert run_study(tiny("timing=on"), root).turns == 0


def test_less_than_three_turns_are_not_stored_and_it_says_so(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_TURNS", 2)
    display = Watcher()
    summary = run_study(tiny("timing=on"), root, display=display)
    assert (summary.turns, summary.complete) == (0, True)
    assert not (root / "tiny" / "timing.json").exists()
    assert any("2 of 3 turns, and no new timing is stored; harness time tiny" in text for text in display.messages)


def test_it_ends_when_time_is_up(root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_SECONDS", 0.0)
    monkeypatch.setattr(turns, "_SHARE", 0.0)
    display = Watcher()
    assert run_study(tiny("timing=on"), root, display=display).turns == 0
    assert timer.asked == []
    assert any(text.startswith("time was up after 0 of 3 turns") for text in display.messages)


def test_a_study_of_seconds_is_timed_in_the_fewest_turns(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_WORTH", 0.0)
    assert run_study(tiny("timing=on"), root).turns == stored(root)["turns"] == 3


def test_a_tenth_of_what_the_trials_took_is_worth_spending(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    asked: dict[str, float] = {}
    monkeypatch.setattr(turns, "TrialTimer", lambda _: timer)
    monkeypatch.setattr(turns.Turns, "timing", lambda self, wholes, **limits: asked.update(limits))
    run_study(tiny("timing=on"), root)
    records = [json.loads(path.read_text()) for path in (root / "tiny" / "trials").glob("*/record.json")]
    took = sum(record["seconds"]["training"] + record["seconds"]["evaluation"] for record in records)
    assert asked == {"fewest": 3, "limit": 20.0, "worth": pytest.approx(0.1 * took)}
    assert took > 0


@pytest.mark.parametrize("turn", [1, 4])
def test_a_second_signal_in_a_turn_loses_no_trial(root: Path, tiny: Tiny, timer: Timer, turn: int) -> None:
    original = timer.block

    def interrupted(trial: Trial, number: int) -> TimedBlock:
        if number == turn:
            raise KeyboardInterrupt("stopped by SIGINT")
        return original(trial, number)

    timer.block = interrupted  # type: ignore[method-assign]
    summary = run_study(tiny("timing=on"), root)
    assert (summary.stopped_by, summary.complete, summary.turns) == ("SIGINT", True, 0)
    assert not (root / "tiny" / "timing.json").exists()


def test_a_disk_that_takes_no_more_does_not_fail_a_run(
    root: Path, tiny: Tiny, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Store, timing: Any) -> Path:
        raise ResultsError("timing.json cannot be written: No space left on device")

    monkeypatch.setattr(Store, "write_timing", full)
    display = Watcher()
    summary = run_study(tiny("timing=on"), root, display=display)
    assert (summary.complete, summary.turns) == (True, 0)
    assert "not timed: timing.json cannot be written: No space left on device" in display.messages


def test_time_study_repeats_it_whatever_is_there(root: Path, tiny: Tiny, timer: Timer) -> None:
    run_study(tiny("timing=on"), root)
    timer.noise = 0.5
    timed = time_study(tiny(), root)
    assert timed is not None
    assert timed.turns == stored(root)["turns"] == 12


def test_a_signal_leaves_what_was_measured_before(root: Path, tiny: Tiny, timer: Timer) -> None:
    run_study(tiny("timing=on"), root)
    before, original, display = stored(root), timer.block, Watcher()

    def interrupted(trial: Trial, turn: int) -> TimedBlock:
        if turn == 4:
            signal.raise_signal(signal.SIGINT)
        return original(trial, turn)

    timer.block = interrupted  # type: ignore[method-assign]
    assert time_study(tiny(), root, display=display) is None
    assert stored(root) == before
    assert "stopped, and no new timing is stored; harness time tiny takes the time that it needs" in display.messages


def test_time_study_refuses_what_has_not_run_as_it_is(root: Path, tiny: Tiny, timer: Timer, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no study; run it first: harness run"):
        time_study(tiny(), tmp_path / "elsewhere")
    with pytest.raises(ResultsError, match="holds no trial of full as the study is now; run it first"):
        time_study(tiny("arms.full.training.learning_rate=2e-3"), root)
    assert timer.asked == []


def test_status_and_plan_show_what_a_trial_takes_alone(root: Path, tiny: Tiny, timer: Timer) -> None:
    def alone(arms: tuple[ArmStatus, ...]) -> dict[str, float]:
        return {arm.arm: arm.seconds_alone for arm in arms if not math.isnan(arm.seconds_alone)}

    folder = root / "tiny"
    assert alone(read_status(folder).arms) == alone(preview(tiny(), folder).arms) == {}
    timer.noise = 0.0
    run_study(tiny("timing=on"), root)
    # 3 steps, and 40 examples at a hundredth of a step.
    expected = pytest.approx({"full": 3.4, "lora-r2": 6.8, "lora-r4": 13.6})
    assert alone(read_status(folder).arms) == alone(preview(tiny(), folder).arms) == expected
    changed = preview(tiny("arms.full.training.learning_rate=2e-3"), folder, inputs=None)
    assert set(alone(changed.arms)) == {"lora-r2", "lora-r4"}
    (folder / "timing.json").write_text("{")
    assert alone(read_status(folder).arms) == {}
