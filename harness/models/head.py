"""Classification head of a checkpoint: whether it can be kept, and in which order its classes stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from harness.errors import ModelError
from harness.models.checkpoints import Checkpoint


def match_classes(checkpoint: Checkpoint, classes: Sequence[str]) -> Checkpoint:
    """Return the checkpoint with the rows of a head that is kept in the order of the data's classes.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint.
    classes : sequence of str
        The data's classes, in the order of their numbers; none in a regression, whose one output has no order.

    Raises
    ------
    ModelError
        If the head is to be kept and has other classes.
    """
    if not checkpoint.keep_head or not classes:
        return checkpoint
    labels = {int(row): str(label) for row, label in checkpoint.config.id2label.items()}
    rows = {label.casefold(): row for row, label in labels.items()}
    names = [name.casefold() for name in classes]
    if len(rows) == len(labels) and set(names) == set(rows):
        order = tuple(rows[name] for name in names)
        return checkpoint if list(order) == sorted(order) else replace(checkpoint, head_order=order)
    unnamed = all(label == f"LABEL_{row}" for row, label in labels.items())
    numbers = names == [str(row) for row in range(len(names))]
    if len(labels) == len(classes) and (unnamed or numbers):
        return checkpoint
    raise ModelError(
        f"head: kept needs to know which class is which: the data have {', '.join(classes)}, and the head of "
        f"{checkpoint.name} has {', '.join(labels.values())}. Write the data's names into id2label in its config.json, "
        "or set head: drawn"
    )


def reorder_classes(model: Any, head: dict[str, tuple[int, ...]], order: tuple[int, ...]) -> None:
    """Put the rows of a head's last layer, which is the last that the model names, in another order."""
    layer = model.get_submodule(list(head)[-1].rpartition(".")[0])
    with torch.no_grad():
        for parameter in layer.parameters(recurse=False):
            parameter.copy_(parameter[list(order)].clone())


def check_kept_head(
    checkpoint: Checkpoint, own_head: dict[str, tuple[int, ...]], head: dict[str, tuple[int, ...]]
) -> None:
    """Refuse to keep a head that is not there, or has another shape or number of classes than the data ask for."""
    wrong = [name for name in head if own_head.get(name) != head[name]]
    names = checkpoint.config.architectures or []
    if not wrong and (not names or any("SequenceClassification" in name for name in names)):
        return
    description = f"{', '.join(names)} with " if names else ""
    description += (
        ", ".join(f"{name} {list(shape)}" for name, shape in own_head.items()) or "no head for classification"
    )
    raise ModelError(
        f"head: kept needs a classification head of {_classes(head)}, as the data ask for; {checkpoint.name} has "
        f"{description}. With head: drawn every seed draws its own"
    )


def describe_head(head: dict[str, tuple[int, ...]]) -> str:
    """Return a head in words, such as ``score (2 classes)``."""
    parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in head))
    return f"{parts} ({_classes(head)})"


def _classes(head: dict[str, tuple[int, ...]]) -> str:
    """Return what a head gives, classes or one number; its last layer is the last that the model names."""
    outputs = list(head.values())[-1][0]
    return "one output" if outputs == 1 else f"{outputs} classes"
