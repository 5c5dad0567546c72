"""What a run shows: the right counts, and names taken as they are."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from analysis.records import EpochEntry, Record, Seconds, SplitScores
from harness.engines import Epoch, Failure, Outcome, Progress, Score
from harness.progress import Lines, Terminal, display_for
from harness.settings import Arm
from harness.trials import Trial

NASTY = ("q_proj[v]", "[/red]", "[bold]full")


def trial(arm: str, seed: int = 0) -> Trial:
    return Trial(arm=arm, seed=seed, settings=Arm(), holdout=None, tuning=False, content={}, key=f"v1-{arm}-{seed}")


def finished(arm: str, accuracy: float, seed: int = 0) -> Outcome:
    epoch = Epoch(
        epoch=1,
        learning_rate=0.0,
        train_loss=0.1,
        test=Score(loss=0.1, accuracy=accuracy),
        holdout=None,
        probabilities=None,
    )
    return Outcome(trial=trial(arm, seed), status="finished", epochs=(epoch,), selected_epoch=1, training_seconds=30)


@pytest.mark.parametrize("kind", [Lines, Terminal])
def test_names_are_taken_as_they_are(kind: Callable[[Console], Lines | Terminal]) -> None:
    """Trap 20: rich would eat [v], and stop at [/red]."""
    out = io.StringIO()
    display = kind(Console(file=out, width=100, force_terminal=kind is Terminal, color_system=None))
    display.open([trial(arm) for arm in NASTY], {}, 10.0)
    for arm in NASTY:
        display.step(Progress(trial=trial(arm), step=1, steps=2))
        display.outcome(finished(arm, 0.875))
    display.outcome(Outcome(trial=trial("[/b]"), status="failed", error=Failure(type="E", message="no [/dim] tag")))
    display.close()
    assert all(arm in out.getvalue() for arm in (*NASTY, "[/b]", "no [/dim] tag"))


def test_lines_count_and_estimate() -> None:
    out = io.StringIO()
    display = Lines(Console(file=out, width=100))
    cells = [trial(arm, seed) for seed in (0, 1) for arm in ("a", "b")]
    known = Record(
        key=cells[0].key,
        seed=0,
        status="finished",
        selected_epoch=1,
        epochs=(EpochEntry(epoch=1, test=SplitScores(accuracy=0.5)),),
        seconds=Seconds(training=60.0, evaluation=60.0, timing="solo"),
    )
    display.open(cells, {cells[0].key: known}, 10.0)
    display.outcome(finished("b", 0.9))
    first, second = out.getvalue().splitlines()
    assert first == "4 cells (2 arms x 2 seeds): 1 done, 3 to run, about 6 min"  # by the one that is measured
    assert second == "[2/4] b, seed 0: accuracy 90.0% in 30 s, 2 min 30 s left"  # a: 2 min, b: 30 s


def test_a_finished_study_has_nothing_to_run() -> None:
    out = io.StringIO()
    cells = [trial("a")]
    record = Record(key=cells[0].key, seed=0, status="diverged")
    Lines(Console(file=out, width=100)).open(cells, {cells[0].key: record}, 0.0)
    assert out.getvalue().strip() == "1 cell (1 arm x 1 seed): all done, nothing to run"


def test_what_did_not_finish_is_shown_with_its_reason() -> None:
    out = io.StringIO()
    display = Lines(Console(file=out, width=100))
    display.open([trial("a")], {}, 1.0)
    display.outcome(Outcome(trial=trial("a"), status="diverged", error=Failure(type="D", message="the loss is NaN")))
    assert "a, seed 0: diverged: the loss is NaN" in out.getvalue()


def test_bars_are_for_terminals() -> None:
    assert isinstance(display_for(Console(file=io.StringIO())), Lines)
    assert isinstance(display_for(Console(file=io.StringIO(), force_terminal=True)), Terminal)


@pytest.mark.parametrize("kind", [Lines, Terminal])
def test_a_time_that_is_not_known_is_said_to_be_so(kind: Callable[[Console], Lines | Terminal]) -> None:
    out = io.StringIO()
    display = kind(Console(file=out, width=100, force_terminal=kind is Terminal, color_system=None))
    display.open([trial("a")], {}, float("nan"))
    display.close()
    assert "time not known yet" in out.getvalue()
