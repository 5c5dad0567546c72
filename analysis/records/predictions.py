"""Stored predictions: `predictions.parquet` of a trial; `clusters.parquet` and `examples.parquet` of a study."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from numpy.typing import NDArray

from analysis.errors import RecordError
from analysis.metrics.classes import class_dtype
from analysis.records.data_entry import AnswerKind
from analysis.records.shared_bytes import SharedBytes, shared_bytes

# Rounding to single precision, for any number of classes.
_SUM = 1e-3
_IsRight = Callable[[pa.DataType], bool]
# What is read; the numbers of a regression stay as they are stored.
_TYPES = {"probabilities": np.float32, "scores": np.float64}
_NOUNS = {"probabilities": "probability", "scores": "score"}


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
        The true classes, or the true numbers of a regression; empty beside scores, which need none.
    answers : ndarray, shape (epochs, N) or (epochs, N, classes)
        Probabilities (float32, the last axis is the class), predicted classes (the smallest unsigned integers that hold
        them), predicted numbers (float32 or float64, as stored), or scores (float64).
    shared : SharedBytes or None
        How the epochs, the ids and the labels stand in the file; None where they come from no file.
    """

    epochs: tuple[int, ...]
    example_ids: pa.StringArray
    labels: NDArray[np.int64] | NDArray[np.float64]
    answers: NDArray[Any]
    shared: SharedBytes | None = None

    def same_examples(self, other: Predictions) -> bool:
        """Whether both are about the same examples, in one order and with the same labels."""
        if self.example_ids is other.example_ids and self.labels is other.labels:
            return True
        return bool(self.example_ids.equals(other.example_ids)) and np.array_equal(self.labels, other.labels)

    def without_answers(self) -> Predictions:
        """Return what they are about; themselves where they have no answers."""
        return dataclasses.replace(self, answers=np.empty(0)) if self.answers.size else self


def read_predictions(
    folder: Path, *, kind: AnswerKind, sha256: str | None = None, like: Predictions | None = None
) -> Predictions:
    """Read the stored predictions of one trial.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    kind : AnswerKind
        What the trials of the study answer.
    sha256 : str or None
        The hash of the file that the trial's record names; where None the file is taken as it is.
    like : Predictions or None
        Those of another trial of the study. What both files hold as the same bytes is not read again.

    Raises
    ------
    RecordError
        If the file is missing, unreadable or not the one that the record names, a column has another type, its epochs
        do not list the same examples, an example occurs twice, a label or a prediction is no class, the probabilities
        of an example are outside 0 to 1 or do not add up to 1, or a number is not finite.
    """
    path = folder / "predictions.parquet"
    file, examples = _opened(path, kind, sha256, like)
    of_answers = list(_columns(kind)[1])
    columns = _read(path, file, of_answers)
    if columns.num_rows != len(examples.epochs) * len(examples.example_ids):
        raise RecordError(f"{path} cannot be used: its columns are not equally long")
    # Column by column, as they are stored: what is worked out class by class then goes through rows of numbers.
    answers = np.stack([_numbers(columns[name]) for name in of_answers])
    answers = answers.astype(_TYPES.get(kind.answers, answers.dtype), copy=False)
    by_class = answers.reshape(len(of_answers), len(examples.epochs), -1).transpose(1, 2, 0)
    answers = by_class if kind.answers == "probabilities" else by_class[..., 0]
    if fault := _fault_in_answers(answers, kind):
        raise RecordError(f"{path} cannot be used: {fault}")
    if kind.answers == "classes":
        answers = answers.astype(class_dtype(kind.n_classes))
    return dataclasses.replace(examples, answers=answers)


def read_examples(folder: Path, *, kind: AnswerKind, sha256: str, like: Predictions | None = None) -> Predictions:
    """Read what the stored predictions of one trial are about, and leave its answers unread.

    The hash says that the file is the one whose answers were checked before the record was written.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    kind : AnswerKind
        What the trials of the study answer.
    sha256 : str
        The hash of the file that the trial's record names.
    like : Predictions or None
        Those of another trial of the study. It is returned itself where it has no answers and both files hold the same
        bytes.

    Raises
    ------
    RecordError
        As `read_predictions`, but for what only the answers could tell.
    """
    return _opened(folder / "predictions.parquet", kind, sha256, like)[1].without_answers()


def _opened(
    path: Path, kind: AnswerKind, sha256: str | None, like: Predictions | None
) -> tuple[pq.ParquetFile, Predictions]:
    """Open a file of predictions; return it, and its examples as `like` has them or read from it."""
    content = _bytes(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise RecordError(f"{path} is not the file that the trial's record names: it was changed or replaced")
    of_label, of_answers = _columns(kind)
    of_examples = {"epoch": kinds.is_integer, "example_id": _is_text} | of_label
    file, schema = _open(path, content, of_examples | of_answers)
    shared = shared_bytes(content, file, schema, list(of_examples))
    if like is None or like.shared != shared:
        like = _examples(path, _read(path, file, list(of_examples)), kind, shared)
    return file, like


def _examples(path: Path, table: pa.Table, kind: AnswerKind, shared: SharedBytes) -> Predictions:
    """Return epochs, ids and labels as predictions without answers."""
    epoch = _numbers(table["epoch"])
    labels: NDArray[Any] = _numbers(table["label"]) if "label" in table.column_names else np.empty(0)
    labels = labels.astype(np.int64 if kind.n_classes else np.float64)
    ids = table["example_id"].cast(pa.string()).combine_chunks()
    epochs, counts = np.unique(epoch, return_counts=True)
    if not len(epochs):
        raise RecordError(f"{path} cannot be used: it holds no predictions")
    n = int(counts[0])
    if np.any(counts != n) or np.any(epoch != np.repeat(epochs, n)):
        raise RecordError(f"{path} cannot be used: its epochs do not list the same examples one after another")
    first_ids, first_labels = ids.slice(0, n), labels[:n]
    for start in range(n, len(epoch), n):
        if not ids.slice(start, n).equals(first_ids) or np.any(labels[start : start + n] != first_labels):
            raise RecordError(f"{path} cannot be used: its epochs differ in their examples or labels")
    if len(first_ids.unique()) != n:
        raise RecordError(f"{path} cannot be used: an example id occurs twice in one epoch")
    if fault := _fault_in_labels(first_labels, kind):
        raise RecordError(f"{path} cannot be used: {fault}")
    return Predictions(
        epochs=tuple(int(number) for number in epochs),
        example_ids=first_ids,
        labels=first_labels,
        answers=np.empty(0),
        shared=shared,
    )


def _columns(kind: AnswerKind) -> tuple[dict[str, _IsRight], dict[str, _IsRight]]:
    """Return the columns of the labels and of the answers, each with the check of its type."""
    if kind.answers == "scores":
        return {}, {"score": kinds.is_floating}
    if kind.answers == "numbers":
        return {"label": kinds.is_floating}, {"prediction": kinds.is_floating}
    if kind.answers == "classes":
        return {"label": kinds.is_integer}, {"prediction": kinds.is_integer}
    return {"label": kinds.is_integer}, {f"p_{label}": kinds.is_floating for label in range(kind.n_classes)}


def _fault_in_labels(labels: NDArray[Any], kind: AnswerKind) -> str:
    if not np.isfinite(labels).all():
        return "a label is not finite"
    if kind.n_classes and (labels.min() < 0 or labels.max() >= kind.n_classes):
        return f"a label is outside 0 to {kind.n_classes - 1}"
    return ""


def _fault_in_answers(answers: NDArray[Any], kind: AnswerKind) -> str:
    if not np.isfinite(answers).all():
        return f"a {_NOUNS.get(kind.answers, 'prediction')} is not finite"
    if kind.answers == "classes" and (answers.min() < 0 or answers.max() >= kind.n_classes):
        return f"a prediction is outside 0 to {kind.n_classes - 1}"
    if kind.answers != "probabilities":
        return ""
    if answers.min() < 0 or answers.max() > 1 + _SUM:
        return "a probability is outside 0 to 1"
    if np.any(np.abs(answers.sum(axis=-1) - 1) > _SUM):
        return "the probabilities of an example do not add up to 1"
    return ""


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


def read_texts(folder: Path, example_ids: Sequence[str]) -> dict[str, str] | None:
    """Read the texts of test examples, by example id; None where the study stores none.

    Parameters
    ----------
    folder : Path
        The results folder.
    example_ids : sequence of str
        The examples that are asked for.

    Raises
    ------
    RecordError
        If the file is unreadable, or about other examples.
    """
    path = folder / "examples.parquet"
    if not path.exists():
        return None
    table = _table(path, _bytes(path), {"example_id": _is_text, "text": _is_text, "label": _is_number})
    texts = dict(zip(table["example_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    if lost := [example for example in example_ids if example not in texts]:
        raise RecordError(
            f"{path} cannot be used: it has no text for {len(lost)} of {len(example_ids)} examples, first {lost[0]!r}"
        )
    return {example: texts[example] for example in example_ids}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise RecordError(f"{path} does not exist") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None


def _table(path: Path, content: bytes, expected: Mapping[str, _IsRight]) -> pa.Table:
    file, _ = _open(path, content, expected)
    return _read(path, file, list(expected))


def _open(path: Path, content: bytes, expected: Mapping[str, _IsRight]) -> tuple[pq.ParquetFile, pa.Schema]:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        schema = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"{path} cannot be read: {_first_line(error)}") from None
    names = schema.names
    if sorted(names) != sorted(expected):
        raise RecordError(
            f"{path} cannot be used: expected the columns {', '.join(sorted(expected))}, got {', '.join(names)}"
        )
    columns = dict(zip(names, schema.types, strict=True))
    for name, is_right in expected.items():
        if not is_right(columns[name]):
            raise RecordError(f"{path} cannot be used: the column {name} holds {columns[name]}")
    return file, schema


def _read(path: Path, file: pq.ParquetFile, columns: Sequence[str]) -> pa.Table:
    try:
        table = file.read(columns=columns, use_threads=False)
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"{path} cannot be read: {_first_line(error)}") from None
    if any(column.null_count for column in table.columns):
        raise RecordError(f"{path} cannot be used: a value is missing")
    return table


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as an array; pyarrow's own `to_numpy` would load pandas, which nothing here needs."""
    return np.from_dlpack(column.combine_chunks())


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
