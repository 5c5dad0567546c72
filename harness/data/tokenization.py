"""Tokenization: the splits of a study as token ids, made once for all of its trials."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.dataset import Dataset
from harness.data.splits import TextSplit
from harness.errors import DataError
from harness.study.settings import Data


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedSplit:
    """Tokenised examples.

    Parameters
    ----------
    ids : tuple of str
        One for each example, none twice.
    labels : ndarray of int64 or float64
        Classes 0 to C - 1, or the numbers of a regression.
    features : tuple of mappings
        For each example the model's inputs as lists of token numbers, not padded.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    features: tuple[Mapping[str, list[int]], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, name: str) -> np.ndarray:
        """Return one input of all examples as one row of int64, example after example."""
        values = itertools.chain.from_iterable(features[name] for features in self.features)
        return np.fromiter(values, dtype=np.int64)

    def take(self, indices: np.ndarray) -> TokenizedSplit:
        """Return the examples at `indices`, in that order."""
        return TokenizedSplit(
            ids=tuple(self.ids[i] for i in indices),
            labels=self.labels[indices],
            features=tuple(self.features[i] for i in indices),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedDataset:
    """What every trial of a study is trained and scored on.

    `classes` is empty in a regression. `clusters` names the group of each test example, where the study has a column
    for it; `dataset` is what the splits were made from.
    """

    train: TokenizedSplit
    test: TokenizedSplit
    classes: tuple[str, ...]
    fingerprint: str
    clusters: tuple[str, ...] | None
    dataset: Dataset


def tokenise(whole: Dataset, data: Data, tokenizer: Any) -> TokenizedDataset:
    """Tokenise both splits.

    Raises
    ------
    DataError
        If a text has no token or ends in the padding token.
    """
    train, test = (_tokenised(data, part, tokenizer) for part in (whole.train, whole.test))
    return TokenizedDataset(
        train=train,
        test=test,
        classes=whole.classes,
        fingerprint=_fingerprint(train, test, len(whole.classes)),
        clusters=whole.clusters,
        dataset=whole,
    )


def _tokenised(data: Data, part: TextSplit, tokenizer: Any) -> TokenizedSplit:
    texts = [list(column) for column in zip(*part.texts, strict=True)]
    encoded = tokenizer(*texts, truncation=True, max_length=data.max_length, return_attention_mask=False)
    names = tuple(encoded)
    rows = tuple(dict(zip(names, values, strict=True)) for values in zip(*encoded.values(), strict=True))
    # To ask the tokenizer for it takes as long as all else that is done with a row.
    pad_token_id = tokenizer.pad_token_id
    for example, row in zip(part.ids, rows, strict=True):
        tokens = row["input_ids"]
        if not tokens:
            raise DataError(f"example {example} of split {part.split!r} has no token; leave empty texts out")
        # GPT-2 pools at the last token that is not padding: one that ends in it would be read a token early.
        if tokens[-1] == pad_token_id:
            raise DataError(
                f"example {example} of split {part.split!r} ends in {tokenizer.pad_token!r}, which is the padding "
                "token: the model would take it for padding"
            )
    return TokenizedSplit(ids=part.ids, labels=part.labels, features=rows)


def _fingerprint(train: TokenizedSplit, test: TokenizedSplit, n_classes: int) -> str:
    """Hash the processed examples themselves: a cache's name for them says less than they do."""
    digest = hashlib.sha256(f"{n_classes}".encode())
    for split in (train, test):
        for example, label, row in zip(split.ids, split.labels, split.features, strict=True):
            digest.update(f"\x1e{example}\x1f{label}".encode())
            for name in sorted(row):
                digest.update(f"\x1f{name}".encode())
                digest.update(np.asarray(row[name], dtype=np.int32).tobytes())
    return digest.hexdigest()[:32]
