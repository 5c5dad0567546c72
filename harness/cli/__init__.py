"""The commands. The only place where `harness` and `analysis` meet; each command imports what it needs when it runs."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer

from harness.cli import output
from harness.cli.analyze import analyze
from harness.cli.audit import audit
from harness.cli.plan import plan
from harness.cli.run import run
from harness.cli.shared import complain
from harness.cli.status import status


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ablation-harness {importlib.metadata.version('ablation-harness')}\n")
        raise typer.Exit


app = typer.Typer(
    help="Which gaps between fine-tuned models are real? Train every arm with every seed, then ask.\n\n"
    "harness run embedded/quickstart && harness analyze",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, analyze, audit, plan, status):
    app.command()(command)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Hold what is said before a command."""


def main() -> None:
    """Run a command; an error that a user can put right is one message and exit code 2."""
    with output.guarded() as out:
        code = _exit_code(out)
    sys.exit(code)


def _exit_code(out: output.Stream) -> int:
    try:
        code = _run()
        out.end()
    except output.OutputError as error:
        out.forgiving = True
        out.end()
        # A reader that is gone has seen enough, as in `harness analyze | head`.
        return 0 if error.reader_is_gone else _fail(str(error))
    if out.failure is not None and not out.failure.reader_is_gone:
        complain(f"{out.failure}; the run went on without it")
    return code


def _run() -> int:
    from analysis.errors import AnalysisError
    from harness.errors import HarnessError

    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except (HarnessError, AnalysisError) as error:
        problems = getattr(error, "problems", ())
        return _fail(str(error), f"{len(problems)} problems:\n" if len(problems) > 1 else "error: ")
    except OSError as error:
        # Whatever a command did not expect of a disk: a folder that lost its permission, a file that is a folder.
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    return 0


def _fail(message: str, head: str = "error: ") -> int:
    complain(f"{head}{message}")
    return 2
