"""Building a model: a checkpoint, its new head, frozen layers and an adapter, drawn from a trial's own stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from harness.models import pretrained
from harness.models.adapters import add_adapter
from harness.models.checkpoints import Checkpoint
from harness.models.freezing import embeddings_and_layers, freeze_layers, is_bias
from harness.models.pretrained import PretrainedClassifier
from harness.quiet import quiet
from harness.seeding import Streams, projection_key
from harness.study.settings import Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCounts:
    """How many parameters a model has, and how many of them are trained."""

    total: int
    trainable: int


def build_model(
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
        classifier = pretrained.load(checkpoint, n_classes=n_classes)
        classifier.model.config.pad_token_id = pad_token_id
        return _fit(classifier, arm, key=projection_key(streams.initialisation), steps=steps)


def parameter_counts(checkpoint: Checkpoint, arm: Arm, *, n_classes: int) -> ParameterCounts:
    """Count an arm's parameters from the configuration alone.

    Raises
    ------
    ModelError
        If the adapter or the freezing does not fit the model.
    """
    return count_parameters(build_outline(checkpoint, arm, n_classes=n_classes))


def build_outline(checkpoint: Checkpoint, arm: Arm, *, n_classes: int) -> nn.Module:
    """Build an arm's model without its weights, from the configuration alone: none is loaded or drawn.

    Raises
    ------
    ModelError
        If the adapter or the freezing does not fit the model.
    """
    try:
        with torch.device("meta"), quiet():
            return _fit(pretrained.outline(checkpoint, n_classes=n_classes), arm)
    except RuntimeError:
        # Some adapters compute with the weights as they are put on; these get values, whichever.
        with _forked(0), quiet():
            classifier = pretrained.outline(checkpoint, n_classes=n_classes)
            classifier.model.to_empty(device="cpu")
            for parameter in classifier.model.parameters():
                nn.init.normal_(parameter, std=0.02)
            return _fit(classifier, arm)


def count_parameters(model: nn.Module) -> ParameterCounts:
    """Count a model's parameters."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return ParameterCounts(total=sum(n for n, _ in sizes), trainable=sum(n for n, trained in sizes if trained))


def modules_trained_beside(model: nn.Module) -> tuple[str, ...]:
    """Name the modules that are trained beside an adapter, or beside the layers that a freezing leaves to train.

    Biases of modules that are frozen otherwise are one name.
    """
    is_trained = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    trained = [name for name, itself in is_trained.items() if itself]
    lone = {
        name for name in trained if is_bias(name) and not is_trained.get(f"{name.removesuffix('bias')}weight", True)
    }
    biases = ("biases",) if lone else ()
    saved = [name.split(".modules_to_save.")[0] for name in trained if ".modules_to_save." in name]
    if saved:
        return *biases, *dict.fromkeys(name.removeprefix("base_model.").removeprefix("model.") for name in saved)
    _, layers = embeddings_and_layers(model)
    prefix = next(f"{name}." for name, module in model.named_modules() if module is layers)
    return *biases, *dict.fromkeys(
        _module(name, model) for name in trained if name not in lone and not name.startswith(prefix)
    )


def _module(parameter: str, model: Any) -> str:
    """Return the module of a parameter: the whole head, or the innermost of the backbone."""
    top = parameter.split(".")[0]
    return top if top != model.base_model_prefix else parameter.rsplit(".", 1)[0]


def _fit(classifier: PretrainedClassifier, arm: Arm, *, key: int = 0, steps: int | None = None) -> nn.Module:
    model = classifier.model
    if arm.freeze is not None:
        freeze_layers(model, arm.freeze, new=classifier.new)
    return model if arm.adapter is None else add_adapter(model, arm.adapter, new=classifier.new, key=key, steps=steps)


@contextmanager
def _forked(seed: int) -> Iterator[None]:
    """Seed torch's generator for a while, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
