"""Time of a pack's step in bf16 and in fp32 on a CPU.

    HARNESS_SST2=FOLDER HARNESS_ENCODER=FOLDER python benchmarks/bf16.py [ARM ...] [--trials 2] [--steps 12]

Packs of arms of studies/lora_rank.yaml train on real SST-2 at batch 16, by one thread. The two precisions take turns
step by step, on the same examples, other ones each step. What counts are the seconds of that thread, so other work on
the machine disturbs little. A gradient is the forward and the backward pass; a step is that and the optimizer's.
The first steps, in which kernels are compiled, are not timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
import torch
from engines import STUDIES, packed_engine, processor, surroundings

from harness import load_study
from harness.engines.device import threads
from harness.engines.packed.pack import Pack
from harness.engines.trainer import quick_collections
from harness.study.trials import expand

_STEPS_BEFOREHAND = 6


def pack_of(arm: str, trials: int, *, bf16: bool) -> Pack:
    """Build a pack of an arm's trials."""
    overrides = [
        f"model={os.environ['HARNESS_ENCODER']}",
        f"data.path={os.environ['HARNESS_SST2']}",
        "data.name=null",
        "data.train_size=1000",
        f"training.bf16={str(bf16).lower()}",
        f"seeds={trials}",
        "arms.lora.adapter.target_modules=[query,value]",
        "analysis={baseline: full}",
        "claims=[]",
    ]
    study = load_study(STUDIES / "lora_rank.yaml", overrides)
    checkpoint, data, engine = packed_engine(study)
    arms = {arm: study.arms[arm]}
    return engine._pack(expand(study, arms=arms, model=checkpoint.identity, data=data.fingerprint))


def seconds_of_step(pack: Pack, number: int) -> tuple[float, float]:
    """Train one step; return the seconds of its gradients, and of all of it."""
    slots = list(range(len(pack.trials)))
    examples = np.random.default_rng(number)
    chosen = [examples.permutation(pack.data.n_train)[: pack.examples_per_step] for _ in slots]
    with pack.workers(1):
        began = time.thread_time()
        pack.compute_gradients(slots, chosen, number)
        gradient = time.thread_time() - began
        pack.parameters.step(slots, dict.fromkeys(slots, 1e-6))
        return gradient, time.thread_time() - began


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", help="default full and lora-r4")
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    lines = []
    with threads(1):
        for arm in options.arms or ("full", "lora-r4"):
            packs = [pack_of(arm, options.trials, bf16=bf16) for bf16 in (False, True)]
            with quick_collections():  # as in a run
                steps = [
                    [seconds_of_step(pack, number) for pack in packs]
                    for number in range(_STEPS_BEFOREHAND + options.steps)
                ]
            for i, what in enumerate(("gradient", "step")):
                fp32, bf16 = (
                    [step[precision][i] for step in steps[_STEPS_BEFOREHAND:]] for precision in range(len(packs))
                )
                ratios = [one / other for one, other in zip(fp32, bf16, strict=True)]
                lines.append(
                    f"| {arm} | {what} | {statistics.median(fp32):.3f} | {statistics.median(bf16):.3f} | "
                    f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
                )
                print(lines[-1], flush=True)
        print("", surroundings(processor()), sep="\n")
    print(f"Packs of {options.trials}, {options.steps} steps; seconds, medians; ratios as median (lowest to highest).")
    print(f"bf16 in hardware: AMX {torch.cpu._is_amx_tile_supported()}, AVX {torch.cpu._is_avx512_bf16_supported()}.")
    print("", "| arm | | fp32 | bf16 | fp32 / bf16 |", "| --- | --- | --- | --- | --- |", *lines, sep="\n")


if __name__ == "__main__":
    main()
