"""A study that grows, shrinks, or loses an arm: which seeds count, and what is told of what came before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis import tables
from analysis.errors import FormatError, RecordError
from analysis.methods.crossed import crossed_test
from analysis.methods.variance import pooled_seed_spread
from analysis.study.report import StudyReport
from analysis.study.report import analyze as analyze_with

if TYPE_CHECKING:
    from conftest import StudyFolder

ARMS = {"full": 0.88, "lora": 0.70, "tiny": 0.60}


def analyze(root: Path) -> StudyReport:
    return analyze_with(root, resamples=99)


def shorts(report: StudyReport) -> list[str]:
    # The arms of the fixture differ in their seed SDs by chance; tests/analysis/study/test_seed_sds.py is about that.
    return [caveat.short for caveat in report.footer.caveats if caveat.short != "unequal seed SDs"]


def texts(report: StudyReport) -> str:
    return "\n".join(caveat.text for caveat in report.footer.caveats)


def labels(report: StudyReport) -> list[str]:
    return [comparison.verdict.label for comparison in report.comparisons]


@pytest.fixture
def scores(simulated: Any) -> dict[str, Any]:
    made: dict[str, Any] = simulated(np.random.default_rng(3), ARMS, seeds=6, examples=200)
    return made


@pytest.fixture
def folder(tmp_path: Path, write_study: Any, scores: Any) -> StudyFolder:
    made: StudyFolder = write_study(tmp_path / "s", scores)
    return made


def history(folder: StudyFolder, *entries: tuple[list[int], int]) -> StudyFolder:
    noted = [
        {"seeds": seeds, "frozen": f"2026-11-0{at}T08:00:00Z", "trials_finished": finished}
        for at, (seeds, finished) in enumerate(entries, start=1)
    ]
    folder.change_manifest(lambda content: content.update(seed_history=noted))
    return folder


def plans(folder: StudyFolder, *entries: tuple[str, list[str] | None, int]) -> StudyFolder:
    noted = [
        {"digest": digest, "analysis": {}, "frozen": f"2026-11-0{at}T08:00:00Z", "trials_finished": finished}
        | ({"arms": arms} if arms is not None else {})
        for at, (digest, arms, finished) in enumerate(entries, start=1)
    ]
    folder.change_manifest(lambda content: content.update(plan_history=noted))
    return folder


def look(folder: StudyFolder, *looks: tuple[list[int], str]) -> StudyFolder:
    taken = [{"seeds": seeds, "plan": plan, "at": "2026-11-03T08:00:00Z"} for seeds, plan in looks]
    (folder.root / "looks.json").write_text(json.dumps({"format": 1, "looks": taken}))
    return folder


def upto(count: int) -> list[int]:
    return list(range(count))


def test_seeds_that_have_run_in_every_arm_keep_their_verdicts_while_others_run(
    folder: StudyFolder, scores: Any
) -> None:
    folder.forget("tiny", 4)
    for arm in ARMS:
        folder.forget(arm, 5)
    report = analyze(folder.root)
    assert (report.seeds, report.waiting_seeds, report.dropped_seeds) == ((0, 1, 2, 3), (4, 5), ())
    assert labels(report) == ["worse", "worse"]
    assert report.comparisons[0].result == crossed_test(
        scores["lora"][:4],
        scores["full"][:4],
        paired=True,
        spread=pooled_seed_spread([rows[:4] for rows in scores.values()]),
    )
    assert shorts(report) == ["2 seeds of 6 yet to run"]
    note = "Only seeds 0-3 count: seeds 4, 5 wait until every arm has run them."
    assert note in texts(report)
    # A reader of the verdicts reads it there too.
    assert note in tables.build(report)[0].notes


@pytest.mark.parametrize(
    ("status", "policy", "expected"),
    [
        ("interrupted", "refuse", ["worse", "worse"]),
        ("diverged", "refuse", ["no verdict", "worse"]),
        ("failed", "refuse", ["no verdict", "worse"]),
        ("diverged", "drop_seed", ["worse", "worse"]),
    ],
)
def test_a_trial_that_ended_badly_is_not_set_aside_with_its_seed(
    folder: StudyFolder, status: str, policy: str, expected: list[str]
) -> None:
    folder.change_manifest(lambda content: content["analysis"].update(failed_trials=policy))
    folder.end("lora", 5, status, "x")
    folder.forget("tiny", 5)
    report = analyze(folder.root)
    assert (report.seeds, report.waiting_seeds) == ((0, 1, 2, 3, 4), (5,))
    assert labels(report) == expected
    if status != "interrupted":
        assert f"no predictions: {status}: lora seed 5." in texts(report)
    assert [arm for arm, *_ in report.footer.diverged] == (["lora"] if status == "diverged" else [])


def test_an_arm_that_has_not_begun_or_came_later_holds_no_seed_back(folder: StudyFolder) -> None:
    for seed in range(6):
        folder.forget("tiny", seed)
    report = analyze(folder.root)
    assert (report.seeds, report.waiting_seeds, labels(report)) == ((0, 1, 2, 3, 4, 5), (), ["worse", "no verdict"])
    assert report.comparisons[1].verdict.reason.startswith("not run: tiny seed 0")


def test_an_arm_that_joined_after_results_takes_no_verdict_away(folder: StudyFolder) -> None:
    for seed in range(2, 6):
        folder.forget("tiny", seed)
    assert analyze(folder.root).seeds == (0, 1)
    plans(folder, ("d", ["full", "lora"], 0), ("d", ["full", "lora", "tiny"], 12))
    report = analyze(folder.root)
    assert (report.seeds, labels(report)) == ((0, 1, 2, 3, 4, 5), ["worse", "no verdict"])
    assert "plan changed" not in " ".join(shorts(report))


def test_arms_without_a_complete_seed_in_common_say_so(folder: StudyFolder) -> None:
    for seed in range(6):
        folder.forget("full" if seed % 2 else "tiny", seed)
    report = analyze(folder.root)
    assert report.seeds == ()
    assert {comparison.verdict.reason for comparison in report.comparisons} == {"no seed has finished in every arm yet"}
    assert report.taken_look is None
    assert json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        # Nothing had finished: a study may be planned anew.
        ([(upto(2), 0), (upto(6), 0)], []),
        # Trained with three seeds, then with six.
        ([(upto(3), 0), (upto(6), 9)], ["1 undeclared look"]),
        # The file was read once with three seeds in between, and nothing was trained: no further look, nothing left.
        ([(upto(3), 0), (upto(4), 9), (upto(3), 9), (upto(4), 9), (upto(6), 12)], ["2 undeclared looks"]),
        ([(upto(6), 0), (upto(3), 18), (upto(6), 18)], ["1 undeclared look"]),
        # Trained with seed 9, which is no part of the study now.
        ([([*upto(5), 9], 0), (upto(6), 18)], ["seeds removed after trials finished"]),
        # The same, known from what the study holds alone.
        ([([*upto(6), 9], 0)], ["seeds removed after trials finished"]),
    ],
)
def test_growth_is_counted_by_what_was_trained(
    folder: StudyFolder, entries: list[tuple[list[int], int]], told: list[str]
) -> None:
    assert shorts(analyze(history(folder, *entries).root)) == told


def test_a_look_while_seeds_run_counts_once_they_have_run(folder: StudyFolder) -> None:
    for arm in ARMS:
        folder.forget(arm, 4)
        folder.forget(arm, 5)
    growing = analyze(folder.root)
    assert growing.taken_look is not None
    assert growing.taken_look.seeds == (0, 1, 2, 3)
    # The look itself is the only one, however often the same seeds are looked at.
    look(folder, (upto(4), "d"))
    assert shorts(analyze(folder.root)) == ["2 seeds of 6 yet to run"]


def test_looks_that_were_taken_are_counted_and_named(folder: StudyFolder) -> None:
    look(folder, (upto(4), "d"), (upto(3), "d"), (upto(6), "d"))
    report = analyze(folder.root)
    assert shorts(report) == ["2 undeclared looks"]
    assert "with fewer of these seeds (seeds 0-2; seeds 0-3): 2 undeclared looks" in texts(report)
    # Right under the verdicts, and not with the details alone.
    assert any("2 undeclared looks. The p-values do not account" in note for note in tables.build(report)[0].notes)
    # What was trained, and looked at, at the same seeds is one look; a declared one is none.
    history(folder, (upto(4), 0), (upto(6), 12))
    assert shorts(analyze(folder.root)) == ["2 undeclared looks"]
    folder.change_manifest(lambda content: content["analysis"].update(looks=[4, 6]))
    assert shorts(analyze(folder.root)) == ["1 undeclared look"]


def test_two_seeds_are_no_look(tmp_path: Path, write_study: Any, scores: Any) -> None:
    two = {arm: rows[:2] for arm, rows in scores.items()}
    assert analyze(write_study(tmp_path / "two", two).root).taken_look is None


def test_a_plan_that_nobody_looked_by_and_that_is_gone_changed_nothing(folder: StudyFolder) -> None:
    arms = list(ARMS)
    plans(folder, ("d", arms, 0), ("e", arms, 18), ("d", arms, 18))
    assert shorts(analyze(folder.root)) == []
    look(folder, (upto(6), "e"))
    assert shorts(analyze(folder.root)) == ["plan changed after trials finished"]
    plans(folder, ("d", arms, 0), ("e", arms, 18))
    (folder.root / "looks.json").unlink()
    assert shorts(analyze(folder.root)) == ["plan changed after trials finished"]


def test_an_arm_taken_away_after_results_is_told(folder: StudyFolder) -> None:
    plans(folder, ("d", [*ARMS, "lora-r2", "lora-r4"], 0), ("d", list(ARMS), 18))
    report = analyze(folder.root)
    assert shorts(report) == ["2 arms removed after trials finished"]
    assert "Arms left the study after trials had finished (lora-r2 after 18 trials, lora-r4 after 18 trials)" in texts(
        report
    )
    plans(folder, ("d", [*ARMS, "lora-r2"], 0), ("d", list(ARMS), 0))
    assert shorts(analyze(folder.root)) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 1, "looks": [{"seeds": "x", "plan": "d"}]}'])
def test_a_file_of_looks_that_cannot_be_read_is_no_file_without_looks(folder: StudyFolder, text: str) -> None:
    (folder.root / "looks.json").write_text(text)
    with pytest.raises(RecordError, match=r"looks\.json"):
        analyze(folder.root)


def test_looks_of_a_newer_format_are_refused_by_name(folder: StudyFolder) -> None:
    (folder.root / "looks.json").write_text('{"format": 9, "looks": []}')
    with pytest.raises(FormatError, match="format 9"):
        analyze(folder.root)
