"""Ragged splits: the tokens of all examples in one row, without padding, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from harness.data.tokenization import TokenizedSplit
from harness.data.training_set import TrainingSet
from harness.engines.batches import label_tensor
from harness.engines.device import to_device


class RaggedSplit:
    """A split as one long row of tokens, moved to the device once.

    Parameters
    ----------
    split : TokenizedSplit
        The tokenised examples.
    device : torch.device
        Where its tokens are kept.
    left_padded_to : int, optional
        The length that padding on the left gives every example; left out where there is none on the left.

    Attributes
    ----------
    lengths, starts, shifts : ndarray of int, shape (n,)
        Tokens of each example, where its first one is, and by how many positions padding on its left shifts it.
    ids : Tensor of int64, shape (N,)
        All tokens.
    types : Tensor of int64, shape (N,), or None
        Their types, where the tokenizer gives them.
    labels : Tensor of int64 or float32, shape (n,)
        Classes, or the numbers of a regression.
    whole : RaggedSplit
        The split whose tokens these are: itself, or what it was taken from.
    """

    def __init__(self, split: TokenizedSplit, device: torch.device, *, left_padded_to: int | None = None) -> None:
        self.lengths = np.array([len(row["input_ids"]) for row in split.features])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.shifts = np.zeros_like(self.lengths) if left_padded_to is None else left_padded_to - self.lengths
        self.labels = label_tensor(split).to(device)
        self.ids = torch.from_numpy(split.row_of("input_ids")).to(device)
        has_types = all("token_type_ids" in row for row in split.features)
        self.types = torch.from_numpy(split.row_of("token_type_ids")).to(device) if has_types else None
        self.device = device
        self.whole = self

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, indices: np.ndarray) -> RaggedSplit:
        """Return the examples at `indices`, in that order; the row of tokens is shared."""
        taken = copy(self)
        taken.lengths, taken.starts, taken.shifts = self.lengths[indices], self.starts[indices], self.shifts[indices]
        taken.labels = self.labels[to_device(torch.from_numpy(indices), self.device)]
        return taken

    def evenly_by_length(self, n: int) -> np.ndarray:
        """Return the indices of `n` examples, evenly spread over the lengths; all if there are fewer."""
        places = np.linspace(0, len(self) - 1, min(len(self), n)).round().astype(int)
        chosen: np.ndarray = np.argsort(self.lengths, kind="stable")[places]
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class PackData:
    """What a pack is trained and scored on.

    Parameters
    ----------
    train : RaggedSplit
        What every trial is trained on; where each has its own training set, what these are drawn from.
    test : RaggedSplit
        What every trial is scored on.
    holdout : RaggedSplit or None
        What every trial holds out, where all hold out the same.
    own : tuple of TrainingSet
        By slot, each trial's part of `train`; empty where every trial takes all of it.
    """

    train: RaggedSplit
    test: RaggedSplit
    holdout: RaggedSplit | None
    own: tuple[TrainingSet, ...] = ()

    @property
    def n_train(self) -> int:
        """How many examples each trial is trained on."""
        return len(self.own[0].kept) if self.own else len(self.train)

    @property
    def n_holdout(self) -> int:
        """How many examples each trial holds out."""
        if not self.own:
            return 0 if self.holdout is None else len(self.holdout)
        return 0 if self.own[0].held is None else len(self.own[0].held)

    def kept(self, slot: int) -> np.ndarray:
        """Return the places in `train` that a trial is trained on."""
        return self.own[slot].kept if self.own else np.arange(len(self.train))

    def holdouts(self, slots: Sequence[int]) -> dict[int, RaggedSplit]:
        """Return what each trial holds out; empty where nothing is held out."""
        if not self.own:
            return {} if self.holdout is None else dict.fromkeys(slots, self.holdout)
        held = {slot: self.own[slot].held for slot in slots}
        return {slot: self.train.take(places) for slot, places in held.items() if places is not None}
