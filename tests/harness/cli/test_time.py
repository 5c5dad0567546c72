"""`harness time`: which study it takes, what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.records.timing import TimedArm, Timing
from analysis.records.trial_record import Device
from harness.runs import timing as runs
from harness.study.study import Study
from tests.conftest import write_imported_study

Command = Callable[..., tuple[int, str, str]]

FULL = TimedArm(
    key="a",
    trial_steps=10,
    trial_examples=100,
    step_seconds=(0.1, 0.11, 0.12),
    example_seconds=(0.01, 0.01, 0.01),
    peak_bytes=(2**30, 2**30, 2**31),
)
LORA = FULL.model_copy(update={"key": "b", "step_seconds": (0.05, 0.055, 0.06)})
DEVICE = Device(type="cpu", name="CPU", threads=1)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Study, Path]]:
    """Which studies were timed; two arms that could be, and one that could not."""
    asked: list[tuple[Study, Path]] = []

    def time_study(study: Study, root: Path, *, display: Any) -> Timing:
        asked.append((study, root))
        arms = {"full": FULL, "lora-r2": LORA, "lora-r8": TimedArm(key="c", reason="RuntimeError: no")}
        return Timing(engine="trainer", clock="CPU time", device=DEVICE, turns=3, arms=arms)

    monkeypatch.setattr(runs, "time_study", time_study)
    return asked


def test_the_table_and_the_json_say_the_same(command: Command, written: Any, timed: list[Any]) -> None:
    path = written()
    code, out, _ = command("time", path)
    assert code == 1
    # 10 steps, a t interval on log seconds.
    assert "1.1 s (0.87 to 1.4)" in out
    assert "0.50 [0.50, 0.50]" in out
    assert "3 turns; CPU time of one thread" in " ".join(out.split())
    code, out, _ = command("time", path, "--json")
    (content,) = json.loads(out)["studies"]
    assert (code, content["turns"], content["clock"]) == (1, 3, "CPU time")
    full, lora, broken = content["arms"]
    assert full["times"]["seconds"] == pytest.approx((1.0 * 1.1 * 1.2) ** (1 / 3))
    assert (full["ratio"], lora["ratio"]["ratio"]) == (None, pytest.approx(0.5))
    assert broken == {"arm": "lora-r8", "reason": "RuntimeError: no", "times": None, "ratio": None}


def test_runs_that_were_trained_elsewhere_cannot_be_timed(command: Command, timed: list[Any]) -> None:
    write_imported_study(Path("results/theirs"), {arm: np.zeros((2, 3)) for arm in ("full", "lora")})
    for asked in ("theirs", "results/theirs"):
        code, out, err = command("time", asked)
        assert (code, out, timed) == (2, "", [])
        assert err == (
            "error: results/theirs holds runs that were trained elsewhere; their times cannot be measured here\n"
        )


def test_a_study_that_has_not_run_is_refused(command: Command, written: Any) -> None:
    code, out, err = command("time", written())
    assert (code, out) == (2, "")
    assert err.startswith("error: results/base holds no study; run it first: harness run ")


def test_what_is_no_study_is_refused(command: Command) -> None:
    code, _, err = command("time", "nowhere")
    assert (code, err) == (2, "error: nowhere: no such file\n")
