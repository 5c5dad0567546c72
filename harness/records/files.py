"""Files of a study: each is written whole or not at all, and what a full disk leaves is said."""

from __future__ import annotations

import json
from pathlib import Path

from analysis.records.format import StoredFile
from harness.atomic_file import atomic_write
from harness.errors import ResultsError


def json_file(content: StoredFile) -> bytes:
    """Return what is stored as the bytes of a JSON file."""
    return (json.dumps(content.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file of a study; its folder is made.

    Raises
    ------
    ResultsError
        If the disk does not take it.
    """
    try:
        with atomic_write(path) as stream:
            stream.write(content)
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}; what was stored before is kept") from error
