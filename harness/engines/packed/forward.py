"""Forward pass of a pack: from examples to logits, with the output of frozen layers kept between epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from harness.engines.packed.batch import PackedBatch
from harness.engines.packed.dropout import DropoutMasks
from harness.engines.packed.model import PackedModel
from harness.engines.packed.ragged import RaggedSplit

# The frozen layers' output on a split is kept if it is no larger than this.
_KEPT_BYTES = 2 << 30
# Tokens of a split that go through the frozen layers together.
_BLOCK = 4096


class Forward:
    """From examples to logits.

    Where the first layers are frozen and have no dropout, their output on a split is the same for all trials and
    epochs: it is computed once.

    Parameters
    ----------
    model : PackedModel
        The pack's model.
    batched : bool
        See `harness.engines.packed.trial_rows.TrialRows`.
    """

    def __init__(self, model: PackedModel, *, batched: bool) -> None:
        self.model = model
        self._batched = batched
        self._frozen_output: dict[int, torch.Tensor] = {}

    def batch(
        self,
        split: RaggedSplit,
        slots: Sequence[int],
        chosen: Sequence[np.ndarray],
        loss_weights: Sequence[np.ndarray] | None = None,
    ) -> PackedBatch:
        """Return the batch of each trial's chosen examples."""
        return PackedBatch(split, slots, chosen, loss_weights, heads=self.model.heads, batched=self._batched)

    def __call__(
        self, split: RaggedSplit, batch: PackedBatch, masks: DropoutMasks | None, *, reuse_frozen: bool
    ) -> torch.Tensor:
        """Return the logits, (E, C)."""
        kept = self._frozen_output.get(id(split.whole)) if reuse_frozen else None
        self.model.context.begin(batch, masks)
        if kept is None:
            hidden, first = self.model.embed(split), 0
        else:
            hidden, first = kept.index_select(0, batch.source).unsqueeze(0), self.model.frozen_layers
        return self.model.logits(hidden, first)

    def keep_frozen_output(self, split: RaggedSplit) -> None:
        """Compute the frozen layers' output on each token of a split, unless there are none or it is too large.

        Of a part of a split, it is computed on the whole: another trial trains on another part.
        """
        split = split.whole
        depth, size = self.model.frozen_layers, len(split.ids) * self.model.width
        if depth <= 0 or id(split) in self._frozen_output or size * 4 > _KEPT_BYTES:
            return
        parts = []
        with torch.no_grad():
            for block in blocks(split, _BLOCK):
                batch = self.batch(split, [0], [block])
                self.model.context.begin(batch, None)
                hidden = self.model.layers(self.model.embed(split), 0, depth)[0]
                parts.append((batch.source, hidden))
        source, hidden = (torch.cat(both) for both in zip(*parts, strict=True))
        self._frozen_output[id(split)] = torch.empty_like(hidden).index_copy_(0, source, hidden)


def blocks(split: RaggedSplit, tokens: int) -> Iterator[np.ndarray]:
    """Cut a split's examples, by length, into blocks of about so many tokens."""
    order = np.argsort(split.lengths, kind="stable")
    block = np.cumsum(split.lengths[order]) // max(tokens, 1)
    yield from np.split(order, np.flatnonzero(np.diff(block)) + 1)


def block_logits(forward: Forward, split: RaggedSplit, slots: Sequence[int], block: np.ndarray) -> torch.Tensor:
    """Return the logits of some trials for examples that are sorted by length, (trials, examples, C)."""
    with torch.no_grad():
        batch = forward.batch(split, slots, [block] * len(slots))
        logits = forward(split, batch, None, reuse_frozen=True)
    return logits.view(len(slots), len(block), -1).float()
