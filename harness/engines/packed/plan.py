"""Which trials make a pack: a fixed function of the study."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.model import base_of, is_lora
from harness.study.settings import Data
from harness.study.trials import Trial

# What may differ within a pack: each trial has its own.
_ADAPTER_OWN = {"r", "lora_alpha", "lora_dropout", "use_rslora"}
_TRAINING_SHARED = (
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "bf16",
    "tf32",
)
# The other ways of drawing an adapter change the weights of the layer that it stands beside.
_PLAIN_INITIALISATIONS = (True, False, "gaussian")


def form(trial: Trial) -> str:
    """Return what the trials of a pack have in common, beside checkpoint and data."""
    training, adapter = trial.settings.training, trial.settings.adapter
    freeze, holdout = trial.settings.freeze, trial.holdout
    shared = {
        "training": {name: getattr(training, name) for name in _TRAINING_SHARED},
        "adapter": adapter.model_dump(mode="json", exclude=_ADAPTER_OWN) if adapter is not None else None,
        "freeze": freeze.model_dump(mode="json") if freeze is not None else None,
        "holdout": holdout.fraction if holdout is not None else None,
        "tuning": trial.tuning,
    }
    return json.dumps(shared, sort_keys=True)


def chunks(trials: Sequence[Trial], size: Callable[[Trial], int]) -> list[tuple[Trial, ...]]:
    """Return the trials in packs, those of one form in their order, the packs by their first trial.

    Parameters
    ----------
    trials : sequence of Trial
        All of the study, finished or not: so a run that goes on meets the packs of the one before.
    size : callable
        For a trial, how many of its form fit into a pack.
    """
    by_form: dict[str, list[Trial]] = {}
    for trial in trials:
        by_form.setdefault(form(trial), []).append(trial)
    packs = []
    for alike in by_form.values():
        largest = size(alike[0]) if len(alike) > 1 else 1
        packs += [tuple(alike[start : start + largest]) for start in range(0, len(alike), largest)]
    place = {trial.key: i for i, trial in enumerate(trials)}
    return sorted(packs, key=lambda pack: place[pack[0].key])


def halves(pack: Sequence[Trial]) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Return a pack in two."""
    middle = -(-len(pack) // 2)
    return tuple(pack[:middle]), tuple(pack[middle:])


def obstacle(model: nn.Module, trial: Trial, data_settings: Data) -> str | None:
    """Return why a trial cannot be packed, or None where it can.

    Parameters
    ----------
    model : Module
        The trial's model; weights are not looked at.
    trial : Trial
        The trial.
    data_settings : Data
        How its sentences are padded.
    """
    return next(_obstacles(model, trial, data_settings), None)


def _obstacles(model: nn.Module, trial: Trial, data_settings: Data) -> Iterator[str]:
    config: Any = base_of(model).config
    if config.model_type not in ARCHITECTURES:
        yield f"models of kind {config.model_type!r} are not known to it"
        return
    if data_settings.padding_side == "left":
        yield "padding on the left shifts the positions by what else is in the batch"
    if getattr(config, "chunk_size_feed_forward", 0):
        yield "chunk_size_feed_forward cuts sentences"
    if getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False):
        yield "a decoder attends otherwise"
    adapter = trial.settings.adapter
    if adapter is not None and adapter.peft_type != "LORA":
        yield f"adapters of kind {adapter.peft_type} are not known to it"
        return
    if adapter is not None:
        fields = adapter.model_dump()
        if fields["use_dora"] or fields["bias"] != "none":
            yield "DoRA and trained biases beside an adapter are not known to it"
        if fields["init_lora_weights"] not in _PLAIN_INITIALISATIONS:
            yield f"init_lora_weights: {fields['init_lora_weights']} changes the frozen weights"
    for module in model.modules():
        if hasattr(module, "lora_A") and not is_lora(module):
            yield f"an adapter beside {type(module).__name__} is not known to it"
            return
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        trained = [parameter.requires_grad for parameter in own.values()]
        if any(trained) and not (all(trained) and isinstance(module, nn.Linear | Conv1D | nn.LayerNorm | nn.Embedding)):
            yield f"{type(module).__name__} is trained, which it knows no packed form of"
            return
