"""The times that turns tell, beside those of whole trials by the reference engine.

    python benchmarks/turns.py [--trials N] [--turns T]

Both sides train the arms of embedded/quickstart by the reference engine, alone: whole trials, N of each arm, and turns
of a few steps, T of them. A turn comes before each whole trial and after the last, so that both sides see the same
machine. Where a CPU computes with one thread, CPU time is measured on both sides: work beside it does not count.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from unittest import mock

from engines import processor, surroundings

from analysis.study.time_ratio import geometric_mean
from analysis.tables.digits import ratio_interval, time_taken
from harness import load_study
from harness.engines.timing import TimedBlock, TrialTimer, quick_collections
from harness.engines.trainer import TrainerEngine
from harness.runs.runner import prepare
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
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    study = load_study("embedded/quickstart")
    checkpoint, data, engine = prepare(study, "trainer")
    assert isinstance(engine, TrainerEngine)
    timer = TrialTimer(engine)
    arms = list(study.arms)

    def trial(arm: str, seed: int) -> Trial:
        start = {"model": checkpoint.identity_at_start, "data": data.fingerprint}
        return make_trial(study, arm, study.arms[arm], seed=seed, **start)

    blocks: dict[str, list[TimedBlock]] = {arm: [] for arm in arms}
    whole: dict[str, list[float]] = {arm: [] for arm in arms}
    turns = iter(range(options.turns))
    engine.estimate(trial(arms[0], 0))  # trains a few steps
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", flush=True)
    with quick_collections():
        for seed in range(options.trials):
            each = -(-options.turns // options.trials)
            for turn in itertools.islice(turns, each):
                for arm in arms if turn % 2 == 0 else reversed(arms):
                    blocks[arm].append(timer.block(trial(arm, turn), turn))
            for arm in arms if seed % 2 == 0 else reversed(arms):
                whole[arm].append(whole_trial(engine, trial(arm, seed), timer))
            print(f"{seed + 1} of {options.trials} rounds, load {os.getloadavg()[0]:.1f}", flush=True)
    training = study.arms[arms[0]].training
    steps = -(-len(data.train) // training.per_device_train_batch_size) * training.num_train_epochs
    base = arms[0]
    print(
        "", f"{surroundings(processor())}; {timer.clock}, {options.turns} turns and {options.trials} trials.", sep="\n"
    )
    print("| arm | whole trials | in turns | ratio by whole trials | by turns | turns / trials |")
    print("| --- | --- | --- | --- | --- | --- |")
    for arm in arms:
        scaled = [steps * (block.step_seconds or 0.0) for block in blocks[arm]]
        on_base = [steps * (block.step_seconds or 0.0) for block in blocks[base]]
        both = geometric_mean(whole[arm]), geometric_mean(scaled)
        pairs = [list(zip(whole[arm], whole[base], strict=True)), list(zip(scaled, on_base, strict=True))]
        ratios = [geometric_mean([one / other for one, other in pair]) for pair in pairs]
        cells = [time_taken(*mean) for mean in both]
        cells += ["1", "1", "1"] if arm == base else [ratio_interval(*ratio) for ratio in ratios]
        if arm != base:
            cells.append(f"{ratios[1][0] / ratios[0][0]:.2f}")
        print(f"| {arm} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
