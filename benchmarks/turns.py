"""The times that turns tell, beside those of whole trials by the reference engine.

    python benchmarks/turns.py [--rounds N]

Both sides train the arms of embedded/quickstart by the reference engine, alone. In each round every arm, there and
back, trains one whole trial, and just before and just after it a block of a few steps, as in a turn: so that both sides
see the same machine. Where a CPU computes with one thread, CPU time is measured on both sides: work beside it does not
count.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import time
from unittest import mock

from engines import processor, surroundings

from analysis.methods.interval import Interval
from analysis.study.time_ratio import geometric_mean
from analysis.tables.digits import ratio_interval, time_taken
from harness import load_study
from harness.engines.timing import TrialTimer
from harness.engines.trainer import TrainerEngine, quick_collections
from harness.runs.runner import prepare
from harness.runs.turns import reference_of
from harness.study.trials import Trial, make_trial


def whole_trial(engine: TrainerEngine, trial: Trial, timer: TrialTimer) -> float:
    """Return the seconds of training one whole trial, by the clock of the turns."""
    clock = time.thread_time if timer.clock == "CPU time" else time.perf_counter
    with mock.patch.object(time, "perf_counter", clock):
        (result,) = engine.train([trial], report=lambda _: None)
    if result.status != "finished":
        raise RuntimeError(f"{trial.arm} seed {trial.seed} {result.status}: {result.error}")
    return result.training_seconds


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    study = load_study("embedded/quickstart")
    checkpoint, data, prepared = prepare(study, "trainer")
    engine = reference_of(prepared)
    timer = TrialTimer(engine)
    arms = list(study.arms)

    def trial(arm: str, seed: int) -> Trial:
        start = {"model": checkpoint.identity_at_start, "data": data.fingerprint}
        return make_trial(study, arm, study.arms[arm], seed=seed, **start)

    training = study.arms[arms[0]].training
    steps = -(-len(data.train) // training.per_device_train_batch_size) * training.num_train_epochs

    def block(arm: str, turn: int) -> float:
        return steps * (timer.block(trial(arm, turn), turn).step_seconds or math.nan)

    whole: dict[str, list[float]] = {arm: [] for arm in arms}
    scaled: dict[str, list[float]] = {arm: [] for arm in arms}
    engine.estimate(trial(arms[0], 0))  # trains a few steps
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", flush=True)
    gc.collect()
    with quick_collections():
        for seed in range(options.rounds):
            for arm in arms if seed % 2 == 0 else reversed(arms):
                before = block(arm, 2 * seed)
                whole[arm].append(whole_trial(engine, trial(arm, seed), timer))
                scaled[arm].append(math.sqrt(before * block(arm, 2 * seed + 1)))
            print(f"{seed + 1} of {options.rounds} rounds, load {os.getloadavg()[0]:.1f}", flush=True)
    base = arms[0]
    print("", f"{surroundings(processor())}; {timer.clock}.", sep="\n")
    print("| arm | whole trials | in turns | turns / trials | ratio by whole trials | ratio by turns |")
    print("| --- | --- | --- | --- | --- | --- |")
    for arm in arms:
        cells = [time_taken(*geometric_mean(side[arm])) for side in (whole, scaled)]
        cells.append(ratio_interval(*_paired(scaled[arm], whole[arm])))
        cells += [ratio_interval(*_paired(side[arm], side[base])) if arm != base else "1" for side in (whole, scaled)]
        print(f"| {arm} | {' | '.join(cells)} |")


def _paired(ours: list[float], theirs: list[float]) -> tuple[float, Interval]:
    return geometric_mean([one / other for one, other in zip(ours, theirs, strict=True)])


if __name__ == "__main__":
    main()
