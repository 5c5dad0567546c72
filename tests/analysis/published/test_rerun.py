from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from analysis.errors import AnalysisError
from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed import crossed_test
from analysis.methods.mcnemar_clustered import mcnemar_clustered
from analysis.published.overlaps import Overlaps, overlaps
from analysis.published.rerun import Rerun, rerun
from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial

if TYPE_CHECKING:
    from conftest import StudyFolder

Write = Callable[..., "StudyFolder"]
Right = NDArray[np.int64]


def rows(*runs: str) -> Right:
    return np.array([[int(answer) for answer in run] for run in runs])


# Ten examples. Only the treatment is right on 3, 1 and 4 of them, only the baseline on 0, 1 and 2.
TREATMENT = rows("1111111100", "1111110000", "1111111100")
BASELINE = rows("1111100000", "1111100001", "1111000011")


@pytest.fixture
def two_arms(tmp_path: Path, write_study: Write) -> Callable[[Right, Right], Outcomes]:
    """Outcomes in memory of a study with two arms, of as many seeds as there are rows."""
    folders: dict[int, Outcomes] = {}

    def build(treatment: Right, baseline: Right) -> Outcomes:
        seeds, n = treatment.shape
        if seeds not in folders:
            nothing = np.ones((seeds, 2), dtype=np.int64)
            folders[seeds] = load(write_study(tmp_path / f"{seeds}-seeds", {"lora": nothing, "full": nothing}).root)
        trials = {}
        for arm, right in (("lora", treatment), ("full", baseline)):
            for seed, row in enumerate(right):
                shares = np.stack([row, 1 - row], axis=-1)[None].astype(np.float32)
                trials[arm, seed] = Trial(arm=arm, seed=seed, status="finished", epochs=(1,), answers=shares)
        ids = tuple(f"id-{i}" for i in range(n))
        return dataclasses.replace(folders[seeds], trials=trials, example_ids=ids, labels=np.zeros(n, dtype=np.int64))

    return build


@pytest.fixture
def small(tmp_path: Path, write_study: Write) -> Outcomes:
    scores = {"full": BASELINE, "other": np.zeros_like(BASELINE), "lora": TREATMENT}
    return load(write_study(tmp_path / "small", scores, name="ours").root)


def beside(outcomes: Outcomes, **change: Any) -> Rerun:
    """What a study says about 6 right answers of 10 against 4."""
    return rerun(outcomes, "lora", "full", **{"published": overlaps((6, 6), (4, 4), n=10), **change})


@pytest.mark.parametrize(("seeds", "alpha"), [(2, 0.05), (3, 0.01), (5, 0.05), (5, 0.2)])
def test_gap_interval_and_p_value_are_those_of_the_crossed_test(
    tmp_path: Path, write_study: Write, simulated: Any, seeds: int, alpha: float
) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.88, "lora": 0.82}, seeds=seeds, examples=120, seed_sd=0.02)
    result = beside(load(write_study(tmp_path / "s", scores, name="ours").root), published=None, alpha=alpha)
    expected = crossed_test(scores["lora"], scores["full"], paired=True)
    assert (result.gap, result.p_value, *result.interval) == pytest.approx(
        (expected.estimate, expected.p_value, *expected.interval(1 - alpha)), rel=1e-12
    )
    assert result.gap < 0
    assert result.components == expected.components
    assert (result.study, result.treatment, result.baseline) == ("ours", "lora", "full")
    assert (result.n_seeds, result.n_examples) == (seeds, 120)


def test_clusters_are_what_both_tests_draw(two_arms: Any, simulated: Any) -> None:
    scores = simulated(np.random.default_rng(2), {"full": 0.9, "lora": 0.65}, seeds=4, examples=60)
    names = tuple(f"document {i // 4}" for i in range(60))
    outcomes = dataclasses.replace(two_arms(scores["lora"], scores["full"]), clusters=names)
    p_values = [mcnemar_clustered(t, b, names).p_exact for t, b in zip(scores["lora"], scores["full"], strict=True)]
    result = beside(outcomes, alpha=min(p_values))
    drawn = [cluster_scores(scores[arm], names) for arm in ("lora", "full")]
    expected = crossed_test(drawn[0], drawn[1], paired=True)
    assert result.p_value == pytest.approx(expected.p_value, rel=1e-12)
    assert result.components == expected.components
    assert result.significant == 0.25
    # The discordance is counted example by example all the same.
    assert result.n_examples == 60
    assert result.discordance[0] == pytest.approx(np.mean(scores["lora"] != scores["full"]), rel=1e-12)


def test_answers_of_one_document_are_no_evidence_of_their_own(two_arms: Any) -> None:
    outcomes = two_arms(rows("1" * 12, "1" * 12), rows("0" * 12, "1" * 6 + "0" * 6))
    assert beside(outcomes).significant == 1
    # Six documents of two examples: 6 against 0 for the first seed, 3 against 0 for the second.
    pairs = dataclasses.replace(outcomes, clusters=tuple(f"document {i // 2}" for i in range(12)))
    assert beside(pairs).significant == 0.5
    assert beside(dataclasses.replace(outcomes, clusters=("a",) * 11 + ("b",))).significant == 0


def test_the_arms_of_a_small_study_by_hand(small: Outcomes) -> None:
    result = beside(small)
    assert result.discordance == pytest.approx(((0.3 + 0.2 + 0.6) / 3, 0.2, 0.6), rel=1e-12)
    # Accuracies 0.8, 0.6, 0.8 and 0.5, 0.6, 0.6: variances 0.04 / 3 and 0.01 / 3.
    assert result.seed_sd == pytest.approx(math.sqrt(0.05 / 6), rel=1e-12)
    assert result.seed_df == 2
    # Gaps of 0.3, 0, 0.2: mean 1/6, variance 0.07 / 3 over three seeds; Student's t with two degrees of freedom.
    reach = 4.302652729911275 * math.sqrt(0.07 / 3) * math.sqrt(4 / 3)
    assert result.expected_gap == pytest.approx((1 / 6 - reach, 1 / 6 + reach), rel=1e-9)


# The least and the greatest discordance are 20% and 60%.
@pytest.mark.parametrize(
    ("published", "least", "most"),
    [
        # 2 : 0, and 4 : 2.
        (overlaps((6, 6), (4, 4), n=10), 2 / 4, 2 * 22 / 64),
        (overlaps((4, 4), (6, 6), n=10), 2 / 4, 2 * 22 / 64),
        (overlaps((5, 5), (5, 5), n=10), 1.0, 1.0),
        # 20% of 20 are 4, 3 : 1; 60% are 12, 7 : 5.
        (overlaps((11, 11), (9, 9), n=20), 2 * 5 / 16, 2 * 1586 / 4096),
        # 20% of 44 are 8.8, the nearest odd number is 9, 6 : 3; 60% are 26.4, 27 is nearer than 25, 15 : 12.
        (overlaps((24, 24), (21, 21), n=44), 2 * 130 / 512, float(stats.binomtest(12, 27).pvalue)),
        # 20% of 12 are 2.4, less than the gap: 5 : 0; 60% are 7.2: 6 : 1.
        (overlaps((8, 8), (3, 3), n=12), 2 / 32, 2 * 8 / 128),
        (overlaps((3, 3), (8, 8), n=12), 2 / 32, 2 * 8 / 128),
        # 60% of 10 are 6, more than 9 and 7 right answers allow: 3 : 1.
        (overlaps((9, 9), (7, 7), n=10), 2 / 4, 2 * 5 / 16),
        # 20% of 20 are 4, less than the 5 + 3 that the classes take: 5 : 3; 60% are 12, 7 : 5.
        (overlaps((10, 10), (8, 8), n=20, by_class=[(8, 3, 10), (2, 5, 10)]), 2 * 93 / 256, 2 * 1586 / 4096),
        # 20% of 872 are 174.4, 96 : 78; 60% are 523.2, 271 : 253 of 524.
        (
            overlaps((445, 445), (427, 427), n=872),
            float(stats.binomtest(78, 174).pvalue),
            float(stats.binomtest(253, 524).pvalue),
        ),
    ],
)
def test_the_published_gap_at_this_discordance(small: Outcomes, published: Overlaps, least: float, most: float) -> None:
    assert beside(small, published=published).p_exact == pytest.approx((least, most), rel=1e-9)


@pytest.mark.parametrize("published", [None, overlaps((6, 7), (4, 4), n=10), overlaps((6, 6), (3, 4), n=10)])
def test_without_single_right_answers_there_is_no_p_value_of_the_published_gap(small: Outcomes, published: Any) -> None:
    result = beside(small, published=published)
    assert all(math.isnan(p_value) for p_value in result.p_exact)
    known = beside(small)
    assert dataclasses.replace(result, p_exact=known.p_exact) == known


def test_seeds_whose_runs_differ_significantly(two_arms: Any) -> None:
    # Only one of the two is right: 6 against 0, 0 against 8, 7 against 1, 0 against 0; p = 0.031, 0.0078, 0.070, 1.
    treatment = rows("1" * 6 + "0" * 6, "0" * 12, "1" * 7 + "0" * 5, "1" * 12)
    baseline = rows("0" * 12, "1" * 8 + "0" * 4, "0" * 7 + "1" + "0" * 4, "1" * 12)
    outcomes = two_arms(treatment, baseline)
    shares = [beside(outcomes, alpha=alpha).significant for alpha in (0.005, 0.0078125, 0.05, 0.1, 0.9)]
    assert shares == [0, 0.25, 0.5, 0.75, 0.75]


def test_the_level_changes_the_interval_and_what_is_significant_alone(small: Outcomes) -> None:
    strict, usual = beside(small, alpha=0.001), beside(small)
    assert strict.interval[0] < usual.interval[0]
    assert strict.interval[1] > usual.interval[1]
    assert dataclasses.replace(strict, significant=usual.significant, interval=usual.interval) == usual


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_one_further_seed_and_the_scatter_of_seeds_are_as_expected(two_arms: Any, shared: float) -> None:
    rng = np.random.default_rng(3)
    seeds, n, studies, inside, ratios = 5, 400, 500, 0, []
    p = rng.uniform(0.3, 0.7, size=(2, 1, n))
    shift_variance = 0.03**2 * (1 - 1 / n)
    variance = shift_variance + float(np.mean(p * (1 - p))) / n
    for _ in range(studies):
        shift = rng.normal(0.0, 0.03, size=(2, seeds + 1, 1))
        shift[1] = shared * shift[0] + math.sqrt(1 - shared**2) * shift[1]
        right = (rng.random((2, seeds + 1, n)) < p + shift).astype(np.int64)
        result = beside(two_arms(right[0, :-1], right[1, :-1]), published=None)
        inside += result.expected_gap[0] <= right[0, -1].mean() - right[1, -1].mean() <= result.expected_gap[1]
        ratios.append(result.seed_sd**2 / variance)
    assert min(special.bdtr(inside, studies, 0.95), special.bdtrc(inside - 1, studies, 0.95)) > 1e-4
    # The more the runs of a seed have in common, the less a second arm adds: at most `seed_df` degrees of freedom.
    correlation = shared * shift_variance / variance
    spread = (1 + correlation**2) / (seeds - 1)
    assert result.seed_df == 4
    assert np.mean(ratios) == pytest.approx(1, abs=4 * math.sqrt(spread / studies))
    assert np.var(ratios) == pytest.approx(spread, rel=0.3)
    assert spread <= 2 / result.seed_df


def test_failed_trials_are_left_out_of_both_arms(tmp_path: Path, write_study: Write, simulated: Any) -> None:
    accuracies = {"full": 0.9, "other": 0.9, "lora": 0.8}
    scores = simulated(np.random.default_rng(5), accuracies, seeds=6, examples=80, seed_sd=0.02)
    folder = write_study(tmp_path / "all", scores)
    folder.end("lora", 1, "diverged", "loss is not finite")
    folder.end("full", 4, "failed", "out of memory")
    folder.forget("full", 5)
    # A third arm costs no seed.
    folder.end("other", 0, "failed", "out of memory")
    kept = {arm: right[[0, 2, 3]] for arm, right in scores.items()}
    result = beside(load(folder.root))
    assert result == beside(load(write_study(tmp_path / "kept", kept).root))
    assert (result.n_seeds, result.seed_df) == (3, 2)


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
    assert beside(picked) == beside(last)


@pytest.mark.parametrize(("lost", "left"), [([1], 1), ([0, 1], 0)])
def test_fewer_than_two_seeds_in_common_are_refused(
    tmp_path: Path, write_study: Write, lost: list[int], left: int
) -> None:
    folder = write_study(tmp_path / "few", {"full": BASELINE[:2], "lora": TREATMENT[:2]})
    for seed in lost:
        folder.end("lora" if seed else "full", seed, "diverged", "loss is not finite")
    message = f"^{folder.root}: lora and full need at least two finished seeds in common, got {left}$"
    with pytest.raises(AnalysisError, match=message):
        beside(load(folder.root))
