"""Long tables: one row for each answer, read into rows whatever the format of the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from analysis.errors import SourceError
from analysis.problems import listed
from analysis.sources.arrow import number_column
from analysis.sources.columns import Columns, recognise, recognise_labels
from analysis.sources.found_files import FoundFile
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows, SourceFile
from analysis.sources.tabular import Table, open_table

_ONE_RUN = "0"
"""The label of an arm's run where nothing tells runs apart."""


def rows_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read the rows of a file.

    Raises
    ------
    SourceError
        If it cannot be read, columns are missing or ambiguous, or lines are no rows.
    """
    yield from rows_of_table(open_table(found.path, found.name), found.source(), options, arm=found.arm, run=found.run)


def rows_of_table(
    table: Table, source: SourceFile, options: ImportOptions, *, arm: str | None = None, run: str | None = None
) -> Iterator[Rows]:
    """Read the rows of a table; arm and run are those of all rows, where they are known."""
    columns = recognise(table, options, arm=arm is None, run=run is None)
    remarks = []
    if "example" not in columns.roles:
        remarks.append("files without a column of ids hold their examples in one order: a row is known by its number")
    unnamed = "run" not in columns.roles and run is None
    if unnamed:
        remarks.append("no column names the run, so each arm has one")
        run = _ONE_RUN
    yield from _rows(table, source, columns, arm, run, tuple(remarks), one_run=unnamed, logits=options.logits)


def labels_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read a table that holds the labels alone.

    Raises
    ------
    SourceError
        As `rows_of`.
    """
    table = open_table(found.path, found.name)
    yield from _rows(table, found.source(), recognise_labels(table, options), "", "", ())


def _rows(
    table: Table,
    source: SourceFile,
    columns: Columns,
    arm: str | None,
    run: str | None,
    remarks: tuple[str, ...],
    *,
    one_run: bool = False,
    logits: bool = False,
) -> Iterator[Rows]:
    """Read rows; arm and run are those of all rows, None where a column says them."""
    understood = _understood(table, columns, logits=logits)
    start = 0
    for batch in table.batches(columns.all):
        held = dict(zip(batch.schema.names, batch.columns, strict=True))
        played = {role: held[name] for role, name in columns.roles.items()}
        yield Rows(
            source=source,
            arm=played["arm"] if arm is None else arm,
            run=played["run"] if run is None else run,
            one_run=one_run,
            example=played.get("example", number_column(np.arange(start, start + batch.num_rows))),
            numbered="example" not in played,
            epoch=played.get("epoch"),
            label=played.get("label"),
            prediction=played.get("prediction") if columns.checked is None else held[columns.checked],
            outputs={name: held[of_class] for name, of_class in columns.outputs.items()},
            scores={name: held[name] for name in columns.scores},
            understood=understood,
            remarks=remarks,
            unused=partial(_unused, table, columns),
            place=partial(_place, table, start),
        )
        start += batch.num_rows
    if not start:
        raise SourceError([f"{table.name} holds no rows"])


def _place(table: Table, start: int, row: int) -> str:
    return table.place(start + row)


def _unused(table: Table, columns: Columns) -> tuple[tuple[str, int], ...]:
    """Return the columns that play no role, each with how many values it has in the first rows."""
    names = [name for name in table.head if name and name not in columns.all]
    return tuple((name, len(table.head[name].drop_null().unique())) for name in names)


def _understood(table: Table, columns: Columns, *, logits: bool) -> tuple[tuple[str, str], ...]:
    """Say which column was taken for what."""
    told = {role: [name] for role, name in columns.roles.items()}
    told |= {"probabilities": list(columns.outputs.values()), "score": list(columns.scores)}
    words = {
        role: f"{'column' if len(names) == 1 else 'columns'} {listed(names)}" for role, names in told.items() if names
    }
    if columns.checked is not None:
        words["prediction"] = f"column {listed([columns.checked])}, which the probabilities must not contradict"
    if logits and columns.outputs:
        words["probabilities"] = f"softmax of {words['probabilities']}"
    unused = [name or "a column without a name" for name in table.names if name not in columns.all]
    return tuple((words | ({"not used": listed(unused)} if unused else {})).items())
