"""Notes under several tables: reasons with what they hold for, and times over different conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analysis.study.plan import AnalysisPlan
from analysis.study.population import TrainingSets
from analysis.tables.digits import declared, percent
from analysis.words import names_by_reason

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_NAMED_AT_MOST = 4


def grouped_by_reason(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """Return one note for each reason, with everything that it holds for.

    Parameters
    ----------
    reasons : sequence of (str, str)
        Every name of the table with its reason; empty for none. A reason of all names holds ``Everywhere`` if they
        are many.
    """
    by_reason = names_by_reason(reasons)
    everywhere = len(reasons) > _NAMED_AT_MOST and any(len(names) == len(reasons) for names in by_reason.values())
    return [f"{'Everywhere' if everywhere else ', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def seed_variance_in_words(plan: AnalysisPlan) -> str:
    """Say where the plan takes the variation over seeds from."""
    if not plan.paired:
        return "by pair of arms (the runs are not paired by seed, so nothing is pooled)"
    return {
        "pooled": "pooled over the study's arms",
        "pairwise": "by pair",
        None: "by pair, as an earlier version froze the plan",
    }[plan.variance]


def of_its_own(plan: AnalysisPlan) -> str:
    """Say that a table is corrected apart from the others of the page; the note under the verdicts counts them all."""
    return f"A family of its own, at {declared(plan.alpha)}"


def about_the_first_set(report: StudyReport) -> list[str]:
    """Say of which test set a table is that knows one only; nothing where the study has one."""
    return [f"About the first test set, {report.sets[0].name}, alone."] if report.sets else []


def not_computed(report: StudyReport) -> list[str]:
    """Say what the answers of the trials are too little for; nothing where they are probabilities, or numbers."""
    if report.answers == "classes":
        return [
            "The runs hold predicted classes, no probabilities: calibration (ECE), AUROC, log loss and Brier score are "
            "not computed."
        ]
    if report.answers == "scores":
        mcnemar = "" if any(pair.mcnemar for pair in report.comparisons) else "McNemar's test, "
        return [
            f"The runs hold one score for each example, and no classes: {mcnemar}precision and recall by class, the "
            "agreement of the seeds and calibration are not computed."
        ]
    return []


def new_seeds(sets: TrainingSets | None) -> str:
    """Say what is drawn anew with a seed: ``new seeds``, with new training sets where each seed drew its own."""
    return "new seeds" if sets is None else f"new seeds, new training sets of {sets.size:,} examples from this pool"


def of_training_sets(sets: TrainingSets | None) -> list[str]:
    """Say of which training sets a study speaks in which each seed drew its own; nothing of another study."""
    if sets is None:
        return []
    return [
        f"Verdicts hold over {new_seeds(sets)}, and new test examples: each seed drew its own {sets.size:,} of "
        f"{sets.pool:,} training examples. Such sets overlap (by {percent(sets.overlap, places=0)} on average), so "
        "they vary less than training data collected anew."
    ]


def mixed_times(mixed: Iterable[tuple[str, str]]) -> list[str]:
    """Say of which arms the times are means over trials that ran under different conditions."""
    return [
        f"Times of {arm} are means over different conditions: {conditions}." for arm, conditions in mixed if conditions
    ]
