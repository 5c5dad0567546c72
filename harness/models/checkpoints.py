"""Checkpoints: where pretrained weights are, what identifies their content, and their tokenizer."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import transformers

from harness import embedded
from harness.errors import ModelError, one_line
from harness.hub import did_you_mean_path, find_local, is_on_hub, not_found
from harness.models import weight_files
from harness.models.tokenizer_file import apply_tokenizer_file
from harness.quiet import quiet
from harness.study.study import Study

# What decides a checkpoint's content; a README or a log beside it does not.
_CONTENT = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
    weights : tuple of Path or None
        The files that hold the weights; None where they are not on this machine, which is enough to count.
    keep_head : bool
        Whether the checkpoint's own classification head is kept; otherwise every seed draws its own.
    head_order : tuple of int or None
        For each class of the data its row in a head that is kept; None as they stand.
    """

    name: str
    source: str
    revision: str | None
    identity: str
    config: Any
    weights: tuple[Path, ...] | None = None
    keep_head: bool = False
    head_order: tuple[int, ...] | None = None

    @property
    def identity_at_start(self) -> str:
        """What decides, besides the seed, the model that a trial starts from."""
        if not self.keep_head:
            return self.identity
        rows = "" if self.head_order is None else f" in the order {','.join(map(str, self.head_order))}"
        return f"{self.identity}, its head kept{rows}"

    def file(self, name: str) -> Path | None:
        """Return one of the checkpoint's files, or None where it has none of this name."""
        if self.revision is None:
            return weight_files.in_folder(Path(self.source))(name)
        return weight_files.on_hub(self.source, self.revision, download=True)(name)


def of_study(study: Study, *, download: bool = True) -> Checkpoint:
    """Find a study's checkpoint, as `find_checkpoint` does.

    Parameters
    ----------
    study : Study
        The study.
    download : bool
        Whether weights on the Hub are fetched where they are not here.

    Raises
    ------
    ModelError
        If there is none, the Hub cannot be reached, or what is there cannot be used.
    """
    return find_checkpoint(
        study.model,
        study.revision,
        beside=study.folder,
        keep_head=study.head == "kept",
        allow_pickle=study.allow_pickle,
        download=download,
    )


def find_checkpoint(
    name: str,
    revision: str | None = None,
    *,
    beside: Path | None = None,
    keep_head: bool = False,
    allow_pickle: bool = False,
    download: bool = True,
) -> Checkpoint:
    """Find a checkpoint by its name: embedded, a local folder, or the Hub. No code that comes with one is run.

    Parameters
    ----------
    name : str
        As written in the study.
    revision : str, optional
        The Hub's commit, branch or tag.
    beside : Path, optional
        The folder of the study file, where a relative path is looked up that is not in the working folder.
    keep_head : bool
        Whether the checkpoint's own head is kept.
    allow_pickle : bool
        Whether the weights may be a pickle.
    download : bool
        Whether weights on the Hub are fetched where they are not here.

    Raises
    ------
    ModelError
        If there is none of this name, the Hub cannot be reached, or what is there cannot be used.
    """
    if embedded.is_embedded(name):
        try:
            folder = embedded.checkpoint(name)
        except ValueError as error:
            raise ModelError(str(error)) from None
        return _local(name, folder, keep_head, allow_pickle)
    here = find_local(name, beside)
    if here is not None:
        return _local(name, here, keep_head, allow_pickle)
    if not is_on_hub(name, beside):
        raise ModelError(f"model: {not_found(name, beside)}{did_you_mean_path(name, beside)}")
    try:
        with quiet():
            file = Path(huggingface_hub.hf_hub_download(name, "config.json", revision=revision))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {name!r} is not here and cannot be fetched ({one_line(error)}). Without a network, give a "
            "local copy: model=FOLDER with config.json, model.safetensors and the tokenizer's files; or "
            f"model={' or model='.join(embedded.CHECKPOINTS)}"
        ) from None
    # The Hub's cache keeps a file in a folder named by its commit; a branch or a tag would move.
    commit = file.parent.name
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ModelError(f"model {name!r}: the Hub gave no commit to pin; name one with revision=")
    config = _config(name, name, commit, _json(name, file))
    files: tuple[Path, ...] | None
    try:
        files = weight_files.find_weight_files(
            name, weight_files.on_hub(name, commit, download=download), allow_pickle=allow_pickle
        )
    except ModelError:
        if download:
            raise
        files = None
    return Checkpoint(
        name=name,
        source=name,
        revision=commit,
        identity=f"hub:{commit}",
        config=config,
        weights=files,
        keep_head=keep_head,
    )


def _local(name: str, folder: Path, keep_head: bool, allow_pickle: bool) -> Checkpoint:
    file = folder / "config.json"
    if not file.is_file():
        raise ModelError(f"model {name}: no config.json in this folder, so it is not a checkpoint")
    content = sorted({file for pattern in _CONTENT for file in folder.glob(pattern) if file.is_file()})
    digest = hashlib.sha256()
    try:
        pointers = [file.name for file in content if weight_files.is_lfs_pointer(file)]
        if pointers:
            raise ModelError(
                f"model {name}: {', '.join(pointers)}: a pointer of Git LFS, not the file itself; fetch it with "
                "git lfs pull in that folder"
            )
        for file in content:
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise ModelError(f"model {name}: its folder cannot be read: {error}") from None
    return Checkpoint(
        name=name,
        source=str(folder),
        revision=None,
        identity=f"sha256:{digest.hexdigest()[:32]}",
        config=_config(name, str(folder), None, _json(name, folder / "config.json")),
        weights=weight_files.find_weight_files(name, weight_files.in_folder(folder), allow_pickle=allow_pickle),
        keep_head=keep_head,
    )


def _json(name: str, file: Path) -> dict[str, Any]:
    """Read a checkpoint's JSON file that must hold a mapping."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"model {name}: its {file.name} cannot be read: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise ModelError(f"model {name}: its {file.name} cannot be read: expected keys and values, got {content!r:.40}")
    return content


def _config(name: str, source: str, revision: str | None, raw: dict[str, Any]) -> Any:
    if raw.get("quantization_config"):
        raise ModelError(f"model {name}: its weights are quantised (config.json: quantization_config); use whole ones")
    try:
        with quiet():
            return transformers.AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    except Exception as error:  # a library's checks of a user's file raise whatever they meet
        if raw.get("auto_map"):
            raise ModelError(
                f"model {name}: its config.json brings code of its own (auto_map) for a model type that transformers "
                f"{transformers.__version__} does not know, {raw.get('model_type')!r}; no code from a checkpoint is "
                "run here. Choose a checkpoint of a type that transformers knows"
            ) from None
        raise ModelError(f"model {name}: its config.json cannot be read: {one_line(error)}") from None


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint's tokenizer and give it a padding token where it has none, as GPT-2."""
    try:
        with quiet():
            loaded = transformers.AutoTokenizer.from_pretrained(
                checkpoint.source, revision=checkpoint.revision, trust_remote_code=False
            )
        stated = checkpoint.file("tokenizer_config.json")
        apply_tokenizer_file(
            loaded,
            checkpoint.file("tokenizer.json"),
            {} if stated is None else _json(checkpoint.name, stated),
            checkpoint.name,
        )
    except ModelError:
        raise
    except Exception as error:  # whatever a library raises on a user's files
        raise ModelError(f"model {checkpoint.name}: its tokenizer cannot be loaded: {_why(error)}") from None
    # Where its files are missing, transformers makes a tokenizer of special tokens only: every word is unknown to it.
    if set(loaded.get_vocab()) <= set(loaded.all_special_tokens):
        raise ModelError(f"model {checkpoint.name}: it has no tokenizer files; put tokenizer.json beside config.json")
    if loaded.pad_token_id is None:
        if loaded.eos_token is None:
            raise ModelError(f"model {checkpoint.name}: its tokenizer has neither a padding nor an end token")
        loaded.pad_token = loaded.eos_token
    return loaded


def _why(error: Exception) -> str:
    # transformers advises trust_remote_code=True, which nobody can set here.
    if "trust_remote_code" in str(error):
        return "it brings code of its own (auto_map), and no code from a checkpoint is run here"
    return one_line(error)
