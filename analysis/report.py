"""A results folder goes in, everything that is known about the study comes out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from analysis.arms import (
    ArmSummary,
    ClassSummary,
    SelectionLift,
    selection_lift,
    summarize_arm,
    summarize_classes,
)
from analysis.claims.check import ClaimCheck, check_claims
from analysis.claims.study import parse_claims
from analysis.comparisons import BestArms, ComparisonReport, best_arms, compare
from analysis.cost import ArmCost, TimeRatio, arm_cost, time_ratio
from analysis.outcomes import Outcomes, load
from analysis.plan import AnalysisPlan, parse_plan
from analysis.provenance import Footer, footer


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """All results of one study.

    Parameters
    ----------
    name, question
        From the study file.
    model, data
        What was trained, and on what.
    plan
        The frozen analysis plan.
    seeds, dropped_seeds
        The seeds that the comparisons use, and those that left every arm under the plan's policy.
    n_examples
        The number of test examples.
    comparisons
        Every comparison with its verdict, in the order of the plan.
    best
        Which arms may still be the best one.
    arms, classes
        Accuracy by arm; precision, recall and F1 by arm and class.
    costs, time_ratios
        What an arm costs; how long each treatment trains against its baseline.
    selection_lifts
        For a study that picks its epoch on the test split: the figures as it reports them. Else empty.
    claims
        Published gaps beside the measured ones.
    footer
        Provenance and caveats.
    """

    name: str
    question: str
    model: str
    data: str
    plan: AnalysisPlan
    seeds: tuple[int, ...]
    dropped_seeds: tuple[int, ...]
    n_examples: int
    comparisons: tuple[ComparisonReport, ...]
    best: BestArms
    arms: tuple[ArmSummary, ...]
    classes: tuple[ClassSummary, ...]
    costs: tuple[ArmCost, ...]
    time_ratios: tuple[TimeRatio, ...]
    selection_lifts: tuple[SelectionLift, ...]
    claims: tuple[ClaimCheck, ...]
    footer: Footer

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, texts and numbers; NaN becomes None, its reason stays."""
        plain = _plain(self)
        if not isinstance(plain, dict):
            raise TypeError(f"a report becomes a dict, got {type(plain).__name__}")
        return plain


def analyze(folder: Path) -> StudyReport:
    """Analyse a results folder.

    Parameters
    ----------
    folder
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If the folder holds no usable manifest, or something in a format that this version does not read.
    AlignmentError
        If the trials cannot be compared example by example.
    PlanError
        If the manifest's plan or claims cannot be used.
    """
    outcomes = load(folder)
    manifest = outcomes.manifest
    plan = parse_plan(manifest.analysis, arms=outcomes.arms)
    claims = parse_claims(manifest.claims, arms=outcomes.arms)
    seeds = outcomes.complete_seeds() if plan.failed_trials == "drop_seed" else outcomes.seeds
    finished = {arm: _finished_seeds(outcomes, arm, seeds) for arm in outcomes.arms}
    arms = tuple(summarize_arm(outcomes, arm, seeds=finished[arm]) for arm in outcomes.arms)
    comparisons = compare(outcomes, plan, seeds=seeds)
    lifts = [selection_lift(outcomes, arm, seeds=finished[arm]) for arm in outcomes.arms]
    data = manifest.data
    return StudyReport(
        name=manifest.name,
        question=manifest.question or "",
        model=manifest.model.name,
        data=f"{data.path}/{data.name}" if data.name else data.path,
        plan=plan,
        seeds=seeds,
        dropped_seeds=tuple(seed for seed in outcomes.seeds if seed not in seeds),
        n_examples=outcomes.n_examples,
        comparisons=comparisons,
        best=best_arms({summary.arm: summary.mean for summary in arms}, comparisons),
        arms=arms,
        classes=tuple(one for arm in outcomes.arms for one in summarize_classes(outcomes, arm, seeds=finished[arm])),
        costs=tuple(arm_cost(arm, [outcomes.trials[arm, seed] for seed in finished[arm]]) for arm in outcomes.arms),
        time_ratios=tuple(
            time_ratio(
                outcomes,
                treatment=one.treatment,
                baseline=one.baseline,
                seeds=[seed for seed in finished[one.treatment] if seed in finished[one.baseline]],
                confidence=1 - plan.alpha,
            )
            for one in comparisons
        ),
        selection_lifts=tuple(lift for lift in lifts if lift is not None),
        claims=check_claims(claims, manifest, comparisons),
        footer=footer(outcomes, seeds=seeds),
    )


def _finished_seeds(outcomes: Outcomes, arm: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(seed for seed in seeds if outcomes.trials[arm, seed].status == "finished")


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
