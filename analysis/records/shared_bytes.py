"""Shared bytes: what the files of a study's trials hold alike, compared as it is stored, so that it is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBytes:
    """Columns of a Parquet file as they are stored.

    Two files with equal ones hold the same values in these columns: the bytes, with all that tells how to read them,
    are the same. Files whose bytes differ may hold the same values all the same.

    Parameters
    ----------
    schema : pa.Schema
        The names and types of all columns.
    chunks : tuple
        For each row group and column: how many values, the compression, and the bytes of the dictionary and the pages.
    """

    schema: pa.Schema
    chunks: tuple[tuple[int, str, str, bytes, bytes], ...]


def shared_bytes(content: bytes, file: pq.ParquetFile, columns: Sequence[str]) -> SharedBytes:
    """Return columns as they are stored.

    Parameters
    ----------
    content : bytes
        The file.
    file : pq.ParquetFile
        The same, opened.
    columns : sequence of str
        The names of the columns.
    """
    metadata, chunks = file.metadata, []
    for group in range(metadata.num_row_groups):
        for position in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(position)
            if chunk.path_in_schema not in columns:
                continue
            pages = chunk.data_page_offset
            start = chunk.dictionary_page_offset if chunk.has_dictionary_page else pages
            end = start + chunk.total_compressed_size
            chunks.append(
                (chunk.num_values, chunk.physical_type, chunk.compression, content[start:pages], content[pages:end])
            )
    return SharedBytes(schema=file.schema_arrow, chunks=tuple(chunks))
