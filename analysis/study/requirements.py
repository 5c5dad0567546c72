"""Requirements as they are written: what a study must have shown of two arms, checked against its frozen plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analysis.errors import RequirementError
from analysis.problems import listed, near
from analysis.study.plan import AnalysisPlan

Relation = Literal["better than", "worse than", "not worse than", "equivalent to"]

GRAMMAR = "'A better than B', 'A worse than B', 'A not worse than B by 1pp' or 'A equivalent to B within 1pp'"
"""How a requirement is written."""

_RELATION = re.compile(r" (better than|worse than|not worse than|equivalent to) ")
_BEFORE_MARGIN = {"not worse than": " by ", "equivalent to": " within "}
_MARGIN = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?) ?(pp|%|)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What must have been shown of two arms.

    Parameters
    ----------
    arm, other : str
        The two arms. Which of them is the baseline in the plan does not matter.
    relation : {"better than", "worse than", "not worse than", "equivalent to"}
        What the first must be. Better is lower where lower values of the metric are better.
    margin : float or None
        In units of the metric: how much worse, or how far apart, would matter; None for better and worse.
    text : str
        As it was written.
    """

    arm: str
    other: str
    relation: Relation
    margin: float | None
    text: str = field(compare=False)


def parse_requirements(texts: Sequence[str], plan: AnalysisPlan, *, arms: Sequence[str]) -> tuple[Requirement, ...]:
    """Read requirements, and check them against the comparisons of a plan.

    Parameters
    ----------
    texts : sequence of str
        Such as ``"lora-r8 not worse than full by 1pp"``. The margin is a number in units of the metric or, for a metric
        that ends at 1, percentage points; without one it is the plan's. What is asked twice is answered once.
    plan : AnalysisPlan
        The frozen plan.
    arms : sequence of str
        The arms of the study.

    Raises
    ------
    RequirementError
        With every problem: a text that is no requirement, an arm that is none of the study's, two arms that the plan
        does not compare, or what cannot be a margin.

    Examples
    --------
    >>> plan = AnalysisPlan(baseline="full")
    >>> (asked,) = parse_requirements(["lora not worse than full by 1pp"], plan, arms=["full", "lora"])
    >>> asked.arm, asked.relation, asked.other, asked.margin
    ('lora', 'not worse than', 'full', 0.01)
    """
    parsed: list[Requirement] = []
    problems: list[str] = []
    for text in texts:
        try:
            parsed.append(_parsed(text, plan, arms))
        except RequirementError as error:
            problems += error.problems
    if problems:
        raise RequirementError(problems)
    return tuple(dict.fromkeys(parsed))


def _parsed(text: str, plan: AnalysisPlan, arms: Sequence[str]) -> Requirement:
    words, names = _in_one_line(text), {_in_one_line(arm): arm for arm in arms}
    # An arm may have any name, also one with "better than" in it.
    readings = [reading for found in _RELATION.finditer(words) for reading in _readings(words, found)]
    known = [reading for reading in readings if reading[0] in names and reading[2] in names]
    if not readings:
        raise _wrong(text, f"expected {GRAMMAR}")
    if len(known) > 1:
        ways = "; or as ".join(f"{arm!r} {relation} {other!r}" for arm, relation, other, _ in known)
        raise _wrong(text, f"with the names of this study's arms it can be read as {ways}; write it another way")
    arm, relation, other, margin = (known or readings)[0]
    strangers = [name for name in (arm, other) if name not in names]
    if strangers:
        raise RequirementError(
            f"requirement {text!r}: expected an arm of this study ({listed(arms)}), got {name!r}{_hint(name, arms)}"
            for name in strangers
        )
    arm, other = names[arm], names[other]
    if arm == other:
        raise _wrong(text, f"expected two different arms, got {arm!r} on both sides")
    pairs = plan.all_comparisons(arms)
    if not any({arm, other} == {pair.treatment, pair.baseline} for pair in pairs):
        raise _wrong(
            text, f"the plan does not compare {arm} and {other}; it compares {listed(str(pair) for pair in pairs)}"
        )
    return Requirement(arm=arm, other=other, relation=relation, margin=_margin(text, relation, margin, plan), text=text)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _readings(words: str, found: re.Match[str]) -> Iterator[tuple[str, Relation, str, str]]:
    """Yield the arm, the relation, the other arm and the margin as they are written, if the relation stands here."""
    relation: Relation = found[1]  # type: ignore[assignment]
    arm, rest = words[: found.start()], words[found.end() :]
    other, _, margin = rest.rpartition(_BEFORE_MARGIN[relation]) if relation in _BEFORE_MARGIN else ("", "", "")
    if other:
        yield arm, relation, other, margin
    yield arm, relation, rest, ""


def _hint(name: str, arms: Sequence[str]) -> str:
    for arm in arms:
        if name.startswith((f"{arm} by ", f"{arm} within ")):
            return "; a margin goes with 'not worse than' and 'equivalent to'"
    return near(name, arms)


def _margin(text: str, relation: Relation, written: str, plan: AnalysisPlan) -> float | None:
    if relation not in _BEFORE_MARGIN:
        return None
    if not written:
        return plan.margin
    found, share = _MARGIN.fullmatch(written), plan.kind.share
    if found is None:
        raise _wrong(text, f"expected a margin such as {'1pp or 0.01' if share else '0.01'}, got {written!r}")
    number, unit = float(found[1]), found[2].lower()
    if unit == "%":
        which = f"write {number:g}pp, or {number / 100:g}" if share else f"write a number in units of {plan.kind.title}"
        raise _wrong(text, f"{written!r} may be percent of anything: {which}")
    if unit == "pp" and not share:
        raise _wrong(text, f"{plan.kind.title} has no percentage points: write a number in its own units, such as 0.01")
    # 0.3pp is 0.003, and no rounding of a product.
    margin = float(f"{found[1]}e-2") if unit and "e" not in found[1].lower() else number / (100 if unit else 1)
    largest, allowed = plan.margins
    if not 0 < margin < largest:
        raise _wrong(text, f"expected as its margin {allowed}, got {written!r}")
    return margin


def _wrong(text: str, message: str) -> RequirementError:
    return RequirementError([f"requirement {text!r}: {message}"])
