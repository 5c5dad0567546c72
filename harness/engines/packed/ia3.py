"""IA3 in a pack: a frozen layer whose input or output each trial multiplies by a vector of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.engines.packed.autograd import GroupedScale
from harness.engines.packed.context import PackContext
from harness.engines.packed.modules import Grouped
from harness.engines.packed.trial_rows import StackedParameter


class PackedIa3(Grouped):
    """A frozen layer, the same for all trials, and each trial's own vector.

    Parameters
    ----------
    context : PackContext
        What is computed at the moment.
    layer : Module
        The frozen layer.
    vector : StackedParameter
        The vector of every trial, as wide as the layer's input or output.
    of_input : bool
        Whether it multiplies the input, as in a feed-forward layer, or the output.
    """

    def __init__(self, context: PackContext, layer: nn.Module, vector: StackedParameter, *, of_input: bool) -> None:
        super().__init__(context)
        self._layer = layer
        self._vector = vector
        self._of_input = of_input

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return W (l x) + b, or l (W x + b)."""
        return self._layer(self._scaled(x)) if self._of_input else self._scaled(self._layer(x))

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = GroupedScale.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]), self._anchor, self.context.rows, self._vector
        )
        return scaled.view(x.shape)


def is_ia3(module: Any) -> bool:
    """Whether a module is a linear layer with an IA3 adapter."""
    if not hasattr(module, "ia3_l"):
        return False
    import peft

    return type(module) is peft.tuners.ia3.Linear
