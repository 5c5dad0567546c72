"""Packed model: a trial's model whose trained modules are replaced by ones that know every trial of the pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.attention import ATTENTION, PackedAttention
from harness.engines.packed.context import PackContext
from harness.engines.packed.dropout import DropoutSite, levels_of
from harness.engines.packed.ia3 import PackedIa3, is_ia3
from harness.engines.packed.lora import PackedLora, is_lora, with_own_weights
from harness.engines.packed.modules import (
    Grouped,
    PackedBias,
    PackedDropout,
    PackedEmbedding,
    PackedLayerNorm,
    PackedLinear,
    in_whole_blocks,
    without_bias,
)
from harness.engines.packed.ragged import RaggedSplit
from harness.engines.packed.trial_rows import StackedParameter
from harness.models.freezing import embeddings_and_layers

# What an attention calls the dropout of its weights: a module, or in ModernBERT a number.
_ATTENTION_DROPOUTS = ("attn_dropout", "dropout", "attention_dropout")


class PackedModel:
    """The model of a pack.

    Parameters
    ----------
    model : Module
        A trial's own, as `harness.models.build.build_model` made it; it is taken over.
    stacks : mapping of str to StackedParameter
        For each trained parameter of it the stack of all trials.
    scales : sequence of mapping of str to float
        For each trial the LoRA scale of each adapted layer, by its name.
    changed_weights : sequence of mapping of str to Tensor
        For each trial the frozen weights that its adapter's start changed, by the same names.
    adapter_dropout : sequence of float
        For each trial.
    layers_without_dropout : int
        How many of the first layers run without dropout, embeddings included; -1 for none.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        stacks: Mapping[str, StackedParameter],
        scales: Sequence[Mapping[str, float]],
        changed_weights: Sequence[Mapping[str, torch.Tensor]],
        adapter_dropout: Sequence[float],
        layers_without_dropout: int,
    ) -> None:
        self.dropout_sites: list[DropoutSite] = []
        inner: Any = base_of(model)
        self._architecture = architecture = ARCHITECTURES[inner.config.model_type](inner)
        embeddings, self._layers = embeddings_and_layers(inner)
        self.context = PackContext(architecture.pooled_token)
        self.heads: int = inner.config.num_attention_heads
        # The last layer is not computed for all tokens, so it is never among the layers whose output is kept.
        self.frozen_layers = min(_frozen_layers(embeddings, self._layers), len(self._layers) - 1)
        self.width: int = inner.config.hidden_size
        self._scales = scales
        self._changed_weights = changed_weights
        self._adapter_dropout = adapter_dropout
        self._stacks = stacks
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._pooled = {id(module) for part in architecture.pooled_modules for module in part.modules()}
        self._drop_twice = {id(module) for part in architecture.drop_twice for module in part.modules()}
        self._embeddings = {id(module) for part in embeddings for module in part.modules()}
        self._embedding_width: int = getattr(inner.config, "embedding_size", self.width)
        n = layers_without_dropout
        without_dropout = (*embeddings, *self._layers[:n]) if n >= 0 else ()
        self._without_dropout = {id(module) for part in without_dropout for module in part.modules()}
        self._last = {id(module) for module in self._layers[-1].modules()} if architecture.attends_pooled else set()
        for module in inner.modules():
            if isinstance(module, nn.Linear | Conv1D):
                in_whole_blocks(module)
        self._replace_children(inner)
        del self._changed_weights  # stacked now, and as large as the stack
        inner.config._attn_implementation = ATTENTION
        self._model = inner

    def embed(self, split: RaggedSplit) -> torch.Tensor:
        """Return the embeddings of the batch's tokens, (1, N, d); the batch is of this split."""
        batch = self.context.batch
        ids = split.ids[batch.source].unsqueeze(0)
        types = None if split.types is None else split.types[batch.source].unsqueeze(0)
        return self._architecture.embed(ids, batch.positions.unsqueeze(0), types)

    def layers(self, hidden: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Return what layers `first` to before `last` make of (1, N, d)."""
        for layer in self._layers[first:last]:
            hidden = layer(hidden, **self._inputs(layer, hidden))
        return hidden

    def logits(self, hidden: torch.Tensor, first: int) -> torch.Tensor:
        """Return each example's logits, (E, C), from what enters layer `first`."""
        hidden = self.layers(hidden, first, len(self._layers) - 1)
        last = self._layers[-1]
        pooled = self._architecture.last_layer(last, hidden, self.context, **self._inputs(last, hidden))
        return self._architecture.classify(pooled)

    def _inputs(self, layer: nn.Module, hidden: torch.Tensor) -> Mapping[str, Any]:
        return self._architecture.layer_inputs(layer, hidden, self.context.batch.positions.unsqueeze(0))

    def to(self, device: torch.device) -> None:
        """Move what is not trained."""
        self._model.to(device)

    def _replace_children(self, module: Any) -> None:
        for name, child in list(module.named_children()):
            packed = self._packed(child)
            if packed is not child:
                setattr(module, name, packed)
                if isinstance(packed, Grouped):
                    continue
            self._replace_children(packed)

    def _packed(self, module: Any) -> nn.Module:
        """Return the packed form of a module; the module itself where it is the same for all trials."""
        if hasattr(module, "modules_to_save"):
            # The head that is trained; its untrained original is not computed.
            module = module.modules_to_save[module.active_adapters[0]]
        if isinstance(module, nn.Dropout):
            if id(module) in self._without_dropout:
                return nn.Identity()
            kind = "examples" if id(module) in self._pooled else "tokens"
            width = self._embedding_width if id(module) in self._embeddings else self.width
            width = self._architecture.dropout_widths.get(module, width)
            times = 2 if id(module) in self._drop_twice else 1
            sites = [self._add_dropout_site(kind, width, [module.p] * len(self._scales)) for _ in range(times)]
            return PackedDropout(self.context, sites)
        if is_lora(module):
            return self._packed_lora(module)
        if is_ia3(module):
            return self._packed_ia3(module)
        weight = self._stack(getattr(module, "weight", None))
        bias = self._stack(getattr(module, "bias", None))
        attribute = next((name for name in _ATTENTION_DROPOUTS if hasattr(module, name)), None)
        if hasattr(module, "is_causal") and attribute is not None:
            self._pack_attention(module, attribute)
        if weight is None:
            return module if bias is None else PackedBias(self.context, without_bias(module), bias)
        if isinstance(module, nn.Embedding):
            return PackedEmbedding(self.context, weight, module.padding_idx)
        if isinstance(module, nn.LayerNorm):
            return PackedLayerNorm(self.context, weight, bias, module.eps)
        return PackedLinear(self.context, weight, bias, stored_in_out=isinstance(module, Conv1D))

    def _pack_attention(self, module: Any, dropout: str) -> None:
        """Let an attention module attend within examples; its attribute `dropout` is that of the weights."""
        own = getattr(module, dropout)
        p = 0.0 if id(module) in self._without_dropout else getattr(own, "p", own)
        pooled = id(module) in self._last
        site = self._add_dropout_site(
            "pooled_attention" if pooled else "attention", self.heads, [p] * len(self._scales)
        )
        module.packed = PackedAttention(self.context, site, self.heads, self._architecture.causal, pooled)
        if isinstance(own, nn.Module):
            setattr(module, dropout, _DropoutProbability(p))

    def _packed_lora(self, module: Any) -> nn.Module:
        adapter = module.active_adapters[0]
        down, up = (self._stack(part[adapter].weight) for part in (module.lora_A, module.lora_B))
        if down is None or up is None:
            raise TypeError("an adapter that is not trained")
        kind = "examples" if id(module) in self._pooled else "tokens"
        name = self._names[id(module.lora_A[adapter].weight)]
        layer = module.base_layer
        magnitude = next((self._stack(part.weight) for part in module.lora_magnitude_vector.values()), None)
        bias = self._stack(layer.bias)
        if magnitude is not None and bias is None and layer.bias is not None:
            # A magnitude scales no bias, so it is added afterwards.
            bias = StackedParameter(layer.bias.detach().expand(len(self._scales), -1))
        layer = layer if bias is None else without_bias(layer)
        if name in self._changed_weights[0]:
            layer = with_own_weights(self.context, layer, [changed[name] for changed in self._changed_weights])
        packed = PackedLora(
            self.context,
            layer,
            down=down,
            up=up,
            magnitude=magnitude,
            scales=[scales[name] for scales in self._scales],
            dropout_site=self._add_dropout_site(kind, module.in_features, self._adapter_dropout),
        )
        return packed if bias is None else PackedBias(self.context, packed, bias)

    def _packed_ia3(self, module: Any) -> nn.Module:
        vector = self._stack(module.ia3_l[module.active_adapters[0]])
        if vector is None or vector.grad is None:
            raise TypeError("an adapter that is not trained")
        # A column or a row to peft.
        flat = StackedParameter(vector.weight.flatten(1), vector.grad.flatten(1))
        return PackedIa3(self.context, module.base_layer, flat, of_input=module.is_feedforward)

    def _stack(self, parameter: nn.Parameter | None) -> StackedParameter | None:
        return self._stacks.get(self._names.get(id(parameter), "")) if parameter is not None else None

    def _add_dropout_site(self, kind: Any, width: int, probabilities: Sequence[float]) -> int:
        levels = tuple(levels_of(p) for p in probabilities)
        self.dropout_sites.append(DropoutSite(kind=kind, width=width, levels=levels))
        return len(self.dropout_sites) - 1


class _DropoutProbability(nn.Module):
    """Holds an attention's dropout probability where the model reads it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p


def base_of(model: Any) -> nn.Module:
    """Return the classifier inside a model that may have an adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[no-any-return]


def _frozen_layers(embeddings: Sequence[nn.Module], layers: nn.ModuleList) -> int:
    """Return how many layers come before the first that is trained; -1 if the embeddings are."""

    def is_trained(part: nn.Module) -> bool:
        return any(parameter.requires_grad for parameter in part.parameters())

    if any(is_trained(part) for part in embeddings):
        return -1
    return next((i for i, layer in enumerate(layers) if is_trained(layer)), len(layers))
