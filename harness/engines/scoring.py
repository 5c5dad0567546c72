"""Scoring: loss, accuracy and class probabilities of a model on a split; of a regression loss and predictions."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from harness.engines.batches import Collate, SplitDataset
from harness.engines.divergence import DivergedError
from harness.engines.result import Score


def score(
    model: nn.Module, examples: SplitDataset, *, batch_size: int, collate: Collate, device: torch.device
) -> tuple[Score, np.ndarray]:
    """Return the score on a split and the probability of each class, in fp32 and in the order of the split.

    Of a regression, the predicted numbers stand in the place of probabilities, shape (n, 1).

    Batches are cut from the examples sorted by length, so that little of them is padding; which examples meet in a
    batch depends on the split and the batch size alone.

    Raises
    ------
    DivergedError
        If a logit is not finite: the largest of NaNs would read as class 0.
    """
    by_length = np.argsort(examples.lengths, kind="stable")
    logits: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    # accelerate lays bf16 autocast over a model's forward for good; scores are computed without it.
    forward = getattr(model, "_original_forward", model)
    training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(examples), batch_size):
            batch = collate([examples[int(i)] for i in by_length[start : start + batch_size]])
            labels.append(batch.pop("labels"))
            moved = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
            logits.append(forward(**moved).logits.float())
        everything = torch.cat(logits).cpu()
        truth = torch.cat(labels)
        if not torch.isfinite(everything).all():
            raise DivergedError("a logit is not finite")
        result, by_length_outputs = score_of_logits(everything, truth)
    model.train(training)
    outputs = np.empty_like(by_length_outputs)
    outputs[by_length] = by_length_outputs
    return result, outputs


def score_of_logits(logits: torch.Tensor, labels: torch.Tensor) -> tuple[Score, np.ndarray]:
    """Return the score of finite logits, (n, C), and the probability of each class; of a regression the logits, (n, 1).

    Labels that are no whole numbers are those of a regression.
    """
    if labels.is_floating_point():
        return Score(loss=nn.functional.mse_loss(logits[:, 0], labels).item(), accuracy=None), logits.numpy()
    probabilities = torch.softmax(logits, dim=-1).numpy()
    accuracy = float((probabilities.argmax(axis=1) == labels.numpy()).mean())
    return Score(loss=nn.functional.cross_entropy(logits, labels).item(), accuracy=accuracy), probabilities
