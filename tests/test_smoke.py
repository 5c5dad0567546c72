"""Every shipped study, a tiny subset of it, on the embedded data and models, through the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.study.loading import load_study

pytestmark = pytest.mark.slow

STUDIES = sorted(Path("studies").glob("*.yaml"))
SUBSET = [
    "data.path=embedded/sentiment",
    "data.name=null",
    "data.train_size=96",
    "data.test_size=64",
    "data.max_length=32",
    "seeds=2",
]


def harness(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_runs_and_gets_its_verdicts(path: Path, tmp_path: Path) -> None:
    study = load_study(path)
    overrides = [*SUBSET, f"model=embedded/tiny-{'gpt2' if 'gpt2' in study.model else 'distilbert'}"]
    if any(arm.search for arm in study.arms.values()):
        overrides.append("search.trials=2")
    ran = json.loads(harness("run", str(path), *overrides, "--results", str(tmp_path), "--json"))["studies"][0]
    trials = 2 * len(study.arms)
    assert ran["statuses"] == {"finished": trials}
    assert ran["ran"] == trials
    report = json.loads(harness("analyze", str(tmp_path / study.name), "--json"))["studies"][0]
    rows = {(row["treatment"], row["baseline"]) for row in report["comparisons"]}
    baseline = study.analysis.get("baseline")
    assert {(arm, baseline) for arm in study.arms if arm != baseline} <= rows
    # So small a run may leave two arms saying the same; then the row says why it has no verdict.
    assert all(row["verdict"]["label"] != "no verdict" or row["verdict"]["reason"] for row in report["comparisons"])
    for file in ("index.html", "tables.md", "tables.tex", "numbers.tex"):
        assert (tmp_path / study.name / "report" / file).stat().st_size > 500
    assert (
        json.loads(harness("run", str(path), *overrides, "--results", str(tmp_path), "--json"))["studies"][0]["ran"]
        == 0
    )
