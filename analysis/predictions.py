"""`predictions.parquet`: what a trained model said about every test example; `clusters.parquet`: how they group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.errors import RecordError

# Rounding to single precision, for any number of classes.
_SUM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What one trained model said about every test example after every epoch.

    Parameters
    ----------
    epochs
        The epochs, ascending.
    example_ids
        One text an example, in the order of the test split, shape (N,).
    labels
        The true classes, shape (N,).
    probabilities
        Class probabilities, shape (epochs, N, classes).
    """

    epochs: tuple[int, ...]
    example_ids: pa.StringArray
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def read_predictions(folder: Path, *, n_classes: int) -> Predictions:
    """Read the stored predictions of one trial.

    Parameters
    ----------
    folder
        The trial's folder.
    n_classes
        The number of classes of the study.

    Raises
    ------
    RecordError
        If the file is missing or unreadable, its epochs do not list the same examples, an example stands
        twice, a label is no class, or the probabilities of an example are not finite or do not add up to 1.
    """
    path = folder / "predictions.parquet"
    columns = [f"p_{label}" for label in range(n_classes)]
    table = _read_table(path, {"epoch", "example_id", "label", *columns})
    epoch = table["epoch"].to_numpy()
    labels = table["label"].to_numpy().astype(np.int64)
    ids = table["example_id"].cast(pa.string()).combine_chunks()
    epochs, counts = np.unique(epoch, return_counts=True)
    if not len(epochs):
        raise RecordError(f"{path} cannot be used: it holds no predictions")
    n = int(counts[0])
    if np.any(counts != n) or np.any(epoch != np.repeat(epochs, n)):
        raise RecordError(f"{path} cannot be used: its epochs do not list the same examples one after another")
    first_ids, first_labels = ids.slice(0, n), labels[:n]
    for start in range(n, len(labels), n):
        if not ids.slice(start, n).equals(first_ids) or np.any(labels[start : start + n] != first_labels):
            raise RecordError(f"{path} cannot be used: its epochs differ in their examples or labels")
    if len(first_ids.unique()) != n:
        raise RecordError(f"{path} cannot be used: an example id stands twice in one epoch")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise RecordError(f"{path} cannot be used: a label is outside 0 to {n_classes - 1}")
    probabilities = np.stack([table[column].to_numpy() for column in columns], axis=-1).astype(np.float32)
    if not np.isfinite(probabilities).all():
        raise RecordError(f"{path} cannot be used: a probability is not finite")
    if np.any(np.abs(probabilities.sum(axis=-1) - 1) > _SUM):
        raise RecordError(f"{path} cannot be used: the probabilities of an example do not add up to 1")
    return Predictions(
        epochs=tuple(int(number) for number in epochs),
        example_ids=first_ids,
        labels=first_labels,
        probabilities=probabilities.reshape(len(epochs), n, n_classes),
    )


def read_clusters(folder: Path) -> dict[str, str]:
    """Read which cluster each test example belongs to, by example id.

    Parameters
    ----------
    folder
        The results folder.

    Raises
    ------
    RecordError
        If the file is missing or unreadable, or an example stands twice.
    """
    path = folder / "clusters.parquet"
    table = _read_table(path, {"example_id", "cluster"})
    clusters = dict(zip(table["example_id"].to_pylist(), table["cluster"].to_pylist(), strict=True))
    if len(clusters) < table.num_rows:
        raise RecordError(f"{path} cannot be used: an example id stands twice")
    return clusters


def _read_table(path: Path, expected: set[str]) -> pa.Table:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist") from None
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None
    if set(table.column_names) != expected:
        raise RecordError(
            f"{path} cannot be used: expected the columns {', '.join(sorted(expected))}, "
            f"got {', '.join(table.column_names)}"
        )
    if any(column.null_count for column in table.columns):
        raise RecordError(f"{path} cannot be used: a value is missing")
    return table
