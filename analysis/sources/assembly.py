"""Assembly: rows of all sources become runs on one list of examples, and everything that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.problems import listed, shown
from analysis.sources.agreement import (
    RunName,
    pairing,
    problems_of_epochs,
    problems_of_examples,
    problems_of_tasks,
    problems_of_tools,
    run_in_words,
)
from analysis.sources.answers import Answers
from analysis.sources.arrow import as_numbers, is_plain, number_column
from analysis.sources.cell import Cell
from analysis.sources.column_names import proposed
from analysis.sources.faults import Faults
from analysis.sources.keys import Keys
from analysis.sources.labels import Labels
from analysis.sources.meaning import look_alike
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows, SourceFile
from analysis.sources.runs import Run, Runs
from analysis.words import counted

_EPOCHS = 10**9
"""Epochs are below it."""

_Numbers = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def assemble(rows: Iterable[Rows], options: ImportOptions, *, labels: Iterable[Rows] = ()) -> Runs:
    """Put rows together into runs that are aligned example by example and checked.

    Parameters
    ----------
    rows : iterable of Rows
        The rows of all sources, in any order; each piece is read once and not kept.
    options : ImportOptions
    labels : iterable of Rows
        Where the labels stand in a file of their own, its rows; only ``example`` and ``label`` count.

    Raises
    ------
    SourceError
        With everything that is wrong: what `rows` itself raised, rows without arm, run, example or answer, examples
        that a run has twice or not at all, labels that differ, and whatever leaves open what is compared.
    """
    assembly = Assembly(options)
    try:
        for piece in labels:
            assembly.add_labels(piece)
        for piece in rows:
            assembly.add(piece)
    except SourceError as error:
        assembly.refuse(error)
    return assembly.runs()


class Assembly:
    """Rows on their way into runs: `add` them piece by piece, then ask for the `runs`.

    A reader of several files that meets one that it cannot read hands the error to `refuse` and goes on, so that all
    problems of all files are told at once.

    Parameters
    ----------
    options : ImportOptions
    """

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._problems: dict[str, None] = {}
        self._incomplete = False
        self._faults = Faults()
        self._arms, self._run_labels, self._examples = Keys(), Keys(), Keys()
        self._labels, self._answers = Labels(), Answers(options, self._faults)
        self._cells: dict[tuple[int, int], dict[int, Cell]] = {}
        self._sources: dict[tuple[int, int], dict[SourceFile, None]] = {}
        self._understood: dict[tuple[str, str], None] = {}
        self._remarks: dict[str, None] = {}
        self._numbered: dict[bool, str] = {}

    def refuse(self, error: SourceError) -> None:
        """Note why rows of a source are not there; what their absence leads to is then no problem of its own."""
        self._problems |= dict.fromkeys(error.problems)
        self._incomplete = True

    def add_labels(self, rows: Rows) -> None:
        """Add rows of a file that holds the labels alone; it comes before all others."""
        if rows.label is None:
            raise SourceError([f"{rows.source.path} holds no label; name its column with --column label=COLUMN"])
        _check_types(rows)
        self._labels.add(
            rows, self._numbers(rows, "example id", rows.example, self._examples), self._examples, self._faults
        )

    def add(self, rows: Rows) -> None:
        """Add some rows."""
        self._understood |= dict.fromkeys(rows.understood)
        self._remarks |= dict.fromkeys(rows.remarks)
        if not len(rows.example):
            return
        self._numbered.setdefault(rows.numbered, rows.source.path)
        try:
            _check_types(rows)
            values = self._answers.read(rows)
        except SourceError as error:
            self.refuse(error)
            return
        examples = self._numbers(rows, "example id", rows.example, self._examples)
        if rows.label is None:
            self._labels.lacking_in(rows)
        else:
            self._labels.add(rows, examples, self._examples, self._faults)
        arms = self._numbers(rows, "arm", rows.arm, self._arms)
        runs = self._numbers(rows, "run", rows.run, self._run_labels)
        self._store(rows, values, (arms, runs, examples, self._epochs(rows)))

    def runs(self) -> Runs:
        """Return the runs.

        Raises
        ------
        SourceError
            With everything that is wrong.
        """
        problems = [*self._problems, *self._answers.problems(), *self._faults.messages()]
        sources = dict.fromkeys(file for files in self._sources.values() for file in files)
        problems += problems_of_tools(sources) + problems_of_tasks(sources)
        if len(self._numbered) > 1:
            problems.append(
                f"{self._numbered[False]} says which example a row is about, and {self._numbered[True]} only has an "
                "order of rows, so that their examples cannot be told to be the same; have ids in all files "
                "(--column example=COLUMN names their column), or in none"
            )
        if self._incomplete or not self._cells:
            raise SourceError(problems or ["the sources hold no rows"])
        cells = {self._name(run): dict(sorted(self._cells[run].items())) for run in sorted(self._cells)}
        paired, remarks, unclear = pairing(list(cells), unpaired=self._options.unpaired)
        examples, left_out, differences = self._common(cells)
        if unanswered := len(self._examples) - len(examples) - left_out:
            remarks.append(f"left out: {counted(unanswered, 'example')} with a label that no run answered")
        problems += unclear + problems_of_epochs(cells) + differences
        meaning = None
        try:
            if len(examples):
                meaning = self._answers.meaning(self._labels, cells, examples, self._ids(examples))
        except SourceError as error:
            problems += error.problems
        if problems or meaning is None:
            raise SourceError(problems)
        whole = len(examples) == len(self._examples)
        runs = []
        for key, run in zip(sorted(self._cells), list(cells), strict=True):
            epochs, self._cells[key] = cells.pop(run), {}
            answers = [meaning.converted(cell.values if whole else cell.values[examples]) for cell in epochs.values()]
            runs.append(
                Run(
                    arm=run[0],
                    label=run[1],
                    epochs=tuple(epochs),
                    answers=answers[0][None] if len(answers) == 1 else np.stack(answers),
                    sources=tuple(self._sources[key]),
                )
            )
        return Runs(
            answers=meaning.answers,
            example_ids=self._ids(examples),
            labels=meaning.labels,
            classes=meaning.classes,
            score=self._answers.score,
            higher_is_better=self._answers.higher_is_better,
            runs=tuple(runs),
            paired=paired,
            left_out=left_out,
            remarks=(*self._remarks, *remarks, *meaning.remarks, *look_alike(meaning.classes)),
            understood=tuple(self._understood),
        )

    def _store(self, rows: Rows, values: NDArray[Any], numbers: _Numbers) -> None:
        """Store answers run by run; `numbers` are those of the arm, the run, the example and the epoch."""
        arms, runs, examples, epochs = numbers
        good = np.flatnonzero((arms >= 0) & (runs >= 0) & (examples >= 0) & (epochs >= 0))
        code = (arms * len(self._run_labels) + runs) * (epochs.max() + 1) + epochs
        order = good[np.argsort(code[good].astype(np.min_scalar_type(code.max())), kind="stable")]
        starts = np.flatnonzero(np.diff(code[order], prepend=-1)).tolist()
        again = np.zeros(len(values), bool)
        for start, end in pairwise([*starts, len(order)]):
            place = order[start:end]
            first = place[0]
            run = (int(arms[first]), int(runs[first]))
            self._sources.setdefault(run, {})[rows.source] = None
            epochs_of_run = self._cells.setdefault(run, {})
            cell = epochs_of_run.get(int(epochs[first]))
            if cell is None:
                room = np.zeros((len(self._examples), *values.shape[1:]), values.dtype)
                cell = epochs_of_run[int(epochs[first])] = Cell(room)
            self._answers.update(cell, values)
            again[place] = cell.store(examples[place], values[place], n_examples=len(self._examples))
        self._faults.note(rows, "twice", again, lambda row: self._twice(rows, arms[row], runs[row], examples[row]))

    def _numbers(self, rows: Rows, what: str, column: pa.Array | str, keys: Keys) -> NDArray[np.int64]:
        """Return the number of each row's name, -1 where it has none, which is a fault."""
        if isinstance(column, str):
            return np.full(len(rows.example), keys.number_of(column))
        numbers = keys.numbers_of(column)
        self._faults.note(rows, f"no {what}", numbers < 0)
        return numbers

    def _epochs(self, rows: Rows) -> NDArray[np.int64]:
        """Return each row's epoch, -1 where it has none, which is a fault."""
        if rows.epoch is None:
            return np.ones(len(rows.example), np.int64)
        column = rows.epoch
        read = as_numbers(column)
        if read is None:
            read = np.full(len(column), np.nan)
        wrong = ~((read == np.rint(read)) & (read >= 0) & (read < _EPOCHS))
        self._faults.note(
            rows,
            "no epoch",
            wrong,
            lambda row: f"an epoch is a whole number from 0, got {shown(column[row].as_py())}",
        )
        return np.where(wrong, -1, read).astype(np.int64)

    def _common(self, cells: Mapping[RunName, Mapping[int, Cell]]) -> tuple[NDArray[np.int64], int, list[str]]:
        """Return the numbers of the examples that count, how many were left out, and what differs between runs."""
        for epochs in cells.values():
            for cell in epochs.values():
                cell.cut(len(self._examples))
        seen = {run: np.logical_and.reduce([cell.seen for cell in epochs.values()]) for run, epochs in cells.items()}
        answered = np.flatnonzero(np.logical_or.reduce(list(seen.values())))
        if not self._options.common_examples:
            has = {run: some[answered] for run, some in seen.items()}
            return answered, 0, problems_of_examples(has, self._ids(answered))
        common = np.flatnonzero(np.logical_and.reduce(list(seen.values())))
        none = [] if len(common) else ["no example is in every run, and --common-examples leaves none"]
        return common, len(answered) - len(common), none

    def _ids(self, examples: NDArray[np.int64]) -> pa.StringArray:
        ids = self._examples.texts
        return ids if len(examples) == len(ids) else ids.take(number_column(examples))

    def _name(self, run: tuple[int, int]) -> RunName:
        return self._arms.texts[run[0]].as_py(), self._run_labels.texts[run[1]].as_py()

    def _twice(self, rows: Rows, arm: int, run: int, example: int) -> str:
        """Say that a row tells what another row has told."""
        name = self._name((arm, run))
        named = f"arm {listed(name[:1])}" if rows.one_run else run_in_words(name)
        answer = f"a second answer of {named} for example {self._examples.texts[int(example)]}"
        if rows.one_run:
            answer += f", and no column says which run a row is of; {proposed('run', rows.unused())}"
        if self._options.pattern is not None and "{seed}" not in self._options.pattern:
            return f"{answer}; if the paths tell the runs apart, put {{seed}} into --pattern"
        if rows.one_run:
            return answer
        return (
            f"{answer}; if another column tells the runs, the examples or the epochs apart, name it with "
            "--column run=COLUMN, --column example=COLUMN or --column epoch=COLUMN"
        )


def _check_types(rows: Rows) -> None:
    """Refuse lists and other things that are neither names nor numbers."""
    columns = {"arm": rows.arm, "run": rows.run, "example id": rows.example, "epoch": rows.epoch, "label": rows.label}
    columns = {**columns, "prediction": rows.prediction, **rows.outputs, **rows.scores}
    if problems := [
        f"{rows.source.path}: {name} holds {column.type}, and texts or numbers are needed"
        for name, column in columns.items()
        if isinstance(column, pa.Array) and not is_plain(column.type)
    ]:
        raise SourceError(problems)
