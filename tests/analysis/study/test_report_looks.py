from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.looks import sequential_p, thresholds
from analysis.methods.multiplicity import benjamini_hochberg, joint_step_down
from analysis.methods.variance import pooled_seed_spread
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder

LOOKS = [4, 6]
ARMS = {"full": 0.88, "lora": 0.87, "tiny": 0.80}


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=199)


def noted(report: StudyReport) -> str:
    return "\n".join(tables.build(report)[0].notes)


def caveats(report: StudyReport) -> list[str]:
    # The arms of the fixture differ in their seed SDs by chance; tests/analysis/study/test_seed_sds.py is about that.
    return [caveat.short for caveat in report.footer.caveats if caveat.short != "unequal seed SDs"]


@pytest.fixture
def scores(simulated: Any) -> dict[str, Any]:
    made: dict[str, Any] = simulated(np.random.default_rng(6), ARMS, seeds=6, examples=200, seed_sd=0.01)
    return made


@pytest.fixture
def growing(tmp_path: Path, write_study: Any, scores: Any) -> StudyFolder:
    folder: StudyFolder = write_study(tmp_path / "s", scores, analysis={"looks": LOOKS, "margin": 0.05})
    return folder


def forget(folder: StudyFolder, *seeds: int) -> Path:
    for seed in seeds:
        for arm in ARMS:
            folder.forget(arm, seed)
    return folder.root


def by_hand(scores: Any, treatment: str, sizes: list[int], *, margin: float = 0.05) -> tuple[float, float]:
    """The p-values that hold at every look so far, from the seeds that each of them had."""
    difference, equivalence = [], []
    gap = scores[treatment][: sizes[-1]].mean() - scores["full"][: sizes[-1]].mean()
    for size in sizes:
        spread = pooled_seed_spread([rows[:size] for rows in scores.values()]) if len(scores) > 2 else None
        result = crossed_test(scores[treatment][:size], scores["full"][:size], paired=True, spread=spread)
        difference.append(result.p_value if result.estimate * gap > 0 else 1.0)
        equivalence.append(tost(result.estimate, result.standard_error, result.df, margin=margin).p_value)
    return sequential_p(difference, LOOKS, sides=2), sequential_p(equivalence, LOOKS, sides=1)


def test_before_the_first_look_nothing_is_judged(growing: StudyFolder) -> None:
    report = analyze(forget(growing, 3, 4, 5))
    assert [comparison.verdict.label for comparison in report.comparisons] == ["no verdict"] * 2
    assert {comparison.verdict.reason for comparison in report.comparisons} == {"the first look is at 4 seeds"}
    assert all(
        comparison.result is None and not comparison.mcnemar and comparison.bootstrap is None
        for comparison in report.comparisons
    )
    assert (report.class_comparisons, report.selected_gaps, report.churns) == ((), (), (None, None))
    assert report.decision == "go on"
    assert report.look is not None
    assert report.look.number == 0
    assert "Go on: the first look waits (not run: full seed 3, lora seed 3, tiny seed 3)." in noted(report)
    assert not re.search(r"\bp counts\b", noted(report))
    # The seeds after the first look may be spared, and what has not run shows no collapse.
    assert caveats(report) == ["1 seed yet to run before the first look"]
    assert (report.seeds, report.footer.n_seeds) == ((0, 1, 2), 3)
    assert "3 trials of an arm without a collapse" in noted(report)


@pytest.mark.parametrize("lost", [(4, 5), (5,)])
def test_the_first_look_uses_exactly_its_seeds(growing: StudyFolder, scores: Any, lost: tuple[int, ...]) -> None:
    report = analyze(forget(growing, *lost))
    assert report.seeds == (0, 1, 2, 3)
    assert report.look is not None
    assert report.look.number == 1
    for comparison, arm in zip(report.comparisons, ("lora", "tiny"), strict=True):
        spread = pooled_seed_spread([rows[:4] for rows in scores.values()])
        assert comparison.result == crossed_test(scores[arm][:4], scores["full"][:4], paired=True, spread=spread)
        assert (comparison.seeds, len(comparison.mcnemar)) == ((0, 1, 2, 3), 4)
    assert report.arms[1].values == tuple(scores["lora"][:4].mean(axis=1))
    assert all(cost.n_seeds == 4 for cost in report.costs)
    # A seed that no arm has run is not there to be used.
    assert caveats(report) == (["1 later seed not used"] if lost == (5,) else [])
    said = " ".join(caveat.text for caveat in report.footer.caveats)
    assert ("the next look has not been reached" in said) == (lost == (5,))
    assert report.footer.n_seeds == 4


def test_an_unfinished_later_seed_is_no_missing_trial(growing: StudyFolder) -> None:
    growing.end("lora", 5, "failed", "out of memory")
    report = analyze(growing.root)
    assert caveats(report) == ["2 later seeds not used"]
    assert report.comparisons[0].result is not None
    assert "The next look waits (failed: lora seed 5)." in noted(report)


@pytest.mark.parametrize(("lost", "sizes"), [((4, 5), [4]), ((), [4, 6])])
def test_corrected_p_values_are_the_step_down_over_those_that_hold_at_every_look(
    growing: StudyFolder, scores: Any, lost: tuple[int, ...], sizes: list[int]
) -> None:
    report = analyze(forget(growing, *lost))
    honest = [by_hand(scores, arm, sizes) for arm in ("lora", "tiny")]
    assert [comparison.sequential_p for comparison in report.comparisons] == pytest.approx(
        [pair[0] for pair in honest], rel=1e-9
    )
    adjusted = joint_step_down([pair[0] for pair in honest], [pair[1] for pair in honest])
    assert [comparison.difference_p for comparison in report.comparisons] == pytest.approx(
        adjusted.difference, rel=1e-9
    )
    assert [comparison.equivalence_p for comparison in report.comparisons] == pytest.approx(
        adjusted.equivalence, rel=1e-9
    )
    for comparison in report.comparisons:
        assert comparison.result is not None
        assert comparison.equivalence is not None
        assert comparison.sequential_p >= comparison.result.p_value or len(sizes) > 1


def test_equivalence_spends_its_own_one_sided_level(growing: StudyFolder) -> None:
    report = analyze(forget(growing, 4, 5))
    raw = [comparison.equivalence.p_value for comparison in report.comparisons if comparison.equivalence]
    difference = [comparison.sequential_p for comparison in report.comparisons]
    one_sided = joint_step_down(difference, [sequential_p([p], LOOKS, sides=1) for p in raw]).equivalence
    two_sided = joint_step_down(difference, [sequential_p([p], LOOKS, sides=2) for p in raw]).equivalence
    assert tuple(comparison.equivalence_p for comparison in report.comparisons) == pytest.approx(one_sided)
    assert one_sided != pytest.approx(two_sided)


@pytest.mark.parametrize(("lost", "number"), [((4, 5), 1), ((), 2)])
def test_intervals_are_as_wide_as_the_look_demands(growing: StudyFolder, lost: tuple[int, ...], number: int) -> None:
    report = analyze(forget(growing, *lost))
    alone, shared = (thresholds(LOOKS, alpha=alpha)[number - 1] for alpha in (0.05, 0.025))
    for comparison in report.comparisons:
        assert comparison.result is not None
        assert comparison.confidence == pytest.approx(1 - alone)
        assert comparison.interval == pytest.approx(comparison.result.interval(1 - alone))
        assert comparison.family_confidence == pytest.approx(1 - shared)
        assert comparison.family_interval == pytest.approx(comparison.result.interval(1 - shared))
        undeclared = comparison.result.interval(0.95)
        assert comparison.interval[1] - comparison.interval[0] > undeclared[1] - undeclared[0]


def test_the_last_look_stops_whatever_is_open(growing: StudyFolder) -> None:
    growing.change_manifest(lambda content: content["analysis"].update(margin=0.01))
    report = analyze(growing.root)
    assert "undecided" in {comparison.verdict.label for comparison in report.comparisons}
    assert (report.decision, report.seeds) == ("stop", (0, 1, 2, 3, 4, 5))
    assert report.look is not None
    assert report.look.is_last
    assert caveats(report) == []
    assert "Look 2 of 2" in noted(report)
    assert "Stop: this is the last look." in noted(report)


def test_an_open_comparison_goes_on_and_gaps_that_are_all_clear_stop(
    tmp_path: Path, simulated: Any, write_study: Any, growing: StudyFolder
) -> None:
    report = analyze(forget(growing, 4, 5))
    assert report.decision == "go on"
    assert "Go on: not every comparison is decided. The next look waits (not run: full seed 4" in noted(report)
    far = simulated(np.random.default_rng(2), {"full": 0.9, "lora": 0.5, "tiny": 0.4}, seeds=4, examples=400)
    report = analyze(write_study(tmp_path / "far", far, analysis={"looks": LOOKS}).root)
    assert [comparison.verdict.label for comparison in report.comparisons] == ["worse", "worse"]
    assert report.decision == "stop"
    assert "Stop: every comparison is decided." in noted(report)


def test_a_p_below_alpha_may_be_too_large_for_an_early_look(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        scores = {arm: (rng.random((4, 150)) < rate).astype(int) for arm, rate in (("full", 0.9), ("lora", 0.8))}
        p = crossed_test(scores["lora"], scores["full"], paired=True).p_value
        if 0.02 < p < 0.04:
            break
    once = analyze(write_study(tmp_path / "once", scores).root)
    early = analyze(write_study(tmp_path / "early", scores, analysis={"looks": LOOKS}).root)
    assert once.comparisons[0].verdict.label == "worse"
    assert early.comparisons[0].verdict.label == "undecided"
    assert early.comparisons[0].result == once.comparisons[0].result


def test_a_diverged_trial_does_not_hold_a_look_back_but_its_arm_gets_no_verdict(growing: StudyFolder) -> None:
    growing.end("lora", 2, "diverged", "loss is not finite")
    report = analyze(growing.root)
    assert report.look is not None
    assert report.look.number == 2
    assert report.comparisons[0].verdict.reason == "diverged: lora seed 2"
    assert report.comparisons[1].result is not None


def test_a_diverged_seed_is_dropped_from_every_look(growing: StudyFolder, scores: Any) -> None:
    growing.end("lora", 2, "diverged", "loss is not finite")
    growing.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    report = analyze(growing.root)
    assert (report.seeds, report.dropped_seeds) == ((0, 1, 3, 4, 5), (2,))
    kept = {arm: np.delete(rows, 2, axis=0) for arm, rows in scores.items()}
    # The first look had seeds 0, 1 and 3, the second one 4 and 5 as well.
    honest = by_hand(kept, "tiny", [3, 5])
    assert report.comparisons[1].sequential_p == pytest.approx(honest[0], rel=1e-9)


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_trial_that_runs_again_holds_the_verdicts_back(growing: StudyFolder, status: str) -> None:
    growing.end("lora", 2, status, "x")
    report = analyze(growing.root)
    assert report.decision == "go on"
    assert f"the first look waits ({status}: lora seed 2)." in noted(report)


def grown(folder: StudyFolder, *steps: list[int]) -> Path:
    history = [
        {"seeds": seeds, "frozen": "2026-11-01T09:59:00Z", "trials_finished": 6 * at} for at, seeds in enumerate(steps)
    ]
    folder.change_manifest(lambda content: content.update(seed_history=history))
    return folder.root


def test_seeds_keep_the_order_in_which_they_were_taken_up(growing: StudyFolder, scores: Any) -> None:
    report = analyze(grown(growing, [2, 3, 4, 5], [0, 1, 2, 3, 4, 5]))
    assert report.seeds == (2, 3, 4, 5, 0, 1)
    order = [2, 3, 4, 5, 0, 1]
    honest = by_hand({arm: right[order] for arm, right in scores.items()}, "tiny", [4, 6])
    assert report.comparisons[1].sequential_p == pytest.approx(honest[0], rel=1e-9)
    growing.forget("full", 0)
    assert analyze(growing.root).seeds == (2, 3, 4, 5)


def test_growth_at_a_declared_look_is_no_undeclared_one(growing: StudyFolder) -> None:
    assert caveats(analyze(grown(growing, [0, 1, 2, 3], list(range(6))))) == []
    assert caveats(analyze(grown(growing, [0, 1, 2, 3, 4], list(range(6))))) == ["1 undeclared look"]
    growing.change_manifest(lambda content: content["analysis"].update(looks=[]))
    assert caveats(analyze(grown(growing, [0, 1, 2, 3], list(range(6))))) == ["1 undeclared look"]


def test_seeds_beyond_the_last_look_are_left_alone(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(6), ARMS, seeds=8, examples=120)
    report = analyze(write_study(tmp_path / "s", scores, analysis={"looks": LOOKS}).root)
    assert report.seeds == (0, 1, 2, 3, 4, 5)
    assert caveats(report) == ["2 later seeds not used"]
    assert "no later look is declared" in report.footer.caveats[0].text


def test_a_study_without_looks_has_raw_p_values_and_no_decision(growing: StudyFolder) -> None:
    growing.change_manifest(lambda content: content["analysis"].update(looks=[]))
    report = analyze(growing.root)
    assert (report.look, report.decision) == (None, "")
    for comparison in report.comparisons:
        assert comparison.result is not None
        assert comparison.sequential_p == comparison.result.p_value
        assert comparison.confidence == 0.95


def test_benjamini_hochberg_pools_the_p_values_of_both_questions_at_a_look(growing: StudyFolder, scores: Any) -> None:
    growing.change_manifest(lambda content: content["analysis"].update(correction="benjamini_hochberg"))
    report = analyze(growing.root)
    honest = [by_hand(scores, arm, [4, 6]) for arm in ("lora", "tiny")]
    pooled = benjamini_hochberg([*(pair[0] for pair in honest), *(pair[1] for pair in honest)])
    made = [comparison.difference_p for comparison in report.comparisons] + [
        comparison.equivalence_p for comparison in report.comparisons
    ]
    assert made == pytest.approx(pooled.tolist(), rel=1e-9)


def test_a_look_that_comes_too_early_to_reject_has_intervals_without_limits(
    tmp_path: Path, simulated: Any, write_study: Any
) -> None:
    scores = simulated(np.random.default_rng(6), {"full": 0.9, "lora": 0.2}, seeds=4, examples=200)
    claim = {"source": "x", "model": "embedded/tiny", "n": 200, "accuracy": {"full": "0.9", "lora": "0.8"}}
    folder = write_study(tmp_path / "s", scores, analysis={"looks": [4, 8, 100]}, claims=[claim])
    report = analyze(folder.root)
    (comparison,) = report.comparisons
    assert (comparison.interval, comparison.family_interval) == ((-np.inf, np.inf), (-np.inf, np.inf))
    assert comparison.reason == "so early a look cannot reject anything, so its interval has no limits"
    assert comparison.verdict.label == "undecided"
    assert report.decision == "go on"
    json.dumps(report.to_json(), allow_nan=False)
    assert "so early a look" in tables.markdown(report)
    assert not re.search(r"\bnan\b", tables.latex(report))


def test_an_early_gap_is_no_evidence_for_the_opposite_one(tmp_path: Path, write_study: Any) -> None:
    # At the first look the treatment leads by far; two later seeds in which it fails turn the mean round.
    rng = np.random.default_rng(3)
    scores = {"full": (rng.random((6, 300)) < 0.5).astype(int), "lora": (rng.random((6, 300)) < 0.9).astype(int)}
    scores["lora"][4:] = 0
    scores["full"][4:] = 1
    folder = write_study(tmp_path / "s", scores, analysis={"looks": LOOKS})
    (late,) = analyze(folder.root).comparisons
    for seed in (4, 5):
        folder.forget("lora", seed)
    (early,) = analyze(folder.root).comparisons
    assert early.verdict.label == "better"
    assert late.result is not None
    assert late.estimate < 0
    assert late.verdict.label == "undecided"
    assert late.sequential_p == pytest.approx(sequential_p([1.0, late.result.p_value], LOOKS, sides=2))


def test_a_look_that_dropped_seeds_leave_too_small_rejects_nothing(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(3)
    scores = {"full": (rng.random((6, 300)) < 0.5).astype(int), "lora": (rng.random((6, 300)) < 0.9).astype(int)}
    folder = write_study(tmp_path / "s", scores, analysis={"looks": [4, 6], "failed_trials": "drop_seed"})
    folder.end("lora", 1, "diverged", "x")
    (comparison,) = analyze(folder.root).comparisons
    assert comparison.result is not None
    assert comparison.seeds == (0, 2, 3, 4, 5)
    # Three seeds were left at the first look; only the second counts.
    assert comparison.sequential_p == sequential_p([math.nan, comparison.result.p_value], [4, 6], sides=2)
    assert comparison.confidence == 1 - thresholds([4, 6], alpha=0.05)[1]


def test_the_gap_at_every_look_is_kept(growing: StudyFolder, scores: Any) -> None:
    report = analyze(growing.root)
    for pair in report.comparisons:
        arms = {arm: np.asarray(y, dtype=float) for arm, y in scores.items()}
        for size, found in zip([4, 6], pair.at_looks, strict=True):
            assert found is not None
            gap = arms[pair.treatment][:size].mean() - arms[pair.baseline][:size].mean()
            assert found.estimate == pytest.approx(gap)
            assert found.standard_error > 0
        assert pair.result is not None
        assert pair.at_looks[-1] is not None
        assert pair.at_looks[-1].interval() == pair.result.interval()
    growing.change_manifest(lambda content: content["analysis"].pop("looks"))
    assert [pair.at_looks for pair in analyze(growing.root).comparisons] == [(), ()]
