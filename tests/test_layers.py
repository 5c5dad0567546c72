"""Imports: what each part loads, in fresh interpreters, where nothing is loaded yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

import harness
from tests.analysis.conftest import simulated, write_study

ROOT = Path(harness.__file__).parents[1]
TRAINING = ("torch", "transformers", "peft", "datasets", "accelerate", "optuna", "ray")


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules that are loaded after the code ran in an interpreter of its own."""
    report = "\nimport sys, json; sys.stdout.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import harness",
        "import harness.study.trials, harness.study.document, harness.seeding",
        "import harness.cli",
        "import harness.runs.status, harness.runs.preview",
        "import harness.embedded; harness.embedded.checkpoint('embedded/tiny-gpt2')",
        "from harness import load_study; load_study('studies/lora_rank.yaml')",
        "import harness.records.imported, harness.cli.plan_imported, analysis.sources.reading",
        "import analysis",
    ],
)
def test_no_training_library_is_loaded(code: str) -> None:
    assert not loaded(code) & set(TRAINING)


def test_a_run_that_trains_nothing_loads_no_trainer() -> None:
    assert not loaded("import harness.runs.runner") & {"transformers.trainer", "datasets", "pandas"}


def test_the_analysis_knows_no_harness() -> None:
    assert not {
        name for name in loaded("import analysis, analysis.study.analysis_block") if name.partition(".")[0] == "harness"
    }


def test_the_help_loads_neither_training_libraries_nor_tables() -> None:
    code = (
        "import sys; sys.argv = ['harness', '--help']\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0"
    )
    modules = loaded(code)
    assert not modules & {*TRAINING, "pandas", "scipy", "statsmodels", "matplotlib"}


def test_the_analysis_and_its_reader_load_no_pandas(tmp_path: Path) -> None:
    rows = {"epoch": [1, 1], "example_id": ["a", "b"], "label": [0, 1], "p_0": [0.9, 0.2], "p_1": [0.1, 0.8]}
    pq.write_table(pa.table(rows), tmp_path / "predictions.parquet")
    code = (
        "import sys; from pathlib import Path; from analysis.study.report import analyze\n"
        "from analysis.records.data_entry import AnswerKind\n"
        "from analysis.records.predictions import read_predictions\n"
        "assert read_predictions(Path(sys.argv[1]), kind=AnswerKind('probabilities', 2)).labels.tolist() == [0, 1]"
    )
    assert not loaded(code, str(tmp_path)) & {"pandas", "statsmodels", "matplotlib"}


def test_trials_are_recorded_and_known_without_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.harness.records.test_record import Store, outcome, stored, write\n"
        "folder = Path(sys.argv[1])\n"
        "write(Store(folder), outcome())\n"
        "assert [trial.status for trial in stored(folder)] == ['finished']"
    )
    assert "pandas" not in loaded(code, str(tmp_path))


def test_figures_have_their_words_and_numbers_without_matplotlib(tmp_path: Path) -> None:
    scores = simulated(np.random.default_rng(3), {"full": 0.9, "lora": 0.7}, seeds=3, examples=60)
    root = write_study(tmp_path / "study", scores).root
    code = (
        "import sys; from pathlib import Path; from analysis import analyze, figures\n"
        "built = figures.build(analyze(Path(sys.argv[1]), resamples=99))\n"
        "assert all(figure.reason or figure.caption and figure.columns for figure in built)"
    )
    assert not loaded(code, str(root)) & {"pandas", "matplotlib"}


@pytest.mark.parametrize(("options", "drawn"), [((), True), (("--no-html",), False)])
def test_a_study_is_analysed_without_pandas_and_drawn_only_where_it_is_shown(
    write_imported: Callable[..., Path], options: Sequence[str], drawn: bool
) -> None:
    answers = {arm: np.arange(40.0).reshape(2, 20) % 2 for arm in ("a", "b")}
    code = (
        "import sys; from harness.cli import main\n"
        "sys.argv = ['harness', 'analyze', '--resamples', '99', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code"
    )
    modules = loaded(code, str(write_imported(answers)), *options)
    assert not modules & {*TRAINING, "pandas", "statsmodels", "scipy.stats"}
    assert modules.issuperset({"matplotlib", "jinja2"}) == drawn
    assert bool(modules & {"matplotlib", "jinja2"}) == drawn


@pytest.mark.parametrize("ending", ["csv", "parquet", "eval", "jsonl"])
def test_files_are_imported_and_exported_without_pandas(ending: str, tmp_path: Path) -> None:
    sources = Path(__file__).parent / "analysis" / "sources"
    match ending:
        case "eval":
            arguments = [str(sources / "inspect_ai" / "logs"), "--pattern", "{arm}/seed{seed}.eval"]
        case "jsonl":
            logs = "{arm}-seed{seed}/samples_sentiment_*.jsonl"
            arguments = [str(sources / "lm_eval" / "logs"), "--pattern", logs]
        case _:
            rows = [(arm, seed, number) for arm in ("a", "b") for seed in range(3) for number in range(9)]
            arms, seeds, ids = zip(*rows, strict=True)
            hits = [(seed + number) % 2 for _, seed, number in rows]
            table = pa.table({"arm": arms, "seed": seeds, "id": ids, "score": hits})
            arguments = [str(tmp_path / f"answers.{ending}")]
            (csv.write_csv if ending == "csv" else pq.write_table)(table, arguments[0])
    code = (
        "import sys; from harness.cli import main\n"
        "def run(*arguments):\n"
        "    sys.argv = ['harness', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "*source, folder = sys.argv[1:]\n"
        "run('import', *source, '--name', 'x', '--results', folder)\n"
        "for target in ('csv', 'parquet', 'eee'):\n"
        "    run('export', 'x', '--results', folder, '--to', target, '--out', f'{folder}/{target}')\n"
        "from analysis import load; load(f'{folder}/x')"
    )
    modules = loaded(code, *arguments, str(tmp_path / "results"))
    assert "harness.records.imported" in modules
    assert not modules & {*TRAINING, "pandas", "scipy", "statsmodels", "matplotlib"}


def test_a_faulty_study_is_refused_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("name: ../x\n")
    code = (
        "import sys; sys.argv = ['harness', 'run', sys.argv[1]]\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 2"
    )
    assert not loaded(code, str(file)) & {*TRAINING, "pandas", "scipy", "statsmodels", "matplotlib"}


def test_public_names() -> None:
    assert sorted(harness.__all__) == ["HarnessError", "RecordPredictions", "Study", "load_study", "run_study"]
    for name in harness.__all__:
        assert getattr(harness, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = harness.nothing


def test_running_is_imported_when_it_is_asked_for() -> None:
    pytest.importorskip("torch")
    # A star import asks for every public name, and this one trains.
    assert {"torch", "harness.runs.runner"} <= loaded("from harness import *; run_study")
