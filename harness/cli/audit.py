"""`harness audit`: what follows from published numbers alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.page_file import show
from harness.cli.shared import AsJson, Format, console_for, print_json

if TYPE_CHECKING:
    from analysis.published.audit import Audit
    from analysis.published.claims_file import ClaimsFile

_PAGE = "audit.html"


def audit(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="CLAIMS | BOARD | FIGURE...",
            help="A claims file, such as studies/claims/distilbert.yaml; a leaderboard, as a CSV table or as the JSON "
            "files of peft's method comparison; or accuracies as they were printed, with --n.",
        ),
    ],
    n: Annotated[
        str | None,
        typer.Option("--n", metavar="N", help="The number of test examples behind the figures.", show_default=False),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The results of one study that trained some of the systems again, to show beside the figures.",
            show_default=False,
        ),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="The format to print.")] = Format.terminal,
    as_json: AsJson = False,
    details: Annotated[
        bool, typer.Option("--details", help="Also print every interval and confusion matrix (on the terminal).")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write all tables to audit.md, audit.tex and a page, audit.html, in this folder, with the figure of p "
            "over the discordance, or for a leaderboard that of the ranks, as PDF, SVG and PNG.",
            show_default=False,
        ),
    ] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Show audit.html in the browser.")] = False,
) -> None:
    """Judge published numbers; train nothing.

    Example: harness audit --n 872 0.883 0.862

    Works out how many right answers stand behind each figure, whether the gap can be significant for any overlap of
    the two models' errors, how far other seeds alone would move it, what choosing an epoch on the test set adds, and
    what would decide the rest.

    Exit codes: 0 done; 2 the input is wrong, or --report DIR cannot be written.
    """
    from analysis.published.audit import audit as audit_claims
    from analysis.tables import audit as tables

    if in_browser and report is None:
        raise typer.BadParameter("shows the page that --report DIR writes", param_hint="--open")
    claims = _claims(inputs, n)
    if n is not None and results is not None:
        raise typer.BadParameter(
            "needs a claims file: figures alone do not say which arms they belong to", param_hint="--results"
        )
    outcomes = None
    if results is not None:
        # Reading records takes pyarrow, which figures alone need not wait for.
        from analysis import load

        outcomes = load(results)
    audited = audit_claims(claims, outcomes=outcomes)
    written = _write(audited, report) if report is not None else ()
    if as_json or output_format is Format.json:
        print_json("audit", [tables.as_json(audited)])
    elif output_format is Format.terminal:
        console = console_for()
        for part in tables.terminal(audited, details=details):
            console.print(part)
        if written:
            console.print(f"Written: {', '.join(map(str, written))}", markup=False, highlight=False, soft_wrap=True)
        elif not details:
            console.print(
                "--details prints every interval and matrix; --report DIR writes files, with a figure", style="dim"
            )
    else:
        sys.stdout.write(tables.markdown(audited) if output_format is Format.markdown else tables.latex(audited))
    if in_browser:
        show(path for path in written if path.name == _PAGE)


def _claims(inputs: Sequence[str], n: str | None) -> ClaimsFile:
    """Read a claims file, a leaderboard or figures, with every problem at its place."""
    from analysis.published.board_files import is_board, read_board
    from analysis.published.claims_file import read_claims

    if is_board(inputs[0]):
        return read_board(inputs, n=n)
    if n is not None:
        return _figures(inputs, n)
    if any(Path(text).is_file() for text in inputs[1:]):
        raise typer.BadParameter("give one claims file at a time; one file can hold several reports, under reports:")
    if counts := _counts(inputs):
        return _figures(inputs, counts)
    if len(inputs) > 1 or (not Path(inputs[0]).exists() and inputs[0].strip("%").replace(".", "", 1).isdigit()):
        raise typer.BadParameter(
            "figures need the number of test examples behind them, such as: harness audit --n 872 0.883 0.862",
            param_hint="--n",
        )
    return read_claims(inputs[0])


def _counts(inputs: Sequence[str]) -> str:
    """Return the number of test examples where all figures are counts of as many, such as 770/872; else nothing."""
    right, totals = zip(*((text.partition("/")[0], text.partition("/")[2]) for text in inputs), strict=True)
    digits = all(text.replace(",", "").strip().isdigit() for text in (*right, *totals))
    return totals[0].strip() if digits and len(set(totals)) == 1 else ""


def _figures(figures: Sequence[str], n: str) -> ClaimsFile:
    """Make claims of figures on the command line, each named as it is written."""
    from analysis.errors import PlanError, Problem
    from analysis.published.claims_file import parse_claims_file

    if any(Path(figure).is_file() for figure in figures):
        raise typer.BadParameter("goes with figures on the command line; a claims file has its own n", param_hint="--n")
    names = [figure if figure not in figures[:at] else f"{figure} ({at + 1})" for at, figure in enumerate(figures)]
    content = {
        "source": "figures on the command line",
        "n": n,
        "systems": {name: {"accuracy": figure} for name, figure in zip(names, figures, strict=True)},
        "pairs": [{"treatment": first, "baseline": second} for first, second in combinations(names, 2)],
    }
    try:
        return parse_claims_file(content)
    except PlanError as error:
        # Of what was typed, not of the content that was made of it.
        typed = {"n": "--n", "pairs": "figures"}
        places = [typed.get(str(problem.path[0])) or repr(problem.path[1]) for problem in error.problems]
        raise PlanError(
            Problem(place=place, path=(), message=problem.message)
            for place, problem in zip(places, error.problems, strict=True)
        ) from None


def _write(audited: Audit, folder: Path) -> tuple[Path, ...]:
    """Write the files of an audit, each whole or not at all, and return them."""
    from analysis.figures.board import board_figures
    from analysis.figures.discordance import discordance_figure
    from analysis.figures.figure import missing
    from analysis.html.audit import audit_page
    from analysis.tables import audit as tables
    from harness.atomic_file import atomic_write
    from harness.errors import ResultsError

    boards = board_figures(audited)
    only_boards = all(report.board is not None for report in audited.reports)
    figures = boards if only_boards else (discordance_figure(audited), *boards)
    drawn = [figure for figure in figures if not figure.reason]
    contents = {
        _PAGE: audit_page(audited, figures).encode(),
        "audit.md": tables.markdown(audited, pictures=[f"{figure.name}.png" for figure in drawn]).encode(),
        "audit.tex": tables.latex(audited, pictures=[f"{figure.name}.pdf" for figure in drawn]).encode(),
    }
    for figure in drawn:
        contents |= figure.files()
    # None of an earlier audit stands for this one.
    stale = {name for kind in ("discordance", "ranks") for name in missing(kind, kind, "").file_names} - contents.keys()
    try:
        for name, content in contents.items():
            with atomic_write(folder / name) as stream:
                stream.write(content)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder} cannot be written: {error.strerror}") from None
    return tuple(folder / name for name in contents)
