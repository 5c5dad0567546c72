"""Weight files: which files hold a checkpoint's weights, and their tensors by name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors import safe_open

from harness.errors import ModelError, one_line
from harness.quiet import quiet

_SAFE, _PICKLED = "model.safetensors", "pytorch_model.bin"
_LFS_POINTER = b"version https://git-lfs.github.com/spec"

# Gives a checkpoint's file by its name, or None where there is none.
FindFile = Callable[[str], Path | None]


def in_folder(folder: Path) -> FindFile:
    """Return what finds files in a folder."""
    return lambda name: folder / name if (folder / name).is_file() else None


def on_hub(name: str, revision: str, *, download: bool) -> FindFile:
    """Return what finds files of a checkpoint on the Hub: in its cache, and by downloading them where that is meant."""

    def find(file: str) -> Path | None:
        try:
            with quiet():
                path = huggingface_hub.hf_hub_download(name, file, revision=revision, local_files_only=not download)
        except EntryNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ModelError(f"model {name!r}: {file} cannot be fetched: {one_line(error)}") from None
        return Path(path)

    return find


def find_weight_files(name: str, find: FindFile, *, allow_pickle: bool) -> tuple[Path, ...]:
    """Return the files that hold a checkpoint's weights: safetensors where there are any.

    Parameters
    ----------
    name : str
        What the study calls the checkpoint.
    find : callable
        From `in_folder` or `on_hub`.
    allow_pickle : bool
        Whether a pickle may be read.

    Raises
    ------
    ModelError
        If there are none, or only pickles and they are not allowed.
    """
    safe = _whole_or_in_pieces(name, find, _SAFE)
    pickled = () if safe else _whole_or_in_pieces(name, find, _PICKLED)
    if pickled and not allow_pickle:
        raise ModelError(
            f"model {name}: its weights are a pickle ({pickled[0].name}), and a pickle can run code when it is read. "
            f"Save the model as {_SAFE} (save_pretrained does); or, where you trust it, set allow_pickle: true"
        )
    if not safe and not pickled:
        raise ModelError(
            f"model {name}: it has no weights, or they cannot be fetched; expected {_SAFE}, or pieces of it with "
            f"{_SAFE}.index.json"
        )
    return safe or pickled


def _whole_or_in_pieces(name: str, find: FindFile, file: str) -> tuple[Path, ...]:
    whole = find(file)
    if whole is not None:
        return (whole,)
    index = find(f"{file}.index.json")
    if index is None:
        return ()
    try:
        pieces = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        # A piece lies beside its index; a path would lead out of the checkpoint.
        elsewhere = next((piece for piece in pieces if Path(piece).name != piece), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"model {name}: {index.name} cannot be read: {one_line(error)}") from None
    if elsewhere is not None or not pieces:
        raise ModelError(f"model {name}: {index.name} must name files beside it, got {elsewhere!r}")
    paths = {piece: find(piece) for piece in pieces}
    missing = [piece for piece, path in paths.items() if path is None]
    if missing:
        raise ModelError(f"model {name}: {index.name} names files that are not there: {', '.join(missing)}")
    return tuple(path for path in paths.values() if path is not None)


def is_lfs_pointer(file: Path) -> bool:
    """Whether a file is what Git leaves in the place of a large one that was not fetched."""
    with file.open("rb") as stream:
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER


@contextmanager
def open_weights(name: str, paths: tuple[Path, ...], *, outline: bool) -> Iterator[dict[str, Any]]:
    """Give a checkpoint's tensors by name, each read from disk when it is asked for; or, as an outline, without values.

    Raises
    ------
    ModelError
        If a file is none of weights, is cut off, or is a pointer of Git LFS.
    """
    with ExitStack() as stack:
        tensors: dict[str, Any] = {}
        for path in paths:
            if is_lfs_pointer(path):
                raise ModelError(f"model {name}: {path.name} is a pointer of Git LFS, not the file: git lfs pull")
            try:
                tensors.update(_pickled(path) if path.suffix == ".bin" else _safe(path, stack))
            except Exception as error:
                raise ModelError(f"model {name}: {path.name} cannot be read: {one_line(error)}") from None
        yield {key: _without_values(tensor) for key, tensor in tensors.items()} if outline else tensors


def _safe(path: Path, stack: ExitStack) -> Mapping[str, Any]:
    file = stack.enter_context(safe_open(path, framework="pt"))
    return {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # it is no mapping


def _pickled(path: Path) -> Mapping[str, Any]:
    """Read a pickle of tensors; anything else in it is an error and is not run."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    return {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}


def shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a tensor, or of one that has not been read yet."""
    return tuple(tensor.shape if isinstance(tensor, torch.Tensor) else tensor.get_shape())


def _without_values(tensor: Any) -> torch.Tensor:
    return torch.empty(shape(tensor), device="meta")
