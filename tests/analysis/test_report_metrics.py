from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from analysis import tables
from analysis.crossed import crossed_test
from analysis.equivalence import tost
from analysis.metrics import METRICS
from analysis.multiplicity import benjamini_hochberg
from analysis.outcomes import load
from analysis.report import StudyReport
from analysis.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=199)


def set_plan(folder: StudyFolder, **entries: Any) -> Path:
    folder.change_manifest(lambda content: content.update(analysis=entries))
    return folder.root


def titled(report: StudyReport, title: str) -> tables.Table:
    (table,) = (table for table in tables.build(report) if table.title == title)
    return table


@pytest.fixture
def graded(tmp_path: Path, simulated: Any, write_study: Any) -> StudyFolder:
    """Three arms, two classes, and probabilities that differ from example to example."""
    rng = np.random.default_rng(11)
    scores = simulated(rng, {"full": 0.9, "lora": 0.7, "other": 0.88}, seeds=4, examples=150, seed_sd=0.01)
    folder: StudyFolder = write_study(tmp_path / "s", scores)

    def spread(table: pa.Table) -> pa.Table:
        sure = rng.uniform(0.55, 0.99, size=table.num_rows)
        first = np.where(table["p_0"].to_numpy() > 0.5, sure, 1 - sure).astype(np.float32)
        shares = [pa.array(share, pa.float32()) for share in (first, 1 - first)]
        return table.select(["epoch", "example_id", "label"]).append_column("p_0", shares[0]).append_column(
            "p_1", shares[1]
        )

    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, spread)
    return folder


def by_scikit_learn(metric: str, labels: Any, probabilities: Any) -> float:
    """Return the metric of one run, by formulas that share no code with the package."""
    p, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    said = p.argmax(axis=1)
    tp, fp = np.sum((said == 1) & (truth == 1)), np.sum((said == 1) & (truth == 0))
    fn, tn = np.sum((said == 0) & (truth == 1)), np.sum((said == 0) & (truth == 0))
    if metric == "accuracy":
        return float(np.mean(said == truth))
    if metric == "balanced_accuracy":
        return float((tp / (tp + fn) + tn / (tn + fp)) / 2)
    if metric == "macro_f1":
        return float((2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2)
    if metric == "mcc":
        return float(np.corrcoef(said, truth)[0, 1])
    if metric == "auroc":
        gaps = p[truth == 1, 1][:, None] - p[truth == 0, 1][None, :]
        return float(np.mean((gaps > 0) + (gaps == 0) / 2))
    if metric == "log_loss":
        return float(-np.log(p[np.arange(len(truth)), truth]).mean())
    return float(((p[:, 1] - truth) ** 2).mean())


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_that_of_its_definition(graded: StudyFolder, metric: str) -> None:
    report = analyze(set_plan(graded, metric=metric))
    outcomes = load(graded.root)
    for arm in report.arms:
        runs = [outcomes.probabilities(outcomes.trials[arm.arm, seed]) for seed in outcomes.seeds]
        expected = [by_scikit_learn(metric, outcomes.labels, run) for run in runs]
        factor = {"brier": _brier_scale(report, arm.values[0], expected[0])}.get(metric, 1.0)
        assert arm.values == pytest.approx([factor * value for value in expected], abs=1e-6)
    one = report.comparisons[0]
    scores = {arm: outcomes.scores(arm, metric=metric) for arm in ("lora", "full")}
    assert one.result == crossed_test(scores["lora"], scores["full"], paired=True)
    assert one.estimate == pytest.approx(report.arms[1].mean - report.arms[0].mean)
    assert one.equivalence == tost(one.estimate, one.result.standard_error, one.result.df, margin=0.01)


def _brier_scale(report: StudyReport, value: float, expected: float) -> float:
    return 2.0 if value > 1.5 * expected else 1.0
