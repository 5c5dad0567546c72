"""Timing a trial alone: what a block does, and what it leaves as it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness.engines import timing
from harness.engines.study_trainer import StudyTrainer
from harness.engines.timing import TrialTimer
from harness.engines.trainer import TrainerEngine
from harness.runs.runner import prepare
from harness.study.study import Study
from harness.study.trials import Trial, make_trial

Tiny = Callable[..., Study]


def ready(study: Study) -> tuple[TrialTimer, Callable[[str, int], Trial]]:
    checkpoint, data, engine = prepare(study, "trainer")
    assert isinstance(engine, TrainerEngine)
    start: dict[str, str] = {"model": checkpoint.identity, "data": data.fingerprint}
    return TrialTimer(engine), lambda arm, seed: make_trial(study, arm, study.arms[arm], seed=seed, **start)


def test_a_block_trains_the_same_batches_in_every_arm_and_times_what_it_says(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer, trial = ready(tiny("data.test_size=200", "training.per_device_eval_batch_size=16"))
    trained: list[list[list[int]]] = []
    scored: list[int] = []
    original, score = StudyTrainer.training_step, timing.score

    def step(self: StudyTrainer, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        trained.append(inputs["input_ids"].tolist())
        return original(self, model, inputs, *rest, **more)

    def counted(model: Any, examples: Any, **more: Any) -> Any:
        scored.append(len(examples))
        return score(model, examples, **more)

    monkeypatch.setattr(StudyTrainer, "training_step", step)
    monkeypatch.setattr(timing, "score", counted)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    blocks = [timer.block(trial(arm, 3), 3) for arm in ("full", "lora-r2")]
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after
    # Three steps an epoch: the trial is over before five steps are, and goes on.
    assert len(trained) == 10
    assert trained[:5] == trained[5:]
    # Of 13 batches every fourth, from the fourth on.
    assert scored == [48, 48]
    assert timer.clock == "CPU time"
    for block in blocks:
        assert block.step_seconds is not None
        assert 0 < block.example_seconds < block.step_seconds < 10
        assert block.peak_bytes > 2**20


def test_an_arm_that_trains_nothing_is_scored_alone(tiny: Tiny) -> None:
    timer, trial = ready(tiny("training.num_train_epochs=0"))
    block = timer.block(trial("full", 0), 0)
    assert block.step_seconds is None
    assert block.example_seconds > 0
