"""The record: atomic, versioned, and never trusted when it cannot be read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.records.format import NEWER_FORMAT
from analysis.records.stored_trials import read_trial
from harness.data.tokenization import TokenizedSplit
from harness.engines.result import Epoch, Failure, Score, TrialResult
from harness.errors import ResultsError
from harness.records.files import take_away
from harness.records.record import FORMAT, Candidate, RecordedModel, parquet
from harness.records.store import AnswerKind, Store, StoredTrial, TrialEntry
from harness.study.settings import Arm
from harness.study.trials import Trial

MODEL = RecordedModel(name="m", identity="i", revision=None)
TEST = TokenizedSplit(ids=("a", "b", "c"), labels=np.array([0, 1, 1]), features=({}, {}, {}))


def trial(key: str = "v1-aa") -> Trial:
    return Trial(arm="full", seed=3, settings=Arm(), holdout=None, tuning=False, content={"seed": 3}, key=key)


def outcome(key: str = "v1-aa", **changes: Any) -> TrialResult:
    epochs = tuple(
        Epoch(
            epoch=e,
            learning_rate=0.1,
            train_loss=float("nan") if e == 1 else 0.5,
            test=Score(loss=0.4, accuracy=2 / 3),
            holdout=None,
            probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], dtype=np.float32),
        )
        for e in (1, 2)
    )
    return TrialResult(**{"trial": trial(key), "status": "finished", "epochs": epochs, "selected_epoch": 2, **changes})


def write(store: Store, ended: TrialResult, *, tuning: Candidate | None = None) -> None:
    store.write(ended, TEST, fingerprint="f", model=MODEL, started="2026-11-01T10:00:00+00:00", tuning=tuning)


def stored(folder: Path, *keys: str, test: TokenizedSplit = TEST) -> list[StoredTrial]:
    return list(Store(folder).trials([trial(key) for key in keys or ("v1-aa",)], test, 2).values())


def test_a_finished_trial_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    (read_back,) = stored(tmp_path)
    assert read_back.status == "finished"
    assert read_back.record is not None
    assert read_back.record.selected_epoch == 2
    assert read_back.record.on_test is not None
    assert read_back.record.on_test.accuracy == pytest.approx(2 / 3)
    assert [epoch.epoch for epoch in read_back.record.epochs] == [1, 2]
    content = json.loads((tmp_path / "trials/v1-aa/record.json").read_text())
    written = (tmp_path / "trials/v1-aa/predictions.parquet").read_bytes()
    assert content["format"] == FORMAT
    assert content["predictions_sha256"] == hashlib.sha256(written).hexdigest()
    table = pq.read_table(tmp_path / "trials/v1-aa/predictions.parquet")
    assert table.column_names == ["epoch", "example_id", "label", "p_0", "p_1"]
    assert [str(field.type) for field in table.schema] == ["int32", "string", "int32", "float", "float"]
    assert table["example_id"].to_pylist() == ["a", "b", "c"] * 2
    assert table["epoch"].to_pylist() == [1, 1, 1, 2, 2, 2]
    assert table["p_1"].to_numpy()[:3] == pytest.approx([0.1, 0.8, 0.4])


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    text = (tmp_path / "trials/v1-aa/record.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["epochs"][0]["train_loss"] is None


def test_a_trial_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files are on the disk before their folder gets its name."""
    found: list[list[str]] = []
    rename = Path.rename

    def spy(self: Path, target: Path) -> Path:
        found.append(sorted(path.name for path in self.iterdir()))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", spy)
    write(Store(tmp_path), outcome())
    assert found == [["predictions.parquet", "record.json"]]
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["v1-aa"]


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        ("finished", "finished", "first"),
        ("finished", "interrupted", "first"),
        ("diverged", "finished", "first"),
        ("failed", "finished", "second"),
        ("interrupted", "failed", "second"),
    ],
)
def test_of_two_copies_of_a_trial_the_first_final_one_stays(
    tmp_path: Path, first: str, second: str, stays: str
) -> None:
    store, path = Store(tmp_path), tmp_path / "trials/v1-aa/record.json"
    contents = {}
    for name, status in (("first", first), ("second", second)):
        elsewhere = Store(tmp_path / name)
        write(elsewhere, replace(outcome(), status=status, steps=len(contents)))
        contents[name] = json.loads((tmp_path / name / "trials/v1-aa/record.json").read_text())["steps"]
        write(store, replace(outcome(), status=status, steps=contents[name]))
    assert json.loads(path.read_text())["steps"] == contents[stays]
    assert {file.name for file in path.parent.iterdir()} == {"predictions.parquet", "record.json"}
    assert list((tmp_path / ".writing").iterdir()) == []


def test_a_trial_that_finished_a_moment_ago_is_not_taken_away(tmp_path: Path) -> None:
    """Who wants to remove a folder looked at it before another worker put a finished trial there."""
    store = Store(tmp_path)
    unread = [StoredTrial(entry=TrialEntry(arm="full", seed=3, key="v1-aa"), status="not run")]
    write(store, outcome())
    assert store.set_aside(unread) == []
    assert [trial.status for trial in stored(tmp_path)] == ["finished"]
    write(store, replace(outcome("v1-bb"), status="failed"))
    assert not take_away(tmp_path / "trials/v1-bb", study=tmp_path, keeps=lambda _: True)
    assert take_away(tmp_path / "trials/v1-bb", study=tmp_path, keeps=lambda _: False)
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["v1-aa"]


def test_what_a_killed_process_was_writing_is_swept_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    (tmp_path / ".writing/v1-bb.0a1b").mkdir()
    (tmp_path / ".writing/v1-bb.0a1b/predictions.parquet").write_text("half")
    (tmp_path / ".study.json.0a1b.partial").write_text("{")
    store.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials"]
    assert [trial.status for trial in stored(tmp_path)] == ["finished"]


@pytest.mark.parametrize("fails_at", [1, 2, 3], ids=["predictions", "record", "folder"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    store = Store(tmp_path)
    write(store, outcome("v1-old"))
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
        write(store, outcome("v1-new"))
    assert [trial.status for trial in stored(tmp_path, "v1-old", "v1-new")] == ["finished", "not run"]
    assert not list(tmp_path.rglob("*.partial"))
    assert not list((tmp_path / ".writing").iterdir())


def test_thousands_of_trials_are_known_without_their_answers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in ("v1-aa", "v1-bb"):
        write(store, outcome(key))
    first, second = (one.predictions for one in stored(tmp_path, "v1-aa", "v1-bb"))
    assert first is not None
    assert first is second
    assert first.answers.size == 0
    assert store.keys() == {"v1-aa", "v1-bb"}
    assert Store(tmp_path / "none").keys() == set()


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "record.json"
        path.write_text(change(path.read_text()))

    return damage


def record(**changes: Any) -> Callable[[Path], None]:
    return text(lambda content: json.dumps(json.loads(content) | changes))


def column(
    name: str, values: list[object], kind: pa.DataType | None = None, *, hashed: bool = True
) -> Callable[[Path], None]:
    """Put other values in a column, and their hash in the record or none: what remains is what the values say."""

    def damage(folder: Path) -> None:
        path = folder / "predictions.parquet"
        table = pq.read_table(path)
        at = table.column_names.index(name)
        pq.write_table(table.set_column(at, name, pa.array(values * 2, kind or table.schema.field(name).type)), path)
        record(predictions_sha256=hashlib.sha256(path.read_bytes()).hexdigest() if hashed else None)(folder)

    return damage


def cut(folder: Path) -> None:
    path = folder / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:200])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "half a record": (text(lambda t: t[:100]), "EOF while parsing"),
    "no mapping": (text(lambda t: "[]"), "expected an object, got a list"),
    "not UTF-8": (
        lambda folder: (folder / "record.json").write_bytes(b'{"format": 1, "key": "\xff"}'),
        "invalid unicode",
    ),
    "nested too deep": (text(lambda t: t.replace("{", '{"x": ' + "[" * 9999 + "]" * 9999 + ",", 1)), "recursion limit"),
    "an infinite number": (text(lambda t: t.replace('"training": 0.0', '"training": 1e999')), "a finite number"),
    "a vast number": (record(pack_size=10**30), "pack_size"),
    "a text for a number": (record(selected_epoch="2"), "selected_epoch: expected a whole number, got '2'"),
    "no epochs": (record(epochs=None), "epochs: expected a list, got None"),
    "empty epochs": (record(epochs=[]), "names no epochs"),
    "an epoch that is not there": (record(selected_epoch=99), "no accuracy on test at epoch 99"),
    "seconds of text": (record(seconds="fast"), "seconds: expected an object, got 'fast'"),
    "another trial's": (record(key="v1-bb"), "belongs to key v1-bb"),
    "a record that is a folder": (
        lambda folder: [(folder / "record.json").unlink(), (folder / "record.json").mkdir()],
        "Is a directory",
    ),
    "no predictions": (lambda folder: (folder / "predictions.parquet").unlink(), "does not exist"),
    "half the predictions": (cut, "not the file that the trial's record names"),
    # Nothing vouches for the answers of an older record.
    "not a number": (column("p_0", [float("nan"), 1, 1], hashed=False), "not finite"),
    "1.5 and -0.5": (column("p_0", [-0.5, 0.2, 0.6], hashed=False), "outside 0 to 1"),
    "a sum of more": (column("p_0", [0.9, 0.9, 0.6], hashed=False), "do not add up to 1"),
    "labels of text": (column("label", ["0", "1", "1"], pa.string()), "the column label holds string"),
    "probabilities of text": (column("p_1", ["0.1", "0.8", "0.4"], pa.string()), "the column p_1 holds string"),
    "other labels": (column("label", [0, 1, 0]), "1 labels differ, first example 'c' with 0 against 1"),
    "other examples": (column("example_id", ["a", "b", "d"]), "1 missing ('c')"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_trial_is_set_aside_and_named_with_its_reason(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    damage, reason = DAMAGES[name]
    damage(tmp_path / "trials/v1-aa")
    damaged = stored(tmp_path)
    assert [trial.status for trial in damaged] == ["unreadable"]
    (message,) = store.set_aside(damaged)
    assert message.startswith("full seed 3: ")
    assert reason in message
    assert str(tmp_path / "set_aside/v1-aa.0") in message
    assert (tmp_path / "set_aside/v1-aa.0/record.json").exists()
    assert not (tmp_path / "trials/v1-aa").exists()
    assert [trial.status for trial in stored(tmp_path)] == ["not run"]


def test_answers_with_the_hash_of_their_record_are_left_to_the_analysis(tmp_path: Path) -> None:
    write(Store(tmp_path), outcome())
    column("p_0", [0.9, 0.9, 0.6])(tmp_path / "trials/v1-aa")
    assert [trial.status for trial in stored(tmp_path)] == ["finished"]
    entry, kind = TrialEntry(arm="full", seed=3, key="v1-aa"), AnswerKind.trained(2)
    assert "do not add up to 1" in read_trial(tmp_path, entry, kind=kind).message


def test_exchanged_predictions_are_found_in_both_trials(tmp_path: Path) -> None:
    store = Store(tmp_path)
    epochs = outcome().epochs
    other = [replace(epoch, probabilities=epoch.probabilities[:, ::-1]) for epoch in epochs]  # type: ignore[index]
    write(store, outcome("v1-aa"))
    write(store, outcome("v1-bb", epochs=tuple(other)))
    first, second = (tmp_path / f"trials/{key}/predictions.parquet" for key in ("v1-aa", "v1-bb"))
    before = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(before)
    exchanged = stored(tmp_path, "v1-aa", "v1-bb")
    assert [trial.status for trial in exchanged] == ["unreadable"] * 2
    assert all("changed or replaced" in trial.message for trial in exchanged)


def test_a_record_of_before_the_hash_is_as_good(tmp_path: Path) -> None:
    write(Store(tmp_path), outcome())
    path = tmp_path / "trials/v1-aa/record.json"
    content = json.loads(path.read_text())
    for key in ("predictions_sha256", "pack_size", "engine", "steps", "tokens", "seconds", "parameters", "streams"):
        del content[key]
    path.write_text(json.dumps(content))
    assert [trial.status for trial in stored(tmp_path)] == ["finished"]


def test_where_nothing_can_be_set_aside_the_place_is_named(tmp_path: Path) -> None:
    write(Store(tmp_path), outcome())
    DAMAGES["half a record"][0](tmp_path / "trials/v1-aa")
    (tmp_path / "set_aside").write_text("in the way")
    with pytest.raises(ResultsError, match=r"cannot be set aside in .*set_aside: File exists; move it away"):
        Store(tmp_path).set_aside(stored(tmp_path))
    assert (tmp_path / "trials/v1-aa/record.json").exists()


def test_predictions_of_a_few_bytes_a_number_come_back_bit_by_bit(tmp_path: Path) -> None:
    chances = np.random.default_rng(0).random(20_000, dtype=np.float32)
    table = pa.table({"label": pa.array(np.tile([0, 1], 10_000), pa.int32()), "p_0": chances})
    (tmp_path / "tight.parquet").write_bytes(content := parquet(table))
    assert pq.read_table(tmp_path / "tight.parquet").equals(table)
    pq.write_table(table, tmp_path / "plain.parquet", compression="zstd")
    assert len(content) < 0.8 * (tmp_path / "plain.parquet").stat().st_size


def test_predictions_without_a_record_are_a_trial_that_does_not_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    (tmp_path / "trials/v1-aa/record.json").unlink()
    assert [trial.status for trial in stored(tmp_path)] == ["not run"]
    assert store.set_aside(stored(tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tuning": None}, "is no record of candidate 4 of the search s"),
        ({"tuning": {"search": "s", "number": 5, "params": {}, "value": 0.5}}, "is no record of candidate 4"),
        ({"tuning": {"search": "s", "number": 4, "params": {"a": []}, "value": 0.5}}, "tuning.params.a"),
        ({"tuning": {"search": "s", "number": 4, "params": {}, "value": "high"}}, "tuning.value: expected a number"),
        ({"tuning": []}, "tuning: expected an object, got a list"),
    ],
)
def test_a_candidate_that_cannot_be_read_is_set_aside(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    store = Store(tmp_path)
    tuning = Candidate(search="s", number=4, params={"training.learning_rate": 0.1}, value=0.5)
    write(store, outcome(trial=replace(trial(), tuning=True)), tuning=tuning)
    messages: list[str] = []
    known = store.candidate("s", 4, fits=lambda _: True, say=messages.append)
    assert known is not None
    assert known.tuning == tuning
    record(**changes)(tmp_path / "tuning/s-0004")
    assert store.candidate("s", 4, fits=lambda _: True, say=messages.append) is None
    assert reason in messages[0]
    assert (tmp_path / "set_aside/s-0004.0/record.json").exists()


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outcome())
    path = tmp_path / "trials/v1-aa/record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": NEWER_FORMAT + 1}))
    with pytest.raises(ResultsError, match=f"format {NEWER_FORMAT + 1}"):
        stored(tmp_path)


def test_a_failed_trial_has_its_reason_and_no_predictions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failed = outcome(status="failed", epochs=(), selected_epoch=None, error=Failure(type="E", message="because"))
    write(store, failed)
    (read_back,) = stored(tmp_path)
    assert (read_back.status, read_back.message) == ("failed", "because")
    assert not (tmp_path / "trials/v1-aa/predictions.parquet").exists()


def test_trials_of_earlier_settings_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.others({"v1-aa"}) == 0
    for key in ("v1-aa", "v1-bb", "v1-cc"):
        write(store, outcome(key))
    assert store.others({"v1-aa"}) == 2
