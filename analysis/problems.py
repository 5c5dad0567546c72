"""Problems of a file: pydantic's errors as sentences that the author of the file can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, ValidationError, ValidationInfo

from analysis.errors import Problem

_LONG = 200
"""Of longer names the beginning is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a block of the study file may hold, keyed by the path inside the block without list positions.

    Parameters
    ----------
    keys : mapping of tuple of str to sequence of str
        The keys that a mapping at this path takes.
    values : mapping of tuple of str to str
        What stands at this path, in words that continue "expected ..."; a path that ends in ``"[]"`` speaks
        of the list's items.
    choices : mapping of tuple of str to sequence of str
        The texts that are allowed at this path, where there is a fixed set.
    """

    keys: Mapping[tuple[str, ...], Sequence[str]]
    values: Mapping[tuple[str, ...], str]
    choices: Mapping[tuple[str, ...], Sequence[str]]


def near(received: object, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` where one of the allowed texts is close, else nothing.

    Examples
    --------
    >>> near("margn", ["margin", "alpha"])
    "; did you mean 'margin'?"
    """
    by_lower = {text.lower(): text for text in allowed}
    word = str(received).lower()
    # A short form, such as acc or f1, may be less like its own word than like another one.
    short = [text for text in by_lower if text.startswith(word) or word in text.split("_")] if len(word) > 1 else []
    matches = short if len(short) == 1 else difflib.get_close_matches(word, list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean {by_lower[matches[0]]!r}?" if matches else ""


def shown(value: object) -> str:
    """Return a received value in words that fit one line of a message."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def either(choices: Sequence[str]) -> str:
    """Return the choices in words: ``'a', 'b' or 'c'``."""
    quoted = [repr(choice) for choice in choices]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def listed(names: Iterable[str]) -> str:
    """Return names from a file on one line: quoted where they would break it, and cut where they are no names."""
    cut = (name if len(name) <= _LONG else f"{name[:_LONG]}..." for name in names)
    return ", ".join(name if name.isprintable() else repr(name) for name in cut)


def _known_arm(value: str, info: ValidationInfo) -> str:
    arms: Sequence[str] = info.context["arms"] if info.context else ()
    if arms and value not in arms:
        raise ValueError(f"expected an arm of this study ({listed(arms)}), got {value!r}{near(value, arms)}")
    return value


ArmName = Annotated[str, AfterValidator(_known_arm)]
"""A text that must name one of the arms in the validation's context, where there is one."""


def described(error: ValidationError, *, allowed: Allowed, prefix: tuple[str | int, ...]) -> list[Problem]:
    """Turn every error of a validation into a problem with its path and what is allowed there.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised.
    allowed : Allowed
        Keys, values and choices of the block that was validated.
    prefix : tuple of str or int
        The path of the block in the study file.
    """
    problems = []
    for fault in error.errors(include_url=False):
        location = tuple(part for part in fault["loc"] if part != "[key]")
        names = tuple(part for part in location if isinstance(part, str))
        if fault["type"] in ("extra_forbidden", "invalid_key"):
            keys = allowed.keys.get(names[:-1] if fault["type"] == "extra_forbidden" else names, ())
            message = f"unknown key {location[-1]!r}{near(location[-1], keys)} (allowed: {', '.join(keys)})"
        elif fault["type"] == "missing":
            message = f"expected {allowed.values.get(names, 'a value')}, got nothing: this key is required"
        elif fault["type"] == "value_error":
            message = str(fault["ctx"]["error"])
        else:
            place = (*names, "[]") if location and isinstance(location[-1], int) else names
            expected = allowed.values.get(place, allowed.values.get(names, "another value"))
            message = f"expected {expected}, got {shown(fault['input'])}"
            if isinstance(fault["input"], str):
                message += near(fault["input"], allowed.choices.get(names, ()))
        problems.append(Problem(path=(*prefix, *location), message=message))
    return problems
