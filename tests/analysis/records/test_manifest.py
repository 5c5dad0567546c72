"""Manifests: what a trial is called, and what only an imported study may leave out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import RecordError
from analysis.records.json_files import read_manifest
from analysis.records.manifest import Manifest, TrialEntry


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
                "data": {"path": "preds.csv", "classes": ["no", "yes"], "n_test": 10},
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
