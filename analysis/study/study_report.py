"""StudyReport: all results of one study, as plain values and as frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.jsonable import jsonable
from analysis.metrics.consistency import Churn, Consistency
from analysis.metrics.metric_kinds import MetricKind
from analysis.records.data_entry import Answers
from analysis.records.looks import TakenLook
from analysis.records.manifest import Crossing, ImportedStudy
from analysis.study.best import BestArms
from analysis.study.class_comparisons import ClassComparison
from analysis.study.comparison_result import ComparisonResult
from analysis.study.cost import ArmCost
from analysis.study.epoch_curves import EpochCurve
from analysis.study.epoch_selection import GapBySelection, SelectionLift
from analysis.study.footer import Footer
from analysis.study.frames import frame_of, names_with_rows
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan
from analysis.study.population import TrainingSets
from analysis.study.published_gaps import PublishedGap
from analysis.study.requirement_results import RequirementResult, decide_requirements
from analysis.study.seed_sds import SeedSDs
from analysis.study.set_verdicts import SetCount, SetVerdicts
from analysis.study.summaries import ArmSummary, ClassSummary
from analysis.study.time_ratio import TimeRatio

if TYPE_CHECKING:
    import pandas as pd

_NAMED_AT_MOST = 4


# A notebook or a print shows the verdicts: all fields would fill pages.
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StudyReport:
    """All results of one study.

    Parameters
    ----------
    name, question : str
        From the study file.
    model, data : str
        What was trained, and on what.
    imported : ImportedStudy or None
        The files that it was read from, of a study that was trained elsewhere.
    answers : {"probabilities", "classes", "numbers", "scores"}
        What its trials answered for each test example; what needs more than that is not in the report.
    plan : AnalysisPlan
        The frozen analysis plan.
    metric : MetricKind
        Its metric, with its title and its direction.
    paired : bool
        Whether the runs are paired by seed. If not, equal seeds of two arms have nothing in common.
    seeds, dropped_seeds : tuple of int
        The seeds that the comparisons use, and those that left every arm under the plan's policy.
    waiting_seeds : tuple of int
        Seeds that are set aside until they have run in every arm.
    taken_look : TakenLook or None
        What `looks.json` notes of this look at the verdicts, without its time; None where no comparison could get a
        verdict, so that looking decided nothing.
    n_examples, n_clusters : int, int or None
        The number of test examples, and of their clusters (None where the study has none).
    n_left_out : int
        How many examples an import left out, since not every run has them.
    crossing : Crossing or None
        How many initialisations and data orders cross, where each has seeds of its own; else None.
    training_sets : TrainingSets or None
        How each seed drew its own training set; None where all seeds were trained on the same examples.
    look, decision : Look or None, str
        The declared look that has been reached, and what follows: ``"stop"`` or ``"go on"``; None and empty in a study
        without looks.
    withheld : str
        Why nothing in it compares arms, in a report of a study that still runs; empty in every other report. It shows
        all trials that have finished, and `best` and `seed_sds` are without figures.
    comparisons : tuple of ComparisonResult
        Every comparison with its verdict, in the order of the plan.
    sets : tuple of SetVerdicts
        Every test set with its own verdicts, which are corrected apart from `comparisons`; empty in a study with one.
        With several, `comparisons`, `best` and `arms` are about the mean over the sets, each with the same weight, and
        what needs one test set is about the first: classes, selection lifts, agreement and claims.
    set_counts : tuple of SetCount
        For every comparison, on how many of the sets there is a gap, at least.
    best : BestArms
        Which arms may still be the best one.
    arms, classes : tuple of ArmSummary, tuple of ClassSummary
        The metric by arm; precision, recall and F1 by arm and class. Whatever is about classes is empty in a study
        without them.
    seed_sds : SeedSDs
        The seed SDs of the arms, and the ratio of the largest to the smallest.
    class_comparisons, class_margin : tuple of ClassComparison, float
        Every comparison for every class, in precision and recall, and the margin that they use.
    costs, time_ratios : tuple of ArmCost, tuple of TimeRatio
        What an arm costs; how long each treatment trains compared with its baseline. Empty in an imported study.
    selection_lifts, selected_gaps : tuple of SelectionLift, tuple of GapBySelection
        Accuracy (without classes the metric), and gaps in it, at the last epoch, the hold-out's choice and the best
        epoch on the test split; empty where trials have one epoch.
    epoch_curves : tuple of EpochCurve
        That score by arm after every epoch; empty where trials have one epoch.
    consistencies, churns : tuple of (str, Consistency), tuple of Churn or None
        How far the seeds of an arm agree, by arm; how often two arms differ, by comparison (None without a test).
    claims : tuple of PublishedGap
        Published gaps beside the measured ones.
    unreadable : tuple of str
        The trials whose files cannot be used, each with its reason.
    footer : Footer
        Provenance and caveats.
    requirements : tuple of RequirementResult
        What was required of the study by `require`, and whether it is shown.
    """

    name: str
    question: str
    model: str
    data: str
    imported: ImportedStudy | None
    answers: Answers
    plan: AnalysisPlan
    metric: MetricKind
    paired: bool
    seeds: tuple[int, ...]
    dropped_seeds: tuple[int, ...]
    waiting_seeds: tuple[int, ...]
    taken_look: TakenLook | None
    n_examples: int
    n_clusters: int | None
    n_left_out: int
    crossing: Crossing | None
    training_sets: TrainingSets | None
    look: Look | None
    decision: str
    withheld: str
    comparisons: tuple[ComparisonResult, ...]
    sets: tuple[SetVerdicts, ...]
    set_counts: tuple[SetCount, ...]
    best: BestArms
    arms: tuple[ArmSummary, ...]
    classes: tuple[ClassSummary, ...]
    seed_sds: SeedSDs
    class_comparisons: tuple[ClassComparison, ...]
    class_margin: float
    costs: tuple[ArmCost, ...]
    time_ratios: tuple[TimeRatio, ...]
    selection_lifts: tuple[SelectionLift, ...]
    selected_gaps: tuple[GapBySelection, ...]
    epoch_curves: tuple[EpochCurve, ...]
    consistencies: tuple[tuple[str, Consistency], ...]
    churns: tuple[Churn | None, ...]
    claims: tuple[PublishedGap, ...]
    unreadable: tuple[str, ...]
    footer: Footer
    requirements: tuple[RequirementResult, ...] = ()

    def __repr__(self) -> str:
        verdicts = [f"{one.name}: {one.verdict.label}" for one in self.comparisons[:_NAMED_AT_MOST]]
        more = len(self.comparisons) - len(verdicts)
        told = "; ".join([*verdicts, *([f"{more} more"] if more else [])]) or self.withheld or "nothing to compare"
        return f"<StudyReport {self.name}: {told}>"

    @property
    def n_trials(self) -> int:
        """How many trials the study has, without those that a run until decided spares."""
        return sum(sum(arm.statuses.values()) - arm.statuses.get("spared", 0) for arm in self.arms)

    @property
    def n_done(self) -> int:
        """How many of them have finished or diverged: no run trains them again."""
        return sum(arm.statuses.get(status, 0) for arm in self.arms for status in ("finished", "diverged"))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, texts and numbers; NaN becomes None, its reason stays."""
        plain = jsonable(self)
        if not isinstance(plain, dict):
            raise TypeError(f"a report becomes a dict, got {type(plain).__name__}")
        return plain

    def require(self, *texts: str) -> StudyReport:
        """Return the report with an answer to each requirement; its tables, frames and JSON then show them.

        Parameters
        ----------
        *texts : str
            Such as ``"lora-r8 not worse than full by 1pp"`` or ``"full better than frozen"``; docs/gate.md describes
            them. They take the place of those that were asked before.

        Raises
        ------
        RequirementError
            With every problem: a text that is no requirement, an arm that is none of the study's, two arms that the
            plan does not compare, or what cannot be a margin.
        """
        return replace(self, requirements=decide_requirements(self, texts))

    @property
    def frames(self) -> tuple[str, ...]:
        """The names of the frames that have rows in this study, in the order of the tables."""
        return names_with_rows(self)

    def frame(self, name: str) -> pd.DataFrame:
        """Return the numbers of a table as a tidy pandas DataFrame: one observation a row, and no formatted text.

        Shares lie between 0 and 1, gaps are in units of the score, and what is not known is missing, with a `reason`
        beside it. docs/frames.md lists every frame and its columns.

        Parameters
        ----------
        name : str
            Such as ``"verdicts"``, ``"arms"`` or ``"runs"``.

        Returns
        -------
        pandas.DataFrame
            Its columns and their types are the same in every study; a table that this one does not have (`frames`
            names those that it has) is an empty frame. `attrs` holds the study's `name` and its plan's `metric`,
            whether `higher_is_better`, `margin` and `alpha`.

        Raises
        ------
        ValueError
            If there is no frame of this name.
        """
        return frame_of(self, name)
