"""Progress displays: the right counts, and names shown as they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from analysis.records.trial_record import EpochEntry, Seconds, SplitScores, TrialRecord
from harness.engines.engine import Progress
from harness.engines.result import Epoch, Failure, Score, TrialResult
from harness.progress.displays import LogDisplay, TerminalDisplay, display_for
from harness.progress.tracker import ProgressTracker
from harness.study.settings import Arm
from harness.study.training import Training
from harness.study.trials import Trial

NASTY = ("q_proj[v]", "[/red]", "[bold]full")


def trial(arm: str, seed: int = 0, epochs: int = 1) -> Trial:
    settings = Arm(training=Training(num_train_epochs=epochs))
    return Trial(arm=arm, seed=seed, settings=settings, holdout=None, tuning=False, content={}, key=f"v1-{arm}-{seed}")


def finished(arm: str, accuracy: float | None, seed: int = 0) -> TrialResult:
    epoch = Epoch(
        epoch=1,
        learning_rate=0.0,
        train_loss=0.1,
        test=Score(loss=0.1, accuracy=accuracy),
        holdout=None,
        probabilities=None,
    )
    return TrialResult(
        trial=trial(arm, seed), status="finished", epochs=(epoch,), selected_epoch=1, training_seconds=30
    )


@pytest.mark.parametrize("kind", [LogDisplay, TerminalDisplay])
def test_names_are_taken_as_they_are(kind: Callable[[Console], LogDisplay | TerminalDisplay]) -> None:
    """Rich would swallow `[v]`, and raise an error at `[/red]`."""
    out = io.StringIO()
    display = kind(Console(file=out, width=100, force_terminal=kind is TerminalDisplay, color_system=None))
    display.open([trial(arm) for arm in NASTY], {}, 10.0)
    for arm in NASTY:
        display.step(Progress(trial=trial(arm), step=1, steps=2))
        display.outcome(finished(arm, 0.875))
    display.outcome(TrialResult(trial=trial("[/b]"), status="failed", error=Failure(type="E", message="no [/dim] tag")))
    display.close()
    assert all(arm in out.getvalue() for arm in (*NASTY, "[/b]", "no [/dim] tag"))


def test_lines_count_and_estimate() -> None:
    out = io.StringIO()
    display = LogDisplay(Console(file=out, width=100))
    trials = [trial(arm, seed) for seed in (0, 1) for arm in ("a", "b")]
    known = TrialRecord(
        key=trials[0].key,
        seed=0,
        status="finished",
        selected_epoch=1,
        epochs=(EpochEntry(epoch=1, test=SplitScores(accuracy=0.5)),),
        seconds=Seconds(training=60.0, evaluation=60.0, timing="solo"),
    )
    display.open(trials, {trials[0].key: known}, 10.0)
    display.outcome(finished("b", 0.9))
    first, second = out.getvalue().splitlines()
    assert first == "4 trials (2 arms x 2 seeds): 1 done, 3 to run, about 6 min"  # by the one that is measured
    assert second == "[2/4] b, seed 0: accuracy 90.0% in 30 s, 2 min 30 s left"  # a: 2 min, b: 30 s


def test_a_regression_shows_its_mean_squared_error() -> None:
    trials = [trial("a", seed) for seed in range(2)]
    epochs = (EpochEntry(epoch=1, test=SplitScores(loss=0.5)),)
    known = TrialRecord(key=trials[0].key, seed=0, status="finished", selected_epoch=1, epochs=epochs)
    tracker = ProgressTracker()
    tracker.open(trials, {trials[0].key: known}, 10.0)
    tracker.add(finished("a", None, seed=1))
    assert tracker.arms["a"].line() == "2/2 seeds  mean squared error 0.3  (0.1 to 0.5)"
    out = io.StringIO()
    display = LogDisplay(Console(file=out, width=100))
    display.open(trials, {}, 10.0)
    display.outcome(finished("a", None))
    assert "a, seed 0: mean squared error 0.1 in 30 s" in out.getvalue()


def test_a_finished_study_has_nothing_to_run() -> None:
    out = io.StringIO()
    trials = [trial("a")]
    record = TrialRecord(key=trials[0].key, seed=0, status="diverged")
    LogDisplay(Console(file=out, width=100)).open(trials, {trials[0].key: record}, 0.0)
    assert out.getvalue().strip() == "1 trial (1 arm x 1 seed): all done, nothing to run"


def test_what_did_not_finish_is_shown_with_its_reason() -> None:
    out = io.StringIO()
    display = LogDisplay(Console(file=out, width=100))
    display.open([trial("a")], {}, 1.0)
    display.outcome(
        TrialResult(trial=trial("a"), status="diverged", error=Failure(type="D", message="the loss is NaN"))
    )
    assert "a, seed 0: diverged: the loss is NaN" in out.getvalue()


def test_bars_are_for_terminals() -> None:
    assert isinstance(display_for(Console(file=io.StringIO())), LogDisplay)
    assert isinstance(display_for(Console(file=io.StringIO(), force_terminal=True)), TerminalDisplay)


@pytest.mark.parametrize("kind", [LogDisplay, TerminalDisplay])
def test_a_time_that_is_not_known_is_said_to_be_so(kind: Callable[[Console], LogDisplay | TerminalDisplay]) -> None:
    out = io.StringIO()
    display = kind(Console(file=out, width=100, force_terminal=kind is TerminalDisplay, color_system=None))
    display.open([trial("a")], {}, float("nan"))
    display.close()
    assert "time not known yet" in out.getvalue()


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def logged(clock: Clock, estimate: float, *trials: Trial) -> tuple[LogDisplay, io.StringIO]:
    out = io.StringIO()
    display = LogDisplay(Console(file=out, width=100), clock)
    display.open(trials, {}, estimate)
    return display, out


def at(running: Trial, epoch: float, **more: object) -> Progress:
    """Return where a trial of a hundred steps an epoch stands."""
    epochs = running.settings.training.num_train_epochs
    return Progress(trial=running, step=round(100 * epoch), steps=100 * epochs, epoch=epoch, **more)  # type: ignore[arg-type]


def test_turns_of_timing_move_a_bar_below_that_of_the_study() -> None:
    out = io.StringIO()
    display = TerminalDisplay(Console(file=out, width=100, force_terminal=True, color_system=None))
    display.open([trial("a")], {}, 10.0)
    display.outcome(finished("a", 0.875))
    for turn in range(3):
        display.timing(turn, 12)
    display.close()
    last = [line for line in out.getvalue().splitlines() if "turns at most" in line][-1]
    assert "timing" in last
    assert "2/12" in last


def test_a_run_from_look_to_look_has_one_bar_of_the_study() -> None:
    display = TerminalDisplay(Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None))
    for looked_at in ([trial("a")], [trial("a"), trial("b")]):
        display.open(looked_at, {}, 10.0)
        assert [(bar.fields["label"], bar.total) for bar in display._bars.tasks] == [("study", len(looked_at))]
        display.close()


def test_a_signal_during_the_timing_is_told_that_nothing_is_lost() -> None:
    out = io.StringIO()
    display = LogDisplay(Console(file=out, width=100))
    display.open([trial("a")], {}, 10.0)
    display.outcome(finished("a", 0.875))
    display.timing(1, 12)
    display.stopping("SIGINT")
    assert out.getvalue().endswith("Ctrl-C: ending the timing; every trial is stored\n")


def test_a_log_gets_a_line_an_epoch_and_one_a_minute() -> None:
    clock, long = Clock(), trial("a", epochs=3)
    display, out = logged(clock, 300.0, long)
    for second in range(301):
        clock.now = float(second)
        display.step(at(long, second / 100))
    assert out.getvalue().splitlines() == [
        "1 trial (1 arm x 1 seed): 0 done, 1 to run, about 5 min",
        "a, seed 0: epoch 1 of 3, step 60 of 300, 4 min left",
        "a, seed 0: epoch 1 of 3, step 100 of 300, 3 min 20 s left",
        "a, seed 0: epoch 2 of 3, step 160 of 300, 2 min 20 s left",
        "a, seed 0: epoch 2 of 3, step 200 of 300, 1 min 40 s left",
        "a, seed 0: epoch 3 of 3, step 260 of 300, 40 s left",
        "a, seed 0: epoch 3 of 3, step 300 of 300, 1 s left",
    ]


def test_a_pack_is_one_line_whatever_its_size() -> None:
    clock = Clock()
    pack = [trial(arm, seed, epochs=2) for arm in "abcde" for seed in range(4)]
    display, out = logged(clock, 1.0, *pack)
    for now, epoch in ((1.0, 0.1), (10.0, 1.0)):
        clock.now = now
        for member in pack:
            display.step(at(member, epoch))
    (line,) = out.getvalue().splitlines()[1:]
    assert line == "20 trials at once (a, b, c and 2 more arms): epoch 1 of 2, step 100 of 200, 10 s left"


def test_every_node_is_named_with_what_it_trains() -> None:
    """In a log, and below the bars of a terminal."""
    clock = Clock()
    trials = [trial(arm, seed) for arm in "ab" for seed in range(2)]
    display, out = logged(clock, 1.0, *trials)
    steps = [replace(at(member, 0.5), node=f"node-{member.arm}") for member in trials]
    clock.now = 70.0
    for step in steps * 2:
        display.step(step)
    on_each = ["node-a: 2 trials at once (a): epoch 1 of 1", "node-b: 2 trials at once (b): epoch 1 of 1"]
    assert all(words in out.getvalue().splitlines()[-1] for words in on_each)
    screen = io.StringIO()
    bars = TerminalDisplay(Console(file=screen, width=100, force_terminal=True, color_system=None))
    bars.open(trials, {}, 1.0)
    for step in steps:
        bars.step(step)
    assert [task.fields["label"] for task in bars._bars.tasks][1:3] == ["a, seed 0 on node-a", "a, seed 1 on node-a"]
    bars.close()
    assert all(words in screen.getvalue() for words in on_each)


def test_epochs_that_fly_by_do_not_fill_the_log() -> None:
    clock, quick = Clock(), trial("a", epochs=1000)
    display, out = logged(clock, 100.0, quick)
    for epoch in range(1, 1001):
        clock.now += 0.1
        display.step(at(quick, epoch))
    assert len(out.getvalue().splitlines()) <= 1 + 100 / 5


@pytest.mark.parametrize("estimate", [56.0, 36000.0, float("nan")])
def test_an_estimate_corrects_itself_while_the_first_trial_runs(estimate: float) -> None:
    """Twelve minutes in all, whatever a few probed steps foretold."""
    clock, long = Clock(), trial("a", epochs=12)
    tracker = ProgressTracker(clock)
    tracker.open([long], {}, estimate)
    tracker.step(at(long, 0.0))
    ratios = []
    for minute in range(1, 12):
        clock.now = 60.0 * minute
        tracker.step(at(long, minute))
        ratios.append(tracker.left() / (720 - clock.now))
    assert ratios == pytest.approx([1] * 11)


def test_a_few_steps_after_a_slow_start_move_the_estimate_little() -> None:
    """Imports and warm-up take 40 s before the first step, the next ones five times as long as all the others."""
    clock = Clock()
    pack = [trial("a", seed) for seed in range(5)]
    tracker = ProgressTracker(clock)
    tracker.open(pack, {}, 87 / 5)
    clock.now, seconds_left = 40.0, {}
    for step in range(1, 45):
        clock.now += 5.0 if step <= 4 else 1.0
        for member in pack:
            tracker.step(Progress(trial=member, step=step, steps=44, epoch=step / 44, by_epoch=True))
        seconds_left[step] = tracker.left()
    assert all(40 < seconds_left[step] < 150 for step in range(1, 6))
    assert seconds_left[34] == pytest.approx(10, rel=0.5)


def test_what_an_earlier_process_trained_says_nothing_of_this_ones_pace() -> None:
    clock, long = Clock(), trial("a", epochs=4)
    tracker = ProgressTracker(clock)
    tracker.open([long], {}, float("nan"))
    tracker.step(at(long, 2.0, began=200))
    clock.now = 60.0
    tracker.step(at(long, 3.0, began=200))
    assert tracker.left() == pytest.approx(60)


def test_an_interrupted_trial_is_still_to_do() -> None:
    clock, interrupted = Clock(), trial("a")
    display, out = logged(clock, 840.0, interrupted)
    error = Failure(type="KeyboardInterrupt", message="stopped by SIGTERM")
    display.outcome(TrialResult(trial=interrupted, status="interrupted", error=error, training_seconds=1))
    assert out.getvalue().splitlines()[1] == "[0/1] a, seed 0: interrupted: stopped by SIGTERM, 14 min left"


@pytest.mark.parametrize(
    ("by_epoch", "words"),
    [
        (False, "finishing the current trial (a, seed 0: epoch 2 of 3, step 140 of 300), about 1 min 20 s; "),
        (True, "finishing the current epoch (a, seed 0: epoch 2 of 3, step 140 of 300), about 30 s; "),
    ],
)
def test_a_signal_is_told_what_is_finished_first_and_how_long_it_takes(by_epoch: bool, words: str) -> None:
    clock, running = Clock(), trial("a", epochs=3)
    display, out = logged(clock, 150.0, running)
    for step in range(1, 15):
        clock.now = 5.0 * step
        display.step(at(running, step / 10, by_epoch=by_epoch))
    display.stopping("SIGTERM")
    line = out.getvalue().splitlines()[-1]
    assert line.startswith(f"SIGTERM: {words}a second SIGTERM stops now")
