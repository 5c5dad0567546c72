"""The record: atomic, versioned, and never trusted when it cannot be read."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.data import Split
from harness.engines import Epoch, Failure, Outcome, Score
from harness.errors import ResultsError
from harness.record import FORMAT, Store
from harness.settings import Arm
from harness.trials import Trial

MORE = {"provenance": {}, "data": {}, "model": {}}
TEST = Split(ids=("a", "b", "c"), labels=np.array([0, 1, 1]), features=({}, {}, {}))


def trial(key: str = "v1-aa") -> Trial:
    return Trial(arm="full", seed=3, settings=Arm(), holdout=None, tuning=False, content={"seed": 3}, key=key)


def outcome(key: str = "v1-aa", **changes: Any) -> Outcome:
    epochs = tuple(
        Epoch(
            epoch=e,
            learning_rate=0.1,
            train_loss=float("nan") if e == 1 else 0.5,
            test=Score(loss=0.4, accuracy=2 / 3),
            holdout=None,
            probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], dtype=np.float32) / e,
        )
        for e in (1, 2)
    )
    return Outcome(**{"trial": trial(key), "status": "finished", "epochs": epochs, "selected_epoch": 2, **changes})


def test_a_finished_trial_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(outcome(), TEST, MORE)
    record = store.record("v1-aa")
    assert record is not None
    assert (record["format"], record["status"], record["selected_epoch"]) == (FORMAT, "finished", 2)
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2]
    table = pq.read_table(tmp_path / "trials/v1-aa/predictions.parquet")
    assert table.column_names == ["epoch", "example_id", "label", "p_0", "p_1"]
    assert [str(field.type) for field in table.schema] == ["int32", "string", "int32", "float", "float"]
    assert table["example_id"].to_pylist() == ["a", "b", "c"] * 2
    assert table["epoch"].to_pylist() == [1, 1, 1, 2, 2, 2]
    assert table["p_1"].to_numpy()[:3] == pytest.approx([0.1, 0.8, 0.4])


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(outcome(), TEST, MORE)
    text = (tmp_path / "trials/v1-aa/record.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["epochs"][0]["train_loss"] is None


def test_the_record_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    rename = Path.replace

    def spy(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    Store(tmp_path).write(outcome(), TEST, MORE)
    assert order == ["predictions.parquet", "record.json"]


@pytest.mark.parametrize("fails_at", [1, 3], ids=["predictions", "record"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    store = Store(tmp_path)
    store.write(outcome("v1-old"), TEST, MORE)
    calls = 0
    sync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="No space left"):
        store.write(outcome("v1-new"), TEST, MORE)
    assert store.record("v1-old") is not None
    assert store.record("v1-new") is None
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "record.json").write_bytes((folder / "record.json").read_bytes()[:100]),
        lambda folder: (folder / "record.json").write_text("[]"),
        lambda folder: (folder / "predictions.parquet").unlink(),
        lambda folder: (folder / "predictions.parquet").write_bytes(
            (folder / "predictions.parquet").read_bytes()[:200]
        ),
    ],
    ids=["half a record", "no mapping", "no predictions", "half the predictions"],
)
def test_a_damaged_trial_is_set_aside_and_named(tmp_path: Path, damage: Any) -> None:
    store = Store(tmp_path)
    store.write(outcome(), TEST, MORE)
    damage(tmp_path / "trials/v1-aa")
    assert store.record("v1-aa") is None
    (said,) = store.set_aside_broken({"v1-aa": "full, seed 3"})
    assert "full, seed 3" in said
    assert (tmp_path / "set_aside/v1-aa.0/record.json").exists()
    assert not (tmp_path / "trials/v1-aa").exists()


def test_predictions_without_a_record_are_a_trial_that_does_not_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(outcome(), TEST, MORE)
    (tmp_path / "trials/v1-aa/record.json").unlink()
    assert store.record("v1-aa") is None
    assert store.set_aside_broken({"v1-aa": "full, seed 3"}) == []


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(outcome(), TEST, MORE)
    path = tmp_path / "trials/v1-aa/record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(ResultsError, match=f"format {FORMAT + 1}"):
        store.record("v1-aa")
    (tmp_path / "study.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(ResultsError, match=f"reads up to {FORMAT}"):
        store.manifest()


def test_a_failed_trial_has_its_reason_and_no_predictions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failed = outcome(status="failed", epochs=(), selected_epoch=None, error=Failure(type="E", message="because"))
    store.write(failed, TEST, MORE)
    record = store.record("v1-aa")
    assert record is not None
    assert record["error"] == {"type": "E", "message": "because"}
    assert not (tmp_path / "trials/v1-aa/predictions.parquet").exists()


def test_trials_of_earlier_settings_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.others({"v1-aa"}) == 0
    for key in ("v1-aa", "v1-bb", "v1-cc"):
        store.write(outcome(key), TEST, MORE)
    assert store.others({"v1-aa"}) == 2
