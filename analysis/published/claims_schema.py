"""Schema of a claims file: what a report, its systems and its pairs may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from analysis.published.claims_epochs import Log, PublishedSelection
from analysis.published.claims_fields import (
    AboveZero,
    BelowMostSd,
    Block,
    ByClass,
    ClassCounts,
    Correlation,
    Count,
    Ddof,
    Examples,
    Number,
    Pairs,
    Score,
    Sd,
    Share,
    Size,
    Time,
)
from analysis.published.claims_tuning import Tuning
from analysis.published.printed_figures import PrintedFigure
from analysis.published.spreads import Spread, SpreadKind, from_examples_alone

ClaimedRelation = Literal["differ", "equal"]


class RunsSd(Block):
    """An SD over runs.

    Parameters
    ----------
    value : PrintedFigure
        As it is printed.
    ddof : int or None
        What it was divided by: 1 for one less than the runs, as of a sample; 0 for the runs, as numpy does unless it
        is told otherwise; None where nobody says.
    """

    value: Sd
    ddof: Ddof | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"value": value}


class System(Block):
    """One row of a published table.

    Parameters
    ----------
    accuracy, error_rate : PrintedFigure or None
        One of the two; over several runs their mean.
    sd : RunsSd or None
        SD of the accuracy over runs.
    spread : SpreadKind or None
        What is printed after the ± of the accuracy; None where that is not known.
    f1, precision, recall : mapping of str to PrintedFigure
        By class, by ``macro`` or ``weighted``, or under the empty name where the report names no class.
    mcc, pearson, spearman : PrintedFigure or None
        Matthews', Pearson's and Spearman's correlation, from -1 to 1.
    loss : PrintedFigure or None
        On the test set.
    time : PrintedFigure or None
        Of the training.
    parameters, trainable, trainable_share : PrintedFigure or None
        All parameters, those that are trained, and their share.
    tuning : Tuning or None
        What is trained, so that the numbers of parameters can be judged.
    runs : int
        How many runs the figures are means of.
    selection : PublishedSelection or None
        How the reported epoch was chosen; None where that is not known.
    log : Log or None
        The figures by epoch.
    settings : mapping of str to object
        What differs between systems or reports, in any words.
    arm : str or None
        The arm of a study that retrains this system; by default the arm with its name.
    """

    accuracy: Score | None = None
    error_rate: Score | None = None
    sd: RunsSd | None = None
    spread: SpreadKind | None = None
    f1: ByClass = Field(default_factory=dict)
    precision: ByClass = Field(default_factory=dict)
    recall: ByClass = Field(default_factory=dict)
    mcc: Correlation | None = None
    pearson: Correlation | None = None
    spearman: Correlation | None = None
    loss: Number | None = None
    time: Time | None = None
    parameters: Size | None = None
    trainable: Size | None = None
    trainable_share: Share | None = None
    tuning: Tuning | None = None
    runs: Count = 1
    selection: PublishedSelection | None = None
    log: Log | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    arm: str | None = None

    @property
    def score(self) -> PrintedFigure | None:
        """The accuracy, whichever way it is printed."""
        return self.error_rate.complement() if self.error_rate is not None else self.accuracy

    def over_runs(self, n: int) -> Spread | None:
        """Return the spread of the accuracy over runs of which the file says how many; n are the test examples."""
        if self.sd is not None:
            return Spread(figure=self.sd.value, ddof=self.sd.ddof, kind="sd")
        if self.score is None or self.score.spread is None or self.runs == 1 or self.spread_over_examples(n):
            return None
        return Spread(figure=self.score.spread, ddof=None, kind=self.spread)

    def spread_over_examples(self, n: int) -> bool:
        """Return whether what is printed after the ± is how far n test examples alone move an accuracy of this size."""
        if self.score is None or self.score.spread is None:
            return False
        return self.spread == "over examples" or (self.spread is None and from_examples_alone(self.score, n=n))

    def runs_not_said(self, n: int) -> bool:
        """Return whether a spread says that the accuracy is a mean over runs, and nothing says over how many."""
        beside = self.score is not None and self.score.spread is not None
        return beside and self.runs == 1 and not self.spread_over_examples(n)

    @property
    def epochs(self) -> int | None:
        """From how many epochs the reported one was chosen, where that is known."""
        chosen = self.selection.epochs if self.selection is not None else None
        return chosen or (self.log.epochs if self.log is not None else None)

    @property
    def picked_from(self) -> int:
        """From how many epochs the figures were picked on the reported test examples; 1 where they were not."""
        on_test = self.selection is not None and self.selection.on_test
        return (self.epochs or 1) if on_test and self.runs == 1 else 1


class Pair(Block):
    """Two systems that are compared; the gap is the treatment's accuracy minus the baseline's.

    Parameters
    ----------
    treatment, baseline : str
        Two systems of the report.
    said : {"differ", "equal"} or None
        Whether the report says that they differ, or that they are equal.
    words : str or None
        In which words.
    time_saved, speedup : PrintedFigure or None
        What it says about their times.
    """

    treatment: str
    baseline: str
    said: ClaimedRelation | None = None
    words: str | None = None
    time_saved: Share | None = None
    speedup: Annotated[Number, AboveZero] | None = None

    @property
    def sides(self) -> tuple[str, str]:
        """The treatment and the baseline."""
        return self.treatment, self.baseline

    def __str__(self) -> str:
        return f"{self.treatment} against {self.baseline}"


class SeedSd(Block):
    """How far accuracy on this test set scatters over seeds.

    Parameters
    ----------
    value : PrintedFigure
        The SD.
    runs : int or None
        The runs that it was estimated from; None where it is simply assumed.
    ddof : int or None
        What it was then divided by, as in `RunsSd`.
    """

    value: Annotated[Share, AboveZero, BelowMostSd]
    runs: Annotated[Count, Field(ge=2)] | None = None
    ddof: Ddof | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"value": value}


class ReportBlock(Block):
    """What a report says about all its systems."""

    source: str = Field(min_length=1)
    n: Examples
    model: str | None = None
    data: str | None = None
    classes: ClassCounts = Field(default_factory=dict)
    seed_sd: SeedSd | None = None
    spread: SpreadKind | None = None
    selection: PublishedSelection | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    systems: dict[str, Any] = Field(min_length=1)
    pairs: Pairs = None
