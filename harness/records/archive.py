"""Archive: a whole study in one Parquet file, its answers as a long table and all the rest in the file's metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from analysis.errors import SourceError
from analysis.exports import long_table
from analysis.records.format import FORMAT, Count, Stored
from analysis.records.json_files import faults_in, read_looks
from analysis.records.looks import Looks, TakenLook
from analysis.records.manifest import Manifest
from analysis.records.outcomes import Outcomes
from analysis.records.stored_trials import read_trial
from analysis.records.timing import Timing
from analysis.records.trial_record import TrialRecord
from analysis.sources.arrow import number_column, text_column
from analysis.sources.runs import Run
from harness.atomic_file import atomic_write
from harness.errors import ResultsError
from harness.records.files import json_file, write_file
from harness.records.imported_predictions import predictions_file
from harness.records.lock import lock_study
from harness.records.store import Store

METADATA: Final = b"ablation-harness"
"""The key of the file's metadata."""

_BROKEN = (pa.ArrowException, KeyError, TypeError, ValueError, OSError)
"""What rows raise that are damaged, or that are not what the metadata say."""


class ArchivedTrial(Stored):
    """The record of a trial, and the SHA-256 of its rows where it has any."""

    record: TrialRecord
    rows: str | None = None


class Archive(Stored):
    """What the metadata of an archive hold.

    Parameters
    ----------
    study : Manifest
        The study.
    looks : tuple of TakenLook
        Its looks.
    timing : Timing or None
        What each of its arms takes alone, where that was measured.
    n_examples : int
        Rows of a trial, by epoch.
    trials : dict of str to ArchivedTrial
        By key. Those that have rows have a row group each, in this order.
    """

    study: Manifest
    looks: tuple[TakenLook, ...] = ()
    timing: Timing | None = None
    n_examples: Count
    trials: dict[str, ArchivedTrial]


def write_archive(outcomes: Outcomes, path: Path) -> None:
    """Write a study into one Parquet file.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    path : Path
        The file.
    """
    keys = {(entry.arm, entry.seed): entry.key for entry in outcomes.manifest.cells}
    stored = [trial for arm in outcomes.arms for trial in outcomes.of_arm(arm) if trial.record is not None]
    hashes = iter([_hash(rows) for rows in long_table.batches(outcomes)])
    archive = Archive(
        study=outcomes.manifest,
        looks=outcomes.looks_taken,
        **({} if outcomes.timing is None else {"timing": outcomes.timing}),
        n_examples=len(outcomes.example_ids),
        trials={
            keys[trial.arm, trial.seed]: ArchivedTrial(
                record=trial.record, rows=None if trial.answers is None else next(hashes)
            )
            for trial in stored
            if trial.record is not None
        },
    )
    content = json.dumps(archive.to_json(), ensure_ascii=False, allow_nan=False)
    columns = long_table.schema(outcomes).with_metadata({METADATA: content.encode()})
    with atomic_write(path) as stream, pq.ParquetWriter(stream, columns, compression="zstd") as writer:
        for rows in long_table.batches(outcomes):
            writer.write_batch(rows.replace_schema_metadata(columns.metadata), row_group_size=rows.num_rows)


def read_archive(path: Path) -> Archive | None:
    """Read what an archive holds besides the answers; None where the file is none.

    Parameters
    ----------
    path : Path
        A file of any kind.

    Raises
    ------
    SourceError
        If the metadata are not those of an archive that this version reads.
    """
    # Reading a pipe would wait, and take away what it holds.
    if not path.is_file():
        return None
    try:
        content = (pq.read_schema(path).metadata or {}).get(METADATA)
    except (OSError, ValueError, pa.ArrowException):
        return None
    if content is None:
        return None
    try:
        return Archive.model_validate_json(content)
    except ValidationError as error:
        raise SourceError(f"{path}: the study in its metadata: {fault}" for fault in faults_in(error)) from None


def joins(archive: Archive, root: Path, *, name: str) -> Manifest | None:
    """Return the manifest of the study that is there already; None where there is none.

    Raises
    ------
    ResultsError
        If that is another study than the archive's.
    """
    store = Store(root / name)
    before = store.manifest()
    if before is not None and before.to_json() != archive.study.model_copy(update={"name": name}).to_json():
        raise ResultsError(f"{store.folder} holds another study; --name gives this one another name")
    return before


def restore(archive: Archive, path: Path, root: Path, *, name: str) -> bool:
    """Write the study of an archive into a folder of its own, as it was.

    Parameters
    ----------
    archive : Archive
        From `read_archive`.
    path : Path
        The file.
    root : Path
        The folder that holds one folder for each study.
    name : str
        The name that the study has there.

    Returns
    -------
    bool
        False where all of it was there already.

    Raises
    ------
    ResultsError
        If there is another study of this name, or if the disk takes no more.
    SourceError
        If the rows are not those that were archived.
    LockedError
        If another process writes to the folder.
    """
    manifest = archive.study.model_copy(update={"name": name})
    store = Store(root / name)
    with lock_study(store.folder), pq.ParquetFile(path) as file:
        before = joins(archive, root, name=name)
        entries = [entry for entry in manifest.cells if entry.key in archive.trials]
        stored = [read_trial(store.folder, entry, kind=manifest.data.answer_kind) for entry in entries]
        missing = [trial.entry.key for trial in stored if trial.status in ("not run", "unreadable")]
        if before is not None and not missing:
            return False
        groups = [key for key, trial in archive.trials.items() if trial.rows is not None]
        if file.num_row_groups != len(groups):
            raise _changed(path)
        for key in missing:
            record, folder = archive.trials[key].record, store.folder / "trials" / key
            if key in groups:
                try:
                    rows = file.read_row_group(groups.index(key)).combine_chunks().to_batches()[0]
                    if _hash(rows) != archive.trials[key].rows:
                        raise _changed(path)
                    predictions = _predictions(rows, archive, record)
                except _BROKEN:
                    raise _changed(path) from None
                write_file(folder / "predictions.parquet", predictions)
                record = record.model_copy(update={"predictions_sha256": hashlib.sha256(predictions).hexdigest()})
            write_file(folder / "record.json", json_file(record))
        if groups and "cluster" in file.schema_arrow.names:
            rows = file.read_row_group(0, columns=["example_id", "cluster"]).slice(0, archive.n_examples)
            sink = pa.BufferOutputStream()
            pq.write_table(rows.replace_schema_metadata(None), sink)
            write_file(store.folder / "clusters.parquet", memoryview(sink.getvalue()))
        known = read_looks(store.folder)
        if new := tuple(look for look in archive.looks if look not in known):
            write_file(store.folder / "looks.json", json_file(Looks(format=FORMAT, looks=(*known, *new))))
        if archive.timing is not None and store.timing() is None:
            store.write_timing(archive.timing)
        store.write_manifest(manifest)
    return True


def _predictions(rows: pa.RecordBatch, archive: Archive, record: TrialRecord) -> memoryview:
    """Return the predictions.parquet of a trial."""
    data, n = archive.study.data, archive.n_examples
    epochs = tuple(entry.epoch for entry in record.epochs)
    first = rows.slice(0, n)
    shared = {"example_id": first["example_id"]}
    if data.score is None:
        labels = _numbers(first["label"], data.classes)
        shared["label"] = number_column(labels.astype(np.int32 if data.classes else np.float64))
    if data.answer_kind.answers == "probabilities":
        columns = [_numbers(rows[f"p_{name}"]).reshape(len(epochs), n) for name in data.classes]
        answers = np.stack(columns, axis=-1)
    else:
        # The score is the last column, whatever its name.
        column = rows.columns[-1] if data.score is not None else rows["prediction"]
        answers = _numbers(column, data.classes).reshape(len(epochs), n)
    return predictions_file(Run(arm=str(record.arm), label=str(record.seed), epochs=epochs, answers=answers), shared)


def _numbers(column: pa.Array, classes: Sequence[str] = ()) -> NDArray[Any]:
    """Return a column as an array, the names of classes as their numbers."""
    if classes:
        column = pc.index_in(column.dictionary_decode(), value_set=text_column(classes)).cast(pa.int64())
    if column.null_count or not pa.types.is_primitive(column.type):
        raise TypeError(f"expected a number in each row, got {column.type}")
    return np.from_dlpack(column)


def _hash(rows: pa.RecordBatch) -> str:
    """Return the SHA-256 of rows, whatever way they are stored."""
    digest = hashlib.sha256()
    for column in rows.columns:
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        texts = pa.types.is_string(plain.type)
        digest.update("\0".join(plain.to_pylist()).encode() if texts else _numbers(plain).tobytes())
    return digest.hexdigest()


def _changed(path: Path) -> SourceError:
    return SourceError(
        [
            f"{path}: its rows are not those that harness export wrote; to import changed rows as a plain table, save "
            f"them without the metadata {METADATA.decode()!r}"
        ]
    )
