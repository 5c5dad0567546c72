"""Fixtures that train: a small study on the embedded data, through the real engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import pytest

from harness.study.loading import load_study
from harness.study.study import Study

TINY = """\
name: tiny
model: embedded/tiny-gpt2
data: {path: embedded/sentiment, train_size: 48, test_size: 40}
training: {learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 16}
arms:
  full: {}
  lora:
    adapter: {peft_type: LORA, lora_alpha: 8, target_modules: [c_attn]}
    grid: {adapter.r: [2, 4]}
seeds: 2
analysis: {baseline: full}
"""


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as wide as anywhere else: pytest-xdist tells its workers the width of its own terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """A study file that trains in about a second: 3 arms x 2 seeds, three steps each."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny(tiny_file: Path) -> Callable[..., Study]:
    """Load that study with overrides."""
    return lambda *overrides: load_study(tiny_file, overrides)


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
