"""How the sentences of many trials lie in one tensor: no padding, trial by trial, attention by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from harness.data.tokenization import TokenizedSplit
from harness.engines.packed.rows import Rows

# For each row of one order its row in another, and the other way round.
Order = tuple[torch.Tensor, torch.Tensor]


class Ragged:
    """A split as one long row of tokens, on the device once and for all.

    Parameters
    ----------
    split : TokenizedSplit
        The tokenised examples.
    device : torch.device
        Where its tokens are to lie.
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
        """Return `n` sentences from the shortest to the longest; all of them where there are fewer."""
        places = np.linspace(0, len(self) - 1, min(len(self), n)).round().astype(int)
        chosen: np.ndarray = np.argsort(self.lengths, kind="stable")[places]
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """What a pack is trained and scored on."""

    train: Ragged
    test: Ragged
    holdout: Ragged | None


def _flat(split: TokenizedSplit, name: str, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([np.asarray(row[name], dtype=np.int64) for row in split.features])).to(
        device
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences of one length: where their rows and their pairs of tokens lie."""

    length: int
    asking: int
    count: int
    first_key: int
    first_query: int
    first_pair: int

    @property
    def last_pair(self) -> int:
        """Where the group's pairs end."""
        return self.first_pair + self.count * self.asking * self.length

    def keys(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with a row for each key, as (sentences x heads, L, D)."""
        return x[self.first_key : self.first_key + self.count * self.length].view(self.count, self.length, -1)

    def queries(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with a row for each query, as (sentences x heads, Q, D)."""
        return x[self.first_query : self.first_query + self.count * self.asking].view(self.count, self.asking, -1)

    def pairs(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with an element for each pair, as (sentences x heads, Q, L)."""
        return x[self.first_pair : self.last_pair].view(self.count, self.asking, self.length)


class Groups:
    """The sentences of a layout by length, for attention: rows there and back.

    A row stands for a token and a head, and those of a group for its sentences, heads and tokens in this order.

    Parameters
    ----------
    sizes : sequence of pair of int
        Each length, ascending, and how many sentences times heads have it.
    keys : Order
        Of tokens.
    queries : Order
        Of tokens; or of sentences, in the last layer, where the head reads one token of each and no other asks.
    reading : bool
        Whether it is so.

    Attributes
    ----------
    keys, queries : Tensor of int64
        For each row of the groups the row of the layout, (token or sentence) x heads + head.
    keys_back, queries_back : Tensor of int64
        The other way round.
    n_pairs : int
        Pairs of tokens, times heads.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], keys: Order, queries: Order, *, reading: bool) -> None:
        self.keys, self.keys_back = keys
        self.queries, self.queries_back = queries
        self._groups: list[Group] = []
        key, query, pair = 0, 0, 0
        for length, count in sizes:
            asking = 1 if reading else length
            self._groups.append(Group(length, asking, count, key, query, pair))
            key, query, pair = key + count * length, query + count * asking, pair + count * length * asking
        self.n_pairs = pair

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)


def groups_by_length(
    lengths: np.ndarray, starts: np.ndarray, heads: int, device: torch.device
) -> tuple[Groups, Groups]:
    """Return the groups of a layout's sentences, for layers where every token asks, and for the last one.

    Parameters
    ----------
    lengths, starts : ndarray of int
        Of the sentences, in the layout's order.
    heads : int
        Attention heads.
    device : torch.device
        Where the rows are.
    """
    order = np.argsort(lengths, kind="stable")
    distinct, counts = np.unique(lengths, return_counts=True)
    sentences = np.split(order, np.cumsum(counts)[:-1])
    of_tokens = [
        _by_head(starts[own, None] + np.arange(length), heads) for own, length in zip(sentences, distinct, strict=True)
    ]
    tokens = _both_ways(np.concatenate(of_tokens), device)
    asking = _both_ways(_by_head(order[:, None], heads), device)
    sizes = list(zip(distinct.tolist(), (counts * heads).tolist(), strict=True))
    return Groups(sizes, tokens, tokens, reading=False), Groups(sizes, tokens, asking, reading=True)


def _by_head(rows: np.ndarray, heads: int) -> np.ndarray:
    return (rows[:, None, :] * heads + np.arange(heads)[None, :, None]).ravel()


def _both_ways(there: np.ndarray, device: torch.device) -> Order:
    back = np.empty_like(there)
    back[there] = np.arange(len(there))
    return torch.from_numpy(there).to(device), torch.from_numpy(back).to(device)


class Layout:
    """The sentences that some trials of a pack compute together.

    Within a trial they lie by length, so a trial's own rows do not depend on its mates.

    Parameters
    ----------
    ragged : Ragged
        The split that they are taken from.
    slots : sequence of int
        The trials.
    chosen : sequence of ndarray of int
        For each trial its sentences.
    shares : sequence of ndarray of float, optional
        For each of them what its loss counts in its trial's; leave out where none is computed.
    heads : int
        Attention heads.
    batched : bool
        See `Rows`.
    """

    def __init__(
        self,
        ragged: Ragged,
        slots: Sequence[int],
        chosen: Sequence[np.ndarray],
        shares: Sequence[np.ndarray] | None = None,
        *,
        heads: int,
        batched: bool,
    ) -> None:
        device = ragged.device
        orders = [np.argsort(ragged.lengths[own], kind="stable") for own in chosen]
        self.sentences = np.concatenate([own[order] for own, order in zip(chosen, orders, strict=True)])
        self.lengths = ragged.lengths[self.sentences]
        starts = np.cumsum(self.lengths) - self.lengths
        within = np.arange(self.lengths.sum()) - np.repeat(starts, self.lengths)
        self.source = torch.from_numpy(within + np.repeat(ragged.starts[self.sentences], self.lengths)).to(device)
        sizes = [len(own) for own in chosen]
        ends = np.cumsum(sizes)
        self.by_trial = [self.lengths[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        self.tokens = Rows(slots, [int(own.sum()) for own in self.by_trial], device, batched=batched)
        self.by_sentence = Rows(slots, sizes, device, batched=batched)
        self.positions = torch.from_numpy(within).to(device)
        self.firsts = torch.from_numpy(starts).to(device)
        self.lasts = torch.from_numpy(starts + self.lengths - 1).to(device)
        self.groups, self.reading = groups_by_length(self.lengths, starts, heads, device)
        self.labels = ragged.labels.index_select(0, torch.from_numpy(self.sentences).to(device))
        ordered = [own[order] for own, order in zip(shares or [], orders, strict=False)]
        self.shares = torch.from_numpy(np.concatenate(ordered or [np.empty(0)])).to(device)
