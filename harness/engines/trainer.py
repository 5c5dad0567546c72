"""Reference engine: transformers' Trainer, one trial at a time; every faster engine must equal it."""

from __future__ import annotations

import gc
import math
import random
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import nn

from harness.data.tokenization import TokenizedDataset
from harness.data.training_set import training_set
from harness.engines.batches import Padding, SplitDataset
from harness.engines.device import (
    device_name,
    precision,
    precision_name,
    threads,
    usual_device,
    wait_for,
    worthwhile_threads,
)
from harness.engines.divergence import DivergedError
from harness.engines.engine import SECONDS_BETWEEN_REPORTS, Claim, Engine, Progress, ReportProgress, claim_all
from harness.engines.epoch_selection import out_of_patience, selected_epoch
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import Epoch, Failure, Score, TrialResult
from harness.engines.schedules import learning_rates, steps_per_epoch
from harness.engines.scoring import score
from harness.models import build, checkpoints
from harness.quiet import quiet
from harness.study.settings import Arm, Data
from harness.study.trials import Trial

_PROBED_STEPS = 3
# Python 3.12 itself begins with 375 things frozen; whoever freezes a process freezes thousands.
_FROZEN_BY_PYTHON = 1000


class TrainerEngine(Engine):
    """Trains trials one after the other with `transformers.Trainer`.

    Parameters
    ----------
    checkpoint : Checkpoint
        What every trial starts from.
    data : TokenizedDataset
        What every trial is trained and scored on.
    data_settings : Data
        How batches are padded.
    pad_token_id : int
        The tokenizer's padding token.
    """

    name = "trainer"

    def __init__(
        self, checkpoint: checkpoints.Checkpoint, data: TokenizedDataset, data_settings: Data, pad_token_id: int
    ) -> None:
        self._checkpoint = checkpoint
        self._data = data
        self.padding = Padding(data=data_settings, pad_token_id=pad_token_id)
        self.device = usual_device()
        self.threads = worthwhile_threads(build.parameter_counts(checkpoint, Arm(), n_classes=len(data.classes)).total)

    # Tensors of thousands of examples, which a run that trains all in packs has no use for.
    @cached_property
    def test(self) -> SplitDataset:
        """The test split."""
        return SplitDataset(self._data.test)

    @cached_property
    def _train(self) -> SplitDataset:
        return SplitDataset(self._data.train)

    def train(
        self,
        trials: Sequence[Trial],
        *,
        report: ReportProgress,
        done: Container[str] = frozenset(),
        stop: Callable[[], bool] = lambda: False,
        claim: Claim = claim_all,
    ) -> Iterator[TrialResult]:
        """Train the trials that are not done, one after the other."""
        for trial in trials:
            if trial.key in done:
                continue
            if stop():
                return
            if not claim((trial,)):
                continue
            with (
                unchanged_generators(),
                quick_collections(),
                threads(self.threads),
                precision(trial.settings.training),
            ):
                outcome = _Run(self, trial, report).outcome()
            yield outcome

    def estimate(self, trial: Trial) -> float:
        """Return the seconds that the trial would take, from a few training steps and one batch of scoring."""
        training = trial.settings.training
        kept, _ = self.split(trial)
        steps = math.ceil(len(kept) / training.per_device_train_batch_size) * training.num_train_epochs
        batches = math.ceil(len(self.test) / training.per_device_eval_batch_size)
        with unchanged_generators(), threads(self.threads):
            started = time.perf_counter()
            model = self.build(trial).to(self.device).train()
            built = time.perf_counter() - started
            batch = {
                k: v.to(self.device) for k, v in self.padding(kept.rows[: training.per_device_train_batch_size]).items()
            }
            model(**batch).loss.backward()
            wait_for(self.device)
            started = time.perf_counter()
            for _ in range(_PROBED_STEPS):
                model(**batch).loss.backward()
            wait_for(self.device)
            step = (time.perf_counter() - started) / _PROBED_STEPS
            middle = np.argsort(self.test.lengths)[len(self.test) // 2 :][: training.per_device_eval_batch_size]
            probed = SplitDataset(self._data.test.take(middle))
            started = time.perf_counter()
            score(model, probed, batch_size=len(probed), collate=self.padding, device=self.device)
            scored = time.perf_counter() - started
        return built + steps * step * 1.2 + batches * scored * max(1, training.num_train_epochs)

    def split(self, trial: Trial) -> tuple[SplitDataset, SplitDataset | None]:
        """Return what the trial is trained on and what it holds out."""
        own = training_set(trial, len(self._data.train))
        return self._train.take(own.kept), None if own.held is None else self._train.take(own.held)

    def build(self, trial: Trial) -> nn.Module:
        """Build the trial's model from its own stream."""
        training, n_train = trial.settings.training, len(training_set(trial, len(self._data.train)).kept)
        return build.build_model(
            self._checkpoint,
            trial.settings,
            n_classes=len(self._data.classes),
            pad_token_id=self.padding.pad_token_id,
            streams=trial.streams,
            steps=steps_per_epoch(training, n_train) * training.num_train_epochs,
        )


class _Run:
    """One trial on its way to an outcome."""

    def __init__(self, engine: TrainerEngine, trial: Trial, report: ReportProgress) -> None:
        self.engine = engine
        self.trial = trial
        self.report = report
        self.training = trial.settings.training
        self.kept, self.held = engine.split(trial)
        # Made here where it is the first time, and not within the seconds of an evaluation.
        self.test = None if trial.tuning else engine.test
        self.epochs: list[Epoch] = []
        self.training_seconds = 0.0
        self.evaluation_seconds = 0.0
        self.steps = 0
        self.reported = 0.0
        self.parameters = build.ParameterCounts(total=0, trainable=0)

    def outcome(self) -> TrialResult:
        """Train, and turn whatever happens into an outcome."""
        memory = PeakMemory(self.engine.device)
        status, error = "finished", None
        try:
            self._train()
        except DivergedError as reason:
            status, error = "diverged", Failure(type="DivergedError", message=str(reason))
        except KeyboardInterrupt as reason:
            status, error = "interrupted", Failure.interrupted(reason)
        except Exception as reason:  # whatever breaks in one trial is recorded, and its neighbours go on
            status, error = "failed", Failure(type=type(reason).__name__, message=str(reason) or repr(reason))
        gc.collect()
        if self.engine.device.type == "cuda":
            torch.cuda.empty_cache()
        kept = tuple(self.epochs) if status in {"finished", "diverged"} else ()
        trained_epochs = sum(epoch.epoch > 0 for epoch in kept)
        return TrialResult(
            trial=self.trial,
            status=status,  # type: ignore[arg-type]
            error=error,
            epochs=kept,
            selected_epoch=selected_epoch(kept, self.trial.holdout) if status == "finished" else None,
            training_seconds=self.training_seconds,
            evaluation_seconds=self.evaluation_seconds,
            steps=self.steps,
            tokens=int(self.kept.lengths.sum()) * trained_epochs,
            peak_memory=memory.bytes(),
            memory_method=memory.method,
            total_parameters=self.parameters.total,
            trainable_parameters=self.parameters.trainable,
            n_train=len(self.kept),
            n_holdout=len(self.held) if self.held is not None else 0,
            engine=self.engine.name,
            device=self.engine.device.type,
            device_name=device_name(self.engine.device),
            precision=precision_name(self.training, self.engine.device),
            threads=self.engine.threads,
        )

    def _train(self) -> None:
        # The Trainer loads half of what Hugging Face has made; a run that trains all in packs can do without.
        from harness.engines.study_trainer import StudyTrainer, training_arguments

        # The Trainer would meet a schedule that breaks at its last step, after all the training.
        learning_rates(self.training, steps_per_epoch(self.training, len(self.kept)) * self.training.num_train_epochs)
        model = self.engine.build(self.trial)
        self.parameters = build.count_parameters(model)
        if self.training.num_train_epochs == 0:
            model.to(self.engine.device)
            self.close_epoch(model, 0, float("nan"), 0.0)
            return
        with tempfile.TemporaryDirectory() as folder, quiet():
            streams = self.trial.streams
            made = training_arguments(self.training, folder, self.engine.device, streams)
            trainer = StudyTrainer(model, made, self.kept, self.engine.padding, streams, self)
            started = time.perf_counter()
            try:
                trainer.train()
            finally:
                self.training_seconds = time.perf_counter() - started - self.evaluation_seconds

    def stepped(self, step: int, steps: int, epoch: float) -> None:
        """Report the step, but not so often that reporting costs time."""
        self.steps = step
        now = time.monotonic()
        if now - self.reported > SECONDS_BETWEEN_REPORTS or step == steps:
            self.reported = now
            self.report(Progress(trial=self.trial, step=step, steps=steps, epoch=epoch))

    def close_epoch(self, model: nn.Module, epoch: int, train_loss: float, learning_rate: float) -> None:
        """Score the model as it is now."""
        started = time.perf_counter()
        broken = next(
            (name for name, p in model.named_parameters() if p.requires_grad and not torch.isfinite(p).all()),
            None,
        )
        if broken is not None:
            raise DivergedError(f"the weights of {broken} are not finite after epoch {epoch}")
        test, probabilities = (None, None) if self.test is None else self._score(model, self.test)
        holdout = self._score(model, self.held)[0] if self.held is not None else None
        self.epochs.append(
            Epoch(
                epoch=epoch,
                learning_rate=learning_rate,
                train_loss=train_loss,
                test=test,
                holdout=holdout,
                probabilities=probabilities,
            )
        )
        self.evaluation_seconds += time.perf_counter() - started

    def _score(self, model: nn.Module, examples: SplitDataset) -> tuple[Score, np.ndarray]:
        return score(
            model,
            examples,
            batch_size=self.training.per_device_eval_batch_size,
            collate=self.engine.padding,
            device=self.engine.device,
        )

    def out_of_patience(self) -> bool:
        """Whether the hold-out has not improved for as many epochs as the study allows."""
        return out_of_patience(self.epochs, self.trial.holdout)


@contextmanager
def unchanged_generators() -> Iterator[None]:
    """Leave Python's, NumPy's and torch's global generators as they were: the Trainer seeds all of them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def quick_collections() -> Iterator[None]:
    """Let Python's collector skip what is there now, for a while: to look through it takes longer than small steps.

    Where a caller has it skip things already, that stays as it is: nobody could thaw the new ones alone.
    """
    if gc.get_freeze_count() > _FROZEN_BY_PYTHON:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
