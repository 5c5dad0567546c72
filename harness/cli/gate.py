"""The gate of harness analyze --require: its exit codes, and its files for continuous integration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from analysis.printable import printable
from analysis.words import counted
from harness.atomic_file import atomic_write
from harness.errors import ResultsError

if TYPE_CHECKING:
    from analysis.study.requirement_results import RequirementResult
    from analysis.study.study_report import StudyReport

# What a text of XML 1.0 cannot hold, besides the characters that printable() replaces.
_NOT_XML = re.compile("[\ufffe\uffff]")
_ELEMENTS = {"contradicted": "failure", "undecided": "error"}


def only_study(folders: Sequence[Path]) -> None:
    """Refuse several studies: a requirement names arms of one."""
    if len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        example = f"harness analyze {folders[0]} --require ..."
        raise ResultsError(f"--require asks one study, got {len(folders)} ({names}); name one: {example}")


def exit_code(answered: Iterable[RequirementResult]) -> int:
    """Return 0 where all requirements are shown, 1 where one is contradicted, 3 where none is and one is undecided."""
    answers = {one.answer for one in answered}
    return 1 if "contradicted" in answers else 3 if "undecided" in answers else 0


def write_gate(reports: Iterable[StudyReport], *, junit: Path | None, summary: Path | None) -> list[str]:
    """Write the requirements of reports to the files that are asked for; return why one could not be.

    Parameters
    ----------
    reports : iterable of StudyReport
        The one that was asked, or none.
    junit : Path or None
        A file of JUnit XML, written whole or not at all.
    summary : Path or None
        A file of Markdown, appended to, as a summary of several steps is made.
    """
    wrong = []
    for report in reports:
        for file, write in ((junit, _write_junit), (summary, _append_summary)):
            try:
                if file is not None:
                    write(file, report)
            except OSError as error:
                no_folder = isinstance(error, FileExistsError | NotADirectoryError)
                wrong.append(f"{file}: {'its folder is a file' if no_folder else error.strerror or error}")
    return wrong


def _write_junit(file: Path, report: StudyReport) -> None:
    with atomic_write(file) as stream:
        stream.write(junit_of(report))


def _append_summary(file: Path, report: StudyReport) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{summary_of(report)}" if stream.tell() else summary_of(report))


def junit_of(report: StudyReport) -> bytes:
    """Return the requirements of a report as JUnit XML.

    A suite has the name of the study, and a case that of a requirement. A contradicted one is a failure and an
    undecided one an error, never skipped: for continuous integration a skipped case is no reason to stop.
    """
    from analysis.tables.requirements import requirement_cell, requirements_in_words

    answers = [one.answer for one in report.requirements]
    counts = {
        "tests": str(len(answers)),
        "failures": str(answers.count("contradicted")),
        "errors": str(answers.count("undecided")),
        "skipped": "0",
    }
    name = _xml_text(report.name)
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, "time": "0"})
    for one, sentence in zip(report.requirements, requirements_in_words(report), strict=True):
        # GitLab calls a suite by the class of its cases, and takes the first of several cases with one name.
        attributes = {"classname": name, "name": _xml_text(requirement_cell(report, one.requirement)), "time": "0"}
        case = ElementTree.SubElement(suite, "testcase", attributes)
        if one.answer in _ELEMENTS:
            # Jenkins shows the message, GitLab the text.
            found = ElementTree.SubElement(case, _ELEMENTS[one.answer], {"message": one.answer, "type": one.answer})
            found.text = _xml_text(sentence)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def summary_of(report: StudyReport) -> str:
    """Return the requirements of a report as Markdown."""
    from analysis.tables import as_markdown
    from analysis.tables.provenance import footer_line
    from analysis.tables.requirements import requirement_table, requirements_in_words

    table = requirement_table(report, footer_line(report))
    answers = [one.answer for one in report.requirements]
    told = ", ".join(
        f"{answers.count(answer)} {answer}" for answer in ("contradicted", "undecided", "shown") if answer in answers
    )
    title = f"{report.name}: {counted(len(answers), 'requirement')}, {told}"
    return as_markdown.render(printable(title), "", [table] if table else [], sentences=requirements_in_words(report))


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))
