"""`harness analyze`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.shared import Format, console_for, print_json, results_of


def analyze(
    folder: Annotated[
        Path, typer.Argument(metavar="[RESULTS]", help="One study's results, or the folder of all.")
    ] = Path("results"),
    form: Annotated[
        Format, typer.Option("--format", help="What to print; both reports are written in any case.")
    ] = Format.terminal,
    details: Annotated[
        bool, typer.Option("--details", help="Print every test, interval and variance component as well.")
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=99, metavar="N", help="How often the multi-bootstrap resamples seeds and examples.")
    ] = 10_000,
) -> None:
    """Say which gaps are real.

    And for which population, and what would settle the rest. Prints the tables, and writes all of them to
    report/tables.md and report/tables.tex in the study's folder.
    """
    from analysis import analyze as analyze_folder
    from analysis import tables
    from harness.errors import ResultsError

    reports = {path: analyze_folder(path, resamples=resamples) for path in results_of(folder)}
    for path, report in reports.items():
        target = path / "report"
        try:
            target.mkdir(exist_ok=True)
            (target / "tables.md").write_text(tables.markdown(report), "utf-8")
            (target / "tables.tex").write_text(tables.latex(report), "utf-8")
        except OSError as error:
            raise ResultsError(f"{target} cannot be written: {error.strerror}") from None
    if form is Format.json:
        found = [report.to_json() for report in reports.values()]
        print_json(found[0] if (folder / "study.json").exists() else found)
        return
    console = console_for()
    for path, report in reports.items():
        if form is Format.terminal:
            for part in tables.terminal(report, details=details):
                console.print(part)
            more = "" if details else "; every test and interval: --details"
            written = f"All tables: {path / 'report' / 'tables.md'} and tables.tex{more}\n"
            console.print(written, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stdout.write(tables.markdown(report) if form is Format.markdown else tables.latex(report))
