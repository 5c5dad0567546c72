"""Programs of Slurm that say what a test lets them say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[str, str], None]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on the PATH, given its name and its shell script."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> None:
        # Renamed: a program that runs cannot be written to.
        part = folder / f"{name}.part"
        part.write_text(f"#!/bin/sh\n{script}\n")
        part.chmod(0o755)
        part.rename(folder / name)

    return write
