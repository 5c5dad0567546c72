"""Batches: the examples of a split as tensors, and how a batch of them is padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from harness.data.tokenization import TokenizedSplit
from harness.study.settings import Data

Example = dict[str, torch.Tensor]
Collate = Callable[[Sequence[Example]], dict[str, torch.Tensor]]


def label_tensor(split: TokenizedSplit) -> torch.Tensor:
    """Return the labels of a split: classes as they are, the numbers of a regression in single precision."""
    labels = torch.from_numpy(split.labels)
    return labels.float() if labels.is_floating_point() else labels


class SplitDataset(torch.utils.data.Dataset[Example]):
    """A split as tensors, made once: those of an example are views of one row, which takes a fraction of the time."""

    def __init__(self, split: TokenizedSplit) -> None:
        self.lengths = np.array([len(features["input_ids"]) for features in split.features])
        names = tuple(split.features[0])
        rows = [torch.split(torch.from_numpy(split.row_of(name)), self.lengths.tolist()) for name in names]
        columns = zip(*rows, label_tensor(split), strict=True)
        self.rows: list[Example] = [dict(zip((*names, "labels"), values, strict=True)) for values in columns]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        return self.rows[index]

    def take(self, indices: np.ndarray) -> SplitDataset:
        """Return the examples at `indices`, in that order; their tensors are shared."""
        taken = SplitDataset.__new__(SplitDataset)
        taken.rows = [self.rows[i] for i in indices]
        taken.lengths = self.lengths[indices]
        return taken


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
