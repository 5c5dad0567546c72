"""What a trial costs, from a few steps: bytes, for the size of a pack, and seconds, for what a run says beforehand."""

from __future__ import annotations

import time

import torch

from harness.engines.packed.run import PackRun
from harness.engines.packed.scoring import block_logits, blocks

_STEPS = 3
# A weight, its gradient, and AdamW's two moments.
_COPIES = 4


def bytes_of_trial(run: PackRun) -> int:
    """Return the bytes that each trial of a pack needs for what it trains."""
    return run.weights.values.shape[1] * run.weights.values.element_size() * _COPIES


def bytes_of_pack(run: PackRun) -> int:
    """Return the bytes that a pack needs whatever its size: frozen weights, and what a step saves to go back.

    A step is taken and what it saves is counted, so that the size of a pack depends on the study and the machine alone.
    """
    saved: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    sentences = run.splits.train.evenly_by_length(run.per_step)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        run.learn([0], [sentences], 0)
    tokens = int(run.splits.train.lengths[sentences].sum())
    side_by_side = torch.get_num_threads() if run.device.type == "cpu" else 1
    at_once = max(run.tokens_at_once, tokens) * side_by_side
    frozen = run.slots[0].parameters.total * run.weights.values.element_size()
    return sum(saved.values()) * at_once // tokens + frozen


def seconds_of_trial(run: PackRun) -> float:
    """Return about how many seconds a trial of the pack takes, evaluation included."""
    slots = list(range(len(run.slots)))
    train, test = run.splits.train, run.splits.test
    sentences = train.evenly_by_length(run.per_step)
    middle = list(blocks(test, run.tokens_at_once // 2))
    block = middle[len(middle) // 2]
    with run.workers(len(slots)) as at_once:

        def step(slot: int) -> None:
            run.learn([slot], [sentences], 0)

        at_once.map(step, slots)
        began = time.perf_counter()
        for _ in range(_STEPS):
            at_once.map(step, slots)
        training = (time.perf_counter() - began) / _STEPS / len(slots)
        began = time.perf_counter()
        at_once.map(lambda slot: block_logits(run.forward, test, [slot], block), slots)
        scoring = (time.perf_counter() - began) / len(slots) * test.lengths.sum() / test.lengths[block].sum()
    n_epochs = run.slots[0].n_epochs
    return float(training * run.steps_per_epoch * n_epochs + scoring * max(1, n_epochs))
