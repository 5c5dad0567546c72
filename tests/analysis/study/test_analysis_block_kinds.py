"""Plans of studies that hold no probabilities, or scores in the place of classes: metrics, margins and directions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import PlanError
from analysis.metrics.metric_kinds import METRICS, MetricKind
from analysis.records.loading import load
from analysis.study.analysis_block import frozen_plan, parse_plan
from analysis.study.plan import AnalysisPlan
from analysis.study.plan_metrics import OF_PROBABILITIES

ARMS = ("full", "lora")
NO_PROBABILITIES = "the runs hold predicted classes, no probabilities"


def of_scores(*, share: bool = False, **keys: Any) -> MetricKind:
    return MetricKind(**{"name": "score", "title": "rouge", "share": share, "task": "scores"} | keys)


def refused(block: dict[str, Any], **options: Any) -> str:
    with pytest.raises(PlanError) as caught:
        parse_plan(block, arms=ARMS, **options)
    (problem,) = caught.value.problems
    return f"{'.'.join(map(str, problem.path))}: {problem.message}"


@pytest.mark.parametrize("metric", OF_PROBABILITIES)
def test_predicted_classes_give_no_metric_of_probabilities(metric: str) -> None:
    said = refused({"metric": metric}, has_probabilities=False)
    allowed = "'accuracy', 'balanced_accuracy', 'macro_f1' or 'mcc'"
    assert said == f"analysis.metric: expected {allowed}, got {metric!r}; {NO_PROBABILITIES}"
    assert parse_plan({"metric": metric}, arms=ARMS).metric == metric


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "mcc"])
def test_predicted_classes_give_every_other_metric(metric: str) -> None:
    assert parse_plan({"metric": metric}, arms=ARMS, has_probabilities=False).kind is METRICS[metric]


def test_a_plan_of_scores_knows_what_they_are() -> None:
    plan = parse_plan({"margin": 2.0}, arms=ARMS, task="scores", score=of_scores(higher_is_better=False))
    assert (plan.metric, plan.margin) == ("score", 2.0)
    assert (plan.kind.title, plan.kind.heading, plan.kind.higher_is_better) == ("rouge", "rouge", False)
    assert plan.model_copy(update={"alpha": 0.1}).kind == plan.kind


def test_scores_that_are_shares_have_the_default_margin_and_others_need_one() -> None:
    assert parse_plan({}, arms=ARMS, task="scores", score=of_scores(share=True)).margin == 0.01
    needed = "analysis.margin: expected a number above 0, in the units of the score, got nothing: no default fits"
    assert refused({}, task="scores", score=of_scores()).startswith(needed)
    assert parse_plan({"margin": 1.5}, arms=ARMS, task="scores", score=of_scores()).margin == 1.5
    assert refused({"margin": 1.5}, task="scores", score=of_scores(share=True)) == (
        "analysis.margin: expected a number above 0 and below 1 (0.01 is one percentage point), since all scores lie "
        "between 0 and 1, got 1.5"
    )


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("score", {}, "got 'score', which needs task: scores"),
        (
            "accuracy",
            {"task": "scores", "score": of_scores()},
            "got 'accuracy', which needs task: classification",
        ),
        ("mse", {"task": "scores", "score": of_scores()}, "expected 'score', got 'mse', which needs task: regression"),
    ],
)
def test_a_metric_of_another_task_is_refused(metric: str, options: dict[str, Any], message: str) -> None:
    assert message in refused({"metric": metric, "margin": 0.5}, **options)


def plan_of(folder: Path) -> AnalysisPlan:
    outcomes = load(folder)
    return frozen_plan(outcomes.manifest, arms=outcomes.arms, score=outcomes.score_kind)


@pytest.mark.parametrize(("highest", "share"), [(1.0, True), (1.001, False)])
def test_whether_scores_are_a_share_is_seen_in_all_of_them(
    write_imported: Callable[..., Path], highest: float, share: bool
) -> None:
    scores = {"full": np.array([[0.0, 0.5]]), "lora": np.array([[0.25, highest]])}
    plan = plan_of(write_imported(scores, analysis={"margin": 0.2}, higher_is_better=False))
    assert plan.kind == of_scores(share=share, higher_is_better=False)


def test_a_folder_of_predicted_classes_refuses_what_it_has_no_probabilities_for(
    write_imported: Callable[..., Path],
) -> None:
    said = {arm: np.array([[0, 1]]) for arm in ARMS}
    folder = write_imported(said, labels=np.array([0, 1]), classes=("a", "b"), analysis={"metric": "auroc"})
    with pytest.raises(PlanError, match=NO_PROBABILITIES):
        plan_of(folder)
