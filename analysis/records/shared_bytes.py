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


def shared_bytes(content: bytes, file: pq.ParquetFile, schema: pa.Schema, columns: Sequence[str]) -> SharedBytes:
    """Return columns as they are stored.

    Parameters
    ----------
    content : bytes
        The file.
    file : pq.ParquetFile
        The same, opened.
    schema : pa.Schema
        Its schema; no column is nested.
    columns : sequence of str
        The names of the columns.
    """
    metadata, names, chunks = file.metadata, schema.names, []
    positions = [names.index(name) for name in columns]
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for position in positions:
            chunk = group.column(position)
            pages = chunk.data_page_offset
            start = chunk.dictionary_page_offset if chunk.has_dictionary_page else pages
            end = start + chunk.total_compressed_size
            chunks.append(
                (chunk.num_values, chunk.physical_type, chunk.compression, content[start:pages], content[pages:end])
            )
    return SharedBytes(schema=schema, chunks=tuple(chunks))
