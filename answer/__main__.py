"""The answer from the command line: write the pages that rest on the reference studies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from analysis.errors import AnalysisError
from answer.one_recipe.write import one_recipe
from answer.reports.write import reports


def main(
    reference: Annotated[Path, typer.Option(help="Results of the reference studies.")] = Path("results/reference"),
    docs: Annotated[Path, typer.Option(help="Where calibration.csv is, and where the pages are written.")] = Path(
        "docs"
    ),
    claims: Annotated[Path, typer.Option(help="Claims files with published gaps.")] = Path("studies/claims"),
) -> None:
    """Write docs/answer.md and docs/one-recipe.md with their figures from results/reference."""
    try:
        files = {**reports(reference, claims=claims), **one_recipe(reference, docs, claims=claims)}
    except AnalysisError as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(2) from None
    for place, text in files.items():
        (docs / place).parent.mkdir(parents=True, exist_ok=True)
        (docs / place).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{docs / place}\n")


if __name__ == "__main__":
    typer.run(main)
