"""A regression in a pack: equal to the Trainer step by step, with a squared error that is computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.embedded import split
from harness.study.study import Study
from tests.harness.engines.packed.conftest import Trained, expanded
from tests.harness.engines.packed.test_equality import assert_equal, lora

Load = Callable[..., Study]
Train = Callable[[Study], dict[str, Trained]]


@pytest.fixture
def rated(tmp_path: Path) -> str:
    """Write reviews with numbers: how long each is, in tens of characters."""
    for name, part in (("train", "train"), ("validation", "validation")):
        texts = split("embedded/sentiment", part)["sentence"][:200]
        rows = "".join(f'"{text}",{len(text) / 10}\n' for text in texts if '"' not in text)
        (tmp_path / f"{name}.csv").write_text(f"sentence,label\n{rows}")
    return f"data.path={tmp_path}"


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "arms"),
    [("gpt2", {"r2": lora("gpt2", 2, "5e-3"), "r5": lora("gpt2", 5, "2e-3")}), ("distilbert", {"full": "{}"})],
)
def test_a_pack_equals_the_trainer(
    kind: str, arms: dict[str, str], rated: str, study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """With a short last batch, of one example."""
    of_study = study(kind, arms, "seeds=1", "task=regression", rated, "training.num_train_epochs=2", train=33)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=10)


def test_scores_are_those_of_the_predictions(rated: str, study: Load, by_pack: Train) -> None:
    selection = "selection={best: loss, fraction: 0.2}"
    of_study = study("distilbert", {"full": "{}"}, "seeds=1", "task=regression", rated, selection, train=40)
    (trained,) = by_pack(of_study).values()
    labels = expanded(of_study)[0]._data.test.labels
    result = trained.result
    assert result is not None
    losses = []
    for epoch in result.epochs:
        assert epoch.probabilities is not None
        assert epoch.test is not None
        assert epoch.holdout is not None
        assert epoch.probabilities.shape == (24, 1)
        assert epoch.test.loss == pytest.approx(np.mean((epoch.probabilities[:, 0] - labels) ** 2), rel=1e-5)
        assert (epoch.test.accuracy, epoch.holdout.accuracy) == (None, None)
        losses.append(epoch.holdout.loss)
    assert result.selected_epoch == 1 + int(np.argmin(losses))
