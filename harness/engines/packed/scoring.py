"""A pack's forward pass, and its scores on a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from harness.engines.packed.dropout import Masks
from harness.engines.packed.layout import Layout, Ragged
from harness.engines.packed.model import PackedModel
from harness.engines.packed.workers import Workers
from harness.engines.result import Score

# What the layers that no trial trains make of a split is kept if it is no larger than this.
_KEPT_BYTES = 2 << 30


class Forward:
    """From sentences to logits.

    Where the first layers are frozen and drop nothing, what they make of a split is the same for all trials and epochs:
    it is computed once.

    Parameters
    ----------
    model : PackedModel
        The pack's model.
    batched : bool
        See `harness.engines.packed.rows.Rows`.
    """

    def __init__(self, model: PackedModel, *, batched: bool) -> None:
        self.model = model
        self._batched = batched
        self._kept: dict[int, torch.Tensor] = {}

    def layout(
        self,
        split: Ragged,
        slots: Sequence[int],
        chosen: Sequence[np.ndarray],
        shares: Sequence[np.ndarray] | None = None,
    ) -> Layout:
        """Lay out each trial's chosen sentences."""
        return Layout(split, slots, chosen, shares, heads=self.model.heads, batched=self._batched)

    def __call__(self, split: Ragged, layout: Layout, masks: Masks | None, *, reuse_prefix: bool) -> torch.Tensor:
        """Return the logits, a row for each sentence."""
        kept = self._kept.get(id(split)) if reuse_prefix else None
        self.model.now.begin(layout, masks)
        if kept is None:
            hidden, first = self.model.start(split), 0
        else:
            hidden, first = kept.index_select(0, layout.source).unsqueeze(0), self.model.prefix
        return self.model.logits(hidden, first)

    def keep_prefix(self, split: Ragged) -> None:
        """Compute what the frozen layers make of each token of a split, unless there are none or it is too large."""
        depth, size = self.model.prefix, len(split.ids) * self.model.width
        if depth <= 0 or id(split) in self._kept or size * 4 > _KEPT_BYTES:
            return
        parts = []
        with torch.no_grad():
            for block in blocks(split, _BLOCK):
                layout = self.layout(split, [0], [block])
                self.model.now.begin(layout, None)
                hidden = self.model.layers(self.model.start(split), 0, depth)[0]
                parts.append((layout.source, hidden))
        source, hidden = (torch.cat(both) for both in zip(*parts, strict=True))
        self._kept[id(split)] = torch.empty_like(hidden).index_copy_(0, source, hidden)


_BLOCK = 4096


def blocks(split: Ragged, tokens: int) -> Iterator[np.ndarray]:
    """Cut a split's sentences, by length, into blocks of about so many tokens."""
    order = np.argsort(split.lengths, kind="stable")
    block = np.cumsum(split.lengths[order]) // max(tokens, 1)
    yield from np.split(order, np.flatnonzero(np.diff(block)) + 1)


def block_logits(forward: Forward, split: Ragged, part: Sequence[int], block: np.ndarray) -> torch.Tensor:
    """Return the logits of some trials for sentences that lie by length, (trials, sentences, C)."""
    with torch.no_grad():
        layout = forward.layout(split, part, [block] * len(part))
        logits = forward(split, layout, None, reuse_prefix=True)
    return logits.view(len(part), len(block), -1).float().cpu()


def scores(
    forward: Forward, split: Ragged, slots: Sequence[int], workers: Workers, tokens_at_once: int
) -> dict[int, tuple[Score, np.ndarray] | None]:
    """Return each trial's score and the probability of each class in the split's order.

    None stands for a trial with a logit that is not finite. Computed in the weights' own precision, without dropout.
    """
    if not slots:
        return {}
    forward.keep_prefix(split)

    def logits_of(part: list[int]) -> torch.Tensor:
        own = list(blocks(split, tokens_at_once // len(part)))
        found = torch.cat([block_logits(forward, split, part, block) for block in own], 1)
        return torch.empty_like(found).index_copy_(1, torch.from_numpy(np.concatenate(own)), found)

    parts = workers.parts(slots, tokens_at_once // _BLOCK_OF_TRIAL)
    everything = torch.cat(workers.map(logits_of, parts))
    labels = split.labels.cpu()
    return {slot: _score(logits, labels) for slot, logits in zip(slots, everything, strict=True)}


# A trial's share of what is scored together, in tokens, so that sentences of one length meet.
_BLOCK_OF_TRIAL = 512


def _score(logits: torch.Tensor, labels: torch.Tensor) -> tuple[Score, np.ndarray] | None:
    if not torch.isfinite(logits).all():
        return None
    loss = nn.functional.cross_entropy(logits, labels).item()
    probabilities = torch.softmax(logits, -1).numpy()
    accuracy = float((probabilities.argmax(axis=1) == labels.numpy()).mean())
    return Score(loss=loss, accuracy=accuracy), probabilities
