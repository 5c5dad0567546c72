"""The confidence set for the best arm, from a results folder to its sentence."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.methods.crossed import crossed_test
from analysis.methods.looks import one_sided_thresholds
from analysis.methods.variance import pooled_seed_spread
from analysis.methods.with_the_best import compare_with_best
from analysis.study.report import StudyReport, analyze
from analysis.tables.table import Table

if TYPE_CHECKING:
    from conftest import StudyFolder

ACCURACIES = {"full": 0.88, "worse": 0.70, "r2": 0.88, "r8": 0.86}


@pytest.fixture
def scores(simulated: Any) -> Any:
    return simulated(np.random.default_rng(3), ACCURACIES, seeds=5, examples=400, seed_sd=0.01)


def analyzed(folder: StudyFolder) -> StudyReport:
    return analyze(folder.root, resamples=9)


def note(report: StudyReport) -> str:
    return "\n".join(text for text in tables.build(report)[0].notes if text.startswith(("Best ", "Not judged")))


def best_table(report: StudyReport) -> Table:
    (table,) = (table for table in tables.build(report) if table.title == "Which arm may be the best")
    return table


def test_every_pair_counts_whatever_the_plan_compares(tmp_path: Path, scores: Any, write_study: Any) -> None:
    plans = [{"baseline": "full"}, {"baseline": "worse"}, {"comparisons": [{"treatment": "r2", "baseline": "r8"}]}]
    reports = [
        analyzed(write_study(tmp_path / str(number), scores, analysis=plan)) for number, plan in enumerate(plans)
    ]
    first, *others = (report.best for report in reports)
    assert first.ruled_out == ("worse",)
    assert first.in_play == ("full", "r2", "r8")
    assert all(other == first for other in others)
    assert first.generalizes_to == "seeds and examples"
    # Compared with the worst arm alone, no verdict tells the other three apart, and the set is about them all the same.
    assert {one.arm: one.rival for one in first.contenders}["r8"] == first.top[0]


def test_an_arm_that_beats_all_others_is_alone_in_the_set(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(4), {"full": 0.7, "r2": 0.95, "r4": 0.8}, seeds=4, examples=400)
    report = analyzed(write_study(tmp_path / "s", scores))
    assert report.best.in_play == report.best.top == ("r2",)
    assert note(report).startswith(
        "Best arm: with 95% confidence it is r2. It is one-sided and from every pair of arms"
    )
    assert [row[5] for row in best_table(report).rows] == ["no", "yes", "no"]


@pytest.mark.parametrize(("variance", "n_arms"), [("pooled", 4), ("pairwise", 2), (None, 2)])
def test_the_variation_over_seeds_is_pooled_as_the_plan_was_frozen(
    variance: str | None, n_arms: int, tmp_path: Path, scores: Any, write_study: Any
) -> None:
    folder = write_study(tmp_path / "s", scores, analysis={} if variance is None else {"variance": variance})
    folder.change_manifest(lambda content: content["plan_history"][-1].update(variance=variance))
    report = analyzed(folder)
    assert report.best.n_arms == n_arms
    (said,) = (text for text in best_table(report).notes if "variation over seeds" in text)
    assert ("pooled over 4 arms" if n_arms == 4 else "of each pair alone") in said
    verdicts = {one.treatment: one.result.standard_error for one in report.comparisons if one.result}
    for one in report.best.contenders:
        if one.rival == "full":
            assert one.standard_error == pytest.approx(verdicts[one.arm])


def test_an_arm_without_a_test_is_named_apart(tmp_path: Path, scores: Any, write_study: Any) -> None:
    folder = write_study(tmp_path / "s", scores)
    folder.end("r2", 1, "diverged", "x")
    report = analyzed(folder)
    best = report.best
    assert best.not_judged == (("r2", "diverged: r2 seed 1"),)
    assert best.in_play == ("full", "r8")
    assert best.n_arms == 3
    assert note(report).startswith("Best of the arms that can be judged: with 95% confidence it is one of full")
    assert "Not judged, and perhaps better than all of these: r2." in tables.build(report)[0].notes
    assert "r2: diverged: r2 seed 1." in best_table(report).notes
    folder.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    dropped = analyzed(folder).best
    assert dropped.not_judged == ()
    assert dropped.in_play == ("full", "r2", "r8")


def test_where_lower_is_better_the_lowest_is_the_best(tmp_path: Path, scores: Any, write_study: Any) -> None:
    accuracy = analyzed(write_study(tmp_path / "a", scores))
    report = analyzed(write_study(tmp_path / "l", scores, analysis={"metric": "log_loss"}))
    # Each right answer has one loss and each wrong one another, so log loss is a falling line in accuracy.
    assert report.best.in_play == accuracy.best.in_play
    assert report.best.top == accuracy.best.top
    slope = math.log(0.1) - math.log(0.9)
    for loss, share in zip(report.best.contenders, accuracy.best.contenders, strict=True):
        assert loss.estimate == pytest.approx(slope * share.estimate, rel=1e-5)
        low, high = share.interval
        assert loss.interval == pytest.approx((slope * high, slope * low), rel=1e-5)
    assert f"{report.best.top[0]} (lowest mean)" in note(report)
    assert "its interval reaches below 0" in best_table(report).notes[1]


def test_arms_that_share_the_best_mean_are_both_named(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(5), {"full": 0.8, "r2": 0.9, "other": 0.8}, seeds=4, examples=200)
    scores["r4"] = scores["r2"][::-1]
    report = analyzed(write_study(tmp_path / "s", scores))
    assert report.best.top == ("r2", "r4")
    assert "one of r2 (highest mean), r4 (highest mean)" in note(report)


def test_a_look_shares_what_it_may_spend(tmp_path: Path, scores: Any, write_study: Any) -> None:
    once = analyzed(write_study(tmp_path / "once", scores)).best
    report = analyzed(write_study(tmp_path / "looks", scores, analysis={"looks": [5, 10]}))
    spread = pooled_seed_spread([rows.astype(float) for rows in scores.values()])
    pairs = {(i, j): crossed_test(scores[i], scores[j], paired=True, spread=spread) for i, j in combinations(scores, 2)}
    level = one_sided_thresholds([5, 10], alpha=0.05 / 3)[0]
    assert report.best.contenders == compare_with_best(scores, pairs, pair_level=level).contenders
    assert once.contenders == compare_with_best(scores, pairs).contenders
    assert set(once.in_play) <= set(report.best.in_play)
    assert best_table(report).notes[-1].startswith("At a declared look the tests share what the look may spend")
    waiting = analyzed(write_study(tmp_path / "none", scores, analysis={"looks": [8, 16]}))
    assert waiting.best.reason == "the first look is at 8 seeds"
    assert note(waiting) == "Best arm: no statement (the first look is at 8 seeds)."


def test_two_seeds_or_one_arm_give_no_set(tmp_path: Path, scores: Any, write_study: Any) -> None:
    two = analyzed(write_study(tmp_path / "two", {arm: rows[:2] for arm, rows in scores.items()}))
    assert two.best.reason == "fewer than 3 seeds cannot tell which arm may be the best"
    assert two.best.in_play == two.best.contenders == ()
    one = analyzed(write_study(tmp_path / "one", {"full": scores["full"]}))
    assert one.best.reason == "1 arm can be judged, and it takes 2"
    assert not [table for table in tables.build(one) if table.title == "Which arm may be the best"]


def test_the_set_is_in_the_json_and_in_every_format(tmp_path: Path, scores: Any, write_study: Any) -> None:
    report = analyzed(write_study(tmp_path / "s", scores))
    plain = report.to_json()["best"]
    assert plain["in_play"] == ["full", "r2", "r8"]
    assert plain["contenders"][0]["interval"] == list(report.best.contenders[0].interval)
    for text in (tables.markdown(report), tables.latex(report)):
        assert "Which arm may be the best" in text
        assert "It is one-sided and from every pair of arms" in " ".join(text.split())
