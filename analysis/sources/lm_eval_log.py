"""Sample logs of lm-evaluation-harness: the documents of one file, and what the results beside it say about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.sources.agreement import few
from analysis.sources.found_files import FoundFile

TOOL = "lm-evaluation-harness"
_KINDS = {"doc_id": int, "doc_hash": str, "target": str, "filter": str, "metrics": list}
_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl")
# What comes first in a line, where a long prompt leaves the rest of it out of the first bytes of a file.
_BEGINNING = re.compile(rb'\s*\{"doc_id": \d+, "doc": ')


def recognises(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes is such a log.

    Examples
    --------
    >>> recognises(b'{"doc_id": 0, "doc": {"question": "Which one swims?", "choi')
    True
    >>> recognises(b'{"id": 0, "label": 1}')
    False
    """
    line, end, _ = head.partition(b"\n")
    try:
        return not _lacking(json.loads(line))
    except ValueError:
        return not end and _BEGINNING.match(line) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What ``results_<time>.json`` says about a task.

    Parameters
    ----------
    name : str
        The file, as it stands beside the samples.
    version : str
        Of the tool. The ``git_hash`` in the file is of whatever repository the tool was called in.
    task_version : str or None
    documents : int or None
        How many have a score.
    higher_is_better : mapping of str to bool
        By metric, as far as it is known.
    figures : mapping of str to float
        The task's figures, by metric and filter: ``exact_match,strict-match``.
    """

    name: str
    version: str
    task_version: str | None
    documents: int | None
    higher_is_better: Mapping[str, bool]
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A line of a log.

    Parameters
    ----------
    line : int
        Its number in the file, from 1.
    doc_id, doc_hash, prompt_hash : str
        Equal documents have one ``doc_hash``, and each its own ``doc_id``.
    target : str
        The right answer: a text, or the number of a choice.
    metrics : mapping of str to object
        The values by metric; not all are numbers.
    choices : tuple of str
        What the model chose from, without white space around; empty where it wrote.
    log_likelihoods : tuple of float
        Of the choices.
    """

    line: int
    doc_id: str
    doc_hash: str
    prompt_hash: str
    target: str
    metrics: Mapping[str, object]
    choices: tuple[str, ...]
    log_likelihoods: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Log:
    """The lines of one filter of one file.

    Parameters
    ----------
    file : FoundFile
    task : str or None
        From the file's name; None where somebody gave it another.
    results : Results or None
        From the file beside it; None where there is none.
    filters : tuple of str
        All that the file has.
    filter : str
        The one whose lines these are.
    documents : tuple of Document
        In their order.
    """

    file: FoundFile
    task: str | None
    results: Results | None
    filters: tuple[str, ...]
    filter: str
    documents: tuple[Document, ...]

    @property
    def arm(self) -> str:
        """Whose run it is: what was said, else the folder's name, which the tool makes of the model's."""
        return self.file.arm or self.file.path.resolve().parent.name

    @property
    def question(self) -> str | None:
        """What was asked: the task, and its version where that is known."""
        version = self.results.task_version if self.results else None
        return self.task if version is None else f"{self.task}, version {version}"

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The choices that all documents offer; empty where they differ, or where one comes twice."""
        first = self.documents[0].choices
        shared = len(set(first)) == len(first) and all(document.choices == first for document in self.documents)
        return first if shared else ()

    @cached_property
    def log_likelihoods(self) -> NDArray[np.float64]:
        """The log-likelihoods of the shared choices, shape (documents, choices)."""
        return np.array([document.log_likelihoods for document in self.documents], dtype=np.float64)

    def place(self, row: int) -> str:
        """Say where a document stands."""
        return f"{self.file.name}, line {self.documents[row].line}"


def read_log(found: FoundFile, wanted: str | None) -> Log:
    """Read a log.

    Parameters
    ----------
    found : FoundFile
    wanted : str or None
        The filter whose lines are kept; None keeps those of the filter of the first line.

    Raises
    ------
    SourceError
        If lines, or the results beside it, cannot be read.
    """
    problems: list[str] = []
    filters: dict[str, None] = {}
    documents = []
    for number, record in _records(found, problems):
        filters[record["filter"]] = None
        wanted = wanted or record["filter"]
        if record["filter"] == wanted:
            documents.append(_document(number, record))
    named = _NAME.fullmatch(found.path.name)
    results = None
    try:
        if named:
            results = _results_beside(found.path, named["task"], named["time"])
    except SourceError as error:
        problems += error.problems
    if not filters and not problems:
        problems = [f"{found.name} is empty"]
    if problems:
        raise SourceError(problems)
    return Log(
        file=found,
        task=named["task"] if named else None,
        results=results,
        filters=tuple(filters),
        filter=wanted or "",
        documents=tuple(documents),
    )


def _records(found: FoundFile, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the numbers and contents of the lines of a log, and tell which cannot be read."""
    with found.path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            place = f"{found.name}, line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                if line.strip():
                    cut = "the file is cut off here" if not line.endswith(b"\n") else f"this is no JSON ({error})"
                    problems.append(f"{place}: {cut}; evaluate the model again")
                continue
            if lacking := _lacking(record):
                problems.append(f"{place}: expected {few(lacking)}, as every line of a log of {TOOL} 0.4.13 has them")
            else:
                yield number, record


def _lacking(record: Any) -> list[str]:
    """Name the keys of a line that are not there or hold something else."""
    return [
        key for key, kind in _KINDS.items() if not isinstance(record, dict) or not isinstance(record.get(key), kind)
    ]


def _document(number: int, record: Mapping[str, Any]) -> Document:
    try:
        choices = tuple(intern(pair["arg_1"].strip()) for pair in record["arguments"].values())
        # A pair of the log-likelihood and whether the choice is what would have been written; both are texts.
        log_likelihoods = tuple(float(log_likelihood) for log_likelihood, _ in record["filtered_resps"])
    except (AttributeError, KeyError, TypeError, ValueError):
        choices = log_likelihoods = ()
    if len(choices) < 2 or len(choices) != len(log_likelihoods):
        choices = log_likelihoods = ()
    # The texts of a document are the same in every run: interned, they are held once.
    return Document(
        line=number,
        doc_id=intern(str(record["doc_id"])),
        doc_hash=intern(record["doc_hash"]),
        prompt_hash=intern(str(record.get("prompt_hash"))),
        target=intern(record["target"]),
        metrics={intern(str(name)): record.get(name) for name in record["metrics"]},
        choices=choices,
        log_likelihoods=log_likelihoods,
    )


def _results_beside(path: Path, task: str, time: str) -> Results | None:
    """Return what the results of the same evaluation say, which bear the same time in their name."""
    beside = sorted(path.parent.glob(f"*_{time}.json"))
    if not beside:
        return None
    try:
        told = json.loads(beside[0].read_bytes())
        figures, better, version = told["results"][task], told["higher_is_better"][task], told["versions"].get(task)
        return Results(
            name=str(beside[0]),
            version=told["lm_eval_version"],
            task_version=None if version is None else str(version),
            documents=figures.get("sample_len"),
            higher_is_better={name: value for name, value in better.items() if value is not None},
            figures={name: value for name, value in figures.items() if isinstance(value, int | float)},
        )
    except (OSError, ValueError) as error:
        raise SourceError([f"{beside[0]} cannot be read: {error}"]) from None
    except (AttributeError, KeyError, TypeError):
        raise SourceError([f"{beside[0]}: expected what {TOOL} 0.4.13 writes about task {task}"]) from None
