"""Bytes of a file, unpacked where it is packed; its content says whether it is, not its name."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa

_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def opened(path: Path) -> pa.NativeFile:
    """Open a file for reading from its beginning, unpacked where it is packed by gzip or zstd."""
    file = pa.OSFile(str(path), "rb")
    packed = _packing(file.read(4))
    file.seek(0)
    return pa.CompressedInputStream(file, packed) if packed else file


def is_packed(path: Path) -> bool:
    """Whether a file is packed."""
    with path.open("rb") as file:
        return _packing(file.read(4)) is not None


def text_lines(path: Path) -> io.TextIOWrapper:
    """Open a file for reading line by line, each byte as one character, whatever ends its lines."""
    return io.TextIOWrapper(io.BufferedReader(opened(path)), encoding="latin-1")


def _packing(head: bytes) -> str | None:
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
