"""A run that goes from look to look, and ends when nothing is open or when its budget is spent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest

from harness import run_study
from harness.cli.ending import ending, kept_work
from harness.errors import HarnessError
from harness.runs.budget import Budget, parse_budget
from harness.runs.looks import LookByLook
from harness.runs.preview import preview
from harness.runs.run import RunSummary
from harness.runs.status import read_status
from harness.study.loading import load_study
from harness.study.study import Study

Tiny = Callable[..., Study]
Command = Callable[..., tuple[int, str, str]]
ARMS = ("full", "lora-r2", "lora-r4")


def trained(folder: Path) -> dict[str, list[int]]:
    records = [json.loads(path.read_text()) for path in folder.glob("trials/*/record.json")]
    return {arm: sorted(one["seed"] for one in records if one["arm"] == arm) for arm in ARMS}


@pytest.fixture
def tiny(tiny: Tiny) -> Tiny:
    """The tiny study, whose trials are the models before training: how many of them run is asked here."""
    return lambda *overrides: tiny("training.num_train_epochs=0", *overrides)


def looking(answers: Mapping[int, Collection[str]], asked: list[int]) -> LookByLook:
    def still_open(size: int, leads: bool) -> Collection[str]:
        asked.append(size)
        return answers[size]

    return LookByLook(sizes=(1, 2, 3), still_open=still_open)


def test_arms_that_left_are_trained_no_further_and_what_they_spare_is_counted(tmp_path: Path, tiny: Tiny) -> None:
    asked: list[int] = []
    looks = looking({1: ["full", "lora-r4"], 2: []}, asked)
    summary = run_study(tiny("seeds=3"), tmp_path, looks=looks)
    assert asked == [1, 2]
    assert trained(tmp_path / "tiny") == {"full": [0, 1], "lora-r2": [0], "lora-r4": [0, 1]}
    assert (summary.statuses, summary.spared, summary.ran, summary.complete) == ({"finished": 5}, 4, 5, True)


def test_the_same_command_again_takes_the_same_way_and_trains_nothing(tmp_path: Path, tiny: Tiny) -> None:
    answers = {1: ["full", "lora-r4"], 2: []}
    run_study(tiny("seeds=3"), tmp_path, looks=looking(answers, []))
    asked: list[int] = []
    again = run_study(tiny("seeds=3"), tmp_path, looks=looking(answers, asked))
    assert (asked, again.ran, again.spared, again.complete) == ([1, 2], 0, 4, True)


def test_a_budget_of_trials_ends_it_before_the_next_look_and_it_goes_on(tmp_path: Path, tiny: Tiny) -> None:
    asked: list[int] = []
    answers = {1: ARMS, 2: ["full", "lora-r2"], 3: []}
    some = run_study(tiny("seeds=3"), tmp_path, looks=looking(answers, asked), budget=Budget(text="4trials", trials=4))
    assert (some.ran, some.spared, some.stopped_by, asked) == (4, 0, "--budget 4trials", [1])
    assert some.statuses == {"finished": 4, "missing": 5}
    rest = run_study(tiny("seeds=3"), tmp_path, looks=looking(answers, asked))
    assert (rest.ran, rest.spared, rest.complete) == (4, 1, True)
    assert trained(tmp_path / "tiny") == {"full": [0, 1, 2], "lora-r2": [0, 1, 2], "lora-r4": [0, 1]}


def noting(folder: Path, left: Mapping[int, tuple[str, ...]]) -> LookByLook:
    """Note looks as a run until decided does, after each of which these arms have left."""

    def still_open(size: int, leads: bool) -> Collection[str]:
        plan = json.loads((folder / "study.json").read_text())["plan_history"][-1]["digest"]
        seeds, now = list(range(size)), "2026-12-01T00:00:00+00:00"
        noted = {"format": 1, "looks": [{"seeds": seeds, "left": left[size], "plan": plan, "at": now}]}
        (folder / "looks.json").write_text(json.dumps(noted))
        return [arm for arm in ARMS if arm not in left[size]]

    return LookByLook(sizes=(4, 5, 6), still_open=still_open)


def test_what_a_look_has_spared_is_not_missing(tmp_path: Path, tiny: Tiny) -> None:
    def looked(looks: str, *overrides: str) -> Study:
        return tiny("seeds=7", f"analysis={{baseline: full, looks: {looks}}}", *overrides)

    study, folder = looked("[4, 5, 6]"), tmp_path / "tiny"
    ahead = preview(study, folder, until_decided=True)
    # The seventh seed comes after the last look.
    assert (ahead.to_run, ahead.looks, ahead.may_spare) == (18, {4: 12, 5: 15, 6: 18}, True)
    looks = noting(folder, {4: ("lora-r2",)})
    some = run_study(study, tmp_path, looks=looks, budget=Budget(text="13trials", trials=13))
    assert (some.statuses, some.spared, some.complete) == ({"finished": 13, "missing": 5}, 3, False)
    ahead = preview(study, folder, until_decided=True)
    assert (ahead.to_run, ahead.looks, ahead.may_spare) == (3, {5: 1, 6: 3}, True)
    assert [arm.statuses.get("spared", 0) for arm in ahead.arms] == [0, 2, 0]
    status = read_status(folder)
    assert (status.to_run, status.looks) == (5, {5: 1, 6: 3})
    # Without looks every trial is to run, and another plan or other trials need looks of their own.
    assert preview(study, folder).to_run == 8
    assert preview(looked("[4, 6]"), folder, until_decided=True).to_run == 5
    assert preview(looked("[4, 5, 6]", "arms.full.training.learning_rate=0.5"), folder, until_decided=True).to_run > 5


def test_a_plan_tells_of_trials_that_looks_have_spared(tmp_path: Path, tiny_file: Path, command: Command) -> None:
    settings = ["training.num_train_epochs=0", "seeds=6", "analysis={baseline: full, looks: [4, 5, 6]}"]
    looks = noting(tmp_path / "tiny", {4: ARMS})
    assert run_study(load_study(tiny_file, settings), tmp_path, looks=looks).spared == 6
    given = ["plan", tiny_file, *settings, "--results", tmp_path]
    _, out, _ = command(*given)
    assert re.search(r"for the 6 to run, .*\nthe looks have spared all of them: a run with --until-decided", out)
    (study,) = json.loads(command(*given, "--json")[1])["studies"]
    assert (study["to_run"], study["spared"]) == (6, 6)


def test_a_command_says_of_missing_trials_that_looks_may_spare_some(tmp_path: Path, command: Command) -> None:
    arms = "arms={full: {}, frozen: {freeze: {layers: 6}}}"
    options = ["data.train_size=32", "data.test_size=20", "timing=off", "analysis={baseline: full}", arms, "seeds=5"]
    given = ["run", "embedded/quickstart", *options, "training.num_train_epochs=0", "--results", str(tmp_path)]
    given += ["--budget", "1trials"]
    _, out, _ = command(*given, "analysis.looks=auto", "--until-decided")
    assert "stopped by --budget 1trials: 1 finished, up to 9 missing\n" in out
    _, out, _ = command(*given, "analysis.looks=auto")
    assert "stopped by --budget 1trials: 2 finished, 8 missing\n" in out
    _, out, _ = command("status", "quickstart", "--results", str(tmp_path))
    assert "up to 8 to run, " in out
    assert (
        "  6 trials until the look at 4 seeds; then a run with --until-decided trains only what is open, with a look "
        "at 5 seeds\n" in out
    )


def test_what_a_look_needs_goes_by_the_order_in_which_seeds_were_taken_up(tmp_path: Path, tiny: Tiny) -> None:
    run_study(tiny("seeds=[5]"), tmp_path, arms=["full"])
    run_study(tiny("seeds=[1,5,3]"), tmp_path, looks=looking({1: []}, []))
    assert trained(tmp_path / "tiny") == {"full": [5], "lora-r2": [5], "lora-r4": [5]}


def test_a_study_that_was_trained_whole_spares_nothing(tmp_path: Path, tiny: Tiny) -> None:
    run_study(tiny("seeds=2"), tmp_path)
    summary = run_study(tiny("seeds=2"), tmp_path, looks=looking({1: []}, []))
    assert (summary.statuses, summary.spared, summary.ran) == ({"finished": 6}, 0, 0)


def test_a_budget_of_time_that_is_over_trains_nothing(tmp_path: Path, tiny: Tiny) -> None:
    summary = run_study(tiny("seeds=1"), tmp_path, budget=Budget(text="0s", seconds=0.0))
    assert (summary.ran, summary.stopped_by, summary.complete) == (0, "--budget 0s", False)


def test_a_budget_that_is_over_before_anything_was_trained_is_said_to_be_too_small(tmp_path: Path) -> None:
    hint, folder = "the budget ended before a trial could begin; give it more", tmp_path / "s"

    def ended(before: Mapping[Path, int], stopped_by: str = "--budget 2s", *, ran: int = 0) -> list[str]:
        summary = RunSummary(folder=folder, statuses={"missing": 3}, waiting=0, ran=ran, stopped_by=stopped_by)
        return ending(summary, "harness run s", "harness run s", before, until_decided=False)

    assert ended({}) == ["stopped by --budget 2s: 3 missing", hint, "To continue: harness run s"]
    assert hint not in ended({}, "SIGINT")
    assert hint not in ended({}, ran=1)
    # An epoch of a pack and a candidate of a search are kept too.
    for name in ("packs/v2-1.pt", "tuning/v2-1/record.json"):
        before, kept = kept_work(folder), folder / name
        kept.parent.mkdir(parents=True)
        kept.write_text("")
        assert hint not in ended(before)
        assert hint in ended(kept_work(folder))


def test_a_budget_of_time_ends_a_search_too(tmp_path: Path, tiny: Tiny) -> None:
    search = "arms.full.search={trials: 2, fraction: 0.25, space: {training.learning_rate: {low: 1e-4, high: 1e-2}}}"
    summary = run_study(tiny("seeds=1", search), tmp_path, budget=Budget(text="0s", seconds=0.0))
    assert (summary.ran, summary.stopped_by, summary.statuses) == (0, "--budget 0s", {"missing": 3})
    assert list((tmp_path / "tiny").glob("tuning/*/record.json")) == []


@pytest.mark.parametrize(
    ("text", "seconds", "trials"),
    [("6h", 21600.0, None), ("90min", 5400.0, None), ("1.5 d", 129600.0, None), ("2trials", float("inf"), 2)],
)
def test_budgets_are_read(text: str, seconds: float, trials: int | None) -> None:
    budget = parse_budget(text)
    assert (budget.seconds, budget.trials) == (seconds, trials)


@pytest.mark.parametrize("text", ["6", "h", "-1h", "0h", "1.5trials", "6 weeks", "", "nanh"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="--budget: expected a time or a number of trials, such as 6h"):
        parse_budget(text)


def test_a_study_is_decided_with_fewer_trials(tmp_path: Path, command: Command) -> None:
    options = ["seeds=5", "data.train_size=256", "data.test_size=200", "timing=off", "analysis={baseline: full}"]
    # An arm that learns nothing is far worse than one that learns, and four seeds show it.
    options += ["arms={full: {training: {learning_rate: 5e-3}}, still: {training: {learning_rate: 1e-9}}}"]
    given = ["run", "embedded/quickstart", *options, "--results", str(tmp_path)]
    _, out, _ = command(*given, "analysis.looks=auto", "--until-decided", "--dry-run")
    assert (
        "up to 10 to run, time not known before the first trial\n  seeds 0-4: full, still\n  8 trials until the" in out
    )
    code, out, _ = command(*given, "analysis.looks=auto", "--until-decided")
    assert "look 1 of 2, at 4 seeds:\n  still is worse than full by" in out
    assert "ended with 8 of 10 trials" in out
    assert code == 0
    code, out, _ = command(*given, "analysis.looks=auto", "--until-decided")
    assert (code, out.count("look 1 of 2")) == (0, 1)
    assert "ended with 8 of 10 trials" in out
    noted = json.loads((tmp_path / "quickstart" / "looks.json").read_text())["looks"]
    assert [(one["seeds"], one["left"]) for one in noted] == [([0, 1, 2, 3], ["full", "still"])]
    _, out, _ = command(*given, "analysis.looks=auto", "--until-decided", "--dry-run")
    assert "nothing to run\n2 trials spared, of arms that stand in no open comparison any more" in out
    _, out, _ = command(*given, "analysis.looks=auto", "--dry-run")
    assert "\n2 to run, " in out
    # Nothing is left to watch.
    code, out, _ = command("status", "quickstart", "--results", str(tmp_path), "--watch")
    assert "8 of 10 trials finished; 2 spared" in out
    code, out, _ = command("status", "quickstart", "--results", str(tmp_path))
    assert "nothing to run\n2 trials spared, of arms that stand in no open comparison any more" in out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "--until-decided: expected looks in the plan of quickstart, got none; declare analysis.looks=auto"),
        (["analysis.looks=[6,8]", "seeds=5"], "expected as many seeds as a look declares (6, 8), got 5; give seeds=8"),
        (["analysis.looks=[4,8]", "seeds=6"], "expected as many seeds as a look declares (4, 8), got 6; give seeds=8"),
        (
            ["analysis={baseline: full, looks: [4, 8]}", "arms={full: {}}"],
            "expected two arms or more to compare, got 1",
        ),
        (["analysis.looks=auto", "--arms", "full"], "--until-decided chooses the arms itself; leave --arms out"),
        (["analysis.looks=auto", "--budget", "6"], "--budget: expected a time or a number of trials"),
    ],
)
def test_what_cannot_be_is_one_message_and_exit_code_2(given: list[str], message: str, command: Command) -> None:
    code, _, complaint = command("run", "embedded/quickstart", "--until-decided", *given)
    assert code == 2
    assert message in complaint
