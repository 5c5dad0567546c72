"""`harness analyze`: verdicts, tables and the files of the report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import output
from harness.cli.figure_files import figures_in_words, write_figures
from harness.cli.gate import exit_code, only_study, write_gate
from harness.cli.looks import note_look
from harness.cli.page_file import PAGE, folder_of_report, page_of, show
from harness.cli.shared import AsJson, Format, Root, complain, console_for, is_one_study, print_json, results_of

if TYPE_CHECKING:
    from analysis.figures import Figure
    from analysis.study.flips import AnsweredExamples
    from analysis.study.report import StudyReport


def analyze(
    study: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]",
            help="The name of a study in the folder of all results, its folder, or a study file; default: every study.",
        ),
    ] = None,
    results: Root = Path("results"),
    output_format: Annotated[
        Format, typer.Option("--format", help="The format to print; the files of the report are always written.")
    ] = Format.terminal,
    as_json: AsJson = False,
    details: Annotated[
        bool, typer.Option("--details", help="Also print every test, interval and variance component.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write the files of the report, in one folder per study where there are several; default: "
            "report/ in each study's results.",
            show_default=False,
        ),
    ] = None,
    figures: Annotated[
        bool,
        typer.Option("--figures", help="Also write every figure as PDF, SVG and PNG, into figures/ of the report."),
    ] = False,
    no_html: Annotated[
        bool, typer.Option("--no-html", help="Leave out index.html; one that is there stays as it is.")
    ] = False,
    in_browser: Annotated[bool, typer.Option("--open", help="Show index.html in the browser.")] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="While a study runs, write index.html anew when a trial has ended, until all have or until Ctrl-C. "
            "Verdicts are withheld before a declared look, or where none is declared, before every trial has run.",
        ),
    ] = False,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="What the study must have shown: 'A better than B', 'A worse than B', 'A not worse than B by 1pp' or "
            "'A equivalent to B within 1pp'; without a margin, that of the plan. May be given several times.",
            show_default=False,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the requirements as JUnit XML.", show_default=False),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append the requirements as Markdown, such as to $GITHUB_STEP_SUMMARY.",
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

    Example: harness analyze results/quickstart

    Gives every comparison a verdict, says which population it speaks about, and what would decide the undecided ones.
    Prints the main tables and writes all of them to report/tables.md and report/tables.tex in the study's results, with
    a LaTeX macro for every number in report/numbers.tex, and report/index.html, a page to read and to send: one file
    with everything in it. If that folder cannot be written, it says so and prints all the same. That verdicts were read
    is noted in looks.json, because the tables of a study that grows afterwards must count it.

    With --live it first waits for the trials of a study, also one that is not there yet, and keeps index.html up to
    date; the page loads itself again in the browser. It changes nothing for a run beside it.

    With --require it is a gate for continuous integration: harness analyze quickstart --require 'lora-r8 not worse than
    full by 1pp' --require 'full better than frozen' --junit gate.xml. The answers come first, and decide the exit code.
    The two arms are those of a comparison of the plan; 1pp is one percentage point, and 0.01 the same. docs/gate.md has
    examples for GitHub and GitLab.

    Exit codes: 0 done, or --live ended by Ctrl-C; 1 the files of a trial cannot be read (it is named; harness run
    trains it again, harness import writes an imported one again); 2 a study cannot be analysed, or --report DIR cannot
    be written. With --require: 0 every requirement is shown; 1 one is contradicted; 3 none is contradicted, and one is
    undecided; 2 one cannot be asked, or a file cannot be written.
    """
    from analysis.errors import AnalysisError
    from analysis.records.loading import load
    from analysis.study.flips import answered_examples
    from analysis.study.report import report_on

    for option, file in (("--junit", junit), ("--summary", summary)):
        if file is not None and not require:
            raise typer.BadParameter("writes what --require asks, and nothing is asked", param_hint=option)
    if junit is not None and summary is not None and os.path.realpath(junit) == os.path.realpath(summary):
        raise typer.BadParameter(f"writes {summary}, which is the file of --junit", param_hint="--summary")
    if in_browser and no_html:
        raise typer.BadParameter("shows index.html, which --no-html leaves out", param_hint="--open")
    if live and no_html:
        raise typer.BadParameter("writes index.html, which --no-html leaves out", param_hint="--live")
    if live and require:
        raise typer.BadParameter("waits for a study that still runs, and --require asks at once", param_hint="--live")
    if live:
        from harness.cli.live import follow

        if not follow(study, results, report=report, resamples=resamples, in_browser=in_browser):
            return

    folders = results_of(study, results)
    if require:
        only_study(folders)
    alone = is_one_study(study, results, folders)
    reports: dict[Path, StudyReport] = {}
    drawn: dict[Path, tuple[Figure, ...]] = {}
    examples: dict[Path, AnsweredExamples] = {}
    untimed: dict[Path, str] = {}
    errors = []
    for path in folders:
        try:
            outcomes = load(path)
            reports[path] = report_on(outcomes, resamples=resamples).require(*require or ())
            untimed[path] = outcomes.timing_fault
            if not no_html:
                examples[path] = answered_examples(outcomes, reports[path])
        except AnalysisError as error:
            # One study among many does not hide the others.
            if alone or require:
                raise
            errors.append(f"{path.name}: {error}")
    # Whoever reads the beginning alone, as in `harness analyze | head`, gets the exit code all the same.
    output.go_on_without_reader()
    places = {path: folder_of_report(path, report, alone=alone) for path in reports}
    try:
        output_format = Format.json if as_json else output_format
        if output_format is Format.json:
            print_json("analyze", [study_report.to_json() for study_report in reports.values()], errors=errors)
        else:
            _print(list(reports.values()), output_format, details=details)
    finally:
        # Also where standard output takes no more.
        if figures:
            from analysis.figures import build

            drawn = {path: build(made) for path, made in reports.items()}
        unwritten = {
            path: reason
            for path, made in reports.items()
            if (reason := _write(places[path], path, made, drawn.get(path, ()), examples.get(path)))
        }
        gate_unwritten = write_gate(reports.values(), junit=junit, summary=summary)
        unnoted = {path: reason for path, made in reports.items() if (reason := note_look(path, made))}
    if output_format is Format.terminal:
        more = "" if details else "; --details prints every test and interval"
        for path in (path for path in reports if path not in unwritten):
            written = f"All tables: {places[path] / 'tables.md'} and tables.tex, numbers for LaTeX: numbers.tex{more}"
            if path in drawn:
                written += f"\n{figures_in_words(places[path], drawn[path])}"
            if path in examples:
                written = f"A page to read and to send: {places[path] / PAGE}\n{written}"
            console_for().print(written, markup=False, highlight=False, soft_wrap=True)
    # A live page is there already, and loads itself again.
    if in_browser and not live:
        show(places[path] / PAGE for path in reports if path not in unwritten)
    for study_report in reports.values():
        for trial in study_report.unreadable:
            again = "harness run sets it aside and trains it again"
            if study_report.imported is not None:
                again = "harness import sets it aside and writes it again from its source"
            complain(f"{study_report.name}: {trial}; {again}")
    for path, reason in untimed.items():
        if reason:
            complain(f"{reports[path].name}: no times that were measured in turns: {reason}")
    for path in (path for path in reports if no_html and (places[path] / PAGE).exists()):
        complain(f"{places[path] / PAGE} is of an earlier analysis: --no-html leaves it as it is")
    for path, reason in unwritten.items():
        hint = "" if report is not None else "; --report DIR writes it elsewhere"
        complain(f"the report was not written: {places[path]}: {reason}{hint}")
    for path, reason in unnoted.items():
        complain(f"this look was not noted: {path / 'looks.json'}: {reason}; later tables do not count it")
    for message in errors:
        complain(f"error: {message}")
    for message in gate_unwritten:
        complain(f"error: {message}")
    if errors or gate_unwritten or (unwritten and report is not None):
        raise typer.Exit(2)
    if require:
        raise typer.Exit(exit_code(one for made in reports.values() for one in made.requirements))
    raise typer.Exit(1 if any(study_report.unreadable for study_report in reports.values()) else 0)


def _print(reports: Sequence[StudyReport], output_format: Format, *, details: bool) -> None:
    from analysis import tables

    console = console_for()
    for report in reports:
        if output_format is Format.terminal:
            for part in tables.terminal(report, details=details):
                console.print(part)
            console.print()
        else:
            sys.stdout.write(tables.markdown(report) if output_format is Format.markdown else tables.latex(report))


def _write(
    place: Path, folder: Path, report: StudyReport, figures: Sequence[Figure], examples: AnsweredExamples | None
) -> str:
    """Write the files of a report, each whole or not at all; return why one could not be, or an empty text."""
    from analysis import tables
    from harness.atomic_file import atomic_write

    writers = {"tables.md": tables.markdown, "tables.tex": tables.latex, "numbers.tex": tables.macros}
    if examples is not None:
        writers[PAGE] = partial(page_of, folder, examples=examples, before=place / PAGE)
    try:
        for name, write in writers.items():
            with atomic_write(place / name) as stream:
                stream.write(write(report).encode())
        write_figures(place, figures)
    except OSError as error:
        return error.strerror or str(error)
    return ""
