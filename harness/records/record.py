"""Trial record: what a run writes about one trial, record.json and predictions.parquet."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.records.format import FORMAT
from analysis.records.trial_record import (
    Candidate,
    Device,
    DrawnExamples,
    EpochEntry,
    Failure,
    Parameters,
    PeakMemory,
    Provenance,
    RecordedData,
    RecordedModel,
    Seconds,
    SplitScores,
    StreamSeeds,
    TrialRecord,
)
from harness import provenance
from harness.data.tokenization import TokenizedSplit
from harness.engines.result import Epoch, Score, TrialResult

__all__ = ["FORMAT", "Candidate", "RecordedModel", "TrialRecord", "digest", "predictions_of", "record_of"]


def record_of(
    outcome: TrialResult,
    *,
    fingerprint: str,
    n_test: int,
    model: RecordedModel,
    started: str,
    predictions_sha256: str | None,
    tuning: Candidate | None = None,
    drawn: Sequence[str] | None = None,
) -> TrialRecord:
    """Return the record of a trial that ends now.

    Parameters
    ----------
    outcome : TrialResult
        What became of the trial.
    fingerprint : str
        A hash of the processed data.
    n_test : int
        Test examples; a tuning trial is not scored on them, and its record does not name them.
    model : RecordedModel
        What the trial started from.
    started : str
        When it started, ISO 8601.
    predictions_sha256 : str or None
        The hash of its predictions.parquet, where it has one.
    tuning : Candidate, optional
        The candidate that it trained for a search.
    drawn : sequence of str, optional
        The ids of the training set that its seed drew, hold-out included; leave out where it took all examples.
    """
    trial, error = outcome.trial, outcome.error
    sizes: dict[str, Any] = {"n_train": outcome.n_train, "n_test": n_test, "n_holdout": outcome.n_holdout}
    # A key that is not given is not written.
    of_search: dict[str, Any] = {}
    if tuning is not None:
        of_search = {"tuning": tuning}
        del sizes["n_test"]
    if drawn is not None:
        sizes["drawn"] = DrawnExamples(n=len(drawn), sha256=hashlib.sha256("\n".join(drawn).encode()).hexdigest())
    return TrialRecord(
        format=FORMAT,
        key=trial.key,
        arm=trial.arm,
        seed=trial.seed,
        streams=StreamSeeds(**trial.streams.to_dict()),
        status=outcome.status,
        error=Failure(type=error.type, message=error.message) if error else None,
        settings=dict(trial.content),
        epochs=tuple(_epoch(epoch) for epoch in outcome.epochs),
        selected_epoch=outcome.selected_epoch,
        seconds=Seconds(
            training=outcome.training_seconds, evaluation=outcome.evaluation_seconds, timing=outcome.timing
        ),
        steps=outcome.steps,
        tokens=outcome.tokens,
        peak_memory=PeakMemory(bytes=outcome.peak_memory, method=outcome.memory_method),
        parameters=Parameters(total=outcome.total_parameters, trainable=outcome.trainable_parameters),
        engine=outcome.engine,
        pack_size=outcome.pack_size,
        device=Device(
            type=outcome.device, name=outcome.device_name, precision=outcome.precision, threads=outcome.threads
        ),
        **of_search,
        data=RecordedData(fingerprint=fingerprint, **sizes),
        model=model,
        provenance=Provenance(**(outcome.provenance or provenance.describe()), started=started, ended=provenance.now()),
        predictions_sha256=predictions_sha256,
    )


def _epoch(epoch: Epoch) -> EpochEntry:
    return EpochEntry(
        epoch=epoch.epoch,
        learning_rate=_finite(epoch.learning_rate),
        train_loss=_finite(epoch.train_loss),
        test=_scores(epoch.test),
        holdout=_scores(epoch.holdout),
    )


def _scores(score: Score | None) -> SplitScores | None:
    if score is None:
        return None
    loss = _finite(score.loss)
    # A regression has no accuracy, and its records no such key.
    return (
        SplitScores(loss=loss) if score.accuracy is None else SplitScores(loss=loss, accuracy=_finite(score.accuracy))
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def predictions_of(outcome: TrialResult, test: TokenizedSplit) -> bytes | None:
    """Return predictions.parquet: a row for each epoch and test example; None where no epoch was scored on test."""
    epochs = [(epoch.epoch, epoch.probabilities) for epoch in outcome.epochs if epoch.probabilities is not None]
    if not epochs:
        return None
    n, regression = len(test), np.issubdtype(test.labels.dtype, np.floating)
    columns: dict[str, pa.Array] = {
        "epoch": pa.array([epoch for epoch, _ in epochs for _ in range(n)], pa.int32()),
        "example_id": pa.array(list(test.ids) * len(epochs), pa.string()),
        "label": pa.array(test.labels.tolist() * len(epochs), pa.float64() if regression else pa.int32()),
    }
    for c in range(epochs[0][1].shape[1]):
        values = [p for _, outputs in epochs for p in outputs[:, c]]
        columns["prediction" if regression else f"p_{c}"] = pa.array(values, pa.float32())
    return parquet(pa.table(columns))


def parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    # Probabilities hardly repeat, so a dictionary would hold them a second time; and nobody reads statistics.
    few = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=few, write_statistics=False)
    return bytes(sink.getvalue().to_pybytes())


def digest(content: Any) -> str:
    """Return a short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
