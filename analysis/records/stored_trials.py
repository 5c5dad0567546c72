"""Stored trials: which trials of a study can be used, and why the others cannot.

One check for every command: what the analysis calls unreadable, `harness run` sets aside and trains again. But who
wants no answers leaves them unread where the hash in the record vouches for them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from analysis.collector import paused_collector
from analysis.errors import FormatError, RecordError
from analysis.records.data_entry import AnswerKind
from analysis.records.json_files import read_record
from analysis.records.manifest import TrialEntry
from analysis.records.predictions import Predictions, read_examples, read_predictions
from analysis.records.trial_record import TrialRecord

Status = Literal["finished", "diverged", "failed", "interrupted", "unreadable", "not run"]

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrial:
    """One trial of a study and what is stored of it.

    Parameters
    ----------
    entry : TrialEntry
        The arm, the seed and the key.
    status : Status
        The record's own status; ``"not run"`` where there is no record, ``"unreadable"`` where it cannot be used.
    message : str
        Why there are no usable predictions, in one line; empty where there are.
    record : TrialRecord or None
        The record, where one could be read.
    predictions : Predictions or None
        The predictions of a finished trial.
    """

    entry: TrialEntry
    status: Status
    message: str = ""
    record: TrialRecord | None = None
    predictions: Predictions | None = None


def read_trial(
    folder: Path, entry: TrialEntry, *, kind: AnswerKind, like: Predictions | None = None, answers: bool = True
) -> StoredTrial:
    """Read one trial and check that its record and its predictions can be used.

    Parameters
    ----------
    folder : Path
        The results folder.
    entry : TrialEntry
        Which trial.
    kind : AnswerKind
        What the trials of the study answer.
    like : Predictions or None
        Those of another trial of the study, whose examples are read once for both where their files hold them alike.
    answers : bool
        Whether its answers are wanted. Where not, they are read and checked only if the record names no hash: a file
        that has the hash of its record is the one whose answers were checked when it was written.

    Raises
    ------
    FormatError
        If its record has a format that this version does not read.
    """
    place = folder.joinpath("trials", entry.key)
    record = None
    try:
        record = read_record(place, entry, kind=kind)
        if record.status != "finished":
            return StoredTrial(entry=entry, status=record.status, message=record.reason, record=record)
        sha256 = record.predictions_sha256
        if answers or sha256 is None:
            stored = read_predictions(place, kind=kind, sha256=sha256, like=like)
        else:
            stored = read_examples(place, kind=kind, sha256=sha256, like=like)
        _require_epochs(place, record, stored)
    except FormatError:
        raise
    except RecordError as error:
        if not os.path.lexists(place / "record.json"):
            return StoredTrial(entry=entry, status="not run", message="there is no record yet")
        # Files are named from the results folder on: a report may be read on another machine.
        message = str(error).replace(f"{folder}{os.sep}", "")
        return StoredTrial(entry=entry, status="unreadable", message=message, record=record)
    return StoredTrial(entry=entry, status="finished", record=record, predictions=stored)


class KnownTrials:
    """The trials of a folder as they were read last, for somebody who looks at it again and again.

    A trial is read again when one of its files is another one than before: by its size, its time or its number on the
    disk. Answers are not kept, and not read where the hash in the record vouches for them (see `read_trial`). Examples
    are kept once for all trials that share them and their epochs.
    """

    def __init__(self) -> None:
        self._trials: dict[str, tuple[object, StoredTrial]] = {}
        self._examples: list[Predictions] = []
        self._last: Predictions | None = None

    def read(self, folder: Path, entry: TrialEntry, *, kind: AnswerKind) -> StoredTrial:
        """Return a trial as `read_trial` does, without its answers.

        Parameters
        ----------
        folder : Path
            The results folder.
        entry : TrialEntry
            Which trial.
        kind : AnswerKind
            What the trials of the study answer.

        Raises
        ------
        FormatError
            If its record has a format that this version does not read.
        """
        place = folder.joinpath("trials", entry.key)
        # Looked at before it is read: what is written in between is read the next time.
        seen = entry, kind, state_of(place / "record.json"), state_of(place / "predictions.parquet")
        known = self._trials.get(entry.key)
        if known is None or known[0] != seen:
            trial = read_trial(folder, entry, kind=kind, like=self._last, answers=False)
            self._last = trial.predictions or self._last
            known = seen, self._sharing(trial)
            # What could not be read may have been in the middle of a change.
            if trial.status == "unreadable":
                self._trials.pop(entry.key, None)
            else:
                self._trials[entry.key] = known
        return known[1]

    def _sharing(self, trial: StoredTrial) -> StoredTrial:
        """Return a trial without answers, and with the examples that another one has too."""
        stored = trial.predictions
        if stored is None:
            return trial
        known = (one for one in self._examples if one.epochs == stored.epochs and one.same_examples(stored))
        shared = next(known, None)
        if shared is None:
            shared = stored.without_answers()
            self._examples.append(shared)
        return trial if shared is stored else replace(trial, predictions=shared)


def state_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is written anew: its time, its size, its number; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_trials(
    folder: Path,
    entries: Iterable[TrialEntry],
    *,
    kind: AnswerKind,
    examples: Predictions | None = None,
    known: KnownTrials | None = None,
) -> tuple[StoredTrial, ...]:
    """Read the trials of a study; one with other examples or labels than it should have is unreadable.

    Parameters
    ----------
    folder : Path
        The results folder.
    entries : iterable of TrialEntry
        Which trials.
    kind : AnswerKind
        What the trials of the study answer.
    examples : Predictions or None
        The examples and labels that every finished trial must have, where they are known. Where not, those that more
        than half of the finished trials share; where no such majority exists, no trial is refused.
    known : KnownTrials or None
        What was read of this folder before; the trials then come without answers.

    Returns
    -------
    tuple of StoredTrial
        In the order of `entries`.

    Raises
    ------
    FormatError
        If a record has a format that this version does not read.
    """
    trials: list[StoredTrial] = []
    like = None
    # A record is a hundred objects: of thousands, a fifth of the time would go into looking through them.
    with paused_collector():
        for entry in entries:
            trial = known.read(folder, entry, kind=kind) if known else read_trial(folder, entry, kind=kind, like=like)
            like = trial.predictions or like
            trials.append(trial)
    whose = "the test split of the study"
    if examples is None:
        usual = _usual([trial for trial in trials if trial.predictions is not None])
        if usual is None:
            return tuple(trials)
        whose, examples = f"{usual.entry.name} and most others", usual.predictions
    return tuple(_against(trial, examples, whose) for trial in trials)


def _usual(finished: Sequence[StoredTrial]) -> StoredTrial | None:
    """Return a trial whose examples are those of more than half of the finished ones."""
    # Boyer and Moore: a majority is what is left when unlike ones cancel each other.
    candidate, lead = None, 0
    for trial in finished:
        if lead == 0:
            candidate = trial
        lead += 1 if _alike(trial, candidate) else -1
    agreeing = sum(_alike(trial, candidate) for trial in finished)
    return candidate if 2 * agreeing > len(finished) else None


def _alike(trial: StoredTrial, other: StoredTrial | None) -> bool:
    if trial.predictions is None or other is None or other.predictions is None:
        return False
    return trial.predictions.same_examples(other.predictions)


def _against(trial: StoredTrial, examples: Predictions | None, whose: str) -> StoredTrial:
    if trial.predictions is None or examples is None or trial.predictions.same_examples(examples):
        return trial
    message = f"its examples are not those of {whose}: {mismatch(trial.predictions, examples)}"
    return replace(trial, status="unreadable", message=message, predictions=None)


def mismatch(stored: Predictions, reference: Predictions) -> str:
    """Say how the examples or labels of predictions differ from those of a reference."""
    ids, expected = stored.example_ids.to_pylist(), reference.example_ids.to_pylist()
    if ids == expected:
        differing = np.flatnonzero(stored.labels != reference.labels)
        first = int(differing[0])
        return (
            f"{len(differing)} labels differ, first example {ids[first]!r} with {stored.labels[first]} "
            f"against {reference.labels[first]}"
        )
    extra, absent = sorted(set(ids) - set(expected)), sorted(set(expected) - set(ids))
    if not extra and not absent:
        at = next(
            at
            for at, (stored_id, expected_id) in enumerate(zip(ids, expected, strict=True))
            if stored_id != expected_id
        )
        return f"the same {len(ids)} examples in another order, first at position {at}"
    parts = [f"{len(ids)} examples against {len(expected)}"]
    for words, unmatched in (("too many", extra), ("missing", absent)):
        if unmatched:
            named = ", ".join(repr(name) for name in unmatched[:_NAMED_AT_MOST])
            parts.append(f"{len(unmatched)} {words} ({named}{', ...' if len(unmatched) > _NAMED_AT_MOST else ''})")
    return "; ".join(parts)


def count_others(folder: Path, keys: Collection[str]) -> int:
    """Count the records in a results folder that belong to none of these keys."""
    try:
        # The names first: nobody asks about thousands of trials that belong to the study.
        others = [place for place in (folder / "trials").iterdir() if place.name not in keys]
    except OSError:
        return 0
    return sum(os.path.lexists(place / "record.json") for place in others)


def _require_epochs(place: Path, record: TrialRecord, stored: Predictions) -> None:
    recorded = tuple(entry.epoch for entry in record.epochs)
    if recorded != stored.epochs or record.selected_epoch not in recorded:
        raise RecordError(
            f"{place} cannot be used: its record names the epochs {list(recorded)} and selects "
            f"{record.selected_epoch}, its predictions hold {list(stored.epochs)}"
        )
