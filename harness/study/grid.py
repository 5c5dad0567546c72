"""Arms of a study: the settings that are written, laid over the study's own, and grids expanded."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness.errors import KeyPath, Problem, did_you_mean
from harness.study.document import StudyDocument
from harness.study.settings import Arm, Range, is_whole
from harness.study.strict import Scalar
from harness.study.validation import MODELS, message_of, real_path, shown, validate

# Each is a row of every table, and is compared with others.
_MOST_ARMS = 1000


def expand_arms(source: StudyDocument) -> tuple[dict[str, Arm], list[Problem]]:
    """Return all arms of a study file with every setting filled in, and what is wrong with them.

    An arm that is wrong has the default settings: its name is known to further checks.
    """
    raw = source.data
    problems: list[Problem] = []
    arms: dict[str, Arm] = {}
    origin: dict[str, KeyPath] = {}
    in_file = raw.get("arms")
    for name, written in in_file.items() if isinstance(in_file, dict) else ():
        here: KeyPath = ("arms", name)
        if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= 100:
            problems.append(
                source.problem(here, f"expected a name of 1 to 100 printable characters, got {shown(name)}")
            )
            continue
        base = _merged(raw, written if written is not None else {})
        if base is None:
            continue
        grid = base.pop("grid", {})
        wrong = [
            source.problem(
                (*here, "grid", key), "expected a list of numbers or texts, at least one, none of them twice"
            )
            for key, values in grid.items()
            if not isinstance(values, list)
            or not values
            or not all(isinstance(v, Scalar) for v in values)
            or len(set(map(repr, values))) < len(values)
        ]
        if wrong:
            problems += wrong
            continue
        count = math.prod(map(len, grid.values()))
        if len(arms) + count > _MOST_ARMS:
            where = (*here, "grid") if grid else here
            message = f"expected at most {_MOST_ARMS} arms, got {len(arms) + count}"
            problems.append(source.problem(where, f"{message}, {count} of them from this grid" if grid else message))
            break
        for values in itertools.product(*grid.values()):
            factors = dict(zip(grid, values, strict=True))
            arm_name = "-".join([name, *itertools.starmap(_word, factors.items())])
            filled = {**_copy(base), "factors": factors}
            misplaced = [key for key, value in factors.items() if not set_setting(filled, key, value)]
            if misplaced:
                problems += [source.problem((*here, "grid", key), _no_such_setting(key)) for key in misplaced]
                continue
            arm, faults = validate(source, here, Arm, filled, factors)
            problems += faults
            if arm_name in arms:
                first = ".".join(map(str, origin[arm_name]))
                problems.append(source.problem(here, f"two arms have one name: {arm_name!r} comes from {first} too"))
            else:
                arms[arm_name] = arm or Arm()
            origin[arm_name] = here
            problems += _check_space(source, here, filled)
    if not problems:
        problems += _remove_arms(source, arms)
    if not problems:
        problems += _same_arms(source, arms, origin) or _overrides_without_effect(source, in_file or {})
    return arms, problems


def _remove_arms(source: StudyDocument, arms: dict[str, Arm]) -> list[Problem]:
    """Remove the arms of a grid that an override names."""
    known, problems = list(arms), []
    for name, override in source.removed.items():
        wrong = ""
        if arms.pop(name, None) is None:
            wrong = f"no arm {name!r} to remove{did_you_mean(name, known)}; the study has {', '.join(known)}"
        elif not arms:
            wrong = "expected at least one arm to be left, got none"
        if wrong:
            problems.append(Problem(place=f"override {override!r}", path=("arms", name), message=wrong))
    return problems


def _merged(raw: Mapping[str, Any], written: Any) -> dict[str, Any] | None:
    """Return the study's settings with the arm's on top; None where either is no mapping."""
    shared = raw.get("training") or {}
    of_arm = written.get("training") or {} if isinstance(written, dict) else None
    if not isinstance(shared, dict) or not isinstance(of_arm, dict):
        return None
    merged: dict[str, Any] = {**written, "training": {**shared, **of_arm}}
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


def set_setting(raw: dict[str, Any], key: str, value: Scalar) -> bool:
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


def with_settings(arm: Arm, values: Mapping[str, Scalar]) -> Arm:
    """Return the arm with dotted settings replaced, checked again."""
    # What a file leaves out stays left out: some defaults may not be written beside other settings.
    raw = arm.model_dump(exclude_unset=True)
    for key, value in values.items():
        set_setting(raw, key, value)
    return Arm.model_validate(raw)


def _no_such_setting(key: str) -> str:
    parts = ("training", "adapter", "freeze")
    part = key.partition(".")[0]
    known = [f"{part}.{field}" for field in MODELS[part].model_fields] if part in parts else parts
    return (
        f"expected training.*, adapter.* or freeze.*, got {key!r}{did_you_mean(key if part in parts else part, known)}"
    )


def _check_space(source: StudyDocument, here: KeyPath, filled: dict[str, Any]) -> list[Problem]:
    """Check that both ends of every range in a search are settings that the arm could have."""
    search = filled.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    problems: list[Problem] = []
    if not isinstance(space, dict):
        return problems
    root: KeyPath = here if (*here, "search") in source.lines else ()
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
            if not set_setting(trial, key, int(end) if whole else end):
                problems.append(source.problem(where, _no_such_setting(key)))
                break
            try:
                Arm.model_validate(trial)
            except ValidationError as error:
                first = error.errors()[0]
                problems.append(
                    source.problem(where, f"{key} = {end}: {message_of(first, real_path(first, trial), Arm)}")
                )
    return problems


def _overrides_without_effect(source: StudyDocument, arms: Mapping[str, Any]) -> list[Problem]:
    """Find overrides of the study's training that every arm sets otherwise: they would change nothing."""
    problems = []
    for path in source.overrides:
        if len(path) != 2 or path[0] != "training" or path[1] not in source.data["training"]:
            continue
        key = f"training.{path[1]}"
        hiding = [
            name
            for name, arm in arms.items()
            if path[1] in ((arm or {}).get("training") or {}) or key in ((arm or {}).get("grid") or {})
        ]
        if len(hiding) == len(arms):
            message = f"changes nothing: every arm sets its own; override arms.{hiding[0]}.{key} and so on instead"
            problems.append(source.problem(path, message))
    return problems


def _same_arms(source: StudyDocument, arms: Mapping[str, Arm], origin: Mapping[str, KeyPath]) -> list[Problem]:
    """Find arms that differ in name only: each would be compared with itself."""
    problems = []
    trained = {name: arm.model_dump(exclude={"factors"}) for name, arm in arms.items()}
    for settings in trained.values():
        # Picking an epoch on the test split is a reading of the same training.
        if isinstance(settings["selection"], dict) and settings["selection"]["on"] == "test":
            settings["selection"] = "last"
    alike: dict[str, str] = {}
    for name, settings in trained.items():
        first = alike.setdefault(json.dumps(settings, sort_keys=True, default=str), name)
        if first != name:
            problems.append(
                source.problem(
                    origin[name],
                    f"{name!r} has the same settings as {first!r}; arms must differ in more than their names",
                )
            )
    return problems
