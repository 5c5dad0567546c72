"""Packed batch: the examples that some trials compute together, trial by trial, in rows without padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from harness.engines.device import to_device
from harness.engines.packed.length_groups import groups_by_length
from harness.engines.packed.ragged import RaggedSplit
from harness.engines.packed.trial_rows import TrialRows


class PackedBatch:
    """The examples that some trials of a pack compute together.

    Within a trial they are sorted by length, so a trial's rows do not depend on the other trials.

    Parameters
    ----------
    ragged : RaggedSplit
        The split that they are taken from.
    slots : sequence of int
        The trials.
    chosen : sequence of ndarray of int
        For each trial the indices of its examples.
    loss_weights : sequence of ndarray of float, optional
        For each example the weight of its loss in its trial's loss; leave out where none is computed.
    heads : int
        Attention heads.
    batched : bool
        See `TrialRows`.

    Attributes
    ----------
    examples, lengths : ndarray of int, shape (E,)
        The examples in the order of the batch, and how many tokens each has.
    source : Tensor of int64, shape (N,)
        For each token its place in the split.
    positions : Tensor of int64, shape (N,)
        For each token its position within its example; padding on its left counts, though it is not computed.
    tokens, by_example : TrialRows
        Which rows belong to which trial, where a row is a token, and where it is an example.
    firsts, lasts : Tensor of int64, shape (E,)
        The first and the last token of each example.
    groups, pooled_groups : LengthGroups
        For attention from every token, and from the pooled token alone.
    """

    def __init__(
        self,
        ragged: RaggedSplit,
        slots: Sequence[int],
        chosen: Sequence[np.ndarray],
        loss_weights: Sequence[np.ndarray] | None = None,
        *,
        heads: int,
        batched: bool,
    ) -> None:
        device = ragged.device
        orders = [np.argsort(ragged.lengths[examples], kind="stable") for examples in chosen]
        self.examples = np.concatenate([examples[order] for examples, order in zip(chosen, orders, strict=True)])
        self.lengths = ragged.lengths[self.examples]
        starts = np.cumsum(self.lengths) - self.lengths
        within = np.arange(self.lengths.sum()) - np.repeat(starts, self.lengths)
        self.source = to_device(
            torch.from_numpy(within + np.repeat(ragged.starts[self.examples], self.lengths)), device
        )
        sizes = [len(examples) for examples in chosen]
        ends = np.cumsum(sizes)
        self.lengths_by_trial = [self.lengths[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        self.tokens = TrialRows(
            slots, [int(lengths.sum()) for lengths in self.lengths_by_trial], device, batched=batched
        )
        self.by_example = TrialRows(slots, sizes, device, batched=batched)
        self.positions = to_device(
            torch.from_numpy(within + np.repeat(ragged.shifts[self.examples], self.lengths)), device
        )
        self.firsts = to_device(torch.from_numpy(starts), device)
        self.lasts = to_device(torch.from_numpy(starts + self.lengths - 1), device)
        self.groups, self.pooled_groups = groups_by_length(self.lengths, starts, heads, device, padded=batched)
        self.labels = ragged.labels.index_select(0, to_device(torch.from_numpy(self.examples), device))
        ordered = [weights[order] for weights, order in zip(loss_weights or [], orders, strict=False)]
        self.loss_weights = to_device(torch.from_numpy(np.concatenate(ordered or [np.empty(0)])), device)
