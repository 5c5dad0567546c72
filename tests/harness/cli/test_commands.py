"""Bad input to the commands: one message, exit 2, and nothing written."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import harness
from analysis.study.power import StatedFigures
from harness.cli.shared import needs_training_libraries
from harness.errors import HarnessError

Written = Callable[..., Path]

CLAIM = "claims: [{source: s, model: m, n: 9, accuracy: {%s: '0.9'}}]"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    code, out, err = result
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith("error: ") or re.match(r"\d+ problems:\n", err), err
    for word in words:
        assert word in err, err
    # Nothing is written, neither results nor a lock.
    assert everything(Path.cwd()) == {}
    assert list(Path.cwd().iterdir()) == []


# What is wrong in the file, checked without model and data: the change, the line, the key, the words.
FILE: list[tuple[str, str, int, str, Sequence[str]]] = [
    ("learning_rate: 1e-3", "learning_rat: 1e-3", 6, "training.learning_rat", ["did you mean 'learning_rate'?"]),
    (
        "num_train_epochs: 2",
        "num_train_epochs: two",
        7,
        "training.num_train_epochs",
        ["a whole number", "'two' (text)"],
    ),
    ("seeds: 3", "seeds: 3\nseeds: 4", 16, "seeds", ["given twice: first in line 15"]),
    ("seeds: 3", "seeds: !!python/object/apply:os.system [x]", 15, "seeds", ["the tag", "cannot contain code"]),
    ("seeds: 3", "seeds: [1, 1]", 15, "seeds", ["given twice: 1"]),
    ("  frozen:", "  lora-r2:", 13, "arms.lora-r2", ["two arms have one name: 'lora-r2' comes from arms.lora too"]),
    ("name: base", "name: ../x", 1, "name", ["letters, digits", "'../x'"]),
    ("name: base", "name: a/b", 1, "name", ["letters, digits", "'a/b'"]),
    ("name: base", f"name: {'a' * 300}", 1, "name", ["up to 100", "300 characters"]),
    ("[2, 8]", "[0]", 12, "arms.lora.grid.adapter.r", ["at least 1", "got 0"]),
    (
        "baseline: full",
        "baseline: ful",
        17,
        "analysis.baseline",
        ["full, lora-r2, lora-r8, frozen", "did you mean 'full'?"],
    ),
    ("baseline: full", "baseline: lora", 17, "analysis.baseline", ["full, lora-r2, lora-r8, frozen", "got 'lora'"]),
    ("baseline: full", "marginn: 0.1", 17, "analysis.marginn", ["did you mean 'margin'?"]),
    ("baseline: full", "margin: '0.1'", 17, "analysis.margin", ["a number above 0", "'0.1'"]),
    (
        "analysis: {baseline: full}",
        "analysis: {baseline: full}\n" + CLAIM % "lora-r4",
        18,
        "claims.0.accuracy.lora-r4",
        ["full, lora-r2, lora-r8, frozen", "got 'lora-r4'"],
    ),
    (
        "analysis: {baseline: full}",
        "analysis: {comparisons: [{treatment: lora-r9, baseline: full}]}",
        17,
        "analysis.comparisons.0.treatment",
        ["got 'lora-r9'"],
    ),
]


@pytest.mark.parametrize("name", ["run", "plan"])
@pytest.mark.parametrize(("old", "new", "line", "key", "words"), FILE, ids=lambda value: str(value)[:40])
def test_a_wrong_study_is_refused(
    command: Callable[..., Any],
    written: Written,
    name: str,
    old: str,
    new: str,
    line: int,
    key: str,
    words: Sequence[str],
) -> None:
    path = written((old, new))
    assert_refused(command(name, path), f"error: {path}:{line}: {key}: ", *words)


def test_all_problems_are_one_report(command: Callable[..., Any], written: Written) -> None:
    path = written(
        ("name: base", "name: a/b"),
        ("seeds: 3", "seeds: [1, 1]\nseeds: [1, 1]"),
        ("num_train_epochs: 2", "num_train_epochs: two"),
        ("baseline: full", "baseline: ful"),
    )
    result = command("run", path, "nonsense", "data.padding=shortest")
    assert_refused(result, "7 problems:\n")
    lines = result[2].splitlines()[1:]
    assert [line.split(": ")[0].strip().removeprefix(str(path)) for line in lines] == [
        ":1",
        ":7",
        ":16",
        ":16",
        ":18",
        "override 'nonsense'",
        "override 'data.padding=shortest'",
    ]


def test_what_is_no_study_file_is_refused(command: Callable[..., Any], written: Written, tmp_path: Path) -> None:
    assert_refused(command("run", written(text="")), "study.yaml: expected a study, got an empty file")
    assert_refused(command("run", written(text="- a\n")), "expected a mapping")
    assert_refused(command("run", written(text="a: [\n")), "study.yaml:2: not valid YAML")
    assert_refused(command("run", tmp_path), "expected a study file, got a folder; it holds study.yaml")
    assert_refused(command("run", tmp_path / "stduy.yaml"), "no such file; did you mean", "study.yaml")


def test_a_claims_file_is_for_the_audit(command: Callable[..., Any]) -> None:
    claims = Path(__file__).parents[3] / "studies" / "claims" / "distilbert.yaml"
    result = command("run", claims)
    assert_refused(result, f"systems: this is a claims file; use harness audit {claims}")
    assert len(result[2].splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--discordance", "8%", "expected a share from 0 to 1, got '8%'; write a share such as 0.08"),
        ("--seed-sd", "5", "expected a share from 0 to 1, such as 0.08, got '5'"),
        ("--rerun-discordance", "nan", "expected a share from 0 to 1, such as 0.08, got 'nan'"),
    ],
)
def test_a_share_is_no_percentage(
    command: Callable[..., Any], written: Written, option: str, text: str, words: str
) -> None:
    code, _, err = command("plan", written(), option, text)
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.test_fraction=30%", "expected a number, got '30%' (text); write a share such as 0.3"),
        ("seeds", "expected key=value"),
        ("seeds=ten", "seeds: expected a count of seeds or a list"),
        ("training.learning_rat=1", "training.learning_rat: unknown key; did you mean 'learning_rate'?"),
        ("arms.lor.adapter.r=2", "no arm 'lor'; did you mean 'lora'?"),
        ("analysis.baseline=none", "analysis.baseline: expected an arm of this study"),
        ("seeds=[1", "expected a value in YAML"),
    ],
)
def test_a_wrong_override_is_refused(command: Callable[..., Any], written: Written, override: str, words: str) -> None:
    assert_refused(command("run", written(), override), f"error: override {override!r}: ", words)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model=embedded/large"], ["no embedded checkpoint 'embedded/large'", "embedded/tiny-gpt2"]),
        (["model=./nowhere"], ["no file or folder ./nowhere"]),
        (["model=openai-community/gpt2"], ["'openai-community/gpt2' is not here", "Without a network", "model=FOLDER"]),
        (["data.path=nyu-mll/glue", "data.name=sst2"], ["'nyu-mll/glue' cannot be loaded", "data.path=FOLDER"]),
        (["data.path=./nowhere"], ["no file or folder ./nowhere"]),
        (["data.path=embedded/emotion"], ["no embedded data set 'embedded/emotion'"]),
        (["data.text=sentense"], ["no column 'sentense'", "did you mean 'sentence'?"]),
        (["data.label=labl"], ["no column 'labl'", "did you mean 'label'?"]),
        (["data.test=dev"], ["no split 'dev'", "validation"]),
        (["data.train_size=100000"], ["100000 examples asked for"]),
        (["arms.frozen.freeze.layers=99"], ["arm frozen: freeze.layers: expected 0 to ", "got 99"]),
        (["arms.lora.adapter.target_modules=[q_proj]"], ["arm lora-r2, lora-r8: ", "no module 'q_proj'", "c_attn"]),
        (["arms.lora.adapter.peft_type=LORRA"], ["'LORRA' is unknown to peft", "did you mean 'LORA'?"]),
        (["selection={best: loss, fraction: 0.99}", "data.train_size=20"], ["a hold-out of 0.99 of 20"]),
    ],
    ids=lambda value: str(value)[:45],
)
def test_what_does_not_fit_model_or_data_is_refused(
    command: Callable[..., Any], written: Written, overrides: list[str], words: Sequence[str]
) -> None:
    assert_refused(command("run", written(), *overrides), *words)


def test_every_arm_that_does_not_fit_is_named(command: Callable[..., Any], written: Written) -> None:
    result = command("run", written(), "arms.frozen.freeze.layers=99", "arms.lora.adapter.target_modules=[q_proj]")
    assert_refused(result, "arm lora-r2, lora-r8: ", "arm frozen: ")


@pytest.mark.parametrize("how", [[], ["--dry-run"]], ids=["run", "dry-run"])
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["model=./nowhere", "data.path=./gone", "data.test=gone.csv"],
            ["model: no file or folder ./nowhere", "data.path: no file or folder ./gone", "data.test: no file"],
        ),
        (
            ["model=./nowhere", "data.text=sentense"],
            ["model: no file or folder ./nowhere", "data.text: split 'train'", "data.text: split 'validation'"],
        ),
        (
            ["data.path=./gone", "arms.frozen.freeze.layers=99", "arms.lora.adapter.target_modules=[q_proj]"],
            ["data.path: no file", "arm lora-r2, lora-r8: adapter.target_modules", "arm frozen: freeze.layers"],
        ),
        (
            # DoRA is rehearsed, and a rehearsal needs the hold-out.
            [
                "selection={best: loss, fraction: 0.99}",
                "data.train_size=20",
                "arms.frozen.freeze.layers=99",
                "arms.lora.adapter.use_dora=true",
            ],
            ["arm full, lora-r2, lora-r8, frozen: selection.fraction: a hold-out of 0.99", "arm frozen: freeze.layers"],
        ),
    ],
    ids=["places", "columns", "arms", "hold-out"],
)
def test_problems_of_model_data_and_arms_are_told_together(
    command: Callable[..., Any],
    written: Written,
    how: list[str],
    overrides: list[str],
    words: Sequence[str],
) -> None:
    code, out, complaint = command("run", written(), *overrides, *how)
    first, *problems = complaint.splitlines()
    assert (code, out, first) == (2, "", f"{len(words)} problems:")
    assert all(problem.startswith(word) for problem, word in zip(problems, words, strict=True))


def test_a_split_with_one_class_is_refused(command: Callable[..., Any], written: Written, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("sentence,label\ngood,1\nbad,0\n")
    (folder / "validation.csv").write_text("sentence,label\nfine,1\nnice,1\n")
    assert_refused(command("run", written(), f"data.path={folder}"), "split 'validation' holds one class only, '1'")


def newer(folder: Path) -> Path:
    """Results that a later version of the harness wrote."""
    study = folder / "base"
    (study / "trials" / "v9-0").mkdir(parents=True)
    (study / "study.json").write_text(json.dumps({"format": 99, "name": "base"}))
    (study / "trials" / "v9-0" / "record.json").write_text(json.dumps({"format": 99}))
    return study


@pytest.mark.parametrize("name", ["run", "analyze", "status"])
def test_results_of_a_newer_format_are_refused_and_kept(
    command: Callable[..., Any], written: Written, tmp_path: Path, name: str
) -> None:
    study = newer(tmp_path / "results")
    before = everything(study)
    arguments = {
        "run": ["run", written(), "--results", study.parent],
        "analyze": ["analyze", study],
        "status": ["status", written(), "--results", study.parent],
    }[name]
    assert_refused(command(*arguments), "study.json", "99")
    assert everything(study) == before


@pytest.mark.parametrize("name", ["analyze", "status"])
def test_results_that_are_not_there_are_refused(
    command: Callable[..., Any], tmp_path: Path, written: Written, name: str
) -> None:
    first = "run a study first: harness run embedded/quickstart"
    assert_refused(command(name), f"error: results does not exist; {first}")
    assert_refused(command(name, tmp_path / "here"), f"here holds no results; {first}")
    study = written()
    assert_refused(command(name, study), f"error: {study} has not run yet: harness run {study}\n")
    shipped = "embedded/quickstart"
    assert_refused(command(name, shipped), f"error: {shipped} has not run yet: harness run {shipped}\n")
    assert_refused(command("plan", "embedded/quikstart"), f"no such file; did you mean '{shipped}'?")
    assert_refused(command("run", tmp_path / "quickstart"), f"no such file; did you mean {shipped}?")
    assert_refused(command(name, study.with_name("stdy.yaml")), f"stdy.yaml does not exist; did you mean {study}?")
    folder = newer(tmp_path / "results")
    result = command(name, folder.with_name("bse"))
    assert_refused(result, f"bse does not exist; did you mean {folder}?")
    # A name in the folder of all results, almost one, and a study without its manifest.
    assert_refused(command(name, "base", "--results", folder.parent), f"{folder / 'study.json'} has format 99")
    assert_refused(command(name, "bse", "--results", folder.parent), f"did you mean {folder}?")
    (folder / "study.json").unlink()
    (folder / "trials").mkdir(exist_ok=True)
    result = command(name, study, "--results", folder.parent)
    assert_refused(
        result, f"{folder} holds trials but no study.json; to write it again: harness run {study} --results "
    )


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["bogus"], ["analyze", "--format", "html"], ["run", "--nothing"]],
)
def test_a_wrong_command_line_exits_with_2(command: Callable[..., Any], arguments: list[str]) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Usage:" in err
    assert "Traceback" not in err


COMMANDS = ("plan", "run", "status", "analyze", "audit")


def test_help_names_every_command(command: Callable[..., Any]) -> None:
    code, out, _ = command("--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_an_example_and_the_exit_codes(command: Callable[..., Any], name: str) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"\n  Example: harness {name}" in out
    assert "\n  Exit codes: 0 " in out


def test_the_help_of_a_plan_names_the_figures_that_it_assumes(command: Callable[..., Any]) -> None:
    words = " ".join(command("plan", "--help")[1].split())
    for option, figure in dataclasses.asdict(StatedFigures()).items():
        section = words.rpartition(f"--{option.replace('_', '-')} SHARE")[2].partition(" --")[0]
        assert f"default {figure:g}" in section


def test_markup_in_a_name_is_shown_as_it_is(command: Callable[..., Any], written: Written) -> None:
    # As markup, rich would eat [v], and raise on [/red].
    path = written(("  full: {}", "  'full[v][/red]': {}"), ("baseline: full", "baseline: 'full[v][/red]'"))
    code, out, _ = command("plan", path)
    assert code == 0
    assert "full[v][/red]" in out


def test_a_plan_says_what_the_study_can_find(command: Callable[..., Any], written: Written) -> None:
    path = written()
    code, out, _ = command("plan", path, "--seed-sd", "0.02")
    assert code == 0
    assert "What the study can find" in out
    assert "SD of 2%" in out
    code, out, _ = command("plan", path, "--json")
    outlook = json.loads(out)["studies"][0]["outlook"]
    assert outlook["stated"] == {"seed_sd": 0.01, "discordance": 0.08, "rerun_discordance": 0.05}
    assert outlook["plans"][0][1]["hours"] is None
    assert_refused(command("plan", path, "--seed-sd", "0.5"), "the stated figures are impossible", "0.5")


def test_a_plan_advises_looks_and_the_lines_that_declare_them(command: Callable[..., Any], written: Written) -> None:
    path = written()
    options = ("analysis.margin=0.015", "seeds=12", "--test-examples", "2000")
    code, out, _ = command("plan", path, *options)
    assert code == 0
    assert "Looks, to find 1.5 pp with 80% power and fewer trials\n" in out
    (study,) = json.loads(command("plan", path, *options, "--json")[1])["studies"]
    advised = study["look_designs"]["advised"]
    assert len(advised) > 1
    assert f"  seeds: {advised[-1]}\n  looks: {advised}   # in the block analysis\n" in out
    declared = ["analysis.margin=0.015", f"seeds={advised[-1]}", f"analysis.looks={advised}"]
    assert f"or at once: {shlex.join(['harness', 'run', str(path), *declared, '--until-decided'])}\n" in out
    # What it says can be done, and is not said again of a study that declares these looks.
    code, out, _ = command("plan", path, *declared, "--test-examples", "2000")
    assert code == 0
    assert "advised, declared" in out
    assert "To declare the advised looks" not in out
    assert command("run", path, *declared, "--until-decided", "--dry-run")[0] == 0


def test_a_plan_for_another_power_takes_more_seeds(command: Callable[..., Any], written: Written) -> None:
    path = written()
    plans = {}
    for power in ("0.8", "0.95"):
        options = ("analysis.margin=0.02", "--test-examples", "2000", "--power", power)
        (study,) = json.loads(command("plan", path, *options, "--json")[1])["studies"]
        plans[power] = (study["outlook"]["plans"][0][1]["seeds_needed"]["value"], study["look_designs"]["advised"][-1])
    assert all(less < more for less, more in zip(*plans.values(), strict=True))
    assert "For 95% power" in command("plan", path, *options)[1]
    code, _, err = command("plan", path, "--power", "0.3")
    assert (code, "Invalid value for '--power': expected a share from 0.6 to 0.99, got '0.3'" in err) == (2, True)


def test_a_plan_names_the_training_sets_that_seeds_draw(command: Callable[..., Any], written: Written) -> None:
    path = written()
    code, out, _ = command("plan", path, "data.resample=0.25", "data.train_size=400")
    assert code == 0
    told = " ".join(out.split())
    assert "each seed draws its own 100 of the 400 training examples" in told
    assert "over new seeds, new training sets of 100 examples from this pool and new examples" in told
    code, out, _ = command("plan", path, "data.resample=0.25", "--json")
    outlook = json.loads(out)["studies"][0]["outlook"]
    assert outlook["plans"][0][1]["generalizes_to"] == "seeds, training sets and examples"
    for share in ("0", "1", "1.5", "-0.1"):
        assert_refused(
            command("plan", path, f"data.resample={share}"),
            "data.resample",
            f"expected above 0 and below 1, got {share}",
        )
    assert_refused(command("plan", path, "data.resample=0.001", "data.train_size=40"), "none of them")


def test_ctrl_c_before_anything_trains_is_told(
    command: Callable[..., Any], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.hub.offline_if_unreachable", press_ctrl_c)
    assert command("run", written()) == (130, "", "stopped by SIGINT; nothing that was recorded is lost\n")


def in_a_process(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = Path(harness.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
    code = "from harness.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        check=False,
    )


def test_a_command_leaves_no_garbage_to_look_for_on_its_way_out(tmp_path: Path) -> None:
    # What is registered first is called last.
    code = (
        "import atexit, gc; atexit.register(lambda: print(len(gc.get_objects()) < 1000)); "
        "from harness.cli import main; main()"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(harness.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, cwd=tmp_path, env=env, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("learning_rate: 1e-3", "learning_rat: 1e-3", "did you mean 'learning_rate'?"),
        ("seeds: 3", "seeds: !!python/object/apply:os.system ['touch HERE']", "cannot contain code"),
        ("model: embedded/tiny-gpt2", "model: some/model", "Without a network"),
    ],
)
def test_a_real_process_says_one_thing_and_exits_with_2(
    written: Written, tmp_path: Path, old: str, new: str, words: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    done = in_a_process("run", written((old, new)), cwd=here)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert list(here.iterdir()) == []


def test_a_plan_lists_what_is_trained_beside_adapters(tiny_file: Path, command: Callable[..., Any]) -> None:
    added = ["model=embedded/tiny-gpt2"]
    added += ["arms.ia3={adapter: {peft_type: IA3, target_modules: [c_attn], feedforward_modules: []}}"]
    added += ["arms.high={adapter: {peft_type: LORA, target_modules: [c_attn], layers_to_transform: [0, 99]}}"]
    added += ["arms.prompt={adapter: {peft_type: PROMPT_TUNING, num_virtual_tokens: 2}}"]
    code, out, complaint = command("plan", tiny_file, *added, "arms.frozen={freeze: {layers: 4}}", "--json")
    refusals = [line for line in complaint.splitlines() if line.startswith("error: harness run will refuse arm ")]
    assert (code, [line.split(":")[1].split()[-1] for line in refusals]) == (2, ["high", "prompt"])
    plan = json.loads(out)["studies"][0]
    words = "trained besides adapters and unfrozen layers: score (lora-r2, lora-r4, ia3, frozen)"
    assert words in plan["remarks"]
    reasons = {arm["arm"]: arm["reason"] for arm in plan["arms"]}
    assert "layers_to_transform: expected 0 to 3, the layers of this model, got 99" in reasons["high"]
    assert "this model's scores for an example depend on the padding of its batch" in reasons["prompt"]
    assert not reasons["ia3"]


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["tables", "json"])
def test_a_plan_says_once_why_an_arm_is_refused(
    written: Written, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    code, out, complaint = command("plan", written(), "arms.lora.adapter.target_modules=[q_proj]", *how)
    reason = "this model has no module 'q_proj'"
    assert (code, complaint.count("\n"), complaint.count(reason)) == (2, 1, 1)
    assert complaint.startswith("error: harness run will refuse arm lora-r2, lora-r8: adapter.target_modules: ")
    # For a program, it stands beside each arm.
    assert out.count(reason) == (2 if how else 0)


def test_a_plan_says_why_parameters_are_not_counted_of_arms_that_a_run_may_train(
    written: Written, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    code, out, complaint = command("plan", written(("embedded/tiny-gpt2", "somebody/model")))
    assert (code, complaint) == (0, "")
    assert out.count("parameters not counted: model 'somebody/model' is not here") == 1


def test_a_plan_prefers_what_is_stated_and_takes_no_pilot_of_other_settings(
    tiny_file: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    code, _, _ = command("run", tiny_file, "--results", tmp_path / "results")
    assert code == 0
    plain = ("plan", tiny_file, "--results", tmp_path / "results", "--json")

    def planned(*more: str) -> Any:
        code, out, _ = command(*plain[:2], *more, *plain[2:])
        assert code == 0
        return json.loads(out)["studies"][0]

    plan = planned()
    assert plan["outlook"]["pilot_seeds"] == 2
    assert plan["outlook"]["stated"] is None
    more = planned("--test-examples", "20000")["outlook"]["plans"][0][1]
    assert more["n_examples"] == 20000
    stated = planned("--seed-sd", "0.02")["outlook"]
    assert (stated["pilot_seeds"], stated["stated"]["seed_sd"]) == (0, 0.02)
    other = planned("arms.full.training.learning_rate=0.5")
    assert other["outlook"]["pilot_seeds"] == 0
    assert any("holds results of other settings" in remark for remark in other["remarks"])
    # The study's own margin, seeds and looks may change: the pilot still speaks for it.
    assert planned("seeds=12", "analysis.margin=0.03")["outlook"]["pilot_seeds"] == 2


def test_a_plan_says_why_it_cannot_tell(command: Callable[..., Any], written: Written) -> None:
    _, out, _ = command("plan", written(("analysis: {", "analysis: {metric: mcc, ")))
    assert "what it can find in mcc: known once two seeds have run" in out
    _, out, _ = command("plan", written(("seeds: 3", "seeds: 1")))
    assert "takes two arms and more than one seed" in out


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("60", 60), ("", 120), ("5", 120), ("wide", 120)])
def test_what_is_piped_is_as_wide_as_the_shell_says_and_ends_its_lines_without_blanks(
    command: Callable[..., Any], written: Written, monkeypatch: pytest.MonkeyPatch, columns: str, widest: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = command("audit", "--n", "872", "90.71%", "90.60%")
    lines = out.splitlines()
    assert code == 0
    assert 0.6 * widest < max(map(len, lines)) <= widest
    assert [line for line in lines if line != line.rstrip()] == []
    code, out, _ = command("plan", written())
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_the_version_is_told(command: Callable[..., Any]) -> None:
    code, out, _ = command("--version")
    assert code == 0
    assert re.fullmatch(r"ablation-harness \d+\.\d+\.\d+\S*\n", out)


def test_a_shell_completes_commands_and_options() -> None:
    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "-c", "import sys; sys.argv = ['harness']; from harness.cli import main; main()"],
            env={**os.environ, "_HARNESS_COMPLETE": "complete_bash", **words},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert completed("harness a") == ["analyze", "audit"]
    assert completed("harness run --s") == ["--same", "--sbatch", "--storage"]


@pytest.mark.parametrize("missing", [False, True])
def test_the_collector_rests_while_training_libraries_load(missing: bool) -> None:
    refused = pytest.raises(HarnessError, match="torch is not installed") if missing else nullcontext()
    with refused, needs_training_libraries():
        assert not gc.isenabled()
        if missing:
            raise ModuleNotFoundError(name="torch")
    assert gc.isenabled()
