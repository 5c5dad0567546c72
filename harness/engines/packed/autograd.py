"""Autograd functions: linear, bias, scale, layer norm, embedding, attention and dropout for the trials of a pack.

Each writes its weights' gradients where the optimizer reads them, so a pack of large models holds one gradient of a
weight, not two. `anchor`, an empty tensor that requires a gradient, keeps an operation in the graph where its input
requires none.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.engines.packed.length_groups import LengthGroups
from harness.engines.packed.trial_rows import StackedParameter, TrialRows


class GroupedLinear(torch.autograd.Function):
    """y = x W^T + b with each row's own trial's W and b; W is (out, in), or (in, out) where it is `stored_in_out`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        anchor: torch.Tensor,  # noqa: ARG004
        rows: TrialRows,
        weight: StackedParameter,
        bias: StackedParameter | None,
        stored_in_out: bool,
    ) -> torch.Tensor:
        """Multiply."""
        ctx.save_for_backward(x)
        ctx.rest = rows, weight, bias, stored_in_out
        return rows.product(x, weight, transposed=not stored_in_out, bias=bias)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Store the weights' gradients, and return the input's."""
        (x,) = ctx.saved_tensors
        rows, weight, bias, stored_in_out = ctx.rest
        g = g.contiguous()
        if stored_in_out:
            rows.outer(x, g, weight)
        else:
            rows.outer(g, x, weight)
        if bias is not None:
            rows.sums(g, bias)
        down = rows.product(g, weight, transposed=stored_in_out) if ctx.needs_input_grad[0] else None
        return down, None, None, None, None, None


class GroupedBias(torch.autograd.Function):
    """Adds each row's own trial's bias."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        anchor: torch.Tensor,  # noqa: ARG004
        rows: TrialRows,
        bias: StackedParameter,
    ) -> torch.Tensor:
        """Add."""
        ctx.rest = rows, bias
        return x + rows.spread(bias).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Store the bias's gradient, and return the input's."""
        rows, bias = ctx.rest
        rows.sums(g, bias)
        return g, None, None, None


class GroupedScale(torch.autograd.Function):
    """Multiplies each row by its own trial's vector."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        anchor: torch.Tensor,  # noqa: ARG004
        rows: TrialRows,
        scale: StackedParameter,
    ) -> torch.Tensor:
        """Multiply."""
        ctx.save_for_backward(x)
        ctx.rest = rows, scale
        return x * rows.spread(scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Store the vectors' gradients, and return the input's."""
        (x,) = ctx.saved_tensors
        rows, scale = ctx.rest
        rows.sums(g * x, scale)
        down = g * rows.spread(scale).to(g.dtype) if ctx.needs_input_grad[0] else None
        return down, None, None, None


class GroupedLayerNorm(torch.autograd.Function):
    """Layer normalisation with each row's own trial's scale and shift."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        anchor: torch.Tensor,  # noqa: ARG004
        rows: TrialRows,
        weight: StackedParameter,
        bias: StackedParameter | None,
        eps: float,
    ) -> torch.Tensor:
        """Normalise; not every normalisation has a shift."""
        normal, mean, deviation = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
        scale = rows.spread(weight)
        ctx.save_for_backward(x, normal, mean, deviation)
        ctx.rest = rows, weight, bias
        return normal * scale if bias is None else torch.addcmul(rows.spread(bias), normal, scale)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Store scale's and shift's gradients, and return the input's."""
        x, normal, mean, deviation = ctx.saved_tensors
        rows, weight, bias = ctx.rest
        if bias is not None:
            rows.sums(g, bias)
        rows.sums(g * normal, weight)
        down = None
        if ctx.needs_input_grad[0]:
            down = torch.ops.aten.native_layer_norm_backward(
                g * rows.spread(weight), x, x.shape[-1:], mean, deviation, None, None, [True, False, False]
            )[0]
        return down, None, None, None, None, None


class GroupedEmbedding(torch.autograd.Function):
    """Look each row's tokens up in its own trial's table, one or several a row; a padding token learns nothing."""

    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor,  # noqa: ARG004
        rows: TrialRows,
        weight: StackedParameter,
        ids: torch.Tensor,
        padding_idx: int | None,
    ) -> torch.Tensor:
        """Look up."""
        sizes = [size * (len(ids) // rows.total) for size in rows.sizes]
        ctx.rest = rows, sizes, weight, ids, padding_idx
        pieces = zip(rows.slots, torch.split(ids, sizes), strict=True)
        return torch.cat([weight.weights[slot].index_select(0, ids_of_slot) for slot, ids_of_slot in pieces])

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Store the tables' gradients."""
        rows, sizes, weight, ids, padding_idx = ctx.rest
        pieces = zip(rows.slots, torch.split(ids, sizes), torch.split(g, sizes), strict=True)
        for slot, ids_of_slot, rows_of_slot in pieces:
            gradient = weight.grads[slot].zero_().index_add_(0, ids_of_slot, rows_of_slot)
            if padding_idx is not None:
                gradient[padding_idx] = 0
        return None, None, None, None, None


class Attention(torch.autograd.Function):
    """Softmax attention within each example, in groups of examples of one length, or padded to one.

    Inputs and output have a row for each token and head, in the batch's order; queries of the last layer have one for
    each example and head.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        groups: LengthGroups,
        scale: float,
        causal: bool,
        window: int | None,
        keep: torch.Tensor | None,
        boost: float,
    ) -> torch.Tensor:
        """Attend, no farther than `window`; `keep` says which weights dropout keeps, `boost` makes up for it."""
        q = q.index_select(0, groups.queries).mul_(scale)
        k, v = k.index_select(0, groups.keys), v.index_select(0, groups.keys)
        weights = torch.empty(groups.n_pairs, dtype=q.dtype, device=q.device)
        for group in groups:
            torch.bmm(group.queries(q), group.keys(k).transpose(1, 2), out=group.pairs(weights))
        weights = _softmax_(weights.to(torch.promote_types(q.dtype, torch.float32)), groups, causal, window)
        used = weights if keep is None else _kept(weights, keep, boost)
        used = used.to(v.dtype)
        result = torch.empty_like(q)
        for group in groups:
            torch.bmm(group.pairs(used), group.keys(v), out=group.queries(result))
        ctx.save_for_backward(q, k, v, weights, used, keep)
        ctx.rest = groups, scale, boost
        return result.index_select(0, groups.queries_back)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        """Return the gradients of q, k and v."""
        q, k, v, weights, used, keep = ctx.saved_tensors
        groups, scale, boost = ctx.rest
        g = g.index_select(0, groups.queries)
        down_q, down_k, down_v, down = (torch.empty_like(x) for x in (q, k, v, used))
        for group in groups:
            torch.bmm(group.pairs(used).transpose(1, 2), group.queries(g), out=group.keys(down_v))
            torch.bmm(group.queries(g), group.keys(v).transpose(1, 2), out=group.pairs(down))
        down = down.to(weights.dtype)
        if keep is not None:
            down = _kept(down, keep, boost)
        # The sum over keys of weight times gradient is also the output times its gradient. But where one weight is 1
        # and the others are 0 this way leaves exactly 0, and that way what rounding leaves of large numbers.
        down *= weights
        for group in groups:
            pairs = group.pairs(down)
            torch.addcmul(pairs, group.pairs(weights), pairs.sum(-1, keepdim=True), value=-1, out=pairs)
        down = down.to(q.dtype)
        for group in groups:
            torch.bmm(group.pairs(down), group.keys(k), out=group.queries(down_q))
            torch.bmm(group.pairs(down).transpose(1, 2), group.queries(q), out=group.keys(down_k))
        down_q = down_q.mul_(scale).index_select(0, groups.queries_back)
        down_k, down_v = (x.index_select(0, groups.keys_back) for x in (down_k, down_v))
        return down_q, down_k, down_v, None, None, None, None, None, None


def _softmax_(scores: torch.Tensor, groups: LengthGroups, causal: bool, window: int | None) -> torch.Tensor:
    """Turn scores into weights in place."""
    # On a CPU torch's own softmax takes ten times as long for rows shorter than a vector register. Groups are sorted
    # by length, so what is exponentiated by hand comes first.
    shortest = _VECTOR if scores.device.type == "cpu" else 0
    by_hand = [group for group in groups if group.length < shortest]
    if groups.padding is not None:
        scores.masked_fill_(groups.padding.keys, float("-inf"))
    for group in groups:
        pairs = group.pairs(scores)
        if causal and group.n_queries > 1:
            pairs += _infinite(group.length, pairs).triu(1)
        if window is not None and group.length - 1 > window:
            pairs += _infinite(group.length, pairs).triu(window + 1) + _infinite(group.length, pairs).tril(-window - 1)
        if group.length < shortest:
            pairs -= pairs.amax(-1, keepdim=True)
        else:
            pairs.copy_(torch.softmax(pairs, -1))
    scores[: by_hand[-1].last_pair if by_hand else 0].exp_()
    for group in by_hand:
        pairs = group.pairs(scores)
        pairs /= pairs.sum(-1, keepdim=True)
    if groups.padding is not None and groups.padding.queries is not None:
        # With weights of 0, forward and back nothing comes of what is padding.
        scores.masked_fill_(groups.padding.queries, 0.0)
    return scores


def _infinite(length: int, like: torch.Tensor) -> torch.Tensor:
    return torch.full((length, length), float("-inf"), dtype=like.dtype, device=like.device)


# Single-precision numbers in the widest vector register of a CPU.
_VECTOR = 16


def dropped(x: torch.Tensor, keep: torch.Tensor, boost: torch.Tensor | float) -> torch.Tensor:
    """Return `x` where `keep` is true and 0 elsewhere, times `boost`."""
    result: torch.Tensor = _Dropout.apply(x, keep, boost)  # type: ignore[no-untyped-call]
    return result


class _Dropout(torch.autograd.Function):
    """Dropout that saves its mask as one byte per element; a product would save a float."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, keep: torch.Tensor, boost: torch.Tensor | float) -> torch.Tensor:
        ctx.save_for_backward(keep)
        ctx.boost = boost
        return _kept(x, keep, boost)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        (keep,) = ctx.saved_tensors
        return _kept(g, keep, ctx.boost), None, None


def _kept(x: torch.Tensor, keep: torch.Tensor, boost: torch.Tensor | float) -> torch.Tensor:
    if x.is_cuda:
        return (x * keep).mul_(boost)
    # A CPU turns bytes into numbers several times as fast as it does truth values.
    return keep.view(torch.uint8).to(x.dtype).mul_(x).mul_(boost)


def anchor() -> torch.Tensor:
    """Return an empty tensor that requires a gradient."""
    return nn.Parameter(torch.empty(0))
