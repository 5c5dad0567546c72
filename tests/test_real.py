"""The main job on real input: SST-2 (HARNESS_SST2) and a pretrained BERT-like encoder (HARNESS_ENCODER)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (os.environ.get("HARNESS_SST2") and os.environ.get("HARNESS_ENCODER")),
        reason="needs HARNESS_SST2 and HARNESS_ENCODER, see docs/real.md",
    ),
]


def overrides(*more: str) -> list[str]:
    return [
        f"model={os.environ['HARNESS_ENCODER']}",
        f"data.path={os.environ['HARNESS_SST2']}",
        "data.name=null",
        "training.num_train_epochs=1",
        "arms.lora.adapter.target_modules=[query,value]",
        *more,
    ]


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, check=False)


def test_the_data_are_sst2() -> None:
    from harness.data import dataset
    from harness.data.tokenization import tokenise
    from harness.models import checkpoints
    from harness.study.settings import Data

    tokenizer = checkpoints.load_tokenizer(checkpoints.find_checkpoint(os.environ["HARNESS_ENCODER"]))
    block = Data(path=os.environ["HARNESS_SST2"])
    loaded = tokenise(dataset.read(block), block, tokenizer)
    assert (len(loaded.train), len(loaded.test)) == (67349, 872)
    assert Counter(loaded.test.labels.tolist()) == {0: 428, 1: 444}
    assert len(set(loaded.test.ids)) == 872


def test_lora_rank_runs_and_gets_its_tables(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    ran = harness(
        "run", "studies/lora_rank.yaml", *overrides("data.train_size=200", "seeds=2"), "--results", str(tmp_path)
    )
    assert ran.returncode == 0, ran.stderr
    folder = tmp_path / "lora_rank"
    stored = list(folder.glob("trials/*/predictions.parquet"))
    assert len(stored) == 8
    assert all(pq.read_metadata(path).num_rows == 872 for path in stored)
    analyzed = harness("analyze", str(folder), "--format", "json")
    assert analyzed.returncode == 0, analyzed.stderr
    (report,) = json.loads(analyzed.stdout)["studies"]
    assert len(report["comparisons"]) == 4
    assert {row["verdict"]["label"] for row in report["comparisons"]} <= {"undecided"}  # two seeds decide nothing
    assert (folder / "report" / "tables.tex").exists()


def test_a_pack_of_twelve_equals_the_reference_and_stays_below_4_gb(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    still = tmp_path / "still"
    shutil.copytree(os.environ["HARNESS_ENCODER"], still)
    config = json.loads((still / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (still / "config.json").write_text(json.dumps(config))
    arms = "arms={lora: {adapter: {peft_type: LORA, target_modules: [query, value]}, grid: {adapter.r: [2, 4, 8]}}}"
    study = [*overrides(f"model={still}", "data.train_size=64", "data.test_size=100", "seeds=4"), arms]
    study += ["training.learning_rate=5e-4", "analysis={baseline: lora-r2}", "claims=[]"]
    study = [override for override in study if not override.startswith("arms.lora")]
    scores = {}
    for engine in ("packed", "trainer"):
        done = harness("run", "studies/lora_rank.yaml", *study, f"engine={engine}", "--results", str(tmp_path / engine))
        assert done.returncode == 0, done.stderr
        tables = {p.parent.name: pq.read_table(p) for p in tmp_path.glob(f"{engine}/*/trials/*/predictions.parquet")}
        scores[engine] = {key: table["p_1"].to_numpy() for key, table in tables.items()}
    assert len(scores["packed"]) == 12
    assert scores["packed"].keys() == scores["trainer"].keys()
    for key, probabilities in scores["packed"].items():
        assert abs(probabilities - scores["trainer"][key]).max() < 1e-4
    records = [json.loads(path.read_text()) for path in tmp_path.glob("packed/*/trials/*/record.json")]
    assert {(record["engine"], record["pack_size"]) for record in records} == {("packed", 12)}
    assert max(record["peak_memory"]["bytes"] for record in records) < 4 * 10**9


def test_a_module_that_does_not_exist_is_named_beside_those_that_do(tmp_path: Path) -> None:
    wrong = overrides("data.train_size=200", "arms.lora.adapter.target_modules=[c_attn]")
    done = harness("run", "studies/lora_rank.yaml", *wrong, "--results", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "c_attn" in done.stderr
    assert all(name in done.stderr for name in ("query", "key", "value", "dense"))
    assert not (tmp_path / "none").exists()
