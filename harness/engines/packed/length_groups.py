"""Length groups: examples of one length, or padded to one length, which attention computes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from harness.engines.device import to_device

# For each row of one order its row in another, and the other way round.
Permutation = tuple[torch.Tensor, torch.Tensor]
# The least that examples are padded to, where they are.
_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class LengthGroup:
    """Examples of one length, padding included: where their keys, queries and pairs of tokens are."""

    length: int
    n_queries: int
    count: int
    first_key: int
    first_query: int
    first_pair: int

    @property
    def last_pair(self) -> int:
        """Where the group's pairs end."""
        return self.first_pair + self.count * self.n_queries * self.length

    def keys(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with a row for each key, as (examples x heads, L, D)."""
        return x[self.first_key : self.first_key + self.count * self.length].view(self.count, self.length, -1)

    def queries(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with a row for each query, as (examples x heads, Q, D)."""
        return x[self.first_query : self.first_query + self.count * self.n_queries].view(self.count, self.n_queries, -1)

    def pairs(self, x: torch.Tensor) -> torch.Tensor:
        """Return the group's part of a tensor with an element for each pair, as (examples x heads, Q, L)."""
        return x[self.first_pair : self.last_pair].view(self.count, self.n_queries, self.length)


@dataclass(frozen=True)
class PaddedPairs:
    """Which pairs of a query and a key are padding; a tensor has an element for each pair of the groups.

    Parameters
    ----------
    keys : Tensor of bool
        Where the key alone is padding.
    queries : Tensor of bool or None
        Where the query is; None where only pooled tokens ask.
    """

    keys: torch.Tensor
    queries: torch.Tensor | None

    @cached_property
    def rank(self) -> torch.Tensor:
        """For each pair how many before it are no padding, at most all but one: its place in a row without padding."""
        padding = self.keys if self.queries is None else self.keys | self.queries
        return (~padding).cumsum(0).sub_(1).clamp_(min=0)


class LengthGroups:
    """The examples of a batch grouped by length, for attention: rows there and back.

    A row stands for a token and a head, and those of a group for its examples, heads and tokens in this order. Padding
    stands for the last token of its example once more.

    Parameters
    ----------
    sizes : sequence of pair of int
        Each length, ascending, and how many examples times heads have it.
    keys : Permutation
        Of tokens.
    queries : Permutation
        Of tokens; in the last layer, where only the pooled token attends, of examples.
    pooled : bool
        Whether only the pooled token attends.
    real : Tensor of int64, optional
        For each example and head, in the order of the groups, how many tokens it has; leave out where none is padding.

    Attributes
    ----------
    keys, queries : Tensor of int64
        For each row of the groups the row of the batch, (token or example) x heads + head.
    keys_back, queries_back : Tensor of int64
        The other way round.
    n_pairs : int
        Pairs of tokens, times heads.
    padding : PaddedPairs or None
        Which of the pairs are padding; None where none is.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        keys: Permutation,
        queries: Permutation,
        *,
        pooled: bool,
        real: torch.Tensor | None = None,
    ) -> None:
        self.keys, self.keys_back = keys
        self.queries, self.queries_back = queries
        self._groups: list[LengthGroup] = []
        key, query, pair = 0, 0, 0
        for length, count in sizes:
            n_queries = 1 if pooled else length
            self._groups.append(LengthGroup(length, n_queries, count, key, query, pair))
            key, query, pair = key + count * length, query + count * n_queries, pair + count * length * n_queries
        self.n_pairs = pair
        self.padding = None if real is None else self._padding(real, pooled=pooled)

    def _padding(self, real: torch.Tensor, *, pooled: bool) -> PaddedPairs:
        keys, queries = [], []
        for group, of_group in zip(self, torch.split(real, [group.count for group in self]), strict=True):
            # Of each example and head, the positions after its last token.
            beyond = torch.arange(group.length, device=real.device) >= of_group.unsqueeze(1)
            shape = group.count, group.n_queries, group.length
            asking = torch.zeros_like(beyond[:, :1]) if pooled else beyond
            queries.append(asking.unsqueeze(2).expand(shape).flatten())
            keys.append((beyond.unsqueeze(1) & ~asking.unsqueeze(2)).flatten())
        return PaddedPairs(torch.cat(keys), None if pooled else torch.cat(queries))

    def __iter__(self) -> Iterator[LengthGroup]:
        return iter(self._groups)


def groups_by_length(
    lengths: np.ndarray, starts: np.ndarray, heads: int, device: torch.device, *, padded: bool
) -> tuple[LengthGroups, LengthGroups]:
    """Return a batch's examples grouped by length: for layers where every token attends, and for the last one.

    Parameters
    ----------
    lengths, starts : ndarray of int
        Of the examples, in the batch's order.
    heads : int
        Attention heads.
    device : torch.device
        Where the rows are.
    padded : bool
        Whether examples are padded to 8, 16, 32 ... tokens, for a GPU: a few large groups instead of many small ones.
    """
    extents = _SHORTEST << np.ceil(np.log2(np.maximum(lengths / _SHORTEST, 1))).astype(int) if padded else lengths
    order = np.argsort(lengths, kind="stable")
    distinct, counts = np.unique(extents, return_counts=True)
    of_length = np.split(order, np.cumsum(counts)[:-1])
    token_rows = [
        _by_head(starts[examples, None] + np.minimum(np.arange(length), lengths[examples, None] - 1), heads)
        for examples, length in zip(of_length, distinct, strict=True)
    ]
    tokens = _both_ways(np.concatenate(token_rows), device)
    pooled = _both_ways(_by_head(order[:, None], heads), device)
    sizes = list(zip(distinct.tolist(), (counts * heads).tolist(), strict=True))
    real = to_device(torch.from_numpy(np.repeat(lengths[order], heads)), device) if padded else None
    return (
        LengthGroups(sizes, tokens, tokens, pooled=False, real=real),
        LengthGroups(sizes, tokens, pooled, pooled=True, real=real),
    )


def _by_head(rows: np.ndarray, heads: int) -> np.ndarray:
    return (rows[:, None, :] * heads + np.arange(heads)[None, :, None]).ravel()


def _both_ways(forward: np.ndarray, device: torch.device) -> Permutation:
    back = np.empty(forward.max() + 1, dtype=forward.dtype)
    # From the end, so that the first of several wins: a token itself comes before what it pads.
    back[forward[::-1]] = np.arange(len(forward))[::-1]
    return to_device(torch.from_numpy(forward), device), to_device(torch.from_numpy(back), device)
