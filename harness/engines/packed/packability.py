"""Packability: why a trial cannot be packed, so that the reference engine trains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.ia3 import is_ia3
from harness.engines.packed.lora import is_lora
from harness.engines.packed.model import base_of
from harness.study.settings import Data
from harness.study.trials import Trial


def obstacle(model: nn.Module, trial: Trial, data_settings: Data) -> str | None:
    """Return why a trial cannot be packed, or None where it can.

    Parameters
    ----------
    model : Module
        The trial's model; its weights may be on the meta device.
    trial : Trial
        The trial.
    data_settings : Data
        How its examples are padded.
    """
    return next(_obstacles(model, trial, data_settings), None)


def _obstacles(model: nn.Module, trial: Trial, data_settings: Data) -> Iterator[str]:
    config: Any = base_of(model).config
    if config.model_type not in ARCHITECTURES:
        yield f"it does not know models of type {config.model_type!r}"
        return
    if data_settings.padding_side == "left":
        if ARCHITECTURES[config.model_type](base_of(model)).pooled_token == "first":
            yield "its head reads the first token, and padding on the left makes that one of padding"
        if data_settings.padding == "longest":
            yield "padding on the left to the longest example shifts the positions by what else is in the batch"
    if getattr(config, "chunk_size_feed_forward", 0):
        yield "chunk_size_feed_forward cuts examples"
    if getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False):
        yield "a decoder attends otherwise"
    adapter = trial.settings.adapter
    if adapter is not None and adapter.peft_type not in {"LORA", "IA3"}:
        yield f"it does not know adapters of type {adapter.peft_type}"
        return
    parts_of_adapters: set[int] = set()
    for module in model.modules():
        if is_lora(module) or is_ia3(module):
            parts_of_adapters |= {id(part) for part in module.modules()} - {id(module.base_layer)}
        elif hasattr(module, "lora_A") or hasattr(module, "ia3_l"):
            yield f"it does not know such an adapter on {type(module).__name__}"
            return
    for module in model.modules():
        if id(module) in parts_of_adapters:
            continue
        parameters = dict(module.named_parameters(recurse=False))
        trained = {name for name, parameter in parameters.items() if parameter.requires_grad}
        known = isinstance(module, nn.Linear | Conv1D | nn.LayerNorm | nn.Embedding)
        if trained and not (known and trained in (set(parameters), {"bias"})):
            yield f"{type(module).__name__} is trained, and it knows no packed form of it"
            return
