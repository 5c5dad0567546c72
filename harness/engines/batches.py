"""Batches and scores, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from harness.data.splits import Split
from harness.engines import Score
from harness.study.settings import Data

Example = dict[str, torch.Tensor]
Collate = Callable[[Sequence[Example]], dict[str, torch.Tensor]]


class DivergedError(ArithmeticError):
    """A loss, a gradient, a weight or a logit is not finite."""


def no_number(loss_is_finite: bool, norm_is_finite: bool) -> str | None:
    """Return what ends a trial, if not all of its losses or not all of its gradients' norms are numbers; else None.

    A gradient can overflow while the loss is a number. Clipped by an infinite norm it becomes 0 or NaN: a step that is
    lost in silence.
    """
    if not loss_is_finite:
        return "the training loss is not finite"
    return None if norm_is_finite else "the gradient is not finite"


class Examples(torch.utils.data.Dataset[Example]):
    """A split as tensors, made once."""

    def __init__(self, split: Split) -> None:
        self.rows: list[Example] = [
            {name: torch.tensor(values) for name, values in features.items()} | {"labels": torch.tensor(int(label))}
            for features, label in zip(split.features, split.labels, strict=True)
        ]
        self.lengths = np.array([len(row["input_ids"]) for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        return self.rows[index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding:
    """Turns examples into a batch: padded to the longest of them, or to a fixed length."""

    data: Data
    pad_token_id: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Return the batch with its attention mask."""
        batch = {}
        for name in examples[0]:
            if name == "labels":
                batch[name] = torch.stack([example[name] for example in examples])
            else:
                batch[name] = self._pad([example[name] for example in examples], self._filler(name))
        ones = [torch.ones_like(example["input_ids"]) for example in examples]
        batch["attention_mask"] = self._pad(ones, 0)
        return batch

    def _filler(self, name: str) -> int:
        return self.pad_token_id if name == "input_ids" else 0

    def _pad(self, rows: list[torch.Tensor], filler: int) -> torch.Tensor:
        side = self.data.padding_side
        padded = pad_sequence(rows, batch_first=True, padding_value=filler, padding_side=side)
        missing = self.data.max_length - padded.shape[1] if self.data.padding == "max_length" else 0
        if missing > 0:
            padded = nn.functional.pad(padded, (missing, 0) if side == "left" else (0, missing), value=filler)
        return padded


def score(
    model: nn.Module, examples: Examples, *, batch_size: int, collate: Collate, device: torch.device
) -> tuple[Score, np.ndarray]:
    """Return the score on a split and the probability of each class, in fp32 and in the order of the split.

    Batches are cut from the examples sorted by length, so that little of them is padding; which examples meet in a
    batch depends on the split and the batch size alone.

    Raises
    ------
    DivergedError
        If a logit is not finite: the largest of NaNs would read as class 0.
    """
    by_length = np.argsort(examples.lengths, kind="stable")
    logits: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    # accelerate lays bf16 autocast over a model's forward for good; scores are computed without it.
    forward = getattr(model, "_original_forward", model)
    training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(examples), batch_size):
            batch = collate([examples[int(i)] for i in by_length[start : start + batch_size]])
            labels.append(batch.pop("labels"))
            moved = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
            logits.append(forward(**moved).logits.float())
        everything = torch.cat(logits).cpu()
        truth = torch.cat(labels)
        if not torch.isfinite(everything).all():
            raise DivergedError("a logit is not finite")
        loss = nn.functional.cross_entropy(everything, truth).item()
        sorted_probabilities = torch.softmax(everything, dim=-1).numpy()
    model.train(training)
    probabilities = np.empty_like(sorted_probabilities)
    probabilities[by_length] = sorted_probabilities
    accuracy = float((sorted_probabilities.argmax(axis=1) == truth.numpy()).mean())
    return Score(loss=loss, accuracy=accuracy), probabilities
