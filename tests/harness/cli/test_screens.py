"""Plan screens: the settings in which the arms of a study differ."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from harness.cli.screens import show_plan, show_status
from harness.runs.size import ArmSize
from harness.runs.status import ArmStatus, StudyStatus
from harness.study.study import Study

COMMON = "lr 5e-05 linear, 1 epoch"


def shown(arms: Mapping[str, Any], *, spared: int = 0, seconds_left: float = math.nan) -> list[str]:
    study = Study.model_validate(
        {
            "name": "s",
            "model": "embedded/tiny-gpt2",
            "data": {"path": "embedded/sentiment"},
            "arms": {
                name: {**arm, "training": {"num_train_epochs": 1, **arm.get("training", {})}}
                for name, arm in arms.items()
            },
            "seeds": 1,
        }
    )
    waiting = tuple(
        ArmStatus(arm=name, trials=1, statuses={"missing": 1}, seeds_to_run=(0,), mean_seconds=math.nan, in_packs=False)
        for name in arms
    )
    ahead = StudyStatus(name="s", arms=waiting, troubles=(), seconds_left=seconds_left, others=0)
    sizes = [ArmSize(arm=name, total=100, trainable=50) for name in arms]
    out = io.StringIO()
    show_plan(Console(file=out, width=300), study, sizes, [], {}, ahead, spared)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("arms", "settings"),
    [
        ({"a": {}, "b": {"training": {"warmup_steps": 0.1}}}, ["warmup_steps=0", "warmup_steps=0.1"]),
        ({"a": {"training": {"weight_decay": 0.01}}, "b": {}}, ["weight_decay=0.01", "weight_decay=0"]),
        ({"a": {}, "b": {"freeze": {"layers": 2}}}, ["", "freeze.layers=2"]),
        (
            {"a": {}, **{f"r{r}": {"adapter": {"peft_type": "LORA", "lora_alpha": 16, "r": r}} for r in (2, 4)}},
            ["", "adapter.peft_type=LORA, adapter.r=2", "adapter.peft_type=LORA, adapter.r=4"],
        ),
        ({"a": {"selection": {"best": "loss", "patience": 2}}, "b": {}}, ["selection.best=loss", "selection=last"]),
        ({"a": {"adapter": {"peft_type": "LORA"}}}, [""]),
    ],
)
def test_a_plan_shows_what_the_arms_differ_in(arms: Mapping[str, Any], settings: list[str]) -> None:
    lines = shown(arms)[2 : 2 + len(arms)]
    for line, differing in zip(lines, settings, strict=True):
        assert line.endswith(COMMON) if not differing else f"{COMMON}, {differing}" in line, line


def test_one_is_singular() -> None:
    assert "1 trial: 1 arm x 1 seed" in shown({"a": {}})
    search = {"trials": 1, "space": {"training.learning_rate": {"low": 1e-5, "high": 1e-3}}}
    lines = shown({"a": {"search": search}})
    assert lines[2].endswith(f"{COMMON}, tuned")
    assert "1 trial: 1 arm x 1 seed, after trying 1 candidate" in lines


@pytest.mark.parametrize(("spared", "which"), [(1, "1 of them"), (2, "all of them")])
def test_a_plan_says_which_trials_only_a_run_without_looks_would_train(spared: int, which: str) -> None:
    *_, time, looks = shown({"a": {}, "b": {}}, spared=spared, seconds_left=6.0)
    assert time == "time: about 6 s for the 2 to run, if they train like those measured"
    assert looks == f"the looks have spared {which}: a run with --until-decided does not train what is spared"


def test_a_status_names_the_looks_ahead_and_indents_what_does_not_fit() -> None:
    waiting = ArmStatus(
        arm="a", trials=3, statuses={"missing": 3}, seeds_to_run=(0, 1, 2), mean_seconds=math.nan, in_packs=False
    )
    looks = {1: 1, 2: 2, 3: 3}
    status = StudyStatus(name="s", arms=(waiting,), troubles=(), seconds_left=math.nan, others=0, looks=looks)
    out = io.StringIO()
    show_status(Console(file=out, width=80), status)
    assert [line.rstrip() for line in out.getvalue().splitlines()[-4:]] == [
        "  seeds 0-2: a",
        "  1 trial until the look at 1 seed; then a run with --until-decided trains only",
        "    what is open, with looks at 2 and 3 seeds",
        "",
    ]
