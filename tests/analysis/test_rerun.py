from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from analysis.claims.rerun import Rerun, rerun
from analysis.clusters import cluster_scores
from analysis.crossed import crossed_test
from analysis.errors import AnalysisError
from analysis.loading import load
from analysis.mcnemar import mcnemar
from analysis.outcomes import Outcomes, Trial

if TYPE_CHECKING:
    from conftest import StudyFolder

Write = Callable[..., "StudyFolder"]
Right = NDArray[np.int64]


def rows(*runs: str) -> Right:
    return np.array([[int(answer) for answer in run] for run in runs])


# Ten sentences. Only the treatment is right on 3, 1 and 4 of them, only the baseline on 0, 1 and 2.
TREATMENT = rows("1111111100", "1111110000", "1111111100")
BASELINE = rows("1111100000", "1111100001", "1111000011")


def answered(outcomes: Outcomes, scores: Mapping[str, Right]) -> Outcomes:
    """The same study with other answers: 1 for right and 0 for wrong, (seeds, N), by arm."""
    trials = {
        (arm, seed): Trial(
            arm=arm,
            seed=seed,
            status="finished",
            epochs=(1,),
            probabilities=np.stack([row, 1 - row], axis=-1)[None].astype(np.float32),
        )
        for arm, right in scores.items()
        for seed, row in enumerate(right)
    }
    n = next(iter(scores.values())).shape[1]
    return dataclasses.replace(outcomes, trials=trials, labels=np.zeros(n, dtype=np.int64))


@pytest.fixture
def two_arms(tmp_path: Path, write_study: Write) -> Callable[[Right, Right], Outcomes]:
    """Outcomes in memory of a study with two arms, of as many seeds as there are rows."""
    folders: dict[int, Outcomes] = {}

    def build(treatment: Right, baseline: Right) -> Outcomes:
        seeds = len(treatment)
        if seeds not in folders:
            nothing = np.ones((seeds, 2), dtype=np.int64)
            folders[seeds] = load(write_study(tmp_path / f"{seeds}-seeds", {"lora": nothing, "full": nothing}).root)
        return answered(folders[seeds], {"lora": treatment, "full": baseline})

    return build


@pytest.fixture
def small(tmp_path: Path, write_study: Write) -> Outcomes:
    scores = {"full": BASELINE, "other": np.zeros_like(BASELINE), "lora": TREATMENT}
    return load(write_study(tmp_path / "small", scores, name="ours").root)


def published(outcomes: Outcomes, **change: Any) -> Rerun:
    return rerun(outcomes, "lora", "full", **{"gap": 2, "n": 10, **change})


def test_what_the_result_is_about(small: Outcomes) -> None:
    found = published(small)
    assert (found.study, found.treatment, found.baseline) == ("ours", "lora", "full")
    assert (found.n_seeds, found.n_examples) == (3, 10)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_gap_interval_and_p_value_are_those_of_the_crossed_test(
    tmp_path: Path, write_study: Write, simulated: Any, seeds: int
) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.88, "lora": 0.82}, seeds=seeds, examples=120, seed_sd=0.02)
    found = rerun(load(write_study(tmp_path / "s", scores).root), "lora", "full", gap=None, n=872)
    expected = crossed_test(scores["lora"], scores["full"], paired=True)
    assert (found.gap, found.p_value, *found.interval) == pytest.approx(
        (expected.estimate, expected.p_value, *expected.interval()), rel=1e-12
    )
    assert found.gap < 0
    assert (found.n_seeds, found.n_examples) == (seeds, 120)


def test_clusters_are_what_the_crossed_test_draws(two_arms: Any, simulated: Any) -> None:
    scores = simulated(np.random.default_rng(2), {"full": 0.9, "lora": 0.8}, seeds=4, examples=60)
    names = tuple(f"document {i // 4}" for i in range(60))
    outcomes = dataclasses.replace(two_arms(scores["lora"], scores["full"]), clusters=names)
    found = published(outcomes, n=60)
    drawn = [cluster_scores(scores[arm], names) for arm in ("lora", "full")]
    expected = crossed_test(drawn[0], drawn[1], paired=True)
    assert (found.p_value, *found.interval) == pytest.approx((expected.p_value, *expected.interval()), rel=1e-12)
    assert found.p_value != crossed_test(scores["lora"], scores["full"], paired=True).p_value
    # Runs are compared sentence by sentence all the same.
    assert found.n_examples == 60
    assert found.discordance[0] == pytest.approx(np.mean(scores["lora"] != scores["full"]), rel=1e-12)


def test_discordance_by_seed_by_hand(small: Outcomes) -> None:
    assert published(small).discordance == pytest.approx(((0.3 + 0.2 + 0.6) / 3, 0.2, 0.6), rel=1e-12)


def test_the_seed_sd_is_pooled_over_both_arms_by_hand(small: Outcomes) -> None:
    # Accuracies 0.8, 0.6, 0.8 and 0.5, 0.6, 0.6: variances 0.04 / 3 and 0.01 / 3, with two degrees of freedom each.
    found = published(small)
    assert found.seed_sd == pytest.approx(math.sqrt(0.05 / 6), rel=1e-12)
    assert found.seed_df == 4


def test_the_expected_gap_by_hand(small: Outcomes) -> None:
    # Gaps of 0.3, 0, 0.2: mean 1/6, variance 0.07 / 3 over three seeds; Student's t with two degrees of freedom.
    reach = 4.302652729911275 * math.sqrt(0.07 / 3) * math.sqrt(4 / 3)
    assert published(small).expected_gap == pytest.approx((1 / 6 - reach, 1 / 6 + reach), rel=1e-9)


def test_swapping_the_arms_turns_the_signs(small: Outcomes) -> None:
    one, other = published(small), rerun(small, "full", "lora", gap=-2, n=10)
    assert other.gap == pytest.approx(-one.gap)
    assert other.expected_gap == pytest.approx((-one.expected_gap[1], -one.expected_gap[0]))
    assert other.seed_sd == pytest.approx(one.seed_sd)
    assert (other.p_exact, other.discordance, other.significant) == (one.p_exact, one.discordance, one.significant)


# The least and the greatest discordance are 20% and 60%.
@pytest.mark.parametrize(
    ("gap", "n", "least", "most"),
    [
        # 2 : 0, and 4 : 2.
        (2, 10, 2 / 4, 2 * 22 / 64),
        (-2, 10, 2 / 4, 2 * 22 / 64),
        (0, 10, 1.0, 1.0),
        # 20% of 20 are 4, 3 : 1; 60% are 12, 7 : 5.
        (2, 20, 2 * 5 / 16, 2 * 1586 / 4096),
        # 20% of 44 are 8.8, the nearest odd number is 9, 6 : 3; 60% are 26.4, 27 is nearer than 25, 15 : 12.
        (3, 44, 2 * 130 / 512, float(stats.binomtest(12, 27).pvalue)),
        # 20% of 12 are 2.4, less than the gap: 5 : 0; 60% are 7.2: 6 : 1.
        (5, 12, 2 / 32, 2 * 8 / 128),
        (-5, 12, 2 / 32, 2 * 8 / 128),
        # 20% of 872 are 174.4, 96 : 78; 60% are 523.2, 271 : 253 of 524.
        (18, 872, float(stats.binomtest(78, 174).pvalue), float(stats.binomtest(253, 524).pvalue)),
    ],
)
def test_the_published_gap_at_this_discordance(small: Outcomes, gap: int, n: int, least: float, most: float) -> None:
    assert published(small, gap=gap, n=n).p_exact == pytest.approx((least, most), rel=1e-9)


def test_without_right_answers_there_is_no_p_value_of_the_published_gap(small: Outcomes) -> None:
    found = published(small, gap=None)
    assert all(math.isnan(p_value) for p_value in found.p_exact)
    assert found.discordance == published(small).discordance


def test_seeds_whose_runs_differ_significantly(two_arms: Any) -> None:
    # Only one of the two is right: 6 against 0, 0 against 8, 7 against 1, 0 against 0; p = 0.031, 0.0078, 0.070, 1.
    treatment = rows("1" * 6 + "0" * 6, "0" * 12, "1" * 7 + "0" * 5, "1" * 12)
    baseline = rows("0" * 12, "1" * 8 + "0" * 4, "0" * 7 + "1" + "0" * 4, "1" * 12)
    outcomes = two_arms(treatment, baseline)
    found = [published(outcomes, alpha=alpha).significant for alpha in (0.005, 0.0078125, 0.05, 0.1, 0.9)]
    assert found == [0, 0.25, 0.5, 0.75, 0.75]
    assert published(outcomes).significant == 0.5
    by_seed = [mcnemar(t, b).p_exact <= 0.05 for t, b in zip(treatment, baseline, strict=True)]
    assert published(outcomes).significant == np.mean(by_seed)


def test_the_level_changes_nothing_else(small: Outcomes) -> None:
    strict = published(small, alpha=0.001)
    assert dataclasses.replace(strict, significant=published(small).significant) == published(small)


@pytest.mark.parametrize("correlated", [False, True])
def test_the_gap_of_one_further_seed_is_expected_where_it_falls(two_arms: Any, correlated: bool) -> None:
    rng = np.random.default_rng(3)
    seeds, n, studies, inside = 5, 400, 1500, 0
    p = rng.uniform(0.5, 0.95, size=n)
    for _ in range(studies):
        shift = rng.normal(0.0, 0.03, size=(2, seeds + 1, 1))
        shift[1] = 0.8 * shift[0] + 0.6 * shift[1] if correlated else shift[1]
        right = (rng.random((2, seeds + 1, n)) < np.stack([p + 0.02, p])[:, None] + shift).astype(np.int64)
        low, high = rerun(two_arms(right[0, :-1], right[1, :-1]), "lora", "full", gap=None, n=n).expected_gap
        inside += low <= right[0, -1].mean() - right[1, -1].mean() <= high
    assert min(special.bdtr(inside, studies, 0.95), special.bdtrc(inside - 1, studies, 0.95)) > 1e-4


def test_the_seed_sd_is_right_on_average_and_has_its_degrees_of_freedom(two_arms: Any) -> None:
    rng = np.random.default_rng(4)
    seeds, n, studies = 4, 300, 1500
    p = rng.uniform(0.3, 0.7, size=n)
    # The arms' runs do not hang together here.
    variance = 0.03**2 * (1 - 1 / n) + float(np.mean(p * (1 - p))) / n
    ratios = []
    for _ in range(studies):
        right = (rng.random((2, seeds, n)) < p + rng.normal(0.0, 0.03, size=(2, seeds, 1))).astype(np.int64)
        found = rerun(two_arms(right[0], right[1]), "lora", "full", gap=None, n=n)
        ratios.append(found.seed_sd**2 / variance)
    assert found.seed_df == 6
    assert np.mean(ratios) == pytest.approx(1, abs=4 * math.sqrt(2 / 6 / studies))
    assert np.var(ratios) == pytest.approx(2 / 6, rel=0.25)


def test_failed_trials_are_left_out_of_both_arms(tmp_path: Path, write_study: Write, simulated: Any) -> None:
    scores = simulated(np.random.default_rng(5), {"full": 0.9, "lora": 0.8}, seeds=6, examples=80, seed_sd=0.02)
    folder = write_study(tmp_path / "all", scores)
    folder.end("lora", 1, "diverged", "loss is not finite")
    folder.end("full", 4, "failed", "out of memory")
    folder.forget("full", 5)
    found = published(load(folder.root), n=872)
    kept = {arm: right[[0, 2, 3]] for arm, right in scores.items()}
    assert found == published(load(write_study(tmp_path / "kept", kept).root), n=872)
    assert (found.n_seeds, found.seed_df) == (3, 4)


def test_a_third_arm_that_failed_costs_no_seed(tmp_path: Path, write_study: Write) -> None:
    scores = {"full": BASELINE, "other": BASELINE, "lora": TREATMENT}
    folder = write_study(tmp_path / "s", scores, name="ours")
    whole = published(load(folder.root))
    folder.end("other", 1, "failed", "out of memory")
    assert published(load(folder.root)) == whole
    assert whole.n_seeds == 3


def test_the_last_epoch_counts_even_where_the_study_picks_the_best_on_the_test_set(
    tmp_path: Path, write_study: Write
) -> None:
    by_epoch = {
        "full": np.stack([TREATMENT, BASELINE], axis=1),
        "lora": np.stack([np.ones_like(TREATMENT), TREATMENT], axis=1),
    }
    selection = {"rule": "best", "metric": "accuracy", "on": "test"}
    picked = load(write_study(tmp_path / "picked", by_epoch, selection=selection).root)
    last = load(write_study(tmp_path / "last", {"full": BASELINE, "lora": TREATMENT}).root)
    assert published(picked) == published(last)


@pytest.mark.parametrize(("lost", "left"), [([1], 1), ([0, 1], 0)])
def test_fewer_than_two_seeds_in_common_are_refused(
    tmp_path: Path, write_study: Write, lost: list[int], left: int
) -> None:
    folder = write_study(tmp_path / "few", {"full": BASELINE[:2], "lora": TREATMENT[:2]})
    for seed in lost:
        folder.end("lora" if seed else "full", seed, "diverged", "loss is not finite")
    with pytest.raises(
        AnalysisError, match=f"lora and full have {left} finished seeds in common; it takes two"
    ) as info:
        published(load(folder.root))
    assert str(info.value).startswith(f"{folder.root}: ")
