"""Timing of a trial alone: a few steps and a few batches of scoring, as the reference engine computes them."""

from __future__ import annotations

import gc
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import transformers
from torch import nn

from harness.engines.device import precision, threads, wait_for
from harness.engines.peak_memory import PeakMemory
from harness.engines.schedules import steps_per_epoch
from harness.engines.scoring import score
from harness.engines.trainer import TrainerEngine, unchanged_generators
from harness.quiet import quiet
from harness.study.trials import Trial

ClockName = Literal["CPU time", "wall clock"]

_WARM_UP = 1
_STEPS = 4
_BATCHES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedBlock:
    """What a trial took for a few steps and a few batches of scoring.

    Parameters
    ----------
    step_seconds : float or None
        Of one optimizer step; None where the trial trains none.
    example_seconds : float
        Of scoring one test example.
    peak_bytes : int
        Largest memory meanwhile, with building the model.
    """

    step_seconds: float | None
    example_seconds: float
    peak_bytes: int


class TrialTimer:
    """Times trials with the model, the batches, the optimizer and the loop of the reference engine.

    Parameters
    ----------
    engine : TrainerEngine
        The reference engine.
    """

    def __init__(self, engine: TrainerEngine) -> None:
        self._engine = engine
        self.threads = engine.threads
        self.device = engine.device
        self.memory_method = PeakMemory(engine.device).method
        # What else the machine does takes time from the wall, not from a thread. Only one thread can be asked for its
        # own, and it does not compute what a GPU does.
        self.clock: ClockName = "CPU time" if self.device.type == "cpu" and self.threads == 1 else "wall clock"

    def block(self, trial: Trial, turn: int) -> TimedBlock:
        """Time a few steps of a trial and then, with the model as it is, a few batches of the test split.

        Parameters
        ----------
        trial : Trial
            The trial; trials of one seed get the same training examples in the same order.
        turn : int
            Which batches are scored: other ones in every turn, spread over all lengths.
        """
        gc.collect()
        memory = PeakMemory(self.device)
        training = trial.settings.training
        with unchanged_generators(), threads(self.threads), precision(training), quiet():
            model = self._engine.build(trial)
            step = self._step_seconds(model, trial) if training.num_train_epochs else None
            example = self._example_seconds(model.to(self.device), training.per_device_eval_batch_size, turn)
        block = TimedBlock(step_seconds=step, example_seconds=example, peak_bytes=memory.bytes())
        del model
        if self.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
        return block

    def _step_seconds(self, model: nn.Module, trial: Trial) -> float:
        from harness.engines.study_trainer import StudyTrainer, training_arguments

        kept, _ = self._engine.split(trial)
        training = trial.settings.training
        enough = math.ceil((_WARM_UP + _STEPS) / steps_per_epoch(training, len(kept)))
        training = training.model_copy(update={"num_train_epochs": max(enough, training.num_train_epochs)})
        watch = _Watch(self._now)
        with tempfile.TemporaryDirectory() as folder:
            made = training_arguments(training, folder, self.device, trial.streams)
            trainer = StudyTrainer(model, made, kept, self._engine.padding, trial.streams, _Nobody())
            trainer.add_callback(watch)
            gc.collect()
            trainer.train()
        return (watch.ended - watch.began) / _STEPS

    def _example_seconds(self, model: nn.Module, batch_size: int, turn: int) -> float:
        test = self._engine.test
        # Scoring goes through the examples from short to long; so does it through these.
        by_length = np.argsort(test.lengths, kind="stable")
        batches = [by_length[start : start + batch_size] for start in range(0, len(test), batch_size)]
        apart = math.ceil(len(batches) / _BATCHES)
        some = test.take(np.concatenate(batches[turn % apart :: apart]))
        gc.collect()
        began = self._now()
        score(model, some, batch_size=batch_size, collate=self._engine.padding, device=self.device)
        return (self._now() - began) / len(some)

    def _now(self) -> float:
        if self.clock == "CPU time":
            return time.thread_time()
        wait_for(self.device)
        return time.perf_counter()


class _Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Reads the clock after the warm-up and after the steps that count, and ends the training there."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.began = self.ended = math.nan

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        if state.global_step == _WARM_UP:
            self.began = self._now()
        elif state.global_step == _WARM_UP + _STEPS:
            self.ended = self._now()
            control.should_training_stop = True


class _Nobody:
    """Hears nothing, and scores nothing when an epoch ends."""

    def stepped(self, step: int, steps: int, epoch: float) -> None:
        """Do nothing."""

    def close_epoch(self, model: nn.Module, epoch: int, train_loss: float, learning_rate: float) -> None:
        """Do nothing."""

    def out_of_patience(self) -> bool:
        """Return False."""
        return False
