"""Optuna's database, which a busy machine gets the time to write."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.search.mirror._LONGEST_WAIT", 60.0)
