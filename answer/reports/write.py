"""Writing of docs/answer.md and its figure, from the results of the reference studies."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from answer.reports.figure import ANSWER, draw
from answer.reports.findings import find
from answer.reports.page import page
from answer.svg import svg

PAGE = "answer.md"


def reports(reference: Path, *, claims: Path) -> dict[Path, str]:
    """Return the files of the page by where they belong under docs.

    Parameters
    ----------
    reference : Path
        The folder of the reference studies.
    claims : Path
        The folder of the claims files.

    Raises
    ------
    AnalysisError
        If results or claims cannot be read.
    """
    findings = find(reference, claims)
    return {
        Path(PAGE): page(findings, folder="results/reference"),
        Path("figures") / f"{ANSWER}.svg": svg(ANSWER, partial(draw, findings)),
    }
