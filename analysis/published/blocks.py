"""The blocks of a claims file: what each of them may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analysis.problems import shown
from analysis.published.fields import (
    AboveZero,
    BelowMostSd,
    ByClass,
    ClassCounts,
    Count,
    Ddof,
    Examples,
    Layers,
    LoggedByClass,
    Modules,
    Number,
    Numbers,
    Sd,
    Share,
    Shares,
    Size,
    Time,
)
from analysis.published.figures import Figure

BY_CLASS: tuple[Literal["f1", "precision", "recall"], ...] = ("f1", "precision", "recall")
"""The measures that are of a class, or of a mean of all."""

Said = Literal["differ", "equal"]
Criterion = Literal["accuracy", "f1", "loss"]

_TUNINGS = "all, {freeze: {layers: 3}} or {lora: {r: 4, target_modules: [c_attn]}}"
_SELECTIONS = "last, or {best: accuracy, on: test, epochs: 3}"


class _Block(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Lora(_Block):
    """A LoRA adapter, in peft's words.

    Parameters
    ----------
    r
        Its rank.
    target_modules
        The modules that it adapts, by the last part of their names.
    """

    r: Count
    target_modules: Modules


class Freeze(_Block):
    """Frozen layers, as in a study file.

    Parameters
    ----------
    layers
        How many layers are frozen after the embeddings.
    """

    layers: Layers


class Tuning(_Block):
    """What is trained: everything, where neither an adapter nor frozen layers are given."""

    lora: Lora | None = None
    freeze: Freeze | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: object) -> object:
        if value == "all":
            return {}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"expected {_TUNINGS}, got {shown(value)}")
        return value


class Selection(_Block):
    """How the reported epoch was chosen.

    Parameters
    ----------
    best
        The figure by which the best epoch was picked; None for the last epoch.
    on
        Where: on the sentences that are reported, or on others.
    epochs
        From how many epochs; by default as many as the log has.
    """

    best: Criterion | None = None
    on: Literal["test", "holdout"] | None = None
    epochs: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: object) -> object:
        if value == "last":
            return {}
        if not isinstance(value, Mapping) or "best" not in value or "on" not in value:
            raise ValueError(f"expected {_SELECTIONS}, got {shown(value)}")
        return value

    @property
    def on_test(self) -> bool:
        """Whether the best epoch was picked on the very sentences that are reported."""
        return self.best is not None and self.on == "test"


class Log(_Block):
    """Figures by epoch, of one run, from the first epoch on."""

    accuracy: Shares = ()
    f1: LoggedByClass = {}
    precision: LoggedByClass = {}
    recall: LoggedByClass = {}
    loss: Numbers = ()

    @model_validator(mode="after")
    def _as_many_of_each(self) -> Log:
        lengths = {len(figures) for _, figures in self.columns()}
        if len(lengths) != 1:
            said = ", ".join(f"{len(figures)} of {name}" for name, figures in self.columns())
            raise ValueError(f"expected one figure an epoch everywhere, got {said or 'no figure'}")
        return self

    def columns(self) -> list[tuple[str, tuple[Figure, ...]]]:
        """Return every column that the log has, with its name."""
        by_class = [
            (f"{measure} of {name}" if name else measure, figures)
            for measure in BY_CLASS
            for name, figures in getattr(self, measure).items()
        ]
        single = [("accuracy", self.accuracy), ("loss", self.loss)]
        return [(name, figures) for name, figures in [*single, *by_class] if figures]

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.columns()[0][1])


class RunsSd(_Block):
    """An SD over runs.

    Parameters
    ----------
    value
        As it is printed.
    ddof
        What it was divided by: 1 for one less than the runs, as of a sample; 0 for the runs, as numpy does unless it
        is told otherwise; None where nobody says.
    """

    value: Sd
    ddof: Ddof | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"value": value}


class System(_Block):
    """One row of a published table.

    Parameters
    ----------
    accuracy, error_rate
        One of the two; over several runs their mean.
    sd
        SD of the accuracy over runs.
    f1, precision, recall
        By class, by ``macro`` or ``weighted``, or under the empty name where the report names no class.
    loss
        On the test set.
    time
        Of the training.
    parameters, trainable, trainable_share
        All parameters, those that are trained, and their share, as printed.
    tuning
        What is trained, so that the numbers of parameters can be judged.
    runs
        How many runs the figures are means of.
    selection
        How the reported epoch was chosen; None where that is not known.
    log
        The figures by epoch.
    settings
        What differs between systems or reports, in any words.
    arm
        The arm of a study that retrains this system; by default the one of its name.
    """

    accuracy: Share | None = None
    error_rate: Share | None = None
    sd: RunsSd | None = None
    f1: ByClass = {}
    precision: ByClass = {}
    recall: ByClass = {}
    loss: Number | None = None
    time: Time | None = None
    parameters: Size | None = None
    trainable: Size | None = None
    trainable_share: Share | None = None
    tuning: Tuning | None = None
    runs: Count = 1
    selection: Selection | None = None
    log: Log | None = None
    settings: dict[str, Any] = {}
    arm: str | None = None

    @property
    def score(self) -> Figure | None:
        """The accuracy, whichever way it is printed."""
        return self.error_rate.complement() if self.error_rate is not None else self.accuracy

    @property
    def epochs(self) -> int | None:
        """From how many epochs the reported one was chosen, where that is known."""
        chosen = self.selection.epochs if self.selection is not None else None
        return chosen or (self.log.epochs if self.log is not None else None)

    @property
    def picked_from(self) -> int:
        """From how many epochs the figures were picked on the reported sentences; 1 where they were not."""
        on_test = self.selection is not None and self.selection.on_test
        return (self.epochs or 1) if on_test and self.runs == 1 else 1


class Pair(_Block):
    """Two systems that are held against each other; the gap is the treatment's accuracy minus the baseline's.

    Parameters
    ----------
    treatment, baseline
        Two systems of the report.
    said
        Whether the report says that they differ, or that they are equal.
    words
        In which words.
    time_saved, speedup
        What it says about their times.
    """

    treatment: str
    baseline: str
    said: Said | None = None
    words: str | None = None
    time_saved: Share | None = None
    speedup: Annotated[Number, AboveZero] | None = None

    @property
    def sides(self) -> tuple[str, str]:
        """The treatment and the baseline."""
        return self.treatment, self.baseline

    def __str__(self) -> str:
        return f"{self.treatment} against {self.baseline}"


class SeedSd(_Block):
    """How far accuracy on this test set scatters over seeds.

    Parameters
    ----------
    value
        The SD.
    runs
        The runs that it was estimated from; None where it is simply supposed.
    ddof
        What it was then divided by, as in `RunsSd`.
    """

    value: Annotated[Share, AboveZero, BelowMostSd]
    runs: Annotated[Count, Field(ge=2)] | None = None
    ddof: Ddof | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"value": value}


class Head(_Block):
    """What a report says about all its systems."""

    source: str = Field(min_length=1)
    n: Examples
    model: str | None = None
    data: str | None = None
    classes: ClassCounts = {}
    seed_sd: SeedSd | None = None
    selection: Selection | None = None
    settings: dict[str, Any] = {}
    systems: dict[str, Any] = Field(min_length=1)
    pairs: list[Any] | None = None
