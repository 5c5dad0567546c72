"""Trial record: record.json, what became of one trial."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from analysis.records.format import LONGEST_SECONDS, Count, Scalar, Stored, StoredFile


class StreamSeeds(Stored):
    """The three random streams that a seed was turned into."""

    initialisation: Count
    data_order: Count
    dropout: Count


class SplitScores(Stored):
    """Loss and accuracy on a split; None where they were not finite, and no accuracy in a regression."""

    loss: float | None = None
    accuracy: float | None = Field(default=None, ge=0, le=1)


class EpochEntry(Stored):
    """What a trial recorded at the end of an epoch; a tuning trial has no scores on test."""

    epoch: Count
    learning_rate: float | None = None
    train_loss: float | None = None
    test: SplitScores | None = None
    holdout: SplitScores | None = None


class Seconds(Stored):
    """Wall-clock seconds, and whether they are the trial's own (``"solo"``) or what else they are."""

    training: float = Field(ge=0, le=LONGEST_SECONDS)
    evaluation: float | None = Field(default=None, ge=0, le=LONGEST_SECONDS)
    timing: str


class PeakMemory(Stored):
    """Largest memory in use, and how it was measured."""

    bytes: Count | None = None
    method: str | None = None


class Parameters(Stored):
    """Parameter counts of the model as it was trained."""

    total: Count
    trainable: Count


class Device(Stored):
    """Where a trial ran."""

    type: str
    name: str | None = None
    precision: str | None = None
    threads: Count | None = None


class Failure(Stored):
    """Why a trial did not finish."""

    type: str | None = None
    message: str | None = None


class Candidate(Stored):
    """Which search a tuning trial belongs to, its number there, what it tried, and what the hold-out said."""

    search: str
    number: Count
    params: dict[str, Scalar]
    value: float | None = None


class DrawnExamples(Stored):
    """The training set that a seed drew: how many examples, and the SHA-256 of their ids."""

    n: Count
    sha256: str


class RecordedData(Stored):
    """What a trial was trained and scored on: a hash of the processed data, the numbers of examples, its own draw."""

    fingerprint: str | None = None
    n_train: Count | None = None
    n_test: Count | None = None
    n_holdout: Count | None = None
    drawn: DrawnExamples | None = None


class RecordedModel(Stored):
    """What a trial started from: its name, a hash of what it is, and the Hub's commit."""

    name: str | None = None
    identity: str | None = None
    revision: str | None = None


class Provenance(Stored):
    """What a trial was run with, and when."""

    versions: dict[str, str | None] = Field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    node: str | None = None
    hardware: dict[str, Any] = Field(default_factory=dict)
    started: str | None = None
    ended: str | None = None


class SourceEntry(Stored):
    """A file that an import read: its path as given, its SHA-256, and its program and its task, where it says them."""

    path: str
    sha256: str
    tool: str | None = None
    version: str | None = None
    task: str | None = None


class ImportedTrial(Stored):
    """Where a trial that was trained elsewhere was read from."""

    files: tuple[SourceEntry, ...]


class TrialRecord(StoredFile):
    """`record.json`: what became of one trial."""

    key: str
    arm: str | None = None
    seed: Count
    streams: StreamSeeds | None = None
    status: Literal["finished", "diverged", "failed", "interrupted"]
    error: Failure | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    epochs: tuple[EpochEntry, ...] = ()
    selected_epoch: Count | None = None
    seconds: Seconds | None = None
    steps: Count | None = None
    tokens: Count | None = None
    peak_memory: PeakMemory | None = None
    parameters: Parameters | None = None
    engine: str | None = None
    pack_size: int = Field(default=1, ge=1, le=2**63 - 1)
    device: Device | None = None
    tuning: Candidate | None = None
    data: RecordedData | None = None
    model: RecordedModel | None = None
    provenance: Provenance = Provenance()
    predictions_sha256: str | None = None
    imported: ImportedTrial | None = None

    @property
    def solo(self) -> bool:
        """Whether the trial had its device to itself, so that its time and its memory are its own."""
        return self.pack_size == 1 and (self.seconds is None or self.seconds.timing == "solo")

    @property
    def on_test(self) -> SplitScores | None:
        """Loss and accuracy on test at the epoch that the trial arrived at."""
        return next((entry.test for entry in self.epochs if entry.epoch == self.selected_epoch), None)

    @property
    def all_seconds(self) -> float | None:
        """Seconds of training and evaluation together, where they were recorded."""
        return None if self.seconds is None else self.seconds.training + (self.seconds.evaluation or 0.0)

    @property
    def reason(self) -> str:
        """Why the trial did not finish, where its record says so."""
        return (self.error.message if self.error is not None else None) or "no message was recorded"
