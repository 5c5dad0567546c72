"""Data entries of each kind of study: what they allow, and what the trials then hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from analysis.records.data_entry import DataEntry

BASE = {"path": "preds.csv", "classes": ["no", "yes"], "n_test": 10}
SCORE = {"name": "rouge", "higher_is_better": True}


def entry(**keys: Any) -> DataEntry:
    return DataEntry.model_validate_json(json.dumps(BASE | keys))


@pytest.mark.parametrize(
    ("keys", "answers"),
    [
        ({}, "probabilities"),
        ({"predictions": "classes"}, "classes"),
        ({"task": "regression", "classes": []}, "numbers"),
        ({"task": "scores", "classes": [], "score": SCORE}, "scores"),
    ],
)
def test_the_data_say_what_the_trials_hold(keys: dict[str, Any], answers: str) -> None:
    assert entry(**keys).answer_kind.answers == answers


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"classes": ["yes"]}, "expected two classes or more, got 1"),
        ({"task": "regression"}, "a regression has no classes, got 2"),
        ({"task": "scores", "score": SCORE}, "scores have no classes, got 2"),
        ({"task": "scores", "classes": []}, "task scores: expected a score"),
        ({"score": SCORE}, "task classification: expected no score"),
        ({"task": "regression", "classes": [], "predictions": "classes"}, "task regression: expected no predicted"),
        ({"left_out": -1}, "greater than or equal to 0"),
        ({"n_drawn": 5}, "n_drawn is 5, expected n_train beside it"),
    ],
)
def test_data_that_contradict_themselves_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry(**keys)
