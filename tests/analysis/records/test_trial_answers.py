"""Answers of a trial: which epoch counts, by the study's selection and by each kind of answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.records.loading import load
from analysis.records.outcomes import Outcomes

EPOCHS = [
    [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 0]],
    [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]],
]


def test_the_last_epoch_counts(small: Any) -> None:
    outcomes = load(small(EPOCHS).root)
    assert [outcomes.epoch(trial) for trial in outcomes.of_arm("lora")] == [4, 4]
    assert outcomes.scores("lora").sum(axis=1).tolist() == [2, 4]
    assert outcomes.scores("lora", epoch_choice="published").sum(axis=1).tolist() == [2, 4]


def test_the_hold_out_choice_comes_from_the_record(small: Any) -> None:
    folder = small(EPOCHS, selection={"rule": "best", "metric": "accuracy", "on": "holdout"})
    folder.change_record("lora", 0, lambda content: content.update(selected_epoch=1))
    outcomes = load(folder.root)
    assert [outcomes.epoch(trial) for trial in outcomes.of_arm("lora")] == [1, 4]
    assert outcomes.scores("lora").tolist()[0] == [1, 1, 0, 0]


def test_selection_on_test_never_reaches_a_verdict_and_ties_go_to_the_earliest(small: Any) -> None:
    folder = small(EPOCHS, selection={"rule": "best", "metric": "accuracy", "on": "test"})
    outcomes = load(folder.root)
    assert [outcomes.epoch(trial) for trial in outcomes.of_arm("lora")] == [4, 4]
    assert [outcomes.epoch(trial, epoch_choice="published") for trial in outcomes.of_arm("lora")] == [2, 4]


def test_selection_on_test_by_loss_reads_the_recorded_losses(small: Any) -> None:
    folder = small(EPOCHS, selection={"rule": "best", "metric": "loss", "on": "test"})

    def losses(values: list[float | None]) -> object:
        return lambda content: [
            entry["test"].update(loss=value) for entry, value in zip(content["epochs"], values, strict=True)
        ]

    folder.change_record("lora", 0, losses([None, 0.4, 0.3, 0.3]))
    folder.change_record("lora", 1, losses([0.1, 0.4, 0.3, 0.2]))
    outcomes = load(folder.root)
    assert [outcomes.epoch(trial, epoch_choice="published") for trial in outcomes.of_arm("lora")] == [3, 1]


def test_an_arm_may_select_differently_from_the_study(small: Any) -> None:
    folder = small(EPOCHS)
    folder.change_record("lora", 0, lambda content: content.update(selected_epoch=2))
    folder.change_manifest(
        lambda content: content["arms"]["lora"].update(
            selection={"rule": "best", "metric": "accuracy", "on": "holdout", "fraction": 0.1, "patience": 1}
        )
    )
    outcomes = load(folder.root)
    assert outcomes.epoch(outcomes.trials["lora", 0]) == 2
    assert outcomes.epoch(outcomes.trials["full", 0]) == 4


LABELS = np.array([0, 1, 2, 0])
CLASSES = ("a", "b", "c")
SAID = {
    "full": np.array([[[0, 1, 1, 1], [0, 1, 2, 0], [0, 0, 0, 0]]]),
    "lora": np.array([[[0, 1, 2, 0], [0, 1, 2, 0], [0, 0, 0, 0]]]),
}


def best(outcomes: Outcomes) -> list[int]:
    return [outcomes.epoch(outcomes.trials[arm, 0], epoch_choice="best on test") for arm in ("full", "lora")]


def test_the_best_epoch_is_found_without_losses_in_the_record(write_imported: Callable[..., Path]) -> None:
    assert best(load(write_imported(SAID, labels=LABELS, classes=CLASSES))) == [2, 1]


@pytest.mark.parametrize(("higher", "epochs"), [(True, [2, 1]), (False, [1, 3])])
def test_the_best_epoch_by_scores_follows_their_direction(
    write_imported: Callable[..., Path], higher: bool, epochs: list[int]
) -> None:
    right = {arm: (said == LABELS).astype(float) for arm, said in SAID.items()}
    assert best(load(write_imported(right, higher_is_better=higher))) == epochs


def test_the_best_epoch_of_numbers_is_computed(write_imported: Callable[..., Path]) -> None:
    numbers = {arm: said.astype(float) for arm, said in SAID.items()}
    assert best(load(write_imported(numbers, labels=LABELS.astype(float)))) == [2, 1]
