"""One trial on disk, and the study's manifest: the format that docs/records.md describes.

What is on disk is read by `analysis`, the one reader, so that no two commands can disagree about a trial.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import FormatError, RecordError
from analysis.records.format import FORMAT, Cell, Manifest, Record
from analysis.records.json_files import read_candidate, read_manifest
from analysis.records.predictions import Predictions
from analysis.records.stored_trials import StoredTrial, count_others, read_trials
from harness import provenance
from harness.atomic_file import atomic_write
from harness.data.tokenization import TokenizedSplit
from harness.engines.result import Epoch, Score, TrialResult
from harness.errors import ResultsError
from harness.seeding import streams
from harness.study.trials import Trial

__all__ = ["FINAL", "FORMAT", "Cell", "Manifest", "Record", "Store", "StoredTrial", "digest", "stamped"]

# Outcomes that a second run would repeat.
FINAL = {"finished", "diverged"}


class Store:
    """The folder of one study.

    Parameters
    ----------
    folder : Path
        ``results/<study>``; made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifest(self) -> Manifest | None:
        """Return study.json, or None where there is none.

        Raises
        ------
        ResultsError
            If it cannot be used, with every problem and what to do, or if another version wrote it.
        """
        path = self.folder / "study.json"
        if not os.path.lexists(path):
            return None
        try:
            return read_manifest(self.folder)
        except RecordError as error:
            raise ResultsError(str(error)) from None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write study.json."""
        _write(self.folder / "study.json", _json({"format": FORMAT, **manifest}))

    def write_clusters(self, test: TokenizedSplit, clusters: Sequence[str]) -> None:
        """Write clusters.parquet: the group of each test example."""
        table = pa.table({"example_id": pa.array(test.ids, pa.string()), "cluster": pa.array(clusters, pa.string())})
        _write(self.folder / "clusters.parquet", _parquet(table))

    def stored(self, manifest: Manifest) -> tuple[StoredTrial, ...]:
        """Return what is stored of every cell of the study, in the order of the manifest.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        return self.cells(manifest.cells, len(manifest.data.classes))

    def cells(self, cells: Sequence[Cell], n_classes: int) -> tuple[StoredTrial, ...]:
        """Return what is stored of some cells.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        return self._read(cells, n_classes)

    def trials(self, trials: Sequence[Trial], test: TokenizedSplit, n_classes: int) -> dict[str, StoredTrial]:
        """Return what is stored of trials by their keys; finished ones must be about the examples of the test split.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        examples = Predictions(
            epochs=(),
            example_ids=pa.array(test.ids, pa.string()),
            labels=np.asarray(test.labels, dtype=np.int64),
            probabilities=np.empty((0, len(test), n_classes), dtype=np.float32),
        )
        cells = [Cell(arm=trial.arm, seed=trial.seed, key=trial.key) for trial in trials]
        return {one.cell.key: one for one in self._read(cells, n_classes, examples)}

    def candidate(
        self, slot: str, *, search: str, number: int, fits: Callable[[Record], bool], say: Callable[[str], None]
    ) -> Record | None:
        """Return the record of a tuning trial, or None where there is none; one that cannot be used is set aside.

        Parameters
        ----------
        slot : str
            The folder's name.
        search, number : str and int
            The search that it belongs to, and its number there.
        fits : callable
            Whether what the record says was tried is what its key stands for.
        say : callable
            Is told what is set aside.

        Raises
        ------
        ResultsError
            If another version wrote it.
        """
        folder = self._trial(slot, True)
        if not os.path.lexists(folder / "record.json"):
            return None
        try:
            record = read_candidate(folder, search=search, number=number)
            if not fits(record):
                raise RecordError(f"{folder / 'record.json'} names other settings than those that were tried")
            return record
        except FormatError as error:
            raise ResultsError(str(error)) from None
        except RecordError as error:
            say(f"{error}; set aside as {self._aside(folder)}, and it runs again")
            return None

    def known_candidate(self, slot: str, *, search: str, number: int) -> Record | None:
        """Return the record of a tuning trial as it stands, or None where there is none that can be used.

        Raises
        ------
        ResultsError
            If another version wrote it.
        """
        try:
            return read_candidate(self._trial(slot, True), search=search, number=number)
        except FormatError as error:
            raise ResultsError(str(error)) from None
        except RecordError:
            return None

    def set_aside(self, trials: Sequence[StoredTrial]) -> list[str]:
        """Move the trials that cannot be read out of the way, and say so."""
        said = []
        for trial in trials:
            folder = self._trial(trial.cell.key, False)
            if trial.status == "unreadable":
                target = self._aside(folder)
                said.append(f"{trial.cell.name}: {trial.message}; set aside as {target}, and it runs again")
            elif trial.status == "not run" and folder.is_dir():
                # Predictions without a record are a trial that was cut short while it was written.
                shutil.rmtree(folder)
        return said

    def _aside(self, folder: Path) -> Path:
        aside = self.folder / "set_aside"
        try:
            aside.mkdir(exist_ok=True)
            target = next(p for i in range(10**6) if not os.path.lexists(p := aside / f"{folder.name}.{i}"))
            folder.rename(target)
        except OSError as error:
            raise ResultsError(
                f"{folder} cannot be read, and cannot be set aside in {aside}: {error.strerror}; move it away by hand"
            ) from None
        return target

    def _read(
        self, cells: Sequence[Cell], n_classes: int, examples: Predictions | None = None
    ) -> tuple[StoredTrial, ...]:
        try:
            return read_trials(self.folder, cells, n_classes=n_classes, examples=examples)
        except FormatError as error:
            raise ResultsError(str(error)) from None

    def write(
        self, outcome: TrialResult, test: TokenizedSplit, more: Mapping[str, Any], *, slot: str | None = None
    ) -> None:
        """Write one trial: predictions first, the record last.

        Parameters
        ----------
        outcome : TrialResult
            What became of the trial.
        test : TokenizedSplit
            The test split, in the order of the outcome's probabilities.
        more : mapping
            What the engine does not know: `provenance`, `data`, `model`.
        slot : str, optional
            The folder's name for a tuning trial: the search and the candidate's number.

        Raises
        ------
        ResultsError
            If the disk does not take it.
        """
        trial = outcome.trial
        folder = self._trial(slot or trial.key, trial.tuning)
        scored = [epoch for epoch in outcome.epochs if epoch.probabilities is not None]
        written = None
        if scored:
            predictions = _predictions(scored, test)
            written = hashlib.sha256(predictions).hexdigest()
            _write(folder / "predictions.parquet", predictions)
        _write(folder / "record.json", _json({**_record(outcome, more), "predictions_sha256": written}))

    def others(self, keys: set[str]) -> int:
        """Count the records in the folder that do not belong to the study as it is now."""
        return count_others(self.folder, keys)

    def _trial(self, key: str, tuning: bool) -> Path:
        return self.folder / ("tuning" if tuning else "trials") / key


def _record(outcome: TrialResult, more: Mapping[str, Any]) -> dict[str, Any]:
    trial = outcome.trial
    return {
        "format": FORMAT,
        "key": trial.key,
        "arm": trial.arm,
        "seed": trial.seed,
        "streams": streams(trial.seed).to_dict(),
        "status": outcome.status,
        "error": {"type": outcome.error.type, "message": outcome.error.message} if outcome.error else None,
        "settings": trial.content,
        "epochs": [
            {
                "epoch": epoch.epoch,
                "learning_rate": _number(epoch.learning_rate),
                "train_loss": _number(epoch.train_loss),
                "test": _score(epoch.test),
                "holdout": _score(epoch.holdout),
            }
            for epoch in outcome.epochs
        ],
        "selected_epoch": outcome.selected_epoch,
        "seconds": {
            "training": outcome.training_seconds,
            "evaluation": outcome.evaluation_seconds,
            "timing": outcome.timing,
        },
        "steps": outcome.steps,
        "tokens": outcome.tokens,
        "peak_memory": {"bytes": outcome.peak_memory, "method": outcome.memory_method},
        "parameters": {"total": outcome.total_parameters, "trainable": outcome.trainable_parameters},
        "engine": outcome.engine,
        "pack_size": outcome.pack_size,
        "device": {
            "type": outcome.device,
            "name": outcome.device_name,
            "precision": outcome.precision,
            "threads": outcome.threads,
        },
        **more,
    }


def _score(score: Score | None) -> dict[str, float | None] | None:
    return None if score is None else {"loss": _number(score.loss), "accuracy": _number(score.accuracy)}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _predictions(epochs: list[Epoch], test: TokenizedSplit) -> bytes:
    n, classes = len(test), epochs[0].probabilities.shape[1]  # type: ignore[union-attr]
    columns: dict[str, pa.Array] = {
        "epoch": pa.array([epoch.epoch for epoch in epochs for _ in range(n)], pa.int32()),
        "example_id": pa.array(list(test.ids) * len(epochs), pa.string()),
        "label": pa.array(test.labels.tolist() * len(epochs), pa.int32()),
    }
    for c in range(classes):
        values = [p for epoch in epochs for p in epoch.probabilities[:, c]]  # type: ignore[index]
        columns[f"p_{c}"] = pa.array(values, pa.float32())
    return _parquet(pa.table(columns))


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path) as stream:
            stream.write(content)
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}; what was stored before is kept") from error


def digest(content: Any) -> str:
    """Return a short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def stamped(started: str) -> dict[str, Any]:
    """Return the provenance of a trial that started then and ended now."""
    return {**provenance.describe(), "started": started, "ended": provenance.now()}
