"""Divergence: both engines end a trial at the same step, with the same message, when a number is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from harness.study.study import Study
from tests.harness.engines.packed.conftest import Trained, expanded
from tests.harness.engines.packed.test_equality import assert_equal

Load = Callable[..., Study]
Train = Callable[[Study], dict[str, Trained]]


def multiplied(name: str, factor: float) -> Callable[[Path], None]:
    """Make a checkpoint's parameters of this name so many times as large."""

    def change(folder: Path) -> None:
        model = transformers.AutoModel.from_pretrained(folder)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if name in parameter_name:
                    parameter.mul_(factor)
        model.save_pretrained(folder)

    return change


LARGE = ("layer.2.output_layer_norm.weight", 1e25)
ONE_BY_ONE = ("training.per_device_train_batch_size=1", "training.gradient_accumulation_steps=2")


@pytest.mark.parametrize(
    ("kind", "arm", "change", "overrides", "train", "steps", "message"),
    [
        ("bert", "{}", ("word_emb", math.nan), (), 24, 3, "the training loss is not finite, by step 3"),
        # A look at every 25th step, whatever the number of micro-batches in a step.
        ("gpt2", "{}", ("wte", math.nan), ONE_BY_ONE, 52, 25, "the training loss is not finite, by step 25"),
        # The one step's loss is a number, its gradient is not; clipped by its norm or not.
        ("distilbert", "{}", LARGE, (), 8, 1, "the gradient is not finite, by step 1"),
        ("distilbert", "{training: {max_grad_norm: 0}}", LARGE, (), 8, 1, "the gradient is not finite, by step 1"),
        (
            "bert",
            "{training: {weight_decay: 1e38, learning_rate: 50}}",
            ("none", 1),
            (),
            8,
            1,
            "the weights of bert.embeddings.word_embeddings.weight are not finite after epoch 1",
        ),
        (
            "distilbert",
            "{freeze: {layers: 1}}",
            ("word_emb", math.inf),
            ("training.num_train_epochs=0",),
            8,
            0,
            "a logit is not finite",
        ),
    ],
)
def test_both_engines_end_a_trial_alike(
    kind: str,
    arm: str,
    change: tuple[str, float],
    overrides: tuple[str, ...],
    train: int,
    steps: int,
    message: str,
    study: Load,
) -> None:
    short = ("seeds=1", "training.num_train_epochs=1", *overrides)
    packed, (trial,) = expanded(study(kind, {"arm": arm}, *short, train=train, change=multiplied(*change)))
    for engine in (packed.reference, packed):
        (outcome,) = engine.train([trial], report=lambda _: None)
        assert outcome.error is not None, engine.name
        assert (outcome.engine, outcome.status, outcome.steps) == (engine.name, "diverged", steps)
        assert outcome.error.message == message
        assert outcome.epochs == ()


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("arm", ["{}", "{training: {max_grad_norm: 0}}"])
def test_attention_that_is_saturated_has_no_gradient(arm: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    """Of scores of 1e21 one weight is 1 and the others are 0: what rounding leaves must not become a gradient."""
    of_study = study(
        "gpt2",
        {"full": arm},
        "seeds=1",
        "training.num_train_epochs=1",
        train=40,
        change=multiplied("attn.c_attn.weight", 1e10),
    )
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)
