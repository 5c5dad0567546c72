"""Training of fine-tuning studies: every arm with every seed, every prediction of every trained model kept on disk.

`load_study` reads a study file, `run_study` trains it; `RecordPredictions` records what a Trainer of one's own trained.
Importing this package loads no torch; running a study does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.study.loading import load_study
from harness.study.study import Study

if TYPE_CHECKING:
    from harness.records.trainer_callback import RecordPredictions
    from harness.runs.runner import run_study

__all__ = ["HarnessError", "RecordPredictions", "Study", "load_study", "run_study"]


def __getattr__(name: str) -> Any:
    if name == "run_study":
        from harness.runs.runner import run_study

        return run_study
    if name == "RecordPredictions":
        from harness.records.trainer_callback import RecordPredictions

        return RecordPredictions
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
