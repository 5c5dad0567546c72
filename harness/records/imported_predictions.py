"""Predictions of imported runs: predictions.parquet, written quickly for runs that share their examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from analysis.sources.arrow import number_column
from analysis.sources.runs import Run, Runs
from harness.records.record import parquet


def shared_columns(runs: Runs) -> dict[str, pa.Array]:
    """Return the columns that every run has alike."""
    columns = {"example_id": runs.example_ids}
    if runs.labels is not None:
        columns["label"] = number_column(runs.labels.astype(np.int32 if runs.classes else np.float64))
    return columns


def predictions_file(run: Run, shared: Mapping[str, pa.Array]) -> memoryview:
    """Return predictions.parquet of a run.

    Parameters
    ----------
    run : Run
        The run.
    shared : mapping of str to pa.Array
        From `shared_columns`.
    """
    epochs = len(run.epochs)
    n = run.answers.shape[1]
    columns = {
        "epoch": number_column(np.repeat(np.array(run.epochs, np.int32), n)),
        **{name: pa.chunked_array([column] * epochs) for name, column in shared.items()},
    }
    if run.answers.ndim == 3:
        flat = run.answers.reshape(epochs * n, -1)
        columns |= {f"p_{label}": number_column(flat[:, label].astype(np.float32)) for label in range(flat.shape[1])}
    else:
        kind = np.int32 if run.answers.dtype.kind == "i" else np.float64
        columns["prediction" if "label" in shared else "score"] = number_column(run.answers.ravel().astype(kind))
    return parquet(pa.table(columns))
