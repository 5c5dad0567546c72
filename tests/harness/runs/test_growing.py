"""A study that is run again with other seeds, settings or arms: nothing stains, and every command is told."""

from __future__ import annotations

import errno
import io
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness import atomic_file, run_study
from harness.cli.console import PipedConsole
from harness.cli.differences import differences
from harness.errors import HarnessError
from harness.runs import runner
from harness.runs.run import RunSummary
from harness.study.loading import load_study
from harness.study.study import Study

Tiny = Callable[..., Study]
Command = Callable[..., tuple[int, str, str]]
TRAINED, UNTRAINED = "num_train_epochs: 1", "num_train_epochs: 0"


@pytest.fixture
def tiny_file(tiny_file: Path) -> Path:
    """The file of the tiny study, whose trials are the models before training: which of them run is asked here."""
    tiny_file.write_text(tiny_file.read_text().replace(TRAINED, UNTRAINED))
    return tiny_file


@pytest.fixture
def tiny(tiny_file: Path) -> Tiny:
    return lambda *overrides: load_study(tiny_file, overrides)


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "study.json").read_text()))


def trained(folder: Path) -> set[tuple[str, int]]:
    records = (json.loads(path.read_text()) for path in folder.glob("trials/*/record.json"))
    return {(record["arm"], record["seed"]) for record in records}


def test_seeds_that_nothing_is_trained_with_leave_no_trace(tmp_path: Path, tiny: Tiny) -> None:
    def history(folder: Path) -> list[tuple[list[int], int]]:
        return [(entry["seeds"], entry["trials_finished"]) for entry in manifest(folder)["seed_history"]]

    folder = run_study(tiny("seeds=1"), tmp_path, arms=["full"]).folder
    # The first command named one seed, this one two; nothing is trained with either until the third.
    for seeds in ("seeds=2", "seeds=1", "seeds=2"):
        run_study(tiny(seeds), tmp_path, arms=["full"] if seeds == "seeds=1" else None)
    assert history(folder) == [([0], 0), ([0, 1], 1)]
    # All is trained: reading the study with fewer seeds and with more again changes nothing.
    for seeds in ("seeds=1", "seeds=2"):
        assert run_study(tiny(seeds), tmp_path).ran == 0
    assert history(folder) == [([0], 0), ([0, 1], 1)]


def test_a_study_planned_anew_before_anything_ran_has_no_history(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny("seeds=1"), tmp_path, arms=["full"]).folder
    for path in folder.glob("trials/*/*"):
        path.unlink()
    run_study(tiny("seeds=2"), tmp_path, arms=["full"])
    assert [entry["trials_finished"] for entry in manifest(folder)["seed_history"]] == [0, 0]


def test_chosen_arms_are_trained_and_the_study_stays_whole(tmp_path: Path, tiny: Tiny) -> None:
    some = run_study(tiny("seeds=1"), tmp_path, arms=["lora-r4", "full"])
    assert (some.statuses, some.waiting, some.complete) == ({"finished": 2}, 1, True)
    assert trained(some.folder) == {("full", 0), ("lora-r4", 0)}
    assert [trial["arm"] for trial in manifest(some.folder)["cells"]] == ["full", "lora-r2", "lora-r4"]
    rest = run_study(tiny("seeds=1"), tmp_path)
    assert (rest.statuses, rest.waiting, rest.ran) == ({"finished": 3}, 0, 1)


@pytest.mark.parametrize(("arms", "words"), [(["ful"], "'ful'; did you mean 'full'?"), ([], "got none")])
def test_arms_that_the_study_lacks_are_refused(tmp_path: Path, tiny: Tiny, arms: list[str], words: str) -> None:
    with pytest.raises(HarnessError) as caught:
        run_study(tiny(), tmp_path / "results", arms=arms)
    assert words in str(caught.value)
    assert "full, lora-r2, lora-r4" in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_run_says_what_differs_and_every_command_that_it_prints_can_be_pasted(
    command: Command, tiny_file: Path
) -> None:
    given = ("seeds=1", 'question=it\'s, "so"')
    code, out, _ = command("run", tiny_file, *given, "--arms", "full", "--results", "my results")
    assert code == 0
    assert "changed since the last run" not in out
    lines = out.splitlines()
    whole = next(line for line in lines if "2 trials of other arms still to run: " in line).partition("run: ")[2]
    assert shlex.split(whole)[:2] == ["harness", "run"]
    code, out, _ = command(*shlex.split(whole)[1:])
    assert code == 0
    assert "changed since the last run" not in out
    assert "3 trials (3 arms x 1 seed): 1 done, 2 to run" in out
    assert out.splitlines()[-1] == "Next: harness analyze 'my results/tiny'"
    assert manifest(Path("my results/tiny"))["overrides"] == list(given)

    # The command without what grew the study: nothing runs, and the one before is named.
    code, out, _ = command("run", tiny_file, "--results", "my results", "seeds=[5]", "--arms", "lora-r2")
    assert "changed since the last run in my results/tiny:" in out
    assert "  seed 0 before, seed 5 now; trials of seed 0 are kept but not used" in out
    before = next(line for line in out.splitlines() if line.startswith("the last run was: ")).partition(": ")[2]
    assert shlex.split(before) == shlex.split(whole)

    # Another file of the same name: the command names the file and the arms that were given then.
    other = tiny_file.with_name("other file.yaml")
    other.write_text(tiny_file.read_text())
    _, out, _ = command("run", other, "--results", "my results", "seeds=1", "--dry-run")
    assert (
        f"the last run was: harness run {tiny_file} 'seeds=[5]' --arms lora-r2 --results 'my results'"
        in out.splitlines()
    )
    # A manifest of an older version does not tell them, so nothing is made up.
    path = Path("my results/tiny/study.json")
    older = {key: value for key, value in manifest(path.parent).items() if key not in {"study_file", "asked_arms"}}
    path.write_text(json.dumps(older))
    _, out, _ = command("run", other, "--results", "my results", "seeds=1", "--dry-run")
    assert "the last run's overrides were: 'seeds=[5]'" in out.splitlines()
    assert "the last run was: " not in out


def test_the_same_starts_from_the_overrides_of_the_last_run(command: Command, tiny_file: Path) -> None:
    assert command("run", tiny_file, "--same")[0] == 2
    command("run", tiny_file, "seeds=1", "data.test_size=24", "--arms", "full")
    code, out, _ = command("run", tiny_file, "--same", "seeds=2", "--arms", "full", "--json")
    (summary,) = json.loads(out)["studies"]
    assert (code, summary["ran"], summary["statuses"]) == (0, 1, {"finished": 2})
    assert manifest(Path("results/tiny"))["overrides"] == ["data.test_size=24", "seeds=2"]


BEFORE = {
    "model": "a",
    "seeds": [0, 1, 2, 3],
    "training": {"num_train_epochs": 4},
    "analysis": {"margin": 0.01},
    "arms": {
        "full": {"training": {"num_train_epochs": 4, "learning_rate": 1e-4}, "adapter": None, "factors": {}},
        "lora-r2": {"training": {"num_train_epochs": 4}, "adapter": {"r": 2}, "factors": {"adapter.r": 2}},
    },
}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"question": "?", "new_key_of_a_later_version": 1}, []),
        (
            {"model": "b", "analysis": {"margin": 0.02}},
            ["model: a before, b now", "analysis.margin: 0.01 before, 0.02 now"],
        ),
        ({"seeds": [0, 1]}, ["seeds 0-3 before, seeds 0, 1 now; trials of seeds 2, 3 are kept but not used"]),
        (
            {"arms": {**BEFORE["arms"], "lora-r2": {"training": {"num_train_epochs": 2}, "adapter": {"r": 2}}}},  # type: ignore[dict-item]
            [
                "training.num_train_epochs: 4 before, 2 now (lora-r2)",
                "factors: {'adapter.r': 2} before, none now (lora-r2)",
            ],
        ),
        ({"arms": {"full": BEFORE["arms"]["full"]}}, ["arm lora-r2: removed; its trials are kept but not used"]),  # type: ignore[index]
    ],
)
def test_differences_in_words(changes: dict[str, Any], lines: Sequence[str]) -> None:
    words = differences(BEFORE, {**BEFORE, **changes})
    assert list(words) == [line for line in lines if not line.startswith("factors")]


def test_a_plan_speaks_of_the_study_that_is_asked_about(command: Command, tiny_file: Path) -> None:
    def planned(*overrides: str) -> dict[str, Any]:
        code, out, _ = command("plan", tiny_file, *overrides, "--json")
        assert code == 0
        plan = json.loads(out)["studies"][0]
        assert plan["to_run"] == sum(arm["statuses"].get("missing", 0) for arm in plan["arms"])
        return dict(plan)

    command("run", tiny_file)
    assert (planned()["to_run"], planned()["seconds_left"]) == (0, 0.0)
    grown = planned("seeds=5")
    assert (grown["cells"], grown["to_run"]) == (15, 9)
    assert grown["seconds_left"] > 0
    other = planned("training.num_train_epochs=2")
    assert (other["to_run"], other["seconds_left"]) == (6, None)
    assert planned("arms.full.training.learning_rate=1e-4")["to_run"] == 2
    assert planned("data.train_size=40")["to_run"] == 6
    # What ran before the study shrank is known by its key.
    command("run", tiny_file, "seeds=1")
    assert planned()["to_run"] == 0
    assert "time: every trial has run" in command("plan", tiny_file)[1]
    assert "15 trials: 3 arms x 5 seeds; 6 of them have run" in command("plan", tiny_file, "seeds=5")[1]


def test_what_has_run_is_known_whatever_the_study_was_last(command: Command, tiny_file: Path) -> None:
    def foreseen(*overrides: str) -> tuple[int, int, int]:
        arguments = (tiny_file, *overrides, "--json")
        dry = json.loads(command("run", *arguments, "--dry-run")[1])["studies"][0]
        planned = json.loads(command("plan", *arguments)[1])["studies"][0]
        assert planned["seconds_left"] is not None
        return dry["to_run"], planned["to_run"], dry["others"]

    command("run", tiny_file, "seeds=1")
    command("run", tiny_file, "seeds=1", "arms.lora-r2=null")
    # The arm left, and comes back.
    assert foreseen("seeds=1") == (0, 0, 0)
    out = command("run", tiny_file, "seeds=2", "--dry-run")[1]
    assert "  arm lora-r2: back again; its trials are still here" in out.splitlines()
    assert "not measured" not in out
    # The same name with settings of which nothing has run is new.
    out = command("run", tiny_file, "arms.lora={adapter: {peft_type: LORA, r: 1}}", "--dry-run")[1]
    assert "  arm lora: new" in out.splitlines()
    # The data were others, and are the same again.
    command("run", tiny_file, "data.train_size=40", "--arms", "full", "seeds=1")
    assert foreseen() == (3, 3, 1)
    # Nothing tells what the study was last.
    Path("results/tiny/study.json").unlink()
    assert foreseen("seeds=1") == (0, 0, 1)


def test_a_tuned_arm_that_left_is_known_by_the_winner_of_its_search(command: Command, tiny_file: Path) -> None:
    def to_run(*overrides: str) -> int:
        return int(json.loads(command("run", tiny_file, *overrides, "--dry-run", "--json")[1])["studies"][0]["to_run"])

    search = "arms.full.search={trials: 2, fraction: 0.25, space: {training.learning_rate: {low: 1e-4, high: 1e-2}}}"
    fewer = ("arms.lora-r4=null", "seeds=1")
    assert to_run(search, *fewer) == 2
    command("run", tiny_file, search, *fewer)
    command("run", tiny_file, *fewer, "arms.full=null", "analysis={}")
    assert to_run(search, *fewer) == 0
    assert to_run(search.replace("trials: 2", "trials: 3"), *fewer) == 1


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(command: Command, tiny_file: Path) -> None:
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in Path.cwd().rglob("*")}

    code, out, _ = command("run", tiny_file, "--dry-run")
    assert (code, everything()) == (0, {})
    assert "6 to run, time not known before the first trial\n  seeds 0, 1: full, lora-r2, lora-r4\n" in out
    assert out.startswith("data: embedded/sentiment")
    command("run", tiny_file, "seeds=1", "--arms", "full")
    before = everything()
    code, out, _ = command("run", tiny_file, "--dry-run", "--json", "--arms", "full,lora-r4")
    plan = json.loads(out)["studies"][0]
    assert (code, plan["to_run"], plan["others"], everything()) == (0, 3, 0, before)
    assert [(arm["arm"], arm["statuses"]) for arm in plan["arms"]] == [
        ("full", {"finished": 1, "missing": 1}),
        ("lora-r4", {"missing": 2}),
    ]
    out = command("run", tiny_file, "--dry-run")[1]
    assert "changed since the last run" in out
    assert "\n  seed 1: full\n  seeds 0, 1: lora-r2, lora-r4\n" in out
    assert command("run", tiny_file, "--dry-run", "arms.lora.adapter.target_modules=[x]")[0] == 2


def test_analyze_notes_a_look_once_and_a_grown_study_counts_it(command: Command, tiny_file: Path) -> None:
    folder = Path("results/tiny")
    of_two_arms = tiny_file.read_text().replace("    grid: {adapter.r: [2, 4]}\n", "")
    tiny_file.write_text(of_two_arms.replace(UNTRAINED, TRAINED))
    command("run", tiny_file, "seeds=2")
    command("analyze")
    # The study file names its results too, and the report goes to the same place.
    report = (folder / "report" / "tables.md").read_text()
    (folder / "report" / "tables.md").unlink()
    assert command("analyze", tiny_file)[0] == 0
    assert (folder / "report" / "tables.md").read_text() == report
    # Two seeds never get a verdict, so nothing was decided by looking.
    assert not (folder / "looks.json").exists()
    command("run", tiny_file, "seeds=3")
    for _ in range(2):
        code, out, _ = command("analyze")
        assert (code, "undeclared look" in out) == (0, False)
    noted = json.loads((folder / "looks.json").read_text())
    assert [look["seeds"] for look in noted["looks"]] == [[0, 1, 2]]
    assert noted["looks"][0]["plan"] == manifest(folder)["plan_history"][-1]["digest"]
    command("run", tiny_file, "seeds=4")
    assert "1 undeclared look" in " ".join(command("analyze")[1].split())


def test_a_look_that_cannot_be_noted_is_said(
    command: Command, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_file.write_text(tiny_file.read_text().replace(UNTRAINED, TRAINED))
    command("run", tiny_file, "seeds=3", "arms.lora=null", "arms.frozen={freeze: {layers: 1}}")

    def full(path: Path) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(atomic_file, "atomic_write", full)
    code, out, err = command("analyze")
    assert (code, "Verdicts" in out) == (0, True)
    assert "this look was not noted: results/tiny/looks.json: No space left on device; later tables do not" in err


def test_a_run_that_was_stopped_prints_the_command_that_goes_on(
    command: Command, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(study: Study, root: Path, **_: Any) -> RunSummary:
        statuses = {"finished": 1, "missing": 5}
        return RunSummary(folder=root / "tiny", statuses=statuses, waiting=0, ran=1, stopped_by="SIGINT")

    monkeypatch.setattr(runner, "run_study", stopped)
    code, out, _ = command("run", tiny_file, "seeds=[3, 4]", "--storage", "sqlite:///my runs.db")
    assert code == 1
    assert out.splitlines()[-2:] == [
        "stopped by SIGINT: 1 finished, 5 missing",
        f"To continue: harness run {tiny_file} 'seeds=[3, 4]' --storage 'sqlite:///my runs.db'",
    ]


def test_the_command_that_goes_on_after_a_budget_has_the_budget(command: Command, tiny_file: Path) -> None:
    given = ["seeds=[3, 4]", "--arms", "full", "--budget", "1trials"]
    code, out, _ = command("run", tiny_file, *given)
    assert code == 1
    assert out.splitlines()[-3:] == [
        "stopped by --budget 1trials: 1 finished, 1 missing",
        f"To continue: harness run {tiny_file} 'seeds=[3, 4]' --arms full --budget 1trials",
        f"4 trials of other arms still to run: harness run {tiny_file} 'seeds=[3, 4]' --budget 1trials",
    ]


def test_a_piped_log_is_there_as_soon_as_it_is_told() -> None:
    flushed: list[str] = []

    class Log(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    PipedConsole(file=Log(), width=40).print("one   ")
    assert flushed[-1] == "one\n"
