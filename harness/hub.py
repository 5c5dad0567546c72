"""Hub names: whether a name means a path on this machine or the Hugging Face Hub, and whether the Hub is reachable."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness import embedded
from harness.errors import nearest

if TYPE_CHECKING:
    from harness.study.study import Study

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


# ORG/NAME, or a name without an organisation, as the Hub's oldest data sets and models have.
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_FILE_ENDINGS = {".csv", ".tsv", ".json", ".jsonl", ".parquet", ".arrow", ".txt", ".gz", ".zip", ".safetensors", ".bin"}


def find_local(name: str, beside: Path | None = None) -> Path | None:
    """Return the file or folder of this machine that a name stands for, or None.

    Parameters
    ----------
    name : str
        As written in a study file.
    beside : Path, optional
        The folder of the study file. A relative name is looked up from the working folder first, then from here.
    """
    try:
        path = Path(name).expanduser()
        tried = [path] if beside is None else [path, beside / path]
        return next((candidate for candidate in tried if candidate.exists()), None)
    except (OSError, RuntimeError, ValueError):
        # Too long a name, an unknown user's home, a zero byte: what can be no path.
        return None


def is_on_hub(name: str, beside: Path | None = None) -> bool:
    """Whether a model or data set of this name would be looked up on the Hub.

    What looks like a path never is, so that a folder that is not here is an error, and not somebody else's data.
    """
    if embedded.is_embedded(name) or find_local(name, beside) is not None or not _HUB_NAME.fullmatch(name):
        return False
    first, _, rest = name.partition("/")
    return Path(name).suffix.lower() not in _FILE_ENDINGS and not (rest and find_local(first, beside) is not None)


def not_found(name: str, beside: Path | None = None) -> str:
    """Say where a name was looked for on this machine."""
    beside_study = ""
    if beside is not None and not Path(name).is_absolute() and beside.resolve() != Path.cwd().resolve():
        beside_study = f", nor beside the study file, in {beside.resolve()}"
    in_working_folder = "" if Path(name).is_absolute() else f" in the working folder, {Path.cwd()}"
    return f"no file or folder {name}{in_working_folder}{beside_study}"


def did_you_mean_path(name: str, beside: Path | None = None) -> str:
    """Return ``; did you mean 'x'?`` for the nearest name in the folders where it was looked for, or an empty text."""
    for base in (Path(), beside or Path()):
        try:
            folder = (base / Path(name).expanduser()).parent
            names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        except (OSError, RuntimeError, ValueError):
            continue
        near = nearest(Path(name).name, names)
        if near is not None:
            return f"; did you mean {str(Path(name).parent / near)!r}?"
    return ""


def is_offline() -> bool:
    """Whether the Hub's libraries are told to use only what they have stored."""
    setting = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return setting.upper() in {"1", "ON", "YES", "TRUE"}


def offline_if_unreachable(study: Study) -> None:
    """Let the Hub's libraries use what they have stored, and nothing else, where the Hub cannot be reached.

    They read the setting when they are imported, so this comes before. A proxy may reach what a socket does not, so
    with one the libraries are left to themselves.
    """
    names = (study.model, study.data.path)
    if not any(is_on_hub(name, study.folder) for name in names) or any(os.environ.get(name) for name in _PROXIES):
        return
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    if endpoint.hostname is None:
        return
    try:
        port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
        socket.create_connection((endpoint.hostname, port), timeout=5).close()
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"
