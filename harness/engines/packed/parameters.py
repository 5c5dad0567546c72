"""Parameters of a pack: every trial's trained weights in one flat row, its gradient clipping and its AdamW."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from harness.engines.packed.trial_rows import StackedParameter
from harness.study.training import Training
from harness.study.trials import Trial


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return a model's trained parameters by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def shape_in_trial(trial: Trial, name: str, shape: torch.Size) -> torch.Size:
    """Return the shape of a trained parameter in a trial, from its shape in another trial of the pack."""
    rank = int(getattr(trial.settings.adapter, "r", 0))
    if ".lora_A." in name:
        return torch.Size((rank, shape[1]))
    if ".lora_B." in name:
        return torch.Size((shape[0], rank))
    return shape


class PackParameters:
    """The trained parameters, gradients and optimizers of K trials.

    A row holds first what weight decay applies to, then the rest, so an optimizer has two parameters whatever the
    model. Where shapes differ, as those of an adapter with its rank, each is padded with zeros to the largest: the
    gradients of the padding are zero as well, so it stays zero.

    Parameters
    ----------
    shapes : mapping of str to sequence of torch.Size
        For each trained parameter its shape in every trial.
    decayed : set of str
        The parameters that weight decay applies to.
    settings : sequence of Training
        Of each trial.
    dtype, device
        Of the weights.

    Attributes
    ----------
    norms : Tensor
        For each trial the sum of its gradients' norms, (K,); not finite as soon as one of them is not.
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[torch.Size]],
        decayed: set[str],
        settings: Sequence[Training],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        size, split, places = 0, 0, {}
        names = sorted(shapes, key=lambda name: name not in decayed)
        for name in names:
            largest = torch.Size(max(extents) for extents in zip(*shapes[name], strict=True))
            places[name] = (size, largest)
            size += largest.numel()
            if name in decayed:
                split = size
        self._names = tuple(shapes)
        self._split = split
        self._places = places
        self.values = torch.zeros(len(settings), size, dtype=dtype, device=device)
        self.gradients = torch.zeros_like(self.values)
        self.norms = torch.zeros(len(settings), dtype=dtype, device=device)
        self.stacks = {
            name: StackedParameter(self._view(self.values, name), self._view(self.gradients, name)) for name in places
        }
        # Without a limit the Trainer still measures the norm, by clipping at infinity.
        self._limits = [training.max_grad_norm or math.inf for training in settings]
        self._optimizers = [self._optimizer(slot, training) for slot, training in enumerate(settings)]

    def _view(self, flat: torch.Tensor, name: str) -> torch.Tensor:
        start, shape = self._places[name]
        return flat[:, start : start + shape.numel()].view(len(flat), *shape)

    def _optimizer(self, slot: int, settings: Training) -> torch.optim.AdamW:
        groups = []
        halves = ((slice(None, self._split), settings.weight_decay), (slice(self._split, None), 0.0))
        for half, decay in halves:
            values = self.values[slot, half]
            if values.numel():
                values.grad = self.gradients[slot, half]
                groups.append({"params": [values], "weight_decay": decay})
        return torch.optim.AdamW(
            groups,
            lr=settings.learning_rate,
            betas=(settings.adam_beta1, settings.adam_beta2),
            eps=settings.adam_epsilon,
            fused=True,
        )

    def fill(self, slot: int, parameters: Mapping[str, torch.Tensor]) -> None:
        """Copy in a trial's parameters as they were drawn."""
        for name, stack in self.stacks.items():
            drawn = parameters[name].detach()
            stack.weights[slot][tuple(slice(extent) for extent in drawn.shape)] = drawn.to(self.values.device)

    def step(self, slots: Sequence[int], learning_rates: Mapping[int, float]) -> None:
        """Clip each trial's gradient by its own norm, and let its optimizer take a step."""
        for slot in slots:
            gradient = self.gradients[slot]
            norm = torch.linalg.vector_norm(gradient)
            self.norms[slot] += norm
            factor = (self._limits[slot] / (norm + 1e-6)).clamp(max=1.0)
            # On a CPU comparing is cheap, and a pass over a large model's gradient is not. A factor of NaN is not 1
            # either, and multiplies the whole gradient, as in `clip_grad_norm_`.
            if gradient.is_cuda or factor != 1:
                gradient.mul_(factor)
            optimizer = self._optimizers[slot]
            for group in optimizer.param_groups:
                group["lr"] = learning_rates[slot]
            optimizer.step()

    def not_finite(self, slot: int) -> str | None:
        """Return the name of a parameter of a trial that is not finite, or None."""
        if torch.isfinite(self.values[slot]).all():
            return None
        return next(name for name in self._names if not torch.isfinite(self.stacks[name].weights[slot]).all())

    def state(self) -> dict[str, Any]:
        """Return all that a later process needs to resume."""
        return {"values": self.values, "optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from what `state` returned."""
        self.values.copy_(state["values"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
