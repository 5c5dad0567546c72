"""LoRA and DoRA in a pack: where each trial's scale (lora_alpha / r) is applied, and what is known of their layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.engines.packed.autograd import GroupedScale
from harness.engines.packed.context import PackContext
from harness.engines.packed.modules import Grouped, PackedLinear, linear
from harness.engines.packed.trial_rows import StackedParameter
from harness.study.settings import Adapter

# Ways of drawing an adapter that leave the weights of the layer that it is added to as they are.
_LEAVE_FROZEN_WEIGHTS = (True, False, "gaussian", "orthogonal")


class PackedLora(Grouped):
    """A frozen layer and beside it an adapter of each trial's own rank; with a magnitude it is DoRA.

    Parameters
    ----------
    context : PackContext
        What is computed at the moment.
    layer : Module
        The frozen layer; with a magnitude it has no bias.
    down, up : StackedParameter
        LoRA's A and B of every trial, padded with zeros to the largest rank.
    magnitude : StackedParameter or None
        For DoRA how long the rows of every trial's adapted weight are, (K, out).
    scales : sequence of float
        For each trial what its adapter's output is multiplied by.
    dropout_site : int
        The number of the adapter's dropout.
    """

    _scales: torch.Tensor

    def __init__(
        self,
        context: PackContext,
        layer: nn.Module,
        *,
        down: StackedParameter,
        up: StackedParameter,
        magnitude: StackedParameter | None,
        scales: Sequence[float],
        dropout_site: int,
    ) -> None:
        super().__init__(context)
        self._layer: Any = layer
        self._stored_in_out = layer.stored_in_out if isinstance(layer, PackedLinear) else isinstance(layer, Conv1D)
        self._stacks = down, up
        self._magnitude = magnitude
        # Where the model is, so that no step has to copy it there.
        self.register_buffer("_scales", torch.tensor(scales, dtype=torch.float64), persistent=False)
        self._dropout_site = dropout_site

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return W x + scale B A dropout(x); with a magnitude m (W + scale B A) x / |W + scale B A|."""
        flat = x.reshape(-1, x.shape[-1])
        dropped = self.context.drop(flat, self._dropout_site)
        if self._magnitude is None:
            y = self._layer(flat) + self._adapted(dropped)
        else:
            y = self._with_magnitude(flat, dropped, self._magnitude)
        return y.view(*x.shape[:-1], -1)  # type: ignore[no-any-return]

    def _adapted(self, dropped: torch.Tensor) -> torch.Tensor:
        """Return scale B A x."""
        rows = self.context.rows
        down, up = self._stacks
        inner = linear(rows, dropped, self._anchor, down, None)
        scales = self._scales_at_hand(dropped).index_select(0, rows.owner).unsqueeze(1)
        return linear(rows, inner * scales, self._anchor, up, None)

    def _with_magnitude(self, flat: torch.Tensor, dropped: torch.Tensor, magnitude: StackedParameter) -> torch.Tensor:
        """Return DoRA's output: what dropout takes of the input passes W alone, without the magnitude."""
        rows = self.context.rows
        plain = self._layer(dropped)
        directions = (plain + self._adapted(dropped)) / self._lengths().index_select(0, rows.owner)
        y = GroupedScale.apply(directions, self._anchor, rows, magnitude)  # type: ignore[no-untyped-call]
        if dropped is not flat:
            y = y + (self._layer(flat) - plain)
        return y.to(plain.dtype)  # type: ignore[no-any-return]

    @torch.no_grad()
    def _lengths(self) -> torch.Tensor:
        """Return the lengths of the rows of W + scale B A for each trial that has rows, (trials, out).

        To the gradient they are constants, as in the reference. No matrix as large as W is made for them:
        |w + s A'b|^2 = |w|^2 + s (2 A w + s A A'b)'b.
        """
        rows, weight = self.context.rows, self._layer.weight
        if isinstance(self._layer, PackedLinear):
            weight = rows.of_slots(weight)
        if self._stored_in_out:
            weight = weight.transpose(-1, -2)
        down, up = (rows.of_slots(stack.weight) for stack in self._stacks)
        scales = self._scales_at_hand(down).view(-1, 1, 1)
        with torch.autocast(down.device.type, enabled=False):
            crossed = (down @ weight.transpose(-1, -2)).transpose(1, 2)
            twice = 2 * crossed + scales * (up @ (down @ down.transpose(1, 2)))
            lengths: torch.Tensor = (weight.square().sum(-1) + (scales * twice * up).sum(-1)).sqrt()
        return lengths

    def _scales_at_hand(self, like: torch.Tensor) -> torch.Tensor:
        """Return the scale of each trial that has rows."""
        return self.context.rows.of_slots(self._scales).to(like.dtype)


def is_lora(module: nn.Module) -> bool:
    """Whether a module is a linear layer with a LoRA adapter, or a DoRA."""
    if not hasattr(module, "lora_A"):
        return False
    import peft

    variants = [type(variant).__name__ for variant in getattr(module, "lora_variant", {}).values()]
    return type(module) is peft.tuners.lora.Linear and variants in ([], ["DoraLinearVariant"])


def lora_scales(model: nn.Module) -> dict[str, float]:
    """Return the scale of each adapted layer, by the name of its first matrix."""
    scales = {}
    for name, module in model.named_modules():
        if is_lora(module):
            adapter = module.active_adapters[0]
            scales[f"{name}.lora_A.{adapter}.weight"] = float(module.scaling[adapter])
    return scales


def changed_weights(model: nn.Module, adapter: Adapter | None) -> dict[str, torch.Tensor]:
    """Return the frozen weights of adapted layers, by the name of LoRA's first matrix, where drawing changes them.

    PiSSA and OLoRA take a part of a layer's weight for the adapter, and leave the rest: it depends on rank and scale,
    and may depend on the seed. Empty for adapters that leave the checkpoint's weights as they are.
    """
    if getattr(adapter, "init_lora_weights", True) in _LEAVE_FROZEN_WEIGHTS:
        return {}
    return {
        f"{name}.lora_A.{module.active_adapters[0]}.weight": module.base_layer.weight.detach()
        for name, module in model.named_modules()
        if is_lora(module)
    }


def with_own_weights(context: PackContext, layer: Any, weights: Sequence[torch.Tensor]) -> nn.Module:
    """Return a frozen layer with each trial's own weight; the layer itself where these are all alike."""
    if all(torch.equal(weight, weights[0]) for weight in weights):
        return layer  # type: ignore[no-any-return]
    own = torch.stack([weight.to(layer.weight.device) for weight in weights])
    bias = None if layer.bias is None else StackedParameter(layer.bias.detach().expand(len(weights), -1))
    return PackedLinear(context, StackedParameter(own), bias, stored_in_out=isinstance(layer, Conv1D))
