"""What two threads of one process lose to each other: a step of two halves of a pack, on two cores.

    python benchmarks/two_halves.py [--arm full] [--steps 20] [STUDY [SETTING=VALUE ...]]

Both halves are computed by one thread alone, by two threads of one process, as in a run, and by two processes;
milliseconds of a step of both halves, or of one where a thread is alone.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch
from engines import STUDIES, packed_engine

from harness.engines.packed.pack import Pack
from harness.study.loading import load_study
from harness.study.trials import expand

LONGEST_START = 600.0
"""Seconds after which one process no longer waits for the other."""


class Halves:
    """A pack, and the steps of half of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.set_num_threads(1)
        study = load_study(options.study, options.settings)
        checkpoint, data, engine = packed_engine(study)
        everything = expand(study, arms=study.arms, model=checkpoint.identity, data=data.fingerprint)
        trials = [trial for trial in everything if trial.arm.split("-")[0] == options.arm]
        if not trials:
            raise SystemExit(f"--arm: expected one of {', '.join(study.arms)}, got {options.arm}")
        trials = trials[: engine.size(trials[0])]
        if len(trials) < 2:
            raise SystemExit(f"a pack of {options.arm} has one trial, which has no halves")
        self.pack: Pack = engine._pack(trials)
        half = len(trials) // 2
        self.slots = list(range(half)), list(range(half, 2 * half))
        self.steps: int = options.steps
        gc.collect()
        gc.freeze()

    def train(self, number: int) -> float:
        """Train one half for some steps; return the milliseconds of a step."""
        torch.set_num_threads(1)
        pack, slots, rng = self.pack, self.slots[number], np.random.default_rng(number)
        began = time.perf_counter()
        for step in range(self.steps):
            examples = [rng.permutation(pack.data.n_train)[: pack.examples_per_step] for _ in slots]
            pack.compute_gradients(slots, examples, step)
            pack.parameters.step(slots, dict.fromkeys(slots, 1e-4))
        return 1000 * (time.perf_counter() - began) / self.steps


def in_process(options: argparse.Namespace, number: int, ready: Barrier) -> None:
    """Train one half beside another process, and print the milliseconds of a step."""
    halves = Halves(options)
    halves.train(number)
    ready.wait(LONGEST_START)
    print(f"two processes: {halves.train(number):.0f} ms", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path, default=STUDIES / "quickstart.yaml")
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    parser.add_argument("--arm", default="full", help="an arm, or what its name begins with before the first dash")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    halves = Halves(options)
    halves.train(0)
    print(f"{options.arm}, {len(halves.slots[0])} trials a half; one thread alone: {halves.train(0):.0f} ms")
    threads = [threading.Thread(target=halves.train, args=(number,)) for number in range(2)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"two threads: {1000 * (time.perf_counter() - began) / halves.steps:.0f} ms", flush=True)
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    processes = [context.Process(target=in_process, args=(options, number, ready)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


if __name__ == "__main__":
    main()
