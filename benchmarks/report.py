"""Time of `harness analyze`: a small study with many resamples, and a large one.

Writes results folders with random predictions below a temporary folder, then analyses each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_SIZES = {"small": (8, 20, 872, 10_000), "large": (8, 50, 100_000, 1_000)}

_TIMED = """
import resource, sys, time
from pathlib import Path
import analysis.tables
from analysis.study.report import analyze
started, before = time.perf_counter(), time.process_time()
report = analyze(Path(sys.argv[1]), resamples=int(sys.argv[2]))
analysis.tables.markdown(report)
seconds, processor = time.perf_counter() - started, time.process_time() - before
print(seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def write_study(folder: Path, *, arms: int, seeds: int, examples: int) -> None:
    """Write a study whose runs are right on about 88% of the examples."""
    rng = np.random.default_rng(0)
    labels = (np.arange(examples) % 2).astype(np.int32)
    ids = pa.array([f"{number}" for number in range(examples)], pa.string())
    ease = rng.standard_normal(examples, dtype=np.float32)
    trials = []
    for arm in range(arms):
        for seed in range(seeds):
            key = f"v1-{arm:02d}{seed:03d}"
            trials.append({"arm": f"arm{arm}", "seed": seed, "key": key})
            place = folder / "trials" / key
            place.mkdir(parents=True)
            margin = 1.6 + ease + 0.5 * rng.standard_normal(examples, dtype=np.float32)
            true = 1 / (1 + np.exp(-margin))
            first = np.where(labels == 0, true, 1 - true).astype(np.float32)
            columns = {
                "epoch": pa.array(np.ones(examples, np.int32)),
                "example_id": ids,
                "label": pa.array(labels),
                "p_0": pa.array(first),
                "p_1": pa.array(1 - first),
            }
            pq.write_table(pa.table(columns), place / "predictions.parquet", compression="zstd")
            record = {
                "format": 1,
                "key": key,
                "seed": seed,
                "status": "finished",
                "epochs": [{"epoch": 1, "test": {"loss": 0.3, "accuracy": 0.88}}],
                "selected_epoch": 1,
                "seconds": {"training": 60.0, "evaluation": 1.0, "timing": "solo"},
            }
            (place / "record.json").write_text(json.dumps(record))
    manifest = {
        "format": 1,
        "name": "benchmark",
        "analysis": {},
        "selection": {"rule": "last"},
        "model": {"name": "none"},
        "data": {
            "path": "none",
            "classes": ["negative", "positive"],
            "n_train": 1,
            "n_test": examples,
        },
        "arms": {f"arm{arm}": {} for arm in range(arms)},
        "cells": trials,
    }
    (folder / "study.json").write_text(json.dumps(manifest))


def main() -> None:
    """Write, analyse, and print one line per study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=list(_SIZES), default=list(_SIZES))
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    print("arms x seeds x examples, resamples | seconds, median (all) | of the processor, median | peak memory")
    for name in chosen.sizes:
        arms, seeds, examples, resamples = _SIZES[name]
        with tempfile.TemporaryDirectory() as folder:
            study = Path(folder) / "benchmark"
            write_study(study, arms=arms, seeds=seeds, examples=examples)
            turns = []
            for _ in range(chosen.turns):
                done = subprocess.run(
                    [sys.executable, "-c", _TIMED, str(study), str(resamples)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                turns.append([float(figure) for figure in done.stdout.split()])
        each, processor, memory = (sorted(figures) for figures in zip(*turns, strict=True))
        print(
            f"{arms} x {seeds} x {examples}, {resamples} | {each[len(each) // 2]:.2f} s "
            f"({', '.join(f'{seconds:.2f}' for seconds in each)}) | {processor[len(processor) // 2]:.2f} s "
            f"| {memory[-1]:.2f} GiB"
        )


if __name__ == "__main__":
    main()
