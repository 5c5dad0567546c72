"""Modules of a pack: layers whose weights differ from trial to trial; LoRA is in `harness.engines.packed.lora`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from harness.engines.packed.autograd import GroupedBias, GroupedEmbedding, GroupedLayerNorm, GroupedLinear, anchor
from harness.engines.packed.context import PackContext
from harness.engines.packed.trial_rows import StackedParameter, TrialRows, whole_blocks


class Grouped(nn.Module):
    """A module whose weights differ from trial to trial."""

    def __init__(self, context: PackContext) -> None:
        super().__init__()
        self._context = [context]  # in a list, or torch would take it for a part of the model
        self._anchor = anchor()

    @property
    def context(self) -> PackContext:
        """What is computed at the moment."""
        return self._context[0]


class PackedLinear(Grouped):
    """A linear layer, or GPT-2's, which stores its weight the other way round."""

    def __init__(
        self, context: PackContext, weight: StackedParameter, bias: StackedParameter | None, *, stored_in_out: bool
    ) -> None:
        super().__init__(context)
        self._stacks = weight, bias
        self.stored_in_out = stored_in_out

    @property
    def weight(self) -> torch.Tensor:
        """The weights of all trials, (K, out, in), or (K, in, out) where they are stored so."""
        return self._stacks[0].weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return each row times its own trial's weight."""
        return linear(self.context.rows, x, self._anchor, *self._stacks, stored_in_out=self.stored_in_out)


class PackedBias(Grouped):
    """A layer that is the same for all trials but for its bias, which each trial has its own of.

    Parameters
    ----------
    context : PackContext
        What is computed at the moment.
    layer : Module
        The layer, without its own bias.
    bias : StackedParameter
        The bias of every trial.
    """

    def __init__(self, context: PackContext, layer: nn.Module, bias: StackedParameter) -> None:
        super().__init__(context)
        self._layer = layer
        self._stack = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output plus each row's own trial's bias."""
        y = self._layer(x)
        biased: torch.Tensor = GroupedBias.apply(  # type: ignore[no-untyped-call]
            y.reshape(-1, y.shape[-1]), self._anchor, self.context.rows, self._stack
        )
        return biased.view(y.shape)


class PackedLayerNorm(Grouped):
    """A layer normalisation; ModernBERT's has no shift."""

    def __init__(
        self, context: PackContext, weight: StackedParameter, bias: StackedParameter | None, eps: float
    ) -> None:
        super().__init__(context)
        self._stacks = weight, bias
        self._eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return each row normalised, with its own trial's scale and shift."""
        flat = x.reshape(-1, x.shape[-1]).to(self._stacks[0].weight.dtype)
        normal: torch.Tensor = GroupedLayerNorm.apply(  # type: ignore[no-untyped-call]
            flat, self._anchor, self.context.rows, *self._stacks, self._eps
        )
        return normal.view(x.shape)


class PackedEmbedding(Grouped):
    """An embedding."""

    def __init__(self, context: PackContext, weight: StackedParameter, padding_idx: int | None) -> None:
        super().__init__(context)
        self._stack = weight
        self._padding_idx = padding_idx

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return each token's vector from its own trial's table."""
        vectors: torch.Tensor = GroupedEmbedding.apply(  # type: ignore[no-untyped-call]
            self._anchor, self.context.rows, self._stack, ids.reshape(-1), self._padding_idx
        )
        return vectors.view(*ids.shape, -1)


class PackedDropout(Grouped):
    """A dropout of the model, with a site for each time that it is applied in one pass."""

    def __init__(self, context: PackContext, sites: Sequence[int]) -> None:
        super().__init__(context)
        self._sites = sites

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` with each trial's own elements dropped."""
        site, *others = self._sites
        if others:
            site = self._sites[self.context.times_before(site)]
        return self.context.drop(x.reshape(-1, x.shape[-1]), site).view(x.shape)


def in_whole_blocks(layer: Any) -> None:
    """Let a linear layer that is the same for all trials take its rows in whole blocks: see `whole_blocks`."""
    forward = layer.forward

    def padded(x: torch.Tensor) -> torch.Tensor:
        kind = x.device.type
        if not torch.is_autocast_enabled(kind):
            return forward(x)  # type: ignore[no-any-return]
        flat = x.reshape(-1, x.shape[-1]).to(torch.get_autocast_dtype(kind))
        return forward(whole_blocks(flat))[: len(flat)].view(*x.shape[:-1], -1)  # type: ignore[no-any-return]

    layer.forward = padded


def without_bias(layer: Any) -> nn.Module:
    """Set a layer's bias to zero, and return the layer: GPT-2's has no form without one."""
    layer.bias = nn.Parameter(torch.zeros_like(layer.bias), requires_grad=False)
    return layer  # type: ignore[no-any-return]


def linear(
    rows: TrialRows,
    x: torch.Tensor,
    hook: torch.Tensor,
    weight: StackedParameter,
    bias: StackedParameter | None,
    *,
    stored_in_out: bool = False,
) -> torch.Tensor:
    """Return each row of `x`, whatever its leading shape, times its own trial's weight."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        x = x.to(torch.get_autocast_dtype(kind))
    y: torch.Tensor = GroupedLinear.apply(  # type: ignore[no-untyped-call]
        x.reshape(-1, x.shape[-1]), hook, rows, weight, bias, stored_in_out
    )
    return y.view(*x.shape[:-1], -1)
