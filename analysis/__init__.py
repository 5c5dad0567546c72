"""Decide which gaps between fine-tuned models are real, for which population, and what would settle the rest.

A results folder goes in (`analyze`), a report comes out, and `analysis.tables` prints it. The methods stand
on their own as well: `crossed_test`, `sign_flip`, `tost`, `joint_step_down` and their neighbours take arrays
and know nothing of folders. Nothing here needs the packages that train models.

The names load on first use, so that checking a plan does not wait for the statistics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.crossed import CrossedResult, VarianceComponents, crossed_test
    from analysis.equivalence import EquivalenceResult, tost
    from analysis.errors import AlignmentError, AnalysisError, FormatError, PlanError, Problem, RecordError
    from analysis.mcnemar import McNemarResult, mcnemar_from_counts
    from analysis.metrics import ClassScores, class_scores, confusion
    from analysis.multiplicity import JointCorrection, holm, joint_step_down
    from analysis.outcomes import Outcomes, load
    from analysis.permutation import LabelPermutationResult, SignFlipResult, label_permutation, sign_flip
    from analysis.plan import AnalysisPlan, Comparison, check_plan, parse_plan
    from analysis.power import Settling, settle
    from analysis.report import StudyReport, analyze
    from analysis.verdict import Verdict, decide

__all__ = [
    "AlignmentError",
    "AnalysisError",
    "AnalysisPlan",
    "ClassScores",
    "Comparison",
    "CrossedResult",
    "EquivalenceResult",
    "FormatError",
    "JointCorrection",
    "LabelPermutationResult",
    "McNemarResult",
    "Outcomes",
    "PlanError",
    "Problem",
    "RecordError",
    "Settling",
    "SignFlipResult",
    "StudyReport",
    "VarianceComponents",
    "Verdict",
    "analyze",
    "check_plan",
    "class_scores",
    "confusion",
    "crossed_test",
    "decide",
    "holm",
    "joint_step_down",
    "label_permutation",
    "load",
    "mcnemar_from_counts",
    "parse_plan",
    "settle",
    "sign_flip",
    "tost",
]

_HOMES = {
    "crossed": ("CrossedResult", "VarianceComponents", "crossed_test"),
    "equivalence": ("EquivalenceResult", "tost"),
    "errors": ("AlignmentError", "AnalysisError", "FormatError", "PlanError", "Problem", "RecordError"),
    "mcnemar": ("McNemarResult", "mcnemar_from_counts"),
    "metrics": ("ClassScores", "class_scores", "confusion"),
    "multiplicity": ("JointCorrection", "holm", "joint_step_down"),
    "outcomes": ("Outcomes", "load"),
    "permutation": ("LabelPermutationResult", "SignFlipResult", "label_permutation", "sign_flip"),
    "plan": ("AnalysisPlan", "Comparison", "check_plan", "parse_plan"),
    "power": ("Settling", "settle"),
    "report": ("StudyReport", "analyze"),
    "verdict": ("Verdict", "decide"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"analysis.{module}"), name)
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
