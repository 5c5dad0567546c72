"""Dropout masks of a pack: they depend on a trial's own stream, the step and the site in the model, and nothing else.

Each trial draws the bits of all its sites at once, from a generator seeded by its stream and the step. Sixteen bits
decide an element, so a probability is rounded to the nearest multiple of 1 / 65536, and the elements that are kept are
scaled by the rounded one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from harness import seeding
from harness.engines.device import to_device
from harness.engines.packed.batch import PackedBatch
from harness.engines.packed.trial_rows import TrialRows

_LEVELS = 1 << 16
_LOWEST = -(1 << 15)
_LOWEST_WORD = -(1 << 63)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropoutSite:
    """One dropout of the model.

    Parameters
    ----------
    kind : str
        What it is applied to: rows of tokens, rows of examples, or the weights of attention, from every token of an
        example (``attention``) or from the pooled token alone (``pooled_attention``).
    width : int
        Elements per row; heads for the attention.
    levels : tuple of int
        For each trial of the pack how many of 65536 elements it drops.
    """

    kind: Literal["tokens", "examples", "attention", "pooled_attention"]
    width: int
    levels: tuple[int, ...]


def levels_of(p: float) -> int:
    """Return how many of 65536 elements a dropout of probability `p` drops."""
    return min(round(p * _LEVELS), _LEVELS - 1)


class DropoutMasks:
    """The dropout masks of one step for the trials of one batch.

    Parameters
    ----------
    sites : sequence of DropoutSite
        Of the whole model.
    batch : PackedBatch
        The examples that are computed.
    seeds : sequence of int
        For each slot of the pack its dropout stream.
    step : int
        The optimizer step, counted from 0.
    """

    def __init__(self, sites: Sequence[DropoutSite], batch: PackedBatch, seeds: Sequence[int], step: int) -> None:
        self._sites = sites
        self._batch = batch
        self._slots = batch.tokens.slots
        device = batch.positions.device
        self._pieces = [
            _draw(
                [_elements(site, lengths) if site.levels[slot] else 0 for site in sites],
                seeding.dropout_mask_seed(seeds[slot], step),
                device,
            )
            for slot, lengths in zip(self._slots, batch.lengths_by_trial, strict=True)
        ]
        self._runs = [np.unique(lengths, return_counts=True) for lengths in batch.lengths_by_trial]
        self._turns = sorted(
            (int(length), trial, run)
            for trial, (lengths, _) in enumerate(self._runs)
            for run, length in enumerate(lengths)
        )

    def keep(self, number: int) -> tuple[torch.Tensor, torch.Tensor | float] | None:
        """Return which elements site `number` keeps, and the factor that makes up for the others; None if all."""
        site = self._sites[number]
        levels = [site.levels[slot] for slot in self._slots]
        if not any(levels):
            return None
        rows = self._batch.by_example if site.kind == "examples" else self._batch.tokens
        pieces = [
            bits[number] if level else _all_kept(_elements(site, lengths), bits[number])
            for bits, level, lengths in zip(self._pieces, levels, self._batch.lengths_by_trial, strict=True)
        ]
        if site.kind in {"attention", "pooled_attention"}:
            drawn = self._by_length(pieces, site)
            groups = self._batch.groups if site.kind == "attention" else self._batch.pooled_groups
            if groups.padding is not None:
                drawn = drawn.index_select(0, groups.padding.rank)
        else:
            drawn = torch.cat(pieces).view(-1, site.width)
        if len(set(levels)) == 1:
            return drawn >= levels[0] + _LOWEST, _LEVELS / (_LEVELS - levels[0])
        return drawn >= _column(levels, rows, torch.int32) + _LOWEST, _LEVELS / (
            _LEVELS - _column(levels, rows, torch.float32)
        )

    def _by_length(self, pieces: list[torch.Tensor], site: DropoutSite) -> torch.Tensor:
        """Put the attention's bits in the order of its groups: by length, then by trial."""
        split = [
            torch.split(piece, (counts * site.width * _pairs(site, lengths)).tolist())
            for piece, (lengths, counts) in zip(pieces, self._runs, strict=True)
        ]
        return torch.cat([split[trial][run] for _, trial, run in self._turns])


def _elements(site: DropoutSite, lengths: np.ndarray) -> int:
    if site.kind == "tokens":
        return int(lengths.sum()) * site.width
    if site.kind == "examples":
        return len(lengths) * site.width
    return int(_pairs(site, lengths).sum()) * site.width


def _pairs(site: DropoutSite, lengths: np.ndarray) -> np.ndarray:
    """Return how many pairs of tokens attend in examples of these lengths."""
    return lengths**2 if site.kind == "attention" else lengths


def _draw(sizes: list[int], seed: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator(device).manual_seed(seed)
    # Without an upper end the range is all of int64.
    words = torch.empty(-(-sum(sizes) // 4), dtype=torch.int64, device=device)
    words.random_(_LOWEST_WORD, None, generator=generator)
    return torch.split(words.view(torch.int16)[: sum(sizes)], sizes)


def _all_kept(size: int, like: torch.Tensor) -> torch.Tensor:
    return torch.full((size,), -_LOWEST - 1, dtype=like.dtype, device=like.device)


def _column(values: list[int], rows: TrialRows, dtype: torch.dtype) -> torch.Tensor:
    by_trial = to_device(torch.tensor(values, dtype=dtype), rows.owner.device)
    return by_trial.index_select(0, rows.owner).unsqueeze(1)
