"""Results folder of one study: reads and writes trials, their records and predictions, as docs/records.md describes.

`analysis` is the one reader of what is on disk, so that no two commands can disagree about a trial.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from analysis.errors import FormatError, RecordError
from analysis.records.data_entry import AnswerKind
from analysis.records.json_files import read_candidate, read_record
from analysis.records.manifest import Manifest, TrialEntry
from analysis.records.predictions import Predictions
from analysis.records.stored_trials import KnownTrials, StoredTrial, count_others, read_trials
from analysis.records.timing import Timing
from analysis.records.trial_record import Candidate, RecordedModel, TrialRecord
from analysis.sources.arrow import text_column
from harness.data.tokenization import TokenizedSplit
from harness.engines.result import TrialResult
from harness.errors import ResultsError
from harness.records.files import WRITING, json_file, take_away, write_folder
from harness.records.record import predictions_of, record_of
from harness.records.study_files import StudyFiles
from harness.study.trials import Trial

__all__ = [
    "FINAL",
    "AnswerKind",
    "KnownTrials",
    "Manifest",
    "Store",
    "StoredTrial",
    "Timing",
    "TrialEntry",
    "trial_entry",
]

# Outcomes that a second run would repeat.
FINAL = {"finished", "diverged"}


class Store(StudyFiles):
    """The folder of one study: its trials, and the files about the study as a whole."""

    def stored(self, manifest: Manifest, known: KnownTrials | None = None) -> tuple[StoredTrial, ...]:
        """Return what is stored of every trial of the study, without answers, in the order of the manifest.

        Somebody who looks again and again passes what is `known`, so that only what has changed is read.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        return self.entries(manifest.cells, manifest.data.answer_kind, known=known or KnownTrials())

    def entries(
        self,
        entries: Sequence[TrialEntry],
        kind: AnswerKind,
        examples: Predictions | None = None,
        known: KnownTrials | None = None,
    ) -> tuple[StoredTrial, ...]:
        """Return what is stored of some trials, in their order; finished ones must be about `examples`, where given.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        try:
            return read_trials(self.folder, entries, kind=kind, examples=examples, known=known)
        except FormatError as error:
            raise ResultsError(str(error)) from None

    def trials(self, trials: Sequence[Trial], test: TokenizedSplit, n_classes: int) -> dict[str, StoredTrial]:
        """Return what is stored of trials by their keys; finished ones must be about the examples of the test split.

        They come without answers, which a run has no use for, and which of thousands of trials fill the memory.

        Raises
        ------
        ResultsError
            If another version wrote a record.
        """
        examples = Predictions(
            epochs=(),
            example_ids=text_column(test.ids),
            labels=np.asarray(test.labels),
            answers=np.empty((0, len(test))),
        )
        kind = AnswerKind.trained(n_classes)
        entries = [trial_entry(trial) for trial in trials]
        return {one.entry.key: one for one in self.entries(entries, kind, examples, KnownTrials())}

    def candidate(
        self, search: str, number: int, *, fits: Callable[[TrialRecord], bool], say: Callable[[str], None]
    ) -> TrialRecord | None:
        """Return the record of a tuning trial, or None where there is none; one that cannot be used is set aside.

        Parameters
        ----------
        search : str
            The identity of the search that it belongs to.
        number : int
            Its number there.
        fits : callable
            Whether the settings in the record are those that its key stands for.
        say : callable
            Receives a message about a record that is set aside.

        Raises
        ------
        ResultsError
            If another version wrote it.
        """
        folder, fault = self._candidate(search, number), None
        # Read again before it is set aside: another worker may have been putting it in its place.
        for _ in range(2):
            if not os.path.lexists(folder / "record.json"):
                return None
            try:
                record = read_candidate(folder, search=search, number=number)
                if not fits(record):
                    raise RecordError(f"{folder / 'record.json'} names settings that this search did not try")
                return record
            except FormatError as error:
                raise ResultsError(str(error)) from None
            except RecordError as error:
                fault = error
        say(f"{fault}; set aside as {self.aside(folder)}; it will be trained again")
        return None

    def known_candidate(self, search: str, number: int) -> TrialRecord | None:
        """Return the record of a tuning trial as it stands, or None where there is none that can be used.

        Raises
        ------
        ResultsError
            If another version wrote it.
        """
        try:
            return read_candidate(self._candidate(search, number), search=search, number=number)
        except FormatError as error:
            raise ResultsError(str(error)) from None
        except RecordError:
            return None

    def set_aside(self, trials: Sequence[StoredTrial]) -> list[str]:
        """Move trials that cannot be read to set_aside/; return a message for each."""
        messages = []
        for trial in trials:
            folder = self._trial(trial.entry.key)
            if trial.status == "unreadable":
                target = self.aside(folder)
                messages.append(f"{trial.entry.name}: {trial.message}; set aside as {target}; it will be trained again")
            elif trial.status == "not run" and folder.is_dir():
                # Only older versions leave one without a record, where they were cut short.
                take_away(folder, study=self.folder, keeps=_is_final)
        return messages

    def sweep(self) -> None:
        """Remove what killed processes were writing; nobody else may be writing."""
        # Under another name first: a worker that was taken for dead, and still writes there, then fails as a whole.
        swept = self.folder / f"{WRITING}.{secrets.token_hex(4)}"
        with suppress(OSError):
            (self.folder / WRITING).rename(swept)
        for left in self.folder.glob(f"{WRITING}.*"):
            shutil.rmtree(left, ignore_errors=True)
        for folder in (self.folder, self.folder / "packs"):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)

    def aside(self, folder: Path) -> Path:
        """Move the folder of a trial to set_aside/, under its name and a number; return where it is now.

        Raises
        ------
        ResultsError
            If it cannot be moved.
        """
        aside = self.folder / "set_aside"
        try:
            aside.mkdir(exist_ok=True)
            target = next(p for i in range(10**6) if not os.path.lexists(p := aside / f"{folder.name}.{i}"))
            folder.rename(target)
        except OSError as error:
            raise ResultsError(
                f"{folder} cannot be used, and cannot be set aside in {aside}: {error.strerror}; move it away by hand"
            ) from None
        return target

    def write(
        self,
        outcome: TrialResult,
        test: TokenizedSplit,
        *,
        fingerprint: str,
        model: RecordedModel,
        started: str,
        tuning: Candidate | None = None,
        drawn: Sequence[str] | None = None,
    ) -> TrialRecord:
        """Write one trial that ends now, its whole folder at once; return its record.

        Where another worker has recorded the trial for good, that stays as it is, and is returned.

        Parameters
        ----------
        outcome : TrialResult
            What became of the trial.
        test : TokenizedSplit
            The test split, in the order of the outcome's probabilities.
        fingerprint : str
            A hash of the processed data.
        model : RecordedModel
            What the trial started from.
        started : str
            When it started, ISO 8601.
        tuning : Candidate, optional
            The candidate that it trained for a search.
        drawn : sequence of str, optional
            The ids of the training set that its seed drew; leave out where it took all examples.

        Raises
        ------
        ResultsError
            If the disk does not take it.
        """
        folder = self._trial(outcome.trial.key) if tuning is None else self._candidate(tuning.search, tuning.number)
        predictions = predictions_of(outcome, test)
        record = record_of(
            outcome,
            fingerprint=fingerprint,
            n_test=len(test),
            model=model,
            started=started,
            predictions_sha256=None if predictions is None else hashlib.sha256(predictions).hexdigest(),
            tuning=tuning,
            drawn=drawn,
        )
        files: dict[str, bytes | memoryview] = {} if predictions is None else {"predictions.parquet": predictions}
        files["record.json"] = json_file(record)
        if write_folder(folder, files, study=self.folder, keeps=_is_final):
            return record
        try:
            if tuning is not None:
                return read_candidate(folder, search=tuning.search, number=tuning.number)
            return read_record(
                folder, trial_entry(outcome.trial), kind=AnswerKind.trained(0 if test.labels.dtype.kind == "f" else 2)
            )
        except (RecordError, FormatError):
            return record

    def ending(self, trial: Trial) -> tuple[str, str] | None:
        """Return how and when a trial of the study ended; None where there is no record that says so."""
        return _ending(self._trial(trial.key))

    def keys(self) -> set[str]:
        """Return the keys of the trials that have a folder, with or without a record that can be read."""
        try:
            return {path.name for path in (self.folder / "trials").iterdir()}
        except FileNotFoundError:
            return set()

    def others(self, keys: set[str]) -> int:
        """Count the records in the folder that do not belong to the study as it is now."""
        return count_others(self.folder, keys)

    def _trial(self, key: str) -> Path:
        return self.folder / "trials" / key

    def _candidate(self, search: str, number: int) -> Path:
        return self.folder / "tuning" / candidate_key(search, number)


def trial_entry(trial: Trial) -> TrialEntry:
    """Return what a manifest says of a trial."""
    pair = {} if trial.pair is None else trial.pair.model_dump()
    return TrialEntry(arm=trial.arm, seed=trial.seed, key=trial.key, **pair)


def _is_final(folder: Path) -> bool:
    """Whether the record in a folder says what a second run would repeat."""
    ending = _ending(folder)
    return ending is not None and ending[0] in FINAL


def _ending(folder: Path) -> tuple[str, str] | None:
    """Return the status in the record of a folder, and when it was written."""
    try:
        record = json.loads((folder / "record.json").read_text("utf-8"))
        return str(record["status"]), str(record["provenance"]["ended"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def candidate_key(search: str, number: int) -> str:
    """Return the name of a candidate's folder."""
    return f"{search}-{number:04d}"
