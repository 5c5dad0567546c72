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
from analysis.sources.arrow import number_column, text_column
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


def predictions_of(outcome: TrialResult, test: TokenizedSplit) -> memoryview | None:
    """Return predictions.parquet: a row for each epoch and test example; None where no epoch was scored on test."""
    epochs = [(epoch.epoch, epoch.probabilities) for epoch in outcome.epochs if epoch.probabilities is not None]
    if not epochs:
        return None
    n, regression = len(test), np.issubdtype(test.labels.dtype, np.floating)
    labels = np.tile(test.labels, len(epochs)).astype(np.float64 if regression else np.int32)
    columns: dict[str, pa.Array] = {
        "epoch": number_column(np.repeat(np.array([epoch for epoch, _ in epochs], np.int32), n)),
        "example_id": pa.concat_arrays([text_column(test.ids)] * len(epochs)),
        "label": number_column(labels),
    }
    answers = np.concatenate([outputs for _, outputs in epochs]).astype(np.float32)
    for c in range(answers.shape[1]):
        columns["prediction" if regression else f"p_{c}"] = number_column(answers[:, c])
    return parquet(pa.table(columns))


def parquet(table: pa.Table) -> memoryview:
    """Return a table as the bytes of a Parquet file, as small as its kinds of columns allow.

    Few whole numbers differ, so they have a dictionary. The bytes of other numbers are sorted by their place, as first
    and last bytes have little in common. Nobody reads statistics.
    """
    kinds = {field.name: field.type for field in table.schema}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=3,
        use_dictionary=[name for name, kind in kinds.items() if pa.types.is_integer(kind)],
        use_byte_stream_split=[name for name, kind in kinds.items() if pa.types.is_floating(kind)],
        write_statistics=False,
    )
    return memoryview(sink.getvalue())


def digest(content: Any) -> str:
    """Return a short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
