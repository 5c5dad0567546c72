"""Claims files: what somebody published, figure by figure, as it was printed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.document import read_document
from analysis.errors import KeyPath, PlanError, Problem
from analysis.problems import shown
from analysis.published import claims_messages
from analysis.published.published_report import PublishedReport, block_problem, parse_report, too_many_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsFile:
    """What a claims file holds.

    Parameters
    ----------
    title : str
        Of the audit.
    reports : tuple of PublishedReport
        One or several; the same pair may be in more than one.
    """

    title: str
    reports: tuple[PublishedReport, ...]


def read_claims(path: str | os.PathLike[str]) -> ClaimsFile:
    """Read a claims file.

    Parameters
    ----------
    path : str or path-like
        The YAML file. Every value is read as the text that stands there: as a number, 0.860 would lose the digit that
        says how it was rounded.

    Returns
    -------
    ClaimsFile

    Raises
    ------
    PlanError
        With every problem of the file, each with its line.

    See Also
    --------
    parse_claims_file : The same for content that does not come from a file.
    audit : What follows from the claims.

    Examples
    --------
    >>> claims = read_claims("studies/claims/distilbert.yaml")
    >>> [str(pair) for pair in claims.reports[0].pairs]
    ['freezing against baseline', 'cosine against baseline', 'freezing against cosine']
    """
    document = read_document(Path(path), kind="claims")
    problems = list(document.problems)
    try:
        claims = parse_claims_file(document.data)
    except PlanError as error:
        problems += [document.problem(problem.path, problem.message) for problem in error.problems]
    else:
        if not problems:
            return claims
    raise PlanError(sorted(dict.fromkeys(problems), key=document.position))


def parse_claims_file(content: Mapping[str, Any]) -> ClaimsFile:
    """Read the content of a claims file.

    Parameters
    ----------
    content : mapping
        The file, with every value as the text that stands there: a number would have lost its trailing zeros.

    Returns
    -------
    ClaimsFile

    Raises
    ------
    PlanError
        With every problem, each with its keys.

    See Also
    --------
    read_claims : The same from a file, with the lines of problems.

    Examples
    --------
    >>> claims = parse_claims_file({
    ...     "source": "table 2", "n": "872", "systems": {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}},
    ... })
    >>> [str(pair) for pair in claims.reports[0].pairs]
    ['lora against full']
    """
    shared = {key: value for key, value in content.items() if key not in ("title", "reports")}
    title = content.get("title")
    problems: list[Problem] = []
    if title is not None and not isinstance(title, str):
        problems.append(Problem(path=("title",), message=f"expected a text, got {shown(title)}"))
    if not isinstance(shared.get("settings", {}), Mapping):
        message = f"expected {claims_messages.TOP.values['settings',]}, got {shown(shared.pop('settings'))}"
        problems.append(Problem(path=("settings",), message=message))
    if "arms" in content and not {"systems", "reports"} & content.keys():
        raise PlanError([Problem(path=("arms",), message="this is a study file; use harness run")])
    bodies = content.get("reports", {"": {}})
    if not isinstance(bodies, Mapping) or not bodies:
        wanted = "expected a mapping of names to reports"
        raise PlanError([*problems, Problem(path=("reports",), message=f"{wanted}, got {shown(bodies)}")])
    reports = []
    for name, body in bodies.items():
        prefix: KeyPath = ("reports", name) if name else ()
        if not isinstance(body, Mapping):
            problems.append(Problem(path=prefix, message=f"expected a mapping, got {shown(body)}"))
            continue
        report, faults = parse_report(str(name), _merged(shared, body))
        for fault in faults:
            # What a report takes over from the top of the file stands there.
            at_top = bool(fault.path) and fault.path[0] in shared and fault.path[0] not in body
            sd = body.get("seed_sd", shared.get("seed_sd"))
            problems.append(block_problem(() if at_top else prefix, fault, sd))
        reports.append(report)
    read = [report for report in reports if report is not None]
    unique = list(dict.fromkeys(problems)) or too_many_pairs(sum(len(report.pairs) for report in read))
    if unique:
        raise PlanError(unique)
    return ClaimsFile(title=title or "", reports=tuple(read))


def _merged(shared: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a report over what holds for all of them; settings add up."""
    settings = [block["settings"] for block in (shared, body) if isinstance(block.get("settings"), Mapping)]
    merged = {**shared, **body}
    return {**merged, "settings": {**settings[0], **settings[1]}} if len(settings) == 2 else merged
