"""Batches: the tensors of a split's examples."""

from __future__ import annotations

import numpy as np
import torch

from harness.data.tokenization import TokenizedSplit
from harness.engines.batches import SplitDataset


def test_every_example_has_its_own_numbers() -> None:
    features = [{"input_ids": [5, 6, 7], "token_type_ids": [0, 0, 1]}, {"input_ids": [8], "token_type_ids": [1]}]
    split = TokenizedSplit(ids=("a", "b"), labels=np.array([1, 0]), features=tuple(features))
    rows = SplitDataset(split).take(np.array([1, 0])).rows
    for row, expected, label in zip(rows, reversed(features), (0, 1), strict=True):
        assert {name: values.tolist() for name, values in row.items()} == {**expected, "labels": label}
        assert {values.dtype for values in row.values()} == {torch.int64}
