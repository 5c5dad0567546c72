"""Manifest: study.json, with the arms, trials and plan of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, model_validator

from analysis.records.data_entry import DataEntry
from analysis.records.format import Count, Scalar, Stored, StoredFile
from analysis.records.looks import TakenLook
from analysis.records.trial_record import ImportedTrial, RecordedModel


class _Kept(Stored):
    # It is written back when the manifest is written anew, with what a later version may have added.
    model_config = ConfigDict(extra="allow")


class EpochSelection(Stored):
    """Which epoch of a trial counts.

    Parameters
    ----------
    rule : {"last", "best"}
        ``"last"``, or ``"best"`` by a metric on a split.
    metric, on : {"accuracy", "loss"}, {"holdout", "test"} or None
        The metric and the split where the rule is ``"best"``.
    fraction, patience : float or None, int or None
        The share of the training examples that is held out, and the epochs without a better one after which training
        stops.
    """

    rule: Literal["last", "best"]
    metric: Literal["accuracy", "loss"] = "accuracy"
    on: Literal["holdout", "test"] | None = None
    fraction: float | None = None
    patience: Count | None = None

    @property
    def on_test(self) -> bool:
        """Whether the study picks the epoch by looking at the test split."""
        return self.rule == "best" and self.on == "test"


class TrialEntry(Stored):
    """One trial of the study: an arm, a seed, and the folder of its record.

    `initialisation` and `data_order` are the seeds of these two where each has its own, and None elsewhere; `seed` then
    numbers the pairs. `run` is what the source of an imported trial calls it, where that is not the number `seed`.
    """

    arm: str
    seed: Count
    # The key becomes part of a path, so it may hold nothing that leaves the folder, and be no longer than a file name.
    key: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=200)
    initialisation: Count | None = None
    data_order: Count | None = None
    run: str | None = None

    @property
    def label(self) -> str:
        """What the source of an imported trial calls it: a seed, or a name."""
        return str(self.seed) if self.run is None else self.run

    @property
    def name(self) -> str:
        """The trial in words, such as ``lora-r4 seed 3``."""
        if self.run is not None:
            return f"{self.arm} run {self.run}"
        pair = (
            "" if self.data_order is None else f" (initialisation {self.initialisation}, data order {self.data_order})"
        )
        return f"{self.arm} seed {self.seed}{pair}"


class Winner(Stored):
    """The best candidate of an arm's search."""

    search: str
    trials: Count
    params: dict[str, Scalar]
    value: float | None = None


class ArmEntry(Stored):
    """The settings of an arm, the factors of its grid, and the winner of its search."""

    training: dict[str, Any] = Field(default_factory=dict)
    adapter: dict[str, Any] | None = None
    freeze: dict[str, Any] | None = None
    selection: EpochSelection | None = None
    factors: dict[str, Scalar] = Field(default_factory=dict)
    tuned: Winner | None = None


class PlanEntry(_Kept):
    """A moment when the analysis plan was fixed or changed.

    `arms` and `variance` are None where an older version did not note them. What it judged by pair stays so.
    """

    digest: str
    arms: tuple[str, ...] | None = None
    analysis: dict[str, Any] | None = None
    variance: Literal["pooled", "pairwise"] | None = None
    frozen: str
    trials_finished: Count


class SeedEntry(_Kept):
    """The first seeds of the study, or a moment when trials began to be trained with other ones."""

    seeds: tuple[Count, ...]
    frozen: str
    trials_finished: Count


class ModelEntry(RecordedModel):
    """The model of the study, as written in it."""

    name: str


class Crossing(NamedTuple):
    """How many seeds of their own initialisation and data order have, where every one meets every other."""

    initialisations: int
    data_orders: int


class ImportedStudy(ImportedTrial):
    """Where a study that was trained elsewhere was read from, and what the import took for what, in pairs."""

    understood: tuple[tuple[str, str], ...] = ()


class Manifest(StoredFile):
    """`study.json`: a study, its plan, and which trials belong to it now.

    An imported study may know no `model`. Where it is not `paired`, equal seeds in two arms have nothing in common.
    """

    name: str
    question: str | None = None
    study: dict[str, Any] = Field(default_factory=dict)
    study_file: str | None = None
    overrides: tuple[str, ...] = ()
    asked_arms: tuple[str, ...] | None = None
    analysis: dict[str, Any] | None = None
    claims: list[dict[str, Any]] | None = None
    plan_history: tuple[PlanEntry, ...] = ()
    seed_history: tuple[SeedEntry, ...] = ()
    selection: EpochSelection
    deviations: tuple[str, ...] = ()
    model: ModelEntry | None = None
    data: DataEntry
    paired: bool = True
    imported: ImportedStudy | None = None
    arms: dict[str, ArmEntry] = Field(min_length=1)
    cells: tuple[TrialEntry, ...]

    @property
    def model_name(self) -> str:
        """The model as it is written in the study; empty where it is not known."""
        return self.model.name if self.model is not None else ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in the order in which the study took them up, so that a look always sees the same seeds."""
        present = {entry.seed for entry in self.cells}
        taken_up = [seed for entry in self.seed_history for seed in sorted(entry.seeds) if seed in present]
        return tuple(dict.fromkeys([*taken_up, *sorted(present)]))

    def selection_of(self, arm: str) -> EpochSelection:
        """Return the selection that an arm uses: its own, or the study's."""
        return self.arms[arm].selection or self.selection

    def arms_left(self, looks: Sequence[TakenLook]) -> dict[str, int]:
        """Return which arms a run until decided trains no further, and with how many of the first seeds each left.

        Only looks at these seeds count, by the plan that the study has now.
        """
        seeds, plan = self.seeds, self.plan_history[-1].digest if self.plan_history else ""
        left: dict[str, int] = {}
        for look in looks:
            size = len(look.seeds)
            if look.plan == plan and set(look.seeds) == set(seeds[:size]):
                left |= {arm: min(size, left.get(arm, size)) for arm in look.left}
        return left

    def spared(self, looks: Sequence[TakenLook]) -> frozenset[tuple[str, int]]:
        """Return the arm and the seed of each trial that a run until decided does not need."""
        seeds = self.seeds
        return frozenset((arm, seed) for arm, size in self.arms_left(looks).items() for seed in seeds[size:])

    @property
    def keys(self) -> dict[str, list[str]]:
        """The keys of the trials of each arm."""
        return {arm: [entry.key for entry in self.cells if entry.arm == arm] for arm in self.arms}

    @property
    def crossing(self) -> Crossing | None:
        """How the seeds cross; None in a study with seeds of one kind."""
        initialisations = [entry.initialisation for entry in self.cells if entry.initialisation is not None]
        data_orders = [entry.data_order for entry in self.cells if entry.data_order is not None]
        if not initialisations or not data_orders:
            return None
        return Crossing(max(initialisations) + 1, max(data_orders) + 1)

    @model_validator(mode="after")
    def _seeds_number_the_pairs(self) -> Manifest:
        crossing = self.crossing
        for entry in self.cells:
            expected: tuple[int | None, int | None] = (None, None)
            if crossing is not None:
                expected = divmod(entry.seed, crossing.data_orders)
            if (entry.initialisation, entry.data_order) != expected:
                raise ValueError(
                    f"cells: {entry.arm} seed {entry.seed} has initialisation {entry.initialisation} and data order "
                    f"{entry.data_order}, expected {expected[0]} and {expected[1]}"
                )
        return self

    @property
    def first_arms(self) -> frozenset[str]:
        """The arms that the study had before any of its trials had finished; all where that was not noted."""
        noted = [entry.arms for entry in self.plan_history if not entry.trials_finished and entry.arms is not None]
        return frozenset(noted[-1] if noted else self.arms)
