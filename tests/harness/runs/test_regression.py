"""A study of numbers from its file to its tables: trained, recorded, continued, analysed."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from analysis.records.loading import load

STUDY = """\
name: rated
task: regression
model: embedded/tiny-distilbert
data: {{path: {path}, label: score, test_fraction: 0.3}}
training: {{num_train_epochs: 2, learning_rate: 2e-3, per_device_train_batch_size: 16}}
arms:
  full: {{}}
  searched:
    adapter: {{peft_type: LORA, r: 2, target_modules: [q_lin]}}
    search: {{trials: 2, best: loss, fraction: 0.2, space: {{training.learning_rate: {{low: 1e-4, high: 1e-2}}}}}}
seeds: 2
timing: off
analysis: {{metric: spearman, margin: 0.1}}
"""
GOOD, BAD = ("wonderful", "superb", "great", "lovely"), ("dreadful", "dull", "awful", "weak")


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Write a study of reviews, rated by how many of their four words are good."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(60):
        words = [str(rng.choice(GOOD if good else BAD)) for good in rng.random(4) < 0.5]
        rows.append(f"the film is {' '.join(words)},{sum(word in GOOD for word in words) / 2}\n")
    (tmp_path / "rated.csv").write_text("sentence,score\n" + "".join(rows))
    path = tmp_path / "rated.yaml"
    path.write_text(STUDY.format(path=tmp_path / "rated.csv"))
    return path


def test_from_the_study_file_to_the_tables(command: Callable[..., tuple[int, str, str]], rated: Path) -> None:
    code, planned, complaint = command("plan", rated)
    assert code == 0, complaint
    assert "what it can find in spearman: known once two seeds have run" in planned
    code, told, complaint = command("run", rated)
    assert code == 0, complaint
    assert len(re.findall(r"seed \d: mean squared error [\d.]+ in a pack of 2", told + complaint)) == 4

    folder = Path("results/rated")
    manifest = json.loads((folder / "study.json").read_text())
    assert (manifest["data"]["task"], manifest["data"]["classes"]) == ("regression", [])
    outcomes = load(folder)
    for trial in outcomes.trials.values():
        table = pq.read_table(folder / "trials" / str(trial.record and trial.record.key) / "predictions.parquet")
        assert table.column_names == ["epoch", "example_id", "label", "prediction"]
        assert [str(kind) for kind in table.schema.types] == ["int32", "string", "double", "float"]
        last = table.slice(18)
        label, prediction = (last[name].to_numpy() for name in ("label", "prediction"))
        assert set(label) <= {0.0, 0.5, 1.0, 1.5, 2.0}
        scores = trial.record and trial.record.epochs[-1].test
        assert scores is not None
        assert scores.accuracy is None
        assert scores.loss == pytest.approx(np.mean((prediction - label) ** 2), rel=1e-5)
        (score,) = outcomes.scores(trial.arm, seeds=[trial.seed], metric="spearman")
        assert score.mean() == pytest.approx(stats.spearmanr(label, prediction).statistic)

    # A dashboard shows what is larger for the better: minus the loss.
    with closing(sqlite3.connect(folder / "optuna.db")) as database:
        values = [value for (value,) in database.execute("select value from trial_values")]
    losses = [trial.record.on_test.loss for trial in outcomes.trials.values() if trial.record and trial.record.on_test]
    assert set(np.round([-loss for loss in losses if loss is not None], 9)) <= set(np.round(values, 9))
    assert max(values) < 0

    # Nothing is trained twice, and a plan by its results says what the study can find.
    assert "all done, nothing to run" in "".join(command("run", rated)[1:])
    assert "nothing to run" in command("status")[1]
    assert "detectable" in command("plan", rated)[1].lower()
    code, shown, complaint = command("analyze", "--details")
    assert code == 0, complaint
    assert "Spearman correlation by arm" in shown
    assert "accuracy" not in shown.lower()
