"""A checkpoint, an adapter and a freezing become a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import nn

from harness import embedded
from harness.errors import ModelError, did_you_mean
from harness.hub import local_path
from harness.quiet import quiet
from harness.seeding import Streams
from harness.settings import Adapter, Arm, Freeze

# What decides a checkpoint's content; a README or a log beside it does not.
_CONTENT = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A pretrained checkpoint that every trial of a study starts from.

    Parameters
    ----------
    name : str
        As written in the study.
    source : str
        The folder, or the name on the Hub.
    revision : str or None
        The Hub's commit.
    identity : str
        The Hub's commit, or a hash of the folder's content.
    config : transformers.PretrainedConfig
        The architecture.
    """

    name: str
    source: str
    revision: str | None
    identity: str
    config: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How many parameters a model has, and how many of them are trained."""

    total: int
    trainable: int


def locate(name: str, revision: str | None = None) -> Checkpoint:
    """Find a checkpoint by its name: embedded, a local folder, or the Hub.

    Raises
    ------
    ModelError
        If there is none of this name, or the Hub cannot be reached.
    """
    if embedded.is_embedded(name):
        try:
            folder = embedded.checkpoint(name)
        except ValueError as error:
            raise ModelError(str(error)) from None
        return _local(name, folder)
    folder = local_path(name)
    if folder.is_dir():
        return _local(name, folder)
    if folder.is_absolute() or name.startswith("."):
        raise ModelError(f"model: no folder {name}")
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {name!r} is not here and cannot be fetched ({_first_line(error)}). Without a network, give a "
            "local copy: model=FOLDER with config.json, model.safetensors and the tokenizer's files; or "
            f"model={' or model='.join(embedded.CHECKPOINTS)}"
        ) from None
    commit = getattr(config, "_commit_hash", None) or revision
    if commit is None:
        raise ModelError(f"model {name!r}: the Hub gave no commit to pin; name one with revision=")
    return Checkpoint(name=name, source=name, revision=commit, identity=f"hub:{commit}", config=config)


def _local(name: str, folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise ModelError(f"model {name}: no config.json in this folder, so it is no checkpoint")
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"model {name}: its config.json cannot be read: {_first_line(error)}") from None
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _CONTENT for file in folder.glob(pattern)}):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return Checkpoint(
        name=name,
        source=str(folder),
        revision=None,
        identity=f"sha256:{digest.hexdigest()[:32]}",
        config=config,
    )


def tokenizer(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint's tokenizer and give it a padding token where it has none, as GPT-2."""
    try:
        with quiet():
            loaded = transformers.AutoTokenizer.from_pretrained(checkpoint.source, revision=checkpoint.revision)
    except (OSError, ValueError) as error:
        raise ModelError(f"model {checkpoint.name}: its tokenizer cannot be loaded: {_first_line(error)}") from None
    # Where its files are missing, transformers makes a tokenizer of special tokens only: every word is unknown to it.
    if set(loaded.get_vocab()) <= set(loaded.all_special_tokens):
        raise ModelError(f"model {checkpoint.name}: it has no tokenizer files; put tokenizer.json beside config.json")
    if loaded.pad_token_id is None:
        if loaded.eos_token is None:
            raise ModelError(f"model {checkpoint.name}: its tokenizer has neither a padding nor an end token")
        loaded.pad_token = loaded.eos_token
    return loaded


def build(checkpoint: Checkpoint, arm: Arm, *, n_classes: int, pad_token_id: int, streams: Streams) -> nn.Module:
    """Build the model of one trial inside its own stream of random numbers.

    The classification head is drawn before the adapter, so that arms of one seed share it whatever their rank.

    Raises
    ------
    ModelError
        If the checkpoint has no such architecture, or the adapter or the freezing does not fit it.
    """
    with _forked(streams.initialisation), quiet():
        try:
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                checkpoint.source,
                revision=checkpoint.revision,
                num_labels=n_classes,
                problem_type="single_label_classification",
                dtype=torch.float32,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"model {checkpoint.name} cannot be loaded: {_first_line(error)}") from None
        model.config.pad_token_id = pad_token_id
        return _fit(model, arm)


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
    with torch.device("meta"), quiet():
        try:
            model = transformers.AutoModelForSequenceClassification.from_config(
                _with_classes(checkpoint.config, n_classes)
            )
        except ValueError as error:
            raise ModelError(f"model {checkpoint.name}: {_first_line(error)}") from None
        return _fit(model, arm)


def count(model: nn.Module) -> Parameters:
    """Count a model's parameters."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return Parameters(total=sum(n for n, _ in sizes), trainable=sum(n for n, trained in sizes if trained))


def _with_classes(config: Any, n_classes: int) -> Any:
    copied = type(config).from_dict(config.to_dict())
    copied.num_labels = n_classes
    return copied


def _fit(model: nn.Module, arm: Arm) -> nn.Module:
    if arm.freeze is not None:
        frozen = _frozen_parts(model, arm.freeze)
        for part in frozen:
            part.requires_grad_(False)
            if arm.freeze.dropout == "off":
                # Training mode is set anew before every step, so it is turned back before every forward pass.
                part.register_forward_pre_hook(lambda module, _: _evaluation_mode(module))
    return model if arm.adapter is None else _adapted(model, arm.adapter)


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


def _frozen_parts(model: nn.Module, freeze: Freeze) -> list[nn.Module]:
    embeddings, layers = embeddings_and_layers(model)
    if freeze.layers > len(layers):
        raise ModelError(f"freeze.layers: expected 0 to {len(layers)}, the layers of this model, got {freeze.layers}")
    return [*embeddings, *layers[: freeze.layers]]


def _heads(model: nn.Module) -> list[str]:
    """Return the modules that stand outside the pretrained backbone: they are new, so they must be trained."""
    return [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]


def _adapted(model: Any, adapter: Adapter) -> nn.Module:
    import peft

    fields = adapter.model_dump(exclude_none=True)
    kind = fields.pop("peft_type")
    config_type = peft.PEFT_TYPE_TO_CONFIG_MAPPING.get(kind)
    if config_type is None:
        known = sorted(str(getattr(k, "value", k)) for k in peft.PEFT_TYPE_TO_CONFIG_MAPPING)
        raise ModelError(f"adapter.peft_type: {kind!r} is unknown to peft{did_you_mean(kind, known)}")
    heads = _heads(model)
    saved = fields.get("modules_to_save")
    if saved is None:
        fields["modules_to_save"] = heads
    elif not set(heads) <= set(saved):
        # A head that is neither trained nor saved stays as it was drawn, and a reload draws another.
        raise ModelError(f"adapter.modules_to_save: must hold the new head ({', '.join(heads)}), got {list(saved)}")
    _check_modules(model, fields)
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    # GPT-2's c_attn is a Conv1D, which stores its weight the other way round; peft would notice and warn.
    if kind == "LORA" and "fan_in_fan_out" not in fields:
        fields["fan_in_fan_out"] = model.config.model_type == "gpt2"
    try:
        adapted: nn.Module = peft.get_peft_model(model, config_type(task_type="SEQ_CLS", **fields))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"adapter: peft refuses it: {_first_line(error)}") from None
    return adapted


def _check_modules(model: nn.Module, fields: Mapping[str, Any]) -> None:
    """Name every target that is no module of the model, and the modules there are."""
    targets = fields.get("target_modules")
    if targets is None or isinstance(targets, str):
        return
    heads = set(_heads(model))
    inside = [
        name
        for name, module in model.named_modules()
        if name.split(".")[0] not in heads and "weight" in dict(module.named_parameters(recurse=False))
    ]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in inside):
            endings = sorted({name.rsplit(".", 1)[-1] for name in inside})
            raise ModelError(
                f"adapter.target_modules: this model has no module {target!r}{did_you_mean(target, endings)}; "
                f"there are {', '.join(endings)}"
            )


@contextmanager
def _forked(seed: int) -> Iterator[None]:
    """Seed torch's generator for a while, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
