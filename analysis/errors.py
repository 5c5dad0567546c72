"""Errors of the analysis, as one tree of exceptions.

::

    AnalysisError
    ├── PlanError         an `analysis:` or `claims:` block or a claims file cannot be used; lists every problem
    ├── RecordError       a results folder or a record is missing or unreadable
    │   └── FormatError   it was written in a format that this version does not know
    ├── AlignmentError    the trials do not describe the same seeds, examples or labels
    ├── SourceError       predictions from elsewhere cannot be read into runs; lists every problem
    └── RequirementError  what is required of a study is none of its questions; lists every problem

Every message names what was received, what is allowed, and what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of a file, such as ``("claims", 0, "n")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in a study or claims file, with the place where it stands.

    Parameters
    ----------
    path : KeyPath
        Keys and list positions from the top of the file, such as ``("analysis", "margin")``; empty for the whole file.
    message : str
        What was expected, what was received and, where one is near, the name that was probably meant.
    place : str
        The file and line, or the override on the command line; empty where the content did not come from a file.

    Examples
    --------
    >>> print(Problem(path=("claims", 0, "n"), message="expected a whole number above 0, got 'all'"))
    claims[0].n: expected a whole number above 0, got 'all'
    >>> print(Problem(place="study.yaml:7", path=("claims", 0, "n"), message="expected a whole number above 0"))
    study.yaml:7: claims.0.n: expected a whole number above 0
    """

    path: KeyPath
    message: str
    place: str = ""

    @property
    def key(self) -> str:
        """The dotted key; empty for the whole file."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        where = ""
        for part in self.path:
            where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
        # A line is looked up in a file, and its dotted key is what an override is written with.
        parts = (self.place, self.key) if self.place else (where,)
        return ": ".join([*filter(None, parts), self.message])


class AnalysisError(Exception):
    """The base of every error that the analysis raises on purpose."""


class PlanError(AnalysisError):
    """The analysis plan, or claims, cannot be used as they are written.

    Parameters
    ----------
    problems : iterable of Problem
        All faults, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RecordError(AnalysisError):
    """A results folder or a record in it cannot be read by this version."""


class FormatError(RecordError):
    """A file names a format that this version does not read."""


class AlignmentError(AnalysisError):
    """Trials that must be compared example by example do not cover the same examples or seeds."""


class SourceError(AnalysisError):
    """Predictions from elsewhere cannot be read into runs.

    Parameters
    ----------
    problems : iterable of str
        All faults, each with its file, what was received, and what is allowed or which option settles it.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))


class RequirementError(AnalysisError):
    """What is required of a study cannot be asked of it.

    Parameters
    ----------
    problems : iterable of str
        All faults, each with the requirement, what was received, and what is allowed.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))
