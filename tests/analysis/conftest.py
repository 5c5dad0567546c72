"""Results folders made by hand from docs/records.md; nothing here knows the package that runs studies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

Scores = Mapping[str, NDArray[Any]]
Change = Callable[[dict[str, Any]], None]


def simulated(
    rng: np.random.Generator,
    accuracies: Mapping[str, float],
    *,
    seeds: int,
    examples: int,
    seed_sd: float = 0.0,
) -> dict[str, NDArray[np.int64]]:
    """Right and wrong answers whose true accuracy by arm is known; examples and seeds both matter."""
    ease = rng.normal(0.0, 0.6, size=examples)
    out = {}
    for arm, accuracy in accuracies.items():
        shift = rng.normal(0.0, seed_sd, size=(seeds, 1))
        chance = np.clip(accuracy + shift + 0.1 * np.tanh(ease) - 0.1 * np.tanh(ease).mean(), 0.0, 1.0)
        out[arm] = (rng.random((seeds, examples)) < chance).astype(np.int64)
    return out


def record(arm: str, seed: int, key: str, epochs: Sequence[int], accuracies: Sequence[float]) -> dict[str, Any]:
    """A record as docs/records.md describes it."""
    return {
        "format": 1,
        "key": key,
        "arm": arm,
        "seed": seed,
        "streams": {"initialisation": 1, "data_order": 2, "dropout": 3},
        "status": "finished",
        "error": None,
        "settings": {"seed": seed},
        "epochs": [
            {
                "epoch": epoch,
                "learning_rate": 1e-5,
                "train_loss": 0.3,
                "test": {"loss": 1 - accuracy, "accuracy": accuracy},
                "holdout": None,
            }
            for epoch, accuracy in zip(epochs, accuracies, strict=True)
        ],
        "selected_epoch": epochs[-1],
        "seconds": {"training": 10.0 + seed, "evaluation": 1.0, "timing": "solo"},
        "steps": 100,
        "tokens": 5000,
        "peak_memory": {"bytes": 300_000_000, "method": "resident set"},
        "parameters": {"total": 1_000_000, "trainable": 1_000_000 if arm == "full" else 8_000},
        "engine": "trainer",
        "device": {"type": "cpu", "name": "test processor", "precision": "fp32"},
        "provenance": {
            "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "dirty": False,
            "hardware": {"processor": "test", "cores": 2, "memory": 16, "gpu": None},
            "started": "2026-11-01T10:00:00Z",
            "ended": "2026-11-01T10:00:20Z",
        },
        "data": {"fingerprint": "f", "n_train": 2000, "n_test": 10, "n_holdout": 0},
        "model": {"name": "embedded/tiny", "identity": "i", "revision": None},
    }


class StudyFolder:
    """A results folder that a test writes and then spoils."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys: dict[tuple[str, int], str] = {}

    def trial(self, arm: str, seed: int) -> Path:
        return self.root / "trials" / self.keys[arm, seed]

    def change_manifest(self, change: Change) -> None:
        self._change(self.root / "study.json", change)

    def change_record(self, arm: str, seed: int, change: Change) -> None:
        self._change(self.trial(arm, seed) / "record.json", change)

    def change_predictions(self, arm: str, seed: int, change: Callable[[pa.Table], pa.Table]) -> None:
        path = self.trial(arm, seed) / "predictions.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    def pack(self, arm: str, seed: int, size: int) -> None:
        """Turn a trial that was trained alone into one of a pack."""

        def change(content: dict[str, Any]) -> None:
            seconds, memory = content["seconds"], content["peak_memory"]
            content.update(
                engine="packed",
                pack_size=size,
                seconds={
                    "training": seconds["training"] / size,
                    "evaluation": seconds["evaluation"] / size,
                    "timing": f"the share of one of {size} trials in the seconds of their pack",
                },
                peak_memory={
                    "bytes": size * memory["bytes"],
                    "method": f"{memory['method']}, of a pack of {size} trials",
                },
            )

        self.change_record(arm, seed, change)

    def time(self, step_seconds: Mapping[str, Sequence[float]], **changes: Any) -> None:
        """Write timing.json: of each arm the seconds of a step in every turn; scoring an example takes a tenth."""
        turns = len(next(iter(step_seconds.values())))
        content: dict[str, Any] = {
            "format": 1,
            "engine": "trainer",
            "clock": "CPU time",
            "device": {"type": "cpu", "name": "CPU", "threads": 1},
            "memory_method": "peak resident memory of the process during the trial",
            "turns": turns,
            "arms": {
                arm: {
                    "key": self.keys[arm, 0],
                    "trial_steps": 100.0,
                    "trial_examples": 400.0,
                    "step_seconds": list(seconds),
                    "example_seconds": [value / 10 for value in seconds],
                    "peak_bytes": [2**28 + 2**20 * turn for turn in range(turns)],
                }
                for arm, seconds in step_seconds.items()
            },
            "provenance": {"versions": {"torch": "2.13.0"}, "started": "2026-11-01T10:01:00Z"},
        }
        (self.root / "timing.json").write_text(json.dumps(content | changes))

    def end(self, arm: str, seed: int, status: str, message: str) -> None:
        """Turn a finished trial into one that failed or diverged before its first epoch."""
        (self.trial(arm, seed) / "predictions.parquet").unlink()
        self.change_record(
            arm,
            seed,
            lambda content: content.update(
                status=status, error={"type": "Error", "message": message}, epochs=[], selected_epoch=None
            ),
        )

    def forget(self, arm: str, seed: int) -> None:
        """Turn a finished trial into one that did not run yet."""
        for path in self.trial(arm, seed).iterdir():
            path.unlink()

    @staticmethod
    def _change(path: Path, change: Change) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def write_study(
    root: Path,
    scores: Scores,
    *,
    analysis: Mapping[str, Any] | None = None,
    claims: Sequence[Mapping[str, Any]] | None = None,
    selection: Mapping[str, Any] | None = None,
    classes: Sequence[str] = ("negative", "positive"),
    name: str = "hand_made",
) -> StudyFolder:
    """Write a study; `scores` holds 1 for right and 0 for wrong, (seeds, N) or (seeds, epochs, N), by arm."""
    folder = StudyFolder(root)
    first = next(iter(scores.values()))
    n = first.shape[-1]
    labels = np.arange(n) % len(classes)
    trials = []
    for position, (arm, right) in enumerate(scores.items()):
        by_epoch = right[:, None, :] if right.ndim == 2 else right
        epochs = list(range(1, by_epoch.shape[1] + 1))
        for seed in range(by_epoch.shape[0]):
            key = folder.keys[arm, seed] = f"{position:02d}{seed:02d}abc"
            trials.append({"arm": arm, "seed": seed, "key": key})
            place = folder.trial(arm, seed)
            place.mkdir(parents=True)
            predicted = np.where(by_epoch[seed] == 1, labels, (labels + 1) % len(classes)).ravel()
            columns: dict[str, Any] = {
                "epoch": pa.array(np.repeat(epochs, n), pa.int32()),
                "example_id": pa.array([f"id-{i}" for i in range(n)] * len(epochs), pa.string()),
                "label": pa.array(np.tile(labels, len(epochs)), pa.int32()),
            }
            for label in range(len(classes)):
                share = np.where(predicted == label, 0.9, 0.1 / (len(classes) - 1))
                columns[f"p_{label}"] = pa.array(share, pa.float32())
            pq.write_table(pa.table(columns), place / "predictions.parquet")
            content = record(arm, seed, key, epochs, by_epoch[seed].mean(axis=1).tolist())
            (place / "record.json").write_text(json.dumps(content))
    seeds = sorted({trial["seed"] for trial in trials})
    manifest = {
        "format": 1,
        "name": name,
        "question": "Is the gap real?",
        "study": {"name": name, "data": {"path": "embedded/sentiment", "train_size": None}},
        "analysis": dict(analysis or {}),
        "claims": list(claims or []),
        "plan_history": [
            {
                "digest": "d",
                "analysis": {},
                "variance": "pooled",
                "frozen": "2026-11-01T09:59:00Z",
                "trials_finished": 0,
            }
        ],
        "seed_history": [{"seeds": seeds, "frozen": "2026-11-01T09:59:00Z", "trials_finished": 0}],
        "selection": dict(selection or {"rule": "last"}),
        "deviations": [],
        "model": {"name": "embedded/tiny", "identity": "i", "revision": None},
        "data": {
            "path": "embedded/sentiment",
            "name": None,
            "fingerprint": "f",
            "text": "sentence",
            "label": "label",
            "classes": list(classes),
            "n_train": 2000,
            "n_test": n,
        },
        "arms": {
            arm: {
                "training": {},
                "adapter": None,
                "freeze": None,
                "selection": dict(selection or {"rule": "last"}),
                "factors": {},
                "tuned": None,
            }
            for arm in scores
        },
        "cells": trials,
    }
    (root / "study.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(name="write_study")
def _write_study() -> Callable[..., StudyFolder]:
    return write_study


@pytest.fixture(name="simulated")
def _simulated() -> Callable[..., dict[str, NDArray[np.int64]]]:
    return simulated


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> StudyFolder:
    """Two equal arms and a far worse one; six seeds, 400 examples."""
    scores = simulated(rng, {"full": 0.88, "lora-r2": 0.70, "lora-r8": 0.88}, seeds=6, examples=400)
    return write_study(tmp_path / "study", scores)
