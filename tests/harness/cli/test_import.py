"""`harness import`: what it understood, what it wrote, and every way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

N = 60
LABELS = np.arange(N) % 2
Command = Callable[..., tuple[int, str, str]]


def predictions(seeds: int = 4, **accuracies: float) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    by_arm = accuracies or {"full": 0.95, "lora": 0.6}
    arrays = {arm: np.where(rng.random((9, N)) < one, LABELS, 1 - LABELS)[:seeds] for arm, one in by_arm.items()}
    return {**arrays, "labels": LABELS, "seeds": np.arange(seeds)}


@pytest.fixture
def here(command: Command) -> Path:
    """The empty folder of the commands, with predictions in it."""
    np.savez("preds.npz", **predictions())
    return Path.cwd()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_it_took_for_what_and_what_it_wrote(here: Path, command: Command) -> None:
    asked = ["--classes", "no,yes", "--baseline", "full", "--margin", "0.05"]
    code, out, err = command("import", "preds.npz", "--name", "mine", *asked)
    assert (code, err) == (0, "")
    for words in (
        "full      4   0-3",
        "examples   60",
        "answers    predicted classes",
        "classes    no, yes",
        "seeds      paired: runs of one name share a seed",
        "compared   every arm with full; accuracy, margin 0.05, alpha 0.05",
        "results/mine: 8 runs added\n",
        "Next: harness analyze results/mine\n",
    ):
        assert words in out
    manifest = json.loads((here / "results/mine/study.json").read_text())
    assert manifest["analysis"] == {"baseline": "full", "margin": 0.05}
    code, out, err = command("analyze", "results/mine")
    assert (code, err) == (0, "")
    assert "worse" in out
    assert "lora against full" in out


def test_a_run_that_an_arm_lacks_is_shown_and_waits(here: Path, command: Command) -> None:
    lines = ["arm,run,id,label,prediction"]
    for arm, run in [("full", "a"), ("full", "b"), ("full", "c"), ("lora", "a"), ("lora", "b")]:
        lines += [f"{arm},{run},{i},{i % 2},{(i % 7 < 5) * (i % 2)}" for i in range(N)]
    (here / "table.csv").write_text("\n".join(lines))
    code, out, err = command("import", "table.csv", "--name", "mine")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[1:4]] == [
        ["arm", "runs", "which", "missing"],
        ["full", "3", "a,", "b,", "c"],
        ["lora", "2", "a,", "b", "c"],
    ]
    assert "Only runs a, b count: run c waits until every arm has run it." in command("analyze", "results/mine")[1]
    assert "missing" in command("status", "results/mine")[1]
    # It joins when it is there.
    lines += [f"lora,c,{i},{i % 2},1" for i in range(N)]
    (here / "table.csv").write_text("\n".join(lines))
    assert "1 run added; 5 runs are there already" in command("import", "table.csv", "--name", "mine")[1]
    assert "waits" not in command("analyze", "results/mine")[1]


def test_single_runs_are_said_to_give_no_verdict(here: Path, command: Command) -> None:
    np.savez("single.npz", **predictions(seeds=1))
    assert "note       each arm has one run: " in command("import", "single.npz", "--name", "mine", "--dry-run")[1]
    assert "each arm has one run" not in command("import", "preds.npz", "--name", "mine", "--dry-run")[1]


@pytest.mark.parametrize(("arms", "seeds", "fewest"), [(2, 1, 8), (2, 7, 8), (2, 8, 0), (3, 2, 3), (3, 3, 0)])
def test_few_pairs_are_said_to_be_tested_as_independent_seeds_as_the_tables_say(
    here: Path, command: Command, arms: int, seeds: int, fewest: int
) -> None:
    runs = predictions(seeds=seeds)
    third = {"other": runs["lora"][:, ::-1]} if arms == 3 else {}
    np.savez("some.npz", **runs, **third)
    _, out, _ = command("import", "some.npz", "--name", "mine")
    few = f"note       fewer than {fewest} pairs are tested as independent seeds\n"
    assert (few in out, "independent seeds" in out) == (bool(fewest),) * 2
    _, out, _ = command("analyze", "results/mine", "--details")
    assert ("test: crossed t, independent seeds;" in out) is bool(fewest)


def test_a_dry_run_writes_nothing(here: Path, command: Command) -> None:
    before = content(here)
    code, out, _ = command("import", "preds.npz", "--name", "mine", "--dry-run")
    assert code == 0
    assert "examples   60" in out
    assert out.endswith("results/mine: would add 8 runs\n")
    assert content(here) == before
    command("import", "preds.npz", "--name", "mine")
    before = content(here)
    assert command("import", "preds.npz", "--name", "mine", "--dry-run")[1].endswith("nothing new: 8 runs are there\n")
    np.savez("more.npz", **predictions(seeds=5))
    _, out, _ = command("import", "more.npz", "--name", "mine", "--dry-run", "--margin", "0.1")
    assert "results/mine: would add 2 runs; 8 runs are there already\nThe plan differs" in out
    assert content(here) == before | {"more.npz": (here / "more.npz").read_bytes()}


def test_a_dry_run_refuses_what_an_import_refuses(here: Path, command: Command) -> None:
    command("import", "preds.npz", "--name", "mine")
    other = predictions()
    other["lora"][1, :3] = 1 - other["lora"][1, :3]
    np.savez("changed.npz", **other)
    np.savez("other.npz", **{**other, "labels": np.arange(N) % 3})
    trained = here / "results" / "trained" / "trials" / "full-0"
    trained.mkdir(parents=True)
    (trained / "record.json").write_text("{}")
    before = content(here)
    for arguments, told in (
        (("changed.npz", "--name", "mine"), "holds 1 run with other answers; --replace sets the old ones aside"),
        (("other.npz", "--name", "mine", "--classes", "a,b,c"), "holds runs on other data"),
        (("preds.npz", "--name", "trained"), "holds a study that was trained"),
    ):
        refused = command("import", *arguments, "--dry-run")
        assert (refused[0], told in refused[2]) == (2, True)
        assert content(here) == before
        assert command("import", *arguments)[::2] == refused[::2]
    _, out, _ = command("import", "changed.npz", "--name", "mine", "--replace", "--dry-run")
    assert out.endswith("mine: would replace 1 run, the old ones set aside; 7 runs are there already\n")


def test_every_command_knows_a_study_by_its_name(here: Path, command: Command) -> None:
    command("import", "preds.npz", "--name", "mine", "--results", "there")
    for name in ("mine", "there/mine"):
        for asked in (("analyze", name), ("status", name), ("plan", name, "seeds=9")):
            code, out, err = command(*asked, "--results", "there")
            assert (code, err, "mine" in out) == (0, "", True)
    code, _, err = command("status", "mime", "--results", "there")
    assert (code, "did you mean there/mine?" in err) == (2, True)


def test_the_same_again_says_that_there_is_nothing_new(here: Path, command: Command) -> None:
    command("import", "preds.npz", "--name", "mine", "--margin", "0.05")
    before = content(here)
    code, out, _ = command("import", "preds.npz", "--name", "mine")
    assert code == 0
    assert "nothing new: 8 runs are there" in out
    # What is not asked for anew stays as it was.
    assert "margin 0.05" in out
    assert content(here) == before
    np.savez("preds.npz", **predictions(seeds=5))
    assert "2 runs added; 8 runs are there already" in command("import", "preds.npz", "--name", "mine")[1]
    _, out, _ = command("import", "preds.npz", "--name", "mine", "--margin", "0.1")
    assert "nothing new: 10 runs are there" in out
    assert "The plan differs from that of the import before; the tables will say so." in out
    assert "plan changed after trials finished" in command("analyze", "results/mine")[1]


def test_replace_is_asked_for(here: Path, command: Command) -> None:
    command("import", "preds.npz", "--name", "mine")
    np.savez("preds.npz", **{**predictions(), "full": 1 - predictions()["full"]})
    before = content(here)
    code, out, err = command("import", "preds.npz", "--name", "mine")
    assert (code, out) == (2, "")
    assert "4 runs with other answers; --replace" in err
    assert "full seed 0: 60 of 60 answers" in err
    assert content(here) == before
    code, out, _ = command("import", "preds.npz", "--name", "mine", "--replace")
    assert code == 0
    assert "4 runs replaced, the old ones set aside; 4 runs are there already" in out


def test_one_object_for_programs(here: Path, command: Command) -> None:
    _, out, _ = command("import", "preds.npz", "--name", "mine", "--classes", "no,yes", "--json")
    printed = json.loads(out)
    assert (printed["schema"], printed["command"], printed["errors"]) == (1, "import", [])
    (study,) = printed["studies"]
    assert study["arms"][0] == {"arm": "full", "runs": ["0", "1", "2", "3"], "missing": []}
    assert {key: study[key] for key in ("answers", "classes", "n_examples", "left_out", "paired", "score")} == {
        "answers": "classes",
        "classes": ["no", "yes"],
        "n_examples": N,
        "left_out": 0,
        "paired": True,
        "score": None,
    }
    assert study["plan"]["metric"] == "accuracy"
    assert study["written"]["folder"] == "results/mine"
    assert study["written"]["added"][0] == "full seed 0"
    _, out, _ = command("import", "preds.npz", "--name", "other", "--json", "--dry-run")
    assert json.loads(out)["studies"][0]["written"] is None


def test_scores_are_compared_by_what_they_are(here: Path, command: Command) -> None:
    rng = np.random.default_rng(1)
    np.savez("rouge.npz", a=rng.random((4, N)), b=rng.random((4, N)) + 0.2)
    code, out, err = command("import", "rouge.npz", "--name", "mine", "--metric", "rouge", "--margin", "0.02")
    assert (code, err) == (0, "")
    assert "answers    rouge, higher is better" in out
    assert "compared   every arm with a; rouge, margin 0.02" in out
    assert command("analyze", "results/mine")[0] == 0
    # The unit of a score is not known, so its margin must be said; nothing was written.
    code, _, err = command("import", "rouge.npz", "--name", "other", "--metric", "rouge")
    assert code == 2
    assert err.startswith("error: --margin: expected a number above 0, in the units of the score, got nothing")
    assert not (here / "results/other").exists()


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (
            ["--name", "../x", "--column", "x", "--run", "a", "--classes", "yes"],
            [
                "4 problems:",
                "--name: ",
                "--column: expected ROLE=COLUMN",
                "--run: expected FILE=ARM,SEED",
                "--classes: ",
            ],
        ),
        (
            ["--name", "x", "--column", "arm=a", "--column", "arm=b", "--run", "f=a,1", "--run", "f=b,1"],
            ["2 problems:", "--column: arm is given twice", "--run: f is given twice"],
        ),
        (
            ["--name", "x", "--baseline", "ful", "--metric", "auroc", "--margin", "2"],
            ["3 problems:", "--baseline: ", "did you mean 'full'?", "--metric: ", "no probabilities", "--margin: "],
        ),
        (["--name", "x", "--plan", "none.yaml"], ["none.yaml: no such file"]),
        (
            ["--name", "x", "--plan", "plan.yaml"],
            ["4 problems:", "plan.yaml:2: analysis.margn", "plan.yaml:3: claims.0.accuracy"],
        ),
        (
            ["--name", "x", "--plan", "odd.yaml"],
            ["3 problems:", "odd.yaml:1: anlysis: ", "odd.yaml:2: analysis: ", "odd.yaml:3: model: expected the name"],
        ),
        (["--name", "x", "--labels", "nope.csv"], ["nope.csv"]),
        ([], ["Missing option '--name'"]),
    ],
)
def test_what_is_wrong_is_said_at_once(arguments: list[str], messages: list[str], here: Path, command: Command) -> None:
    (here / "plan.yaml").write_text("analysis:\n  margn: 0.1\nclaims: [{source: s}]\n")
    (here / "odd.yaml").write_text("anlysis: {}\nanalysis: 3\nmodel: 7\n")
    before = content(here)
    code, out, err = command("import", "preds.npz", *arguments)
    assert (code, out) == (2, "")
    for message in messages:
        assert message in err
    assert content(here) == before


def test_a_plan_file_gives_both_blocks_and_options_go_before_it(here: Path, command: Command) -> None:
    (here / "plan.yaml").write_text(
        "model: m\nanalysis: {baseline: lora, margin: 0.1, correction: holm}\n"
        "claims: [{source: s, model: m, n: 60, accuracy: {full: '0.95', lora: '0.6'}}]\n"
    )
    code, out, err = command("import", "preds.npz", "--name", "mine", "--plan", "plan.yaml", "--margin", "0.2")
    assert (code, err) == (0, "")
    assert "compared   every arm with lora; accuracy, margin 0.2" in out
    manifest = json.loads((here / "results/mine/study.json").read_text())
    assert manifest["analysis"] == {"baseline": "lora", "margin": 0.2, "correction": "holm"}
    assert manifest["claims"][0]["source"] == "s"
    code, out, err = command("analyze", "results/mine")
    assert (code, err) == (0, "")
    (claim,) = (line for line in (here / "results/mine/report/tables.md").read_text().splitlines() if "+35.00" in line)
    assert "context" not in claim
    assert "the published gap lies" in claim
    assert "mine: m, imported from preds.npz." in out
    # Who imports again without the file changes none of it.
    command("import", "preds.npz", "--name", "mine")
    assert json.loads((here / "results/mine/study.json").read_text()) == manifest


def test_a_plan_of_what_more_runs_would_find(here: Path, command: Command) -> None:
    command("import", "preds.npz", "--name", "mine")
    code, out, err = command("plan", "results/mine", "seeds=12")
    assert (code, err) == (0, "")
    assert "mine: 8 imported runs of 2 arms" in out
    assert "12 × 60" in out
    assert "From 4 seeds that have run" in out
    (study,) = json.loads(command("plan", "results/mine", "--json")[1])["studies"]
    assert study["arms"][0] == {
        "arm": "full",
        "total": None,
        "trainable": None,
        "reason": "imported",
        "statuses": {"finished": 4},
    }
    assert study["outlook"]["pilot_seeds"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seeds=1"], "expected nothing or seeds=N, a whole number from 2 to 10000, got 'seeds=1'"),
        (["training.x=1"], "got 'training.x=1'"),
        (["--seed-sd", "0.01"], "--seed-sd: results/mine holds runs, and their own figures are used"),
    ],
)
def test_a_plan_of_imported_runs_takes_a_number_of_seeds(
    arguments: list[str], message: str, here: Path, command: Command
) -> None:
    command("import", "preds.npz", "--name", "mine")
    code, out, err = command("plan", "results/mine", *arguments)
    assert (code, out) == (2, "")
    assert message in err
