"""Validation of a study file: the model of each part, or what pydantic finds wrong, in plain words at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import KeyPath, Problem, did_you_mean, nearest, percentage_hint
from harness.study.document import StudyDocument
from harness.study.settings import ArmBlock, BestEpoch, Data, Freeze, LoraAdapter, Search, SeedsBySource
from harness.study.strict import Scalar, Strict
from harness.study.training import Training

# What pydantic calls the types of YAML.
_PLAIN_WORDS = {
    "a valid string": "a text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid mapping": "a mapping",
    "a valid dictionary": "a mapping",
    "greater than or equal to": "at least",
    "greater than": "more than",
}
# Where a key is unknown, these models say which keys there are: by the name of the mapping that holds it.
MODELS: dict[str, type[BaseModel]] = {
    "data": Data,
    "training": Training,
    "adapter": LoraAdapter,
    "freeze": Freeze,
    "selection": BestEpoch,
    "search": Search,
    "seeds": SeedsBySource,
}


# How annotated-types names the ends of a range, and in words.
_ENDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_OUT_OF_RANGE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_Model = TypeVar("_Model", bound=BaseModel)


def validate(
    source: StudyDocument,
    path: KeyPath,
    model: type[_Model],
    raw: Any,
    factors: Mapping[str, Scalar] | None = None,
) -> tuple[_Model | None, list[Problem]]:
    """Return the model of what stands at a place of the file, or every problem that it has.

    Parameters
    ----------
    source : StudyDocument
        The file.
    path : tuple of str and int
        The place.
    model : type of BaseModel
        What belongs there.
    raw : object
        What stands there, with the settings that it inherits.
    factors : mapping of str to scalar, optional
        The settings in it that a grid fills in, by their dotted keys.
    """
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        details = error.errors()
    places = [real_path(detail, raw) for detail in details]
    # A misspelt key is one mistake, not an unknown key and a missing one.
    misspelt = {
        (*inner[:-1], nearest(inner[-1], _model_at((*path, *inner), model).model_fields))
        for detail, inner in zip(details, places, strict=True)
        if detail["type"] == "extra_forbidden"
    }
    problems = []
    for detail, inner in zip(details, places, strict=True):
        if detail["type"] == "missing" and inner in misspelt:
            continue
        message = message_of(detail, (*path, *inner), model)
        key = ".".join(map(str, inner[:2]))
        if factors and key in factors:
            inner = ("grid", key)
        where = (*path, *inner)
        # A setting that an arm inherits is wrong where it is written.
        written = {*source.lines, *source.overrides}
        if path and where not in written and inner in written:
            where = inner
        problems.append(source.problem(where, message))
    return None, problems


def real_path(detail: ErrorDetails, raw: Any) -> KeyPath:
    """Leave out what pydantic adds to a path: the names of the members of a union."""
    path: list[str | int] = []
    steps = detail["loc"]
    for index, step in enumerate(steps):
        inside = isinstance(raw, dict) and step in raw
        if inside or (isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw)):
            path.append(step)
            raw = raw[step]
        elif index == len(steps) - 1 and detail["type"] == "missing":
            path.append(step)
    return tuple(path)


def message_of(detail: ErrorDetails, where: KeyPath, model: type[BaseModel]) -> str:
    """Say in plain words what pydantic found wrong with the value at `where`, in a mapping that `model` describes."""
    kind, received = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        names = list(_model_at(where, model).model_fields)
        hint = did_you_mean(where[-1], names)
        return f"unknown key{hint}" if hint else f"unknown key; expected one of {', '.join(names)}"
    allowed = _range_at(where, model)
    if kind == "missing":
        return f"missing; expected {allowed}" if allowed else "missing"
    if kind == "harness":
        return detail["msg"]
    expected = re.sub(r"^[A-Z]\w* should (be )?", "expected ", detail["msg"])
    expected = re.sub(r"have (at (least|most) \d+) items? after validation, not \d+", r"\1", expected)
    expected = re.sub(r" or instance of \w+", "", expected)
    for theirs, ours in _PLAIN_WORDS.items():
        expected = expected.replace(theirs, ours)
    if kind in _OUT_OF_RANGE and allowed:
        expected = f"expected {allowed}"
    hint = ""
    if kind == "literal_error" and isinstance(received, str):
        hint = did_you_mean(received, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
    if kind in {"float_type", "float_parsing"}:
        hint = percentage_hint(received)
    return f"{expected}, got {shown(received)} ({_kind(received)}){hint}"


def _model_at(where: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the mapping that holds the key at `where`; `model` describes the top of the file."""
    if len(where) == 3 and where[0] == "arms":
        return ArmBlock
    return MODELS.get(str(where[-2]), Strict) if len(where) > 1 else model


def _range_at(where: KeyPath, model: type[BaseModel]) -> str:
    """Return the range of the number at `where` in words, where it has two ends; else an empty text."""
    field = _model_at(where, model).model_fields.get(str(where[-1])) if where else None
    constraints = field.metadata if field else []
    ends = [f"{word} {getattr(c, end)}" for end, word in _ENDS.items() for c in constraints if hasattr(c, end)]
    return " and ".join(ends) if len(ends) == 2 else ""


def shown(value: Any) -> str:
    """Return a value in words, shortened for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _kind(value: Any) -> str:
    names = {
        str: "text",
        bool: "true/false",
        int: "whole number",
        float: "number",
        dict: "mapping",
        list: "list",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
