"""Size of a study: parameter counts of its arms, and its examples."""

from __future__ import annotations

from dataclasses import dataclass

from harness.runs.preview import TrialInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSize:
    """How many parameters an arm's model has and trains, or the reason why that is not known.

    It may be `refused`: a run would not train it for this reason.
    """

    arm: str
    total: int | None = None
    trainable: int | None = None
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySize:
    """How large a study's models and data are.

    Parameters
    ----------
    arms : tuple of ArmSize
        Parameter counts, in the order of the study file.
    remarks : tuple of str
        What was read and assumed for them.
    n_train, n_test : int or None
        Training examples of all seeds together, and test examples; None where the data are not on this machine.
    n_drawn : int or None
        How many of the training examples each seed draws as its own training set; None where each is trained on all of
        them, or where that is not known.
    inputs : TrialInputs or None
        What trials start from and are trained on; None where model or data are not on this machine.
    """

    arms: tuple[ArmSize, ...]
    remarks: tuple[str, ...] = ()
    n_train: int | None = None
    n_test: int | None = None
    n_drawn: int | None = None
    inputs: TrialInputs | None = None
