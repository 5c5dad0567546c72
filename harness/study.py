"""The study file: what it may say, and `load_study`, which reports every problem at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from harness import document
from harness.document import Document, Path_
from harness.errors import Problem, StudyError, did_you_mean
from harness.settings import (
    Adapter,
    Arm,
    Best,
    Data,
    Freeze,
    LoraAdapter,
    Range,
    Search,
    Selection,
    Strict,
    Training,
    _wrong,
    is_whole,
)

Scalar = bool | int | float | str
Check = Callable[[Mapping[str, Any], Sequence[str]], Iterable[tuple[Path_, str]]]


def _seeds(value: Any) -> Any:
    """Turn a count into the seeds 0 to count - 1; a list stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise _wrong(f"expected a count of seeds or a list of them, got {value!r}")
    if isinstance(value, int):
        if not 1 <= value <= 10_000:
            raise _wrong(f"expected a count from 1 to 10000, or a list of seeds, got {value}")
        return tuple(range(value))
    return tuple(value)


class ArmFile(Strict):
    """An arm as it is written: only what differs from the study, and a grid to make several arms of it."""

    training: Training = Field(default_factory=Training)
    adapter: Adapter | None = None
    freeze: Freeze | None = None
    selection: Selection | None = None
    search: Search | None = None
    grid: Mapping[str, list[Any]] = Field(default_factory=dict)


class Study(Strict):
    """A study, complete: defaults filled in, overrides applied, grids expanded.

    `analysis` and `claims` are carried as they are written; they belong to the analysis, which checks them.
    """

    name: str
    question: str = ""
    model: str = Field(min_length=1)
    revision: str | None = None
    data: Data
    training: Training = Field(default_factory=Training)
    arms: Mapping[str, Arm] = Field(min_length=1)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], BeforeValidator(_seeds), Field(min_length=1)]
    selection: Selection = "last"
    search: Search | None = None
    deviations: Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = ()
    analysis: Any = Field(default_factory=dict)
    claims: Any = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def _name_is_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            shown = name if len(name) <= 40 else f"{name[:40]}... ({len(name)} characters)"
            raise _wrong(
                "expected up to 100 letters, digits, '.', '_' and '-', the first a letter or digit "
                f"(it names the results folder), got {shown!r}"
            )
        return name

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise _wrong(f"given twice: {', '.join(map(str, twice))}; each seed is one run of each arm")
        return seeds


class _StudyFile(Study):
    arms: Mapping[str, ArmFile] = Field(min_length=1)  # type: ignore[assignment]


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
_MODELS: dict[str, type[BaseModel]] = {
    "": _StudyFile,
    "data": Data,
    "training": Training,
    "adapter": LoraAdapter,
    "freeze": Freeze,
    "selection": Best,
    "search": Search,
}


def load_study(path: str | Path, overrides: Sequence[str] = (), *, checks: Sequence[Check] = ()) -> Study:
    """Read a study file and check everything that can be checked without its model and data.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    overrides : sequence of str
        ``key=value`` each, the key dotted: ``seeds=5``, ``arms.lora.adapter.r=4``.
    checks : sequence of callables
        Further checks of the raw file, so that one report holds their problems too. Each takes the file's content and
        the names of the arms, and gives ``(path, message)`` for each problem.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With every problem that was found, each with its file, line and key.
    """
    source = document.read(Path(path), overrides)
    raw = source.data
    problems = [*source.problems, *_problems(source, (), _StudyFile, raw)]
    cells, more = _expand(source)
    problems += more
    for check in checks:
        problems += [source.problem(where, message) for where, message in check(raw, tuple(cells))]
    if problems:
        raise StudyError(sorted(dict.fromkeys(problems), key=source.position))
    return Study.model_validate({**raw, "arms": cells})


def replace(arm: Arm, values: Mapping[str, Scalar]) -> Arm:
    """Return the arm with dotted settings replaced, checked again."""
    raw = arm.model_dump()
    for key, value in values.items():
        _set(raw, key, value)
    return Arm.model_validate(raw)


def _expand(source: Document) -> tuple[dict[str, Arm], list[Problem]]:
    """Turn the arms as written into cells, as far as they are sound."""
    raw = source.data
    problems: list[Problem] = []
    cells: dict[str, Arm] = {}
    origin: dict[str, Path_] = {}
    arms = raw.get("arms")
    for name, written in arms.items() if isinstance(arms, dict) else ():
        here: Path_ = ("arms", name)
        if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= 100:
            problems.append(
                source.problem(here, f"expected a name of 1 to 100 printable characters, got {_shown(name)}")
            )
            continue
        base = _merged(raw, written if written is not None else {})
        if base is None:
            continue
        grid = base.pop("grid", {})
        wrong = [
            source.problem((*here, "grid", key), "expected a list of numbers or texts, none twice, at least one")
            for key, values in grid.items()
            if not isinstance(values, list)
            or not values
            or not all(isinstance(v, Scalar) for v in values)
            or len(set(map(repr, values))) < len(values)
        ]
        if wrong:
            problems += wrong
            continue
        for values in itertools.product(*grid.values()):
            factors = dict(zip(grid, values, strict=True))
            cell = "-".join([name, *itertools.starmap(_word, factors.items())])
            filled = {**_copy(base), "factors": factors}
            misplaced = [key for key, value in factors.items() if not _set(filled, key, value)]
            if misplaced:
                problems += [source.problem((*here, "grid", key), _no_such_setting(key)) for key in misplaced]
                continue
            problems += _problems(source, here, Arm, filled, factors)
            if cell in cells:
                first = ".".join(map(str, origin[cell]))
                problems.append(source.problem(here, f"two cells with one name: {cell!r} comes from {first} too"))
            elif not problems:
                cells[cell] = Arm.model_validate(filled)
            else:
                cells[cell] = Arm()
            origin[cell] = here
            problems += _check_space(source, here, filled)
    if not problems:
        problems += _same_arms(source, cells, origin)
    return cells, problems


def _merged(raw: Mapping[str, Any], written: Any) -> dict[str, Any] | None:
    """Lay an arm over the study's own settings; None where either is no mapping, which is reported elsewhere."""
    shared, own = (
        raw.get("training") or {},
        written.get("training") or {} if isinstance(written, dict) else None,
    )
    if not isinstance(shared, dict) or not isinstance(own, dict):
        return None
    merged: dict[str, Any] = {**written, "training": {**shared, **own}}
    for key in ("selection", "search"):
        value = written.get(key, raw.get(key))
        if value is not None:
            merged[key] = value
    if not isinstance(merged.get("grid") or {}, dict):
        return None
    merged["grid"] = merged.get("grid") or {}
    return merged


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _word(key: str, value: Scalar) -> str:
    last = re.split(r"[._]", key)[-1]
    if isinstance(value, bool):
        return f"{last}-{str(value).lower()}"
    return value if isinstance(value, str) else f"{last}{value:g}"


def _set(raw: dict[str, Any], key: str, value: Scalar) -> bool:
    """Set a dotted key below training, adapter or freeze; False where there is no such place.

    A part that is no mapping stays as it is: its own check reports it.
    """
    part, _, name = key.partition(".")
    if part not in {"training", "adapter", "freeze"} or not name or "." in name:
        return False
    settings = raw.get(part) or {}
    if isinstance(settings, Mapping):
        raw[part] = {**settings, name: value}
    return True


def _no_such_setting(key: str) -> str:
    parts = ("training", "adapter", "freeze")
    part = key.partition(".")[0]
    known = [f"{part}.{field}" for field in _MODELS[part].model_fields] if part in parts else parts
    return (
        f"expected training.*, adapter.* or freeze.*, got {key!r}{did_you_mean(key if part in parts else part, known)}"
    )


def _check_space(source: Document, here: Path_, filled: dict[str, Any]) -> list[Problem]:
    """Check that both ends of every range in a search are settings that the arm could have."""
    search = filled.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    problems: list[Problem] = []
    if not isinstance(space, dict):
        return problems
    root: Path_ = here if (*here, "search") in source.lines else ()
    for key, value in space.items():
        where = (*root, "search", "space", key)
        try:
            dimension = Range.model_validate(value)
        except ValidationError:
            continue
        ends = dimension.choices if dimension.choices is not None else (dimension.low, dimension.high)
        for end in ends:
            if not isinstance(end, Scalar):
                continue
            trial = _copy(filled)
            whole = isinstance(end, float) and end.is_integer() and is_whole(key)
            if not _set(trial, key, int(end) if whole else end):
                problems.append(source.problem(where, _no_such_setting(key)))
                break
            try:
                Arm.model_validate(trial)
            except ValidationError as error:
                first = error.errors()[0]
                problems.append(source.problem(where, f"{key} = {end}: {_message(first, _real_path(first, trial))}"))
    return problems


def _same_arms(source: Document, cells: Mapping[str, Arm], origin: Mapping[str, Path_]) -> list[Problem]:
    """Find arms that differ in name only: each would be compared with itself."""
    problems = []
    for (one, a), (other, b) in itertools.combinations(cells.items(), 2):
        if a.model_dump(exclude={"factors"}) == b.model_dump(exclude={"factors"}):
            problems.append(source.problem(origin[other], f"{other!r} has the same settings as {one!r}: a fake arm"))
    return problems


def _problems(
    source: Document,
    path: Path_,
    model: type[BaseModel],
    raw: Any,
    factors: Mapping[str, Scalar] | None = None,
) -> list[Problem]:
    """Return what `model` finds wrong with `raw`, which stands at `path` in the file."""
    try:
        model.model_validate(raw)
    except ValidationError as error:
        found = []
        for detail in error.errors():
            inner = _real_path(detail, raw)
            message = _message(detail, (*path, *inner))
            key = ".".join(map(str, inner[:2]))
            if factors and key in factors:
                inner = ("grid", key)
            where = (*path, *inner)
            # A setting that an arm inherits is wrong where it is written.
            written = {*source.lines, *source.overrides}
            if path and where not in written and inner in written:
                where = inner
            found.append(source.problem(where, message))
        return found
    return []


def _real_path(detail: ErrorDetails, raw: Any) -> Path_:
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


def _message(detail: ErrorDetails, where: Path_) -> str:
    kind, received = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        parent = where[-2] if len(where) > 1 else ""
        model = ArmFile if len(where) == 3 and where[0] == "arms" else _MODELS.get(str(parent), Strict)
        names = list(model.model_fields)
        hint = did_you_mean(where[-1], names)
        return f"unknown key{hint}" if hint else f"unknown key; there are {', '.join(names)}"
    if kind == "missing":
        return "missing"
    if kind == "harness":
        return detail["msg"]
    expected = re.sub(r"^[A-Z]\w* should (be )?", "expected ", detail["msg"])
    expected = re.sub(r"have (at (least|most) \d+) items? after validation, not \d+", r"\1", expected)
    expected = re.sub(r" or instance of \w+", "", expected)
    for theirs, ours in _PLAIN_WORDS.items():
        expected = expected.replace(theirs, ours)
    hint = ""
    if kind == "literal_error" and isinstance(received, str):
        hint = did_you_mean(received, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
    return f"{expected}, got {_shown(received)} ({_kind(received)}){hint}"


def _shown(value: Any) -> str:
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
