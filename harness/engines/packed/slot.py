"""One trial in a pack: what has become of it, and how that is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from harness import seeding
from harness.engines.result import Epoch, Failure, Score, Status
from harness.models.build import ParameterCounts
from harness.study.trials import Trial


@dataclass(slots=True)
class Slot:
    """One trial in the pack, and what has become of it."""

    trial: Trial
    parameters: ParameterCounts
    streams: seeding.Streams
    status: Status | None = None
    error: Failure | None = None
    epochs: list[Epoch] = field(default_factory=list)
    steps: int = 0
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0

    @property
    def n_epochs(self) -> int:
        """Epochs that the trial asks for."""
        return self.trial.settings.training.num_train_epochs

    def diverge(self, message: str) -> None:
        """End the trial; its mates go on."""
        self.status = "diverged"
        self.error = Failure(type="DivergedError", message=message)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` needs, in types that a state may hold."""
        return {
            "status": self.status,
            "error": None if self.error is None else [self.error.type, self.error.message],
            "steps": self.steps,
            "seconds": [self.training_seconds, self.evaluation_seconds],
            "epochs": [
                {
                    "epoch": epoch.epoch,
                    "learning_rate": epoch.learning_rate,
                    "train_loss": epoch.train_loss,
                    "test": None if epoch.test is None else [epoch.test.loss, epoch.test.accuracy],
                    "holdout": None if epoch.holdout is None else [epoch.holdout.loss, epoch.holdout.accuracy],
                    "probabilities": None if epoch.probabilities is None else torch.from_numpy(epoch.probabilities),
                }
                for epoch in self.epochs
            ],
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Become what `to_dict` told."""
        self.status = kept["status"]
        self.error = None if kept["error"] is None else Failure(type=kept["error"][0], message=kept["error"][1])
        self.steps = kept["steps"]
        self.training_seconds, self.evaluation_seconds = kept["seconds"]
        self.epochs = [
            Epoch(
                epoch=epoch["epoch"],
                learning_rate=epoch["learning_rate"],
                train_loss=epoch["train_loss"],
                test=_score(epoch["test"]),
                holdout=_score(epoch["holdout"]),
                probabilities=None if epoch["probabilities"] is None else epoch["probabilities"].numpy(),
            )
            for epoch in kept["epochs"]
        ]


def _score(pair: list[float] | None) -> Score | None:
    return None if pair is None else Score(loss=pair[0], accuracy=pair[1])
