"""Learning rates, computed before anything is trained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import cli
from harness.engines.packed.engine import PackedEngine
from harness.engines.schedules import ScheduleError, check, learning_rates
from harness.errors import StudyError
from harness.runs.runner import prepare, run_study
from harness.study.study import Study
from harness.study.training import Training
from tests.harness.engines.packed.conftest import expanded

Tiny = Callable[..., Study]


def test_learning_rates_are_those_of_the_schedule() -> None:
    rates = learning_rates(Training(learning_rate=0.1, warmup_steps=2.0), 6)
    assert rates == pytest.approx([0, 0.05, 0.1, 0.075, 0.05, 0.025, 0])
    assert learning_rates(Training(learning_rate=0.1, warmup_steps=0.25), 6)[:3] == pytest.approx([0, 0.05, 0.1])
    assert learning_rates(Training(lr_scheduler_type="polynomial"), 0) == [0.0]  # nothing is trained
    ahead = {"lr_scheduler_type": "cosine_warmup_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}}
    rates = learning_rates(Training.model_validate(ahead | {"learning_rate": 0.1}), 3)
    assert rates == pytest.approx([0.0775, 0.0325, 0.01, 0.0325])


WSD = {"lr_scheduler_type": "warmup_stable_decay"}


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        (
            {"lr_scheduler_type": "polynomial", "warmup_steps": 30.0},
            "warmup_steps",
            "cannot be computed: division by zero",
        ),
        ({"warmup_steps": 30.0}, "warmup_steps", "never reaches the learning rate of 5e-05, only 4.83e-05"),
        ({"lr_scheduler_type": "cosine", "warmup_steps": 60.0}, "warmup_steps", "never reaches"),
        (
            WSD | {"lr_scheduler_kwargs": {"num_decay_steps": 60}},
            "lr_scheduler_kwargs.num_decay_steps",
            "'warmup_stable_decay' over 30 steps, with 0 steps of warm-up and 60 of decay, never reaches the learning "
            "rate of 5e-05, only 2.5e-05; let warm-up and decay together fit into the training",
        ),
        (
            WSD | {"lr_scheduler_kwargs": {"num_decay_steps": 5, "decay_type": "steep"}},
            "lr_scheduler_kwargs",
            "'cosine'",
        ),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 1e-3}},
            "lr_scheduler_kwargs",
            "smaller",
        ),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": "two"}},
            "lr_scheduler_kwargs",
            "computed",
        ),
        (
            {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-3}},
            "lr_scheduler_kwargs",
            "rises above the learning rate of 5e-05, to",
        ),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": -1e-3}},
            "lr_scheduler_kwargs",
            "gives a learning rate of -",
        ),
        (
            {"lr_scheduler_type": "inverse_sqrt", "lr_scheduler_kwargs": {"timescale": 0}},
            "lr_scheduler_kwargs",
            "cannot be computed",
        ),
    ],
)
def test_a_schedule_that_breaks_or_misleads_is_refused_by_the_name_of_its_setting(
    settings: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        learning_rates(Training.model_validate(settings), 30)
    assert caught.value.key == f"training.{key}"
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"warmup_steps": 29.0},
        {"lr_scheduler_type": "polynomial", "warmup_steps": 29.0},
        {"lr_scheduler_type": "inverse_sqrt", "warmup_steps": 0.5},
        {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0.1},
        {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 3}},
        WSD | {"warmup_steps": 9.0, "lr_scheduler_kwargs": {"num_decay_steps": 20}},
        WSD | {"lr_scheduler_kwargs": {"num_decay_steps": 30, "num_stable_steps": 5}},
    ],
)
def test_a_schedule_that_reaches_its_learning_rate_is_one(settings: dict[str, object]) -> None:
    rates = learning_rates(Training.model_validate(settings), 30)
    assert len(rates) == 31
    assert max(rates) == pytest.approx(5e-5)


POLYNOMIAL = "arms.lora.training={lr_scheduler_type: polynomial, warmup_steps: 3}"


def test_a_study_is_refused_before_anything_is_written_and_its_plan_says_the_same(
    tiny: Tiny,
    tiny_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """48 examples by 16 are 3 steps; an arm that holds some out has fewer."""
    held = "arms.full={training: {warmup_steps: 2}, selection: {best: loss, fraction: 0.4}}"
    with pytest.raises(StudyError) as caught:
        run_study(tiny(POLYNOMIAL, held), tmp_path / "results")
    assert not (tmp_path / "results").exists()
    first, second = map(str, caught.value.problems)
    assert first.startswith("arm full: training.warmup_steps: 'linear' over 2 steps, with 2 steps of warm-up, never")
    assert second.startswith("arm lora-r2, lora-r4: training.warmup_steps: 'polynomial' over 3 steps, with 3 steps of")
    arguments = ["plan", str(tiny_file), POLYNOMIAL, held, "--results", str(tmp_path / "results")]
    monkeypatch.setattr(sys, "argv", ["harness", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert first in message
    assert second in message


def test_a_candidate_that_cannot_be_is_told_as_such_and_not_trained(tiny: Tiny) -> None:
    search = "{trials: 2, space: {training.warmup_steps: {low: 0, high: 90}}}"
    study = tiny(f"arms.full={{search: {search}}}")
    check(study, 48)  # candidates are judged one by one
    packed, trials = expanded(tiny())
    assert isinstance(packed, PackedEngine)
    late = trials[0].settings.training.model_copy(update={"warmup_steps": 30.0})
    trial = replace(trials[0], settings=trials[0].settings.model_copy(update={"training": late}))
    for engine in (packed, prepare(study, "trainer")[2]):
        (outcome,) = engine.train([trial], report=print)
        assert (outcome.status, outcome.steps) == ("failed", 0)
        assert outcome.error is not None
        assert "with 30 steps of warm-up, never reaches the learning rate" in outcome.error.message
