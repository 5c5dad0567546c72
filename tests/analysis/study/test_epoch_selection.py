from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.methods.over_seeds import paired_t
from analysis.records.loading import load
from analysis.study.epoch_selection import selection_lift
from analysis.study.report import analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

EPOCHS = np.array(
    [
        # Two seeds, four epochs, five examples: right answers 2 4 4 3, and 1 2 0 5.
        [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 1, 1, 1, 1], [0, 1, 1, 0, 1]],
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]],
    ]
)
ON_TEST = {"rule": "best", "metric": "accuracy", "on": "test"}
HOLDOUT = {"rule": "best", "metric": "accuracy", "on": "holdout"}


@pytest.fixture
def written(tmp_path: Path, write_study: Any) -> Any:
    def write(**options: Any) -> StudyFolder:
        folder: StudyFolder = write_study(tmp_path / "s", {"full": np.ones_like(EPOCHS), "lora": EPOCHS}, **options)
        return folder

    return write


def losses(values: list[float]) -> Any:
    return lambda content: [
        entry["test"].update(loss=value) for entry, value in zip(content["epochs"], values, strict=True)
    ]


def test_last_and_best_by_hand(written: Any) -> None:
    lift = selection_lift(load(written().root), "lora", seeds=(0, 1))
    assert lift is not None
    assert lift.last == pytest.approx((0.6 + 1.0) / 2)
    assert lift.best == pytest.approx((0.8 + 1.0) / 2)
    assert lift.lift == pytest.approx(0.1)
    assert math.isnan(lift.holdout)
    assert (lift.n_seeds, lift.n_examples, lift.n_epochs, lift.metric) == (2, 5, 4, "accuracy")
    assert lift.interval == pytest.approx(paired_t([0.8, 1.0], [0.6, 1.0]).interval(0.95))
    # The t quantile at one degree of freedom is 12.7062 (Student's table), and the standard error here is 0.1.
    assert lift.interval == pytest.approx((0.1 - 1.27062, 0.1 + 1.27062), abs=1e-5)


def test_the_holdout_s_choice_is_that_of_the_records(written: Any) -> None:
    folder = written(selection=HOLDOUT)
    folder.change_record("lora", 0, lambda content: content.update(selected_epoch=1))
    folder.change_record("lora", 1, lambda content: content.update(selected_epoch=2))
    report = analyze(folder.root, resamples=199)
    lift = next(lift for lift in report.selection_lifts if lift.arm == "lora")
    assert (lift.last, lift.holdout, lift.best) == pytest.approx((0.8, 0.4, 0.9))
    assert not lift.published
    # The verdict stands on the hold-out's choice.
    assert report.comparisons[0].estimate == pytest.approx(0.4 - 1.0)
    (gap,) = report.selected_gaps
    assert (gap.last, gap.holdout, gap.best) == pytest.approx((-0.2, -0.6, -0.1))
    assert (gap.treatment, gap.baseline, gap.n_seeds, gap.n_examples) == ("lora", "full", 2, 5)
    title = "What choosing the epoch on the test split would add"
    (table,) = [table for table in tables.build(report) if table.title == title]
    assert dict(zip(table.headers, table.rows[1], strict=True))["Chosen on hold-out"] == "40.00%"
    assert "-60.00 pp at the epoch chosen on the hold-out" in table.notes[-1]


def test_selection_on_test_has_no_holdout_and_is_called_published(written: Any) -> None:
    report = analyze(written(selection=ON_TEST).root, resamples=199)
    assert all(lift.published and math.isnan(lift.holdout) for lift in report.selection_lifts)
    assert math.isnan(report.selected_gaps[0].holdout)
    assert report.comparisons[0].estimate == pytest.approx(-0.2)
    assert "As published: the best epoch on the test split" in [table.title for table in tables.build(report)]


def test_an_arm_without_a_holdout_leaves_the_gap_open(written: Any) -> None:
    folder = written()
    folder.change_manifest(lambda content: content["arms"]["lora"].update(selection=HOLDOUT))
    report = analyze(folder.root, resamples=199)
    assert math.isnan(report.selected_gaps[0].holdout)
    assert [math.isnan(lift.holdout) for lift in report.selection_lifts] == [True, False]


def test_loss_picks_the_lowest_loss_and_the_earliest_of_equal_ones(written: Any) -> None:
    folder = written(selection={"rule": "best", "metric": "loss", "on": "test"})
    folder.change_record("lora", 0, losses([0.9, 0.5, 0.6, 0.7]))
    # Epochs 1 and 3 tie: the first counts, with one right answer and not with none.
    folder.change_record("lora", 1, losses([0.2, 0.8, 0.2, 0.9]))
    lift = selection_lift(load(folder.root), "lora", seeds=(0, 1))
    assert lift is not None
    assert lift.metric == "loss"
    assert lift.best == pytest.approx((0.8 + 0.2) / 2)
    # The best epoch by loss may be worse by accuracy than the last one.
    assert lift.lift == pytest.approx(0.5 - 0.8)


def test_the_best_by_accuracy_is_never_below_any_other_choice(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(2)
    scores = {arm: (rng.random((6, 5, 40)) < 0.8).astype(int) for arm in ("full", "lora")}
    folder = write_study(tmp_path / "s", scores, selection=HOLDOUT)
    for arm, seed in folder.keys:
        folder.change_record(arm, seed, lambda content: content.update(selected_epoch=3))
    outcomes = load(folder.root)
    for arm, right in scores.items():
        lift = selection_lift(outcomes, arm, seeds=outcomes.seeds, confidence=0.9)
        assert lift is not None
        accuracies = right.mean(axis=-1)
        best = accuracies.max(axis=1)
        assert lift.holdout == pytest.approx(accuracies[:, 2].mean())
        assert lift.best >= max(lift.last, lift.holdout)
        assert lift.interval == pytest.approx(paired_t(best, accuracies[:, -1]).interval(0.9))
        assert lift.confidence == 0.9


def test_one_epoch_leaves_nothing_to_select(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.9, "lora": 0.8}, seeds=4, examples=30)
    report = analyze(write_study(tmp_path / "s", scores).root, resamples=199)
    assert (report.selection_lifts, report.selected_gaps) == ((), ())
    assert not any("selection on test" in table.title for table in tables.build(report))


def test_one_seed_or_no_gain_has_a_lift_without_an_interval(written: Any) -> None:
    outcomes = load(written().root)
    alone, alike = (selection_lift(outcomes, arm, seeds=seeds) for arm, seeds in (("lora", (0,)), ("full", (0, 1))))
    assert alone is not None
    assert alike is not None
    assert alone.lift == pytest.approx(0.2)
    assert alike.lift == 0
    assert np.isnan([*alone.interval, *alike.interval]).all()


def test_an_arm_that_never_finished_has_no_lift(written: Any) -> None:
    folder = written()
    for seed in (0, 1):
        folder.end("lora", seed, "diverged", "x")
    report = analyze(folder.root, resamples=199)
    assert [lift.arm for lift in report.selection_lifts] == ["full"]
    assert report.selected_gaps == ()


def test_the_lift_uses_the_seeds_that_finished(written: Any) -> None:
    folder = written()
    folder.end("lora", 1, "diverged", "x")
    report = analyze(folder.root, resamples=199)
    lift = next(lift for lift in report.selection_lifts if lift.arm == "lora")
    assert (lift.n_seeds, lift.lift) == (1, pytest.approx(0.2))
    # No verdict, no gap: the two arms did not finish with the same seeds.
    assert report.selected_gaps == ()
