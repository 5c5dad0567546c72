"""A pretrained checkpoint: where it is, what identifies its content, and its tokenizer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from harness import embedded
from harness.errors import ModelError, first_line
from harness.hub import find, is_on_hub, not_here
from harness.quiet import quiet

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


def locate(name: str, revision: str | None = None, *, beside: Path | None = None) -> Checkpoint:
    """Find a checkpoint by its name: embedded, a local folder, or the Hub.

    Parameters
    ----------
    name : str
        As written in the study.
    revision : str, optional
        The Hub's commit, branch or tag.
    beside : Path, optional
        The folder of the study file, where a relative path is looked up that is not in the working folder.

    Raises
    ------
    ModelError
        If there is none of this name, or the Hub cannot be reached.
    """
    if embedded.is_embedded(name):
        try:
            return _local(name, embedded.checkpoint(name))
        except ValueError as error:
            raise ModelError(str(error)) from None
    folder = find(name, beside)
    if folder is not None:
        return _local(name, folder)
    if not is_on_hub(name, beside):
        raise ModelError(f"model: {not_here(name, beside)}")
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {name!r} is not here and cannot be fetched ({first_line(error)}). Without a network, give a "
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
        raise ModelError(f"model {name}: its config.json cannot be read: {first_line(error)}") from None
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
        raise ModelError(f"model {checkpoint.name}: its tokenizer cannot be loaded: {first_line(error)}") from None
    # Where its files are missing, transformers makes a tokenizer of special tokens only: every word is unknown to it.
    if set(loaded.get_vocab()) <= set(loaded.all_special_tokens):
        raise ModelError(f"model {checkpoint.name}: it has no tokenizer files; put tokenizer.json beside config.json")
    if loaded.pad_token_id is None:
        if loaded.eos_token is None:
            raise ModelError(f"model {checkpoint.name}: its tokenizer has neither a padding nor an end token")
        loaded.pad_token = loaded.eos_token
    return loaded
