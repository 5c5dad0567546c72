"""What `study.json` and `record.json` say, as docs/records.md describes them: every key that a reader uses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""The format that this version reads."""

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A whole number that every reader of the file can hold."""


class Stored(BaseModel):
    """The base of all that is stored."""

    # Strict: a text is no number. Every number is finite.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, protected_namespaces=())


class _Kept(Stored):
    # It is written back when the manifest is written anew, with what a later version may have added.
    model_config = ConfigDict(extra="allow")


class EpochSelection(Stored):
    """Which epoch of a trial counts.

    Parameters
    ----------
    rule
        ``"last"``, or ``"best"`` by a metric on a split.
    metric, on
        The metric and the split where the rule is ``"best"``.
    """

    rule: Literal["last", "best"]
    metric: Literal["accuracy", "loss"] = "accuracy"
    on: Literal["holdout", "test"] | None = None

    @property
    def on_test(self) -> bool:
        """Whether the study picks the epoch by looking at the test split."""
        return self.rule == "best" and self.on == "test"


class Cell(Stored):
    """One trial of the study: an arm, a seed, and the folder of its record."""

    arm: str
    seed: Count
    # The key becomes part of a path, so it may hold nothing that leaves the folder, and be no longer than a file name.
    key: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=200)

    @property
    def name(self) -> str:
        """The cell in words, such as ``lora-r4 seed 3``."""
        return f"{self.arm} seed {self.seed}"


class ArmEntry(Stored):
    """What the manifest says about an arm that the analysis needs."""

    selection: EpochSelection | None = None
    training: dict[str, Any] = {}


class PlanEntry(_Kept):
    """A moment when the analysis plan was fixed or changed; `arms` is None where an older version did not note them."""

    digest: str
    frozen: str
    trials_finished: Count
    arms: tuple[str, ...] | None = None


class SeedEntry(_Kept):
    """The first seeds of the study, or a moment when trials began to be trained with other ones."""

    seeds: tuple[Count, ...]
    frozen: str
    trials_finished: Count


class TakenLook(Stored):
    """A moment when verdicts were looked at.

    Parameters
    ----------
    seeds
        The seeds that the verdicts took up.
    plan
        The digest of the plan that they were made by.
    at
        When, as an ISO 8601 time; empty in a report, which knows no clock.
    """

    seeds: tuple[Count, ...]
    plan: str
    at: str = ""


class Looks(Stored):
    """`looks.json`: every moment when verdicts were looked at."""

    looks: tuple[TakenLook, ...]


class ModelEntry(Stored):
    """The model of the study, as written in it, and a hash of what it is."""

    name: str
    identity: str | None = None


class DataEntry(Stored):
    """The data of the study: names, class names in the order of the labels, sizes, and what was said of them."""

    path: str
    name: str | None = None
    fingerprint: str | None = None
    cluster: str | None = None
    classes: tuple[str, ...] = Field(min_length=2)
    n_train: Count
    n_test: Count
    remarks: tuple[str, ...] = ()


class Manifest(Stored):
    """A study as `study.json` describes it."""

    name: str
    question: str | None = None
    study: dict[str, Any] = {}
    study_file: str | None = None
    overrides: tuple[str, ...] = ()
    asked_arms: tuple[str, ...] | None = None
    analysis: dict[str, Any] | None = None
    claims: list[dict[str, Any]] | None = None
    plan_history: tuple[PlanEntry, ...] = ()
    seed_history: tuple[SeedEntry, ...] = ()
    selection: EpochSelection
    deviations: tuple[str, ...] = ()
    model: ModelEntry
    data: DataEntry
    arms: dict[str, ArmEntry] = Field(min_length=1)
    cells: tuple[Cell, ...]

    def selection_of(self, arm: str) -> EpochSelection:
        """Return the selection that an arm uses: its own, or the study's."""
        return self.arms[arm].selection or self.selection

    @property
    def first_arms(self) -> frozenset[str]:
        """The arms that the study had before any of its trials had finished; all where that was not noted."""
        noted = [entry.arms for entry in self.plan_history if not entry.trials_finished and entry.arms is not None]
        return frozenset(noted[-1] if noted else self.arms)


class SplitScores(Stored):
    """Loss and accuracy on a split; None where they were not finite."""

    loss: float | None = None
    accuracy: float | None = Field(default=None, ge=0, le=1)


class EpochEntry(Stored):
    """What a trial recorded at the end of an epoch; a tuning trial has no scores on test."""

    epoch: Count
    test: SplitScores | None = None


class Seconds(Stored):
    """Wall-clock seconds, and whether they are the trial's own (``"solo"``) or what else they are."""

    training: float = Field(ge=0)
    evaluation: float | None = Field(default=None, ge=0)
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
    params: dict[str, bool | int | float | str]
    value: float | None = None


class Provenance(Stored):
    """What a trial was run with."""

    versions: dict[str, str | None] = {}
    commit: str | None = None
    dirty: bool | None = None
    hardware: dict[str, Any] = {}


class Record(Stored):
    """One trial as `record.json` describes it."""

    key: str
    seed: Count
    status: Literal["finished", "diverged", "failed", "interrupted"]
    error: Failure | None = None
    settings: dict[str, Any] = {}
    epochs: tuple[EpochEntry, ...] = ()
    selected_epoch: Count | None = None
    predictions_sha256: str | None = None
    seconds: Seconds | None = None
    peak_memory: PeakMemory | None = None
    parameters: Parameters | None = None
    engine: str | None = None
    pack_size: int = Field(default=1, ge=1, le=2**63 - 1)
    device: Device | None = None
    provenance: Provenance = Provenance()
    tuning: Candidate | None = None

    @property
    def solo(self) -> bool:
        """Whether the trial had its device to itself, so that its time and its memory are its own."""
        return self.pack_size == 1 and (self.seconds is None or self.seconds.timing == "solo")

    @property
    def accuracy(self) -> float | None:
        """Accuracy on test at the epoch that the trial arrived at."""
        scores = next((entry.test for entry in self.epochs if entry.epoch == self.selected_epoch), None)
        return scores.accuracy if scores is not None else None

    @property
    def all_seconds(self) -> float | None:
        """Seconds of training and evaluation together, where they were recorded."""
        return None if self.seconds is None else self.seconds.training + (self.seconds.evaluation or 0.0)

    @property
    def reason(self) -> str:
        """Why the trial did not finish, where its record says so."""
        return (self.error.message if self.error is not None else None) or "no message was recorded"
