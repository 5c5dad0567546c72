"""Pretrained classifier: which weights a model takes from its checkpoint, and which are new."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
import transformers

from harness.errors import HarnessError, ModelError, one_line
from harness.models import weight_files
from harness.models.checkpoints import Checkpoint
from harness.models.head import check_kept_head, describe_head, reorder_classes
from harness.quiet import quiet

# A pooler is part of the backbone, and pretraining without a sentence task leaves it out.
_LEFT_OUT = "pooler"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedClassifier:
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


def load(checkpoint: Checkpoint, *, n_classes: int) -> PretrainedClassifier:
    """Make a checkpoint a classification model.

    Parameters
    ----------
    checkpoint : Checkpoint
    n_classes : int
        Classes of the head; 0 for the one output of a regression.

    Raises
    ------
    ModelError
        If there is no such classification model, a weight of the backbone is missing or has another shape, or the
        head to keep is missing.
    """
    return _load(checkpoint, n_classes=n_classes, outline=False)


def outline(checkpoint: Checkpoint, *, n_classes: int) -> PretrainedClassifier:
    """Make a checkpoint a classification model without values: its names and shapes, and none is read or drawn.

    Parameters
    ----------
    checkpoint : Checkpoint
        Without its weights, its configuration alone gives the outline.
    n_classes : int
        As in `load`.

    Raises
    ------
    ModelError
        As `load` does.
    """
    known = _outline(checkpoint, n_classes)
    return replace(known, model=copy.deepcopy(known.model))


# Every arm is tried on an outline before anything runs, and to copy one is many times as fast as to make one.
@lru_cache(maxsize=2)
def _outline(checkpoint: Checkpoint, n_classes: int) -> PretrainedClassifier:
    return _load(checkpoint, n_classes=n_classes, outline=True)


def _load(checkpoint: Checkpoint, *, n_classes: int, outline: bool) -> PretrainedClassifier:
    with as_model_error(checkpoint):
        skeleton, architecture = _architecture(checkpoint, n_classes)
        prefix = f"{skeleton.base_model_prefix}."
        head = {name: tuple(p.shape) for name, p in skeleton.named_parameters() if not name.startswith(prefix)}
        if checkpoint.weights is None:
            return PretrainedClassifier(model=copy.deepcopy(skeleton), new=frozenset(head), own_head="", unused=())
        with weight_files.open_weights(checkpoint.name, checkpoint.weights, outline=outline) as tensors:
            own_head = {name: weight_files.shape(tensors[name]) for name in head if name in tensors}
            has_own_head = bool(head) and own_head.keys() == head.keys()
            if checkpoint.keep_head:
                check_kept_head(checkpoint, own_head, head)
            elif has_own_head:
                # A part of a head, such as ModernBERT's dense layer, is pretrained; a whole one is somebody's answer
                # to another question.
                tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
            names = tuple(tensors)
            model, report = architecture.from_pretrained(
                None,
                config=config_for_classes(checkpoint.config, n_classes),
                state_dict=tensors,
                dtype=torch.float32,
                device_map="meta" if outline else None,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            if checkpoint.head_order is not None and not outline:
                reorder_classes(model, head, checkpoint.head_order)
            model.name_or_path = model.config.name_or_path = checkpoint.source
        shapes = {name: f"{name} {list(got)} for {list(wanted)}" for name, got, wanted in report["mismatched_keys"]}
        missing = {*report["missing_keys"], *shapes}
        _check_backbone(checkpoint, sorted(name for name in missing if name.startswith(prefix)), shapes, names)
        parameters = {name for name, _ in model.named_parameters()}
        return PretrainedClassifier(
            model=model,
            new=frozenset(missing & parameters),
            own_head=describe_head(own_head) if has_own_head else "",
            unused=tuple(sorted(name for name in report["unexpected_keys"] if _in_backbone(model, name))),
        )


def _in_backbone(model: Any, name: str) -> bool:
    """Whether a tensor that the model has no place for is named as a part of its backbone, pooler aside."""
    parts = name.removeprefix(f"{model.base_model_prefix}.").split(".")
    return parts[0] in dict(model.base_model.named_children()) and _LEFT_OUT not in parts


@lru_cache(maxsize=2)
def _architecture(checkpoint: Checkpoint, n_classes: int) -> tuple[Any, Any]:
    """Return a model without values, and a class as which `from_pretrained` loads copies of one such model.

    A checkpoint is loaded for every trial, and to build the same modules each time takes half of that.
    """
    config = config_for_classes(checkpoint.config, n_classes)
    classes = transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    if type(config) not in classes:
        raise ModelError(
            f"model {checkpoint.name}: transformers has no classification model for {config.model_type!r}; choose a "
            "checkpoint such as BERT, RoBERTa, DistilBERT or GPT-2"
        )
    with torch.device("meta"):
        skeleton = transformers.AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    kind = type(skeleton)
    first: list[Any] = []

    def copied(_: type, config: Any) -> Any:
        # from_pretrained builds a model without values, of its own dtype and with nothing tied yet: not the skeleton.
        if not first:
            first.append(kind(config))
        return copy.deepcopy(first[0])

    return skeleton, type(kind.__name__, (kind,), {"__new__": copied})


def config_for_classes(config: Any, n_classes: int) -> Any:
    """Return the configuration of a classification model of this architecture; of a regression for 0 classes."""
    copied = type(config).from_dict(config.to_dict())
    copied.num_labels = n_classes or 1
    copied.problem_type = "single_label_classification" if n_classes else "regression"
    return copied


def checkpoint_remarks(checkpoint: Checkpoint, *, classes: Sequence[str]) -> tuple[str, ...]:
    """Return what a user should know of what a model takes from the checkpoint.

    Raises
    ------
    ModelError
        See `load`.
    """
    classifier = _outline(checkpoint, len(classes))
    remarks = []
    if checkpoint.keep_head and not classes:
        remarks.append(f"every seed starts from the head of {checkpoint.name}")
    elif checkpoint.keep_head:
        labels = checkpoint.config.id2label
        rows = checkpoint.head_order or range(len(classes))
        pairs = ", ".join(f"{labels[row]} is {name}" for row, name in zip(rows, classes, strict=True))
        remarks.append(f"every seed starts from the head of {checkpoint.name}: {pairs}")
    elif classifier.own_head:
        remarks.append(
            f"{checkpoint.name} has a classification head of its own, {classifier.own_head}; every seed draws a new "
            "one. head: kept keeps it"
        )
    pooler = sorted({name.rpartition(".")[0] for name in classifier.new if _LEFT_OUT in name.split(".")[1:]})
    if pooler:
        remarks.append(f"{checkpoint.name} has no weights for {', '.join(pooler)}; every seed draws them")
    if classifier.unused:
        remarks.append(
            f"{checkpoint.name} has {len(classifier.unused)} weights that its configuration has no place for; they are "
            f"not used: {_some(classifier.unused)}"
        )
    return tuple(remarks)


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


@contextmanager
def as_model_error(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn whatever a library raises on a user's checkpoint into one message."""
    with quiet():
        try:
            yield
        except (HarnessError, MemoryError):
            raise
        except Exception as error:
            raise ModelError(f"model {checkpoint.name} cannot be loaded: {one_line(error)}") from None
