"""The reference studies from scratch: what is run, and how long it takes is said first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.study.analysis_block import check_plan
from answer.from_scratch import arguments, estimate
from answer.studies import PLANNED
from harness.study.loading import load_study

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "studies"


def asked(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "answer.from_scratch", *options], capture_output=True, text=True, cwd=ROOT, check=False
    )


@pytest.mark.parametrize("name", PLANNED)
def test_every_study_loads_with_and_without_a_stand_in(name: str) -> None:
    given = arguments(PLANNED[name], STUDIES, model=None, data=None)
    study = load_study(Path(given[0]), given[1:])
    given = arguments(PLANNED[name], STUDIES, model="minilm", data=Path("sst2"))
    small = load_study(Path(given[0]), given[1:])
    assert check_plan(small.analysis, small.claims, arms=tuple(small.arms)) == []
    assert study.name == small.name == name
    assert list(study.arms) == list(small.arms)
    assert (study.model, small.model, small.data.path) != ("minilm", "minilm", "sst2")
    assert (small.model, small.data.path, small.data.name) == ("minilm", "sst2", None)


def test_the_later_notebook_has_one_rate_for_both_arms() -> None:
    given = arguments(PLANNED["lora_rank_later"], STUDIES, model=None, data=None)
    arms = load_study(Path(given[0]), given[1:]).arms
    assert {name: arm.training.learning_rate for name, arm in arms.items()} == {"full": 2e-4, "lora-r4": 2e-4}


def test_an_estimate_counts_every_trial_of_every_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines.packed import PackedEngine

    asked_of = []

    def two_seconds(engine: PackedEngine, trial: object) -> float:
        asked_of.append(trial)
        return 2.0

    monkeypatch.setattr(PackedEngine, "estimate", two_seconds)
    given = [str(STUDIES / "quickstart.yaml"), "seeds=3"]
    assert estimate(given) == 4 * 3 * 2.0
    assert len(asked_of) == 4


def test_an_unknown_study_is_one_message_and_exit_code_2() -> None:
    done = asked("lora_rang")
    assert done.returncode == 2
    assert done.stderr.startswith("error: expected studies of lora_rank, lora_rank_later,")
    assert done.stderr.endswith("got lora_rang\n")
    assert done.stdout == ""


def test_a_folder_without_data_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    done = asked("--model", "embedded/tiny-distilbert", "--data", str(tmp_path), "--dry-run", "one_recipe")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
