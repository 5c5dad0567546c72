"""Size of a study: parameter counts of its arms, and its test examples."""

from __future__ import annotations

from dataclasses import dataclass

from harness.runs.status import TrialInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSize:
    """How many parameters an arm's model has and trains, or the reason why that is not known."""

    arm: str
    total: int | None = None
    trainable: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySize:
    """How large a study's models and data are.

    Parameters
    ----------
    arms : tuple of ArmSize
        Parameter counts, in the order of the study file.
    remarks : tuple of str
        What was read and assumed for them.
    n_test : int or None
        Test examples; None where the data are not on this machine.
    inputs : TrialInputs or None
        What trials start from and are trained on; None where model or data are not on this machine.
    """

    arms: tuple[ArmSize, ...]
    remarks: tuple[str, ...] = ()
    n_test: int | None = None
    inputs: TrialInputs | None = None
