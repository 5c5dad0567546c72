"""Results and study files with random damage: every command gives one answer, none a traceback, and all agree."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")

os.environ["HF_HUB_OFFLINE"] = "1"

from harness import cli, load_study, run_study

SECONDS_AT_MOST = 5.0
# No epoch: a trial is the model before training, so that one can be trained again for each damage.
STUDY = """\
name: s
model: MODEL
data: {path: embedded/sentiment, train_size: 16, test_size: 20}
training: {num_train_epochs: 0}
engine: trainer
arms:
  full: {}
  lora: {adapter: {peft_type: LORA, r: 2, target_modules: [c_attn]}}
seeds: 2
analysis: {baseline: full}
"""
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    99,
    0.5,
    -2.5,
    2**63,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "7",
    "text",
    "x" * 300,
    "../../elsewhere",
    "\ud800",
    "\x1b[31mred",
    "[/red]",
    [],
    [[[]]],
    {},
    {"": None},
    ["full", 3],
)

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command here; whatever it raises but its end is a traceback, and fails the test."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        # Of the processor: on a busy machine a clock on the wall measures the neighbours.
        began = time.process_time()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert time.process_time() - began < SECONDS_AT_MOST, arguments
        captured = capsys.readouterr()
        code = ended.value.code or 0
        assert code in (0, 1, 2)
        assert "Traceback" not in captured.err
        assert code == 0 or captured.err or captured.out
        return int(code), captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shallow: Path) -> Path:
    root = tmp_path_factory.mktemp("trained")
    (root / "s.yaml").write_text(STUDY.replace("MODEL", str(shallow)))
    assert run_study(load_study(root / "s.yaml"), root / "results").complete
    return root


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Callable[[int], Path]:
    """Return a copy of the results, with the study file beside them."""

    def make(number: int) -> Path:
        target = tmp_path / f"copy-{number}"
        shutil.copytree(trained, target)
        return target

    return make


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield from places(value, (*path, key))


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """Take one value out, put another in its place, or put another key beside it."""
    all_places = list(places(content))
    *way, last = all_places[int(rng.integers(len(all_places)))]
    owner = content
    for step in way:
        owner = owner[step]
    how = rng.integers(5)
    if how == 0:
        del owner[last]
    elif how == 1 and isinstance(owner, dict):
        owner[f"{last}_"] = owner.pop(last)
    else:
        owner[last] = VALUES[int(rng.integers(len(VALUES)))]
    return content


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip a bit, or cut the end off."""
    at = int(rng.integers(len(content)))
    if rng.integers(4) == 0:
        return content[:at]
    return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]


def damage_predictions(path: Path, rng: np.random.Generator) -> None:
    """Change the table under an old record, which knows no hash: the content must speak for itself."""
    record = path.with_name("record.json")
    content = json.loads(record.read_text())
    del content["predictions_sha256"]
    record.write_text(json.dumps(content))
    table = pq.read_table(path)
    at = int(rng.integers(table.num_columns))
    name, column = table.column_names[at], table.column(at)
    values = column.to_pylist()
    kinds: list[Callable[[], pa.Table]] = [
        lambda: table.remove_column(at),
        lambda: table.rename_columns([f"{n}_" if n == name else n for n in table.column_names]),
        lambda: table.slice(0, int(rng.integers(table.num_rows))),
        lambda: pa.concat_tables([table, table]),
        lambda: table.set_column(at, name, pa.array([str(value) for value in values])),
        lambda: table.set_column(at, name, pa.array([None, *values[1:]], column.type)),
        lambda: table.set_column(at, name, pa.array(values[::-1], column.type)),
    ]
    if pa.types.is_floating(column.type):
        odd = (float("nan"), float("inf"), 1.5, -0.5)[int(rng.integers(4))]
        kinds.append(lambda: table.set_column(at, name, pa.array([odd, *values[1:]], column.type)))
    pq.write_table(kinds[int(rng.integers(len(kinds)))](), path)


def damage(study: Path, rng: np.random.Generator) -> str:
    """Damage one file of a results folder; return its name."""
    records = sorted(study.glob("trials/*/record.json"))
    record = records[int(rng.integers(len(records)))]
    path = (record, record.with_name("predictions.parquet"), study / "study.json")[
        int(rng.choice(3, p=[0.4, 0.4, 0.2]))
    ]
    if path.suffix == ".parquet" and rng.integers(2):
        damage_predictions(path, rng)
    elif path.suffix == ".json" and rng.integers(4):
        path.write_text(json.dumps(mutated(json.loads(path.read_text()), rng)))
    else:
        path.write_bytes(flipped(path.read_bytes(), rng))
    return path.name


def unreadable(report: dict[str, Any]) -> set[str]:
    return {line.partition(" could not")[0] for line in report["unreadable"]}


def test_damaged_results_are_told_alike_by_analyze_and_status(copy: Callable[[int], Path], command: Command) -> None:
    rng = np.random.default_rng(20261128)
    files: dict[str, int] = {}
    damaged = 0
    for number in range(24):
        root = copy(number)
        name = damage(root / "results" / "s", rng)
        files[name] = files.get(name, 0) + 1
        code, out, err = command("analyze", root / "results", "--format", "json", "--resamples", "99")
        status_code, shown, _ = command("status", "--results", root / "results", "--json")
        if code == 2:
            assert err.startswith(("error: ", "2 problems", "3 problems")), err
            continue
        lost = unreadable(json.loads(out)["studies"][0])
        assert code == (1 if lost else 0)
        assert all(trial in err for trial in lost)
        assert status_code == 0
        (status,) = json.loads(shown)["studies"]
        assert {trouble.partition(":")[0].replace(", seed", " seed") for trouble in status["troubles"]} >= lost
        assert sum(arm["statuses"].get("unreadable", 0) for arm in status["arms"]) == len(lost) <= status["to_run"]
        damaged += bool(lost)
    assert min(files.get(name, 0) for name in ("record.json", "predictions.parquet", "study.json")) >= 4
    assert damaged >= 6


def test_what_analyze_cannot_read_run_trains_again(copy: Callable[[int], Path], command: Command) -> None:
    rng = np.random.default_rng(11)
    repaired = 0
    for number in range(6):
        root = copy(number)
        study = root / "results" / "s"
        damage(study, rng)
        code, out, _ = command("analyze", study, "--format", "json", "--resamples", "99")
        lost = unreadable(json.loads(out)["studies"][0]) if code != 2 else set()
        before = {path.name for path in (study / "trials").iterdir()}
        code, _, err = command("run", root / "s.yaml", "--results", root / "results", "--json")
        if code == 2:
            assert "mv " in err or "update ablation-harness" in err or "read it with the version" in err, err
            continue
        assert code == 0
        aside = study / "set_aside"
        names = [path.name for path in aside.iterdir()] if aside.is_dir() else []
        assert len(names) >= len(lost)
        assert all(name.rpartition(".")[0] in before for name in names)
        code, out, _ = command("analyze", study, "--format", "json", "--resamples", "99")
        assert (code, json.loads(out)["studies"][0]["unreadable"]) == (0, [])
        repaired += len(names)
    assert repaired >= 3


def test_study_files_with_random_damage_are_one_message(trained: Path, tmp_path: Path, command: Command) -> None:
    from ruamel.yaml import YAML

    rng = np.random.default_rng(7)
    text = (trained / "s.yaml").read_text()
    content = YAML(typ="safe").load(text)
    refused = 0
    for number in range(60):
        path = tmp_path / f"{number}.yaml"
        if rng.integers(3):
            path.write_text(json.dumps(mutated(json.loads(json.dumps(content)), rng)))
        else:
            path.write_bytes(flipped(text.encode(), rng))
        code, _, err = command(
            *(("plan", path) if number % 4 == 0 else ("status", path, "--results", trained / "results"))
        )
        refused += code == 2
        assert code == 0 or err.startswith(("error: ", *(f"{count} problems:" for count in range(2, 99)))), err
    assert refused >= 20
