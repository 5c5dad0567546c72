"""What can go wrong in the analysis, as one tree of exceptions.

::

    AnalysisError
    ├── PlanError         an `analysis:` or `claims:` block or a claims file cannot be used; lists every problem
    ├── RecordError       a results folder or a record is missing or unreadable
    │   └── FormatError   it was written in a format that this version does not know
    └── AlignmentError    the trials do not describe the same seeds, examples or labels

Every message names what was received, what is allowed, and what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in a study or claims file, with the place where it stands.

    Parameters
    ----------
    path
        Keys and list positions from the top of the file, such as ``("analysis", "margin")``.
    message
        What was expected, what was received and, where one is near, the name that was probably meant.

    Examples
    --------
    >>> print(Problem(path=("claims", 0, "n"), message="expected a whole number above 0, got 'all'"))
    claims[0].n: expected a whole number above 0, got 'all'
    """

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        where = ""
        for part in self.path:
            where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
        return f"{where}: {self.message}" if where else self.message


class AnalysisError(Exception):
    """The base of every error that the analysis raises on purpose."""


class PlanError(AnalysisError):
    """The analysis plan, or claims, cannot be used as they are written.

    Parameters
    ----------
    problems
        All faults, in the order of the study file.
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
