from __future__ import annotations

import pytest

from analysis.study.analysis_block import parse_plan

ARMS = ("full", "lora-r2", "lora-r8")


def test_every_arm_meets_the_baseline_and_no_pair_stands_twice() -> None:
    block = {
        "baseline": "lora-r2",
        "comparisons": [
            {"treatment": "full", "baseline": "lora-r8"},
            {"treatment": "full", "baseline": "lora-r2"},
            {"treatment": "lora-r2", "baseline": "full"},
            {"treatment": "lora-r8", "baseline": "full"},
        ],
    }
    pairs = [str(pair) for pair in parse_plan(block, arms=ARMS).all_comparisons(ARMS)]
    assert pairs == ["full against lora-r2", "lora-r8 against lora-r2", "full against lora-r8"]


def test_one_arm_has_nothing_to_compare() -> None:
    assert parse_plan({}, arms=["full"]).all_comparisons(["full"]) == ()


def test_a_plan_cannot_be_changed_once_read() -> None:
    plan = parse_plan({}, arms=ARMS)
    with pytest.raises(ValueError, match="frozen"):
        plan.margin = 0.5
