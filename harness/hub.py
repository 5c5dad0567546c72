"""Whether the Hub can be reached, asked once and quickly: its client would retry for half a minute."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness import embedded

if TYPE_CHECKING:
    from harness.study import Study

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def is_on_hub(name: str) -> bool:
    """Whether a model or data set of this name would be looked up on the Hub."""
    path = local_path(name)
    return not (embedded.is_embedded(name) or path.exists() or path.is_absolute() or name.startswith("."))


def local_path(name: str) -> Path:
    """Return the path that a name would have on this machine; what can be no path is one that does not exist."""
    try:
        path = Path(name).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):
        return Path(os.devnull) / "no path"
    return path


def offline_if_unreachable(study: Study) -> None:
    """Let the Hub's libraries use what they have stored, and nothing else, where the Hub cannot be reached.

    They read the setting when they are imported, so this comes before. A proxy may reach what a socket does not, so
    with one the libraries are left to themselves.
    """
    if not (is_on_hub(study.model) or is_on_hub(study.data.path)) or any(os.environ.get(name) for name in _PROXIES):
        return
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    if endpoint.hostname is None:
        return
    try:
        port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
        socket.create_connection((endpoint.hostname, port), timeout=5).close()
    except OSError:
        os.environ["HF_HUB_OFFLINE"] = "1"
