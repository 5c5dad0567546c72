"""The commands. The only place where `harness` and `analysis` meet; each command imports what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from harness.cli.analyze import analyze
from harness.cli.audit import audit
from harness.cli.plan import plan
from harness.cli.run import run
from harness.cli.status import status

app = typer.Typer(
    help="Which gaps between fine-tuned models are real? Train every arm with every seed, then ask.\n\n"
    "harness run studies/quickstart.yaml && harness analyze",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, analyze, audit, plan, status):
    app.command()(command)


def main() -> None:
    """Run a command; an error that a user can put right is one message and exit code 2."""
    from analysis.errors import AnalysisError
    from harness.errors import HarnessError

    try:
        app()
    except (HarnessError, AnalysisError) as error:
        problems = getattr(error, "problems", ())
        head = f"{len(problems)} problems:\n" if len(problems) > 1 else "error: "
        sys.stderr.write(f"{head}{error}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe has seen enough, as in `harness analyze | head`.
        sys.stderr.close()
        sys.exit(0)
