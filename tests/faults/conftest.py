"""Fixtures of the campaign: the study that nobody disturbs, and one to disturb."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign


@pytest.fixture(scope="session")
def undisturbed(tiny_text: str, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "tiny.yaml").write_text(tiny_text)
    os.environ["OMP_NUM_THREADS"] = "1"
    campaign = Campaign(place / "tiny.yaml", place)
    campaign.finish()
    return campaign


@pytest.fixture
def campaign(undisturbed: Campaign, tmp_path: Path) -> Campaign:
    return Campaign(undisturbed.file, tmp_path)
