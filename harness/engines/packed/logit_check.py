"""Logit check: a packed model must give the same logits as the trial's own model that it was made from.

A checkpoint's configuration has more switches than a list could name, and a tokenizer may return anything. So before
a pack takes its first trial's own model apart, it computes that model's logits of a few examples, and then its own.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from harness.engines.packed.forward import Forward, block_logits
from harness.engines.packed.ragged import RaggedSplit

_EXAMPLES = 4
# Relative to the largest logit, or to 1 where that is smaller: far above what another order of sums changes in fp32.
_TOLERANCE = 1e-3


class LogitsDifferError(Exception):
    """A packed model is not the model that it was made from."""


def logits_alone(model: nn.Module, split: RaggedSplit) -> torch.Tensor:
    """Return a model's logits of a few examples of a split, each in a batch of its own, with what is on its left."""
    model.eval()
    logits = []
    with torch.no_grad():
        for example in split.evenly_by_length(_EXAMPLES):
            tokens = slice(split.starts[example], split.starts[example] + split.lengths[example])
            inputs = {"input_ids": split.ids[tokens]} | (
                {} if split.types is None else {"token_type_ids": split.types[tokens]}
            )
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            # Padding is masked, so any token can stand for it.
            padding = (int(split.shifts[example]), 0)
            logits.append(model(**{name: pad(values, padding).unsqueeze(0) for name, values in inputs.items()}).logits)
    return torch.cat(logits).cpu()


def check_logits(forward: Forward, split: RaggedSplit, alone: torch.Tensor) -> None:
    """Compare the logits of the pack's first trial with those of `logits_alone`.

    Raises
    ------
    LogitsDifferError
        If they are not the same. Logits that are not finite are the same: the trial diverges either way.
    """
    packed = block_logits(forward, split, [0], split.evenly_by_length(_EXAMPLES))[0].cpu()
    finite = [bool(torch.isfinite(logits).all()) for logits in (alone, packed)]
    if not any(finite):
        return
    gap = float((packed - alone).abs().max())
    if not gap <= _TOLERANCE * max(1.0, float(alone.abs().max())):
        raise LogitsDifferError(f"its logits would differ from the model's own by up to {gap:.2g}")
