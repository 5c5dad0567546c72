"""`harness export`: the answers of a study, for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.shared import AsJson, Root, console_for, print_json, results_of

if TYPE_CHECKING:
    from analysis.records.outcomes import Outcomes


class Target(StrEnum):
    """What `export` writes."""

    csv = "csv"
    parquet = "parquet"
    eee = "eee"


def export(
    study: Annotated[
        Path, typer.Argument(metavar="NAME", help="A study in the folder of all results, its folder, or a study file.")
    ],
    to: Annotated[
        Target,
        typer.Option(
            "--to",
            help="csv: a long table. parquet: the same with the whole study in the file, as harness import reads it "
            "back. eee: the files of Every Eval Ever, schema 0.3.0.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="The file, or for eee the folder, to write; default: NAME.csv, NAME.parquet or NAME-eee here.",
            show_default=False,
        ),
    ] = None,
    results: Root = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Write the answers of a study for other programs.

    Example: harness export quickstart --to parquet

    The long table has one row for what each trial answered for each test example: arm, seed, example_id, label,
    prediction, and the probability of each class. A study that was exported as Parquet and imported elsewhere gives
    the same tables, byte for byte. Nothing is overwritten.

    Exit codes: 0 done; 2 the input is wrong, or the target exists or cannot be written.
    """
    from analysis import load
    from harness.errors import ResultsError

    folders = results_of(study, results)
    if len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        raise ResultsError(f"{study} holds {len(folders)} studies; name one of them: {names}")
    outcomes = load(folders[0])
    if not outcomes.example_ids:
        raise ResultsError(f"{folders[0]}: no trial has finished, so there is nothing to export")
    target = out or Path(f"{folders[0].name}{'-eee' if to is Target.eee else f'.{to}'}")
    if target.exists() or target.is_symlink():
        raise ResultsError(f"{target} exists; move it away, or write elsewhere with --out")
    finished = sum(trial.answers is not None for trial in outcomes.trials.values())
    try:
        _WRITERS[to](outcomes, target)
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror or error}") from None
    n_examples = len(outcomes.example_ids)
    if as_json:
        written = {"path": str(target), "trials": finished, "n_examples": n_examples}
        print_json("export", [{"name": folders[0].name, "to": to.value, **written}])
        return
    told = f"Written: {target}: {finished} trials × {n_examples:,} test examples"
    console_for().print(told, markup=False, highlight=False, soft_wrap=True)


def _write_csv(outcomes: Outcomes, path: Path) -> None:
    from pyarrow import csv

    from analysis.exports import long_table
    from harness.atomic_file import atomic_write

    columns = long_table.schema(outcomes)
    options = csv.WriteOptions(quoting_style="needed")
    with (
        atomic_write(path) as stream,
        csv.CSVWriter(stream, long_table.plain(columns), write_options=options) as writer,
    ):
        for rows in long_table.batches(outcomes):
            writer.write_batch(rows.cast(long_table.plain(columns)))


def _write_parquet(outcomes: Outcomes, path: Path) -> None:
    from harness.records.archive import write_archive

    write_archive(outcomes, path)


def _write_eee(outcomes: Outcomes, folder: Path) -> None:
    import importlib.metadata
    import time

    from analysis.exports.every_eval_ever import evaluations
    from harness.atomic_file import atomic_write

    version = importlib.metadata.version("ablation-harness")
    for one in evaluations(outcomes, retrieved=int(time.time()), version=version):
        for path, text in ((one.samples_path, one.samples), (one.path, one.aggregate)):
            with atomic_write(folder / path) as stream:
                stream.write(text.encode())


_WRITERS = {Target.csv: _write_csv, Target.parquet: _write_parquet, Target.eee: _write_eee}
