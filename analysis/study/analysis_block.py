"""`analysis:` block of a study file: checked before anything runs, read as a plan, read back as it was frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from analysis.errors import PlanError, Problem
from analysis.metrics.metric_kinds import MetricKind
from analysis.problems import Allowed, described, either, shown
from analysis.records.data_entry import Task
from analysis.records.manifest import Manifest
from analysis.study.claims_block import claim_problems
from analysis.study.plan import AnalysisPlan, Comparison, Correction, FailedTrials, Variance
from analysis.study.plan_metrics import MARGIN_OF_SHARES, METRICS_OF_TASK, OF_PROBABILITIES, WITH_UNITS, margins_of

_CORRECTIONS = get_args(Correction)
_VARIANCES = get_args(Variance)
_POLICIES = get_args(FailedTrials)


def check_plan(
    block: object,
    claims: object,
    *,
    arms: Sequence[str],
    task: Task = "classification",
    seeds: object = None,
    paired: bool = True,
) -> list[Problem]:
    """List what is wrong with the `analysis:` and `claims:` blocks, before anything runs.

    Parameters
    ----------
    block, claims : object
        The two blocks as the study file gives them, of whatever type stands there; None where absent.
    arms : sequence of str
        The arms, in the order of the study file.
    task : {"classification", "regression"}
        What the study predicts.
    seeds : object
        What the study file gives as `seeds`: a mapping where they are by source.
    paired : bool
        Whether equal seeds in two arms belong together.

    Returns
    -------
    list of Problem
        Paths start with ``"analysis"`` or ``"claims"``; empty when both blocks can be used.
    """
    crosses = isinstance(seeds, Mapping)
    unfit = _unfit(block, crosses=crosses, paired=paired)
    # Here and not in a frozen plan: what it declares without effect must not keep a folder from being read.
    if crosses and isinstance(block, Mapping) and block.get("variance") == "pooled":
        message = (
            "with seeds by source nothing is pooled: each comparison takes the variation over seeds from its two arms; "
            "leave variance out or use pairwise, or give a count of seeds"
        )
        unfit.append(Problem(path=("analysis", "variance"), message=message))
    return _validated(block, arms=arms, task=task)[1] + unfit + claim_problems(claims, arms=arms)


def parse_plan(
    block: Mapping[str, Any] | None,
    *,
    arms: Sequence[str],
    task: Task = "classification",
    has_probabilities: bool = True,
    score: MetricKind | None = None,
) -> AnalysisPlan:
    """Read the `analysis:` block of a study.

    Parameters
    ----------
    block : mapping of str to Any or None
        The block as the study file gives it; what it leaves out takes its default, and the baseline is then
        the first arm.
    arms : sequence of str
        The arms, in the order of the study file.
    task : {"classification", "regression", "scores"}
        What the study predicts; its first metric is the default.
    has_probabilities : bool
        Whether probabilities of classes are stored, so that metrics that need them can be asked for.
    score : MetricKind or None
        What the scores are, with task ``"scores"``; see `analysis.records.outcomes.Outcomes.score_kind`.

    Returns
    -------
    AnalysisPlan
        The plan, complete and checked.

    Raises
    ------
    PlanError
        With every problem of the block.

    Examples
    --------
    >>> plan = parse_plan({"margin": 0.02}, arms=["full", "lora"])
    >>> plan.baseline, plan.margin, [str(c) for c in plan.all_comparisons(["full", "lora"])]
    ('full', 0.02, ['lora against full'])
    """
    plan, problems = _validated(block, arms=arms, task=task, has_probabilities=has_probabilities, score=score)
    if plan is None:
        raise PlanError(problems)
    return plan


def frozen_plan(manifest: Manifest, *, arms: Sequence[str], score: MetricKind | None = None) -> AnalysisPlan:
    """Read the plan of a study from its manifest, as it was frozen.

    Parameters
    ----------
    manifest : Manifest
        Of a results folder.
    arms : sequence of str
        The arms, in the order of the study file.
    score : MetricKind or None
        As in `parse_plan`.

    Returns
    -------
    AnalysisPlan
        Without a `variance` where an older version froze it, which knew of none.

    Raises
    ------
    PlanError
        With every problem of the block.
    """
    data = manifest.data
    plan = parse_plan(
        manifest.analysis,
        arms=arms,
        task=data.task,
        has_probabilities=data.predictions == "probabilities",
        score=score,
    )
    problems = _unfit(manifest.analysis, crosses=manifest.crossing is not None, paired=manifest.paired)
    if manifest.crossing is not None and data.sets:
        message = f"seeds by source are judged on one test set, got {len(data.sets)}"
        problems.append(Problem(path=("data", "test"), message=message))
    if problems:
        raise PlanError(problems)
    plan = plan.of_study(score=score, crossing=manifest.crossing, paired=manifest.paired)
    if manifest.plan_history and manifest.plan_history[-1].variance is None:
        return plan.model_copy(update={"variance": None})
    return plan


def _unfit(block: object, *, crosses: bool, paired: bool) -> list[Problem]:
    """List what a plan declares that no rule covers where seeds of two kinds cross, or runs are not paired by seed."""
    if not isinstance(block, Mapping):
        return []
    problems = []
    if crosses and block.get("looks"):
        message = (
            "seeds by source are analysed once, when every pair has run; leave looks out, or give a count of seeds"
        )
        problems.append(Problem(path=("analysis", "looks"), message=message))
    if crosses and block.get("failed_trials") == "drop_seed":
        message = "seeds by source need every pair, so none can be dropped; use refuse, or give a count of seeds"
        problems.append(Problem(path=("analysis", "failed_trials"), message=message))
    if not paired and block.get("looks"):
        message = (
            "runs that are not paired by seed are analysed once, since a look takes the first seeds that all arms "
            "share; leave looks out, or give every arm the same seeds"
        )
        problems.append(Problem(path=("analysis", "looks"), message=message))
    return problems


def _allowed(arms: Sequence[str], metrics: Sequence[str], metric: object) -> Allowed:
    sides = tuple(Comparison.model_fields)
    return Allowed(
        keys={(): tuple(AnalysisPlan.model_fields), ("comparisons",): sides},
        values={
            ("metric",): either(metrics),
            ("baseline",): "the name of an arm",
            ("comparisons",): "a list of {treatment: ARM, baseline: ARM}",
            ("comparisons", "[]"): "a mapping {treatment: ARM, baseline: ARM}",
            **{("comparisons", side): "the name of an arm" for side in sides},
            ("margin",): margins_of(metric)[1],
            ("alpha",): "a number above 0 (1e-12 or more) and at most 0.5",
            ("correction",): either(_CORRECTIONS),
            ("variance",): either(_VARIANCES),
            ("failed_trials",): either(_POLICIES),
            ("looks",): "a list of numbers of seeds, such as [4, 8, 12, 20], or in a study file auto",
            ("looks", "[]"): "a whole number of seeds from 4 to 10000",
        },
        choices={
            ("metric",): tuple(metrics),
            ("correction",): _CORRECTIONS,
            ("variance",): _VARIANCES,
            ("failed_trials",): _POLICIES,
            ("baseline",): tuple(arms),
        },
    )


def _validated(
    block: object, *, arms: Sequence[str], task: Task, has_probabilities: bool = True, score: MetricKind | None = None
) -> tuple[AnalysisPlan | None, list[Problem]]:
    if block is None:
        block = {}
    if not isinstance(block, Mapping):
        return None, [Problem(path=("analysis",), message=f"expected a mapping, got {shown(block)}")]
    if not arms:
        return None, [Problem(path=("arms",), message="expected at least one arm to analyse, got none")]
    complete = {"metric": METRICS_OF_TASK[task][0], "baseline": arms[0], **block}
    metric = complete["metric"]
    metrics = [name for name in METRICS_OF_TASK[task] if has_probabilities or name not in OF_PROBABILITIES]
    allowed = _allowed(arms, metrics, metric)
    problems: list[Problem] = []
    plan = None
    try:
        plan = AnalysisPlan.model_validate(complete, context={"arms": tuple(arms)})
    except ValidationError as error:
        problems = described(error, allowed=allowed, prefix=("analysis",))
    elsewhere = next(
        (name for name, others in METRICS_OF_TASK.items() if metric in others and metric not in metrics), None
    )
    of_shares = task == "scores" and score is not None and score.share
    if elsewhere is not None:
        why = (
            "; the runs hold predicted classes, no probabilities"
            if elsewhere == task
            else f", which needs task: {elsewhere}"
        )
        message = f"expected {either(metrics)}, got {metric!r}{why}"
        problems.append(Problem(path=("analysis", "metric"), message=message))
    elif metric in WITH_UNITS and "margin" not in complete and not of_shares:
        message = f"expected {allowed.values['margin',]}, got nothing: no default fits every unit"
        problems.append(Problem(path=("analysis", "margin"), message=message))
    elif of_shares and plan is not None and plan.margin >= 1:
        message = f"expected {MARGIN_OF_SHARES[1]}, since all scores lie between 0 and 1, got {plan.margin:g}"
        problems.append(Problem(path=("analysis", "margin"), message=message))
    if problems or plan is None:
        return None, problems
    return plan.of_study(score=score), []
