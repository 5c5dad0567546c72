"""Time of a pack of one trial, against the reference engine, while other processes compete for the same cores.

    python benchmarks/pack_of_one.py [--busy N] [--turns T]

A study that grows by one seed trains a few trials that have no company. Arms of studies/quickstart.yaml train one each,
for one epoch, by both engines in turns, building included, beside N other processes that compute all the time (default:
one for each core).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from engines import STUDIES, in_turns, median, processor, ratios, surroundings, train_all

from harness import load_study
from harness.runs.runner import prepare
from harness.study.trials import expand

# Each trains other parameters; lora-r8 would train those of lora-r2.
ARMS = ("full", "lora-r2", "frozen")


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes computing for a while."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    study = load_study(STUDIES / "quickstart.yaml", ["seeds=1", "training.num_train_epochs=1"])
    checkpoint, data, reference = prepare(study, "trainer")
    packed = prepare(study, "packed")[2]
    arms = {name: study.arms[name] for name in ARMS}
    trials = expand(study, arms=arms, model=checkpoint.identity, data=data.fingerprint)
    lines = ["| arm | packed | trainer | packed / trainer (each turn) |", "| --- | --- | --- | --- |"]
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", flush=True)
    with busy(options.busy):
        for trial in trials:
            print(trial.arm, flush=True)
            sides = {engine.name: partial(train_all, engine, [trial]) for engine in (packed, reference)}
            ours, theirs = in_turns(sides, options.turns).values()
            lines.append(f"| {trial.arm} | {median(ours):.0f} | {median(theirs):.0f} | {ratios(ours, theirs)} |")
    print("", f"{surroundings(processor())}, {options.busy} busy processes beside it.", sep="\n")
    print("Trials an hour, medians of the turns; ratios as median (each turn).", "", *lines, sep="\n")


if __name__ == "__main__":
    main()
