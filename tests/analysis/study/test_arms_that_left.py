"""Arms that a run until decided trains no further: what left keeps its look, what stays goes on without it."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import figures, tables
from analysis.methods.crossed import crossed_test
from analysis.methods.looks import one_sided_thresholds, sequential_p
from analysis.methods.variance import pooled_seed_spread
from analysis.methods.with_the_best import compare_with_best
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with
from analysis.tables.digits import confidence_level

if TYPE_CHECKING:
    from conftest import StudyFolder

LOOKS = [4, 6]
ARMS = {"full": 0.88, "lora": 0.87, "tiny": 0.78, "other": 0.87}


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=199)


@pytest.fixture(scope="module")
def scores() -> dict[str, Any]:
    from tests.analysis.conftest import simulated

    return simulated(np.random.default_rng(6), ARMS, seeds=6, examples=200, seed_sd=0.01)


@pytest.fixture
def whole(tmp_path: Path, write_study: Any, scores: Any) -> StudyFolder:
    folder: StudyFolder = write_study(tmp_path / "s", scores, analysis={"looks": LOOKS, "margin": 0.05})
    return folder


def leave(folder: StudyFolder, *arms: str, at: int = 4) -> StudyFolder:
    """Note that arms left, and take away what was trained of them later."""
    look = {"seeds": list(range(at)), "left": list(arms), "plan": "d", "at": "2026-11-01T11:00:00Z"}
    (folder.root / "looks.json").write_text(json.dumps({"format": 1, "looks": [look]}))
    for arm in arms:
        for seed in range(at, 6):
            folder.forget(arm, seed)
    return folder


def pair(report: StudyReport, treatment: str) -> Any:
    return next(one for one in report.comparisons if one.treatment == treatment)


def test_what_left_keeps_the_test_of_its_look(whole: StudyFolder, scores: Any) -> None:
    left = pair(analyze(leave(whole, "tiny").root), "tiny")
    spread = pooled_seed_spread([rows[:4] for rows in scores.values()])
    assert left.result == crossed_test(scores["tiny"][:4], scores["full"][:4], paired=True, spread=spread)
    assert (left.seeds, left.n_seeds, len(left.mcnemar)) == ((0, 1, 2, 3), (4, 4), 4)
    assert left.sequential_p == pytest.approx(sequential_p([left.result.p_value], LOOKS, sides=2), rel=1e-12)


def test_what_stays_pools_the_arms_that_each_look_had(whole: StudyFolder, scores: Any) -> None:
    stayed = pair(analyze(leave(whole, "tiny").root), "lora")
    first = pooled_seed_spread([rows[:4] for rows in scores.values()])
    second = pooled_seed_spread([scores[arm] for arm in ("full", "lora", "other")])
    expected = [
        crossed_test(scores["lora"][:4], scores["full"][:4], paired=True, spread=first),
        crossed_test(scores["lora"], scores["full"], paired=True, spread=second),
    ]
    assert stayed.result == expected[1]
    assert [one.standard_error for one in stayed.at_looks] == [one.standard_error for one in expected]
    assert stayed.n_seeds == (6, 6)
    assert stayed.bootstrap is not None


def test_every_part_of_the_report_takes_the_seeds_that_an_arm_has(whole: StudyFolder) -> None:
    report = analyze(leave(whole, "tiny").root)
    assert [len(arm.values) for arm in report.arms] == [6, 6, 4, 6]
    assert report.look is not None
    assert (report.look.number, dict(report.look.left)) == (2, {"tiny": 4})
    assert {one.n_seeds for one in report.class_comparisons if one.treatment == "tiny"} == {(4, 4)}
    assert {one.n_seeds for one in report.class_comparisons if one.treatment == "lora"} == {(6, 6)}
    assert set(report.best.ruled_out) | set(report.best.in_play) == set(ARMS)
    assert [caveat.short for caveat in report.footer.caveats if "not run" in caveat.short] == []
    notes = "\n".join(tables.build(report)[0].notes)
    assert "Trained no further, since no open comparison needed them: tiny after 4 seeds." in notes
    pooled = "Seed variance: pooled over the arms that have the seeds of a comparison, 3 to 4; its test says how many."
    assert pooled in notes
    assert {one.treatment: one.result.n_arms for one in report.comparisons if one.result} == {
        "lora": 3,
        "tiny": 4,
        "other": 3,
    }


def test_arms_that_left_are_named_together_in_the_order_of_the_study(whole: StudyFolder) -> None:
    report = analyze(leave(whole, "other", "tiny", "lora").root)
    assert report.look is not None
    assert list(report.look.left) == ["lora", "tiny", "other"]
    notes = "\n".join(tables.build(report)[0].notes)
    assert "no open comparison needed them: lora, tiny and other after 4 seeds." in notes


def test_what_left_undecided_says_what_a_study_of_its_own_would_take(whole: StudyFolder) -> None:
    report = analyze(leave(whole, "lora").root)
    told = dict(zip((one.treatment for one in report.comparisons), tables.in_words(report), strict=True))["lora"]
    assert " Trained no further after 4 seeds: the last look, at 6, would hardly decide it. " in told
    left = pair(report, "lora")
    needed = min(one.seeds_needed or math.inf for one in (left.settling_equivalence, left.settling_gap) if one)
    assert f" If the true gap is the one seen, a new study would take about {needed} seeds an arm to " in told
    assert " in 80% of cases." in told


@pytest.fixture
def everything(whole: StudyFolder) -> StudyReport:
    """Every table that shows intervals of comparisons, of a study in which one comparison keeps an earlier look."""
    claim = {
        "source": "x",
        "model": "embedded/tiny",
        "n": 200,
        "accuracy": {"full": "0.9", "lora": "0.8", "tiny": "0.7"},
    }
    sets = [{"name": name, "n_test": 100, "n_shared": 0} for name in ("one", "two")]
    whole.change_manifest(lambda content: content.update(claims=[claim]))
    whole.change_manifest(lambda content: content["data"].update(sets=sets))
    return analyze(leave(whole, "tiny").root).require("lora not worse than full by 5pp", "tiny worse than full")


def test_where_comparisons_keep_different_looks_no_one_confidence_stands_for_all(everything: StudyReport) -> None:
    levels = {one.treatment: confidence_level(1 - one.verdict_confidence) for one in everything.comparisons}
    assert levels["lora"] == levels["other"] != levels["tiny"]
    # These are at 1 - alpha whatever the looks.
    of_all = ["95% for all", "Seed SD (95% limits)", "Floor (95% limits)"]
    told = {}
    for table in tables.build(everything):
        shown = [column.header for column in table.columns if "%" in column.header]
        assert [header for header in shown if header not in of_all] == [], table.title
        told[table.title] = [note for note in table.notes if note.startswith("Confidence of ")]
    assert [title for title, notes in told.items() if notes] == [
        "Requirements",
        "Verdicts",
        "Verdicts by test set",
        "Published claims",
        "Precision and recall by class, compared",
        "Intervals and probabilities",
    ]
    assert told["Verdicts"] == [
        "Confidence of the intervals, by the look that each comparison has reached: "
        f"{levels['lora']} for lora against full, other against full; {levels['tiny']} for tiny against full."
    ]
    assert [note.count("tiny against full") for note in told["Intervals and probabilities"]] == [1, 1]
    notes = "\n".join(next(table.notes for table in tables.build(everything) if table.title == "Verdicts"))
    assert "each interval is that of the last look that its comparison reached" in notes


def test_captions_say_from_which_confidence_to_which(everything: StudyReport) -> None:
    levels = {one.treatment: confidence_level(1 - one.verdict_confidence) for one in everything.comparisons}
    drawn = {figure.name: figure for figure in figures.build(everything)}
    for name in ("gaps", "cost"):
        assert f"the {levels['lora']} to {levels['tiny']} intervals that belong to the verdicts" in drawn[name].caption
        assert "Interval" in [column.header for column in drawn[name].columns]


def test_where_all_are_at_one_look_it_stands_over_the_column(whole: StudyFolder) -> None:
    report = analyze(whole.root)
    level = confidence_level(1 - report.comparisons[0].verdict_confidence)
    verdicts = tables.build(report)[0]
    assert f"{level} interval" in [column.header for column in verdicts.columns]
    assert not [note for note in verdicts.notes if note.startswith("Confidence of ")]


def test_the_best_arm_is_sought_with_the_seeds_that_every_two_arms_have(whole: StudyFolder, scores: Any) -> None:
    report = analyze(leave(whole, "tiny").root)
    stayed = {arm: rows for arm, rows in scores.items() if arm != "tiny"}
    first = pooled_seed_spread([rows[:4] for rows in scores.values()])
    last = pooled_seed_spread(list(stayed.values()))
    results, levels = {}, {}
    by_look = one_sided_thresholds(LOOKS, alpha=0.05 / 3)
    for i, j in combinations(scores, 2):
        early = "tiny" in (i, j)
        size, spread = (4, first) if early else (6, last)
        results[i, j] = crossed_test(scores[i][:size], scores[j][:size], paired=True, spread=spread)
        levels[i, j] = by_look[0 if early else 1]
    assert report.best.contenders == compare_with_best(scores, results, pair_level=levels).contenders
    means = {arm.arm: arm.mean for arm in report.arms}
    for one in report.best.contenders:
        own = scores[one.arm][:4].mean() - scores[one.rival][:4].mean()
        assert one.estimate == pytest.approx(own if one.arm == "tiny" else means[one.arm] - means[one.rival])
    (table,) = (table for table in tables.build(report) if table.title == "Which arm may be the best")
    notes = "\n".join(table.notes)
    assert "so a gap may differ from that of the means: tiny 4 seeds; full, lora, other 6 seeds." in notes
    assert "The variation over seeds is pooled over the arms that have the seeds of a pair." in notes
    assert report.frame("best").set_index("arm").n_seeds.to_dict() == {"full": 6, "lora": 6, "tiny": 4, "other": 6}


def test_what_is_spared_is_not_to_run(whole: StudyFolder) -> None:
    report = analyze(leave(whole, "tiny", "other").root)
    assert {arm.arm: dict(arm.statuses) for arm in report.arms if arm.arm in ("full", "tiny")} == {
        "full": {"finished": 6},
        "tiny": {"finished": 4, "spared": 2},
    }
    assert (report.n_done, report.n_trials) == (20, 20)
    frame = report.frame("arms").set_index("arm")
    assert frame.loc["tiny", ["n_finished", "n_spared", "n_not_run"]].tolist() == [4, 2, 0]


def test_a_look_by_another_plan_or_at_other_seeds_spares_nothing(whole: StudyFolder) -> None:
    leave(whole, "tiny")
    path = whole.root / "looks.json"
    (look,) = json.loads(path.read_text())["looks"]
    for change in ({"plan": "another"}, {"seeds": [0, 1, 2, 5]}):
        path.write_text(json.dumps({"format": 1, "looks": [look | change]}))
        tiny = next(arm for arm in analyze(whole.root).arms if arm.arm == "tiny")
        assert dict(tiny.statuses) == {"finished": 4, "not run": 2}


def test_an_arm_that_left_and_was_trained_all_the_same_takes_part(whole: StudyFolder) -> None:
    without = analyze(whole.root)
    look = {"seeds": [0, 1, 2, 3], "left": ["tiny"], "plan": "d", "at": "2026-11-01T11:00:00Z"}
    (whole.root / "looks.json").write_text(json.dumps({"format": 1, "looks": [look]}))
    report = analyze(whole.root)
    assert report.comparisons == without.comparisons


def test_an_arm_that_lost_the_trials_of_its_look_is_waited_for(whole: StudyFolder) -> None:
    leave(whole, "tiny").forget("tiny", 2)
    report = analyze(whole.root)
    assert report.look is not None
    assert (report.look.number, report.look.waiting) == (0, "not run: tiny seed 2")


def test_a_study_that_all_arms_left_is_at_its_last_look(whole: StudyFolder) -> None:
    report = analyze(leave(whole, *ARMS).root)
    assert report.look is not None
    assert (report.look.number, report.look.waiting, report.decision) == (1, "", "stop")


def test_one_that_can_hardly_be_decided_is_given_up_and_says_so(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(3)
    # Alike in most answers, so that the examples leave the gap open and two more seeds change nothing.
    right = (rng.random((1, 300)) < 0.8) ^ (rng.random((6, 300)) < 0.02)
    # As many answers that were right become wrong as the other way round.
    moved = np.zeros((1, 300), dtype=bool)
    moved[0, np.flatnonzero(right[0])[:15]] = moved[0, np.flatnonzero(~right[0])[:15]] = True
    other = right ^ moved
    arms = {"full": right.astype(np.int64), "lora": other.astype(np.int64)}
    folder = write_study(tmp_path / "s", arms, analysis={"looks": LOOKS, "margin": 0.001})
    for arm in arms:
        for seed in (4, 5):
            folder.forget(arm, seed)
    report = analyze(folder.root)
    (one,) = report.comparisons
    assert one.verdict.undecided
    assert one.chance < 0.05
    assert not one.is_open
    assert report.decision == "stop"
    (sentence,) = tables.in_words(report)
    assert "It is given up: as its seeds predict, the last look, at 6 seeds, would decide it with a chance" in sentence
    assert "next look" not in sentence
    assert "Stop: lora against full: a chance below 5% of a decision by the last look." in "\n".join(
        tables.build(report)[0].notes
    )


def test_only_what_is_undecided_before_the_last_look_has_a_chance(whole: StudyFolder) -> None:
    assert all(math.isnan(one.chance) for one in analyze(whole.root).comparisons)
    for arm in ARMS:
        whole.forget(arm, 5)
    chances = {one.treatment: one.chance for one in analyze(whole.root).comparisons}
    assert all(0 <= chance <= 1 for chance in chances.values())
    assert chances["tiny"] > 0.9 > chances["lora"]


def test_what_left_undecided_is_not_open_again_whatever_its_chance_is_now(whole: StudyFolder) -> None:
    report = analyze(leave(whole, "lora").root)
    left = {one.treatment: (one.left, one.verdict.undecided, one.is_open) for one in report.comparisons}
    assert left["lora"] == (True, True, False)
    assert not left["tiny"][0]
    assert "A decision by the last look, at 6 seeds, has a chance of" not in tables.in_words(report)[1]


def test_another_plan_knows_of_nothing_that_left(whole: StudyFolder) -> None:
    leave(whole, "tiny")
    whole.change_manifest(lambda content: content["plan_history"][-1].update(digest="another"))
    report = analyze(whole.root)
    assert report.look is not None
    assert (report.look.number, dict(report.look.left)) == (1, {})
    assert [one.n_seeds for one in report.comparisons] == [(4, 4)] * 3


def test_a_run_that_never_predicts_a_class_later_leaves_the_test_of_the_first_seeds(whole: StudyFolder) -> None:
    leave(whole, "tiny")
    table = {"p_0": [0.1] * 200, "p_1": [0.9] * 200}

    def collapsed(content: Any) -> Any:
        for name, column in table.items():
            place = content.schema.get_field_index(name)
            content = content.set_column(place, content.schema.field(place), [np.asarray(column, dtype=np.float32)])
        return content

    whole.change_predictions("full", 5, collapsed)
    rows = {(one.treatment, one.measure, one.label): one for one in analyze(whole.root).class_comparisons}
    assert rows["tiny", "precision", "negative"].result is not None
    assert rows["lora", "precision", "negative"].result is None
    assert rows["lora", "precision", "negative"].reason == "never predicted: full seed 5"


def test_one_that_could_not_be_asked_is_not_called_decided(tmp_path: Path, write_study: Any, scores: Any) -> None:
    arms = {arm: scores[arm] for arm in ("full", "tiny")}
    folder = write_study(tmp_path / "s", arms, analysis={"looks": LOOKS})
    for arm in arms:
        folder.forget(arm, 4)
    folder.end("tiny", 2, "diverged", "the loss is not finite")
    report = analyze(folder.root)
    assert report.decision == "stop"
    assert "Stop: tiny against full: no verdict." in "\n".join(tables.build(report)[0].notes)
