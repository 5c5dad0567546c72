"""Runs of packs: the messages, the trained trials, and the files that they leave."""

from __future__ import annotations

from pathlib import Path

from harness.engines.engine import Progress
from harness.engines.result import TrialResult
from harness.progress.displays import Display
from tests.harness.runs.test_runner import records


class Watcher(Display):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.trained: list[str] = []
        self.steps: dict[str, int] = {}

    def say(self, text: str) -> None:
        self.messages.append(text)

    def step(self, progress: Progress) -> None:
        self.steps[f"{progress.trial.arm} {progress.trial.seed}"] = progress.step

    def outcome(self, outcome: TrialResult) -> None:
        self.trained.append(f"{outcome.trial.arm} {outcome.trial.seed}")


def engines(folder: Path) -> dict[tuple[str, int], tuple[str, int]]:
    return {trial: (record["engine"], record["pack_size"]) for trial, record in records(folder).items()}


def kept(folder: Path) -> list[Path]:
    return list((folder / "packs").glob("*.pt"))
