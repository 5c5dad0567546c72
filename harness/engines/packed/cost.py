"""Cost of a trial, measured on a few steps: bytes, for the size of a pack, and seconds, for the estimate of a run."""

from __future__ import annotations

import time

import torch

from harness.engines.device import wait_for
from harness.engines.packed.forward import block_logits, blocks
from harness.engines.packed.pack import Pack

# So many steps are timed, or those that take so many seconds.
_STEPS, _SECONDS = 3, 0.2
# A weight, its gradient, and AdamW's two moments.
_COPIES = 4


def bytes_of_trial(pack: Pack) -> int:
    """Return the bytes that each trial of a pack needs for what it trains."""
    return pack.parameters.values.shape[1] * pack.parameters.values.element_size() * _COPIES


def bytes_of_pack(pack: Pack) -> int:
    """Return the bytes that a pack needs whatever its size: frozen weights, and what a step keeps to go back.

    One step is computed and what it saves is counted, so the size of a pack depends on the study and the machine alone.
    """
    side_by_side = torch.get_num_threads() if pack.device.type == "cpu" else 1
    saved: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    examples = pack.data.train.evenly_by_length(pack.examples_per_step)
    with pack.workers(1), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        pack.compute_gradients([0], [examples], 0)
    tokens = int(pack.data.train.lengths[examples].sum())
    at_once = max(pack.tokens_at_once, tokens) * side_by_side
    frozen = pack.trials[0].parameter_counts.total * pack.parameters.values.element_size()
    return sum(saved.values()) * at_once // tokens + frozen


def seconds_of_trial(pack: Pack) -> float:
    """Return about how many seconds a trial of the pack takes, evaluation included."""
    slots = list(range(len(pack.trials)))
    train, test = pack.data.train, pack.data.test
    examples = train.evenly_by_length(pack.examples_per_step)
    test_blocks = list(blocks(test, pack.tokens_at_once // 2))
    block = test_blocks[len(test_blocks) // 2]
    with pack.workers(len(slots)) as workers:

        def step(slot: int) -> None:
            pack.compute_gradients([slot], [examples], 0)

        workers.map(step, slots)
        wait_for(pack.device)
        began = time.perf_counter()
        n_steps, seconds = 0, 0.0
        while n_steps < _STEPS and seconds < _SECONDS:
            workers.map(step, slots)
            wait_for(pack.device)
            n_steps, seconds = n_steps + 1, time.perf_counter() - began
        training = seconds / n_steps / len(slots)
        began = time.perf_counter()
        workers.map(lambda slot: block_logits(pack.forward, test, [slot], block), slots)
        wait_for(pack.device)
        scoring = (time.perf_counter() - began) / len(slots) * test.lengths.sum() / test.lengths[block].sum()
    n_epochs = pack.trials[0].n_epochs
    return float(training * pack.steps_per_epoch * n_epochs + scoring * max(1, n_epochs))
