from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.records.loading import load
from analysis.study.epoch_curves import epoch_curve
from analysis.study.report import analyze

# Two seeds, three epochs, five examples: right answers 2 4 3, and 1 2 5.
EPOCHS = np.array(
    [
        [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 1, 1, 0, 1]],
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]],
    ]
)


def test_a_curve_by_hand(tmp_path: Path, write_study: Any) -> None:
    folder = write_study(tmp_path / "s", {"full": np.ones_like(EPOCHS), "lora": EPOCHS})
    curve = epoch_curve(load(folder.root), "lora", seeds=(0, 1))
    assert curve is not None
    assert curve.epochs == (1, 2, 3)
    assert curve.mean == pytest.approx((0.3, 0.6, 0.8))
    assert curve.lowest == pytest.approx((0.2, 0.4, 0.6))
    assert curve.highest == pytest.approx((0.4, 0.8, 1.0))
    assert (curve.n_runs, curve.n_picked, curve.n_examples) == ((2, 2, 2), (0, 1, 1), 5)


def test_runs_of_unequal_length_count_where_they_are(tmp_path: Path, write_study: Any) -> None:
    folder = write_study(tmp_path / "s", {"full": np.ones_like(EPOCHS), "lora": EPOCHS})
    folder.change_predictions("lora", 1, lambda table: table.slice(0, 10))
    folder.change_record("lora", 1, lambda content: content.update(epochs=content["epochs"][:2], selected_epoch=2))
    curve = epoch_curve(load(folder.root), "lora", seeds=(0, 1))
    assert curve is not None
    assert curve.n_runs == (2, 2, 1)
    assert curve.mean == pytest.approx((0.3, 0.6, 0.6))
    assert curve.n_picked == (0, 2, 0)


def test_one_epoch_is_no_curve(tmp_path: Path, write_study: Any) -> None:
    folder = write_study(tmp_path / "s", {"full": np.ones_like(EPOCHS[:, 0]), "lora": EPOCHS[:, 0]})
    assert epoch_curve(load(folder.root), "lora", seeds=(0, 1)) is None
    assert epoch_curve(load(folder.root), "lora", seeds=()) is None
    assert analyze(folder.root, resamples=99).epoch_curves == ()


def test_an_undefined_score_leaves_its_epoch_without_one(write_imported: Any) -> None:
    labels = np.array([0.0, 1.0, 2.0])
    told = np.array([[[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]], [[0.0, 2.0, 1.0], [0.0, 1.0, 3.0]]])
    outcomes = load(write_imported({"full": told, "lora": told}, labels=labels))
    curve = epoch_curve(outcomes, "lora", seeds=(0, 1), metric="pearson")
    assert curve is not None
    assert math.isnan(curve.mean[0])
    assert math.isnan(curve.lowest[0])
    assert curve.highest[1] == pytest.approx(1.0)


def test_a_report_has_the_curves_of_every_arm_that_agree_with_its_table_of_selection(
    tmp_path: Path, write_study: Any
) -> None:
    folder = write_study(tmp_path / "s", {"full": np.ones_like(EPOCHS), "lora": EPOCHS})
    report = analyze(folder.root, resamples=99)
    assert [curve.arm for curve in report.epoch_curves] == ["full", "lora"]
    for curve, lift in zip(report.epoch_curves, report.selection_lifts, strict=True):
        assert curve.mean[-1] == pytest.approx(lift.last)
        assert max(curve.mean) <= lift.best
    frame = report.frame("epochs")
    assert frame["mean"].tolist() == pytest.approx([1.0, 1.0, 1.0, 0.3, 0.6, 0.8])
    assert frame["n_picked"].tolist() == [2, 0, 0, 0, 1, 1]
