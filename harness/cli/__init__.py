"""The command line: `harness plan`, `run`, `time`, `status`, `analyze`, `import`, `export`, `audit`.

Here `harness`, which trains, and `analysis`, which decides, meet. Each command imports what it needs when it runs, so
that help is quick.
"""

from __future__ import annotations

import atexit
import gc
import importlib.metadata
import sys
from typing import Annotated

import typer

from harness.cli import output
from harness.cli.analyze import analyze
from harness.cli.audit import audit
from harness.cli.export import export
from harness.cli.import_ import import_runs
from harness.cli.plan import plan
from harness.cli.run import run
from harness.cli.shared import complain
from harness.cli.status import status
from harness.cli.time_ import time_arms

# With this code typer ends a command in which Ctrl-C was pressed: training itself ends it otherwise, with a summary.
_CTRL_C = 130


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ablation-harness {importlib.metadata.version('ablation-harness')}\n")
        raise typer.Exit


app = typer.Typer(
    help="Find out which gaps between fine-tuned models are real.\n\n"
    "Example: harness run embedded/quickstart && harness analyze\n\n"
    "A study file names a model, a data set, the arms to compare and the seeds. plan shows what a study would train "
    "and could find, run trains it, status shows its progress, analyze gives the verdicts. time measures what each arm "
    "takes by itself. import reads predictions that you have from elsewhere, export writes them for others; audit "
    "judges published numbers.\n\n"
    "Exit codes: 0 done; 1 a trial did not finish or cannot be read; 2 the input is wrong, or nothing can be written. "
    "analyze --require: 0 shown, 1 contradicted, 3 undecided.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (plan, run, status, analyze):
    app.command()(command)
app.command("time")(time_arms)
app.command("import")(import_runs)
app.command()(export)
app.command()(audit)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run a command; an error that a user can put right is one message and exit code 2."""
    # On its way out, Python would look for garbage in all that was loaded: up to two seconds, for memory that the
    # system takes back anyway.
    atexit.register(gc.freeze)
    with output.guarded() as out:
        code = _exit_code(out)
    sys.exit(code)


def _exit_code(out: output.Stream) -> int:
    code = 0
    try:
        code = _run()
        out.end()
    except output.OutputError as error:
        out.forgiving = True
        out.end()
        # A reader that is gone has seen enough, as in `harness status | head`; what the command found out stays.
        return code if error.reader_is_gone else _fail(str(error))
    if out.failure is not None and not out.failure.reader_is_gone:
        complain(f"{out.failure}; the run went on without it")
    return code


def _run() -> int:
    from analysis.errors import AnalysisError
    from harness.errors import HarnessError

    try:
        app()
    except SystemExit as done:
        if done.code == _CTRL_C:
            complain("stopped by SIGINT; nothing that was recorded is lost")
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
