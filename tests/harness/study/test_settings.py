"""The settings carry the names, meanings and defaults of the libraries that receive them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import peft
import pytest
import transformers
from pydantic import ValidationError
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION
from transformers.trainer_utils import SchedulerType

from harness.errors import Problem
from harness.study.loading import load_study
from harness.study.settings import Arm, BestEpoch, LoraAdapter, OtherAdapter, Range, is_whole
from harness.study.training import SCHEDULE_KWARGS, SCHEDULES, Training

Written = Callable[..., Path]
Refused = Callable[..., tuple[Problem, ...]]


def defaults(library: Any) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(library)
    }


# Ours by design: a larger batch only for scoring; off where the library leaves torch as it is; None where peft fills in
# the value by the model.
OURS = {"per_device_eval_batch_size": 64, "tf32": False, "lr_scheduler_kwargs": {}, "fan_in_fan_out": None}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Training, transformers.TrainingArguments), (LoraAdapter, peft.LoraConfig)]
)
def test_every_setting_has_the_librarys_name_and_default(ours: Any, theirs: Any) -> None:
    known = defaults(theirs)
    for name, field in ours.model_fields.items():
        assert name in known
        if name == "peft_type":
            continue
        default = field.get_default(call_default_factory=True)
        assert default == OURS.get(name, known[name]), name


def test_schedules_are_all_of_transformers() -> None:
    # Optuna's categorical over schedules is this tuple, in this order, and may never grow.
    assert tuple(kind.value for kind in SchedulerType) == SCHEDULES


def test_schedule_settings_are_those_of_transformers() -> None:
    for kind, function in TYPE_TO_SCHEDULER_FUNCTION.items():
        if kind.value in {"reduce_lr_on_plateau", "greedy"}:
            continue
        takes = set(inspect.signature(function).parameters)
        given = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
        assert set(SCHEDULE_KWARGS.get(kind.value, ())) == takes - given, kind


def test_warm_up_is_a_share_below_one_as_in_transformers() -> None:
    # transformers 5 has no warmup_ratio: a warmup_steps below 1 is a share of all steps.
    assert "warmup_ratio" not in defaults(transformers.TrainingArguments)
    share = transformers.TrainingArguments(warmup_steps=0.1, use_cpu=True)
    steps = transformers.TrainingArguments(warmup_steps=7, use_cpu=True)
    assert (share.get_warmup_steps(200), steps.get_warmup_steps(200)) == (20, 7)
    assert Training(warmup_steps=0.1).warmup_steps == 0.1
    assert Training(warmup_steps=7.0).warmup_steps == 7
    with pytest.raises(ValidationError, match=r"a share below 1 or a whole number of steps, got 1\.5"):
        Training(warmup_steps=1.5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr_scheduler_type": "constant", "warmup_steps": 0.1}, "use lr_scheduler_type: constant_with_warmup"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau"}, "follows an evaluation during training"),
        ({"lr_scheduler_type": "greedy"}, "follows an evaluation during training"),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"powr": 2.0}},
            "unknown to 'polynomial': 'powr'; did you mean 'power'?",
        ),
        ({"lr_scheduler_kwargs": {"power": 2.0}}, "unknown to 'linear': 'power', which takes nothing"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "needs num_decay_steps"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "needs either min_lr or min_lr_rate"),
        ({"learning_rate": float("nan")}, "finite|less than"),
        ({"adam_beta1": 1.0}, "less than 1"),
        ({"label_smoothing_factor": -0.1}, "greater than or equal to 0"),
        ({"per_device_train_batch_size": 0}, "greater than or equal to 1"),
    ],
)
def test_training_that_means_nothing_is_refused(settings: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Training(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0.1},
        {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2.0, "lr_end": 0.0}},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
        {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 10}},
        {"num_train_epochs": 0},
    ],
)
def test_training_that_means_something_is_taken(settings: dict[str, Any]) -> None:
    assert Training(**settings).model_dump(include=set(settings)) == settings


def test_an_adapter_and_a_freezing_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="leave out either adapter or freeze"):
        Arm.model_validate({"adapter": {"peft_type": "LORA"}, "freeze": {"layers": 1}})


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ("eva", "starts from the layers' inputs on some of the data, which no run computes"),
        ("lora_ga", "starts from the gradient on some of the data"),
        ("corda", "starts from the covariance"),
        ("loftq", "the harness quantises no model"),
    ],
)
def test_an_adapter_that_is_drawn_from_data_is_refused(drawn: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Arm.model_validate({"adapter": {"peft_type": "LORA", "init_lora_weights": drawn}})


def test_adalora_and_smoothed_labels_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="ADALORA needs a loss without label smoothing"):
        Arm.model_validate({"adapter": {"peft_type": "ADALORA"}, "training": {"label_smoothing_factor": 0.1}})


def test_adalora_is_scored_at_its_own_rank() -> None:
    best = {"best": "loss", "on": "holdout", "fraction": 0.1}
    with pytest.raises(ValidationError, match="final rank only at the end of training; use selection: last"):
        Arm.model_validate({"adapter": {"peft_type": "ADALORA"}, "selection": best})
    # On the test split the epoch is only shown as published; the verdict is that of the last one.
    for other in ("last", {"best": "accuracy", "on": "test"}):
        assert Arm.model_validate({"adapter": {"peft_type": "ADALORA"}, "selection": other}).adapter is not None


def test_an_adapter_is_taken_for_what_it_says() -> None:
    lora = Arm.model_validate({"adapter": {"peft_type": "LORA", "target_modules": ["query", "value"]}}).adapter
    assert isinstance(lora, LoraAdapter)
    assert lora.target_modules == ("query", "value")
    other = Arm.model_validate({"adapter": {"peft_type": "IA3", "feedforward_modules": ["c_fc"]}}).adapter
    assert isinstance(other, OtherAdapter)
    assert other.model_dump() == {"peft_type": "IA3", "feedforward_modules": ["c_fc"]}
    # LoRA is strict: a field that LoraConfig does not have is no other kind of adapter.
    with pytest.raises(ValidationError, match="rank"):
        Arm.model_validate({"adapter": {"peft_type": "LORA", "rank": 4}})


@pytest.mark.parametrize("given", [{"patience": 2}, {"fraction": 0.1}, {"patience": 2, "fraction": 0.1}])
def test_the_test_split_never_stops_a_run(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="the test split never stops training"):
        BestEpoch(best="accuracy", on="test", **given)
    assert BestEpoch(best="accuracy", on="holdout", **given).on == "holdout"


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "either low and high, or choices"),
        ({"low": 1.0}, "either low and high, or choices"),
        ({"low": 1.0, "high": 2.0, "choices": [1]}, "either low and high, or choices"),
        ({"low": 2.0, "high": 2.0}, "expected low below high, got 2 and 2"),
        ({"low": 3.0, "high": 2.0}, "expected low below high, got 3 and 2"),
        ({"low": 0.0, "high": 2.0, "log": True}, "above 0 on a log scale, got 0"),
    ],
)
def test_a_range_is_two_numbers_or_choices(space: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Range.model_validate(space)


SEARCH = "search: {trials: 4, space: {%s}}"
RATE = "training.learning_rate: {low: 1e-6, high: 1e-3, log: true}"


def test_a_search_belongs_to_the_study_or_to_an_arm(written: Written) -> None:
    study = load_study(written(("selection: last", SEARCH % RATE)))
    assert all(arm.search is not None and arm.search.trials == 4 for arm in study.arms.values())
    study = load_study(
        written(("selection: last", SEARCH % RATE), ("  full: {}", "  full: {search: null}")),
    )
    assert [name for name, arm in study.arms.items() if arm.search is None] == ["full"]


@pytest.mark.parametrize(
    ("space", "key", "words"),
    [
        ("training.learning_rate: {low: 0, high: 1}", "training.learning_rate", "learning_rate = 0"),
        ("training.learning_rate: {low: 1, high: 200}", "training.learning_rate", "above 0 and below 100"),
        ("training.learning_rate: {low: 1, high: 0.5}", "training.learning_rate", "low below high"),
        ("training.num_train_epochs: {low: 1, high: 2.5}", "training.num_train_epochs", "whole number"),
        ("training.lr_scheduler_type: {choices: [linear, cosin]}", "training.lr_scheduler_type", "'cosine'"),
        ("training.learning_rat: {low: 1, high: 2}", "training.learning_rat", "did you mean"),
        ("learning_rate: {low: 1, high: 2}", "learning_rate", "training.*, adapter.* or freeze.*"),
        # The default space of transformers' hyperparameter_search tunes the seed itself; here no search may.
        ("seed: {low: 0, high: 9}", "seed", "training.*, adapter.* or freeze.*"),
        ("freeze.layers: {low: -1, high: 2}", "freeze.layers", "at least 0"),
    ],
)
def test_a_search_stays_inside_what_an_arm_may_be(
    written: Written, refused: Refused, space: str, key: str, words: str
) -> None:
    problems = refused(written(("  full: {}", f"  full: {{{SEARCH % space}}}")))
    assert {problem.place.rpartition(":")[2] for problem in problems} == {"9"}
    assert any(key in problem.key and words in problem.message for problem in problems), problems


def test_whole_numbers_are_told_by_their_key() -> None:
    assert is_whole("training.num_train_epochs")
    assert is_whole("adapter.r")
    assert is_whole("freeze.layers")
    assert not is_whole("training.learning_rate")
    assert not is_whole("training.nothing")
    assert not is_whole("seeds")
