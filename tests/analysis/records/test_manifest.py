"""Manifests of each kind of study: what the data entry allows, and what the trials then hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from analysis.errors import RecordError
from analysis.records.json_files import read_manifest
from analysis.records.manifest import DataEntry, Manifest, TrialEntry

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


def test_a_trial_is_called_what_its_source_calls_it() -> None:
    assert TrialEntry(arm="lora", seed=3, key="k").name == "lora seed 3"
    assert TrialEntry(arm="lora", seed=3, key="k", run="warm start").name == "lora run warm start"


def test_an_imported_study_names_its_files_and_no_model() -> None:
    file = {"path": "preds.csv", "sha256": "0" * 64, "tool": None, "version": None}
    manifest = Manifest.model_validate_json(
        json.dumps(
            {
                "format": 2,
                "name": "s",
                "selection": {"rule": "last"},
                "data": BASE,
                "paired": False,
                "imported": {"files": [file], "understood": [["arm", "column model"]]},
                "arms": {"full": {}, "lora": {}},
                "cells": [],
            }
        )
    )
    assert (manifest.model_name, manifest.paired) == ("", False)
    assert manifest.imported is not None
    assert manifest.imported.understood == (("arm", "column model"),)
    assert manifest.imported.files[0].path == "preds.csv"


def test_only_an_imported_study_may_leave_out_its_model(write_imported: Callable[..., Path]) -> None:
    folder = write_imported({arm: np.zeros((1, 2)) for arm in ("full", "lora")})
    assert read_manifest(folder).model is None
    content = json.loads((folder / "study.json").read_text())
    del content["imported"]
    (folder / "study.json").write_text(json.dumps(content))
    with pytest.raises(RecordError, match=r"cannot be used: model: it is missing; data\.n_train: it is missing"):
        read_manifest(folder)
