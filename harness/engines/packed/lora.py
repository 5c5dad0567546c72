"""LoRA in a pack: where each trial's scale (lora_alpha / r) is applied, and what is known of an adapted layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from harness.engines.packed.context import PackContext
from harness.engines.packed.modules import Grouped, linear
from harness.engines.packed.trial_rows import StackedParameter


class PackedLora(Grouped):
    """A frozen layer, the same for all trials, and beside it an adapter of each trial's own rank.

    Parameters
    ----------
    context : PackContext
        What is computed at the moment.
    base : Module
        The frozen layer.
    down, up : StackedParameter
        LoRA's A and B of every trial, padded with zeros to the largest rank.
    scales : sequence of float
        For each trial what its adapter's output is multiplied by.
    dropout_site : int
        The number of the adapter's dropout.
    """

    def __init__(
        self,
        context: PackContext,
        base: nn.Module,
        *,
        down: StackedParameter,
        up: StackedParameter,
        scales: Sequence[float],
        dropout_site: int,
    ) -> None:
        super().__init__(context)
        self._base = base
        self._stacks = down, up
        self._scales = scales
        self._dropout_site = dropout_site

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the base's output plus scale B A dropout(x)."""
        rows = self.context.rows
        down, up = self._stacks
        x_flat = self.context.drop(x.reshape(-1, x.shape[-1]), self._dropout_site)
        scales = torch.tensor([self._scales[slot] for slot in rows.slots], dtype=x.dtype).to(x.device)
        inner = linear(rows, x_flat, self._anchor, down, None) * scales.index_select(0, rows.owner).unsqueeze(1)
        adapted = linear(rows, inner, self._anchor, up, None)
        base: torch.Tensor = self._base(x)
        return base + adapted.view(base.shape)


def is_lora(module: nn.Module) -> bool:
    """Whether a module is a linear layer with a LoRA adapter."""
    if not hasattr(module, "lora_A"):
        return False
    import peft

    return type(module) is peft.tuners.lora.Linear


def lora_scales(model: nn.Module) -> dict[str, float]:
    """Return the scale of each adapted layer, by the name of its first matrix."""
    scales = {}
    for name, module in model.named_modules():
        if is_lora(module):
            adapter = module.active_adapters[0]
            scales[f"{name}.lora_A.{adapter}.weight"] = float(module.scaling[adapter])
    return scales
