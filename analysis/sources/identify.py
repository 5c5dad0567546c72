"""Of which kind a file is: what stands at its beginning says so."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from analysis.errors import SourceError
from analysis.sources import arrays, inspect_ai, lm_eval_log, run_glue
from analysis.sources.found_files import FoundFile

Kind = Literal["inspect_ai", "lm_eval", "run_glue", "array"]

RECOGNISED_BY: Mapping[Kind, Callable[[bytes], bool]] = {
    "inspect_ai": inspect_ai.recognises,
    "lm_eval": lm_eval_log.recognises,
    "run_glue": run_glue.recognises,
    "array": arrays.recognises,
}
"""Whether a file that begins with these bytes is of a kind; the first kind counts."""

_HEAD = 2**16
_SAVE = "save the answers as CSV, JSON lines, Parquet or .npz"


def kind_of(found: FoundFile) -> Kind:
    """Find out of which kind a file is.

    Raises
    ------
    SourceError
        If it cannot be read, or is of none.
    """
    try:
        with found.path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SourceError([f"{found.name} cannot be read: {error.strerror}"]) from None
    for kind, recognises in RECOGNISED_BY.items():
        if recognises(head):
            return kind
    raise SourceError([f"{found.name} {_refusal(head, found.path)}"])


def _refusal(head: bytes, path: Path) -> str:
    """Say what a file is that no reader knows."""
    if not head.strip():
        return "is empty"
    if b"\x80\x02" <= head[:2] <= b"\x80\x05":
        return f"is a Python pickle, which is not loaded, since that could run any program; {_SAVE}"
    if head.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            return "is a zip archive that is cut short or broken"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            return f"was saved by torch, as a pickle, which is not loaded, since that could run any program; {_SAVE}"
        if "[Content_Types].xml" in names:
            return "is an Excel workbook; save it as CSV"
        return "is a zip archive of no known tool; unpack it"
    return f"is of no known kind; {_SAVE}"
