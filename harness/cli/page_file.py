"""The page of a report: writes index.html, and shows it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.kept_page import kept, made_from, sealed
from harness.cli.shared import complain

if TYPE_CHECKING:
    from analysis.html import Live
    from analysis.study.flips import AnsweredExamples
    from analysis.study.study_report import StudyReport

PAGE = "index.html"


def folder_of_report(path: Path, report: Path | None, *, alone: bool) -> Path:
    """Return where the files of a report belong.

    Parameters
    ----------
    path : Path
        The folder of the study.
    report : Path or None
        Where to write instead of the study's results.
    alone : bool
        Whether it is the only study; of several, each has a folder of its own in `report`.
    """
    if report is None:
        return path / "report"
    return report if alone else report / path.name


def page_of(
    folder: Path,
    report: StudyReport,
    examples: AnsweredExamples | None,
    *,
    live: Live | None = None,
    before: Path | None = None,
) -> str:
    """Return the page, with the texts of the examples where the study stores them.

    Parameters
    ----------
    folder : Path
        The folder of the study.
    report : StudyReport
        What was made of it.
    examples : AnsweredExamples or None
        Its examples that flip; None where verdicts are withheld.
    live : Live or None
        What the page says of itself while it is written anew.
    before : Path or None
        Where a page may be that was made from the same: it is then returned, and nothing is drawn.
    """
    from analysis import html
    from analysis.errors import RecordError
    from analysis.records.predictions import read_texts

    texts = None
    try:
        texts = None if examples is None else read_texts(folder, examples.ids)
    except RecordError as error:
        complain(f"{report.name}: no texts in {PAGE}: {error}; harness run writes it again")
    if before is None:
        return html.page(report, examples, texts, live=live)
    source = made_from(report, examples, texts)
    return kept(before, source) or sealed(html.page(report, examples, texts, live=live), source)


def show(pages: Iterable[Path]) -> None:
    """Show pages in the browser, and say where there is none."""
    import webbrowser

    for page in pages:
        if not webbrowser.open(page.absolute().as_uri()):
            complain(f"no browser was found to show {page}")
