"""`harness analyze`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.looks import note_look
from harness.cli.shared import AsJson, Format, Root, complain, console_for, print_json, results_of

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def analyze(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file or its results; default every study."),
    ] = None,
    results: Root = Path("results"),
    form: Annotated[
        Format, typer.Option("--format", help="What to print; both reports are written in any case.")
    ] = Format.terminal,
    as_json: AsJson = False,
    details: Annotated[
        bool, typer.Option("--details", help="Print every test, interval and variance component as well.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where tables.md and tables.tex go, one folder a study; default report/ in each study's results.",
            show_default=False,
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=99, max=1_000_000, metavar="N", help="How often the multi-bootstrap resamples seeds and examples."
        ),
    ] = 10_000,
) -> None:
    """Say which gaps are real.

    And for which population, and what would settle the rest. Prints the tables, then writes all of them to
    report/tables.md and report/tables.tex in the study's folder; where it takes no files, that is said and nothing else
    is lost. A look at verdicts is noted in looks.json: the tables of a study that grows afterwards count it.
    Exits with 0, with 1 when a trial's files cannot be read (they are named, and harness run trains it again), with 2
    when a study cannot be analysed.
    """
    from analysis import analyze as analyze_folder
    from analysis.errors import AnalysisError
    from harness.embedded import study_file

    folders = results_of(study, results)
    alone = folders == [study or results] or (study is not None and study_file(study).is_file())
    reports: dict[Path, StudyReport] = {}
    refused = []
    for path in folders:
        try:
            reports[path] = analyze_folder(path, resamples=resamples)
        except AnalysisError as error:
            # One study among many does not hide the others.
            if alone:
                raise
            refused.append(f"{path.name}: {error}")
    places = {path: _place(path, report, alone=alone) for path in reports}
    try:
        form = Format.json if as_json else form
        if form is Format.json:
            print_json("analyze", [found.to_json() for found in reports.values()], errors=refused)
        else:
            _print(list(reports.values()), form, details=details)
    finally:
        # Also where nobody reads to the end, as in `harness analyze | head`.
        unwritten = {path: reason for path, found in reports.items() if (reason := _write(places[path], found))}
        unnoted = {path: reason for path, found in reports.items() if (reason := note_look(path, found))}
    if form is Format.terminal:
        more = "" if details else "; every test and interval: --details"
        for path in (path for path in reports if path not in unwritten):
            written = f"All tables: {places[path] / 'tables.md'} and tables.tex{more}"
            console_for().print(written, markup=False, highlight=False, soft_wrap=True)
    for found in reports.values():
        for trial in found.unreadable:
            complain(f"{found.name}: {trial}; harness run sets it aside and trains it again")
    for path, reason in unwritten.items():
        hint = "" if report is not None else "; --report DIR writes it elsewhere"
        complain(f"the report was not written: {places[path]}: {reason}{hint}")
    for path, reason in unnoted.items():
        complain(f"this look was not noted: {path / 'looks.json'}: {reason}; later tables do not count it")
    for said in refused:
        complain(f"error: {said}")
    if refused or (unwritten and report is not None):
        raise typer.Exit(2)
    raise typer.Exit(1 if any(found.unreadable for found in reports.values()) else 0)


def _place(path: Path, report: Path | None, *, alone: bool) -> Path:
    """Return the folder of a study's report."""
    if report is None:
        return path / "report"
    return report if alone else report / path.name


def _print(reports: Sequence[StudyReport], form: Format, *, details: bool) -> None:
    from analysis import tables

    console = console_for()
    for report in reports:
        if form is Format.terminal:
            for part in tables.terminal(report, details=details):
                console.print(part)
            console.print()
        else:
            sys.stdout.write(tables.markdown(report) if form is Format.markdown else tables.latex(report))


def _write(place: Path, report: StudyReport) -> str:
    """Write both reports, each whole or not at all; return why one could not be, or an empty text."""
    from analysis import tables
    from harness.atomic_file import atomic_write

    try:
        for name, text in (("tables.md", tables.markdown(report)), ("tables.tex", tables.latex(report))):
            with atomic_write(place / name) as stream:
                stream.write(text.encode())
    except OSError as error:
        return error.strerror or str(error)
    return ""
