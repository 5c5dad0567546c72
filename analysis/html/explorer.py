"""Explorer data: examples that flip, with what every run answered, as compact JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.study.flips import AnsweredExamples, Flips
from analysis.study.study_report import StudyReport

LONGEST_TEXT = 600
"""How many characters of a text it shows."""


def explorer_data(examples: AnsweredExamples, report: StudyReport, texts: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what the script of the page shows, as JSON can hold it.

    Numbers are little-endian and in base64: ``answers`` of each arm run by run, and what belongs to the examples of a
    comparison in the order in which they are listed.

    Parameters
    ----------
    examples : AnsweredExamples
        What every run answered.
    report : StudyReport
        The report that they belong to.
    texts : mapping of str to str or None
        The texts of the examples by their ids, where they are known.
    """
    kind = "f4"
    if examples.classes:
        kind = "u1" if len(examples.classes) <= 256 else "u4"
    arms = list(examples.answers)
    runs = {arm.arm: arm.runs for arm in report.arms}
    return {
        "kind": kind,
        "right": examples.right,
        # Of scores that are right or wrong, the right one.
        "best": int(report.metric.higher_is_better),
        "classes": list(examples.classes),
        "ids": list(examples.ids),
        "texts": None if texts is None else [_shown(texts[example]) for example in examples.ids],
        "labels": _packed(examples.labels, kind) if len(examples.labels) else None,
        "arms": [
            {"name": arm, "runs": list(runs[arm]), "answers": _packed(rows, kind)}
            for arm, rows in examples.answers.items()
        ],
        "pairs": [_pair(examples, flips, arms) for flips in examples.flips],
    }


def _pair(examples: AnsweredExamples, flips: Flips, arms: Sequence[str]) -> dict[str, Any]:
    # The surest of each comparison are held; of the others, what another comparison holds.
    here = np.isin(flips.positions, examples.positions)
    return {
        "treatment": arms.index(flips.treatment),
        "baseline": arms.index(flips.baseline),
        "examples": _packed(np.searchsorted(examples.positions, flips.positions[here]), "u4"),
        "leads": _packed(flips.leads[here], "f4"),
        "chances": _packed(flips.chances[here], "f4"),
        "left_out": int(np.count_nonzero(~here)),
    }


def _packed(numbers: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, dtype=f"<{kind}").tobytes()).decode()


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT].rstrip()} …"
