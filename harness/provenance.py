"""Provenance: versions, commit and hardware, as a record holds them."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PACKAGES = ("ablation-harness", "torch", "transformers", "peft", "datasets", "accelerate", "optuna", "numpy")

Code = tuple[str | None, str | None]
"""The version of this package, and the commit that last changed its code, each None where it is not known."""


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def describe() -> dict[str, Any]:
    """Return versions, commit and hardware, as a record holds them."""
    commit, dirty = _commit()
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
        "commit": commit,
        "dirty": dirty,
        "node": platform.node(),
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_bytes": _memory(),
            "gpu": _gpu(),
        },
    }


@functools.cache
def code() -> Code:
    """Return the version of this package, and the last commit of its checkout that changed the code."""
    if _commit()[0] is None:
        return version("ablation-harness"), None
    # A commit of a study file or of a page, while a run goes on, does not make other code.
    return version("ablation-harness"), _git("log", "-1", "--format=%H", "--", "harness", "analysis", "pyproject.toml")


def same_code(one: Code, other: Code) -> bool:
    """Whether two processes run one version, and one commit of it where both know theirs.

    >>> same_code(("0.1.0", "abc"), ("0.1.0", None)), same_code(("0.1.0", "abc"), ("0.1.0", "def"))
    (True, False)
    """
    return one[0] == other[0] and (None in (one[1], other[1]) or one[1] == other[1])


def code_in_words(code: Code) -> str:
    """Return a version and its commit in words.

    >>> code_in_words(("0.1.0", "abc"))
    'ablation-harness 0.1.0 at commit abc'
    """
    version, commit = code
    return f"ablation-harness {version or 'of no version'}" + (f" at commit {commit[:12]}" if commit else "")


def version(package: str) -> str | None:
    """Return the version of an installed package, or None where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _commit() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout this code runs from, and whether the checkout differs from it."""
    # An installed copy may lie inside another project's checkout, whose commit says nothing about this code.
    if _git("ls-files", "harness/provenance.py") != "harness/provenance.py":
        return None, None
    status = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "HEAD"), None if status is None else bool(status)


def _git(*arguments: str) -> str | None:
    """Return what git says of the checkout that this code runs from; None where it says nothing."""
    here = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
