"""Ragged splits: the tokens of all examples in one row, without padding, on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from harness.data.tokenization import TokenizedSplit


class RaggedSplit:
    """A split as one long row of tokens, moved to the device once.

    Parameters
    ----------
    split : TokenizedSplit
        The tokenised examples.
    device : torch.device
        Where its tokens are kept.

    Attributes
    ----------
    lengths, starts : ndarray of int, shape (n,)
        Tokens of each example, and where its first one is.
    ids : Tensor of int64, shape (N,)
        All tokens.
    types : Tensor of int64, shape (N,), or None
        Their types, where the tokenizer gives them.
    labels : Tensor of int64, shape (n,)
        Classes.
    """

    def __init__(self, split: TokenizedSplit, device: torch.device) -> None:
        self.lengths = np.array([len(row["input_ids"]) for row in split.features])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.labels = torch.from_numpy(split.labels).to(device)
        self.ids = _flat(split, "input_ids", device)
        has_types = all("token_type_ids" in row for row in split.features)
        self.types = _flat(split, "token_type_ids", device) if has_types else None
        self.device = device

    def __len__(self) -> int:
        return len(self.lengths)

    def evenly_by_length(self, n: int) -> np.ndarray:
        """Return the indices of `n` examples, evenly spread over the lengths; all if there are fewer."""
        places = np.linspace(0, len(self) - 1, min(len(self), n)).round().astype(int)
        chosen: np.ndarray = np.argsort(self.lengths, kind="stable")[places]
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class PackData:
    """What a pack is trained and scored on."""

    train: RaggedSplit
    test: RaggedSplit
    holdout: RaggedSplit | None


def _flat(split: TokenizedSplit, name: str, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([np.asarray(row[name], dtype=np.int64) for row in split.features])).to(
        device
    )
