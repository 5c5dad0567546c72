"""Trial in a pack: what has become of it so far, and how that is saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from harness import seeding
from harness.engines.result import Epoch, Failure, Score, Status
from harness.models.build import ParameterCounts
from harness.study.trials import Trial


@dataclass(slots=True)
class PackedTrial:
    """One trial of a pack, and what has become of it. Its slot is its position in the pack."""

    trial: Trial
    parameter_counts: ParameterCounts
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
        """End the trial; the others of its pack go on."""
        self.status = "diverged"
        self.error = Failure(type="DivergedError", message=message)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` needs, in types that a saved pack can hold."""
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

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `to_dict` returned."""
        self.status = saved["status"]
        self.error = None if saved["error"] is None else Failure(type=saved["error"][0], message=saved["error"][1])
        self.steps = saved["steps"]
        self.training_seconds, self.evaluation_seconds = saved["seconds"]
        self.epochs = [
            Epoch(
                epoch=epoch["epoch"],
                learning_rate=epoch["learning_rate"],
                train_loss=epoch["train_loss"],
                test=_score(epoch["test"]),
                holdout=_score(epoch["holdout"]),
                probabilities=None if epoch["probabilities"] is None else epoch["probabilities"].numpy(),
            )
            for epoch in saved["epochs"]
        ]


def _score(pair: tuple[float, float | None] | None) -> Score | None:
    return None if pair is None else Score(loss=pair[0], accuracy=pair[1])
