"""timing.json: what is read of it, what is left out, and when it is about another study."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from analysis.errors import FormatError, RecordError
from analysis.records.json_files import read_timing
from analysis.records.loading import load

if TYPE_CHECKING:
    from conftest import StudyFolder

SECONDS = {"full": [0.1, 0.2, 0.4], "lora-r2": [0.05, 0.1, 0.2]}


def test_the_seconds_of_a_trial_follow_from_those_of_a_step_and_an_example(study: StudyFolder) -> None:
    study.time(SECONDS)
    timing = read_timing(study.root)
    assert timing is not None
    assert timing.arms["full"].training_seconds == pytest.approx((10, 20, 40))
    assert timing.arms["full"].evaluation_seconds == pytest.approx((4, 8, 16))
    assert timing.arms["full"].mean_seconds == pytest.approx(20 + 8)


def test_arms_that_changed_are_not_read_as_measured(study: StudyFolder) -> None:
    assert load(study.root).timing is None
    study.time(SECONDS)
    timing = load(study.root).timing
    assert timing is not None
    assert set(timing.arms) == {"full", "lora-r2"}

    def change(content: dict[str, Any]) -> None:
        content["cells"] = [
            cell | ({"key": f"{cell['key']}-new"} if cell["arm"] == "full" else {}) for cell in content["cells"]
        ]

    study.change_manifest(change)
    timing = load(study.root).timing
    assert timing is not None
    assert set(timing.arms) == {"lora-r2"}


CHANGES = [
    ({"turns": 2}, "turns: input should be greater than or equal to 3, got 2"),
    ({"turns": 4}, "cannot be used: arms: full has 3 step_seconds, expected one for each of 4 turns. Move it"),
    ({"clock": "sundial"}, "clock: input should be 'CPU time' or 'wall clock', got 'sundial'"),
    ({"arms": {"full": {}}}, "arms.full.key: it is missing"),
    (
        {"arms": {"full": {"key": "k", "step_seconds": [1.0, 0.0, 1.0]}}},
        "step_seconds.1: input should be greater than or equal to",
    ),
    ({"arms": {"full": {"key": "k", "example_seconds": [1.0, 1e308, 1.0]}}}, "got 1e+308"),
    ({"arms": {"full": {"key": "k", "trial_steps": 1e300}}}, "got 1e+300"),
    ({"arms": {"full": {"key": "k", "reason": "x", "peak_bytes": [1, 1, 1]}}}, "full has 3 peak_bytes"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES)
def test_a_file_that_does_not_follow_the_page_is_left_out_with_what_to_do(
    study: StudyFolder, change: dict[str, Any], says: str
) -> None:
    study.time(SECONDS, **change)
    with pytest.raises(RecordError) as caught:
        read_timing(study.root)
    assert says in str(caught.value)
    assert "Move it away, and harness time measures anew: mv " in str(caught.value)
    outcomes = load(study.root)
    assert (outcomes.timing, outcomes.timing_fault) == (None, str(caught.value))


def test_a_newer_format_is_named(study: StudyFolder) -> None:
    study.time(SECONDS, format=3)
    with pytest.raises(FormatError, match="has format 3"):
        load(study.root)


def test_an_arm_that_trains_no_step_has_no_times_of_steps(study: StudyFolder) -> None:
    study.time(SECONDS)
    path = study.root / "timing.json"
    content = json.loads(path.read_text())
    content["arms"]["full"] |= {"trial_steps": 0, "step_seconds": []}
    path.write_text(json.dumps(content))
    timing = read_timing(study.root)
    assert timing is not None
    assert timing.arms["full"].mean_seconds == pytest.approx(8)
