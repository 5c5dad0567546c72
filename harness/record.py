"""One trial on disk, and the study's manifest: the format that docs/records.md describes."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness import provenance
from harness.data import Split
from harness.engines import Epoch, Outcome, Score
from harness.errors import ResultsError
from harness.seeding import streams
from harness.whole import whole_file

FORMAT = 1
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

    def manifest(self) -> dict[str, Any] | None:
        """Return study.json, or None where there is none.

        Raises
        ------
        ResultsError
            If it cannot be read, or a newer version wrote it.
        """
        path = self.folder / "study.json"
        if not path.exists():
            return None
        return _read_json(path)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write study.json."""
        _write(self.folder / "study.json", _json({"format": FORMAT, **manifest}))

    def write_clusters(self, test: Split, clusters: Sequence[str]) -> None:
        """Write clusters.parquet: the group of each test example."""
        table = pa.table({"example_id": pa.array(test.ids, pa.string()), "cluster": pa.array(clusters, pa.string())})
        _write(self.folder / "clusters.parquet", _parquet(table))

    def record(self, key: str, *, tuning: bool = False) -> dict[str, Any] | None:
        """Return the record of one trial, or None where there is none that can be read."""
        folder = self._trial(key, tuning)
        path = folder / "record.json"
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text("utf-8"))
            version = found["format"]
            if not isinstance(version, int):
                return None
            if version <= FORMAT and found["status"] in FINAL and found["epochs"] and not tuning:
                pq.read_schema(folder / "predictions.parquet")
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return None
        _check_version(path, version)
        return dict(found)

    def set_aside_broken(self, keys: Mapping[str, str]) -> list[str]:
        """Move the trials that cannot be read out of the way, and say so.

        Parameters
        ----------
        keys : mapping of str to str
            For each key the name of its cell.
        """
        said = []
        for key, cell in keys.items():
            folder = self._trial(key, False)
            if folder.is_dir() and self.record(key) is None:
                if not (folder / "record.json").exists():
                    # Predictions without a record are a trial that was cut short while it was written.
                    shutil.rmtree(folder)
                    continue
                aside = self.folder / "set_aside"
                aside.mkdir(exist_ok=True)
                target = next(p for i in range(10**6) if not (p := aside / f"{key}.{i}").exists())
                folder.rename(target)
                said.append(f"{cell}: its record could not be read; set aside as {target}, and it runs again")
        return said

    def write(self, outcome: Outcome, test: Split, more: Mapping[str, Any], *, slot: str | None = None) -> None:
        """Write one trial: predictions first, the record last.

        Parameters
        ----------
        outcome : Outcome
            What became of the trial.
        test : Split
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
        if scored:
            _write_predictions(folder / "predictions.parquet", scored, test)
        _write(folder / "record.json", _json(_record(outcome, more)))

    def others(self, keys: set[str]) -> int:
        """Count the trials in the folder that do not belong to the study as it is now."""
        trials = self.folder / "trials"
        return sum(path.name not in keys for path in trials.iterdir()) if trials.is_dir() else 0

    def _trial(self, key: str, tuning: bool) -> Path:
        return self.folder / ("tuning" if tuning else "trials") / key


def _record(outcome: Outcome, more: Mapping[str, Any]) -> dict[str, Any]:
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


def _write_predictions(path: Path, epochs: list[Epoch], test: Split) -> None:
    n, classes = len(test), epochs[0].probabilities.shape[1]  # type: ignore[union-attr]
    columns: dict[str, pa.Array] = {
        "epoch": pa.array([epoch.epoch for epoch in epochs for _ in range(n)], pa.int32()),
        "example_id": pa.array(list(test.ids) * len(epochs), pa.string()),
        "label": pa.array(test.labels.tolist() * len(epochs), pa.int32()),
    }
    for c in range(classes):
        values = [p for epoch in epochs for p in epoch.probabilities[:, c]]  # type: ignore[index]
        columns[f"p_{c}"] = pa.array(values, pa.float32())
    _write(path, _parquet(pa.table(columns)))


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path} cannot be read ({error}); move it away, and the study starts from its records"
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise ResultsError(f"{path} is no study manifest: it has no format number")
    _check_version(path, found["format"])
    return found


def _check_version(path: Path, version: int) -> None:
    if version > FORMAT:
        raise ResultsError(
            f"{path} has format {version}; this version of the harness reads up to {FORMAT}. Update ablation-harness"
        )


def _write(path: Path, content: bytes) -> None:
    try:
        with whole_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}; what was stored before is kept") from error


def digest(content: Any) -> str:
    """Return a short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def stamped(started: str) -> dict[str, Any]:
    """Return the provenance of a trial that started then and ended now."""
    return {**provenance.describe(), "started": started, "ended": provenance.now()}
