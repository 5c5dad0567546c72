"""Found files: which files the sources name, and whose run each of them holds."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analysis.errors import SourceError
from analysis.sources.agreement import few
from analysis.sources.options import ImportOptions
from analysis.sources.path_pattern import PathPattern, holds, natural
from analysis.sources.rows import SourceFile
from analysis.words import counted

_LOG = re.compile(r".+\.eval|samples_.+\.jsonl")
"""Names that evaluation tools give their logs: inspect_ai, lm-evaluation-harness."""


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """A file to read, and the run that it holds where its path or the user says so.

    Parameters
    ----------
    path : Path
        As it was given.
    arm, run : str or None
        Whose run it holds, from ``--pattern`` or ``--run``; None where the file itself must say it.
    """

    path: Path
    arm: str | None = None
    run: str | None = None

    @property
    def name(self) -> str:
        """The file in messages."""
        return str(self.path)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its bytes, in hexadecimal; read once."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def source(self, *, tool: str | None = None, version: str | None = None, task: str | None = None) -> SourceFile:
        """Return the file as rows name it, with its program and its task where the file says them."""
        return SourceFile(path=self.name, sha256=self.sha256, tool=tool, version=version, task=task)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files of an import.

    Parameters
    ----------
    files : tuple of FoundFile
        In the order of the sources; those of one pattern or folder by name, ``seed2`` before ``seed10``.
    remarks : tuple of str
        What was left aside, one sentence each.
    """

    files: tuple[FoundFile, ...]
    remarks: tuple[str, ...] = ()


def find_files(sources: Sequence[Path], options: ImportOptions) -> FoundFiles:
    """Find the files that the sources, ``--pattern`` and ``--run`` name.

    Parameters
    ----------
    sources : sequence of Path
        Files and folders. A folder is searched for what matches the pattern, which is then relative to it; without a
        pattern for the logs of evaluation tools, ``*.eval`` and ``samples_*.jsonl``, however deep they lie. Of a file
        the end of the path must match the pattern. A pattern without sources is relative to the working directory.
    options : ImportOptions
        Of which ``pattern`` and ``runs`` count here. The files of ``runs`` need not be among the sources.

    Raises
    ------
    SourceError
        If there is no file, a source does not exist, the pattern is faulty or matches nothing, a file does not match
        it or can be read as two runs, a file is named twice, or two files hold one run; all of these at once.
    """
    pattern = PathPattern(options.pattern) if options.pattern is not None else None
    if pattern is not None and (problems := pattern.problems()):
        raise SourceError(problems)
    search = _Search(pattern, {Path(path).resolve(): run for path, run in options.runs.items()})
    for source in sources or ([Path()] if pattern is not None else []):
        try:
            search.add(source)
        except OSError as error:
            search.problems.append(f"{error.filename or source} cannot be read: {error.strerror}")
    listed_already = {file.path.resolve() for file in search.found}
    for path in map(Path, options.runs):
        if path.resolve() not in listed_already:
            search.add_file(path)
    problems = search.problems + _named_twice(search.found)
    if not search.found and not problems:
        problems = ["there is nothing to read: name files, or give --pattern 'runs/{arm}/seed{seed}/preds.csv'"]
    if problems:
        raise SourceError(problems)
    return FoundFiles(files=tuple(search.found), remarks=tuple(search.remarks))


class _Search:
    """Gathers files, remarks and problems, source by source."""

    def __init__(self, pattern: PathPattern | None, runs: dict[Path, tuple[str, str]]) -> None:
        self.pattern = pattern
        self.runs = runs
        self.found: list[FoundFile] = []
        self.remarks: list[str] = []
        self.problems: list[str] = []

    def add(self, source: Path) -> None:
        if not source.is_dir():
            self.add_file(source)
        elif self.pattern is None:
            self._add_logs(source)
        elif paths := self.pattern.paths_in(source):
            for path in paths:
                self.add_file(path)
        else:
            self.problems.append(self.pattern.nothing_in(source))

    def add_file(self, path: Path) -> None:
        if not path.is_file():
            self.problems.append(_not_a_file(path))
        elif run := self.runs.get(path.resolve()):
            self.found.append(FoundFile(path=path, arm=run[0], run=run[1]))
        elif self.pattern is None:
            self.found.append(FoundFile(path=path))
        else:
            readings = self.pattern.readings(path)
            if len(readings) == 1:
                arm, run_label = readings[0]
                self.found.append(FoundFile(path=path, arm=arm, run=run_label))
            elif readings:
                both = " or as ".join(f"arm {arm}, seed {seed}" for arm, seed in readings)
                self.problems.append(
                    f"{path}: --pattern {self.pattern.text} can be read as {both}; settle it by --run {path}=ARM,SEED"
                )
            else:
                self.problems.append(
                    f"{path} does not match --pattern {self.pattern.text}; leave it out, or add --run {path}=ARM,SEED"
                )

    def _add_logs(self, folder: Path) -> None:
        files = sorted((path for path in folder.rglob("*") if path.is_file()), key=natural)
        logs = [path for path in files if _LOG.fullmatch(path.name)]
        others = [str(path.relative_to(folder)) for path in files if not _LOG.fullmatch(path.name)]
        for path in logs:
            self.add_file(path)
        if "study.json" in others:
            self.problems.append(
                f"{folder} is a study already; harness export {folder} --to parquet writes it as one file to import"
            )
        elif not logs:
            self.problems.append(
                f"{folder} is a folder; say which of its files hold runs, such as "
                f"--pattern '{{arm}}/seed{{seed}}/preds.csv'; {holds(folder)}"
            )
        elif others:
            self.remarks.append(f"Of {folder} only *.eval and samples_*.jsonl were read, not {few(others)}.")


def _not_a_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder, expected a file"
    if not path.parent.is_dir():
        return f"{path} does not exist, nor does the folder {path.parent}"
    if path.is_symlink():
        return f"{path} is a link that leads to no file"
    if path.exists():
        return f"{path} is no file that can be read twice, such as a pipe is; save what it gives as a file"
    near = difflib.get_close_matches(path.name, [child.name for child in path.parent.iterdir()], n=1)
    return f"{path} does not exist" + (f"; did you mean {near[0]}?" if near else f"; {holds(path.parent)}")


def _named_twice(files: Sequence[FoundFile]) -> list[str]:
    """Name the files that are there twice, and those that hold the same run."""
    by_path: dict[Path, list[FoundFile]] = defaultdict(list)
    by_run: dict[tuple[str, str], list[FoundFile]] = defaultdict(list)
    for file in files:
        by_path[file.path.resolve()].append(file)
    problems = [f"{same[0].name} is named {len(same)} times" for same in by_path.values() if len(same) > 1]
    for same in by_path.values():
        if same[0].arm is not None and same[0].run is not None:
            by_run[same[0].arm, same[0].run].append(same[0])
    twice = [
        f"{counted(len(same), 'file')} for arm {arm}, seed {run}: {few([file.name for file in same])}"
        for (arm, run), same in by_run.items()
        if len(same) > 1
    ]
    if twice:
        more = f", and {counted(len(twice) - 1, 'more run')} with several" if len(twice) > 1 else ""
        problems.append(f"{twice[0]}{more}; name one of them alone, by a narrower --pattern or by --run FILE=ARM,SEED")
    return problems
