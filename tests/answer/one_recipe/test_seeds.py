"""The distribution of seeds: its figures, what a test of normality finds, and the gaps of two runs."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from answer.one_recipe.pool import Pool, read_pool
from answer.one_recipe.seeds import (
    ALTERNATIVES,
    at_least,
    chance_level,
    gaps_of_two,
    quantile_plot,
    seed_distribution,
)
from tests.analysis.conftest import write_study


def pool_of(counts: NDArray[np.int64], root: Path, *, examples: int = 200) -> Pool:
    """A study whose runs get so many examples right."""
    write_study(root, {"recipe": (np.arange(examples) < counts[:, None]).astype(np.int64)})
    return read_pool(root)


def test_seeds_are_described(tmp_path: Path, rng: np.random.Generator) -> None:
    counts = np.round(rng.normal(170, 4, 30)).astype(np.int64)
    seeds = seed_distribution(pool_of(counts, tmp_path), rng)
    assert (seeds.n_seeds, seeds.n_examples) == (30, 200)
    assert seeds.mean == pytest.approx(counts.mean() / 200)
    assert seeds.sd == pytest.approx(counts.std(ddof=1) / 200)
    assert seeds.sd_interval.low < seeds.sd < seeds.sd_interval.high
    # 30 normal values: the SD times 0.796 and 1.344.
    assert np.array(seeds.sd_interval) / seeds.sd == pytest.approx([0.7964, 1.3443], abs=2e-4)
    assert (seeds.lowest, seeds.highest, seeds.collapsed) == (counts.min(), counts.max(), 0)
    assert seeds.collapse_limit == pytest.approx(1 - 0.05 ** (1 / 30))


def test_a_run_at_chance_level_has_collapsed(tmp_path: Path, rng: np.random.Generator) -> None:
    counts = np.array([170] * 10 + [174] * 13 + [100, 119])
    pool = pool_of(counts, tmp_path)
    # Of 200 examples in two classes of 100, guessing gets more than 122 right once in a thousand runs.
    assert chance_level(pool) == 122
    seeds = seed_distribution(pool, rng)
    assert seeds.collapsed == 2
    assert 2 / 25 < seeds.collapse_limit < 0.25
    assert seeds.normality.p_value < 1e-4


def test_the_test_of_normality_finds_what_is_far_from_normal_and_little_else(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    counts = np.round(rng.normal(170, 5, 60)).astype(np.int64)
    found = seed_distribution(pool_of(counts, tmp_path), rng).normality.found
    nothing, heavy, skew, low, far = (found[name] for name in ALTERNATIVES)
    assert nothing < 0.1
    assert heavy < skew
    assert min(skew, far, low) > 0.4


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_alternatives_are_in_sds_of_the_sound_seeds(name: str, rng: np.random.Generator) -> None:
    drawn = ALTERNATIVES[name](rng, (200, 500))
    assert np.median(drawn) == pytest.approx(0, abs=0.35)
    if "SDs low" in name:
        assert (drawn < -2.5).mean() > 0.01
    else:
        assert drawn.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("n_seeds", [20, 80])
def test_the_band_holds_95_in_100_normal_samples_whole(n_seeds: int, rng: np.random.Generator) -> None:
    plot = quantile_plot(np.arange(n_seeds), rng)
    samples = np.sort(rng.standard_normal((2000, n_seeds)), axis=1)
    samples = (samples - samples.mean(axis=1, keepdims=True)) / samples.std(axis=1, ddof=1, keepdims=True)
    within = ((samples >= plot.low) & (samples <= plot.high)).all(axis=1).mean()
    assert within == pytest.approx(0.95, abs=0.025)
    assert (np.diff(plot.expected) > 0).all()
    assert plot.seen.mean() == pytest.approx(0)


def test_gaps_are_those_of_every_pair(rng: np.random.Generator) -> None:
    counts = rng.integers(150, 190, 21)
    sizes = sorted(abs(int(one) - int(other)) for one, other in itertools.combinations(counts, 2))
    gaps = gaps_of_two(counts, 200)
    assert gaps.sizes.tolist() == sizes
    assert gaps.quantile(0.5) == sizes[104]
    assert sum(size <= gaps.quantile(0.95) for size in sizes) >= 0.95 * len(sizes)
    rate = at_least(counts, 6)
    assert rate.share == sum(size >= 6 for size in sizes) / len(sizes)
    assert rate.interval.low < rate.share < rate.interval.high


def test_a_pool_needs_one_arm_and_enough_seeds(tmp_path: Path) -> None:
    runs = np.ones((19, 12), dtype=np.int64)
    write_study(tmp_path / "few", {"recipe": runs})
    with pytest.raises(AnalysisError, match="expected 20 finished seeds or more, got 19"):
        read_pool(tmp_path / "few")
    write_study(tmp_path / "two", {"one": runs, "other": runs})
    with pytest.raises(AnalysisError, match="expected one arm and classes, got 2 arms"):
        read_pool(tmp_path / "two")


def test_a_pool_holds_what_has_finished_and_names_what_was_lost(tmp_path: Path) -> None:
    study = write_study(tmp_path, {"recipe": np.eye(24, dtype=np.int64)})
    study.end("recipe", 3, "diverged", "the loss is not finite")
    study.forget("recipe", 5)
    pool = read_pool(tmp_path)
    assert (pool.n_seeds, pool.n_planned) == (22, 24)
    assert pool.unfinished == "diverged: recipe seed 3"
    assert (pool.counts == 1).all()
    assert (pool.parameters, pool.commits) == (1_000_000, ("01234567",))
