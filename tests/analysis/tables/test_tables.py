"""The tables of a report: what each says, and what stands under it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.methods.interval import Interval
from analysis.study.report import analyze
from analysis.tables import digits
from analysis.tables.table import N_TEST_POPULATION, Column, Table

if TYPE_CHECKING:
    from conftest import StudyFolder


def titled(report: Any, title: str) -> Table:
    (table,) = (table for table in tables.build(report) if table.title == title)
    return table


def test_the_verdict_table_comes_first_and_reads_as_an_answer(study: StudyFolder) -> None:
    first = tables.build(analyze(study.root))[0]
    assert first.title == "Verdicts"
    assert first.headers == ("Comparison", "Gap", "97.5% interval", "Verdict", *N_TEST_POPULATION)
    rows = {row[0]: row for row in first.rows}
    worse = rows["lora-r2 against full"]
    assert re.fullmatch(r"-1\d\.\d pp", worse[1])
    assert re.fullmatch(r"\[-\d\d\.\d, -\d\d\.\d\]", worse[2])
    assert worse[3] == "worse; not equivalent at 1 pp"
    assert worse[4:] == ("6 × 400", "crossed t, pooled over 3 arms", "seeds and examples")
    assert rows["lora-r8 against full"][3] == "undecided"
    assert any("Best arm: with 95% confidence it is one of full" in note for note in first.notes)
    assert any("still allow a collapse rate of up to 39%" in note for note in first.notes)


def test_every_table_of_results_names_n_test_and_population_in_every_row(study: StudyFolder) -> None:
    study.change_manifest(
        lambda content: content.update(selection={"rule": "best", "metric": "accuracy", "on": "test"})
    )
    study.change_manifest(lambda content: [arm.update(selection=None) for arm in content["arms"].values()])
    claim = {"source": "x", "model": "embedded/tiny", "n": 400, "accuracy": {"full": "0.9", "lora-r2": "0.8"}}
    study.change_manifest(lambda content: content.update(claims=[claim]))
    built = tables.build(analyze(study.root))
    assert [table.title for table in built] == [
        "Verdicts",
        "Accuracy by arm",
        "Cost",
        "What would decide the rest",
        "Published claims",
        "Precision, recall and F1 by class",
        "Precision and recall by class, compared",
        "All tests",
        "Intervals and probabilities",
        "Which arm may be the best",
        "Where the uncertainty comes from",
        "Which gaps can be found",
        "Agreement of the seeds",
        "Provenance and caveats",
    ]
    for table in built[:-1]:
        assert table.headers[-3:] == N_TEST_POPULATION
        assert table.rows
        for row in table.rows:
            assert re.fullmatch(r"\d+ × \d+", row[-3]), row
            assert row[-2]
            assert row[-1] in ("seeds and examples", "seeds", "examples", "these trials")
        assert "Caveats: selection on test; unequal seed SDs." in table.footer


def test_what_would_decide_names_seeds_range_examples_and_time(study: StudyFolder) -> None:
    report = analyze(study.root)
    table = titled(report, "What would decide the rest")
    row = next(row for row in table.rows if row[1] == "a gap of 1 pp, the margin")
    assert row[0] == "lora-r8 against full"
    assert re.fullmatch(r"(over )?\d+( \((over )?\d+ to ((over )?\d+|never)\))?", row[2])
    assert re.fullmatch(
        r"about [\d,]+( \([\d,]+ to ([\d,]+|never)\))?|never enough|no number \([\d,]+ at best\)", row[3]
    )
    settling = report.comparisons[1].settling_margin
    assert settling is not None
    assert settling.seeds_needed is not None
    # A trial with seed s took 10 + s seconds and one to score, so a pair of runs takes 27 on average; six are there.
    assert row[2].startswith(f"{settling.seeds_needed}")
    assert row[4] == digits.time_taken((settling.seeds_needed - 6) * 27.0)


def test_how_often_what_would_decide_does_is_said_once_in_every_form(study: StudyFolder) -> None:
    report = analyze(study.root)
    said = "So many show it in 80% of studies (the power), at alpha / 2 = 0.025"
    assert titled(report, "What would decide the rest").notes[0].startswith(said)
    for text in (tables.markdown(report), tables.latex(report).replace("\\%", "%")):
        assert text.count("So many show it in 80% of studies (the power)") == 1


def test_a_gap_below_the_margin_is_told_what_equivalence_takes(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(margin=0.02))
    report = analyze(study.root)
    pair = report.comparisons[1]
    assert abs(pair.estimate) < report.plan.margin
    settling = pair.settling_equivalence
    assert settling is not None
    assert (settling.gap, settling.margin) == (pair.estimate, 0.02)
    row = next(row for row in titled(report, "What would decide the rest").rows if row[1].startswith("equivalence"))
    gap = digits.points(abs(pair.estimate), standard_error=pair.result.standard_error, signed=False)  # type: ignore[union-attr]
    assert row[1] == f"equivalence at {gap}, as observed"
    assert settling.seeds_needed is not None
    assert row[2].startswith(str(settling.seeds_needed))
    # A gap as large as the margin does not lie within it.
    assert report.comparisons[0].settling_equivalence is None


@pytest.mark.parametrize(
    ("needed", "limits", "seeds", "examples"),
    [
        (12, (8, 40), "12 (8 to 40)", "about 12 (8 to 40)"),
        (12, (8, None), "12 (8 to never)", "about 12 (8 to never)"),
        (6, (3, 12), "enough: 6 (3 to 12)", "about 6 (3 to 12)"),
        (None, (9, None), "no number (9 at best)", "no number (9 at best)"),
        (None, (None, None), "never enough", "never enough"),
        (12, (12, 12), "12", "about 12"),
    ],
)
def test_what_it_takes_has_its_range(
    study: StudyFolder, needed: int | None, limits: tuple[int | None, int | None], seeds: str, examples: str
) -> None:
    report = analyze(study.root)
    pair = report.comparisons[1]
    assert pair.settling_margin is not None
    settling = dataclasses.replace(
        pair.settling_margin,
        seeds_needed=needed,
        seeds_needed_range=limits,
        examples_needed=needed,
        examples_needed_range=limits,
    )
    changed = dataclasses.replace(pair, settling_margin=settling)
    report = dataclasses.replace(report, comparisons=(report.comparisons[0], changed))
    row = next(row for row in titled(report, "What would decide the rest").rows if row[1].endswith("the margin"))
    assert row[2:4] == (seeds, examples)


def test_a_component_that_was_cut_off_at_zero_is_shown_as_a_range(study: StudyFolder) -> None:
    report = analyze(study.root)
    pair = report.comparisons[1]
    assert pair.settling_margin is not None
    assert pair.result is not None
    components = dataclasses.replace(pair.result.components, seed=0.0, seed_sd_interval=Interval(0.0, 0.012))
    changed = dataclasses.replace(
        pair,
        result=dataclasses.replace(pair.result, components=components, standard_error=0.005),
        settling_margin=dataclasses.replace(pair.settling_margin, floor_gap=0.0, floor_gap_range=Interval(0.0, 0.0061)),
    )
    cut_off = dataclasses.replace(report, comparisons=(report.comparisons[0], changed))
    assert titled(cut_off, "Where the uncertainty comes from").rows[1][1] == "0.00 to 1.20 pp"
    assert titled(cut_off, "Which gaps can be found").rows[1][2] == "0.00 to 0.61 pp"
    floor = pair.settling_margin.floor_gap
    assert floor > 0
    text = titled(report, "Which gaps can be found").rows[1][2]
    assert re.fullmatch(r"\d\.\d+ pp \(\d\.\d+ to \d\.\d+\)", text)


def test_a_refused_comparison_says_why_in_its_table(study: StudyFolder) -> None:
    study.end("lora-r8", 2, "diverged", "x")
    first = tables.build(analyze(study.root))[0]
    row = next(row for row in first.rows if row[0] == "lora-r8 against full")
    assert row[1:4] == ("–", "–", "no verdict")
    assert any(note == "lora-r8 against full: diverged: lora-r8 seed 2." for note in first.notes)
    assert any("failed_trials: drop_seed" in note for note in first.notes)
    assert "Caveats: 1 diverged." in first.footer


def test_a_dropped_seed_stands_under_every_table(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    study.end("lora-r8", 2, "diverged", "x")
    built = tables.build(analyze(study.root))
    assert all("seed 2 left out" in table.footer for table in built[:-1])
    assert all(row[-3] == "5 × 400" for row in built[0].rows)


def test_cost_stands_beside_quality(study: StudyFolder) -> None:
    for seed in range(6):
        study.change_record("lora-r2", seed, lambda c, s=seed: c["seconds"].update(training=0.65 * (10 + s)))
    cost = next(table for table in tables.build(analyze(study.root)) if table.title == "Cost")
    rows = {row[0]: dict(zip(cost.headers, row, strict=True)) for row in cost.rows}
    assert rows["full"]["Time ratio"] == "1"
    assert rows["full"]["Accuracy against full"] == "baseline"
    assert rows["lora-r2"]["Time ratio"] == "0.65 [0.65, 0.65]"
    assert rows["lora-r2"]["Share"] == "0.80%"
    assert rows["lora-r2"]["Peak memory"] == "286 MiB"
    assert rows["lora-r2"]["Accuracy against full"].endswith("worse; not equivalent at 1 pp")
    assert rows["lora-r2"]["Speaks about"] == "seeds"
    assert cost.notes[0] == "Training time: mean over trials (shortest to longest)."
    assert cost.notes[1] == (
        "Time ratio: training time relative to full, geometric mean over seeds with its 95% interval; it holds for new "
        "seeds on this machine."
    )


def test_two_arms_have_no_family_of_one(tmp_path: Path, write_study: Any, rng: np.random.Generator) -> None:
    right = {arm: (rng.random((6, 200)) < 0.9).astype(np.int64) for arm in ("full", "lora")}
    built = tables.build(analyze(write_study(tmp_path, right).root, resamples=99))
    assert not any("alpha / 1" in note or "all 1" in note for table in built for note in table.notes)
    assert not any("all 1" in header for table in built for header in table.headers)


def test_times_that_cannot_be_compared_say_so(study: StudyFolder) -> None:
    study.change_record("full", 0, lambda content: content["seconds"].update(timing="three at a time"))
    cost = next(table for table in tables.build(analyze(study.root)) if table.title == "Cost")
    assert [row[2] for row in cost.rows] == ["1", "–", "–"]
    assert any("shared their device" in note for note in cost.notes)
    assert "Timing: three at a time." in cost.notes
    alone = "mean over solo trials, which had their device to themselves (shortest to longest)."
    assert cost.notes[0] == f"Training time: {alone}"
    assert "Solo trials: 5 of 6 in full." in cost.notes


ALL = [(arm, seed) for arm in ("full", "lora-r2", "lora-r8") for seed in range(6)]


def packed(study: StudyFolder, trials: list[tuple[str, int]] = ALL) -> StudyFolder:
    for arm, seed in trials:
        study.pack(arm, seed, 4 if arm == "full" else 12)
    return study


def cells_of(table: Table, *columns: str) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[table.headers.index(column)] for column in columns) for row in table.rows}


def test_the_cost_of_arms_trained_in_packs_says_that_it_has_no_times_and_how_to_get_them(study: StudyFolder) -> None:
    cost = titled(analyze(packed(study).root), "Cost")
    assert set(cells_of(cost, "Training time", "Peak memory").values()) == {("not measured", "not measured")}
    assert cells_of(cost, "Time ratio", "Test", "Speaks about") == {
        "full": ("1", "none", "these trials"),
        "lora-r2": ("–", "none", "these trials"),
        "lora-r8": ("–", "none", "these trials"),
    }
    assert cost.notes == (
        "Training time and peak memory: not measured: trials in packs of 4 to 12 have no figures of their own. To "
        "measure them: harness time hand_made.",
        "Accuracy: gap and verdict as in the table of verdicts.",
        "Time of lora-r2, lora-r8 against full: 12 of 12 trials were trained in packs of 4 to 12 and have no time of "
        "their own.",
    )


def test_times_of_some_solo_trials_say_how_many_they_are(study: StudyFolder) -> None:
    some = [("lora-r2", seed) for seed in range(2, 6)] + [("lora-r8", seed) for seed in range(6)]
    report = analyze(packed(study, some).root)
    cost = titled(report, "Cost")
    assert cells_of(cost, "Training time", "Peak memory", "Seeds × examples") == {
        "full": ("12.5 s (10.0 to 15.0)", "286 MiB", "6 × 400"),
        "lora-r2": ("10.5 s (10.0 to 11.0)", "286 MiB", "6 × 400"),
        "lora-r8": ("not measured", "not measured", "6 × 400"),
    }
    assert "Solo trials: 2 of 6 in lora-r2." in cost.notes
    assert "Peak memory: resident set." in cost.notes
    assert not any("share of one" in note or "of a pack" in note for note in cost.notes)
    assert any(note.startswith("Time of lora-r2 against full: 4 of 12 trials were trained in") for note in cost.notes)
    study.pack("lora-r8", 0, 1)
    study.change_record("lora-r8", 0, lambda content: content["seconds"].update(timing="solo"))
    cost = titled(analyze(study.root), "Cost")
    assert "Solo trials: 2 of 6 in lora-r2; 1 of 6 in lora-r8." in cost.notes
    # Every arm has a time: nothing is to be measured.
    assert not any("harness time" in note for note in cost.notes)


TIMED = {"full": [0.10, 0.11, 0.12, 0.10], "lora-r2": [0.05, 0.056, 0.06, 0.051], "lora-r8": [0.1, 0.1, 0.13, 0.11]}


def test_arms_in_packs_show_what_was_timed_in_turns_and_how(study: StudyFolder) -> None:
    packed(study).time(TIMED)
    cost = titled(analyze(study.root), "Cost")
    # 100 steps; a t interval on log seconds. The baseline is one side of every ratio.
    assert cells_of(cost, "Training time", "Time ratio", "Peak memory") == {
        "full": ("10.7 s (9.3 to 12.3)", "1", "259 MiB"),
        "lora-r2": ("5.4 s (4.7 to 6.2)", "0.50 [0.50, 0.51]", "259 MiB"),
        "lora-r8": ("10.9 s (9.0 to 13.3)", "1.02 [0.89, 1.17]", "259 MiB"),
    }
    assert set(cells_of(cost, "Test", "Speaks about").values()) == {
        ("paired t on log seconds", "repeats on this machine")
    }
    assert cost.notes[:3] == (
        "Training time: CPU time of one thread, scaled up to a whole trial from a few steps and batches of each arm "
        "alone, by the reference engine; geometric mean over 4 turns (95% interval). Peak memory: the largest of a "
        "turn.",
        "Time ratio: training time relative to full, paired turn by turn, geometric mean over 4 turns with its 95% "
        "interval; it holds for repeats, not for new seeds, on this machine.",
        "Accuracy: gap and verdict as in the table of verdicts.",
    )
    assert not any("pack" in note for note in cost.notes)


def test_trials_that_were_all_alone_win_over_turns(study: StudyFolder) -> None:
    before = titled(analyze(study.root), "Cost")
    study.time(TIMED)
    assert titled(analyze(study.root), "Cost") == before
    # One trial of a pack, and all arms are read from the same turns: never one from trials and one from turns.
    study.pack("full", 0, 4)
    report = analyze(study.root)
    assert {cost.measured for cost in report.costs} == {ratio.measured for ratio in report.time_ratios} == {"turns"}


def test_an_arm_that_could_not_be_timed_says_why(study: StudyFolder) -> None:
    packed(study).time(TIMED)
    content = json.loads((study.root / "timing.json").read_text())
    content["arms"]["lora-r2"] = {"key": study.keys["lora-r2", 0], "reason": "RuntimeError: no"}
    (study.root / "timing.json").write_text(json.dumps(content))
    cost = titled(analyze(study.root), "Cost")
    assert cells_of(cost, "Training time", "Time ratio")["lora-r2"] == ("not measured", "–")
    assert "Time of lora-r2 against full: lora-r2 could not be timed: RuntimeError: no." in cost.notes
    assert any(note.startswith("Training time of full, lora-r8: CPU time") for note in cost.notes)
    # harness time would fail again.
    assert (
        "Training time and peak memory of lora-r2: not measured: it could not be timed: RuntimeError: no." in cost.notes
    )
    assert not any("To measure them" in note for note in cost.notes)


def test_where_every_trial_is_solo_nobody_reads_of_packs(study: StudyFolder) -> None:
    for table in tables.build(analyze(study.root)):
        assert not any("solo" in note or "pack" in note for note in table.notes)


def test_more_time_in_packs_is_priced_by_their_shares_and_says_so(study: StudyFolder) -> None:
    report = analyze(packed(study).root)
    table = titled(report, "What would decide the rest")
    row = next(row for row in table.rows if row[1] == "a gap of 1 pp, the margin")
    settling = report.comparisons[1].settling_margin
    assert settling is not None
    assert settling.seeds_needed is not None
    # 10 + s seconds, and one to score, of a pack of 4 and of one of 12.
    assert row[4] == digits.time_taken((settling.seeds_needed - 6) * (13.5 / 4 + 13.5 / 12))
    assert any("trials in packs of 4 to 12 counted with their share of the pack." in note for note in table.notes)
    assert not any("one at a time" in note for note in table.notes)


def test_mixed_engines_stand_under_every_table_and_sizes_of_packs_do_not(study: StudyFolder) -> None:
    report = analyze(packed(study).root)
    assert [caveat.short for caveat in report.footer.caveats] == ["unequal seed SDs"]
    assert all("; packed; " in table.footer for table in tables.build(report)[:-1])
    study.change_record("full", 0, lambda content: content.update(engine="trainer", pack_size=1))
    report = analyze(study.root)
    assert all("; packed and trainer; " in table.footer for table in tables.build(report)[:-1])
    assert all("Caveats: mixed engine; unequal seed SDs." in table.footer for table in tables.build(report)[:-1])
    caveat, _ = report.footer.caveats
    assert caveat.text == "The trials differ in engine: packed (17 trials), trainer (1 trial)."


def test_mixed_devices_stand_under_every_table_and_the_names_of_alike_nodes_do_not(study: StudyFolder) -> None:
    before = analyze(study.root).footer.caveats
    study.change_record("full", 0, lambda content: content["provenance"].update(node="node-2"))
    assert analyze(study.root).footer.caveats == before
    study.change_record("full", 0, lambda content: content["device"].update(type="cuda", name="A100"))
    report = analyze(study.root)
    assert all("mixed device" in table.footer for table in tables.build(report)[:-1])


def test_what_single_seeds_show_is_no_vote(study: StudyFolder) -> None:
    report = analyze(study.root)
    table = titled(report, "All tests")
    for pair, row in zip(
        report.comparisons, (row for row in table.rows if row[-2] == "McNemar, each seed"), strict=True
    ):
        p, gaps = [test.p_exact for test in pair.mcnemar], [test.estimate for test in pair.mcnemar]
        assert row[1] in (f"{digits.p_value(min(p))} to {digits.p_value(max(p))}", digits.p_value(min(p)))
        assert row[3] == f"gap {digits.points(min(gaps))} to {digits.points(max(gaps))}"
    assert not any(re.search(r"\d of \d+ seeds", cell) for row in table.rows for cell in row)


POOLED, PAIRED, INDEPENDENT = "crossed t, pooled over 3 arms", "crossed t, paired seeds", "crossed t, independent seeds"
TWO_ALONE = "crossed t, two arms alone"


@pytest.mark.parametrize(
    ("arms", "seeds", "variance", "first", "beside"),
    [
        (2, 3, "pooled", INDEPENDENT, [(PAIRED, "the other design")]),
        (2, 8, "pooled", PAIRED, [(INDEPENDENT, "the other design")]),
        (3, 3, "pooled", POOLED, [(TWO_ALONE, "as independent seeds")]),
        (3, 8, "pooled", POOLED, [(TWO_ALONE, "as paired seeds"), (INDEPENDENT, "the other design")]),
        (3, 3, "pairwise", INDEPENDENT, [(PAIRED, "the other design")]),
        (3, 4, None, PAIRED, [(INDEPENDENT, "the other design")]),
    ],
)
def test_the_test_says_what_it_does_with_the_seeds(
    tmp_path: Path,
    simulated: Any,
    write_study: Any,
    rng: np.random.Generator,
    arms: int,
    seeds: int,
    variance: str | None,
    first: str,
    beside: list[tuple[str, str]],
) -> None:
    accuracies = dict(zip(("full", "lora", "frozen")[:arms], (0.9, 0.7, 0.8), strict=False))
    folder = write_study(
        tmp_path / "s",
        simulated(rng, accuracies, seeds=seeds, examples=100),
        analysis={"variance": variance} if variance else {},
    )
    if variance is None:
        folder.change_manifest(lambda content: [entry.pop("variance") for entry in content["plan_history"]])
    report = analyze(folder.root, resamples=20)
    built = {table.title: table for table in tables.build(report)}
    pair, result = report.comparisons[0], report.comparisons[0].result
    assert result is not None
    assert built["Verdicts"].rows[0][-2] == first
    assert any("as if their seeds were independent" in note for note in built["Verdicts"].notes) == (
        first == INDEPENDENT
    )
    rows = [row for row in built["All tests"].rows if row[0] == pair.name and row[-2].startswith("crossed t")]
    assert [(row[-2], row[3]) for row in rows[1:]] == beside
    shown = [row[1] for row in rows[1:]]
    expected = [result.pairwise_p_value] if beside[0][0] == TWO_ALONE else []
    expected += [result.other_p_value] if "other" in beside[-1][1] else []
    assert shown == [digits.p_value(p) for p in expected]
    assert not any("unpaired" in text for t in built.values() for row in t.rows for text in (*row, *t.notes))
    plan = dict(built["Provenance and caveats"].rows)["plan"]
    rule = {
        "pooled": "pooled over the study's arms",
        "pairwise": "by pair",
        None: "by pair, as an earlier version froze the plan",
    }[variance]
    assert plan.endswith(f"seed variance {rule}")
    notes = [note for note in built["Verdicts"].notes if note.startswith("Seed variance: ")]
    assert len(notes) == (arms == 3)
    if first == POOLED:
        assert "pooled over 3 arms" in notes[0]
    elif notes:
        assert notes == [f"Seed variance: {rule}."]


@pytest.mark.parametrize(("seeds", "looks", "warned"), [(4, [], True), (6, [4, 6], True), (4, [4, 8], False)])
def test_whoever_may_add_seeds_is_told_that_this_is_a_look(
    tmp_path: Path,
    simulated: Any,
    write_study: Any,
    rng: np.random.Generator,
    seeds: int,
    looks: list[int],
    warned: bool,
) -> None:
    runs = simulated(rng, {"full": 0.8, "lora": 0.8}, seeds=seeds, examples=100)
    folder = write_study(tmp_path / "s", runs, analysis={"looks": looks} if looks else {})
    report = analyze(folder.root, resamples=20)
    assert report.comparisons[0].verdict.undecided
    notes = tables.build(report)[0].notes
    assert any("Seeds added because of this report would make a further look" in note for note in notes) == warned


def test_one_run_of_each_arm_is_told_of_the_test_of_two_models(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    runs = simulated(rng, {"full": 0.9, "lora": 0.7}, seeds=1, examples=100)
    verdicts = tables.build(analyze(write_study(tmp_path / "s", runs).root, resamples=20))[0]
    assert verdicts.rows[0][3] == "no verdict"
    assert "lora against full: one seed says nothing about a training procedure." in verdicts.notes
    assert any("McNemar's test in --details" in note for note in verdicts.notes)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"t: expected columns of one length, got a: 1, b: 0"):
        Table(title="t", columns=(Column("a", ["x"]), Column("b", [])), notes=(), footer="")


def test_a_study_of_one_arm_has_tables_without_comparisons(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    report = analyze(write_study(tmp_path / "s", simulated(rng, {"full": 0.9}, seeds=3, examples=50)).root)
    assert [table.title for table in tables.build(report)][:2] == ["Accuracy by arm", "Cost"]
    assert "Accuracy by arm" in tables.markdown(report)


def test_undecided_without_a_recorded_time_leaves_the_cost_open(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.change_record(arm, seed, lambda content: content.update(seconds=None))
    table = titled(analyze(study.root), "What would decide the rest")
    assert {row[4] for row in table.rows} == {"–"}
