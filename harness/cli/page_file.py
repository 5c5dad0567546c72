"""The page of a report: writes index.html, and shows it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.shared import complain

if TYPE_CHECKING:
    from analysis.study.flips import AnsweredExamples
    from analysis.study.study_report import StudyReport

PAGE = "index.html"


def page_of(folder: Path, report: StudyReport, examples: AnsweredExamples) -> str:
    """Return the page, with the texts of the examples where the study stores them.

    Parameters
    ----------
    folder : Path
        The folder of the study.
    report : StudyReport
        What was made of it.
    examples : AnsweredExamples
        Its examples that flip.
    """
    from analysis import html
    from analysis.errors import RecordError
    from analysis.records.predictions import read_texts

    texts = None
    try:
        texts = read_texts(folder, examples.ids)
    except RecordError as error:
        complain(f"{report.name}: no texts in {PAGE}: {error}; harness run writes it again")
    return html.page(report, examples, texts)


def show(pages: Iterable[Path]) -> None:
    """Show pages in the browser, and say where there is none."""
    import webbrowser

    for page in pages:
        if not webbrowser.open(page.absolute().as_uri()):
            complain(f"no browser was found to show {page}")
