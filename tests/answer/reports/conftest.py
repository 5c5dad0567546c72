"""Reference studies by hand: those that retrain two published pairs, and one at other learning rates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.regimes import Regime, draw_arms
from tests.analysis.conftest import write_study

N_SEEDS, N_EXAMPLES = 10, 872
RATES = {"full": 5e-5, "lora-r4": 5e-4}


def write_reference(
    folder: Path, name: str, gaps: Mapping[str, float], *, seed: int, rates: Mapping[str, float] | None = None
) -> None:
    """Write a study of two epochs whose arms are so far above the last of them."""
    regime = Regime(name="reference", seed_sd=0.005, by_example=0.2, left_over=0.1, accuracy=0.85)
    rng = np.random.default_rng(seed)
    *others, baseline = list(gaps)
    drawn = draw_arms(regime, N_SEEDS, rng, gaps=tuple(gaps[arm] for arm in others), n_examples=N_EXAMPLES)
    scores = {
        arm: _with_an_epoch(right.astype(np.int64), rng) for arm, right in zip([*others, baseline], drawn, strict=True)
    }
    write_study(
        folder / name,
        {arm: scores[arm] for arm in (baseline, *others)},
        analysis={"baseline": baseline, "margin": 0.01},
        name=name,
    )
    place = folder / name / "study.json"
    manifest = json.loads(place.read_text())
    for arm, rate in (rates or {}).items():
        manifest["arms"][arm]["training"] = {"learning_rate": rate}
    manifest["study_file"] = f"/somewhere/studies/{name}.yaml"
    manifest["overrides"] = ["model=minilm", "seeds=10"]
    manifest["model"]["name"] = "minilm"
    place.write_text(json.dumps(manifest))


def _with_an_epoch(right: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Put an epoch before the last, in which a few answers differ."""
    before = np.where(rng.random(right.shape) < 0.05, 1 - right, right)
    return np.stack([before, right], axis=1)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full fine-tuning is clearly better at the report's rates and worse at others; freezing and cosine are as good."""
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder, "lora_rank", {"lora-r4": -0.06, "full": 0.0}, seed=1, rates=RATES)
    rates = {"full": 2e-4, "lora-r4": 2e-4}
    write_reference(folder, "lora_rank_later", {"lora-r4": 0.06, "full": 0.0}, seed=2, rates=rates)
    write_reference(folder, "distilbert", {"freezing": -0.003, "cosine": 0.0, "baseline": 0.0}, seed=3)
    return folder
