"""What a classification model takes from a checkpoint, and what of it is new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers

from harness.errors import HarnessError, ModelError, in_short
from harness.models import weights
from harness.models.checkpoints import Checkpoint
from harness.quiet import quiet

# A pooler stands in the backbone, and pretraining without a sentence task leaves it out.
_LEFT_OUT = "pooler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """A checkpoint as a classification model.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model.
    new : frozenset of str
        The names of the parameters that do not come from the checkpoint: every seed draws them, so every arm must
        train them.
    own_head : str
        What the checkpoint brings as a head of its own, such as ``score (2 classes)``; empty where it brings none.
    unused : tuple of str
        The checkpoint's tensors in the backbone that the model has no place for.
    """

    model: Any
    new: frozenset[str]
    own_head: str
    unused: tuple[str, ...]


def load(checkpoint: Checkpoint, *, n_classes: int, outline: bool = False) -> Pretrained:
    """Make a checkpoint a classification model; as an outline without values, so that none is read or drawn.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint; without its weights, its configuration alone gives the outline.
    n_classes : int
        Classes of the head.
    outline : bool
        Whether the names and shapes are enough.

    Raises
    ------
    ModelError
        If there is no such classification model, a weight of the backbone is missing or has another shape, or the
        head that shall be kept is not there.
    """
    with whatever(checkpoint):
        config = for_classes(checkpoint.config, n_classes)
        skeleton = _skeleton(checkpoint, config)
        prefix = f"{skeleton.base_model_prefix}."
        head = {name: tuple(p.shape) for name, p in skeleton.named_parameters() if not name.startswith(prefix)}
        if checkpoint.weights is None:
            return Pretrained(model=skeleton, new=frozenset(head), own_head="", unused=())
        with weights.opened(checkpoint.name, checkpoint.weights, outline=outline) as tensors:
            own = {name: weights.shape(tensors[name]) for name in head if name in tensors}
            whole = bool(head) and own.keys() == head.keys()
            if checkpoint.keep_head:
                _check_kept(checkpoint, own, head)
            elif whole:
                # A part of a head, such as ModernBERT's dense layer, is pretrained; a whole one is somebody's answer
                # to another question.
                tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
            names = tuple(tensors)
            model, report = type(skeleton).from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                dtype=torch.float32,
                device_map="meta" if outline else None,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            if checkpoint.head_order is not None and not outline:
                _reorder(model, head, checkpoint.head_order)
            model.name_or_path = model.config.name_or_path = checkpoint.source
        shapes = {name: f"{name} {list(got)} for {list(wanted)}" for name, got, wanted in report["mismatched_keys"]}
        missing = {*report["missing_keys"], *shapes}
        _check_backbone(checkpoint, sorted(name for name in missing if name.startswith(prefix)), shapes, names)
        parameters = {name for name, _ in model.named_parameters()}
        return Pretrained(
            model=model,
            new=frozenset(missing & parameters),
            own_head=_described(own) if whole else "",
            unused=tuple(sorted(name for name in report["unexpected_keys"] if _in_backbone(model, name))),
        )


def _in_backbone(model: Any, name: str) -> bool:
    """Whether a tensor that the model has no place for is named as a part of its backbone, pooler aside."""
    parts = name.removeprefix(f"{model.base_model_prefix}.").split(".")
    return parts[0] in dict(model.base_model.named_children()) and _LEFT_OUT not in parts


def _skeleton(checkpoint: Checkpoint, config: Any) -> Any:
    classes = transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    if type(config) not in classes:
        raise ModelError(
            f"model {checkpoint.name}: transformers has no classification model for {config.model_type!r}; choose a "
            "checkpoint such as BERT, RoBERTa, DistilBERT or GPT-2"
        )
    with torch.device("meta"):
        return transformers.AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)


def for_classes(config: Any, n_classes: int) -> Any:
    """Return the configuration of a classification model of this architecture."""
    copied = type(config).from_dict(config.to_dict())
    copied.num_labels = n_classes
    copied.problem_type = "single_label_classification"
    return copied


def with_classes(checkpoint: Checkpoint, classes: Sequence[str]) -> Checkpoint:
    """Return the checkpoint with the rows of a head that is kept in the order of the data's classes.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint.
    classes : sequence of str
        The data's classes, in the order of their numbers.

    Raises
    ------
    ModelError
        If the head shall be kept and has other classes.
    """
    if not checkpoint.keep_head:
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


def _reorder(model: Any, head: dict[str, tuple[int, ...]], order: tuple[int, ...]) -> None:
    """Put the rows of a head's last layer, which is the last that the model names, in another order."""
    layer = model.get_submodule(list(head)[-1].rpartition(".")[0])
    with torch.no_grad():
        for parameter in layer.parameters(recurse=False):
            parameter.copy_(parameter[list(order)].clone())


def remarks(checkpoint: Checkpoint, *, classes: Sequence[str]) -> tuple[str, ...]:
    """Return what a user should know of what a model takes from the checkpoint.

    Raises
    ------
    ModelError
        See `load`.
    """
    found = load(checkpoint, n_classes=len(classes), outline=True)
    said = []
    if checkpoint.keep_head:
        labels = checkpoint.config.id2label
        rows = checkpoint.head_order or range(len(classes))
        pairs = ", ".join(f"{labels[row]} is {name}" for row, name in zip(rows, classes, strict=True))
        said.append(f"every seed starts from the head of {checkpoint.name}: {pairs}")
    elif found.own_head:
        said.append(
            f"{checkpoint.name} brings a head of its own, {found.own_head}; every seed draws another, unless head: kept"
        )
    pooler = sorted({name.rpartition(".")[0] for name in found.new if _LEFT_OUT in name.split(".")[1:]})
    if pooler:
        said.append(f"{checkpoint.name} has no weights for {', '.join(pooler)}; every seed draws them")
    if found.unused:
        said.append(
            f"the configuration of {checkpoint.name} has no place for {len(found.unused)} of its weights, which are "
            f"not used: {_some(found.unused)}"
        )
    return tuple(said)


def _check_kept(checkpoint: Checkpoint, own: dict[str, tuple[int, ...]], head: dict[str, tuple[int, ...]]) -> None:
    wrong = [name for name in head if own.get(name) != head[name]]
    names = checkpoint.config.architectures or []
    if not wrong and (not names or any("SequenceClassification" in name for name in names)):
        return
    has = f"{', '.join(names)} with " if names else ""
    has += ", ".join(f"{name} {list(shape)}" for name, shape in own.items()) or "no head for classification"
    raise ModelError(
        f"head: kept needs a classification head of {_classes(head)} classes, as the data have; {checkpoint.name} has "
        f"{has}. With head: drawn every seed draws its own"
    )


def _check_backbone(
    checkpoint: Checkpoint, missing: Sequence[str], shapes: dict[str, str], names: Sequence[str]
) -> None:
    """Refuse a backbone that would be partly random."""
    missing = [name for name in missing if name in shapes or _LEFT_OUT not in name.split(".")]
    if not missing:
        return
    wrong = [shapes[name] for name in missing if name in shapes]
    if wrong:
        raise ModelError(
            f"model {checkpoint.name}: its weights have other shapes than its config.json says: {_some(wrong)}"
        )
    raise ModelError(
        f"model {checkpoint.name}: its weights lack {len(missing)} of the backbone, which would be random: "
        f"{_some(missing)}. The file has {_some(sorted(names)) or 'nothing'}; save the model again with transformers' "
        "save_pretrained, with the names that it gives"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _described(head: dict[str, tuple[int, ...]]) -> str:
    parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in head))
    return f"{parts} ({_classes(head)} classes)"


def _classes(head: dict[str, tuple[int, ...]]) -> int:
    """Return how many classes a head tells apart: its last layer is the last that the model names."""
    return list(head.values())[-1][0]


@contextmanager
def whatever(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn whatever a library raises on a user's checkpoint into one message."""
    with quiet():
        try:
            yield
        except (HarnessError, MemoryError):
            raise
        except Exception as error:
            raise ModelError(f"model {checkpoint.name} cannot be loaded: {in_short(error)}") from None
