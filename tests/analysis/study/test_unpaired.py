"""Studies whose runs are not paired by seed: design B everywhere, and arms with unequal numbers of runs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from scipy import special, stats

from analysis import tables
from analysis.errors import AlignmentError, PlanError
from analysis.methods.arm_scores import ArmScores
from analysis.methods.bootstrap import bootstrap_study
from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.label_permutation import label_permutation
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.with_the_best import compare_with_best
from analysis.metrics.confusion_metrics import confusion_metric
from analysis.metrics.consistency import churn
from analysis.metrics.influence import confusion_scores
from analysis.power.new_study import PlannedTest
from analysis.power.planning import plan_comparison
from analysis.power.settling import settle
from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.study.analysis_block import check_plan, frozen_plan, parse_plan
from analysis.study.comparison_tests import run_tests
from analysis.study.comparisons import correct
from analysis.study.frames import FRAMES
from analysis.study.power import StatedFigures, study_power
from analysis.study.report import StudyReport, analyze, report_on
from analysis.study.seeds import seeds_in_use

if TYPE_CHECKING:
    from conftest import StudyFolder

Write = Callable[..., "StudyFolder"]
RUNS = {"full": 5, "lora": 8, "head": 4}


@pytest.fixture
def right(simulated: Callable[..., Any], rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    most = simulated(rng, {"full": 0.88, "lora": 0.86, "head": 0.70}, seeds=8, examples=400, seed_sd=0.012)
    return {arm: most[arm][:n] for arm, n in RUNS.items()}


def unpaired(folder: StudyFolder) -> StudyFolder:
    folder.change_manifest(lambda content: content.update(format=2, paired=False))
    return folder


@pytest.fixture
def folder(tmp_path: Path, write_study: Write, right: dict[str, Any]) -> StudyFolder:
    return unpaired(write_study(tmp_path / "study", right, analysis={"margin": 0.02}))


@pytest.fixture
def report(folder: StudyFolder) -> StudyReport:
    return analyze(folder.root, resamples=199)


def test_every_answer_is_that_of_the_methods_called_on_the_arrays(
    report: StudyReport, right: dict[str, NDArray[np.int64]]
) -> None:
    y = {arm: rows.astype(float) for arm, rows in right.items()}
    pairs = [("lora", "full"), ("head", "full")]
    # Right and wrong as the report holds them: as floating numbers they give the same but for the last digits.
    marks = {arm: rows == 1 for arm, rows in right.items()}
    resampled = bootstrap_study(
        marks, pairs, paired=False, rng=np.random.default_rng(0), resamples=199, confidence=0.95
    )
    raw = []
    for one, (treatment, baseline) in zip(report.comparisons, pairs, strict=True):
        result = crossed_test(y[treatment], y[baseline], paired=False)
        same = tost(result.estimate, result.standard_error, result.df, margin=0.02)
        assert (one.treatment, one.baseline) == (treatment, baseline)
        assert one.result == result
        assert (result.design, result.paired, result.n_arms) == ("B", False, 2)
        assert one.n_seeds == result.n_seeds == (RUNS[treatment], RUNS["full"])
        assert one.equivalence == same
        assert one.label_permutation == label_permutation(
            right[treatment].sum(axis=1), right[baseline].sum(axis=1), n_examples=400
        )
        assert one.bootstrap == resampled[treatment, baseline]
        # What needs pairs is not there.
        assert (one.seeds, one.mcnemar, one.sign_flip, one.outperforming, one.unlike) == ((), (), None, None, "")
        raw.append((result.p_value, same.p_value))
    adjusted = joint_step_down(*zip(*raw, strict=True))
    assert tuple(one.difference_p for one in report.comparisons) == adjusted.difference
    assert tuple(one.equivalence_p for one in report.comparisons) == adjusted.equivalence
    assert [one.verdict.label for one in report.comparisons] == ["undecided", "worse"]
    assert [one.verdict_interval for one in report.comparisons] == [
        one.result.interval(1 - 0.05 / 2) if one.result else None for one in report.comparisons
    ]
    for one, counted in zip(report.churns, pairs, strict=True):
        assert one == churn(*(predicted(right[arm]) for arm in counted), paired=False)


def predicted(right: NDArray[np.int64]) -> NDArray[np.int64]:
    labels = np.arange(right.shape[1]) % 2
    return np.where(right == 1, labels, 1 - labels)


def test_the_best_arm_rests_on_every_pair_by_design_b(report: StudyReport, right: dict[str, NDArray[np.int64]]) -> None:
    y = {arm: rows.astype(float) for arm, rows in right.items()}
    results = {(i, j): crossed_test(y[i], y[j], paired=False) for i, j in combinations(y, 2)}
    found = compare_with_best(y, results, alpha=0.05)
    assert report.best.contenders == found.contenders
    assert (report.best.in_play, report.best.n_arms) == (found.may_be_best, 2)
    assert report.best.ruled_out


def test_classes_are_compared_by_design_b(report: StudyReport, right: dict[str, NDArray[np.int64]]) -> None:
    labels = np.arange(400) % 2
    rows = {(row.treatment, row.label, row.measure): row for row in report.class_comparisons}
    assert len(rows) == 8
    for treatment in ("lora", "head"):
        members = labels == 1
        recall = crossed_test(right[treatment][:, members], right["full"][:, members], paired=False)
        assert rows[treatment, "positive", "recall"].result == recall
        of_class = confusion_metric("precision:1", n_classes=2)
        said = [confusion_scores(of_class, labels, predicted(right[arm])) for arm in (treatment, "full")]
        precision = rows[treatment, "positive", "precision"]
        assert precision.result == crossed_test(*said, paired=False)
        assert (precision.seeds, precision.n_seeds) == ((), (RUNS[treatment], 5))


def test_more_runs_are_planned_by_the_test_that_they_get(report: StudyReport) -> None:
    open_one = report.comparisons[0]
    assert open_one.result is not None
    expected = settle(
        open_one.result, gap=open_one.estimate, alpha=0.025, test=PlannedTest(paired=False, lead=RUNS["lora"] - 5)
    )
    assert open_one.settling_gap == expected
    assert expected.seeds_needed is not None
    (table,) = (table for table in tables.build(report) if table.title == "What would decide the rest")
    cell = dict(zip(table.headers, table.rows[0], strict=True))["More runs per arm"]
    assert cell.startswith(f"{expected.seeds_needed - 5} (")
    # Eight runs of both arms more, at the seconds that each took.
    (frame,) = (report.frame(name) for name in FRAMES if name == "deciding")
    seconds = {cost.arm: cost.further_trial_seconds for cost in report.costs}
    assert frame["more_seconds"][0] == pytest.approx((expected.seeds_needed - 5) * (seconds["lora"] + seconds["full"]))


def test_shares_of_the_uncertainty_count_every_arms_own_runs(report: StudyReport) -> None:
    for one in report.comparisons:
        assert one.result is not None
        parts, (S_t, S_b) = one.result.components, one.result.n_seeds
        assert parts.by_arm is not None
        (seed_t, rest_t), (seed_b, rest_b) = parts.by_arm
        seeds = seed_t / S_t + seed_b / S_b
        rest = (rest_t / S_t + rest_b / S_b) / 400
        # Where no part was cut off at 0 they add up to the squared standard error.
        if parts.example > 0 and min(seed_t, seed_b) > 0:
            assert seeds + rest + parts.example / 400 == pytest.approx(one.result.standard_error**2, rel=1e-9)
        total = seeds + rest + parts.example / 400
        assert one.result.shares == pytest.approx((seeds / total, parts.example / 400 / total, rest / total))


def test_tables_say_how_many_runs_each_arm_has_and_that_nothing_is_pooled(report: StudyReport) -> None:
    verdicts = tables.build(report)[0]
    assert [row[4:] for row in verdicts.rows] == [
        ("8 + 5 × 400", "crossed t, unpaired", "seeds and examples"),
        ("4 + 5 × 400", "crossed t, unpaired", "seeds and examples"),
    ]
    said = " ".join(verdicts.notes)
    assert (
        "The runs are not paired by seed, so nothing is pooled, and those of two arms are taken as independent" in said
    )
    assert "same seeds are judged more sharply" in said
    assert "the paired design" not in said
    # Of all arms the smallest has shown least about collapses.
    assert "4 trials of an arm without a collapse still allow a collapse rate of up to 53%" in said
    by_title = {table.title: table for table in tables.build(report)}
    tests = by_title["All tests"]
    assert [(row[0], row[5]) for row in tests.rows[:4]] == [
        ("lora against full", name)
        for name in ("crossed t, unpaired", "equivalence at 2 pp", "multi-bootstrap", "label permutation")
    ]
    assert len(tests.rows) == 8
    assert "no McNemar test for each seed" in " ".join(tests.notes)
    assert [row[-3] for row in by_title["Which arm may be the best"].rows] == ["4 to 8 × 400"] * 3
    assert "3 arms and 4 to 8 seeds in each" in " ".join(by_title["Where the uncertainty comes from"].notes)
    assert "seed variance by pair of arms" in dict(by_title["Provenance and caveats"].rows)["plan"]


def test_every_form_of_the_report_can_be_printed(report: StudyReport) -> None:
    assert "8 + 5 × 400" in tables.markdown(report)
    assert r"8 + 5 $\times$ 400" in tables.latex(report).replace("{}", "") or "8 + 5" in tables.latex(report)
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    for part in tables.terminal(report):
        console.print(part)
    assert "crossed t, unpaired" in stream.getvalue()
    content = json.loads(json.dumps(report.to_json()))
    assert content["paired"] is False
    first = content["comparisons"][0]
    assert (first["seeds"], first["n_seeds"], first["sign_flip"]) == ([], [8, 5], None)
    assert first["label_permutation"]["p_value"] == pytest.approx(report.comparisons[0].label_permutation.p_value)  # type: ignore[union-attr]
    for name in FRAMES:
        report.frame(name)
    verdicts = report.frame("verdicts")
    assert verdicts[["n_seeds_treatment", "n_seeds_baseline"]].values.tolist() == [[8, 5], [4, 5]]
    assert report.frame("best")["n_seeds"].tolist() == [5, 8, 4]


def test_equal_numbers_stand_once_and_are_judged_as_few_pairs_are(
    tmp_path: Path, write_study: Write, right: dict[str, NDArray[np.int64]]
) -> None:
    equal = {arm: rows[:4] for arm, rows in right.items()}
    apart = analyze(unpaired(write_study(tmp_path / "apart", equal)).root, resamples=99)
    by_pair = analyze(write_study(tmp_path / "pairs", equal, analysis={"variance": "pairwise"}).root, resamples=99)
    for ours, theirs in zip(apart.comparisons, by_pair.comparisons, strict=True):
        assert ours.result is not None
        assert theirs.result is not None
        assert (ours.result.p_value, ours.difference_p) == (theirs.result.p_value, theirs.difference_p)
        assert ours.verdict_interval == theirs.verdict_interval
    assert tables.build(apart)[0].rows[0][4:6] == ("4 × 400", "crossed t, unpaired")
    assert tables.build(by_pair)[0].rows[0][4:6] == ("4 × 400", "crossed t, independent seeds")


def test_a_run_that_failed_leaves_its_arm_alone_without_a_verdict(folder: StudyFolder) -> None:
    folder.end("lora", 7, "diverged", "loss is nan")
    report = analyze(folder.root, resamples=99)
    lora, head = report.comparisons
    assert (lora.verdict.label, lora.verdict.reason) == ("no verdict", "diverged: lora seed 7")
    assert head.verdict.label == "worse"
    notes = " ".join(tables.build(report)[0].notes)
    assert "declare failed_trials: drop_seed" in notes
    assert tables.build(report)[0].rows[0][4:] == ("8 + 5 × 400", "none", "–")


def test_each_arm_keeps_its_other_runs_where_the_plan_drops_seeds(
    folder: StudyFolder, right: dict[str, NDArray[np.int64]]
) -> None:
    folder.end("lora", 2, "diverged", "loss is nan")
    folder.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    report = analyze(folder.root, resamples=99)
    (lora, _), (arm,) = report.comparisons, [arm for arm in report.arms if arm.arm == "lora"]
    assert lora.result == crossed_test(np.delete(right["lora"], 2, axis=0), right["full"], paired=False)
    assert (lora.n_seeds, arm.seeds) == ((7, 5), (0, 1, 3, 4, 5, 6, 7))
    assert report.dropped_seeds == ()
    (caveat,) = (caveat for caveat in report.footer.caveats if "diverged" in caveat.short)
    assert caveat.text == (
        "1 of 17 trials has no predictions: diverged: lora seed 2. As the plan declares (failed_trials: drop_seed), "
        "each arm keeps its other runs."
    )
    for seed in range(4):
        folder.end("head", seed, "failed", "out of memory")
    assert analyze(folder.root, resamples=99).comparisons[1].verdict.reason == "no run of head has finished"


def test_looks_are_refused(folder: StudyFolder) -> None:
    folder.change_manifest(lambda content: content["analysis"].update(looks=[4, 8]))
    message = "not paired by seed are analysed once"
    with pytest.raises(PlanError, match=message):
        analyze(folder.root, resamples=99)
    options: dict[str, Any] = {"arms": ["full", "lora"]}
    (problem,) = check_plan({"looks": [4, 8]}, None, paired=False, **options)
    assert problem.path == ("analysis", "looks")
    assert message in problem.message
    assert "leave looks out, or give every arm the same seeds" in problem.message
    assert check_plan({"looks": [4, 8]}, None, **options) == []
    assert check_plan({"variance": "pooled", "failed_trials": "drop_seed"}, None, paired=False, **options) == []


def test_an_arm_needs_a_run_and_pairs_need_every_seed(
    tmp_path: Path, write_study: Write, right: dict[str, Any], folder: StudyFolder
) -> None:
    with pytest.raises(AlignmentError, match="every arm with every seed; full lacks seed 5, 6, 7; head lacks seed 4, "):
        load(write_study(tmp_path / "pairs", right).root)
    folder.change_manifest(
        lambda content: content.update(cells=[cell for cell in content["cells"] if cell["arm"] != "head"])
    )
    with pytest.raises(AlignmentError, match="every arm with a run or more; head lacks seed 0, 1, 2, "):
        load(folder.root)


def test_test_sets_and_other_metrics_are_judged_by_design_b(
    tmp_path: Path, write_study: Write, right: dict[str, NDArray[np.int64]]
) -> None:
    study = unpaired(write_study(tmp_path / "sets", right, analysis={"metric": "log_loss", "margin": 0.05}))
    entries = [{"name": "validation", "n_test": 250}, {"name": "other", "n_test": 150}]
    study.change_manifest(lambda content: content["data"].update(sets=entries))
    report = analyze(study.root, resamples=99)
    outcomes = load(study.root)
    for one, entry in zip(outcomes.by_set(), report.sets, strict=True):
        losses = {arm: one.scores(arm, metric="log_loss") for arm in one.arms}
        assert [len(rows) for rows in losses.values()] == list(RUNS.values())
        for pair in entry.comparisons:
            assert pair.result == crossed_test(losses[pair.treatment], losses[pair.baseline], paired=False)
            means = [losses[arm].mean(axis=1) for arm in (pair.treatment, pair.baseline)]
            assert pair.label_permutation == label_permutation(*means)
            assert pair.mcnemar == ()
    by_title = {table.title: table for table in tables.build(report)}
    assert {row[-2] for row in by_title["Verdicts by test set"].rows} == {"crossed t, unpaired"}
    assert [(row[0], row[-3]) for row in by_title["Log loss by arm and test set"].rows[::2]] == [
        ("full", "5 × 250"),
        ("lora", "8 × 250"),
        ("head", "4 × 250"),
    ]
    assert report.set_counts[1].worse >= 1


def test_clusters_are_counted(tmp_path: Path, write_study: Write, right: dict[str, NDArray[np.int64]]) -> None:
    study = unpaired(write_study(tmp_path / "clusters", right))
    outcomes = load(study.root)
    groups = tuple(f"group {i // 4}" for i in range(400))
    manifest = outcomes.manifest.model_copy(
        update={"data": outcomes.manifest.data.model_copy(update={"cluster": "group"})}
    )
    grouped = replace(outcomes, clusters=groups, manifest=manifest)
    found = report_on(grouped, resamples=99)
    means = {arm: rows.reshape(len(rows), 100, 4).mean(axis=2) for arm, rows in right.items()}
    for one in found.comparisons:
        expected = crossed_test(means[one.treatment], means[one.baseline], paired=False)
        assert one.result is not None
        assert one.result.p_value == pytest.approx(expected.p_value, rel=1e-9)
    assert tables.build(found)[0].rows[0][4] == "8 + 5 × 400 in 100 clusters"


def test_training_times_of_runs_that_are_not_pairs_are_not_compared(report: StudyReport) -> None:
    assert all(math.isnan(one.ratio) for one in report.time_ratios)
    assert {one.reason for one in report.time_ratios} == {"the runs are not paired by seed"}


def test_the_gain_of_choosing_the_epoch_on_test_is_paired_within_a_run(
    tmp_path: Path, write_study: Write, right: dict[str, NDArray[np.int64]]
) -> None:
    by_epoch = {arm: np.stack([rows, np.roll(rows, 7, axis=1)], axis=1) for arm, rows in right.items()}
    report = analyze(unpaired(write_study(tmp_path / "epochs", by_epoch)).root, resamples=99)
    assert [(lift.arm, lift.n_seeds) for lift in report.selection_lifts] == list(RUNS.items())
    gap = report.selected_gaps[0]
    assert gap.last == pytest.approx(by_epoch["lora"][:, -1].mean() - by_epoch["full"][:, -1].mean())
    assert gap.n_seeds == 5


def test_looks_with_fewer_runs_of_any_arm_are_counted(folder: StudyFolder) -> None:
    taken = analyze(folder.root, resamples=99).taken_look
    assert taken is not None
    assert taken.to_json() == {"seeds": list(range(8)), "runs": RUNS, "plan": "d"}
    # The same runs, fewer of one arm, too few for a verdict, and another arm in the place of one.
    numbers = [RUNS, RUNS | {"full": 3}, {"full": 2, "lora": 3, "head": 1}, {"full": 4, "lora": 9}]
    looks = [{"seeds": [0], "runs": runs, "plan": "d", "at": "2026-11-02T10:00:00Z"} for runs in numbers]
    (folder.root / "looks.json").write_text(json.dumps({"format": 1, "looks": looks}))
    (caveat,) = analyze(folder.root, resamples=99).footer.caveats
    assert caveat.text == (
        "The results were looked at, or could have been, with fewer runs (3 of full, 8 of lora, 4 of head): 1 "
        "undeclared look. The p-values do not account for this."
    )
    # Four runs of each arm were there before the others came.
    entries = [(range(4), 0), (range(8), 12)]
    history = [
        {"seeds": list(seeds), "frozen": "2026-11-01T09:59:00Z", "trials_finished": count} for seeds, count in entries
    ]
    folder.change_manifest(lambda content: content.update(seed_history=history))
    (caveat,) = analyze(folder.root, resamples=99).footer.caveats
    assert "(3 of full, 8 of lora, 4 of head; 4 of full, 4 of lora, 4 of head): 2 undeclared looks" in caveat.text


def test_runs_without_pairs_are_a_pilot_for_more_of_them(folder: StudyFolder) -> None:
    outcomes = load(folder.root)
    plan = frozen_plan(outcomes.manifest, arms=outcomes.arms)
    options: dict[str, Any] = {
        "arms": outcomes.arms,
        "n_seeds": 10,
        "n_examples": None,
        "stated": StatedFigures(),
        "folder": outcomes,
    }
    power = study_power(plan, **options)
    assert power is not None
    assert power.pilot_seeds == 4
    for (name, planned), one in zip(power.plans, analyze(folder.root, resamples=99).comparisons, strict=True):
        assert one.result is not None
        expected = plan_comparison(
            one.result.components,
            n_seeds=10,
            n_examples=400,
            margin=0.02,
            alpha=0.025,
            test=PlannedTest(paired=False),
            seconds_per_pair=planned.hours * 3600 / 10,
        )
        assert (name, planned) == (one.name, expected)
    # A study whose seeds are pairs takes nothing from them.
    assert study_power(parse_plan({"margin": 0.02}, arms=outcomes.arms), **options) is None


def null_study(outcomes: Outcomes, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Draw runs of arms that are equally good: of each arm's own answers, and of a strong effect of the seed."""
    n = outcomes.n_examples
    ease = rng.standard_normal(n) * math.sqrt(0.88)
    threshold = special.ndtri(0.88)
    drawn = {}
    for arm in outcomes.arms:
        S = len(outcomes.seeds_of(arm))
        score = ease + math.sqrt(0.06) * (rng.standard_normal(n) + rng.standard_normal((S, n)))
        drawn[arm] = (score + 0.09 * rng.standard_normal((S, 1)) < threshold).astype(np.int64)
    return drawn


def test_studies_without_a_gap_make_false_claims_no_more_often_than_alpha(folder: StudyFolder) -> None:
    """Three arms with 5, 8 and 4 runs, two comparisons, both questions: any false claim counts."""
    outcomes = load(folder.root)
    manifest = outcomes.manifest.model_copy(update={"analysis": {"margin": 1e-9}})
    outcomes = replace(outcomes, manifest=manifest)
    plan = frozen_plan(manifest, arms=outcomes.arms)
    seeds, rng = seeds_in_use(outcomes, plan), np.random.default_rng(3)
    studies, single, family = 400, 0, 0
    for _ in range(studies):
        right: Mapping[str, NDArray[Any]] = {arm: rows == 1 for arm, rows in null_study(outcomes, rng).items()}
        scores = {arm: ArmScores(rows) for arm, rows in right.items()}
        tests = [
            run_tests(outcomes, plan, pair, scores=scores, right=right, seeds=seeds, rng=rng)
            for pair in plan.all_comparisons(outcomes.arms)
        ]
        single += tests[0].sequential.difference <= plan.alpha
        family += any(min(both) < plan.alpha for both in correct(plan, [one.sequential for one in tests]))
    most = stats.binom.ppf(1 - 1e-4, studies, plan.alpha)
    assert 0 < single <= most
    assert 0 < family <= most
