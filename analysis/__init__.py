"""Analysis of fine-tuning studies: which gaps are real, what each result speaks about, what would decide the rest.

A results folder goes in (`analyze`), or predictions that you hold (`compare`), a report comes out, and
`analysis.tables` prints it. Published figures go in
(`audit`), and what follows from them comes out. The methods stand on their own as well: `crossed_test`, `sign_flip`,
`multi_bootstrap`, `tost`, `joint_step_down` and their neighbours take arrays and know nothing of folders.
docs/statistics.md says which of them answers which question. Nothing here needs the packages that train models.

The names load on first use, so that checking a plan does not wait for the statistics. A function that has the name
of its module (`mcnemar`, `consistency`, `error_types`) is imported from there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.errors import (
        AlignmentError,
        AnalysisError,
        FormatError,
        PlanError,
        Problem,
        RecordError,
        RequirementError,
        SourceError,
    )
    from analysis.methods.bca import BcaResult, bca_interval
    from analysis.methods.bootstrap import MultiBootstrapResult, bootstrap_study, multi_bootstrap
    from analysis.methods.bootstrap_metric import multi_bootstrap_metric
    from analysis.methods.clusters import cluster_scores
    from analysis.methods.components import VarianceComponents
    from analysis.methods.crossed import crossed_test
    from analysis.methods.crossed_result import CrossedResult, Posterior
    from analysis.methods.crossed_seeds import CrossedSeedsResult, crossed_seeds_test
    from analysis.methods.equivalence import EquivalenceResult, NonInferiorityResult, non_inferiority, tost
    from analysis.methods.fixed_sets import set_scores, set_strata
    from analysis.methods.interval import Interval
    from analysis.methods.label_permutation import LabelPermutationResult, label_permutation
    from analysis.methods.looks import one_sided_thresholds, sequential_p, spent, thresholds
    from analysis.methods.mcnemar import McNemarResult, mcnemar_from_counts
    from analysis.methods.mcnemar_clustered import ClusteredMcNemarResult, mcnemar_clustered
    from analysis.methods.multiplicity import JointCorrection, benjamini_hochberg, holm, joint_step_down
    from analysis.methods.outperforming import OutperformingResult, probability_of_outperforming
    from analysis.methods.over_seeds import PairedTResult, WilcoxonResult, paired_t, wilcoxon
    from analysis.methods.partial_conjunction import partial_conjunction
    from analysis.methods.predictive_values import (
        PredictiveValueResult,
        PredictiveValueTest,
        weighted_generalized_score,
    )
    from analysis.methods.proportions import (
        GapInterval,
        OddsRatioResult,
        discordance_odds_ratio,
        newcombe_interval,
        tango_interval,
    )
    from analysis.methods.sign_flip import SignFlipResult, sign_flip
    from analysis.methods.variance import SeedSpread, pooled_seed_spread
    from analysis.methods.with_the_best import ComparisonsWithBest, Contender, compare_with_best
    from analysis.metrics.auroc import auroc_scores
    from analysis.metrics.calibration_error import (
        CalibrationError,
        brier_scores,
        expected_calibration_error,
        log_loss_scores,
    )
    from analysis.metrics.confusion_matrix import ClassScores, class_scores, confusion
    from analysis.metrics.confusion_metrics import ConfusionMetric, confusion_metric
    from analysis.metrics.consistency import Churn, Consistency, churn
    from analysis.metrics.influence import confusion_scores, metric_scores
    from analysis.metrics.metric_kinds import METRICS, MetricKind
    from analysis.metrics.regression import mse_scores, pearson_scores, regression_scores, spearman_scores
    from analysis.power.error_types import ErrorTypes
    from analysis.power.new_study import PlannedTest
    from analysis.power.planning import Plan, Span, plan_comparison
    from analysis.power.settling import Settling, settle
    from analysis.power.single_run import mcnemar_power, single_run_detectable_gap
    from analysis.power.sizes import detectable_gap_at, equivalence_power_at, power_at, standard_error_at
    from analysis.power.stated_figures import stated_components
    from analysis.published.audit import Audit, audit
    from analysis.published.board_files import read_board
    from analysis.published.claims_file import ClaimsFile, parse_claims_file, read_claims
    from analysis.records.loading import load
    from analysis.records.outcomes import Outcomes
    from analysis.study.analysis_block import check_plan, parse_plan
    from analysis.study.in_memory import compare
    from analysis.study.plan import AnalysisPlan, Comparison
    from analysis.study.report import StudyReport, analyze
    from analysis.study.requirement_results import RequirementResult
    from analysis.study.verdict import Verdict, decide

__all__ = [
    "METRICS",
    "AlignmentError",
    "AnalysisError",
    "AnalysisPlan",
    "Audit",
    "BcaResult",
    "CalibrationError",
    "Churn",
    "ClaimsFile",
    "ClassScores",
    "ClusteredMcNemarResult",
    "Comparison",
    "ComparisonsWithBest",
    "ConfusionMetric",
    "Consistency",
    "Contender",
    "CrossedResult",
    "CrossedSeedsResult",
    "EquivalenceResult",
    "ErrorTypes",
    "FormatError",
    "GapInterval",
    "Interval",
    "JointCorrection",
    "LabelPermutationResult",
    "McNemarResult",
    "MetricKind",
    "MultiBootstrapResult",
    "NonInferiorityResult",
    "OddsRatioResult",
    "Outcomes",
    "OutperformingResult",
    "PairedTResult",
    "Plan",
    "PlanError",
    "PlannedTest",
    "Posterior",
    "PredictiveValueResult",
    "PredictiveValueTest",
    "Problem",
    "RecordError",
    "RequirementError",
    "RequirementResult",
    "SeedSpread",
    "Settling",
    "SignFlipResult",
    "SourceError",
    "Span",
    "StudyReport",
    "VarianceComponents",
    "Verdict",
    "WilcoxonResult",
    "analyze",
    "audit",
    "auroc_scores",
    "bca_interval",
    "benjamini_hochberg",
    "bootstrap_study",
    "brier_scores",
    "check_plan",
    "churn",
    "class_scores",
    "cluster_scores",
    "compare",
    "compare_with_best",
    "confusion",
    "confusion_metric",
    "confusion_scores",
    "crossed_seeds_test",
    "crossed_test",
    "decide",
    "detectable_gap_at",
    "discordance_odds_ratio",
    "equivalence_power_at",
    "expected_calibration_error",
    "holm",
    "joint_step_down",
    "label_permutation",
    "load",
    "log_loss_scores",
    "mcnemar_clustered",
    "mcnemar_from_counts",
    "mcnemar_power",
    "metric_scores",
    "mse_scores",
    "multi_bootstrap",
    "multi_bootstrap_metric",
    "newcombe_interval",
    "non_inferiority",
    "one_sided_thresholds",
    "paired_t",
    "parse_claims_file",
    "parse_plan",
    "partial_conjunction",
    "pearson_scores",
    "plan_comparison",
    "pooled_seed_spread",
    "power_at",
    "probability_of_outperforming",
    "read_board",
    "read_claims",
    "regression_scores",
    "sequential_p",
    "set_scores",
    "set_strata",
    "settle",
    "sign_flip",
    "single_run_detectable_gap",
    "spearman_scores",
    "spent",
    "standard_error_at",
    "stated_components",
    "tango_interval",
    "thresholds",
    "tost",
    "weighted_generalized_score",
    "wilcoxon",
]

_HOMES = {
    "methods.bca": ("BcaResult", "bca_interval"),
    "methods.bootstrap": ("MultiBootstrapResult", "bootstrap_study", "multi_bootstrap"),
    "methods.bootstrap_metric": ("multi_bootstrap_metric",),
    "metrics.calibration_error": ("CalibrationError", "brier_scores", "expected_calibration_error", "log_loss_scores"),
    "published.audit": ("Audit", "audit"),
    "published.board_files": ("read_board",),
    "published.claims_file": ("ClaimsFile", "parse_claims_file", "read_claims"),
    "methods.clusters": ("cluster_scores",),
    "metrics.consistency": ("Churn", "Consistency", "churn"),
    "methods.components": ("VarianceComponents",),
    "methods.crossed": ("crossed_test",),
    "methods.crossed_result": ("CrossedResult", "Posterior"),
    "methods.crossed_seeds": ("CrossedSeedsResult", "crossed_seeds_test"),
    "methods.equivalence": ("EquivalenceResult", "NonInferiorityResult", "non_inferiority", "tost"),
    "power.error_types": ("ErrorTypes",),
    "errors": (
        "AlignmentError",
        "AnalysisError",
        "FormatError",
        "PlanError",
        "Problem",
        "RecordError",
        "RequirementError",
        "SourceError",
    ),
    "metrics.confusion_metrics": ("ConfusionMetric", "confusion_metric"),
    "metrics.influence": ("confusion_scores", "metric_scores"),
    "methods.fixed_sets": ("set_scores", "set_strata"),
    "methods.interval": ("Interval",),
    "methods.looks": ("one_sided_thresholds", "sequential_p", "spent", "thresholds"),
    "methods.mcnemar": ("McNemarResult", "mcnemar_from_counts"),
    "methods.mcnemar_clustered": ("ClusteredMcNemarResult", "mcnemar_clustered"),
    "metrics.regression": ("mse_scores", "pearson_scores", "regression_scores", "spearman_scores"),
    "metrics.auroc": ("auroc_scores",),
    "metrics.confusion_matrix": ("ClassScores", "class_scores", "confusion"),
    "metrics.metric_kinds": ("METRICS", "MetricKind"),
    "methods.multiplicity": ("JointCorrection", "benjamini_hochberg", "holm", "joint_step_down"),
    "records.loading": ("load",),
    "records.outcomes": ("Outcomes",),
    "methods.outperforming": ("OutperformingResult", "probability_of_outperforming"),
    "methods.over_seeds": ("PairedTResult", "WilcoxonResult", "paired_t", "wilcoxon"),
    "methods.partial_conjunction": ("partial_conjunction",),
    "methods.label_permutation": ("LabelPermutationResult", "label_permutation"),
    "methods.sign_flip": ("SignFlipResult", "sign_flip"),
    "study.analysis_block": ("check_plan", "parse_plan"),
    "study.in_memory": ("compare",),
    "study.plan": ("AnalysisPlan", "Comparison"),
    "power.new_study": ("PlannedTest",),
    "power.planning": ("Plan", "Span", "plan_comparison"),
    "power.settling": ("Settling", "settle"),
    "power.stated_figures": ("stated_components",),
    "methods.predictive_values": ("PredictiveValueResult", "PredictiveValueTest", "weighted_generalized_score"),
    "methods.proportions": (
        "GapInterval",
        "OddsRatioResult",
        "discordance_odds_ratio",
        "newcombe_interval",
        "tango_interval",
    ),
    "methods.with_the_best": ("ComparisonsWithBest", "Contender", "compare_with_best"),
    "study.report": ("StudyReport", "analyze"),
    "study.requirement_results": ("RequirementResult",),
    "power.single_run": ("mcnemar_power", "single_run_detectable_gap"),
    "power.sizes": ("detectable_gap_at", "equivalence_power_at", "power_at", "standard_error_at"),
    "methods.variance": ("SeedSpread", "pooled_seed_spread"),
    "study.verdict": ("Verdict", "decide"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"analysis.{module}"), name)
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
