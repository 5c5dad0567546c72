"""Time of `harness import`: a small table as CSV, and a large one as Parquet beside pandas' own reading and pivot.

Writes a long table of predicted classes below a temporary folder, run after run as people write them, then imports it,
reads it into runs alone, and has pandas read and pivot it, each in a process of its own and in turns. Seconds are those
of the work, after the libraries are imported; of the whole command, all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

_SIZES = {"small": (8, 20, 872, "csv"), "medium": (8, 5, 100_000, "parquet"), "large": (8, 50, 100_000, "parquet")}

_ROWS = 2**20
"""Rows of a row group, as pandas and pyarrow write them."""

_COMMAND = """
import resource, sys, tempfile
with tempfile.TemporaryDirectory() as results:
    sys.argv = ["harness", "import", sys.argv[1], "--name", "benchmark", "--results", results]
    from harness.cli import main
    try: main()
    except SystemExit as end: assert not end.code, end.code
print(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""

_READING = """
import resource, sys, time
from pathlib import Path
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
started = time.perf_counter()
read_sources([Path(sys.argv[1])], ImportOptions())
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""

_PANDAS = """
import resource, sys, time
import pandas as pd
started = time.perf_counter()
table = pd.read_parquet(sys.argv[1]) if sys.argv[1].endswith("parquet") else pd.read_csv(sys.argv[1])
table.pivot(index="id", columns=["model", "seed"], values="prediction")
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""

_SIDES = {
    "harness import, the whole command": _COMMAND,
    "reading into runs": _READING,
    "pandas' reading and pivot": _PANDAS,
}


def batches(*, arms: int, seeds: int, examples: int) -> Iterator[pa.Table]:
    """Yield a table whose runs are right on about 90% of the examples, piece by piece."""
    rng = np.random.default_rng(0)
    ids = pa.array([f"example-{number}" for number in range(examples)])
    labels = np.arange(examples) % 3
    rows = arms * seeds * examples
    for start in range(0, rows, _ROWS):
        row = np.arange(start, min(start + _ROWS, rows))
        run, example = row // examples, row % examples
        label = labels[example]
        names = pa.array([f"arm{number}" for number in range(arms)])
        yield pa.table(
            {
                "model": names.take(pa.array(run // seeds)),
                "seed": run % seeds,
                "id": ids.take(pa.array(example)),
                "label": label,
                "prediction": np.where(rng.random(len(row)) < 0.9, label, 0),
            }
        )


def write_table(path: Path, *, arms: int, seeds: int, examples: int) -> None:
    """Write the table, as CSV or as Parquet."""
    pieces = batches(arms=arms, seeds=seeds, examples=examples)
    first = next(pieces)
    write = pq.ParquetWriter if path.suffix == ".parquet" else pa.csv.CSVWriter
    with write(path, first.schema) as file:
        file.write_table(first)
        for piece in pieces:
            file.write_table(piece)


def measured(script: str, path: Path) -> tuple[float, float]:
    """Return the seconds, those of the whole process where the script does not tell them, and the peak in GiB."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    whole = time.perf_counter() - started
    seconds, memory = done.stdout.splitlines()[-1].split()
    return float(seconds) or whole, float(memory)


def main() -> None:
    """Write the tables, and print one line for each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=list(_SIZES), default=["small", "medium"])
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    print("arms x seeds x examples, format | what | seconds, median (all) | peak memory")
    for name in chosen.sizes:
        arms, seeds, examples, form = _SIZES[name]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"answers.{form}"
            write_table(path, arms=arms, seeds=seeds, examples=examples)
            turns = [{side: measured(script, path) for side, script in _SIDES.items()} for _ in range(chosen.turns)]
        for side in _SIDES:
            each = sorted(turn[side][0] for turn in turns)
            print(
                f"{arms} x {seeds} x {examples}, {form} | {side} | {each[len(each) // 2]:.2f} s "
                f"({', '.join(f'{seconds:.2f}' for seconds in each)}) | {max(turn[side][1] for turn in turns):.2f} GiB"
            )


if __name__ == "__main__":
    main()
