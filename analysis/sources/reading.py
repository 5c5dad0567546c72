"""Reading: sources of every kind become runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from analysis.errors import SourceError
from analysis.sources import arrays, inspect_ai, lm_eval, long_table, run_glue
from analysis.sources.agreement import few
from analysis.sources.arrow import as_texts, text_column
from analysis.sources.assembly import Assembly
from analysis.sources.faults import told_once
from analysis.sources.found_files import FoundFile, FoundFiles, find_files
from analysis.sources.identify import Kind, kind_of
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows
from analysis.sources.runs import Runs
from analysis.words import counted

_Reader = Callable[[FoundFile, ImportOptions], Iterator[Rows]]

_READERS: Mapping[Kind, _Reader] = {
    "run_glue": run_glue.rows_of,
    "array": arrays.rows_of,
    "table": long_table.rows_of,
}
# Logs are read together, so that what they asked can be compared.
_READERS_OF_LOGS: Mapping[Kind, Callable[[Sequence[FoundFile], ImportOptions], Iterator[Rows]]] = {
    "inspect_ai": inspect_ai.rows_of,
    "lm_eval": lm_eval.rows_of,
}
_READERS_OF_LABELS: Mapping[Kind, _Reader] = {"array": arrays.labels_of, "table": long_table.labels_of}


def read_sources(sources: Sequence[Path], options: ImportOptions) -> Runs:
    """Read the runs that sources hold.

    Parameters
    ----------
    sources : sequence of Path
        Files and folders, as `analysis.sources.found_files.find_files` takes them.
    options : ImportOptions

    Raises
    ------
    SourceError
        With everything that is wrong with all files, once each of them was found.
    """
    problems: list[str] = []
    found = _found(sources, options, problems)
    beside = FoundFiles(files=())
    if options.labels is not None:
        beside = _found([options.labels], ImportOptions(), problems)
    if problems:
        raise SourceError(problems)

    assembly = Assembly(options)
    order = None
    understood: tuple[tuple[str, str], ...] = ()
    for file in beside.files:
        try:
            labels = list(_labels_of(file, options))
            for piece in labels:
                assembly.add_labels(piece)
            order = _Order.of(file, labels)
            known = dict(pair for piece in labels for pair in piece.understood)
            understood = (("label", f"{known.get('label', 'array')} of {file.name}"),)
        except SourceError as error:
            assembly.refuse(error)
    for rows in _readings(found.files, options, assembly):
        try:
            for piece in rows if order is None else order.applied(rows):
                assembly.add(piece)
        except SourceError as error:
            assembly.refuse(error)
    try:
        runs = assembly.runs()
    except SourceError as error:
        raise SourceError(told_once(error.problems, [file.name for file in found.files])) from None
    labelled_by = tuple(file.source() for file in beside.files)
    return replace(
        runs,
        runs=tuple(replace(run, sources=run.sources + labelled_by) for run in runs.runs),
        remarks=(*found.remarks, *_copies(found.files), *runs.remarks),
        understood=runs.understood + understood,
    )


def _readings(files: Sequence[FoundFile], options: ImportOptions, assembly: Assembly) -> Iterator[Iterator[Rows]]:
    """Yield the rows of one file after the other, and of all logs of an evaluation tool together."""
    logs: dict[Kind, list[FoundFile]] = {}
    for file in files:
        try:
            kind = kind_of(file)
        except SourceError as error:
            assembly.refuse(error)
            continue
        if kind in _READERS_OF_LOGS:
            logs.setdefault(kind, []).append(file)
        else:
            yield _READERS[kind](file, options)
    for kind, of_kind in logs.items():
        yield _READERS_OF_LOGS[kind](of_kind, options)


def _copies(files: Sequence[FoundFile]) -> Iterator[str]:
    """Name the files that are the same byte by byte, as those of two runs hardly ever are."""
    same: dict[str, list[str]] = {}
    for file in files:
        same.setdefault(file.sha256, []).append(file.name)
    for names in same.values():
        if len(names) > 1:
            yield f"{few(names)} are the same byte by byte: is one a copy of another run's?"


def _labels_of(file: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    kind = kind_of(file)
    if kind not in _READERS_OF_LABELS:
        raise SourceError([f"--labels {file.name}: a file of {kind} holds answers; name a table or an array of labels"])
    return _READERS_OF_LABELS[kind](file, options)


def _found(sources: Sequence[Path], options: ImportOptions, problems: list[str]) -> FoundFiles:
    try:
        return find_files(sources, options)
    except SourceError as error:
        problems += error.problems
        return FoundFiles(files=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The examples in the order of the file with the labels, for files that only count theirs."""

    name: str
    ids: pa.StringArray

    @classmethod
    def of(cls, file: FoundFile, labels: Iterable[Rows]) -> _Order:
        return cls(
            name=file.name, ids=pa.concat_arrays([text_column([]), *(as_texts(rows.example) for rows in labels)])
        )

    def applied(self, pieces: Iterator[Rows]) -> Iterator[Rows]:
        """Yield the rows of a file with ids in the place of numbers."""
        file, length = "", 0
        for rows in pieces:
            if rows.numbered and len(rows.example):
                file, length = rows.source.path, rows.example[-1].as_py() + 1
                if length <= len(self.ids):
                    rows = replace(rows, example=self.ids.take(rows.example), numbered=False)
            yield rows
        if file and (problem := self._misfit(file, length)):
            raise SourceError([problem])

    def _misfit(self, file: str, length: int) -> str | None:
        if length != len(self.ids):
            return (
                f"{file} has {counted(length, 'example')} and {self.name} {counted(len(self.ids), 'label')}; "
                "without ids, labels are matched by their order"
            )
        ids = self.ids.to_pylist()
        numbers = [str(number) for number in range(length)]
        if ids != numbers and set(ids) == set(numbers):
            return (
                f"{file} has no ids, and those of {self.name} number its examples in another order than its rows; "
                "sort its rows by id, or leave its ids out"
            )
        return None
