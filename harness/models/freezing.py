"""Freezing: which layers of a model are not trained, and whether they keep their dropout."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from harness.errors import ModelError
from harness.study.settings import Freeze


def freeze_layers(model: Any, freeze: Freeze, *, new: Collection[str]) -> None:
    """Freeze the embeddings and the first layers of a model, in place.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model.
    freeze : Freeze
        As the study sets it.
    new : collection of str
        The parameters that no checkpoint brought: they are trained wherever they stand. So are biases, if asked.

    Raises
    ------
    ModelError
        If the model has fewer layers, has no biases that are to be trained, or is of an architecture whose layers are
        not known here.
    """
    parts = _frozen_parts(model, freeze)
    if freeze.biases == "trained" and not any(is_bias(name) for part in parts for name, _ in part.named_parameters()):
        raise ModelError("freeze.biases: what is frozen of this model has no biases, so none could be trained")
    for part in parts:
        part.requires_grad_(False)
        if freeze.dropout == "off":
            # Training mode is set anew before every step, so it is turned back before every forward pass.
            part.register_forward_pre_hook(lambda module, _: _evaluation_mode(module))
    for name, parameter in model.named_parameters():
        if name in new or (freeze.biases == "trained" and is_bias(name)):
            parameter.requires_grad_(True)


def is_bias(parameter: str) -> bool:
    """Whether a parameter of this name is a bias: `.bias`, or one that DeBERTa adds to queries or values."""
    return parameter.endswith((".bias", ".q_bias", ".v_bias"))


def _evaluation_mode(module: nn.Module) -> None:
    module.eval()


def _frozen_parts(model: Any, freeze: Freeze) -> list[nn.Module]:
    """Return what is frozen: with all layers, what stands above them in the backbone too, as under an adapter."""
    embeddings, layers = embeddings_and_layers(model)
    if freeze.layers > len(layers):
        raise ModelError(f"freeze.layers: expected 0 to {len(layers)}, the layers of this model, got {freeze.layers}")
    if freeze.layers == len(layers):
        return [getattr(model, model.base_model_prefix)]
    return [*embeddings, *layers[: freeze.layers]]


def embeddings_and_layers(model: Any) -> tuple[list[nn.Module], nn.ModuleList]:
    """Return a backbone's embeddings and layers."""
    kind = model.config.model_type
    backbone = getattr(model, model.base_model_prefix)
    if kind == "gpt2":
        # Its dropout stands beside the embeddings, not in them; without it a frozen prefix would not repeat.
        return [backbone.wte, backbone.wpe, backbone.drop], backbone.h
    if kind == "distilbert":
        return [backbone.embeddings], backbone.transformer.layer
    if kind in {"bert", "roberta"}:
        return [backbone.embeddings], backbone.encoder.layer
    if kind == "electra":
        # Embeddings that are narrower than the layers are followed by a projection.
        projection = [backbone.embeddings_project] if hasattr(backbone, "embeddings_project") else []
        return [backbone.embeddings, *projection], backbone.encoder.layer
    if kind == "modernbert":
        return [backbone.embeddings], backbone.layers
    if kind in {"deberta", "deberta-v2"}:
        # All layers share the embeddings of distances, and what normalises them; some models have a convolution beside
        # the first layer.
        shared = [getattr(backbone.encoder, name, None) for name in ("rel_embeddings", "LayerNorm", "conv")]
        return [backbone.embeddings, *(part for part in shared if part is not None)], backbone.encoder.layer
    known = "gpt2, bert, roberta, distilbert, electra, modernbert, deberta and deberta-v2"
    raise ModelError(f"freeze: known for {known} models, not for {kind!r}")
