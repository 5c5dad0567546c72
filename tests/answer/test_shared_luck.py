"""How seeds correlate between the arms of a study."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.records.loading import load
from answer.shared_luck import seed_correlation, seed_correlations
from calibration.regimes import Regime, draw_arms
from tests.analysis.conftest import write_study


def test_it_is_pearsons_with_fishers_limits() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(0.9, 0.01, 15)
    other = one + rng.normal(0, 0.01, 15)
    found = seed_correlation("lora", "full", one, other)
    reference = stats.pearsonr(one, other)
    assert found.correlation == pytest.approx(reference.statistic)
    assert tuple(found.interval) == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert (found.treatment, found.baseline, found.n_seeds) == ("lora", "full", 15)


def test_the_limits_hold_the_true_correlation() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        one, other = np.linalg.cholesky([[1, 0.5], [0.5, 1]]) @ rng.standard_normal((2, 10))
        low, high = seed_correlation("a", "b", one, other).interval
        covered += low <= 0.5 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize(
    ("one", "known"), [([0.9, 0.8], False), ([0.9, 0.9, 0.9, 0.9], False), ([0.9, 0.8, 0.7], True)]
)
def test_too_few_seeds_and_seeds_that_change_nothing(one: list[float], known: bool) -> None:
    found = seed_correlation("a", "b", one, [0.5, 0.6, 0.8, 0.7][: len(one)])
    assert math.isnan(found.correlation) != known
    assert math.isnan(found.interval.low)
    assert math.isnan(found.interval.high)


def test_arms_need_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="as many seeds of a as of b, got 2 and 3"):
        seed_correlation("a", "b", [0.1, 0.2], [0.1, 0.2, 0.3])


def study(folder: Path) -> Path:
    regime = Regime(name="shared", seed_sd=0.05, correlation=0.8)
    lora, prefix, full = draw_arms(regime, 14, np.random.default_rng(3), gaps=(0.0, 0.0), n_examples=800)
    scores = {"full": full.astype(int), "lora": lora.astype(int), "prefix": prefix.astype(int)}
    write_study(folder, scores, analysis={"baseline": "full"}).end("lora", 4, "failed", "out of memory")
    return folder


def test_every_comparison_of_a_study_is_correlated_over_the_seeds_that_both_arms_finished(tmp_path: Path) -> None:
    outcomes = load(study(tmp_path))
    found = seed_correlations(outcomes)
    assert [(one.treatment, one.baseline, one.n_seeds) for one in found] == [
        ("lora", "full", 13),
        ("prefix", "full", 14),
    ]
    seeds = outcomes.complete_seeds("full")
    means = {arm: outcomes.scores(arm, seeds=seeds).mean(axis=1) for arm in outcomes.arms}
    assert found[0].correlation == pytest.approx(np.corrcoef(means["lora"], means["full"])[0, 1])
    assert all(0.3 < one.correlation < 1 for one in found)


def test_a_study_without_pairs_has_none(tmp_path: Path) -> None:
    write_study(tmp_path / "one", {"recipe": np.eye(4, dtype=np.int64)})
    assert seed_correlations(load(tmp_path / "one")) == ()
    folder = study(tmp_path / "unpaired")
    manifest = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(manifest | {"paired": False}))
    assert seed_correlations(load(folder)) == ()
