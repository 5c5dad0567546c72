"""Response time of the commands, with the start of the interpreter.

    harness run studies/quickstart.yaml && python benchmarks/commands.py

Each command runs several times, in turns with a bare interpreter; the median seconds are printed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TURNS = 7


def seconds(*command: str) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=False)
    return time.perf_counter() - began


def main() -> None:
    """Measure in turns and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        faulty = Path(folder) / "faulty.yaml"
        faulty.write_text("name: x\nmodle: embedded/tiny-gpt2\n")
        claims = Path(folder) / "own.yaml"
        claims.write_text("source: s\nn: 800\nsystems: {full: {accuracy: 0.921}, lora-r8: {accuracy: 0.910}}\n")
        board = Path(folder) / "board.csv"
        board.write_text("system,accuracy\n" + "".join(f"s{at},{300 + 2 * at}/1319\n" for at in range(500)))
        commands = {
            "python -c pass": ("-c", "pass"),
            "harness --help": ("-m", "harness", "--help"),
            "harness run FAULTY": ("-m", "harness", "run", str(faulty)),
            "harness analyze results/quickstart": ("-m", "harness", "analyze", "results/quickstart"),
            "harness status results/quickstart": ("-m", "harness", "status", "results/quickstart"),
            "harness audit --n 872 0.883 0.862": ("-m", "harness", "audit", "--n", "872", "0.883", "0.862"),
            "harness audit --n 1000000 88% 87%": ("-m", "harness", "audit", "--n", "1000000", "88%", "87%"),
            "harness audit studies/claims/gpt2_lora.yaml": ("-m", "harness", "audit", "studies/claims/gpt2_lora.yaml"),
            "harness audit on a leaderboard of 500 systems": ("-m", "harness", "audit", str(board)),
            "harness audit --results results/quickstart": (
                *("-m", "harness", "audit", str(claims), "--results", "results/quickstart"),
            ),
        }
        measured: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(TURNS):
            for name, command in commands.items():
                measured[name].append(seconds(*command))
    for name, values in measured.items():
        print(f"{name:45} {statistics.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
