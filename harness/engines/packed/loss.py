"""Loss of a pack: each example's cross-entropy or squared error, and its weight in its trial's loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from harness.engines.device import to_device
from harness.engines.packed.batch import PackedBatch


def loss_weights(examples: int, size: int) -> tuple[np.ndarray, int]:
    """Return each example's weight in its micro-batch's mean, (examples,), and how many micro-batches there are.

    Parameters
    ----------
    examples : int
        Examples of a step.
    size : int
        Examples of a micro-batch; the last one may have fewer.
    """
    count = math.ceil(examples / size)
    sizes = [min(size, examples - i * size) for i in range(count)]
    return np.repeat([1 / each for each in sizes], sizes), count


def example_losses(logits: torch.Tensor, batch: PackedBatch, smoothing: Sequence[float]) -> torch.Tensor:
    """Return each example's cross-entropy, (E,), with its own trial's label smoothing; of a regression squared errors.

    Parameters
    ----------
    logits : Tensor, shape (E, C)
        In the order of the batch.
    batch : PackedBatch
        The examples.
    smoothing : sequence of float
        The label smoothing of each trial of the batch.
    """
    if batch.labels.is_floating_point():
        return nn.functional.mse_loss(logits[:, 0], batch.labels.to(logits.dtype), reduction="none")
    sharp = nn.functional.cross_entropy(logits, batch.labels, reduction="none")
    if not any(smoothing):
        return sharp
    share = to_device(torch.tensor(smoothing, dtype=logits.dtype), logits.device)[batch.by_example.owner]
    even = -torch.log_softmax(logits, -1).mean(-1)
    return (1 - share) * sharp + share * even
