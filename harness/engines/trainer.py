"""`transformers.Trainer`, one trial at a time: the reference that every faster engine must equal."""

from __future__ import annotations

import gc
import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from harness import models, seeding
from harness.data import Split, TaskData
from harness.engines import Engine, Epoch, Failure, Outcome, Progress, Report, Score
from harness.engines.batches import DivergedError, Examples, Padding, score
from harness.engines.memory import PeakMemory
from harness.quiet import quiet
from harness.settings import Data, Training
from harness.trials import Trial

# How many steps may pass between two looks at the loss: a look makes a GPU wait.
_STEPS_BETWEEN_CHECKS = 25
_PROBED_STEPS = 3


class TrainerEngine(Engine):
    """Trains trials one after the other with `transformers.Trainer`.

    Parameters
    ----------
    checkpoint : Checkpoint
        What every trial starts from.
    data : TaskData
        What every trial is trained and scored on.
    layout : Data
        How batches are padded.
    pad_token_id : int
        The tokenizer's padding token.
    """

    name = "trainer"

    def __init__(self, checkpoint: models.Checkpoint, data: TaskData, layout: Data, pad_token_id: int) -> None:
        self._checkpoint = checkpoint
        self._data = data
        self._padding = Padding(data=layout, pad_token_id=pad_token_id)
        self._device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
        self._test = Examples(data.test)

    def train(self, trials: Sequence[Trial], *, report: Report) -> Iterator[Outcome]:
        """Train the trials one after the other."""
        for trial in trials:
            with _unchanged_generators():
                outcome = _Run(self, trial, report).outcome()
            yield outcome

    def estimate(self, trial: Trial) -> float:
        """Return the seconds that the trial would take, from a few training steps and one batch of scoring."""
        training = trial.settings.training
        kept, _ = self.split(trial)
        examples = Examples(kept.take(np.arange(min(len(kept), training.per_device_train_batch_size))))
        steps = math.ceil(len(kept) / training.per_device_train_batch_size) * training.num_train_epochs
        batches = math.ceil(len(self._test) / training.per_device_eval_batch_size)
        with _unchanged_generators():
            started = time.perf_counter()
            model = self.build(trial).to(self._device).train()
            built = time.perf_counter() - started
            batch = {k: v.to(self._device) for k, v in self._padding(examples.rows).items()}
            model(**batch).loss.backward()
            started = time.perf_counter()
            for _ in range(_PROBED_STEPS):
                model(**batch).loss.backward()
            step = (time.perf_counter() - started) / _PROBED_STEPS
            middle = np.argsort(self._test.lengths)[len(self._test) // 2 :][: training.per_device_eval_batch_size]
            probed = Examples(self._data.test.take(middle))
            started = time.perf_counter()
            score(model, probed, batch_size=len(probed), collate=self._padding, device=self._device)
            scored = time.perf_counter() - started
        return built + steps * step * 1.2 + batches * scored * max(1, training.num_train_epochs)

    def split(self, trial: Trial) -> tuple[Split, Split | None]:
        """Return what the trial is trained on and what it holds out."""
        if trial.holdout is None:
            return self._data.train, None
        return self._data.with_holdout(trial.holdout.fraction)

    def build(self, trial: Trial) -> nn.Module:
        """Build the trial's model from its own stream."""
        return models.build(
            self._checkpoint,
            trial.settings,
            n_classes=len(self._data.classes),
            pad_token_id=self._padding.pad_token_id,
            streams=seeding.streams(trial.seed),
        )


class _Run:
    """One trial on its way to an outcome."""

    def __init__(self, engine: TrainerEngine, trial: Trial, report: Report) -> None:
        self.engine = engine
        self.trial = trial
        self.report = report
        self.training = trial.settings.training
        self.kept, held = engine.split(trial)
        self.held = Examples(held) if held is not None else None
        self.epochs: list[Epoch] = []
        self.evaluation_seconds = 0.0
        self.steps = 0
        self.parameters = models.Parameters(total=0, trainable=0)

    def outcome(self) -> Outcome:
        """Train, and turn whatever happens into an outcome."""
        memory = PeakMemory(self.engine._device)
        started = time.perf_counter()
        status, error = "finished", None
        try:
            self._train()
        except DivergedError as reason:
            status, error = "diverged", Failure(type="DivergedError", message=str(reason))
        except KeyboardInterrupt:
            status, error = "interrupted", Failure(type="KeyboardInterrupt", message="stopped by the user")
        except Exception as reason:  # whatever breaks in one trial is recorded, and its neighbours go on
            status, error = "failed", Failure(type=type(reason).__name__, message=str(reason) or repr(reason))
        seconds = time.perf_counter() - started
        gc.collect()
        if self.engine._device.type == "cuda":
            torch.cuda.empty_cache()
        kept = tuple(self.epochs) if status in {"finished", "diverged"} else ()
        per_epoch = sum(len(row["input_ids"]) for row in self.kept.features)
        trained_epochs = sum(epoch.epoch > 0 for epoch in kept)
        return Outcome(
            trial=self.trial,
            status=status,  # type: ignore[arg-type]
            error=error,
            epochs=kept,
            selected_epoch=self._selected(kept) if status == "finished" else None,
            training_seconds=seconds - self.evaluation_seconds,
            evaluation_seconds=self.evaluation_seconds,
            steps=self.steps,
            tokens=per_epoch * trained_epochs,
            peak_memory=memory.bytes(),
            memory_method=memory.method,
            total_parameters=self.parameters.total,
            trainable_parameters=self.parameters.trainable,
            n_train=len(self.kept),
            n_holdout=len(self.held) if self.held is not None else 0,
            engine=self.engine.name,
            device=self.engine._device.type,
            device_name=_device_name(self.engine._device),
            precision="bf16" if self.training.bf16 else "fp32",
        )

    def _train(self) -> None:
        model = self.engine.build(self.trial)
        self.parameters = models.count(model)
        if self.training.num_train_epochs == 0:
            model.to(self.engine._device)
            self.close_epoch(model, 0, float("nan"), 0.0)
            return
        with tempfile.TemporaryDirectory() as folder, quiet():
            trainer = _Trainer(self, model, _arguments(self.training, folder, self.engine._device, self.trial))
            trainer.train()

    def close_epoch(self, model: nn.Module, epoch: int, train_loss: float, learning_rate: float) -> None:
        """Score the model as it is now."""
        started = time.perf_counter()
        broken = next(
            (name for name, p in model.named_parameters() if p.requires_grad and not torch.isfinite(p).all()),
            None,
        )
        if broken is not None:
            raise DivergedError(f"the weights of {broken} are not finite after epoch {epoch}")
        test, probabilities = (None, None) if self.trial.tuning else self._score(model, self.engine._test)
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

    def _score(self, model: nn.Module, examples: Examples) -> tuple[Score, np.ndarray]:
        return score(
            model,
            examples,
            batch_size=self.training.per_device_eval_batch_size,
            collate=self.engine._padding,
            device=self.engine._device,
        )

    def out_of_patience(self) -> bool:
        """Whether the hold-out has not improved for as many epochs as the study allows."""
        holdout = self.trial.holdout
        if holdout is None or holdout.patience is None:
            return False
        best = self._selected(tuple(self.epochs))
        return best is not None and self.epochs[-1].epoch - best >= holdout.patience

    def _selected(self, epochs: tuple[Epoch, ...]) -> int | None:
        if not epochs:
            return None
        holdout = self.trial.holdout
        if holdout is None:
            return epochs[-1].epoch

        def badness(epoch: Epoch) -> float:
            if epoch.holdout is None:
                return math.inf
            return epoch.holdout.loss if holdout.best == "loss" else -epoch.holdout.accuracy

        # min keeps the earliest of equals
        return min(epochs, key=badness).epoch


class _Trainer(transformers.Trainer):  # type: ignore[misc]
    """A Trainer with the study's order of examples, and with a look at the loss that hides nothing."""

    # A classification model takes the mean over its micro-batch, so accumulated ones are averaged, not summed.
    loss_is_scaled_for_ga = False

    def __init__(self, run: _Run, model: nn.Module, arguments: transformers.TrainingArguments) -> None:
        self._run = run
        self._order = _Order(seeding.streams(run.trial.seed).data_order, len(run.kept))
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=Examples(run.kept),
            data_collator=run.engine._padding,
            callbacks=[_Hooks(run, self)],
        )
        self.remove_callback(transformers.trainer_callback.PrinterCallback)
        self.epoch_loss = torch.zeros((), device=arguments.device)
        self.epoch_steps = 0

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:  # noqa: ARG002
        return self._order

    def training_step(self, model: nn.Module, *inputs: Any, **kwargs: Any) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(model, *inputs, **kwargs)
        # The Trainer hands on loss / accumulation; the mean loss of the micro-batch is what the record tells.
        self.epoch_loss += loss.detach().float() * self.current_gradient_accumulation_steps
        self.epoch_steps += 1
        if self.epoch_steps % _STEPS_BETWEEN_CHECKS == 0:
            self.check_loss()
        return loss

    def check_loss(self) -> None:
        """Stop a trial whose loss is no longer a number."""
        if not torch.isfinite(self.epoch_loss):
            raise DivergedError(f"the training loss is not finite, by step {self.state.global_step + 1}")


class _Hooks(transformers.TrainerCallback):  # type: ignore[misc]
    """What the harness does at the seams of a training."""

    def __init__(self, run: _Run, trainer: _Trainer) -> None:
        self._run = run
        self._trainer = trainer
        self._reported = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        # From here on only dropout draws, whatever was drawn before it.
        torch.manual_seed(seeding.streams(self._run.trial.seed).dropout)

    def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        self._run.steps = state.global_step
        now = time.monotonic()
        if now - self._reported > 0.1 or state.global_step == state.max_steps:
            self._reported = now
            self._run.report(
                Progress(trial=self._run.trial, step=state.global_step, steps=state.max_steps, epoch=state.epoch)
            )

    def on_epoch_end(self, _: Any, state: Any, control: Any, *, model: nn.Module, **__: Any) -> None:
        trainer = self._trainer
        trainer.check_loss()
        loss = float(trainer.epoch_loss / trainer.epoch_steps)
        trainer.epoch_loss.zero_()
        trainer.epoch_steps = 0
        self._run.close_epoch(model, round(state.epoch), loss, float(trainer.lr_scheduler.get_last_lr()[0]))
        if self._run.out_of_patience():
            control.should_training_stop = True


class _Order(torch.utils.data.Sampler[int]):
    """The order of the examples, from the trial's own stream: a fresh one every epoch."""

    def __init__(self, data_order: int, n: int) -> None:
        self._data_order = data_order
        self._n = n
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Move on to an epoch, counted from 0; the Trainer calls it."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(seeding.order(self._data_order, self._epoch, self._n).tolist())

    def __len__(self) -> int:
        return self._n


def _arguments(training: Training, folder: str, device: torch.device, trial: Trial) -> transformers.TrainingArguments:
    fields = training.model_dump()
    warmup = fields["warmup_steps"]
    arguments = transformers.TrainingArguments(
        **{**fields, "warmup_steps": warmup if warmup < 1 else int(warmup)},
        output_dir=folder,
        seed=seeding.streams(trial.seed).dropout,
        use_cpu=device.type == "cpu",
        report_to="none",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
    )
    # With more GPUs in sight the Trainer would spread each batch over them, and so train with a larger one.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


@contextmanager
def _unchanged_generators() -> Iterator[None]:
    """Leave Python's, NumPy's and torch's global generators as they were: the Trainer seeds all of them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
