"""Errors that a user can put right.

HarnessError
├── StudyError      a study file or an override is wrong; holds every problem found
├── DataError       the data set cannot be read, or does not fit the study
├── ModelError      the checkpoint cannot be loaded, or an arm does not fit the model
├── ProblemsError   several of these at once; holds every problem found
└── ResultsError    the results folder cannot be used
    └── LockedError another process is running this study

Each message says what was received, what is allowed, and what to do instead. The commands print it and exit with 2;
a trial that fails on its own is no error of this kind, but a record with the status ``failed``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from analysis.errors import KeyPath as KeyPath
from analysis.errors import Problem as Problem


class HarnessError(Exception):
    """Any error that a user can put right."""


class StudyError(HarnessError):
    """A study file or an override is wrong; `problems` holds everything that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class DataError(HarnessError):
    """The data set cannot be read, or does not fit the study."""


class ModelError(HarnessError):
    """The checkpoint cannot be loaded, or an arm does not fit the model."""


class ProblemsError(HarnessError):
    """Several errors at once; `problems` holds a line for each thing that is wrong."""

    def __init__(self, errors: Iterable[HarnessError]) -> None:
        self.problems = tuple(itertools.chain.from_iterable(str(error).splitlines() for error in errors))
        super().__init__("\n".join(self.problems))


class Checks:
    """Checks that do not wait for each other: each goes into a `with` block, and what they find is raised together.

    >>> checks = Checks()
    >>> with checks:
    ...     raise ModelError("model: no folder x")
    >>> with checks:
    ...     raise DataError("data.path: no folder y")
    >>> checks.error().problems
    ('model: no folder x', 'data.path: no folder y')
    """

    def __init__(self) -> None:
        self.errors: list[HarnessError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, HarnessError):
            self.errors.append(error)
            return True
        return False

    def error(self) -> HarnessError:
        """Return what to raise where something is wrong: the only error as it is, or several as one."""
        return self.errors[0] if len(self.errors) == 1 else ProblemsError(self.errors)


class ResultsError(HarnessError):
    """The results folder cannot be used."""


class LockedError(ResultsError):
    """Another process is running this study."""


def did_you_mean(received: object, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest allowed name, or an empty text.

    >>> did_you_mean("learning_rat", ["learning_rate", "weight_decay"])
    "; did you mean 'learning_rate'?"
    """
    near = nearest(received, allowed)
    return f"; did you mean {near!r}?" if near is not None else ""


def nearest(received: object, allowed: Iterable[str]) -> str | None:
    """Return the nearest allowed name, or None where none is near."""
    return next(iter(get_close_matches(str(received), list(allowed), n=1, cutoff=0.6)), None)


def with_arms(problems: Iterable[tuple[str, str]]) -> str:
    """Return problems that arms have, each on a line behind the names of all arms that have it.

    >>> with_arms([("lora-r2", "no such module"), ("lora-r4", "no such module")])
    'arm lora-r2, lora-r4: no such module'
    """
    arms_by_problem: dict[str, list[str]] = {}
    for arm, problem in problems:
        arms_by_problem.setdefault(problem, []).append(arm)
    return "\n".join(f"arm {', '.join(arms)}: {problem}" for problem, arms in arms_by_problem.items())


def there_are(names: Sequence[str]) -> str:
    """Say what there is, at least one, behind a message about what there is not.

    >>> there_are(["a.yaml"]), there_are(["a.yaml", "b.yaml"])
    ('there is a.yaml', 'there are a.yaml, b.yaml')
    """
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def percentage_hint(received: object) -> str:
    """Return a hint for a percentage where a number belongs, or an empty text.

    >>> percentage_hint("30%"), percentage_hint("0.3"), percentage_hint("a%")
    ('; write a share such as 0.3', '', '')
    """
    text = received.strip() if isinstance(received, str) else ""
    try:
        return f"; write a share such as {float(text.removesuffix('%')) / 100:g}" if text.endswith("%") else ""
    except ValueError:
        return ""


def why_unusable(path: Path, error: OSError) -> str | None:
    """Return why a file or a folder cannot be used: what stands in the place of a folder, else what the system says."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        there = next((one for one in (path, *path.parents) if one.exists() or one.is_symlink()), path)
        if not there.is_dir():
            return f"{there} is no folder; move it away"
    return error.strerror


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, or its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def one_line(error: BaseException) -> str:
    """Return what a library says on one line, with the kind of error where the text alone says little."""
    text = " ".join(str(error).split())
    if not text or isinstance(error, ArithmeticError | AttributeError | LookupError | TypeError):
        text = f"{type(error).__name__}: {text}".rstrip(": ")
    return text if len(text) <= 200 else f"{text[:197]}..."
