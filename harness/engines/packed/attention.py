"""Attention of a pack: within each example, by transformers' own attention interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import nn

from harness.engines.packed.autograd import Attention

if TYPE_CHECKING:
    from harness.engines.packed.context import PackContext

# The name under which transformers finds it.
ATTENTION = "packed_by_trial"


@dataclass(frozen=True, slots=True)
class PackedAttention:
    """What an attention module knows of its pack, as its attribute ``packed``.

    Parameters
    ----------
    context : PackContext
        What is computed at the moment.
    dropout_site : int
        The number of its dropout.
    heads : int
        Attention heads.
    causal : bool
        Whether a token sees only those before it.
    pooled : bool
        Whether only the pooled token attends, as in the last layer.
    """

    context: PackContext
    dropout_site: int
    heads: int
    causal: bool
    pooled: bool


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None = None,
    *,
    scaling: float,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within each example, (1, heads, N, D) to (1, N, heads, D): what transformers calls in a packed model.

    A token sees those that are less than `sliding_window` before or after it.
    """
    packed: PackedAttention = module.packed  # type: ignore[assignment]
    batch, masks = packed.context.batch, packed.context.masks
    groups = batch.pooled_groups if packed.pooled else batch.groups
    q, k, v = (x.transpose(1, 2).reshape(-1, x.shape[-1]) for x in (query, key, value))
    if query.device.type == "cpu":
        # Products as small as these gain nothing from bf16, and lose by it: each length has shapes of its own, for
        # which kernels would be compiled.
        q, k, v = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (q, k, v))
    window = None if sliding_window is None else sliding_window - 1
    keep, boost = (masks.keep(packed.dropout_site) if masks is not None else None) or (None, 1.0)
    attended: torch.Tensor = Attention.apply(  # type: ignore[no-untyped-call]
        q, k, v, groups, scaling, packed.causal, window, keep, boost
    )
    return attended.view(1, query.shape[2], query.shape[1], query.shape[3]), None


transformers.AttentionInterface.register(ATTENTION, attend)
