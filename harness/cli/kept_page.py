"""Kept pages: whether a page that is there is the one that would be drawn again, since drawing is most of the time."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.study.flips import AnsweredExamples
    from analysis.study.study_report import StudyReport

_DRAW = ("matplotlib", "jinja2", "numpy")
_SEAL = re.compile(r"\n<!-- made from ([0-9a-f]{64}), holds ([0-9a-f]{64}) -->\n\Z")


def made_from(report: StudyReport, examples: AnsweredExamples | None, texts: Mapping[str, str] | None) -> str:
    """Return the SHA-256 of all that a page is made from: what it shows, and the code and libraries that draw it.

    Parameters
    ----------
    report, examples, texts : StudyReport, AnsweredExamples or None, mapping of str to str or None
        As `analysis.html.page` takes them.
    """
    import analysis
    from analysis.html.explorer import explorer_data
    from analysis.tables.flips import flip_table

    digest = hashlib.sha256(repr([importlib.metadata.version(library) for library in _DRAW]).encode())
    for place in analysis.__path__:
        for file in sorted(Path(place).rglob("*")):
            if file.suffix in (".py", ".html", ".css", ".js"):
                digest.update(file.read_bytes())
    # Field by field: a report shows itself in a few words.
    digest.update(repr([getattr(report, field.name) for field in dataclasses.fields(report)]).encode())
    if examples is not None:
        digest.update(json.dumps(explorer_data(examples, report, texts)).encode())
        digest.update(repr(flip_table(examples, report)).encode())
    return digest.hexdigest()


def sealed(page: str, source: str) -> str:
    """Return a page with a last line that says what it was made from, and what it holds.

    Parameters
    ----------
    page : str
        The page.
    source : str
        What `made_from` returns.
    """
    return f"{page}\n<!-- made from {source}, holds {_sha256(page)} -->\n"


def kept(place: Path, source: str) -> str | None:
    """Return the page that is there, where it was made from the same and is whole; else None.

    Parameters
    ----------
    place : Path
        Where the page is, if it is there.
    source : str
        What `made_from` returns.
    """
    try:
        page = place.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    seal = _SEAL.search(page)
    if seal is None or seal[1] != source or seal[2] != _sha256(page[: seal.start()]):
        return None
    return page


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
