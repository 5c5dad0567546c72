"""Dropout whose masks depend on a trial's own stream, the step and the place, and on nothing else.

Each trial draws the bits of all its places in one go, from a generator seeded by its stream and the step. Sixteen bits
decide an element, so a probability is rounded to the next multiple of 1 / 65536 and the elements that are kept are
scaled by what was really dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from harness import seeding
from harness.engines.packed.layout import Layout
from harness.engines.packed.rows import Rows

_LEVELS = 1 << 16
_LOWEST = -(1 << 15)
_LOWEST_WORD = -(1 << 63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One dropout of the model.

    Parameters
    ----------
    kind : str
        What it is applied to: the rows of tokens, those of sentences, or the weights of attention, where every token of
        a sentence asks (`attention`) or one of them (`reading`).
    width : int
        Elements a row; heads for the attention.
    levels : tuple of int
        For each trial of the pack how many of 65536 elements it drops.
    """

    kind: Literal["tokens", "sentences", "attention", "reading"]
    width: int
    levels: tuple[int, ...]


def levels_of(p: float) -> int:
    """Return how many of 65536 elements a dropout of probability `p` drops."""
    return min(round(p * _LEVELS), _LEVELS - 1)


class Masks:
    """The masks of one step for the trials of one layout.

    Parameters
    ----------
    places : sequence of Place
        Of the whole model.
    layout : Layout
        The sentences at hand.
    seeds : sequence of int
        For each slot of the pack its dropout stream.
    step : int
        The optimizer step, counted from 0.
    """

    def __init__(self, places: Sequence[Place], layout: Layout, seeds: Sequence[int], step: int) -> None:
        self._places = places
        self._layout = layout
        self._slots = layout.tokens.slots
        device = layout.positions.device
        self._pieces = [
            _draw(
                [_elements(place, own) if place.levels[slot] else 0 for place in places],
                seeding.dropout_mask_seed(seeds[slot], step),
                device,
            )
            for slot, own in zip(self._slots, layout.by_trial, strict=True)
        ]
        self._runs = [np.unique(own, return_counts=True) for own in layout.by_trial]
        self._turns = sorted(
            (int(length), trial, run)
            for trial, (lengths, _) in enumerate(self._runs)
            for run, length in enumerate(lengths)
        )

    def keep(self, number: int) -> tuple[torch.Tensor, torch.Tensor | float] | None:
        """Return which elements place `number` keeps, and the factor that makes up for the others; None if all."""
        place = self._places[number]
        levels = [place.levels[slot] for slot in self._slots]
        if not any(levels):
            return None
        rows = self._layout.by_sentence if place.kind == "sentences" else self._layout.tokens
        pieces = [
            own[number] if level else _all_kept(_elements(place, lengths), own[number])
            for own, level, lengths in zip(self._pieces, levels, self._layout.by_trial, strict=True)
        ]
        if place.kind in {"attention", "reading"}:
            bits = self._by_length(pieces, place)
        else:
            bits = torch.cat(pieces).view(-1, place.width)
        if len(set(levels)) == 1:
            return bits >= levels[0] + _LOWEST, _LEVELS / (_LEVELS - levels[0])
        return bits >= _column(levels, rows, torch.int32) + _LOWEST, _LEVELS / (
            _LEVELS - _column(levels, rows, torch.float32)
        )

    def _by_length(self, pieces: list[torch.Tensor], place: Place) -> torch.Tensor:
        """Lay the attention's bits in the order of its groups: by length, then by trial."""
        split = [
            torch.split(piece, (counts * place.width * _pairs(place, lengths)).tolist())
            for piece, (lengths, counts) in zip(pieces, self._runs, strict=True)
        ]
        return torch.cat([split[trial][run] for _, trial, run in self._turns])


def _elements(place: Place, lengths: np.ndarray) -> int:
    if place.kind == "tokens":
        return int(lengths.sum()) * place.width
    if place.kind == "sentences":
        return len(lengths) * place.width
    return int(_pairs(place, lengths).sum()) * place.width


def _pairs(place: Place, lengths: np.ndarray) -> np.ndarray:
    """Return how many pairs of tokens attend in sentences of these lengths."""
    return lengths**2 if place.kind == "attention" else lengths


def _draw(sizes: list[int], seed: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator(device).manual_seed(seed)
    # Without an upper end the range is all of int64.
    words = torch.empty(-(-sum(sizes) // 4), dtype=torch.int64, device=device)
    words.random_(_LOWEST_WORD, None, generator=generator)
    return torch.split(words.view(torch.int16)[: sum(sizes)], sizes)


def _all_kept(size: int, like: torch.Tensor) -> torch.Tensor:
    return torch.full((size,), -_LOWEST - 1, dtype=like.dtype, device=like.device)


def _column(values: list[int], rows: Rows, dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype).to(rows.owner.device).index_select(0, rows.owner).unsqueeze(1)
