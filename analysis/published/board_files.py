"""Leaderboards from other files: CSV tables, and the result files of peft's method comparison, read as claims."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import KeyPath, PlanError, Problem
from analysis.problems import near, shown
from analysis.published.claims_file import ClaimsFile, parse_claims_file
from analysis.published.claims_schema import System
from analysis.published.printed_figures import TRUSTED_DECIMALS

_TABLES = (".csv", ".tsv")
_DELIMITERS = ",\t;|"
_SYSTEM = ("system", "name", "model", "method", "arm", "configuration", "experiment")
_ACCURACY = ("accuracy", "acc", "test_accuracy", "exact_match", "score")
_KEYS = tuple(set(System.model_fields) - {"settings", "log", "selection", "tuning"})
# What tables print where there is no figure.
_NOTHING = ("", "-", "–", "—", "n/a", "na", "nan", "none", "oom")
_PERCENT = re.compile(r"\s*[(\[]?\s*%\s*[)\]]?\s*$")
_UNSIGNED = re.compile(r"[0-9]*\.?[0-9]+")


@dataclass(slots=True, kw_only=True)
class _Board:
    """What a file gives of a leaderboard, and where each figure of it stands."""

    source: str
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    counts: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, place: str, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(place=place, path=path, message=message))

    def add(self, name: str, place: str, figures: dict[str, Any]) -> None:
        if not name:
            return self.wrong(place, (), "expected the name of a system, got nothing")
        if name in self.systems:
            return self.wrong(place, (), f"the system {name!r} is given twice: first at {self.places[name]}")
        self.systems[name], self.places[name] = figures, place
        return None


def is_board(path: str) -> bool:
    """Return whether a path is that of a leaderboard: a CSV table, JSON files or a folder of them."""
    return Path(path).suffix.lower() in (*_TABLES, ".json") or (Path(path).is_dir() and any(Path(path).glob("*.json")))


def read_board(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, n: str | None = None) -> ClaimsFile:
    """Read a leaderboard from a CSV table or from the result files of peft's method comparison.

    Parameters
    ----------
    paths : str or path-like, or several
        A CSV file (``.csv`` or ``.tsv``), with a column for the names of the systems and one for their accuracies; or
        JSON files, or a folder of them, one for each system. A number in JSON is unrounded.
    n : str or None
        The number of test examples, where the files do not say.

    Returns
    -------
    ClaimsFile
        One report whose systems are judged at once. A row without an accuracy is a system that cannot be ranked.

    Raises
    ------
    PlanError
        With every problem of the files, each with its line, or its file, and its column or key.

    See Also
    --------
    analysis.read_claims : The same from a claims file, which may say more.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    first = given[0]
    if first.is_dir() or first.suffix.lower() == ".json":
        board = _from_results(given)
    elif len(given) > 1:
        raise PlanError([Problem(place=str(given[1]), path=(), message="expected one table at a time")])
    else:
        board = _from_table(first)
    if n is None and len(board.counts) == 1:
        (n,) = board.counts
    if n is None and not board.problems:
        got = f"got {', '.join(sorted(board.counts))}" if board.counts else "and the file does not say"
        board.wrong(board.source, (), f"expected one number of test examples, {got}; add --n, such as --n 1319")
    if board.problems:
        raise PlanError(board.problems)
    content = {"title": "", "source": board.source, "n": n, "pairs": "board", "systems": board.systems}
    try:
        return parse_claims_file(content)
    except PlanError as error:
        raise PlanError(_placed(board, problem) for problem in error.problems) from None


def _placed(board: _Board, problem: Problem) -> Problem:
    """Return a problem of the claims at the line or file that the figure stands in."""
    if problem.path[0] == "systems" and len(problem.path) > 1:
        return Problem(place=board.places[str(problem.path[1])], path=problem.path[2:], message=problem.message)
    return Problem(place="--n" if problem.path[0] == "n" else board.source, path=(), message=problem.message)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text: {error.reason} at byte {error.start}"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    raise PlanError([Problem(place=str(path), path=(), message=message)])


def _from_table(path: Path) -> _Board:
    board = _Board(source=str(path))
    text = _text(path)
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        board.wrong(f"{path}:{reader.line_num}", (), f"not valid CSV: {error}")
        return board
    if len(rows) < 2:
        board.wrong(str(path), (), "expected a header and a row for each system, got an empty table")
        return board
    (line, names), *rows = rows
    columns = _columns(board, f"{path}:{line}", names)
    in_percent = {key for at, key in columns.items() if key in System.model_fields and _PERCENT.search(names[at])}
    found = [(number, {key: row[at] for at, key in columns.items() if at < len(row)}) for number, row in rows]
    for number, row in rows:
        if len(row) > len(names):
            board.wrong(f"{path}:{number}", (), f"expected {len(names)} values, as the header has, got {len(row)}")
    if board.problems:
        return board
    unsaid = {"accuracy", "error_rate"} - in_percent
    in_percent |= {key for key in unsaid if _is_percent(board, path, key, found)}
    for number, cells in found:
        figures = {key: text for key, text in cells.items() if text.lower() not in _NOTHING}
        for key in in_percent & figures.keys():
            if figures[key][0] in "0123456789." and not {"%", "/"} & set(figures[key]):
                figures[key] += "%"
        if "n" in figures:
            board.counts.add(figures.pop("n"))
        settings = {key: figures.pop(key) for key in list(figures) if key not in (*_KEYS, "system")}
        name = figures.pop("system", "")
        board.add(name, f"{path}:{number}", figures | ({"settings": settings} if settings else {}))
        _count_of(board, figures)
    return board


def _columns(board: _Board, place: str, names: Sequence[str]) -> dict[int, str]:
    """Return by its number what each column of a table holds; the first column with a role has it."""
    plain = [re.sub(r"[\s_-]+", "_", _PERCENT.sub("", name).strip().lower()) for name in names]
    columns = dict(enumerate(plain))
    for role, words in (("system", _SYSTEM), ("accuracy", _ACCURACY)):
        known = next((plain.index(word) for word in words if word in plain), None)
        if known is not None:
            columns[known] = role
    if "system" not in columns.values():
        board.wrong(place, (), f"expected a column with the names of the systems: system; got {', '.join(names)}")
    if not {"accuracy", "error_rate", "mcc", "pearson", "spearman", "f1"} & set(columns.values()):
        hint = next((hint for name in plain if (hint := near(name, _ACCURACY))), "")
        board.wrong(place, (), f"expected a column with figures, such as accuracy; got {', '.join(names)}{hint}")
    for key, times in Counter(columns.values()).items():
        if times > 1:
            board.wrong(place, (), f"expected one column {key}, got {times}")
    return columns


def _is_percent(board: _Board, path: Path, key: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> bool:
    """Return whether numbers without a sign are percentages in this column: those above 1 can be nothing else."""
    numbers = [(line, cells[key]) for line, cells in rows if _UNSIGNED.fullmatch(cells.get(key, ""))]
    above = [(line, text) for line, text in numbers if float(text) > 1]
    below = [(line, text) for line, text in numbers if 0 < float(text) <= 1]
    if above and below:
        line, text = below[0]
        message = f"expected one unit in the column, got {text!r} here and {above[0][1]!r} in line {above[0][0]}"
        board.wrong(
            f"{path}:{line}", (key,), f"{message}; write {key} (%) in the header, or a % behind each percentage"
        )
    return bool(above) and not below


def _count_of(board: _Board, figures: Mapping[str, str]) -> None:
    right, slash, n = figures.get("accuracy", figures.get("error_rate", "")).partition("/")
    if slash and right.strip().isdigit() and "runs" not in figures:
        board.counts.add(n.strip())


def _from_results(given: Sequence[Path]) -> _Board:
    files = [file for path in given for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    board = _Board(source=", ".join(map(str, given)) if len(given) < 3 else f"{given[0].parent}/*.json")
    if not files:
        board.wrong(str(given[0]), (), "expected result files, one for each system; it holds no *.json")
    for file in files:
        try:
            content = json.loads(_text(file), parse_float=_unrounded, parse_constant=str)
        except PlanError as error:
            board.problems += error.problems
        except (json.JSONDecodeError, RecursionError) as error:
            line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            board.wrong(f"{file}{line}", (), "not valid JSON")
        else:
            _add_result(board, file, content)
    return board


def _unrounded(text: str) -> str:
    """Return a number of a program with all decimals that are taken at their word: that it has few is no rounding."""
    number = f"{float(text):.{TRUSTED_DECIMALS}f}"
    return text if len(text.partition(".")[2]) > TRUSTED_DECIMALS and "e" not in text.lower() else number


def _add_result(board: _Board, file: Path, content: Any) -> None:
    """Take the last test accuracy, the name and the seed of one run."""
    name = _at(content, "run_info", "experiment_name")
    metrics = _at(content, "train_info", "metrics")
    last = metrics[-1] if isinstance(metrics, list) and metrics else None
    if not isinstance(name, str) or not isinstance(last, Mapping):
        wanted = "run_info.experiment_name and train_info.metrics"
        return board.wrong(str(file), (), f"expected a result of peft's method comparison, with {wanted}")
    accuracy, status = last.get("test accuracy"), _at(content, "train_info", "status")
    key: KeyPath = ("train_info", "metrics", len(metrics) - 1, "test accuracy")
    if isinstance(accuracy, int) and not isinstance(accuracy, bool):
        accuracy = _unrounded(str(accuracy))
    if status not in (None, "success"):
        accuracy = None
    elif not isinstance(accuracy, str):
        known = [str(name) for name in last if str(name).startswith("test")]
        instead = f"; it has {', '.join(known)}, which is no accuracy" if known and accuracy is None else ""
        return board.wrong(str(file), key, f"expected an accuracy, got {shown(accuracy)}{instead}")
    seed = _at(content, "run_info", "train_config", "seed")
    board.add(
        name,
        str(file),
        ({"accuracy": accuracy} if accuracy is not None else {})
        | ({"settings": {"seed": str(seed)}} if seed is not None else {}),
    )
    return None


def _at(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
