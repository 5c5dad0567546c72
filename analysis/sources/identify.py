"""Of which kind a file is: what stands at its beginning says so."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from analysis.errors import SourceError
from analysis.sources import arrays, inspect_ai, lm_eval_log, run_glue
from analysis.sources.found_files import FoundFile

Kind = Literal["inspect_ai", "lm_eval", "run_glue", "array", "table"]

RECOGNISED_BY: Mapping[Kind, Callable[[bytes], bool]] = {
    "inspect_ai": inspect_ai.recognises,
    "lm_eval": lm_eval_log.recognises,
    "run_glue": run_glue.recognises,
    "array": arrays.recognises,
}
"""Whether a file that begins with these bytes is of a kind; the first kind counts, and what is of none is a table."""

_HEAD = 2**16
_NOT_LOADED = (
    "which is not loaded, since that could run any program; save the answers as CSV, JSON lines, Parquet or .npz"
)


def kind_of(found: FoundFile) -> Kind:
    """Find out of which kind a file is.

    Raises
    ------
    SourceError
        If it cannot be read, or is known to be something else.
    """
    try:
        with found.path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SourceError([f"{found.name} cannot be read: {error.strerror}"]) from None
    for kind, recognises in RECOGNISED_BY.items():
        if recognises(head):
            return kind
    if refusal := _refusal(head, found.path):
        raise SourceError([f"{found.name} {refusal}"])
    return "table"


def _refusal(head: bytes, path: Path) -> str | None:
    """Say what a file is that no reader reads, as far as it is known."""
    if b"\x80\x02" <= head[:2] <= b"\x80\x05":
        return f"is a Python pickle, {_NOT_LOADED}"
    if not head.startswith(b"PK\x03\x04"):
        return None
    if not zipfile.is_zipfile(path):
        return "is a zip archive that is cut short or broken"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return f"was saved by torch, as a pickle, {_NOT_LOADED}"
    if "[Content_Types].xml" in names:
        return "is an Excel workbook; save it as CSV"
    return "is a zip archive of no known tool; unpack it"
