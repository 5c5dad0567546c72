"""Published reports: one report of a claims file, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from pydantic import ValidationError

from analysis.errors import KeyPath, Problem
from analysis.problems import described, either, listed, near, shown
from analysis.published import claims_messages
from analysis.published.claims_epochs import BY_CLASS, PublishedSelection
from analysis.published.claims_fields import A_PAIR, MACRO, WEIGHTED
from analysis.published.claims_schema import Pair, ReportBlock, SeedSd, System

MOST_PAIRS = 1_000
"""More pairs than this are refused: each takes some milliseconds to judge, and a row to read."""

MOST_ON_A_BOARD = 1_000
"""Larger boards are refused: every two systems are tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedReport:
    """One published table.

    Parameters
    ----------
    name : str
        Its name in the file; empty in a file with one report.
    source : str
        Where it was published.
    n : int
        Test examples behind every figure.
    model, data : str or None
        What was trained, and on what; None where the file does not say.
    classes : mapping of str to int
        The test examples of each class, in the order of the file; empty where they are not known.
    seed_sd : SeedSd or None
        How far accuracy scatters over seeds, where the file says.
    systems : mapping of str to System
        The rows, by name.
    pairs : tuple of Pair
        The pairs to be judged: those that the file names, else all; none of a board.
    board : bool
        Whether all systems are judged at once, as a leaderboard.
    """

    name: str
    source: str
    n: int
    model: str | None = None
    data: str | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    seed_sd: SeedSd | None = None
    systems: Mapping[str, System]
    pairs: tuple[Pair, ...]
    board: bool = False

    def arms(self, pair: Pair) -> tuple[str, str]:
        """Return the arms of a study that retrain the two systems of a pair."""
        treatment, baseline = (self.systems[name].arm or name for name in pair.sides)
        return treatment, baseline


def parse_report(name: str, body: Mapping[str, Any]) -> tuple[PublishedReport | None, list[Problem]]:
    """Read one report of a claims file.

    Parameters
    ----------
    name : str
        Its name in the file; empty in a file with one report.
    body : mapping
        The report, with what it shares with the others laid in.

    Returns
    -------
    tuple
        The report, None where something is wrong; and every problem, its path from the top of the report.
    """
    try:
        head = ReportBlock.model_validate(dict(body))
    except ValidationError as error:
        # The rest is checked all the same, so that one report holds all problems.
        problems = described(error, allowed=claims_messages.REPORT if name else claims_messages.TOP, prefix=())
        systems, pairs = body.get("systems"), body.get("pairs")
        if isinstance(systems, Mapping):
            problems += _systems(systems, {}, None)[1]
            problems += _pairs(pairs, list(map(str, systems)))[1] if isinstance(pairs, list) else []
        return None, problems
    problems = _wrong_classes(head)
    systems, faults = _systems(head.systems, head.classes, head.selection)
    problems += faults + _other_n(systems, head.n)
    pairs, faults = _pairs(head.pairs, list(head.systems))
    problems += faults
    if head.pairs == "board" and len(systems) > MOST_ON_A_BOARD:
        message = f"expected at most {MOST_ON_A_BOARD:,} systems on a board, got {len(systems):,}"
        problems.append(Problem(path=("systems",), message=message))
    if problems:
        return None, problems
    settled = {
        system_name: system.model_copy(
            update={
                "selection": system.selection or head.selection,
                "spread": system.spread or head.spread,
                "settings": {**head.settings, **system.settings},
            }
        )
        for system_name, system in systems.items()
    }
    shared = {key: getattr(head, key) for key in ("source", "n", "model", "data", "classes", "seed_sd")}
    return PublishedReport(name=name, systems=settled, pairs=pairs, board=head.pairs == "board", **shared), []


def _systems(
    systems: Mapping[str, Any], classes: Mapping[str, int], selection: PublishedSelection | None
) -> tuple[dict[str, System], list[Problem]]:
    read: dict[str, System] = {}
    problems: list[Problem] = []
    for name, figures in systems.items():
        path: KeyPath = ("systems", name)
        if not isinstance(name, str) or not name.strip():
            problems.append(
                Problem(path=("systems",), message=f"expected a text as a system's name, got {shown(name)}")
            )
            continue
        if isinstance(figures, str) and figures.strip():
            # A board may give each system's accuracy and no more.
            figures = {"accuracy": figures}
        if not isinstance(figures, Mapping):
            problems.append(
                Problem(path=path, message=f"expected figures, such as {{accuracy: 0.883}}, got {shown(figures)}")
            )
            continue
        try:
            read[name] = System.model_validate(dict(figures))
        except ValidationError as error:
            faults = described(error, allowed=claims_messages.SYSTEM, prefix=())
            problems += [block_problem(path, fault, figures.get("sd")) for fault in faults]
            continue
        wrong = _wrong_system(read[name], classes, selection)
        problems += [Problem(path=(*path, *where), message=message) for where, message in wrong]
    return read, problems


def _wrong_classes(head: ReportBlock) -> list[Problem]:
    counts = list(head.classes.values())
    if not counts:
        return []
    if len(counts) < 2:
        return [Problem(path=("classes",), message=f"expected at least two classes, got {len(counts)}")]
    if sum(counts) != head.n:
        sums = f"{' + '.join(map(str, counts))} = {sum(counts)}"
        return [Problem(path=("classes",), message=f"expected counts that add up to n = {head.n}, got {sums}")]
    return []


def _other_n(systems: Mapping[str, System], n: int) -> list[Problem]:
    """List counts of right answers that are of other test examples than those of the report."""
    problems = []
    for name, system in systems.items():
        key = "accuracy" if system.accuracy is not None else "error_rate"
        score = system.score
        if score is not None and score.n is not None and score.n != n * system.runs:
            times = f" times {system.runs} runs" if system.runs > 1 else ""
            message = f"expected a count of {n * system.runs} examples, as n{times} says, got {score.printed!r}"
            problems.append(Problem(path=("systems", name, key), message=message))
    return problems


def _wrong_system(
    system: System, classes: Mapping[str, int], selection: PublishedSelection | None
) -> list[tuple[KeyPath, str]]:
    """List what cannot be true of one system at once."""
    wrong: list[tuple[KeyPath, str]] = []
    if system.accuracy is not None and system.error_rate is not None:
        wrong.append((("error_rate",), "expected accuracy or error_rate, got both"))
    if system.sd is not None and system.score is not None and system.score.spread is not None:
        both = f"{system.score.spread.printed!r} beside the accuracy and {system.sd.value.printed!r}"
        wrong.append((("sd",), f"expected one SD of the accuracy, got {both}"))
    if (
        system.sd is not None
        and system.score is not None
        and ("%" in system.score.printed) != ("%" in system.sd.value.printed)
    ):
        wrong.append((("sd",), f"expected the same unit as {system.score.printed!r}, got {system.sd.value.printed!r}"))
    if system.sd is not None and system.runs < 2:
        wrong.append(
            (("sd",), f"an SD over runs needs at least two runs, got {system.runs}; say how many, such as runs: 5")
        )
    if system.log is not None and system.runs > 1:
        wrong.append((("log",), f"a log belongs to one run, but this system has runs: {system.runs}"))
    if system.trainable and system.parameters and system.trainable.low > system.parameters.high:
        counts = f"{system.trainable.printed} of {system.parameters.printed}"
        wrong.append((("trainable",), f"expected no more than all parameters, got {counts}"))
    selection = system.selection or selection
    stated = selection.epochs if selection is not None else None
    if stated is not None and system.log is not None and stated != system.log.epochs:
        wrong.append((("log",), f"expected {stated} epochs, as selection.epochs says, got {system.log.epochs}"))
    blocks = [("", system), *([("log", system.log)] if system.log is not None else [])]
    for place, block in blocks:
        for measure in BY_CLASS:
            for name in getattr(block, measure):
                if classes and name and name not in (*classes, MACRO, WEIGHTED):
                    known = [*classes, MACRO, WEIGHTED]
                    path = (*([place] if place else []), measure, name)
                    wrong.append((path, f"expected {either(known)}, got {name!r}{near(name, known)}"))
    return wrong


def _pairs(
    pairs: Sequence[Any] | Literal["board"] | None, systems: Sequence[str]
) -> tuple[tuple[Pair, ...], list[Problem]]:
    if pairs == "board":
        return (), []
    # Before they are made: some thousand systems have millions of pairs.
    too_many = too_many_pairs(math.comb(len(systems), 2) if pairs is None else len(pairs))
    if too_many:
        return (), too_many
    if pairs is None:
        return tuple(Pair(treatment=later, baseline=first) for first, later in combinations(systems, 2)), []
    read: list[Pair] = []
    problems: list[Problem] = []
    for position, body in enumerate(pairs):
        path: KeyPath = ("pairs", position)
        if not isinstance(body, Mapping):
            problems.append(Problem(path=path, message=f"expected {A_PAIR}, got {shown(body)}"))
            continue
        try:
            pair = Pair.model_validate(dict(body))
        except ValidationError as error:
            problems += described(error, allowed=claims_messages.PAIR, prefix=path)
            continue
        for side in ("treatment", "baseline"):
            name = getattr(pair, side)
            if name not in systems:
                message = f"expected a system of this report ({listed(systems)}), got {name!r}{near(name, systems)}"
                problems.append(Problem(path=(*path, side), message=message))
        if pair.treatment == pair.baseline:
            problems.append(
                Problem(path=path, message=f"expected two different systems, got {pair.treatment!r} as both")
            )
        read.append(pair)
    return tuple(read), problems


def too_many_pairs(pairs: int) -> list[Problem]:
    """Return the problem of a file with more pairs than an audit takes, or nothing."""
    if pairs <= MOST_PAIRS:
        return []
    hint = f"list those that matter in a claims file, such as pairs: [{A_PAIR}], or write pairs: board"
    return [Problem(path=("pairs",), message=f"expected at most {MOST_PAIRS:,} pairs in all, got {pairs:,}; {hint}")]


def block_problem(prefix: KeyPath, problem: Problem, sd: object) -> Problem:
    """Return a problem of a block with its path from the top of the file."""
    # Neither the name of a class that the report does not name nor that of an SD alone is a key of the file.
    path = tuple(part for part in problem.path if part != "")
    if path in (("seed_sd", "value"), ("sd", "value")) and not isinstance(sd, Mapping):
        path = path[:1]
    if path and str(path[-1]).isdigit() and problem.message.startswith("unknown key"):
        return Problem(path=(*prefix, *path), message=f"expected quotes around a number with commas, got {path[-1]!r}")
    return Problem(path=(*prefix, *path), message=problem.message)
