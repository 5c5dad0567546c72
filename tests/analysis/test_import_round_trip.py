"""A study of our own, written as a long table and imported again, is judged the same to the last character."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import analysis
from analysis import tables
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from harness.records.imported import write_runs

if TYPE_CHECKING:
    from conftest import StudyFolder

# What an import does not know: times, and what else trials ran with.
_OWN = ("Cost", "Provenance", "What would decide")


def write_table(folder: Path, to: Path) -> None:
    """Write the predictions of a study as somebody else would: one row for each run, epoch and example."""
    outcomes = analysis.load(folder)
    classes = outcomes.manifest.data.classes
    with to.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["arm", "seed", "epoch", "id", "label", *(f"p_{name}" for name in classes)])
        for trial in outcomes.trials.values():
            for epoch, answers in zip(trial.epochs, trial.known_answers, strict=True):
                for example, label, p in zip(outcomes.example_ids, outcomes.labels, answers, strict=True):
                    rows.writerow([trial.arm, trial.seed, epoch, example, classes[label], *map(float, p)])


def shown(folder: Path) -> dict[str, tables.Table]:
    """Every table that both know, without the line under it that says where its figures come from."""
    built = tables.build(analysis.analyze(folder, resamples=499))
    return {table.title: replace(table, footer="") for table in built if not table.title.startswith(_OWN)}


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_tables_are_the_same(
    epochs: int, write_study: Callable[..., StudyFolder], simulated: Callable[..., Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    right = {
        arm: np.stack([simulated(rng, {arm: accuracy}, seeds=5, examples=120)[arm] for _ in range(epochs)], axis=1)
        for arm, accuracy in {"full": 0.9, "lora r2": 0.7, "lora r8": 0.88}.items()
    }
    plan = {"baseline": "full", "margin": 0.03, "comparisons": [{"treatment": "lora r8", "baseline": "lora r2"}]}
    own = write_study(tmp_path / "own", right, analysis=plan, name="study")
    write_table(own.root, tmp_path / "predictions.csv")
    runs = read_sources([tmp_path / "predictions.csv"], ImportOptions())
    assert (runs.classes, runs.arms, len(runs.runs)) == (("negative", "positive"), tuple(right), 15)
    imported = write_runs(runs, tmp_path / "results", name="study", analysis=plan)
    before, after = shown(own.root), shown(imported.folder)
    assert len(before) >= 10
    assert after == before
