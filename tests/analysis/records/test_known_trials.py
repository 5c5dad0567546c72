"""Known trials: what is read again and again is what is read once, without its answers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.records import predictions
from analysis.records.json_files import read_manifest
from analysis.records.stored_trials import KnownTrials, StoredTrial, read_trials


def told(trials: tuple[StoredTrial, ...]) -> list[tuple[Any, ...]]:
    return [(trial.entry, trial.status, trial.message, trial.record) for trial in trials]


def test_what_is_known_is_what_is_there(study: Any) -> None:
    manifest = read_manifest(study.root)
    kind, known = manifest.data.answer_kind, KnownTrials()

    def check() -> tuple[StoredTrial, ...]:
        trials = read_trials(study.root, manifest.cells, kind=kind, known=known)
        assert told(trials) == told(read_trials(study.root, manifest.cells, kind=kind))
        return trials

    first = check()
    stored = [trial.predictions for trial in first]
    # Answers fill memory; examples are held once.
    assert all(one is stored[0] and one is not None and one.answers.size == 0 for one in stored)
    assert [id(trial) for trial in check()] == [id(trial) for trial in first]
    study.end("full", 1, "diverged", "the loss is not finite")
    study.forget("full", 2)
    (study.trial("full", 3) / "predictions.parquet").write_bytes(b"PAR1")
    (study.trial("full", 4) / "record.json").write_text('{"format": 1')

    def other_labels(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("label")
        return table.set_column(at, "label", pa.array(1 - np.asarray(table["label"]), pa.int32()))

    study.change_predictions("full", 5, other_labels)
    statuses = {trial.entry.name: trial.status for trial in check()}
    assert [statuses[f"full seed {seed}"] for seed in range(6)] == [
        "finished",
        "diverged",
        "not run",
        "unreadable",
        "unreadable",
        "unreadable",
    ]
    # What goes is seen.
    study.forget("lora-r2", 0)
    assert {trial.entry.name: trial.status for trial in check()}["lora-r2 seed 0"] == "not run"


def test_examples_that_all_trials_share_are_decoded_once(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, decoded = read_manifest(study.root), []
    examples = predictions._examples

    def counted(path: Path, *args: Any) -> Any:
        decoded.append(path)
        return examples(path, *args)

    monkeypatch.setattr(predictions, "_examples", counted)
    read_trials(study.root, manifest.cells, kind=manifest.data.answer_kind, known=KnownTrials())
    assert len(manifest.cells) > len(decoded) == 1


def hash_all(study: Any) -> None:
    """Name in every record the hash of its predictions."""
    for arm, seed in study.keys:
        sha256 = hashlib.sha256((study.trial(arm, seed) / "predictions.parquet").read_bytes()).hexdigest()
        study.change_record(arm, seed, lambda content, sha256=sha256: content.update(predictions_sha256=sha256))


def test_answers_are_read_only_where_no_hash_vouches_for_them(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_all(study)
    study.change_record("full", 3, lambda content: content.pop("predictions_sha256"))
    manifest, decoded = read_manifest(study.root), []
    fault = predictions._fault_in_answers

    def counted(answers: Any, kind: Any) -> str:
        decoded.append(answers)
        return fault(answers, kind)

    monkeypatch.setattr(predictions, "_fault_in_answers", counted)
    trials = read_trials(study.root, manifest.cells, kind=manifest.data.answer_kind, known=KnownTrials())
    assert {trial.status for trial in trials} == {"finished"}
    assert len({id(trial.predictions) for trial in trials}) == len(decoded) == 1


@pytest.mark.parametrize("damage", ["a bit", "cut", "replaced", "gone"])
def test_a_damaged_file_is_found_though_its_answers_are_not_read(study: Any, damage: str) -> None:
    hash_all(study)
    path = study.trial("lora-r8", 2) / "predictions.parquet"
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "replaced":
        path.write_bytes((study.trial("full", 2) / "predictions.parquet").read_bytes())
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    manifest = read_manifest(study.root)
    kind = manifest.data.answer_kind
    trials = read_trials(study.root, manifest.cells, kind=kind, known=KnownTrials())
    assert [trial.entry.name for trial in trials if trial.status == "unreadable"] == ["lora-r8 seed 2"]
    assert told(trials) == told(read_trials(study.root, manifest.cells, kind=kind))


def test_examples_are_compared_though_answers_are_not_read(study: Any) -> None:
    def reversed_labels(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("label")
        return table.set_column(at, "label", pa.array(1 - np.asarray(table["label"]), pa.int32()))

    study.change_predictions("full", 1, reversed_labels)
    study.change_record("full", 2, lambda content: content["epochs"][0].update(epoch=2))
    study.change_record("full", 2, lambda content: content.update(selected_epoch=2))
    hash_all(study)
    manifest = read_manifest(study.root)
    kind = manifest.data.answer_kind
    trials = read_trials(study.root, manifest.cells, kind=kind, known=KnownTrials())
    messages = {trial.entry.name: trial.message for trial in trials if trial.status == "unreadable"}
    assert "400 labels differ" in messages.pop("full seed 1")
    assert "names the epochs [2]" in messages.pop("full seed 2")
    assert not messages
    assert told(trials) == told(read_trials(study.root, manifest.cells, kind=kind))


def test_a_file_that_is_written_anew_with_the_same_size_and_time_is_read(study: Any) -> None:
    manifest, known = read_manifest(study.root), KnownTrials()
    (entry, *_) = manifest.cells
    kind = manifest.data.answer_kind
    path = study.root / "trials" / entry.key / "record.json"
    before = known.read(study.root, entry, kind=kind)
    state = path.stat()
    new = path.with_suffix(".new")
    new.write_text(path.read_text().replace('"steps": 100', '"steps": 200'))
    os.utime(new, ns=(state.st_atime_ns, state.st_mtime_ns))
    new.replace(path)
    assert path.stat().st_size == state.st_size
    after = known.read(study.root, entry, kind=kind)
    assert before.record is not None
    assert after.record is not None
    assert (before.record.steps, after.record.steps) == (100, 200)
