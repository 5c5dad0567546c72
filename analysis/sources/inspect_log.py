"""A log of inspect_ai, `.eval` or `.json`: how the evaluation ended, and what each sample scored."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from analysis.errors import SourceError
from analysis.records.json_files import faults_in

_ZIP_ZSTANDARD = 93
"""The method that Python's zipfile knows from 3.14 on."""
_LARGEST = 4 * 2**30
"""Bytes: a member of an archive that says it is larger is no summary of samples."""
_SUMMARISED = 5120
"""Characters of a text: those that follow are not in a summary."""
_FAULTS_SHOWN = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Score(_Part):
    """What a scorer gave; its value is a text, a number, true or false, or several of these in an object or a list."""

    value: Any


class Content(_Part):
    """A part of a message."""

    type: str
    text: str = ""


class Message(_Part):
    """A message of a question that is several."""

    role: str
    content: str | tuple[Content, ...] = ""


class Failure(_Part):
    """Why a sample has no answer."""

    message: str


class Sample(_Part):
    """One answer to one sample: samples are answered once an epoch."""

    id: int | str
    epoch: int
    input: str | tuple[Message, ...] = ""
    target: str | tuple[str, ...] = ""
    scores: dict[str, Score] | None = None
    error: str | Failure | None = None

    def question(self) -> str:
        """Return what was asked; of long texts their beginning, which is all that summaries hold."""
        if isinstance(self.input, str):
            return self.input[:_SUMMARISED]
        contents = [
            (
                message.role,
                (Content(type="text", text=message.content),) if isinstance(message.content, str) else message.content,
            )
            for message in self.input
        ]
        # Of a picture a summary says "(Image)".
        return "\n".join(
            f"{role}: {(part.text or f'({part.type.capitalize()})')[:_SUMMARISED]}"
            for role, parts in contents
            for part in parts
        )


class Dataset(_Part):
    """What the samples are from."""

    name: str | None = None


class Evaluation(_Part):
    """What was evaluated."""

    task: str
    task_version: int | str = 0
    model: str
    dataset: Dataset = Dataset()
    packages: dict[str, str] = {}


class ScorerResults(_Part):
    """How the epochs of a sample were made one score."""

    reducer: str | None = None


class Results(_Part):
    """What the log itself computed."""

    scores: tuple[ScorerResults, ...] = ()


class InspectLog(_Part):
    """A log; of its parts, those that an import needs, named as inspect_ai names them."""

    version: Literal[2]
    status: str = "started"
    eval: Evaluation
    results: Results | None = None
    invalidated: bool = False
    samples: tuple[Sample, ...] | None = None


_SAMPLES = TypeAdapter(tuple[Sample, ...])


def read_log(path: Path) -> InspectLog:
    """Read a log. Of an `.eval` file, which is a zip, the summaries of the samples are read where they are all there.

    Raises
    ------
    SourceError
        If it cannot be read, or is not what version 2 of the layout says.
    """
    try:
        return _read_archive(path) if zipfile.is_zipfile(path) else InspectLog.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = list(faults_in(error))
        more = f"; and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
        reason = "; ".join(faults[:_FAULTS_SHOWN]) + more
    # What a damaged or encrypted archive raises.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
    raise SourceError([f"{path} cannot be read as a log of inspect_ai, version 2: {reason}"])


def _read_archive(path: Path) -> InspectLog:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        # Only a log that has ended has a header.
        header = "header.json" if "header.json" in names else "_journal/start.json"
        if header not in names:
            raise ValueError("it holds neither header.json nor _journal/start.json")
        log = InspectLog.model_validate_json(_member(archive, file, header))
        members = sorted(name for name in names if name.startswith("samples/") and name.endswith(".json"))
        samples: tuple[Sample, ...] = ()
        if "summaries.json" in names:
            samples = _SAMPLES.validate_json(_member(archive, file, "summaries.json"))
        if len(samples) < len(members):
            samples = tuple(Sample.model_validate_json(_member(archive, file, name)) for name in members)
        return log.model_copy(update={"samples": samples})


def _member(archive: zipfile.ZipFile, file: BinaryIO, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > _LARGEST:
        raise ValueError(f"{name} says that it has {info.file_size:,} bytes, more than {_LARGEST:,}")
    if info.compress_type != _ZIP_ZSTANDARD:
        return archive.read(info)
    # The local header: 30 bytes, of which the last four tell how long the name and the extra field are that follow.
    file.seek(info.header_offset)
    name_length, extra_length = struct.unpack("<26xHH", file.read(30))
    file.seek(name_length + extra_length, 1)
    compressed = pa.BufferReader(file.read(info.compress_size))
    # A large member is several Zstandard frames, which Python 3.14's zipfile does not read on from either.
    content: bytes = pa.CompressedInputStream(compressed, "zstd").read(info.file_size + 1)
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise ValueError(f"{name} is damaged")
    return content
