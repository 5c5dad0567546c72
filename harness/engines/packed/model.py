"""A model of one trial becomes the model of a pack: what is trained is exchanged for modules that know all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.dropout import Place, levels_of
from harness.engines.packed.layout import Ragged
from harness.engines.packed.modules import (
    ATTENTION,
    Attending,
    Grouped,
    Now,
    PackedDropout,
    PackedEmbedding,
    PackedLayerNorm,
    PackedLinear,
    PackedLora,
)
from harness.engines.packed.rows import Stack
from harness.models.freezing import embeddings_and_layers


class PackedModel:
    """The model of a pack.

    Parameters
    ----------
    model : Module
        A trial's own, as `harness.models.build_model` made it; it is taken over.
    stacks : mapping of str to Stack
        For each trained parameter of it the stack of all trials.
    scales : sequence of mapping of str to float
        For each trial the scale of each adapted layer, by its name.
    adapter_dropout : sequence of float
        For each trial.
    still : int
        How many layers run without dropout, embeddings included; -1 for none.
    """

    def __init__(
        self,
        model: nn.Module,
        stacks: Mapping[str, Stack],
        scales: Sequence[Mapping[str, float]],
        adapter_dropout: Sequence[float],
        still: int,
    ) -> None:
        self.places: list[Place] = []
        inner: Any = base_of(model)
        self._anatomy = anatomy = ARCHITECTURES[inner.config.model_type](inner)
        embeddings, self._layers = embeddings_and_layers(inner)
        self.now = Now(anatomy.reads)
        self.heads: int = inner.config.num_attention_heads
        # The last layer is not computed for all tokens, so it never belongs to what is kept of them.
        self.prefix = min(_frozen_layers(embeddings, self._layers), len(self._layers) - 1)
        self.width: int = inner.config.hidden_size
        self._scales = scales
        self._adapter_dropout = adapter_dropout
        self._stacks = stacks
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._reading = {id(module) for part in anatomy.reading for module in part.modules()}
        silent = (*embeddings, *self._layers[:still]) if still >= 0 else ()
        self._silent = {id(module) for part in silent for module in part.modules()}
        self._last = {id(module) for module in self._layers[-1].modules()}
        self._exchange(inner)
        inner.config._attn_implementation = ATTENTION
        self._model = inner

    def start(self, split: Ragged) -> torch.Tensor:
        """Return the embeddings of the tokens at hand, which are a split's."""
        layout = self.now.layout
        ids = split.ids[layout.source].unsqueeze(0)
        types = None if split.types is None else split.types[layout.source].unsqueeze(0)
        return self._anatomy.embed(ids, layout.positions.unsqueeze(0), types)

    def layers(self, hidden: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Return what layers `first` to before `last` make of (1, N, d)."""
        for layer in self._layers[first:last]:
            hidden = layer(hidden)
        return hidden

    def logits(self, hidden: torch.Tensor, first: int) -> torch.Tensor:
        """Return each sentence's logits from what enters layer `first`."""
        hidden = self.layers(hidden, first, len(self._layers) - 1)
        read = self._anatomy.last(self._layers[-1], hidden, self.now)
        return self._anatomy.classify(read)

    def to(self, device: torch.device) -> None:
        """Move what is not trained."""
        self._model.to(device)

    def _exchange(self, module: Any) -> None:
        for name, child in list(module.named_children()):
            new = self._packed(child)
            if new is not child:
                setattr(module, name, new)
                if isinstance(new, Grouped):
                    continue
            self._exchange(new)

    def _packed(self, module: Any) -> nn.Module:
        """Return what stands for a module in the pack; itself where it is the same for all trials."""
        if hasattr(module, "modules_to_save"):
            # The head that is trained; its untrained original is not computed.
            module = module.modules_to_save[module.active_adapters[0]]
        if isinstance(module, nn.Dropout):
            if id(module) in self._silent:
                return nn.Identity()
            kind = "sentences" if id(module) in self._reading else "tokens"
            return PackedDropout(self.now, self._place(kind, self.width, [module.p] * len(self._scales)))
        if is_lora(module):
            return self._lora(module)
        weight = self._stack(getattr(module, "weight", None))
        bias = self._stack(getattr(module, "bias", None))
        carried = next((name for name in ("attn_dropout", "dropout") if hasattr(module, name)), None)
        if hasattr(module, "is_causal") and carried is not None:
            self._attend(module, carried)
        if weight is None:
            return module  # type: ignore[no-any-return]
        if isinstance(module, nn.Embedding):
            return PackedEmbedding(self.now, weight, module.padding_idx)
        if isinstance(module, nn.LayerNorm) and bias is not None:
            return PackedLayerNorm(self.now, weight, bias, module.eps)
        return PackedLinear(self.now, weight, bias, stored_in_out=isinstance(module, Conv1D))

    def _attend(self, module: Any, carried: str) -> None:
        """Let an attention module attend within sentences; its dropout is that of the weights."""
        p = 0.0 if id(module) in self._silent else getattr(module, carried).p
        reading = id(module) in self._last
        place = self._place("reading" if reading else "attention", self.heads, [p] * len(self._scales))
        module.packed = Attending(self.now, place, self.heads, self._anatomy.causal, reading)
        setattr(module, carried, _Carried(p))

    def _lora(self, module: Any) -> nn.Module:
        adapter = module.active_adapters[0]
        down, up = (self._stack(part[adapter].weight) for part in (module.lora_A, module.lora_B))
        if down is None or up is None:
            raise TypeError("an adapter that is not trained")
        kind = "sentences" if id(module) in self._reading else "tokens"
        place = self._place(kind, module.in_features, self._adapter_dropout)
        name = self._names[id(module.lora_A[adapter].weight)]
        return PackedLora(self.now, module.base_layer, down, up, [scale[name] for scale in self._scales], place)

    def _stack(self, parameter: nn.Parameter | None) -> Stack | None:
        return self._stacks.get(self._names.get(id(parameter), "")) if parameter is not None else None

    def _place(self, kind: Any, width: int, ps: Sequence[float]) -> int:
        self.places.append(Place(kind=kind, width=width, levels=tuple(levels_of(p) for p in ps)))
        return len(self.places) - 1


class _Carried(nn.Module):
    """Holds an attention's dropout where the model asks for it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p


def base_of(model: Any) -> nn.Module:
    """Return the classifier inside a model that may have an adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[no-any-return]


def is_lora(module: nn.Module) -> bool:
    """Whether a module is a linear layer with a LoRA adapter."""
    if not hasattr(module, "lora_A"):
        return False
    import peft

    return type(module) is peft.tuners.lora.Linear


def scales_of(model: nn.Module) -> dict[str, float]:
    """Return the scale of each adapted layer, by the name of its first matrix."""
    found = {}
    for name, module in model.named_modules():
        if is_lora(module):
            adapter = module.active_adapters[0]
            found[f"{name}.lora_A.{adapter}.weight"] = float(module.scaling[adapter])
    return found


def _frozen_layers(embeddings: Sequence[nn.Module], layers: nn.ModuleList) -> int:
    """Return how many layers come before the first that is trained; -1 if the embeddings are."""

    def is_trained(part: nn.Module) -> bool:
        return any(parameter.requires_grad for parameter in part.parameters())

    if any(is_trained(part) for part in embeddings):
        return -1
    return next((i for i, layer in enumerate(layers) if is_trained(layer)), len(layers))
