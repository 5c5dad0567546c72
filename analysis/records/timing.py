"""Timing: timing.json, what a trial of each arm takes alone, measured in turns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from analysis.records.format import LONGEST_SECONDS, Count, Stored, StoredFile
from analysis.records.trial_record import Device, Provenance

FEWEST_TURNS = 3
"""What is stored has at least so many."""

# Ratios of such times are finite, too.
_Seconds = tuple[Annotated[float, Field(ge=1e-12, le=LONGEST_SECONDS)], ...]
_Amount = Annotated[float, Field(ge=0, le=2**63 - 1)]


class TimedArm(Stored):
    """What a trial of an arm took in every turn, or the reason why it could not be timed.

    Parameters
    ----------
    key : str
        The key of one of its trials. The figures are those of the arm as long as this trial belongs to it.
    reason : str or None
        Why there are no figures.
    trial_steps, trial_examples : float
        Optimizer steps and scored examples of a whole trial, the mean over its finished trials.
    step_seconds, example_seconds : tuple of float
        Of one step and of one scored example, turn by turn; no steps where a trial trains none.
    peak_bytes : tuple of int
        Largest memory of the block, turn by turn.
    """

    key: str
    reason: str | None = None
    trial_steps: _Amount = 0.0
    trial_examples: _Amount = 0.0
    step_seconds: _Seconds = ()
    example_seconds: _Seconds = ()
    peak_bytes: tuple[Count, ...] = ()

    @property
    def training_seconds(self) -> tuple[float, ...]:
        """Seconds of training one whole trial, turn by turn."""
        return tuple(self.trial_steps * seconds for seconds in self.step_seconds)

    @property
    def evaluation_seconds(self) -> tuple[float, ...]:
        """Seconds of scoring one whole trial after every epoch, turn by turn."""
        return tuple(self.trial_examples * seconds for seconds in self.example_seconds)

    @property
    def mean_seconds(self) -> float:
        """Seconds of training and scoring one whole trial, the geometric mean over turns; NaN without figures."""
        if not self.example_seconds:
            return math.nan
        return sum(
            math.exp(statistics.fmean(map(math.log, seconds)))
            for seconds in (self.training_seconds, self.evaluation_seconds)
            if all(seconds) and seconds
        )


class Timing(StoredFile):
    """`timing.json`: what a trial of each arm takes alone, measured in turns through all arms."""

    engine: str
    clock: Literal["CPU time", "wall clock"]
    device: Device
    memory_method: str | None = None
    turns: int = Field(ge=FEWEST_TURNS, le=2**63 - 1)
    arms: dict[str, TimedArm]
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _one_figure_a_turn(self) -> Timing:
        for name, arm in self.arms.items():
            expected = 0 if arm.reason else self.turns
            for key in ("step_seconds", "example_seconds", "peak_bytes"):
                n = len(getattr(arm, key))
                if n != expected and not (key == "step_seconds" and n == arm.trial_steps == 0):
                    raise ValueError(f"arms: {name} has {n} {key}, expected one for each of {self.turns} turns")
        return self

    def timed(self, keys: Mapping[str, Collection[str]]) -> dict[str, TimedArm]:
        """Return the entries of the arms that are as they were.

        Parameters
        ----------
        keys : mapping of str to collection of str
            The keys of the trials of each arm of the study as it is.
        """
        return {name: arm for name, arm in self.arms.items() if arm.key in keys.get(name, ())}
