"""Stored predictions: `predictions.parquet` of a trial, and `clusters.parquet` of a study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from numpy.typing import NDArray

from analysis.errors import RecordError

# Rounding to single precision, for any number of classes.
_SUM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The predictions of one trained model for every test example after every epoch.

    Parameters
    ----------
    epochs : tuple of int
        The epochs, ascending.
    example_ids : pa.StringArray
        One text per example, in the order of the test split, shape (N,).
    labels : ndarray of int64 or float64, shape (N,)
        The true classes, or the true numbers of a regression.
    probabilities : ndarray of float32, shape (epochs, N, classes)
        Class probabilities; of a regression the predicted numbers, shape (epochs, N, 1).
    """

    epochs: tuple[int, ...]
    example_ids: pa.StringArray
    labels: NDArray[np.int64] | NDArray[np.float64]
    probabilities: NDArray[np.float32]

    def same_examples(self, other: Predictions) -> bool:
        """Whether both are about the same examples, in one order and with the same labels."""
        return bool(self.example_ids.equals(other.example_ids)) and np.array_equal(self.labels, other.labels)


def read_predictions(folder: Path, *, n_classes: int, sha256: str | None = None) -> Predictions:
    """Read the stored predictions of one trial.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    n_classes : int
        The number of classes of the study; 0 in a regression.
    sha256 : str or None
        The hash of the file that the trial's record names; where None the file is taken as it is.

    Raises
    ------
    RecordError
        If the file is missing, unreadable or not the one that the record names, a column has another type, its epochs
        do not list the same examples, an example occurs twice, a label is no class, the probabilities of an example are
        outside 0 to 1 or do not add up to 1, or a number is not finite.
    """
    path = folder / "predictions.parquet"
    columns = [f"p_{label}" for label in range(n_classes)] or ["prediction"]
    content = _bytes(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise RecordError(f"{path} is not the file that the trial's record names: it was changed or replaced")
    of_label = kinds.is_integer if n_classes else kinds.is_floating
    expected = {"epoch": kinds.is_integer, "example_id": _is_text, "label": of_label}
    table = _table(path, content, expected | dict.fromkeys(columns, kinds.is_floating))
    epoch = _numbers(table["epoch"])
    labels: NDArray[Any] = _numbers(table["label"]).astype(np.int64 if n_classes else np.float64)
    if not np.isfinite(labels).all():
        raise RecordError(f"{path} cannot be used: a label is not finite")
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
        raise RecordError(f"{path} cannot be used: an example id occurs twice in one epoch")
    if n_classes and (labels.min() < 0 or labels.max() >= n_classes):
        raise RecordError(f"{path} cannot be used: a label is outside 0 to {n_classes - 1}")
    probabilities = np.stack([_numbers(table[column]) for column in columns], axis=-1).astype(np.float32)
    if not np.isfinite(probabilities).all():
        raise RecordError(f"{path} cannot be used: a {'probability' if n_classes else 'prediction'} is not finite")
    if n_classes and (probabilities.min() < 0 or probabilities.max() > 1 + _SUM):
        raise RecordError(f"{path} cannot be used: a probability is outside 0 to 1")
    if n_classes and np.any(np.abs(probabilities.sum(axis=-1) - 1) > _SUM):
        raise RecordError(f"{path} cannot be used: the probabilities of an example do not add up to 1")
    return Predictions(
        epochs=tuple(int(number) for number in epochs),
        example_ids=first_ids,
        labels=first_labels,
        probabilities=probabilities.reshape(len(epochs), n, len(columns)),
    )


def read_clusters(folder: Path) -> dict[str, str]:
    """Read which cluster each test example belongs to, by example id.

    Parameters
    ----------
    folder : Path
        The results folder.

    Raises
    ------
    RecordError
        If the file is missing or unreadable, or an example occurs twice.
    """
    path = folder / "clusters.parquet"
    table = _table(path, _bytes(path), {"example_id": _is_text, "cluster": _is_text})
    clusters = dict(zip(table["example_id"].to_pylist(), table["cluster"].to_pylist(), strict=True))
    if len(clusters) < table.num_rows:
        raise RecordError(f"{path} cannot be used: an example id occurs twice")
    return clusters


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise RecordError(f"{path} does not exist") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None


def _table(path: Path, content: bytes, expected: Mapping[str, Callable[[pa.DataType], bool]]) -> pa.Table:
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"{path} cannot be read: {_first_line(error)}") from None
    if sorted(table.column_names) != sorted(expected):
        raise RecordError(
            f"{path} cannot be used: expected the columns {', '.join(sorted(expected))}, "
            f"got {', '.join(table.column_names)}"
        )
    for name, is_right in expected.items():
        if not is_right(table.schema.field(name).type):
            raise RecordError(f"{path} cannot be used: the column {name} holds {table.schema.field(name).type}")
    if any(column.null_count for column in table.columns):
        raise RecordError(f"{path} cannot be used: a value is missing")
    return table


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as an array; pyarrow's own `to_numpy` would load pandas, which nothing here needs."""
    return np.from_dlpack(column.combine_chunks())


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
