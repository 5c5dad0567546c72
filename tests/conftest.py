"""Fixtures that train: a small study on the embedded data, through the real engine; and an imported one, by hand."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from harness.embedded import checkpoint
from harness.study.loading import load_study
from harness.study.study import Study

TINY = """\
name: tiny
model: MODEL
data: {path: embedded/sentiment, train_size: 48, test_size: 40}
training: {learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 16}
arms:
  full: {}
  lora:
    adapter: {peft_type: LORA, lora_alpha: 8, target_modules: [c_attn]}
    grid: {adapter.r: [2, 4]}
seeds: 2
timing: off
analysis: {baseline: full}
"""


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as wide as anywhere else: pytest-xdist tells its workers the width of its own terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded GPT-2 with the first of its layers alone: most tests build it many times, and none needs it deep."""
    files = pytest.importorskip("safetensors.numpy")
    folder = tmp_path_factory.mktemp("model") / "shallow"
    shutil.copytree(checkpoint("embedded/tiny-gpt2"), folder)
    weights = folder / "model.safetensors"
    kept = {
        name: value for name, value in files.load_file(weights).items() if not name.startswith("h.") or "h.0." in name
    }
    files.save_file(kept, weights, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": 1}))
    return folder


@pytest.fixture(scope="session")
def tiny_text(shallow: Path) -> str:
    """The text of a study that trains in about a second: 3 arms x 2 seeds, three steps each."""
    return TINY.replace("MODEL", str(shallow))


@pytest.fixture
def tiny_file(tmp_path: Path, tiny_text: str) -> Path:
    """The file of that study."""
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_text)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Callable[..., Study]:
    """Load that study with overrides."""
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(tiny_text)
    return lambda *overrides: load_study(path, overrides)


def write_imported_study(
    root: Path,
    answers: Mapping[str, NDArray[Any]],
    *,
    labels: NDArray[Any] | None = None,
    classes: Sequence[str] = (),
    higher_is_better: bool = True,
    analysis: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    **data: Any,
) -> Path:
    """Write a study that was trained elsewhere, from docs/records.md alone.

    `answers` holds, by arm, probabilities (runs, N, classes), predicted classes (runs, N) where there are `classes`,
    numbers (runs, N) where there are `labels` alone, else scores (runs, N); with several epochs (runs, epochs, ...).
    """
    first = next(iter(answers.values()))
    of_scores = labels is None
    with_probabilities = bool(classes) and first.dtype.kind == "f"
    n = first.shape[-2] if with_probabilities else first.shape[-1]
    cells = []
    for position, (arm, runs) in enumerate(answers.items()):
        file = {"path": f"{arm}.csv", "sha256": f"{position:064d}", "tool": None, "version": None}
        if versions is not None:
            file |= {"tool": "lm-evaluation-harness", "version": versions[arm]}
        by_epoch = runs.reshape(len(runs), -1, *first.shape[-2 if with_probabilities else -1 :])
        for seed, one in enumerate(by_epoch):
            key = f"{position:02d}{seed:02d}"
            cells.append({"arm": arm, "seed": seed, "key": key, "run": f"r{seed}"})
            place = root / "trials" / key
            place.mkdir(parents=True)
            columns = {
                "epoch": pa.array(np.repeat(np.arange(1, len(one) + 1), n), pa.int32()),
                "example_id": pa.array([f"id-{i}" for i in range(n)] * len(one), pa.string()),
            }
            if labels is not None:
                columns["label"] = pa.array(np.tile(labels, len(one)), pa.int32() if classes else pa.float64())
            if with_probabilities:
                columns |= {
                    f"p_{label}": pa.array(one[..., label].ravel(), pa.float32()) for label in range(len(classes))
                }
            else:
                kind = pa.int32() if classes else pa.float64()
                columns["score" if of_scores else "prediction"] = pa.array(one.ravel(), kind)
            pq.write_table(pa.table(columns), place / "predictions.parquet")
            record = {
                "format": 2,
                "key": key,
                "arm": arm,
                "seed": seed,
                "status": "finished",
                "epochs": [{"epoch": epoch} for epoch in range(1, len(one) + 1)],
                "selected_epoch": len(one),
                "imported": {"files": [file]},
            }
            (place / "record.json").write_text(json.dumps(record))
    entry: dict[str, Any] = {"path": "preds/{arm}.csv", "classes": list(classes), "n_test": n, **data}
    if of_scores:
        entry |= {"task": "scores", "score": {"name": "rouge", "higher_is_better": higher_is_better}}
    elif not classes:
        entry["task"] = "regression"
    elif not with_probabilities:
        entry["predictions"] = "classes"
    records = [json.loads((root / "trials" / cell["key"] / "record.json").read_text()) for cell in cells]
    files = {file["path"]: file for record in records for file in record["imported"]["files"]}
    manifest = {
        "format": 2,
        "name": "theirs",
        "analysis": dict(analysis or {}),
        "plan_history": [
            {"digest": "d", "variance": "pooled", "frozen": "2026-11-01T09:59:00Z", "trials_finished": len(cells)}
        ],
        "selection": {"rule": "last"},
        "data": entry,
        "imported": {"files": list(files.values()), "understood": [["arm", "the name of the file"]]},
        "arms": {arm: {} for arm in answers},
        "cells": cells,
    }
    (root / "study.json").write_text(json.dumps(manifest))
    return root


@pytest.fixture(name="write_imported_study", scope="session")
def _write_imported_study() -> Callable[..., Path]:
    """Write such a study anywhere."""
    return write_imported_study


@pytest.fixture(name="write_imported")
def _write_imported(tmp_path: Path) -> Callable[..., Path]:
    """Write such a study into a folder of the test."""
    return lambda *args, **options: write_imported_study(tmp_path / "theirs", *args, **options)


Report = TypeVar("Report", pytest.CollectReport, pytest.TestReport)
# The sessions that install everything set it: a test that skips there tests nothing anywhere.
NOTHING_MISSING = "HARNESS_TESTS_NOTHING_MISSING" in os.environ


def not_skipped(report: Report) -> Report:
    """Make a failure of a skip by `pytest.importorskip` where every package is installed."""
    if NOTHING_MISSING and report.skipped and "could not import" in str(report.longrepr):
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return not_skipped((yield))
