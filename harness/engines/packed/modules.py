"""Layers whose weights differ from row to row, and attention that stays within sentences."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn

from harness.engines.packed.dropout import Masks
from harness.engines.packed.functions import (
    Attention,
    GroupedEmbedding,
    GroupedLayerNorm,
    GroupedLinear,
    anchor,
    dropped,
)
from harness.engines.packed.layout import Layout
from harness.engines.packed.rows import Rows, Stack

ATTENTION = "packed_by_trial"


class Now(threading.local):
    """What the modules of a pack compute at the moment, in each thread its own.

    Attributes
    ----------
    layout : Layout
        The sentences at hand.
    rows : Rows
        The rows at hand: tokens, or sentences once the tokens that are read are taken.
    masks : Masks or None
        Dropout's masks; None where nothing is dropped.
    """

    layout: Layout
    rows: Rows
    masks: Masks | None = None

    def __init__(self, reads: str) -> None:
        self._reads = reads

    def begin(self, layout: Layout, masks: Masks | None) -> None:
        """Begin with the tokens of a layout."""
        self.layout, self.rows, self.masks = layout, layout.tokens, masks

    def take(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the tokens that the head reads; from here on a row is a sentence."""
        self.rows = self.layout.by_sentence
        return hidden.index_select(1, self.layout.firsts if self._reads == "first" else self.layout.lasts)

    def attend(self, module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from one token of each sentence to all of them."""
        told: Any = module
        q, k, v = (x.view(1, x.shape[1], told.packed.heads, -1).transpose(1, 2) for x in (query, key, value))
        found, _ = _attention(module, q, k, v, scaling=told.scaling)
        return found.reshape(query.shape)

    def drop(self, x: torch.Tensor, place: int) -> torch.Tensor:
        """Return `x`, (rows, width), after the dropout of a place."""
        kept = self.masks.keep(place) if self.masks is not None else None
        return x if kept is None else dropped(x, *kept)


class Grouped(nn.Module):
    """A module whose weights differ from trial to trial."""

    def __init__(self, now: Now) -> None:
        super().__init__()
        self._now = [now]  # in a list, or torch would take it for a part of the model
        self._anchor = anchor()

    @property
    def now(self) -> Now:
        """What is computed at the moment."""
        return self._now[0]


class PackedLinear(Grouped):
    """A linear layer, or GPT-2's, which stores its weight the other way round."""

    def __init__(self, now: Now, weight: Stack, bias: Stack | None, *, stored_in_out: bool) -> None:
        super().__init__(now)
        self._stacks = weight, bias
        self._stored_in_out = stored_in_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return each row times its own trial's weight."""
        return linear(self.now.rows, x, self._anchor, *self._stacks, stored_in_out=self._stored_in_out)


class PackedLayerNorm(Grouped):
    """A layer normalisation."""

    def __init__(self, now: Now, weight: Stack, bias: Stack, eps: float) -> None:
        super().__init__(now)
        self._stacks = weight, bias
        self._eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return each row normalised, with its own trial's scale and shift."""
        flat = x.reshape(-1, x.shape[-1]).to(self._stacks[0].weight.dtype)
        normal: torch.Tensor = GroupedLayerNorm.apply(  # type: ignore[no-untyped-call]
            flat, self._anchor, self.now.rows, *self._stacks, self._eps
        )
        return normal.view(x.shape)


class PackedEmbedding(Grouped):
    """An embedding."""

    def __init__(self, now: Now, weight: Stack, padding_idx: int | None) -> None:
        super().__init__(now)
        self._stack = weight
        self._padding_idx = padding_idx

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return each token's vector from its own trial's table."""
        found: torch.Tensor = GroupedEmbedding.apply(  # type: ignore[no-untyped-call]
            self._anchor, self.now.rows, self._stack, ids.reshape(-1), self._padding_idx
        )
        return found.view(*ids.shape, -1)


class PackedLora(Grouped):
    """A frozen layer, the same for all trials, and beside it an adapter of each trial's own rank."""

    def __init__(self, now: Now, base: nn.Module, down: Stack, up: Stack, scales: Sequence[float], place: int) -> None:
        super().__init__(now)
        self._base = base
        self._stacks = down, up
        self._scales = scales
        self._place = place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the base's output plus scale B A dropout(x)."""
        rows = self.now.rows
        down, up = self._stacks
        x_flat = self.now.drop(x.reshape(-1, x.shape[-1]), self._place)
        scales = torch.tensor([self._scales[slot] for slot in rows.slots], dtype=x.dtype).to(x.device)
        inner = linear(rows, x_flat, self._anchor, down, None) * scales.index_select(0, rows.owner).unsqueeze(1)
        adapted = linear(rows, inner, self._anchor, up, None)
        base: torch.Tensor = self._base(x)
        return base + adapted.view(base.shape)


class PackedDropout(Grouped):
    """A dropout of the model."""

    def __init__(self, now: Now, place: int) -> None:
        super().__init__(now)
        self._place = place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` with each trial's own elements dropped."""
        return self.now.drop(x.reshape(-1, x.shape[-1]), self._place).view(x.shape)


def linear(
    rows: Rows, x: torch.Tensor, hook: torch.Tensor, weight: Stack, bias: Stack | None, *, stored_in_out: bool = False
) -> torch.Tensor:
    """Return each row of `x`, whatever its leading shape, times its own trial's weight."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        x = x.to(torch.get_autocast_dtype(kind))
    y: torch.Tensor = GroupedLinear.apply(  # type: ignore[no-untyped-call]
        x.reshape(-1, x.shape[-1]), hook, rows, weight, bias, stored_in_out
    )
    return y.view(*x.shape[:-1], -1)


@dataclass(frozen=True, slots=True)
class Attending:
    """What an attention module knows of the pack."""

    now: Now
    place: int
    heads: int
    causal: bool
    reading: bool


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None = None,
    *,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within each sentence, (1, heads, N, D) to (1, N, heads, D): what transformers calls in a packed model."""
    packed: Attending = module.packed  # type: ignore[assignment]
    layout, masks = packed.now.layout, packed.now.masks
    groups = layout.reading if packed.reading else layout.groups
    q, k, v = (x.transpose(1, 2).reshape(-1, x.shape[-1]) for x in (query, key, value))
    keep, boost = (masks.keep(packed.place) if masks is not None else None) or (None, 1.0)
    found: torch.Tensor = Attention.apply(  # type: ignore[no-untyped-call]
        q, k, v, groups, scaling, packed.causal, keep, boost
    )
    return found.view(1, query.shape[2], query.shape[1], query.shape[3]), None


transformers.AttentionInterface.register(ATTENTION, _attention)
