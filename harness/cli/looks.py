"""The looks file: `harness analyze` notes in it that verdicts were read, and every later table counts it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def note_look(folder: Path, report: StudyReport, *, left: Sequence[str] = ()) -> str:
    """Add a look to `looks.json`, unless the same one is there; return why it could not be noted, or an empty text.

    Parameters
    ----------
    folder : Path
        Of the study's results.
    report : StudyReport
        What was looked at.
    left : sequence of str
        The arms that are trained no further after it.
    """
    from analysis.records.format import FORMAT
    from analysis.records.json_files import read_looks
    from analysis.records.looks import Looks
    from harness import provenance
    from harness.atomic_file import atomic_write

    look = report.taken_look
    if look is None:
        return ""
    known = read_looks(folder)
    same = [one for one in known if (set(one.seeds), one.runs, one.plan) == (set(look.seeds), look.runs, look.plan)]
    if any(set(left) <= set(one.left) for one in same):
        return ""
    noted = look.model_copy(update={"left": tuple(left), "at": provenance.now()})
    looks = Looks(format=FORMAT, looks=(*known, noted))
    try:
        with atomic_write(folder / "looks.json") as stream:
            stream.write(f"{json.dumps(looks.to_json(), indent=1)}\n".encode())
    except OSError as error:
        return error.strerror or str(error)
    return ""
