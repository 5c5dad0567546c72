"""Trial rows: which rows of a tensor belong to which trial, and products of rows with their own trial's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import pad

from harness.engines.device import to_device

# A CPU multiplies bf16 by kernels that are compiled anew for each shape, which takes milliseconds. Numbers of rows
# differ from step to step, so they are rounded up to a multiple of this.
_BLOCK = 64


def whole_blocks(x: torch.Tensor) -> torch.Tensor:
    """Return the rows of `x` and as many of zeros as a product on a CPU needs in bf16; `x` itself elsewhere."""
    return pad(x, (0, 0, 0, -len(x) % _BLOCK)) if x.dtype == torch.bfloat16 and x.device.type == "cpu" else x


class StackedParameter:
    """One parameter of every trial of a pack.

    Parameters
    ----------
    weight, grad : Tensor, shape (K, ...)
        Views into the pack's flat weights and gradients. A gradient is overwritten, not added to: every trial computes
        each of its parameters' gradients once a step. A frozen parameter has no gradient.
    """

    def __init__(self, weight: torch.Tensor, grad: torch.Tensor | None = None) -> None:
        self.weight = weight
        self.grad = grad
        # Unbound once: a slice of a slice for every trial and layer would cost more than a small product.
        self.weights = weight.unbind(0)
        self.grads = grad.unbind(0) if grad is not None else ()
        self.transposed = tuple(w.t() for w in self.weights) if weight.dim() == 3 else ()


class TrialRows:
    """Rows of a tensor, trial by trial.

    Parameters
    ----------
    slots : sequence of int
        The trials, as positions in the pack.
    sizes : sequence of int
        How many rows each of them has, none of them 0.
    device : torch.device
        Where the rows are.
    batched : bool
        Whether products are one batched product over rows padded to the longest trial, for a GPU, where a launch costs
        more than padding; otherwise one exact product for each trial, for a CPU, where padding costs more.
    """

    def __init__(self, slots: Sequence[int], sizes: Sequence[int], device: torch.device, *, batched: bool) -> None:
        self.slots = tuple(slots)
        self.sizes = list(sizes)
        self.batched = batched
        self.total = sum(sizes)
        counts = torch.tensor(self.sizes)
        owner = torch.repeat_interleave(torch.arange(len(slots)), counts)
        self.owner = to_device(owner, device)
        self._slots = to_device(torch.tensor(self.slots), device)
        if batched:
            self.longest = max(sizes)
            first = torch.cumsum(counts, 0) - counts
            within = torch.arange(self.total) - torch.repeat_interleave(first, counts)
            self._place = to_device(owner * self.longest + within, device)

    def product(
        self, x: torch.Tensor, stack: StackedParameter, *, transposed: bool, bias: StackedParameter | None = None
    ) -> torch.Tensor:
        """Return each row of `x` times its trial's matrix, which is stored as (out, in) if `transposed`."""
        if self.batched:
            weight = self.of_slots(stack.weight).to(x.dtype)
            padded = self._spread(x)
            result = padded @ (weight.transpose(1, 2) if transposed else weight)
            if bias is not None:
                result += self.of_slots(bias.weight).unsqueeze(1)
            return result.flatten(0, 1).index_select(0, self._place)
        matrices = stack.transposed if transposed else stack.weights
        result = x.new_empty(self.total, matrices[0].shape[1])
        pieces = zip(self.slots, torch.split(x, self.sizes), torch.split(result, self.sizes), strict=True)
        if x.dtype != matrices[0].dtype:
            for slot, rows, out in pieces:
                padded, matrix = whole_blocks(rows), matrices[slot].to(x.dtype)
                y = padded @ matrix if bias is None else torch.addmm(bias.weights[slot].to(x.dtype), padded, matrix)
                out.copy_(y[: len(rows)])
        elif bias is None:
            for slot, rows, out in pieces:
                torch.mm(rows, matrices[slot], out=out)
        else:
            for slot, rows, out in pieces:
                torch.addmm(bias.weights[slot], rows, matrices[slot], out=out)
        return result

    def outer(self, left: torch.Tensor, right: torch.Tensor, stack: StackedParameter) -> None:
        """Store left^T right of each trial's rows as its gradient, unless the parameter is frozen."""
        if stack.grad is None:
            return
        if self.batched:
            gradients = self._spread(left).transpose(1, 2) @ self._spread(right)
            stack.grad.index_copy_(0, self._slots, gradients.to(stack.grad.dtype))
            return
        pieces = zip(self.slots, torch.split(left, self.sizes), torch.split(right, self.sizes), strict=True)
        same = left.dtype == stack.grad.dtype
        for slot, a, b in pieces:
            if same:
                torch.mm(a.t(), b, out=stack.grads[slot])
            else:
                stack.grads[slot].copy_(whole_blocks(a).t() @ whole_blocks(b))

    def sums(self, x: torch.Tensor, stack: StackedParameter) -> None:
        """Store the sum of each trial's rows as its gradient, unless the parameter is frozen."""
        if stack.grad is None:
            return
        if self.batched:
            stack.grad.index_copy_(0, self._slots, self._spread(x).sum(1).to(stack.grad.dtype))
            return
        for slot, rows in zip(self.slots, torch.split(x, self.sizes), strict=True):
            torch.sum(rows, 0, out=stack.grads[slot])

    def spread(self, stack: StackedParameter) -> torch.Tensor:
        """Return for each row its trial's vector."""
        if self.batched:
            return self.of_slots(stack.weight).index_select(0, self.owner)
        pieces = [stack.weights[slot].expand(size, -1) for slot, size in zip(self.slots, self.sizes, strict=True)]
        return torch.cat(pieces)

    def of_slots(self, weight: torch.Tensor) -> torch.Tensor:
        """Return of (K, ...) what belongs to the trials that have rows, (len(slots), ...)."""
        return weight if len(self.slots) == len(weight) else weight.index_select(0, self._slots)

    def _spread(self, x: torch.Tensor) -> torch.Tensor:
        padded = x.new_zeros(len(self.slots) * self.longest, x.shape[1])
        return padded.index_copy_(0, self._place, x).view(len(self.slots), self.longest, -1)
