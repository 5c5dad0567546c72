"""Result of a trial: its status, its epochs with their scores, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.study.trials import Trial

Status = Literal["finished", "diverged", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Loss and accuracy on one split; NaN where a logit is not finite. A regression has no accuracy."""

    loss: float
    accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What a model was after one epoch.

    Parameters
    ----------
    epoch : int
        Counted from 1; 0 is the model before training.
    learning_rate : float
        At the end of the epoch.
    train_loss : float
        Mean over the epoch's steps; NaN for epoch 0.
    test, holdout : Score or None
        A tuning trial has no test score, a trial without a hold-out no score on it.
    probabilities : ndarray of float32, shape (n_test, n_classes), or None
        In the order of the test split; of a regression the predicted numbers, shape (n_test, 1).
    """

    epoch: int
    learning_rate: float
    train_loss: float
    test: Score | None
    holdout: Score | None
    probabilities: np.ndarray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial did not finish."""

    type: str
    message: str

    @classmethod
    def interrupted(cls, reason: KeyboardInterrupt) -> Failure:
        """Return what stopped a trial: a signal's name, where the runner heard it."""
        return cls(type="KeyboardInterrupt", message=str(reason) or "stopped by SIGINT")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What became of one trial.

    Parameters
    ----------
    trial : Trial
        The trial.
    status : str
        ``finished``, ``diverged``, ``failed`` or ``interrupted``.
    error : Failure or None
        Why, where it is not ``finished``.
    epochs : tuple of Epoch
        The epochs that were completed.
    selected_epoch : int or None
        The hold-out's choice, or the last epoch; None where there is none.
    training_seconds, evaluation_seconds : float
        Wall-clock time; building the model belongs to neither.
    timing : str
        ``solo`` where the trial had the device to itself, else what the seconds mean.
    steps, tokens : int
        Optimizer steps; tokens trained on, padding left out.
    peak_memory, memory_method : int, str
        Bytes, and how they were measured.
    total_parameters, trainable_parameters : int
        As the model was built.
    n_train, n_holdout : int
        Examples trained on and held out.
    engine, device, device_name, precision : str
        What it ran on.
    pack_size : int
        How many trials were trained together.
    threads : int
        What torch computed with on a CPU.
    provenance : mapping or None
        Versions, commit, node and hardware, where another process trained it; None for those of this one.
    """

    trial: Trial
    status: Status
    error: Failure | None = None
    epochs: tuple[Epoch, ...] = ()
    selected_epoch: int | None = None
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    timing: str = "solo"
    steps: int = 0
    tokens: int = 0
    peak_memory: int = 0
    memory_method: str = ""
    total_parameters: int = 0
    trainable_parameters: int = 0
    n_train: int = 0
    n_holdout: int = 0
    engine: str = ""
    pack_size: int = 1
    device: str = ""
    device_name: str = ""
    precision: str = ""
    threads: int = 0
    provenance: Mapping[str, Any] | None = None

    @property
    def selected(self) -> Epoch | None:
        """The epoch that the trial arrived at."""
        return next((epoch for epoch in self.epochs if epoch.epoch == self.selected_epoch), None)
