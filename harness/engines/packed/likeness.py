"""Whether a packed model says what the model says that it was made of.

A checkpoint's configuration has more switches than a list could name, and a tokenizer gives what it likes. So every
pack asks its first trial's own model about a few sentences of the data, before it takes that apart, and then itself.
"""

from __future__ import annotations

import torch
from torch import nn

from harness.engines.packed.layout import Ragged
from harness.engines.packed.scoring import Forward, block_logits

_SENTENCES = 4
# Of the largest logit, or of 1 where that is smaller: far above what another order of sums does in single precision.
_TOLERANCE = 1e-3


class DiffersError(Exception):
    """A packed model is not the model that it was made of."""


def logits_alone(model: nn.Module, split: Ragged) -> torch.Tensor:
    """Return what a model says about a few sentences of a split, each in a batch of its own."""
    model.eval()
    found = []
    with torch.no_grad():
        for sentence in split.evenly_by_length(_SENTENCES):
            own = slice(split.starts[sentence], split.starts[sentence] + split.lengths[sentence])
            inputs = {"input_ids": split.ids[own]} | (
                {} if split.types is None else {"token_type_ids": split.types[own]}
            )
            batch = {name: tokens.unsqueeze(0) for name, tokens in inputs.items()}
            found.append(model(**batch, attention_mask=torch.ones_like(batch["input_ids"])).logits)
    return torch.cat(found).cpu()


def check(forward: Forward, split: Ragged, alone: torch.Tensor) -> None:
    """Compare with what a pack says about the same sentences in its first trial's name.

    Raises
    ------
    DiffersError
        If they are not the same. Logits that are not finite are the same: the trial diverges either way.
    """
    packed = block_logits(forward, split, [0], split.evenly_by_length(_SENTENCES))[0]
    finite = [bool(torch.isfinite(logits).all()) for logits in (alone, packed)]
    if not any(finite):
        return
    gap = float((packed - alone).abs().max())
    if not gap <= _TOLERANCE * max(1.0, float(alone.abs().max())):
        raise DiffersError(f"its logits would differ from the model's own by up to {gap:.2g}")
