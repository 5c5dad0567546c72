"""The study file: what loads, what it becomes, and one report of everything that is wrong."""

from __future__ import annotations

import io
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from harness.errors import Problem, StudyError
from harness.study.grid import with_settings
from harness.study.loading import load_study
from harness.study.settings import Arm, BestEpoch, LoraAdapter
from harness.study.training import Training
from harness.study.trials import expand

Written = Callable[..., Path]
Refused = Callable[..., tuple[Problem, ...]]

# The example of the design, to the letter.
DESIGN = """\
name: lora_rank
question: Is the gap between full fine-tuning and LoRA real, and does the rank matter?
model: openai-community/gpt2            # Hub name, local folder, or embedded/...
data:
  path: nyu-mll/glue                    # Hub name, local folder or file, or embedded/...
  name: sst2
  text: sentence                        # or [sentence1, sentence2]
  label: label
  train: train
  test: validation                      # GLUE hides the labels of its test split
  max_length: 128
  padding: longest                      # or max_length; padding_side: left exists to reproduce a published protocol
training:                               # names and meanings of transformers.TrainingArguments, an allow-list
  num_train_epochs: 2
  per_device_train_batch_size: 16
  weight_decay: 0.01
  lr_scheduler_type: linear
  warmup_steps: 0.0                     # below 1: a share of all steps
arms:
  full:
    training: {learning_rate: 5e-5}
  lora:
    training: {learning_rate: 5e-4}
    adapter: {peft_type: LORA, lora_alpha: 16, lora_dropout: 0.05, target_modules: [c_attn]}   # peft's own names
    grid: {adapter.r: [2, 4, 8]}        # becomes lora-r2, lora-r4, lora-r8
seeds: 20                               # a count, or a list
selection: last                         # or {best: accuracy, on: holdout, fraction: 0.05, patience: 2}; on: test only to reproduce a protocol
analysis:
  metric: accuracy
  baseline: full
  comparisons:                          # besides each arm against the baseline
    - {treatment: lora-r2, baseline: lora-r8}
  margin: 0.01
  alpha: 0.05
  correction: holm
  failed_trials: refuse                 # or drop_seed: the seed leaves every arm, and the tables say so
claims:
  - source: first execution report, table 2
    model: openai-community/gpt2
    n: 872
    accuracy: {full: "0.883", lora-r4: "0.862"}    # as printed: the digits matter
"""  # noqa: E501


def test_the_design_loads_exactly(written: Written) -> None:
    study = load_study(written(text=DESIGN))
    assert study.name == "lora_rank"
    assert study.question.startswith("Is the gap")
    assert study.model == "openai-community/gpt2"
    assert study.data.model_dump() == {
        "path": "nyu-mll/glue",
        "name": "sst2",
        "revision": None,
        "text": ("sentence",),
        "label": "label",
        "cluster": None,
        "train": "train",
        "test": "validation",
        "test_fraction": None,
        "split_seed": 0,
        "train_size": None,
        "test_size": None,
        "resample": None,
        "max_length": 128,
        "padding": "longest",
        "padding_side": "right",
    }
    assert list(study.arms) == ["full", "lora-r2", "lora-r4", "lora-r8"]
    assert study.seeds == tuple(range(20))
    assert study.selection == "last"
    shared: dict[str, Any] = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 16,
        "weight_decay": 0.01,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.0,
    }
    assert study.arms["full"] == Arm(training=Training(learning_rate=5e-5, **shared))
    for rank in (2, 4, 8):
        lora = LoraAdapter(peft_type="LORA", r=rank, lora_alpha=16, lora_dropout=0.05, target_modules=("c_attn",))
        assert study.arms[f"lora-r{rank}"] == Arm(
            training=Training(learning_rate=5e-4, **shared), adapter=lora, factors={"adapter.r": rank}
        )
    assert study.analysis["comparisons"] == [{"treatment": "lora-r2", "baseline": "lora-r8"}]
    assert study.claims[0]["accuracy"] == {"full": "0.883", "lora-r4": "0.862"}
    expanded = [(trial.arm, trial.seed) for trial in expand(study, arms=study.arms, model="m", data="d")]
    assert expanded == [(arm, seed) for seed in range(20) for arm in ("full", "lora-r2", "lora-r4", "lora-r8")]


def test_a_study_does_not_change(written: Written) -> None:
    study = load_study(written())
    with pytest.raises(ValueError, match="frozen"):
        study.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        study.arms["full"].training.learning_rate = 1.0  # type: ignore[misc]


def test_what_an_arm_does_not_set_it_inherits(written: Written) -> None:
    holdout = "{best: loss, on: holdout, fraction: 0.2, patience: 2}"
    study = load_study(
        written(
            ("selection: last", f"selection: {holdout}"),
            ("  full: {}", "  full: {training: {num_train_epochs: 7}, selection: last}"),
        )
    )
    assert study.arms["full"].training == Training(learning_rate=1e-3, num_train_epochs=7)
    assert study.arms["full"].selection == "last"
    assert study.arms["frozen"].training == Training(learning_rate=1e-3, num_train_epochs=2)
    assert study.arms["frozen"].selection == BestEpoch(best="loss", on="holdout", fraction=0.2, patience=2)


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [("1", (0,)), ("3", (0, 1, 2)), ("[7, 3]", (7, 3)), ("[4294967295]", (4294967295,)), ("010", tuple(range(10)))],
)
def test_seeds_are_a_count_or_a_list(written: Written, seeds: str, expected: tuple[int, ...]) -> None:
    assert load_study(written(("seeds: 3", f"seeds: {seeds}"))).seeds == expected


@pytest.mark.parametrize(
    ("arm", "names"),
    [
        (
            "lora: {adapter: {peft_type: LORA, target_modules: [c_attn]}, grid: {adapter.r: [4, 16]}}",
            ["lora-r4", "lora-r16"],
        ),
        ("freezing: {grid: {freeze.layers: [0, 3]}}", ["freezing-layers0", "freezing-layers3"]),
        (
            "schedule: {grid: {training.lr_scheduler_type: [linear, cosine]}}",
            ["schedule-linear", "schedule-cosine"],
        ),
        ("fixed: {grid: {training.num_train_epochs: [1, 3]}}", ["fixed-epochs1", "fixed-epochs3"]),
        ("rate: {grid: {training.learning_rate: [5e-5, 0.5]}}", ["rate-rate5e-05", "rate-rate0.5"]),
        ("half: {grid: {training.bf16: [true, false]}}", ["half-bf16-true", "half-bf16-false"]),
        (
            "two: {grid: {freeze.layers: [2, 3], training.lr_scheduler_type: [linear, cosine]}}",
            ["two-layers2-linear", "two-layers2-cosine", "two-layers3-linear", "two-layers3-cosine"],
        ),
    ],
)
def test_grid_names(written: Written, arm: str, names: list[str]) -> None:
    study = load_study(written(("  full: {}", f"  {arm}"), ("  lora:\n", "  another:\n")))
    assert [name for name in study.arms if name.partition("-")[0] == names[0].partition("-")[0]] == names


def test_a_grid_sets_what_its_names_say(written: Written) -> None:
    study = load_study(written(("  full: {}", "  deep: {grid: {freeze.layers: [2, 3], training.bf16: [true, false]}}")))
    arm = study.arms["deep-layers2-bf16-false"]
    assert arm.freeze is not None
    assert (arm.freeze.layers, arm.training.bf16) == (2, False)
    assert arm.factors == {"freeze.layers": 2, "training.bf16": False}


LONG = "a" * 300
LORA = "adapter: {peft_type: LORA, target_modules: [c_attn]}"

# What is written wrong; the line and key that the report names; what it says.
WRONG: list[tuple[str, str, int, str, Sequence[str]]] = [
    ("learning_rate: 1e-3", "learning_rat: 1e-3", 6, "training.learning_rat", ["did you mean 'learning_rate'?"]),
    ("seeds: 3", "seeds: 3\nsede: 4", 16, "sede", ["unknown key", "did you mean 'seeds'?"]),
    ("  path: emb", "  pth: 1\n  path: emb", 4, "data.pth", ["did you mean 'path'?"]),
    ("    freeze: {layers: 1}", "    freze: {layers: 1}", 14, "arms.frozen.freze", ["did you mean 'freeze'?"]),
    ("layers: 1", "layer: 1, layers: 1", 14, "arms.frozen.freeze.layer", ["did you mean 'layers'?"]),
    ("LORA,", "LORA, lora_alfa: 3,", 11, "arms.lora.adapter.lora_alfa", ["did you mean 'lora_alpha'?"]),
    ("selection: last", "selection: {best: loss, of: holdout}", 16, "selection.of", ["unknown key", "patience"]),
    ("name: base", "name: base\nzzz: 1", 2, "zzz", ["unknown key; expected one of name,", "claims"]),
    ("num_train_epochs: 2", 'num_train_epochs: "1"', 7, "training.num_train_epochs", ["whole number", "'1' (text)"]),
    ("num_train_epochs: 2", "num_train_epochs: 2.0", 7, "training.num_train_epochs", ["whole number", "got 2.0"]),
    ("num_train_epochs: 2", "num_train_epochs: true", 7, "training.num_train_epochs", ["whole number", "true/false"]),
    ("num_train_epochs: 2", "num_train_epochs: -1", 7, "training.num_train_epochs", ["at least 0", "got -1"]),
    ("learning_rate: 1e-3", "learning_rate: true", 6, "training.learning_rate", ["expected a number", "true/false"]),
    ("learning_rate: 1e-3", 'learning_rate: "1e-3"', 6, "training.learning_rate", ["expected a number", "(text)"]),
    ("learning_rate: 1e-3", "learning_rate: 0", 6, "training.learning_rate", ["above 0 and below 100"]),
    ("learning_rate: 1e-3", "bf16: no", 6, "training.bf16", ["expected true or false", "got 'no' (text)"]),
    ("learning_rate: 1e-3", "bf16: off", 6, "training.bf16", ["expected true or false", "got 'off' (text)"]),
    ("learning_rate: 1e-3", "lr_scheduler_type: cosin", 6, "training.lr_scheduler_type", ["did you mean 'cosine'?"]),
    # transformers 5 has no warmup_ratio: warmup_steps takes a share below 1.
    ("learning_rate: 1e-3", "warmup_ratio: 0.1", 6, "training.warmup_ratio", ["unknown key"]),
    (
        "training:\n  learning_rate: 1e-3\n  num_train_epochs: 2",
        "training: [1]",
        5,
        "training",
        ["a mapping", "(list)"],
    ),
    ("path: embedded/sentiment", "path: ''", 4, "data.path", ["at least 1"]),
    ("path: embedded/sentiment", "path: x\n  text: [a, b, c]", 5, "data.text", ["at most 2"]),
    ("path: embedded/sentiment", "path: x\n  text: []", 5, "data.text", ["at least 1"]),
    ("path: embedded/sentiment", "path: x\n  padding: max", 5, "data.padding", ["'longest' or 'max_length'"]),
    ("path: embedded/sentiment", "path: x\n  train_size: 1", 5, "data.train_size", ["at least 2"]),
    ("model: embedded/tiny-gpt2", "question: q", 1, "model", ["missing"]),
    ("name: base", "name: ../x", 1, "name", ["letters, digits", "'../x'"]),
    ("name: base", "name: a/b", 1, "name", ["letters, digits", "'a/b'"]),
    ("name: base", "name: ..", 1, "name", ["letters, digits", "'..'"]),
    ("name: base", "name: .hidden", 1, "name", ["letters, digits", "'.hidden'"]),
    ("name: base", "name: ''", 1, "name", ["letters, digits"]),
    ("name: base", 'name: "a\\nb"', 1, "name", ["letters, digits"]),
    ("name: base", f"name: {LONG}", 1, "name", ["up to 100", "(300 characters)"]),
    ("name: base", "name: 2026", 1, "name", ["expected a text", "2026 (whole number)"]),
    ("  full: {}", f"  {LONG}: {{}}", 9, f"arms.{LONG}", ["1 to 100 printable characters", "..."]),
    ("  full: {}", "  1: {}", 8, "arms.1", ["expected a text"]),
    ("  full: {}", "  full: []", 9, "arms.full", ["expected a mapping", "list"]),
    ("  full: {}", "  full:", 9, "arms.full", ["expected a mapping", "nothing"]),
    ("seeds: 3", "seeds: [1, 2, 1, 3, 2]", 15, "seeds", ["given twice: 1, 2"]),
    ("seeds: 3", "seeds: 0", 15, "seeds", ["1 to 10000", "got 0"]),
    ("seeds: 3", "seeds: 10001", 15, "seeds", ["1 to 10000"]),
    ("seeds: 3", "seeds: []", 15, "seeds", ["at least 1"]),
    ("seeds: 3", "seeds: ten", 15, "seeds", ["a count of seeds or a list", "'ten'"]),
    ("seeds: 3", "seeds: true", 15, "seeds", ["a count of seeds or a list", "True"]),
    ("seeds: 3", "seeds: 3.0", 15, "seeds", ["a count of seeds or a list", "3.0"]),
    ("seeds: 3", "seeds: [-1]", 15, "seeds.0", ["at least 0"]),
    ("seeds: 3", "seeds: [4294967296]", 15, "seeds.0", ["less than 4294967296"]),
    ("seeds: 3", 'seeds: [1, "2"]', 15, "seeds.1", ["whole number", "'2' (text)"]),
    ("  full: {}", "  lora-r8: {}", 10, "arms.lora", ["two arms have one name", "'lora-r8'", "arms.lora-r8"]),
    (
        "  full: {}",
        "  full: {training: {learning_rate: 1e-3}}\n  same: {}",
        10,
        "arms.same",
        ["same settings as", "'full'"],
    ),
    ("[2, 8]", "[2, 2]", 12, "arms.lora.grid.adapter.r", ["none of them twice"]),
    ("[2, 8]", "[]", 12, "arms.lora.grid.adapter.r", ["at least one"]),
    ("[2, 8]", "[[2]]", 12, "arms.lora.grid.adapter.r", ["numbers or texts"]),
    ("[2, 8]", "[2, 0]", 12, "arms.lora.grid.adapter.r", ["at least 1", "got 0"]),
    ("adapter.r:", "adaptor.r:", 12, "arms.lora.grid.adaptor.r", ["did you mean 'adapter'?"]),
    ("adapter.r:", "adapter.rr:", 12, "arms.lora.grid.adapter.rr", ["did you mean 'r'?"]),
    ("adapter.r:", "selection.best:", 12, "arms.lora.grid.selection.best", ["training.*, adapter.* or freeze.*"]),
    ("LORA,", "LORA, r: 0,", 11, "arms.lora.adapter.r", ["at least 1", "got 0"]),
    ("peft_type: LORA, ", "", 11, "arms.lora.adapter.peft_type", ["missing"]),
    ("peft_type: LORA", "peft_type: lora", 11, "arms.lora.adapter.peft_type", ["'lora'"]),
    ("layers: 1", "layers: -1", 14, "arms.frozen.freeze.layers", ["at least 0"]),
    ("layers: 1", "layers: 1, dropout: no", 14, "arms.frozen.freeze.dropout", ["'on' or 'off'"]),
    ("freeze: {layers: 1}", f"freeze: {{layers: 1}}\n    {LORA}", 13, "arms.frozen", ["either adapter or freeze"]),
    ("selection: last", "selection: lst", 16, "selection", ["expected 'last'", "did you mean 'last'?"]),
    ("selection: last", "selection: {best: f1}", 16, "selection.best", ["'accuracy' or 'loss'", "'f1'"]),
    ("selection: last", "selection: {best: loss, fraction: 1.0}", 16, "selection.fraction", ["above 0 and below 1"]),
    ("selection: last", "selection: {best: loss, on: test, patience: 2}", 16, "selection", ["only with on: holdout"]),
    ("selection: last", "selection: {best: loss, on: test, fraction: 0.1}", 16, "selection", ["only with on: holdout"]),
    ("selection: last", "deviations: one", 16, "deviations", ["expected a list"]),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_named_with_its_line_and_key(
    written: Written, refused: Refused, old: str, new: str, line: int, key: str, words: Sequence[str]
) -> None:
    path = written((old, new))
    problems = refused(path)
    # One mistake is not reported under other names as well.
    assert {problem.key for problem in problems} == {key}
    assert problems[0].place == f"{path}:{line}"
    assert all(word in problems[0].message for word in words), problems[0].message


def test_a_report_speaks_plainly(written: Written, refused: Refused) -> None:
    for old, new, *_ in WRONG:
        for problem in refused(written((old, new))):
            for jargon in (
                "Input should",
                "after validation",
                "dictionary",
                "instance of",
                "ArmBlock",
                "<lora>",
                "tuple",
            ):
                assert jargon not in problem.message


def test_problems_of_several_kinds_are_one_report_in_the_order_of_the_file(written: Written, refused: Refused) -> None:
    path = written(
        ("name: base", "name: a/b"),
        ("learning_rate: 1e-3", "learning_rat: 1e-3\n  bf16: no\n  bf16: no"),
        ("[2, 8]", "[0]"),
        ("seeds: 3", "seeds: [1, 1]"),
    )
    problems = refused(path, "data.padding=shortest", "nonsense", "training.weight_decay=-1")
    assert [(problem.place.removeprefix(str(path)), problem.key) for problem in problems] == [
        (":1", "name"),
        (":6", "training.learning_rat"),
        (":8", "training.bf16"),
        (":8", "training.bf16"),
        (":14", "arms.lora.grid.adapter.r"),
        (":17", "seeds"),
        ("override 'nonsense'", ""),
        ("override 'data.padding=shortest'", "data.padding"),
        ("override 'training.weight_decay=-1'", "training.weight_decay"),
    ]


def test_further_checks_join_the_report(written: Written) -> None:
    seen: list[tuple[str, ...]] = []

    def check(raw: Mapping[str, Any], arms: Sequence[str]) -> list[tuple[tuple[str | int, ...], str]]:
        seen.append(tuple(arms))
        return [(("analysis", "baseline"), "no such arm")]

    with pytest.raises(StudyError) as caught:
        load_study(written(("seeds: 3", "seeds: 0")), checks=[check])
    assert seen == [("full", "lora-r2", "lora-r8", "frozen")]
    assert [problem.key for problem in caught.value.problems] == ["seeds", "analysis.baseline"]
    assert caught.value.problems[1].place.endswith(":17")


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("seeds=x", "seeds", "a count of seeds or a list"),
        ("seeds=", "seeds", "a count of seeds or a list"),
        ("seeds=[1,1]", "seeds", "given twice: 1"),
        ("name=../x", "name", "letters, digits"),
        ("training.learning_rat=1", "training.learning_rat", "did you mean 'learning_rate'?"),
        ("training..x=1", "training.", "unknown key"),
        ("bogus.x=1", "bogus", "unknown key"),
        ("arms={}", "arms", "at least 1"),
        ("arms=null", "arms", "expected a mapping"),
        ("arms.full.adapter.r=4", "arms.full.adapter.peft_type", "missing"),
        ("arms.lora.grid.adapter.r=[0]", "arms.lora.grid.adapter.r", "at least 1"),
        ("arms.lora.adapter.target_modules=3", "arms.lora.adapter.target_modules", "got 3"),
        ("data=embedded/sentiment", "data", "expected a mapping"),
        ("selection.best=f1", "", "so it has no key 'best'"),
        ("arms.lora-r2.training.weight_decay=0", "", "no arm 'lora-r2'"),
    ],
)
def test_a_wrong_override_is_named_instead_of_a_line(
    written: Written, refused: Refused, override: str, key: str, words: str
) -> None:
    problems = refused(written(), override)
    assert {problem.place for problem in problems} == {f"override {override!r}"}
    assert any(problem.key == key and words in problem.message for problem in problems), problems


def test_overrides_are_checked_and_typed_as_the_file_is(written: Written) -> None:
    study = load_study(
        written(),
        [
            "seeds=5",
            "training.learning_rate=1e-4",
            "arms.full.training.weight_decay=0.1",
            "data.train_size=200",
            "data.name=null",
            "arms.lora.adapter.target_modules=[query,value]",
            "arms.lora.grid.adapter.r=[4]",
            "arms.extra={freeze: {layers: 0}}",
        ],
    )
    assert study.seeds == (0, 1, 2, 3, 4)
    assert {arm.training.learning_rate for arm in study.arms.values()} == {1e-4}
    assert study.arms["full"].training.weight_decay == 0.1
    assert (study.data.train_size, study.data.name) == (200, None)
    assert list(study.arms) == ["full", "lora-r4", "frozen", "extra"]
    adapter = study.arms["lora-r4"].adapter
    assert isinstance(adapter, LoraAdapter)
    assert adapter.target_modules == ("query", "value")


def test_a_setting_that_every_arm_inherits_is_one_problem(written: Written, refused: Refused) -> None:
    (problem,) = refused(written(("num_train_epochs: 2", "num_train_epochs: two")))
    assert problem.place.endswith(":7")


def test_each_arm_is_validated_once(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    validated, checked = [], []
    original = Arm.model_validate.__func__  # type: ignore[attr-defined]

    def count(cls: type[Arm], raw: Any) -> Arm:
        arm: Arm = original(cls, raw)
        validated.append(arm)
        return arm

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is Arm._one_way_of_freezing.__code__:
            checked.append(id(frame.f_locals["self"]))

    monkeypatch.setattr(Arm, "model_validate", classmethod(count))
    sys.setprofile(note)
    try:
        arms = load_study(written()).arms
    finally:
        sys.setprofile(None)
    assert len(arms) == 4
    assert [id(arm) for arm in validated] == [id(arm) for arm in arms.values()]
    assert checked == [id(arm) for arm in arms.values()]


def test_other_settings_are_checked_again(written: Written) -> None:
    arm = load_study(written()).arms["lora-r2"]
    changed = with_settings(arm, {"training.learning_rate": 1e-5, "adapter.r": 16})
    assert changed.training.learning_rate == 1e-5
    assert isinstance(changed.adapter, LoraAdapter)
    assert changed.adapter.r == 16
    assert isinstance(arm.adapter, LoraAdapter)
    assert arm.adapter.r == 2
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        with_settings(arm, {"adapter.r": 0})


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [inner for key, item in inside for inner in _paths(item, (*path, key))]


PATHS = _paths(YAML(typ="safe", pure=True).load(DESIGN))
ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 3, 2**40, 0.5, 1e300, "", "x", "1", "last", "\n", "[/red]", [], [1], [[1]], ["a", None]),
        *({}, {"a": 1}, {1: 2}, {"best": "loss"}, {"peft_type": "IA3"}, {"adapter.r": [1, 2]}, {"layers": 1}),
    ]
)


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.sampled_from(PATHS), value=ODD, also=st.sampled_from(PATHS), other=ODD)
def test_a_study_loads_or_is_refused_whatever_stands_in_it(
    tmp_path: Path, path: tuple[Any, ...], value: Any, also: tuple[Any, ...], other: Any
) -> None:
    raw = YAML(typ="safe", pure=True).load(DESIGN)
    for where, odd in ((path, value), (also, other)):
        target = raw
        for step in where[:-1]:
            known = target.get(step) if isinstance(target, dict) else None
            target = known if isinstance(known, dict) else {}
        if isinstance(target, dict):
            target[where[-1]] = odd
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(raw, stream)
    file = tmp_path / "odd.yaml"
    file.write_text(stream.getvalue(), "utf-8")
    problems: tuple[Problem, ...] = ()
    try:
        study = load_study(file)
    except StudyError as error:
        problems = error.problems
    assert all(problem.place.startswith(str(file)) for problem in problems)
    if problems:
        return
    # What loads can be stored and hashed.
    assert json.loads(json.dumps(study.model_dump(mode="json"), allow_nan=False))["name"] == study.name
    keys = {trial.key for trial in expand(study, arms=study.arms, model="m", data="d")}
    assert len(keys) == len(study.arms) * len(study.seeds)
    assert all(math.isfinite(arm.training.learning_rate) for arm in study.arms.values())


def test_an_override_that_every_arm_sets_otherwise_is_refused(written: Any, refused: Any) -> None:
    path = written(text=DESIGN)
    (problem,) = refused(path, "training.learning_rate=1e-4")
    assert "changes nothing" in problem.message
    assert "arms.full.training.learning_rate" in problem.message
    assert load_study(path, ["training.weight_decay=0.5"]).arms["full"].training.weight_decay == 0.5


def test_an_override_of_one_arm_leaves_its_alias_alone(written: Any) -> None:
    path = written(
        text="name: base\nmodel: m\ndata: {path: p}\nseeds: 2\n"
        "arms:\n  a: {training: &t {learning_rate: 1e-3}}\n  b: {training: *t, freeze: {layers: 6}}\n"
    )
    arms = load_study(path, ["arms.a.training.learning_rate=5e-2"]).arms
    assert (arms["a"].training.learning_rate, arms["b"].training.learning_rate) == (5e-2, 1e-3)


def test_two_readings_of_one_training_are_a_fake_arm(written: Any, refused: Any) -> None:
    path = written(
        text="name: base\nmodel: m\ndata: {path: p}\nseeds: 2\n"
        "arms: {a: {}, b: {selection: {best: accuracy, on: test}}}\n"
    )
    (problem,) = refused(path)
    assert "has the same settings as" in problem.message


def test_a_split_is_not_scored_after_it_was_trained_on(written: Any, refused: Any) -> None:
    (problem,) = refused(written(), "data.test=train")
    assert "another split" in problem.message


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("[validation, train]", "'train' is what the models are trained on"),
        ("[validation, other, validation]", "given twice: validation"),
        ("[]", "expected the name of a split or data file, or a list of such names, got []"),
        ("[validation, 3]", "or a list of such names, got ['validation', 3]"),
        ("[validation, other]} \nselection: {best: loss, on: test", "names 2 test sets, and full, lora-r2"),
        ("[validation, other], test_fraction: 0.2", "but test names 2 test sets"),
    ],
)
def test_test_sets_that_cannot_be_are_one_problem(written: Any, refused: Any, test: str, words: str) -> None:
    path = written(
        ("  path: embedded/sentiment\n", ""),
        ("data:\n", f"data: {{path: p, test: {test}}}\n"),
        ("selection: last\n", ""),
    )
    (problem,) = refused(path)
    assert words in problem.message


def test_a_list_of_one_test_set_is_that_set(written: Any) -> None:
    listed = load_study(written(), ["data.test=[validation]"])
    assert listed.model_dump() == load_study(written()).model_dump()
    both = load_study(written(), ["data.test=[validation, test]"]).data
    assert (both.test, both.tests) == (("validation", "test"),) * 2
    assert load_study(written()).data.tests == ("validation",)


@pytest.mark.parametrize(
    ("overrides", "arms"),
    [
        (["arms.lora-r8=null"], ["full", "lora-r2", "frozen"]),
        (["arms.lora=null"], ["full", "frozen"]),
        (["arms.lora-r2=null", "arms.frozen=null"], ["full", "lora-r8"]),
        (["arms.lora=null", "arms.lora={freeze: {layers: 0}}"], ["full", "frozen", "lora"]),
    ],
)
def test_an_arm_is_taken_away_by_name(written: Any, overrides: list[str], arms: list[str]) -> None:
    assert list(load_study(written(), overrides).arms) == arms


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["arms.lora-r9=null"], "no arm 'lora-r9' to remove; did you mean 'lora-r"),
        (["arms.lora-r2=null", "arms.lora-r8=null", "arms.frozen=null", "arms.full=null"], "at least one arm"),
        (["arms.lora=null", "arms.frozen=null", "arms.full=null"], "at least 1"),
    ],
)
def test_what_cannot_be_taken_away_is_said(written: Any, refused: Any, overrides: list[str], words: str) -> None:
    assert any(words in problem.message for problem in refused(written(), *overrides))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("seeds: 3", f"seeds: {list(range(10_001))}")], "expected at most 10000 seeds, got a list of 10001"),
        ([("seeds: 3", "seeds: 10001")], "expected a count from 1 to 10000"),
        (
            [("adapter.r: [2, 8]", f"adapter.r: {list(range(1, 1001))}, training.seed: {list(range(1000))}")],
            "expected at most 1000 arms, got 1000001, 1000000 of them from this grid",
        ),
        (
            [("seeds: 3", "seeds: 10000"), ("adapter.r: [2, 8]", f"adapter.r: {list(range(1, 11))}")],
            "expected at most 100000 trials, got 12 arms x 10000 seeds",
        ),
        (
            [("selection: last", "search: {trials: 1000000, space: {training.learning_rate: {choices: [1.0]}}}")],
            "10000",
        ),
    ],
    ids=["seeds", "count", "arms", "trials", "candidates"],
)
def test_what_nobody_can_train_is_refused_with_its_limit(
    written: Any, refused: Any, changes: list[tuple[str, str]], words: str
) -> None:
    began = time.process_time()
    assert any(words in problem.message for problem in refused(written(*changes)))
    assert time.process_time() - began < 5
