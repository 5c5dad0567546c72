"""What each sentence counts in its trial's loss, and its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from harness.engines.packed.layout import Layout


def shares(sentences: int, size: int) -> tuple[np.ndarray, int]:
    """Return what each sentence counts in its micro-batch's mean, and how many micro-batches there are."""
    count = math.ceil(sentences / size)
    sizes = [min(size, sentences - i * size) for i in range(count)]
    return np.repeat([1 / each for each in sizes], sizes), count


def sentence_losses(logits: torch.Tensor, layout: Layout, smoothing: Sequence[float]) -> torch.Tensor:
    """Return each sentence's cross-entropy, smoothed by as much as its own trial says.

    Parameters
    ----------
    logits : Tensor, shape (sentences, classes)
        In the order of the layout.
    layout : Layout
        The sentences.
    smoothing : sequence of float
        The label smoothing of each trial of the layout.
    """
    sharp = nn.functional.cross_entropy(logits, layout.labels, reduction="none")
    if not any(smoothing):
        return sharp
    share = torch.tensor(smoothing, dtype=logits.dtype, device=logits.device)[layout.by_sentence.owner]
    even = -torch.log_softmax(logits, -1).mean(-1)
    return (1 - share) * sharp + share * even
