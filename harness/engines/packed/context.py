"""Pack context: the batch, rows and dropout masks that the modules of a pack compute with, in each thread its own."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, Literal

import torch
from torch import nn

from harness.engines.packed.attention import attend
from harness.engines.packed.autograd import dropped
from harness.engines.packed.batch import PackedBatch
from harness.engines.packed.dropout import DropoutMasks
from harness.engines.packed.trial_rows import TrialRows

PooledToken = Literal["first", "last", "mean"]


class PackContext(threading.local):
    """What the modules of a pack compute with at the moment; each thread has its own.

    Parameters
    ----------
    pooled_token : str
        Which token of an example the head reads, ``first`` or ``last``, or the ``mean`` of all.

    Attributes
    ----------
    batch : PackedBatch
        The examples.
    rows : TrialRows
        Which rows belong to which trial: rows of tokens, or of examples once the pooled tokens are taken.
    masks : DropoutMasks or None
        None where nothing is dropped.
    """

    batch: PackedBatch
    rows: TrialRows
    masks: DropoutMasks | None = None

    def __init__(self, pooled_token: PooledToken) -> None:
        self._pooled_token = pooled_token
        self._times: Counter[int] = Counter()

    def begin(self, batch: PackedBatch, masks: DropoutMasks | None) -> None:
        """Begin a forward pass, with the tokens of a batch."""
        self.batch, self.rows, self.masks = batch, batch.tokens, masks
        self._times.clear()

    def take(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the pooled tokens, or the means; from here on a row is an example."""
        self.rows = self.batch.by_example
        if self._pooled_token == "mean":
            lengths = self.batch.lasts - self.batch.firsts + 1
            # To check the lengths would make a GPU wait.
            return torch.segment_reduce(hidden[0], "mean", lengths=lengths, unsafe=True).unsqueeze(0)
        return hidden.index_select(1, self.batch.firsts if self._pooled_token == "first" else self.batch.lasts)

    def attend(self, module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from the pooled token of each example to all of its tokens."""
        attention: Any = module
        q, k, v = (x.view(1, x.shape[1], attention.packed.heads, -1).transpose(1, 2) for x in (query, key, value))
        attended, _ = attend(module, q, k, v, scaling=attention.scaling)
        return attended.reshape(query.shape)

    def times_before(self, first_site: int) -> int:
        """Return how often the dropout with this site was applied before in this pass, and count this time."""
        self._times[first_site] += 1
        return self._times[first_site] - 1

    def drop(self, x: torch.Tensor, site: int) -> torch.Tensor:
        """Return `x`, (rows, width), after the dropout of a site."""
        kept = self.masks.keep(site) if self.masks is not None else None
        return x if kept is None else dropped(x, *kept)
