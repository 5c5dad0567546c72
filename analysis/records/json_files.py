"""JSON files of a study: `study.json`, `record.json`, `looks.json` and `timing.json`, read and checked for all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from analysis.errors import FormatError, RecordError
from analysis.records.data_entry import AnswerKind
from analysis.records.format import FORMAT, NEWER_FORMAT, Stored
from analysis.records.looks import Looks, TakenLook
from analysis.records.manifest import Manifest, TrialEntry
from analysis.records.timing import Timing
from analysis.records.trial_record import TrialRecord

# Nobody reads a message that lists more than this.
_PROBLEMS_AT_MOST = 20
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}


class _Formatted(Stored):
    format: int


_Model = TypeVar("_Model", bound=Stored)


def _read_json(path: Path, model: type[_Model]) -> _Model:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise RecordError(f"{path} does not exist") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None
    try:
        read = model.model_validate_json(content)
    except ValidationError as error:
        _require_format(path, content)
        raise _unusable(path, list(faults_in(error))) from None
    if "format" not in read.model_fields_set:
        # The model has a default, for whoever writes a file; whoever reads one is told.
        _require_format(path, content)
    return read


def _require_format(path: Path, content: bytes) -> None:
    try:
        written = _Formatted.model_validate_json(content).format
    except ValidationError as error:
        raise RecordError(f"{path} cannot be read: {'; '.join(faults_in(error))}") from None
    if not FORMAT <= written <= NEWER_FORMAT:
        advice = "update ablation-harness" if written > NEWER_FORMAT else "read it with the version that wrote it"
        raise FormatError(
            f"{path} has format {written}; this version reads formats {FORMAT} and {NEWER_FORMAT}: {advice}"
        )


def faults_in(error: ValidationError) -> Iterator[str]:
    """Say each fault with its place, what is allowed and what was received."""
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"])
        expected = _EXPECTED.get(fault["type"])
        if fault["type"] == "missing":
            message = "it is missing"
        elif fault["type"] == "json_invalid":
            message = fault["msg"]
        elif fault["type"] == "value_error":
            # What one of the models says itself, of the whole that it looked at.
            message = str(fault["ctx"]["error"])
        else:
            wanted = f"expected {expected}" if expected else fault["msg"][:1].lower() + fault["msg"][1:]
            message = f"{wanted}, got {_received(fault['input'])}"
        yield f"{where}: {message}" if where else message


def _received(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unusable(path: Path, faults: Sequence[str]) -> RecordError:
    named = [*faults[:_PROBLEMS_AT_MOST]]
    if len(faults) > _PROBLEMS_AT_MOST:
        named.append(f"and {len(faults) - _PROBLEMS_AT_MOST} more problems")
    return RecordError(f"{path} cannot be used: {'; '.join(named)}")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a results folder.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If there is no such file, or it does not say what docs/records.md describes; with every problem.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "study.json"
    with _advising(path, "harness run, or harness import, writes a new one; the trials are kept and not trained again"):
        manifest = _read_json(path, Manifest)
        faults = list(_contradictions(manifest))
        if faults:
            raise _unusable(path, faults)
    return manifest


@contextmanager
def _advising(path: Path, advice: str) -> Iterator[None]:
    """Say what to do about a file that is there and cannot be used; a format of another version has its own advice."""
    try:
        yield
    except FormatError:
        raise
    except RecordError as error:
        if not os.path.lexists(path):
            raise
        moved = shlex.join(["mv", str(path), f"{path}.broken"])
        raise RecordError(f"{error}. Move it away, and {advice}: {moved}") from None


def _read_if_there(path: Path, model: type[_Model], advice: str) -> _Model | None:
    if not os.path.lexists(path):
        return None
    with _advising(path, advice):
        return _read_json(path, model)


def _contradictions(manifest: Manifest) -> Iterator[str]:
    if manifest.imported is None:
        known = {"model": manifest.model, "data.n_train": manifest.data.n_train}
        yield from (f"{key}: it is missing" for key, value in known.items() if value is None)
    places: set[tuple[str, int]] = set()
    keys: dict[str, TrialEntry] = {}
    for entry in manifest.cells:
        if entry.arm not in manifest.arms:
            yield f"a trial names the arm {entry.arm!r}, which is not among the arms"
        elif (entry.arm, entry.seed) in places:
            yield f"{entry.name} is listed twice"
        elif entry.key in keys:
            yield f"{entry.name} and {keys[entry.key].name} have the same key, {entry.key}"
        places.add((entry.arm, entry.seed))
        keys.setdefault(entry.key, entry)


def read_looks(folder: Path) -> tuple[TakenLook, ...]:
    """Read with which seeds somebody has looked at the verdicts of a study: `looks.json`, where there is one.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If the file is there and does not say what docs/records.md describes.
    FormatError
        If its format is not the one that this version reads.
    """
    looks = _read_if_there(folder / "looks.json", Looks, "looks are counted from the next one on")
    return () if looks is None else looks.looks


def read_timing(folder: Path) -> Timing | None:
    """Read what each arm of a study takes alone: `timing.json`, where there is one.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If the file is there and does not say what docs/records.md describes.
    FormatError
        If its format is not the one that this version reads.
    """
    return _read_if_there(folder / "timing.json", Timing, "harness time measures anew")


def read_record(folder: Path, entry: TrialEntry, *, kind: AnswerKind) -> TrialRecord:
    """Read the record of one trial.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    entry : TrialEntry
        The trial that the record must belong to.
    kind : AnswerKind
        What the trials of the study answer: those that predict numbers have no accuracy. An imported trial need have
        neither accuracy nor loss.

    Raises
    ------
    RecordError
        If the record is missing, unreadable, belongs to another trial, or contradicts itself.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "record.json"
    record = _read_json(path, TrialRecord)
    if (record.key, record.seed) != (entry.key, entry.seed):
        raise RecordError(
            f"{path} belongs to key {_shortened(record.key)}, seed {record.seed}, "
            f"not to key {entry.key}, seed {entry.seed}"
        )
    if record.status != "finished":
        return record
    if record.selected_epoch is None or not record.epochs:
        raise RecordError(f"{path} is finished but names no epochs")
    scores = record.on_test
    lacks = scores is None or (scores.accuracy if kind.n_classes else scores.loss) is None
    if lacks and record.imported is None:
        lacking = "accuracy" if kind.n_classes else "loss"
        raise RecordError(f"{path} is finished but has no {lacking} on test at epoch {record.selected_epoch}")
    return record


def read_candidate(folder: Path, *, search: str, number: int) -> TrialRecord:
    """Read the record of a tuning trial.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    search, number : str, int
        The search that it must belong to, and its number there.

    Raises
    ------
    RecordError
        If the record is missing, unreadable, or belongs to another search or candidate.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "record.json"
    record = _read_json(path, TrialRecord)
    if record.tuning is None or (record.tuning.search, record.tuning.number) != (search, number):
        raise RecordError(f"{path} is no record of candidate {number} of the search {search}")
    return record
