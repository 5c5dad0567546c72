from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.errors import PlanError
from analysis.methods.crossed import crossed_test
from analysis.methods.mcnemar import mcnemar
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.variance import pooled_seed_spread
from analysis.records.loading import load
from analysis.study.report import StudyReport, analyze
from analysis.tables.verdicts import verdict_table

if TYPE_CHECKING:
    from conftest import StudyFolder


def labels(report: StudyReport) -> dict[str, str]:
    return {comparison.name: comparison.verdict.label for comparison in report.comparisons}


def shorts(report: StudyReport) -> list[str]:
    # The arms of the fixture differ in their seed SDs by chance; tests/analysis/study/test_seed_sds.py is about that.
    return [caveat.short for caveat in report.footer.caveats if caveat.short != "unequal seed SDs"]


def caveats(report: StudyReport) -> str:
    return "\n".join(caveat.text for caveat in report.footer.caveats)


def test_known_truths_get_their_verdicts(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    rng = np.random.default_rng(3)
    truth = {"full": 0.88, "worse": 0.75, "better": 0.95, "same": 0.88}
    scores = simulated(rng, truth, seeds=8, examples=900, seed_sd=0.004)
    # With every seed, four right answers turned wrong and four wrong ones turned right.
    scores["same"] = scores["full"].copy()
    for row in scores["same"]:
        turned = [rng.choice(np.flatnonzero(row == answer), size=4, replace=False) for answer in (0, 1)]
        row[np.concatenate(turned)] ^= 1
    report = analyze(write_study(tmp_path / "s", scores, analysis={"margin": 0.02}).root)
    assert labels(report) == {
        "worse against full": "worse",
        "better against full": "better",
        "same against full": "equivalent",
    }
    # The plan never compares "same" with "better"; the set does.
    assert report.best.in_play == ("better",)
    assert report.best.ruled_out == ("full", "worse", "same")


def test_equal_arms_are_undecided_and_not_called_the_same(study: StudyFolder) -> None:
    report = analyze(study.root)
    assert labels(report) == {"lora-r2 against full": "worse", "lora-r8 against full": "undecided"}
    undecided = report.comparisons[1]
    assert undecided.settling_margin is not None
    assert undecided.settling_margin.seeds_needed is not None
    assert undecided.settling_margin.seeds_needed > 6


def test_figures_are_those_of_the_methods(study: StudyFolder) -> None:
    study.change_manifest(
        lambda content: content["analysis"].update(
            comparisons=[{"treatment": "lora-r8", "baseline": "lora-r2"}], alpha=0.1
        )
    )
    report = analyze(study.root)
    scores = {arm: load(study.root).scores(arm) for arm in ("full", "lora-r2", "lora-r8")}
    pairs = [("lora-r2", "full"), ("lora-r8", "full"), ("lora-r8", "lora-r2")]
    spread = pooled_seed_spread(list(scores.values()))
    direct = [crossed_test(scores[result], scores[other], paired=True, spread=spread) for result, other in pairs]
    assert {one.n_arms for one in direct} == {3}
    assert [result.result for result in report.comparisons] == direct
    assert [result.interval for result in report.comparisons] == [result.interval(0.9) for result in direct]
    assert [result.family_interval for result in report.comparisons] == [
        result.interval(1 - 0.1 / 3) for result in direct
    ]
    adjusted = joint_step_down(
        [result.p_value for result in direct],
        [result.equivalence.p_value for result in report.comparisons if result.equivalence],
    )
    assert tuple(result.difference_p for result in report.comparisons) == adjusted.difference
    assert tuple(result.equivalence_p for result in report.comparisons) == adjusted.equivalence
    assert report.comparisons[0].mcnemar[2] == mcnemar(scores["lora-r2"][2], scores["full"][2])
    assert len(report.comparisons[0].mcnemar) == 6
    assert report.arms[1].values == tuple(scores["lora-r2"].mean(axis=1))
    assert report.arms[1].sd == pytest.approx(scores["lora-r2"].mean(axis=1).std(ddof=1))


def test_classes_are_means_over_seeds(study: StudyFolder) -> None:
    scores = load(study.root).scores("lora-r2")
    positive = next(
        scores for scores in analyze(study.root).classes if (scores.arm, scores.label) == ("lora-r2", "positive")
    )
    truth = np.arange(400) % 2 == 1
    right = scores == 1
    recall = right[:, truth].mean(axis=1)
    predicted = np.where(right, truth, ~truth)
    precision = (right & predicted).sum(axis=1) / predicted.sum(axis=1)
    assert positive.recall == pytest.approx(recall.mean())
    assert positive.precision == pytest.approx(precision.mean())
    assert (positive.n_class_examples, positive.n_defined) == (200, (6, 6, 6))


def test_a_class_that_one_seed_never_predicts_is_left_out_of_that_mean(tmp_path: Path, write_study: Any) -> None:
    scores = np.ones((3, 8), dtype=int)
    scores[1, 1::2] = 0
    folder = write_study(tmp_path / "s", {"full": np.ones((3, 8), dtype=int), "lora": scores})
    positive = next(
        scores for scores in analyze(folder.root).classes if (scores.arm, scores.label) == ("lora", "positive")
    )
    assert positive.n_defined == (2, 3, 3)
    assert positive.precision == 1.0
    assert positive.recall == pytest.approx(2 / 3)
    assert positive.reason == "never predicted with seed 1"


def test_a_diverged_trial_refuses_the_verdicts_of_its_arm_and_no_other(study: StudyFolder) -> None:
    study.end("lora-r8", 2, "diverged", "loss is not finite")
    report = analyze(study.root)
    assert labels(report) == {"lora-r2 against full": "worse", "lora-r8 against full": "no verdict"}
    assert report.comparisons[1].verdict.reason == "diverged: lora-r8 seed 2"
    assert report.comparisons[1].result is None
    assert report.arms[2].statuses == {"finished": 5, "diverged": 1}
    assert report.arms[2].seeds == (0, 1, 3, 4, 5)
    assert "diverged: lora-r8 seed 2" in caveats(report)


def test_a_comparison_without_a_verdict_still_counts_in_the_correction(study: StudyFolder) -> None:
    before = analyze(study.root).comparisons[0]
    study.end("lora-r8", 2, "diverged", "x")
    after = analyze(study.root).comparisons[0]
    assert after.family_confidence == before.family_confidence == pytest.approx(0.975)
    assert before.result is not None
    assert after.result is not None
    for one in (before, after):
        assert one.difference_p == pytest.approx(2 * one.result.p_value)  # type: ignore[union-attr]
    # The arm that did not finish with every seed is not pooled either.
    assert (before.result.n_arms, after.result.n_arms) == (3, 2)
    assert after.result.p_value == before.result.pairwise_p_value


def test_drop_seed_takes_the_seed_from_every_arm(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    study.end("lora-r8", 2, "diverged", "x")
    study.end("full", 5, "failed", "x")
    report = analyze(study.root)
    assert report.seeds == (0, 1, 3, 4)
    assert report.dropped_seeds == (2, 5)
    assert labels(report) == {"lora-r2 against full": "worse", "lora-r8 against full": "undecided"}
    assert all(arm.seeds == (0, 1, 3, 4) for arm in report.arms)
    assert all(cost.n_seeds == 4 for cost in report.costs)
    assert all(ratio.n_seeds == 4 for ratio in report.time_ratios)
    assert "seeds 2, 5 left every arm" in caveats(report)
    assert report.footer.diverged == (("lora-r8", 1, 6, pytest.approx(0.5818, abs=1e-4)),)


def test_a_trial_that_has_yet_to_run_is_no_failed_one(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    study.end("lora-r8", 2, "diverged", "x")
    study.forget("full", 5)
    study.end("lora-r2", 4, "interrupted", "x")
    report = analyze(study.root)
    assert (report.seeds, report.dropped_seeds, report.waiting_seeds) == ((0, 1, 3), (2,), (4, 5))
    assert set(labels(report).values()) == {"worse", "undecided"}


def test_one_seed_gives_figures_and_no_verdict(tmp_path: Path, simulated: Any, write_study: Any, rng: Any) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.5}, seeds=1, examples=300)
    report = analyze(write_study(tmp_path / "s", scores).root)
    comparison = report.comparisons[0]
    assert comparison.verdict.label == "no verdict"
    assert "one seed" in comparison.verdict.reason
    assert comparison.estimate < -0.2
    assert len(comparison.mcnemar) == 1
    assert math.isnan(report.arms[0].sd)
    assert report.arms[0].reason == "one seed has no SD"


def test_two_seeds_are_undecided(tmp_path: Path, simulated: Any, write_study: Any, rng: Any) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.5}, seeds=2, examples=300)
    comparison = analyze(write_study(tmp_path / "s", scores).root).comparisons[0]
    assert comparison.verdict.label == "undecided"
    assert comparison.interval[1] < 0


def test_a_study_that_never_ran_has_a_report_without_figures(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    report = analyze(study.root)
    assert set(labels(report).values()) == {"no verdict"}
    assert report.best.in_play == report.best.contenders == ()
    assert all(math.isnan(arm.mean) for arm in report.arms)
    assert "18 not run" in report.footer.caveats[0].short
    assert json.dumps(report.to_json(), allow_nan=False)


def test_with_every_seed_dropped_nothing_is_decided(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    for seed in range(6):
        study.end("full", seed, "failed", "x")
    report = analyze(study.root)
    assert {comparison.verdict.reason for comparison in report.comparisons} == {"no seed has finished in every arm"}
    assert math.isnan(report.footer.collapse_rate)


def test_selection_on_test_is_shown_apart_and_decides_nothing(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    rng = np.random.default_rng(8)
    by_epoch = [simulated(rng, {"full": 0.8, "lora": 0.8}, seeds=5, examples=300) for _ in range(4)]
    scores = {arm: np.stack([epoch[arm] for epoch in by_epoch], axis=1) for arm in ("full", "lora")}
    picked = {"rule": "best", "metric": "accuracy", "on": "test"}
    on_test = analyze(write_study(tmp_path / "a", scores, selection=picked).root)
    last = analyze(write_study(tmp_path / "b", scores).root)
    assert [comparison.result for comparison in on_test.comparisons] == [
        comparison.result for comparison in last.comparisons
    ]
    assert [lift.published for lift in last.selection_lifts] == [False, False]
    for lift in on_test.selection_lifts:
        assert lift.published
        accuracies = scores[lift.arm].mean(axis=-1)
        assert lift.best == pytest.approx(accuracies.max(axis=1).mean())
        assert lift.last == pytest.approx(accuracies[:, -1].mean())
        assert lift.lift == pytest.approx(lift.best - lift.last)
        assert lift.lift > 0
    assert "picks its epoch on the test split (every arm)" in caveats(on_test)


def test_the_footer_names_what_is_mixed(study: StudyFolder) -> None:
    assert shorts(analyze(study.root)) == []
    study.change_record("full", 0, lambda c: c["provenance"]["versions"].update(torch="2.12.0"))
    study.change_record("full", 1, lambda c: c.update(engine="packed"))
    study.change_record("full", 2, lambda c: c["device"].update(name="other"))
    study.change_record("full", 3, lambda c: c["provenance"].update(dirty=True))
    study.change_record("full", 4, lambda c: c["provenance"].update(commit=None))
    text = caveats(analyze(study.root))
    assert "differ in torch: 2.13.0 (17 trials), 2.12.0 (1 trial)." in text
    assert "differ in engine: trainer (17 trials), packed (1 trial)." in text
    assert "differ in device" in text
    assert "differ in code" in text
    assert "outside a checkout (1 trial)" in text
    assert "1 of 18 trials ran on code with uncommitted changes." in text


def threads(folder: StudyFolder, arm: str, by_seed: Sequence[int]) -> None:
    for seed, count in enumerate(by_seed):
        folder.change_record(arm, seed, lambda content, count=count: content["device"].update(threads=count))


def test_arms_with_unlike_threads_are_told_in_every_row_that_rests_on_them(study: StudyFolder) -> None:
    threads(study, "full", [1] * 6)
    threads(study, "lora-r2", [2] * 6)
    threads(study, "lora-r8", [1, 1, 1, 1, 2, 2])
    report = analyze(study.root)
    caveat = "threads 1 (6 trials) and 2 (6 trials)"
    assert [ratio.reason for ratio in report.time_ratios[:1]] == [
        f"the trials ran under different conditions: {caveat}"
    ]
    assert math.isnan(report.time_ratios[0].ratio)
    assert [comparison.unlike for comparison in report.comparisons] == [
        "threads (2 against 1, in 6 of 6 pairs)",
        "threads (2 against 1, in 2 of 6 pairs)",
    ]
    assert "differ in threads: 1 (10 trials), 2 (8 trials)." in caveats(report)
    by_title = {table.title: " ".join(table.notes) for table in tables.build(report)}
    unlike = "lora-r2 against full: its trials differ not only by arm but also in threads (2 against 1"
    assert unlike in by_title["Verdicts"]
    mixed = "Times of lora-r8 are means over different conditions: threads 1 (4 trials) and 2 (2 trials)."
    assert mixed in by_title["Cost"]
    assert f"Time of lora-r2 against full: the trials ran under different conditions: {caveat}." in by_title["Cost"]
    assert mixed in by_title["What would decide the rest"]


def test_an_arm_of_another_engine_is_compared_without_a_word_about_machines(study: StudyFolder) -> None:
    for seed in range(6):
        study.change_record("lora-r2", seed, lambda content: content.update(engine="packed"))
    assert all(comparison.unlike == "" for comparison in analyze(study.root).comparisons)


@pytest.mark.parametrize(
    ("data", "batches", "short"),
    [
        ({"padding_side": "left", "padding": "longest"}, [64, 64, 64], ["left padding"]),
        (
            {"padding_side": "left", "padding": "longest"},
            [1, 64, 64],
            ["left padding with mixed evaluation batch sizes"],
        ),
        ({"padding_side": "left", "padding": "max_length"}, [1, 64, 64], []),
        ({"padding_side": "right", "padding": "longest"}, [1, 64, 64], []),
        ("nonsense", [1, 64, 64], []),
    ],
)
def test_scores_that_depend_on_the_batch_are_a_caveat(
    study: StudyFolder, data: object, batches: list[int], short: list[str]
) -> None:
    study.change_manifest(lambda content: content["study"].update(data=data))
    study.change_manifest(
        lambda content: [
            arm["training"].update(per_device_eval_batch_size=size)
            for arm, size in zip(content["arms"].values(), batches, strict=True)
        ]
    )
    report = analyze(study.root)
    assert shorts(report) == short
    if len(set(batches)) > 1 and short:
        assert "1 in full; 64 in lora-r2, lora-r8" in report.footer.caveats[0].text


def entry(trials: int, **more: object) -> dict[str, object]:
    return {"frozen": "2026-11-02T08:00:00Z", "trials_finished": trials, **more}


def test_a_plan_changed_late_is_told_and_one_changed_early_is_not(study: StudyFolder) -> None:
    study.change_manifest(lambda c: c["plan_history"].append(entry(0, digest="e", analysis={})))
    assert shorts(analyze(study.root)) == []
    study.change_manifest(lambda c: c["plan_history"].append(entry(7, digest="f", analysis={})))
    assert "changed after trials had finished (2026-11-02T08:00:00Z, after 7" in caveats(analyze(study.root))


def test_exchanged_seeds_are_told_even_where_looks_are_declared(study: StudyFolder) -> None:
    study.change_manifest(lambda c: c["analysis"].update(looks=[4, 6]))
    study.change_manifest(lambda c: c["seed_history"].__setitem__(0, entry(0, seeds=[10, 11, 12, 13])))
    study.change_manifest(lambda c: c["seed_history"].append(entry(12, seeds=list(range(6)))))
    assert "Seeds left the study after trials had finished (10, 11, 12, 13 after 12 trials)" in caveats(
        analyze(study.root)
    )


def test_deviations_other_records_and_what_was_set_aside_are_told(study: StudyFolder) -> None:
    study.change_manifest(lambda c: c.update(deviations=["the head was not seeded"]))
    (study.root / "trials" / "old").mkdir()
    (study.root / "trials" / "old" / "record.json").write_text("{}")
    (study.root / "set_aside").mkdir()
    (study.root / "set_aside" / "0101abc").mkdir()
    record = study.trial("full", 0) / "record.json"
    record.write_text(record.read_text()[:50])
    text = caveats(analyze(study.root))
    assert "Declared deviation: the head was not seeded" in text
    assert "1 other record from other versions" in text
    assert "could not be read: 0101abc." in text
    assert "full seed 0 could not be read: trials/0000abc/record.json cannot be read" in text


def test_what_was_said_of_the_data_is_told(study: StudyFolder) -> None:
    caveat = "3 of 40 test texts are in the training split too: a model may have memorised them"
    study.change_manifest(lambda c: c["data"].update(remarks=[caveat]))
    report = analyze(study.root)
    assert f"About the data: {caveat}." in caveats(report)
    assert "test texts that recur" in [caveat.short for caveat in report.footer.caveats]
    assert f"About the data: {caveat}." in verdict_table(report, "").notes


def test_the_report_is_json_with_null_for_nan_and_the_reason_kept(study: StudyFolder) -> None:
    study.end("lora-r8", 2, "diverged", "x")
    report = analyze(study.root)
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert plain == report.to_json()
    assert plain["comparisons"][1]["interval"] == [None, None]
    assert plain["comparisons"][1]["verdict"] == {"label": "no verdict", "reason": "diverged: lora-r8 seed 2"}
    assert plain["comparisons"][0]["result"]["p_value"] == report.comparisons[0].result.p_value  # type: ignore[union-attr]
    assert plain["plan"]["margin"] == 0.01
    assert plain["n_examples"] == 400


def test_a_manifest_with_a_faulty_plan_or_claim_is_refused(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(baseline="ful"))
    with pytest.raises(PlanError, match="did you mean 'full'"):
        analyze(study.root)
    study.change_manifest(lambda content: content.update(analysis={}, claims=[{"source": "x"}]))
    with pytest.raises(PlanError, match=r"claims\[0\]\.accuracy"):
        analyze(study.root)


def test_a_study_of_one_arm_compares_nothing(tmp_path: Path, simulated: Any, write_study: Any, rng: Any) -> None:
    scores = simulated(rng, {"full": 0.9}, seeds=3, examples=50)
    report = analyze(write_study(tmp_path / "s", scores).root)
    assert report.comparisons == ()
    assert report.best.in_play == ()


def test_the_verdict_follows_the_corrected_p_value(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    rng = np.random.default_rng(12)
    scores = simulated(rng, {"full": 0.88, "lora": 0.85, "other": 0.88}, seeds=6, examples=400)
    raw = analyze(write_study(tmp_path / "a", scores).root).comparisons[0].result
    assert raw is not None
    assert raw.p_value < 0.2
    between = analyze(write_study(tmp_path / "b", scores, analysis={"alpha": 1.5 * raw.p_value}).root)
    above = analyze(write_study(tmp_path / "c", scores, analysis={"alpha": 2.1 * raw.p_value}).root)
    assert between.comparisons[0].difference_p == pytest.approx(2 * raw.p_value)
    assert not between.comparisons[0].verdict.differs
    assert above.comparisons[0].verdict.label == "worse"


def test_a_margin_below_one_example_is_told(study: StudyFolder) -> None:
    assert "below the resolution" not in caveats(analyze(study.root))
    study.change_manifest(lambda content: content["analysis"].update(margin=0.002))
    report = analyze(study.root)
    assert "The margin of 0.002 is smaller than one of 400 test examples (0.0025)" in caveats(report)
    assert any(caveat.short == "margin below the resolution" for caveat in report.footer.caveats)


def test_two_seeds_and_a_tiny_alpha_break_no_report(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    scores = simulated(np.random.default_rng(1), {"full": 0.9, "lora": 0.5}, seeds=2, examples=100)
    folder = write_study(tmp_path / "s", scores, analysis={"alpha": 1e-12})
    folder.change_record("lora", 0, lambda content: content["seconds"].update(training=1000.0))
    report = analyze(folder.root)
    assert report.time_ratios[0].interval[1] == math.inf
    assert "no limit" in tables.markdown(report)
    assert json.dumps(report.to_json(), allow_nan=False)


def test_a_reason_that_holds_everywhere_is_told_once(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    accuracies = {f"arm{number}": 0.8 for number in range(6)}
    report = analyze(
        write_study(tmp_path / "s", simulated(np.random.default_rng(1), accuracies, seeds=2, examples=80)).root
    )
    # Besides the sentences, one for each comparison.
    assert tables.markdown(report).count("a verdict needs 3") == len(report.comparisons) + 2
    assert "Everywhere: 2 seeds give an interval; a verdict needs 3." in tables.markdown(report)


def test_the_plan_says_whether_the_variation_over_seeds_is_pooled(study: StudyFolder) -> None:
    pooled = analyze(study.root)
    study.change_manifest(lambda content: content["analysis"].update(variance="pairwise"))
    pairwise = analyze(study.root)
    # A version that knew pairs alone noted no variance with the plan that it froze.
    study.change_manifest(lambda content: content["plan_history"][-1].pop("variance"))
    study.change_manifest(lambda content: content["analysis"].pop("variance"))
    older = analyze(study.root)
    assert [report.plan.variance for report in (pooled, pairwise, older)] == ["pooled", "pairwise", None]
    scores = {arm: load(study.root).scores(arm) for arm in ("full", "lora-r2", "lora-r8")}
    for at, arm in enumerate(("lora-r2", "lora-r8")):
        pair = (scores[arm], scores["full"])
        assert pooled.comparisons[at].result == crossed_test(
            *pair, paired=True, spread=pooled_seed_spread(list(scores.values()))
        )
        assert pairwise.comparisons[at].result == crossed_test(*pair, paired=True)
        assert older.comparisons[at].result == crossed_test(*pair, paired=True, before_pooling=True)
    # A folder without a history of plans was written by hand, and takes the default.
    study.change_manifest(lambda content: content.pop("plan_history"))
    assert analyze(study.root).plan.variance == "pooled"
