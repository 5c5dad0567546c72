"""`study.json` and `record.json`, as docs/records.md describes them: what the analysis reads of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.errors import FormatError, RecordError

FORMAT = 1
"""The format that this version reads."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Selection(_Stored):
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


class Cell(_Stored):
    """One trial of the study: an arm, a seed, and the folder of its record."""

    arm: str
    seed: int
    # The key becomes part of a path, so it may hold nothing that leaves the folder.
    key: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")


class ArmEntry(_Stored):
    """What the manifest says about an arm that the analysis needs."""

    selection: Selection | None = None


class PlanEntry(_Stored):
    """A moment when the analysis plan was fixed or changed; `arms` is None where an older version did not note them."""

    digest: str
    frozen: str
    trials_finished: int
    arms: tuple[str, ...] | None = None


class SeedEntry(_Stored):
    """The first seeds of the study, or a moment when trials began to be trained with other ones."""

    seeds: tuple[int, ...]
    frozen: str
    trials_finished: int


class TakenLook(_Stored):
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

    seeds: tuple[int, ...]
    plan: str
    at: str = ""


class _Looks(_Stored):
    looks: tuple[TakenLook, ...]


class ModelEntry(_Stored):
    """The model of the study, as written in it."""

    name: str


class DataEntry(_Stored):
    """The data of the study: names, class names in the order of the labels, and sizes."""

    path: str
    name: str | None = None
    cluster: str | None = None
    classes: tuple[str, ...] = Field(min_length=2)
    n_train: int
    n_test: int


class Manifest(_Stored):
    """A study as `study.json` describes it."""

    name: str
    question: str | None = None
    study: dict[str, Any] = {}
    analysis: dict[str, Any] | None = None
    claims: list[dict[str, Any]] | None = None
    plan_history: tuple[PlanEntry, ...] = ()
    seed_history: tuple[SeedEntry, ...] = ()
    selection: Selection
    deviations: tuple[str, ...] = ()
    model: ModelEntry
    data: DataEntry
    arms: dict[str, ArmEntry] = Field(min_length=1)
    cells: tuple[Cell, ...]

    def selection_of(self, arm: str) -> Selection:
        """Return the selection that an arm uses: its own, or the study's."""
        return self.arms[arm].selection or self.selection

    @property
    def first_arms(self) -> frozenset[str]:
        """The arms that the study had before any of its trials had finished; all where that was not noted."""
        noted = [entry.arms for entry in self.plan_history if not entry.trials_finished and entry.arms is not None]
        return frozenset(noted[-1] if noted else self.arms)


class SplitScores(_Stored):
    """Loss and accuracy on a split; None where they were not finite."""

    loss: float | None = None
    accuracy: float | None = None


class EpochEntry(_Stored):
    """What a trial recorded at the end of an epoch."""

    epoch: int
    test: SplitScores


class Seconds(_Stored):
    """Wall-clock seconds, and whether they are the trial's own (``"solo"``) or what else they are."""

    training: float
    evaluation: float | None = None
    timing: str


class PeakMemory(_Stored):
    """Largest memory in use, and how it was measured."""

    bytes: int | None = None
    method: str | None = None


class Parameters(_Stored):
    """Parameter counts of the model as it was trained."""

    total: int
    trainable: int


class Device(_Stored):
    """Where a trial ran."""

    type: str
    name: str | None = None
    precision: str | None = None


class Provenance(_Stored):
    """What a trial was run with."""

    versions: dict[str, str | None] = {}
    commit: str | None = None
    dirty: bool | None = None
    hardware: dict[str, Any] = {}


class Record(_Stored):
    """One trial as `record.json` describes it."""

    key: str
    seed: int
    status: Literal["finished", "diverged", "failed", "interrupted"]
    error: dict[str, Any] | None = None
    epochs: tuple[EpochEntry, ...] = ()
    selected_epoch: int | None = None
    seconds: Seconds | None = None
    peak_memory: PeakMemory | None = None
    parameters: Parameters | None = None
    engine: str | None = None
    pack_size: int = Field(default=1, ge=1)
    device: Device | None = None
    provenance: Provenance = Provenance()

    @property
    def solo(self) -> bool:
        """Whether the trial had its device to itself, so that its time and its memory are its own."""
        return self.pack_size == 1 and (self.seconds is None or self.seconds.timing == "solo")


_Model = TypeVar("_Model", bound=_Stored)


def _read_json(path: Path, model: type[_Model]) -> _Model:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RecordError(f"{path} cannot be read: expected a JSON object, got {type(content).__name__}")
    written = content.get("format")
    if isinstance(written, bool) or not isinstance(written, int):
        raise RecordError(f"{path} cannot be read: expected a whole number as its format, got {written!r}")
    if written != FORMAT:
        advice = "update ablation-harness" if written > FORMAT else "read it with the version that wrote it"
        raise FormatError(f"{path} has format {written}; this version reads format {FORMAT}: {advice}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        more = f" (and {error.error_count() - 1} more problems)" if error.error_count() > 1 else ""
        raise RecordError(f"{path} cannot be used: {where}: {fault['msg']}{more}") from None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a results folder.

    Parameters
    ----------
    folder
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If there is no such file, or it does not say what docs/records.md describes.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "study.json"
    manifest = _read_json(path, Manifest)
    seen: set[tuple[str, int]] = set()
    for cell in manifest.cells:
        if cell.arm not in manifest.arms:
            raise RecordError(f"{path} cannot be used: a cell names the arm {cell.arm!r}, which it does not define")
        if (cell.arm, cell.seed) in seen:
            raise RecordError(f"{path} cannot be used: {cell.arm} seed {cell.seed} stands twice among the cells")
        seen.add((cell.arm, cell.seed))
    return manifest


def read_looks(folder: Path) -> tuple[TakenLook, ...]:
    """Read at which seeds the verdicts of a study have been looked at: `looks.json`, where there is one.

    Parameters
    ----------
    folder
        The folder that holds `study.json`.

    Raises
    ------
    RecordError
        If the file is there and does not say what docs/records.md describes.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "looks.json"
    return _read_json(path, _Looks).looks if path.exists() else ()


def read_record(folder: Path, cell: Cell) -> Record:
    """Read the record of one trial.

    Parameters
    ----------
    folder
        The trial's folder.
    cell
        The cell that the record must belong to.

    Raises
    ------
    RecordError
        If the record is missing, unreadable, or belongs to another trial.
    FormatError
        If its format is not the one that this version reads.
    """
    path = folder / "record.json"
    record = _read_json(path, Record)
    if (record.key, record.seed) != (cell.key, cell.seed):
        raise RecordError(
            f"{path} belongs to key {record.key}, seed {record.seed}, not to key {cell.key}, seed {cell.seed}"
        )
    if record.status == "finished" and (record.selected_epoch is None or not record.epochs):
        raise RecordError(f"{path} is finished but names no epochs")
    return record
