"""Opponents of the packed engine: plain Trainers that know nothing of the harness beyond its model."""

from __future__ import annotations

import copy
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
import transformers
from torch import nn

from harness import seeding
from harness.data.tokenization import TokenizedSplit
from harness.engines.result import TrialResult
from harness.models import checkpoints
from harness.models.build import build_model
from harness.quiet import quiet
from harness.study.settings import Arm
from harness.study.trials import Trial

PADDED_TO = 128
SIDE_BY_SIDE = 2
_STEPS_BEFOREHAND = 3

clock: Callable[[], float] = time.perf_counter
"""What trials are timed by; `time.process_time` where other work shares the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What one side did in its turn; an engine gives its results too."""

    trials_per_hour: float
    accuracy: float
    results: tuple[TrialResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the opponents train and score on: examples as a tokenizer makes them, not padded."""

    checkpoint: checkpoints.Checkpoint
    tokenizer: Any
    train: list[dict[str, Any]]
    test: list[dict[str, Any]]

    def build(self, arm: Arm, seed: int) -> nn.Module:
        """Build a trial's own model, the same as the packed engine trains."""
        streams = seeding.streams(seed)
        return build_model(self.checkpoint, arm, n_classes=2, pad_token_id=self.tokenizer.pad_token_id, streams=streams)


def examples(split: TokenizedSplit) -> list[dict[str, Any]]:
    """Return a split as a list that a Trainer reads."""
    return [{**row, "labels": int(label)} for row, label in zip(split.features, split.labels, strict=True)]


def plain_trainer(
    task: Task, model: nn.Module, arm: Arm, folder: str, *, careful: bool, max_steps: int = -1
) -> transformers.Trainer:
    """Return a Trainer as users make one: as it comes, or with a thought for padding, logging and evaluation.

    It is set to the arm's training, in a folder that it wants although nothing is saved; `max_steps` ends it early.
    """
    gpu = torch.cuda.is_available()
    settings = arm.training.model_dump(exclude_unset=True)
    if careful:
        settings |= {"optim": "adamw_torch_fused", "logging_strategy": "no", "per_device_eval_batch_size": 64}
        train, test = task.train, task.test
        collate: Any = transformers.DataCollatorWithPadding(task.tokenizer)
    else:
        train, test = _padded(task.tokenizer, task.train), _padded(task.tokenizer, task.test)
        collate = transformers.default_data_collator
    arguments = transformers.TrainingArguments(
        **settings,
        output_dir=folder,
        max_steps=max_steps,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,  # what it shows costs nothing, but would stand between the lines of this benchmark
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=test,
        data_collator=collate,
        compute_metrics=lambda scored: {"accuracy": float((scored.predictions.argmax(-1) == scored.label_ids).mean())},
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    return trainer


def _padded(tokenizer: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pad once and for all, as scripts do that pad where they tokenise."""
    batch = tokenizer.pad(rows, padding="max_length", max_length=PADDED_TO)
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def train_and_score(
    task: Task, model: nn.Module, arm: Arm, *, careful: bool, ready: Callable[[], object] = lambda: None
) -> Timed:
    """Train one trial with a plain Trainer and score it once.

    Before the clock starts, a copy of the model trains a few steps, so that what torch sets up once is not timed; then
    `ready` is called, which may wait for others.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        beforehand = plain_trainer(
            task, copy.deepcopy(model), arm, folder, careful=careful, max_steps=_STEPS_BEFOREHAND
        )
        beforehand.train()
        beforehand.evaluate(beforehand.eval_dataset[:64])
        del beforehand
        trainer = plain_trainer(task, model, arm, folder, careful=careful)
        ready()
        began = clock()
        trainer.train()
        accuracy = trainer.evaluate()["eval_accuracy"]
        seconds = clock() - began
    return Timed(trials_per_hour=3600 / seconds, accuracy=accuracy)


class SideBySide:
    """Two processes with a thread each, which train a trial each at the same time; they end with the context."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        for _ in range(SIDE_BY_SIDE):
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(theirs, task), daemon=True).start()
            theirs.close()
            self._pipes.append(ours)
        for pipe in self._pipes:
            pipe.recv()

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()

    def train(self, trials: Sequence[Trial]) -> Timed:
        """Train two trials; the rates are added, as each process would go on with a next trial."""
        for pipe, trial in zip(self._pipes, trials, strict=True):
            pipe.send((trial.settings, trial.seed))
        for pipe in self._pipes:
            pipe.recv()
        for pipe in self._pipes:
            pipe.send("go")
        timed = [pipe.recv() for pipe in self._pipes]
        return Timed(
            trials_per_hour=sum(trial.trials_per_hour for trial in timed),
            accuracy=statistics.mean(trial.accuracy for trial in timed),
        )


def _serve(pipe: Connection, task: Task) -> None:
    """Train what the pipe names, each trial when the pipe says so, until it is closed."""
    torch.set_num_threads(1)
    pipe.send("started")

    def ready() -> None:
        pipe.send("ready")
        pipe.recv()

    while True:
        try:
            arm, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(train_and_score(task, task.build(arm, seed), arm, careful=True, ready=ready))
