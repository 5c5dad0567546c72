"""A regression: the settings that only classes have are refused where they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import Problem
from harness.study.loading import load_study

Written = Callable[..., Path]

REGRESSION = ("name: base", "name: base\ntask: regression")


def test_a_study_of_classes_is_the_default(written: Written) -> None:
    assert load_study(written()).task == "classification"
    assert load_study(written(REGRESSION)).task == "regression"


@pytest.mark.parametrize(
    ("change", "path", "line", "words"),
    [
        (("selection: last", "selection: {best: accuracy}"), ("selection", "best"), 17, "expected 'loss'"),
        (
            ("  learning_rate: 1e-3", "  learning_rate: 1e-3\n  label_smoothing_factor: 0.1"),
            ("training", "label_smoothing_factor"),
            8,
            "a regression has none",
        ),
        (
            ("  full: {}", "  full: {training: {label_smoothing_factor: 0.1}}"),
            ("arms", "full", "training", "label_smoothing_factor"),
            10,
            "a regression has none",
        ),
        # Its default is accuracy, so the block is named that lacks the key.
        (
            ("  full: {}", "  full: {search: {trials: 2, space: {training.weight_decay: {low: 0.0, high: 1.0}}}}"),
            ("arms", "full", "search"),
            10,
            "expected 'loss'",
        ),
        (
            (
                "  full: {}",
                "  full: {search: {trials: 2, best: loss, space: "
                "{training.label_smoothing_factor: {low: 0.0, high: 0.5}}}}",
            ),
            ("arms", "full", "search", "space", "training.label_smoothing_factor"),
            10,
            "a regression has none",
        ),
    ],
)
def test_what_only_classes_have_is_refused(
    written: Written,
    refused: Callable[..., tuple[Problem, ...]],
    change: tuple[str, str],
    path: tuple[str, ...],
    line: int,
    words: str,
) -> None:
    load_study(written(change))
    (problem,) = refused(written(REGRESSION, change))
    assert problem.path == path
    assert problem.place.endswith(f":{line}")
    assert words in problem.message


@pytest.mark.parametrize(
    ("analysis", "task", "words"),
    [
        ("{metric: accuracy}", "regression", "expected 'pearson', 'spearman' or 'mse', got 'accuracy', which needs"),
        ("{metric: mse, margin: 0.1}", "classification", "'brier', got 'mse', which needs task: regression"),
        ("{metric: mse}", "regression", "expected a number above 0, in the units of the labels, squared, got nothing"),
        ("{margin: 2.0}", "regression", "expected a number above 0 and below 2, got 2"),
        ("{metric: pearso}", "regression", "did you mean 'pearson'?"),
    ],
)
def test_a_plan_that_does_not_fit_the_task_is_refused(
    command: Callable[..., tuple[int, str, str]], written: Written, analysis: str, task: str, words: str
) -> None:
    path = written(("name: base", f"name: base\ntask: {task}"), ("analysis: {baseline: full}", f"analysis: {analysis}"))
    code, _, complaint = command("plan", path)
    assert code == 2
    assert words in complaint
    assert "analysis." in complaint
