"""Options of `harness import`: what was typed as what the readers and the plan take, with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from analysis.document import Document, read_document
from analysis.errors import PlanError, Problem, SourceError
from analysis.problems import either, near, shown
from analysis.records.manifest import Manifest
from analysis.sources.options import ImportOptions
from analysis.sources.runs import Runs
from analysis.study.claims_block import claim_problems
from analysis.study.imported import imported_plan
from analysis.study.plan import AnalysisPlan
from harness.study.study import name_fault

_KEYS = ("model", "analysis", "claims")


class Blocks(TypedDict):
    """What a study file says for the analysis: the model that claims are about, and two blocks."""

    model: str | None
    analysis: Mapping[str, Any]
    claims: Sequence[Mapping[str, Any]] | None


def checked_options(
    name: str, *, columns: Sequence[str], runs: Sequence[str], classes: str | None, **more: Any
) -> ImportOptions:
    """Return the options for the readers.

    Parameters
    ----------
    name : str
        The name of the study.
    columns, runs : sequence of str
        ``ROLE=COLUMN`` and ``FILE=ARM,SEED`` each.
    classes : str or None
        Names, joined by commas.
    more
        Further fields of `ImportOptions`.

    Raises
    ------
    SourceError
        With every option that is not what it should be.
    """
    problems = [f"--name: {fault}"] if (fault := name_fault(name)) else []
    roles: dict[str, str] = {}
    for text in columns:
        role, _, column = text.partition("=")
        if not role or not column:
            problems.append(f"--column: expected ROLE=COLUMN, such as arm=model, got {text!r}")
        elif role in roles:
            problems.append(f"--column: {role} is given twice, as {roles[role]!r} and as {column!r}")
        roles[role] = column
    places: dict[str, tuple[str, str]] = {}
    for text in runs:
        file, _, place = text.rpartition("=")
        arm, _, seed = place.rpartition(",")
        if not file or not arm or not seed:
            problems.append(f"--run: expected FILE=ARM,SEED, such as out/preds.csv=lora,3, got {text!r}")
        elif file in places:
            problems.append(f"--run: {file} is given twice, as {','.join(places[file])} and as {place}")
        places[file] = (arm, seed)
    names = tuple(classes.split(",")) if classes else ()
    if classes is not None and (len(names) < 2 or len(set(names)) < len(names) or "" in names):
        problems.append(f"--classes: expected two different names or more, such as no,yes, got {classes!r}")
    if problems:
        raise SourceError(problems)
    return ImportOptions(columns=roles, runs=places, classes=names, **more)


def read_plan(path: Path) -> Document:
    """Read a YAML file that holds the blocks `analysis:` and `claims:`, and perhaps the name of the `model:`.

    Raises
    ------
    PlanError
        If it cannot be read, or holds something else.
    """
    document = read_document(path, kind="study")
    problems = list(document.problems)
    for key, value in document.data.items():
        if key not in _KEYS:
            message = f"expected {either(_KEYS)}, got {key!r}{near(key, _KEYS)}"
            problems.append(document.problem((key,), message))
        elif key == "model" and not (isinstance(value, str) and value):
            problems.append(document.problem((key,), f"expected the name of the model, got {shown(value)}"))
        elif key == "analysis" and not isinstance(value, Mapping):
            problems.append(document.problem((key,), "expected a mapping"))
    if problems:
        raise PlanError(problems)
    return document


def asked_blocks(file: Document | None, before: Manifest | None, options: Mapping[str, Any]) -> Blocks:
    """Return what was asked of the study: the options over those of the file, or over those of the earlier import.

    Parameters
    ----------
    file : Document or None
        From `read_plan`.
    before : Manifest or None
        The study as an earlier import wrote it.
    options : mapping of str to Any
        The keys of the `analysis:` block that were given as options.
    """
    if file is not None:
        given = file.data
        analysis = {**given.get("analysis", {}), **options}
        return {"model": given.get("model"), "analysis": analysis, "claims": given.get("claims")}
    if before is not None:
        return {"model": None, "analysis": {**(before.analysis or {}), **options}, "claims": before.claims}
    return {"model": None, "analysis": options, "claims": None}


def checked_plan(runs: Runs, manifest: Manifest, file: Document | None, *, options: Mapping[str, Any]) -> AnalysisPlan:
    """Return the plan, checked against the runs.

    Parameters
    ----------
    runs : Runs
        The runs.
    manifest : Manifest
        Of these runs.
    file : Document or None
        Where its blocks stand; None where they were given as options.
    options : mapping of str to Any
        The keys that an option can give, None where it was not given.

    Raises
    ------
    PlanError
        With every problem, each with its option or with its line.
    """
    problems = claim_problems(manifest.claims, arms=tuple(manifest.arms))
    try:
        plan = imported_plan(runs, manifest)
    except PlanError as error:
        problems = [*error.problems, *problems]
    if problems:
        raise PlanError(_placed(problem, file, options) for problem in problems)
    return plan


def _placed(problem: Problem, file: Document | None, options: Mapping[str, Any]) -> Problem:
    block, *keys = problem.path
    if block == "analysis" and keys and keys[0] in options and (file is None or options[str(keys[0])] is not None):
        return Problem(place=f"--{keys[0]}", path=(), message=problem.message)
    return problem if file is None else file.problem(problem.path, problem.message)
