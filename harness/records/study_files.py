"""Study files: reads and writes what a results folder holds of its study as a whole; see docs/records.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from analysis.errors import FormatError, RecordError
from analysis.records.json_files import read_looks, read_manifest, read_timing
from analysis.records.looks import TakenLook
from analysis.records.manifest import Manifest
from analysis.records.timing import Timing
from analysis.sources.arrow import number_column, text_column
from harness.data.splits import TextSplit
from harness.data.tokenization import TokenizedSplit
from harness.errors import ResultsError
from harness.records.files import json_file, write_file
from harness.records.record import parquet


class StudyFiles:
    """The files in the folder of one study that are about no single trial.

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

    def write_manifest(self, manifest: Manifest) -> None:
        """Write study.json."""
        write_file(self.folder / "study.json", json_file(manifest))

    def write_clusters(self, test: TokenizedSplit, clusters: Sequence[str]) -> None:
        """Write clusters.parquet: the group of each test example."""
        table = pa.table({"example_id": text_column(test.ids), "cluster": text_column(clusters)})
        write_file(self.folder / "clusters.parquet", parquet(table))

    def write_examples(self, test: TextSplit) -> None:
        """Write examples.parquet: the text and the label of each test example; texts that are a pair in two lines."""
        labels = number_column(test.labels.astype(np.int32 if test.labels.dtype.kind == "i" else np.float64))
        texts = text_column(["\n".join(parts) for parts in test.texts])
        table = pa.table({"example_id": text_column(test.ids), "text": texts, "label": labels})
        write_file(self.folder / "examples.parquet", parquet(table))

    def remove_examples(self) -> bool:
        """Remove examples.parquet; return whether there was one.

        Raises
        ------
        ResultsError
            If it cannot be removed.
        """
        path = self.folder / "examples.parquet"
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ResultsError(f"{path} cannot be removed: {error.strerror}; it holds the texts of the study") from None
        return True

    def looks(self) -> tuple[TakenLook, ...]:
        """Return which looks were taken at the study; none where that cannot be read, which analyze says."""
        try:
            return read_looks(self.folder)
        except (RecordError, FormatError):
            return ()

    def timing(self) -> Timing | None:
        """Return timing.json, or None where there is none.

        Raises
        ------
        ResultsError
            If it cannot be used, with what to do, or if another version wrote it.
        """
        try:
            return read_timing(self.folder)
        except RecordError as error:
            raise ResultsError(str(error)) from None

    def write_timing(self, timing: Timing) -> Path:
        """Write timing.json; return where it is.

        Raises
        ------
        ResultsError
            If the disk does not take it.
        """
        path = self.folder / "timing.json"
        write_file(path, json_file(timing))
        return path
