r"""LaTeX macros: one for each figure that a paper quotes, so that no number is copied by hand.

A macro prints what the tables print: ``\gapLoraREightFull`` is the gap of lora-r8 against full.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from analysis.printable import printable
from analysis.tables.arms import sampling_error, standard_error
from analysis.tables.as_latex import escaped
from analysis.tables.by_class import precision_cell
from analysis.tables.comparison_cells import gap_cell, scale_of, verdict_cell, verdict_interval_cell
from analysis.tables.digits import confidence_level, declared, p_value, percent

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_WORD = re.compile(r"[A-Za-z]+|[0-9]")
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def render(report: StudyReport) -> str:
    r"""Return one ``\\newcommand`` for each figure of a report's verdicts, arms and classes.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    lines = [
        f"% The figures of {_in_one_line(report.name)}, as its tables show them. In a paper: \\input{{numbers.tex}}",
        "% A number in a name is spelled digit by digit: lora-r16 is LoraROneSix. Where a space follows: \\gap...{} .",
    ]
    taken: set[str] = set()
    for name, figure, meaning in _figures(report):
        # a-b against c, and a against b-c: names that are unlike may be alike when they run together.
        lines.append(f"\\newcommand{{\\{_free(name, taken)}}}{{{escaped(figure)}}} % {_in_one_line(meaning)}")
    return "\n".join(lines) + "\n"


def _figures(report: StudyReport) -> Iterator[tuple[str, str, str]]:
    """Give the name of each macro, what it prints, and what it is about."""
    plan, scale = report.plan, scale_of(report)
    arms = _names(arm.arm for arm in report.arms)
    classes = _names(row.label for row in report.classes)
    margin, study = scale.margin(plan.margin), _letters(report.name)
    yield f"seedsOf{study}", str(len(report.seeds)), "seeds"
    yield f"examplesOf{study}", str(report.n_examples), "test examples"
    yield f"alphaOf{study}", declared(plan.alpha), "alpha"
    yield f"marginOf{study}", margin, "margin"
    for pair in report.comparisons:
        name = arms[pair.treatment] + arms[pair.baseline]
        yield f"gap{name}", gap_cell(report, pair), pair.name
        yield f"interval{name}", verdict_interval_cell(report, pair), pair.name
        yield f"level{name}", confidence_level(1 - pair.verdict_confidence), f"{pair.name}: of its interval"
        yield f"p{name}", p_value(pair.difference_p), f"{pair.name}: for a difference, corrected"
        yield f"pEquivalence{name}", p_value(pair.equivalence_p), f"{pair.name}: for equivalence, corrected"
        yield f"verdict{name}", verdict_cell(pair.verdict, margin), pair.name
    for arm in report.arms:
        error = standard_error(report, arm)
        yield f"mean{arms[arm.arm]}", scale.score(arm.mean, standard_error=error), arm.arm
        yield f"sd{arms[arm.arm]}", scale.gap(arm.sd, standard_error=error, signed=False), f"{arm.arm}: over seeds"
    for row in report.classes:
        name, about = arms[row.arm] + classes[row.label], f"{row.arm}, class {row.label}"
        error = sampling_error(row.recall, row.n_class_examples)
        yield f"precision{name}", precision_cell(row, error), about
        yield f"recall{name}", percent(row.recall, standard_error=error), about
        yield f"fOne{name}", percent(row.f1, standard_error=error), about


def _names(texts: Iterable[str]) -> dict[str, str]:
    """Return a name of letters alone for each text, no two alike."""
    taken: set[str] = set()
    return {text: _free(_letters(text), taken) for text in dict.fromkeys(texts)}


def _letters(text: str) -> str:
    words = _WORD.findall(unicodedata.normalize("NFKD", text))
    return "".join(_DIGITS[int(word)] if word.isdigit() else word[0].upper() + word[1:] for word in words) or "Other"


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "Again"
    taken.add(name)
    return name


def _in_one_line(text: str) -> str:
    return printable(" ".join(text.split()))
