"""A checkpoint, an adapter and a freezing become a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from harness.errors import ModelError
from harness.models import pretrained
from harness.models.adapters import adapted
from harness.models.checkpoints import Checkpoint
from harness.models.pretrained import Pretrained
from harness.quiet import quiet
from harness.seeding import Streams, projection_key
from harness.study.settings import Arm, Freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How many parameters a model has, and how many of them are trained."""

    total: int
    trainable: int


def build(
    checkpoint: Checkpoint,
    arm: Arm,
    *,
    n_classes: int,
    pad_token_id: int,
    streams: Streams,
    steps: int | None = None,
) -> nn.Module:
    """Build the model of one trial inside its own stream of random numbers.

    The classification head is drawn before the adapter, so that arms of one seed share it whatever their rank. `steps`
    are the optimizer steps of the whole training, which some adapters plan for.

    Raises
    ------
    ModelError
        If the checkpoint has no such architecture, or the adapter or the freezing does not fit it.
    """
    with _forked(streams.initialisation), quiet():
        found = pretrained.load(checkpoint, n_classes=n_classes)
        found.model.config.pad_token_id = pad_token_id
        return _fit(found, arm, key=projection_key(streams.initialisation), steps=steps)


def describe(checkpoint: Checkpoint, arm: Arm, *, n_classes: int) -> Parameters:
    """Count an arm's parameters from the configuration alone.

    Raises
    ------
    ModelError
        If the adapter or the freezing does not fit the model.
    """
    return count(outline(checkpoint, arm, n_classes=n_classes))


def outline(checkpoint: Checkpoint, arm: Arm, *, n_classes: int) -> nn.Module:
    """Build an arm's model without its weights, from the configuration alone: none is loaded or drawn.

    Raises
    ------
    ModelError
        If the adapter or the freezing does not fit the model.
    """
    try:
        with torch.device("meta"), quiet():
            return _fit(pretrained.load(checkpoint, n_classes=n_classes, outline=True), arm)
    except RuntimeError:
        # Some adapters compute with the weights as they are put on; these get values, whichever.
        with _forked(0), quiet():
            found = pretrained.load(checkpoint, n_classes=n_classes, outline=True)
            found.model.to_empty(device="cpu")
            for parameter in found.model.parameters():
                nn.init.normal_(parameter, std=0.02)
            return _fit(found, arm)


def count(model: nn.Module) -> Parameters:
    """Count a model's parameters."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return Parameters(total=sum(n for n, _ in sizes), trainable=sum(n for n, trained in sizes if trained))


def beside(model: nn.Module) -> tuple[str, ...]:
    """Name the modules that are trained beside an adapter, or beside the layers that a freezing leaves to train."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    saved = [name.split(".modules_to_save.")[0] for name in trained if ".modules_to_save." in name]
    if saved:
        return tuple(dict.fromkeys(name.removeprefix("base_model.").removeprefix("model.") for name in saved))
    _, layers = embeddings_and_layers(model)
    prefix = next(f"{name}." for name, module in model.named_modules() if module is layers)
    return tuple(dict.fromkeys(_module(name, model) for name in trained if not name.startswith(prefix)))


def _module(parameter: str, model: Any) -> str:
    """Return the module of a parameter: the whole head, or the innermost of the backbone."""
    top = parameter.split(".")[0]
    return top if top != model.base_model_prefix else parameter.rsplit(".", 1)[0]


def _fit(found: Pretrained, arm: Arm, *, key: int = 0, steps: int | None = None) -> nn.Module:
    model = found.model
    if arm.freeze is not None:
        for part in _frozen_parts(model, arm.freeze):
            part.requires_grad_(False)
            if arm.freeze.dropout == "off":
                # Training mode is set anew before every step, so it is turned back before every forward pass.
                part.register_forward_pre_hook(lambda module, _: _evaluation_mode(module))
        for name, parameter in model.named_parameters():
            if name in found.new:
                parameter.requires_grad_(True)
    return model if arm.adapter is None else adapted(model, arm.adapter, new=found.new, key=key, steps=steps)


def _evaluation_mode(module: nn.Module) -> None:
    module.eval()


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
    raise ModelError(f"freeze: known for gpt2, bert, roberta and distilbert models, not for {kind!r}")


def _frozen_parts(model: Any, freeze: Freeze) -> list[nn.Module]:
    """Return what is frozen: with all layers, what stands above them in the backbone too, as under an adapter."""
    embeddings, layers = embeddings_and_layers(model)
    if freeze.layers > len(layers):
        raise ModelError(f"freeze.layers: expected 0 to {len(layers)}, the layers of this model, got {freeze.layers}")
    if freeze.layers == len(layers):
        return [getattr(model, model.base_model_prefix)]
    return [*embeddings, *layers[: freeze.layers]]


@contextmanager
def _forked(seed: int) -> Iterator[None]:
    """Seed torch's generator for a while, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
