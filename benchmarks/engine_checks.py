"""Checks that the packed engine computes what it should on the device at hand, for a benchmark to make beforehand.

Tiny models of GPT-2 and DistilBERT with random weights, two epochs of a few steps:

- equality: a pack of three against the reference engine, LoRA and full fine-tuning, without dropout;
- isolation: a trial alone and between two others, with dropout;
- resumption: a pack that was stopped after its first epoch and resumed from its file, against one that was not.

Each compares what was trained and what is predicted. In double precision only the order of sums may differ; in single
precision differences of rounding grow from step to step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from random_task import CONFIGS, checkpoint, full, lora, random_splits, trials_of
from torch import nn

from harness.data.tokenization import TokenizedDataset
from harness.engines.engine import Engine
from harness.engines.packed.pack import Pack
from harness.engines.packed.ragged import PackData, RaggedSplit
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import TrialResult
from harness.engines.trainer import TrainerEngine
from harness.study.settings import Arm, Data
from harness.study.trials import Trial

# Six steps an epoch, the last of them short.
_TRAIN, _TEST, _BATCH = 45, 24, 8
_TRAINING = {"num_train_epochs": 2, "per_device_train_batch_size": _BATCH, "learning_rate": 2e-3}
_ALLOWED = {torch.float64: 1e-8, torch.float32: 1e-4}
# Scores are computed in single precision.
_ALLOWED_PROBABILITY = 1e-6
_PRECISIONS = {torch.float64: "fp64", torch.float32: "fp32"}
# Of the adapters of a pack: ranks and learning rates.
_ADAPTERS = ((2, 5e-3), (8, 2e-3), (3, 1e-2))


class CheckFailedError(Exception):
    """The packed engine does not compute what it should."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a trial was trained to."""

    weights: dict[str, torch.Tensor]
    result: TrialResult


class Reference(TrainerEngine):
    """The reference engine, in a precision of its own, and with a look at the model that it trained last."""

    def __init__(self, *args: object, dtype: torch.dtype) -> None:
        super().__init__(*args)
        self._dtype = dtype
        self.model: nn.Module

    def build(self, trial: Trial) -> nn.Module:
        """Build the trial's model, and remember it."""
        self.model = super().build(trial).to(self._dtype)
        return self.model


class Checks:
    """The checks of one model family in one precision.

    Parameters
    ----------
    name : str
        The family.
    dtype : torch.dtype
        Of the weights.
    dropout : bool
        Whether the model has dropout.
    folder : Path
        For the checkpoint and the saved pack.
    """

    def __init__(self, name: str, dtype: torch.dtype, *, dropout: bool, folder: Path) -> None:
        self._folder = folder
        self._dtype = dtype
        # As small as a library draws them, weights would hardly show a mistake in how they are used.
        pretrained = checkpoint(name, folder, tiny=True, dropout=dropout, spread=0.1)
        train, test = random_splits(pretrained.config.vocab_size, _TRAIN, _TEST)
        data = TokenizedDataset(train=train, test=test, classes=("0", "1"), fingerprint="", clusters=None, dataset=None)
        self._reference = Reference(pretrained, data, Data(path="random"), 0, dtype=dtype)
        self._device = self._reference.device
        self._data = PackData(
            train=RaggedSplit(train, self._device), test=RaggedSplit(test, self._device), holdout=None
        )

    def equality(self, arms: Sequence[Arm]) -> str:
        """Compare a pack with the reference engine."""
        trials = trials_of(arms)
        packed = self._pack(trials)
        return self._same([(mine, self._alone(trial)) for mine, trial in zip(packed, trials, strict=True)])

    def isolation(self, arms: Sequence[Arm]) -> str:
        """Compare the second trial of a pack with the same trial alone."""
        trials = trials_of(arms)
        return self._same([(self._pack(trials)[1], self._pack(trials[1:2])[0])])

    def resumption(self, arms: Sequence[Arm]) -> str:
        """Compare a pack that was stopped after one epoch and resumed with one that was not."""
        trials = trials_of(arms)
        whole = self._pack(trials)
        self._pack(trials, saved=True, epochs=1)
        return self._same(list(zip(self._pack(trials, saved=True), whole, strict=True)))

    def _pack(self, trials: Sequence[Trial], *, saved: bool = False, epochs: int | None = None) -> list[Trained]:
        pack = Pack(trials, self._reference.build, self._data, self._device, elements_at_once=1 << 20)
        file = SavedPack(self._folder if saved else None, trials, print)
        begun = count()
        training = PackTraining(pack, file, PeakMemory(self._device))
        results = list(training.results(report=lambda _: None, stop=lambda: next(begun) == epochs))
        weights = pack.parameters.stacks.items()
        return [
            Trained({name: stack.weights[slot] for name, stack in weights}, result)
            for slot, result in enumerate(results)
        ]

    def _alone(self, trial: Trial) -> Trained:
        engine: Engine = self._reference
        (result,) = engine.train([trial], report=lambda _: None)
        trained = {name: p.detach() for name, p in self._reference.model.named_parameters() if p.requires_grad}
        return Trained(trained, result)

    def _same(self, pairs: Sequence[tuple[Trained, Trained]]) -> str:
        """Return how far two ways of training are apart; raise where that is too far."""
        in_weights, in_probabilities = (max(gaps) for gaps in zip(*(_gaps(*pair) for pair in pairs), strict=True))
        allowed = _ALLOWED[self._dtype]
        allowed_probability = max(allowed, _ALLOWED_PROBABILITY)
        said = (
            f"weights within {in_weights:.1e} (allowed {allowed:g}), probabilities within {in_probabilities:.1e} "
            f"(allowed {allowed_probability:g})"
        )
        # Not the other way round: a gap may be no number.
        if not (in_weights <= allowed and in_probabilities <= allowed_probability):
            raise CheckFailedError(said)
        return said


def _gaps(one: Trained, other: Trained) -> tuple[float, float]:
    """Return the largest gap in weights, relative to 1 + |weight|, and in probabilities; infinite without an answer."""
    if not one.result.status == other.result.status == "finished":
        return float("inf"), float("inf")
    in_weights = 0.0
    for name, weight in other.weights.items():
        extents = tuple(map(slice, map(min, weight.shape, one.weights[name].shape)))  # ranks are padded in a pack
        a, b = one.weights[name][extents].double(), weight[extents].double()
        in_weights = _larger(in_weights, float(((a - b).abs() / (1 + b.abs())).max()))
    in_probabilities = 0.0
    for mine, theirs in zip(one.result.epochs, other.result.epochs, strict=True):
        in_probabilities = _larger(in_probabilities, float(np.abs(mine.probabilities - theirs.probabilities).max()))
    return in_weights, in_probabilities


def _larger(a: float, b: float) -> float:
    return b if not b <= a else a  # what is no number stays


def checks() -> Iterator[str]:
    """Make every check, and yield a line for each.

    Raises
    ------
    CheckFailedError
        At the first that fails, with what it found.
    """
    whole = [full({**_TRAINING, **own}) for own in ({}, {"weight_decay": 0.3}, {"max_grad_norm": 0.05})]
    for name in CONFIGS:
        adapters = [lora(name, {**_TRAINING, "learning_rate": rate}, r=r, dropout=0.0) for r, rate in _ADAPTERS]
        dropping = [lora(name, {**_TRAINING, "learning_rate": rate}, r=r, dropout=0.1) for r, rate in _ADAPTERS]
        for title, check, arms, dtype, dropout in (
            ("equality, LoRA", Checks.equality, adapters, torch.float64, False),
            ("equality, full", Checks.equality, whole, torch.float64, False),
            ("equality, LoRA", Checks.equality, adapters, torch.float32, False),
            ("isolation, LoRA", Checks.isolation, dropping, torch.float64, True),
            ("isolation, full", Checks.isolation, whole, torch.float64, True),
            ("resumption, LoRA", Checks.resumption, dropping, torch.float64, True),
        ):
            place = f"{name}, {title}, {_PRECISIONS[dtype]}"
            with tempfile.TemporaryDirectory() as folder:
                try:
                    yield f"{place}: {check(Checks(name, dtype, dropout=dropout, folder=Path(folder)), arms)}"
                except CheckFailedError as failure:
                    raise CheckFailedError(f"{place}: {failure}") from None
