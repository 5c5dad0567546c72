"""Splits: their examples as texts, several test sets as one split, and the texts that splits share."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSplit:
    """The examples of a split in the order of the data, checked and drawn.

    Parameters
    ----------
    split : str
        What the split is called in messages.
    ids : tuple of str
        One for each example, none twice.
    labels : ndarray of int64 or float64
        Classes 0 to C - 1, or the numbers of a regression.
    texts : tuple of tuple of str
        For each example its text, or its two.
    """

    split: str
    ids: tuple[str, ...]
    labels: np.ndarray
    texts: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)


class ScoredSet(NamedTuple):
    """One of several test sets: its name, its examples, and how many of these an earlier set has too."""

    name: str
    n_test: int
    n_shared: int


def join(sets: Sequence[TextSplit]) -> TextSplit:
    """Return several test sets as one split, one after the other, with the set's number in every id.

    A name may be a path, and what a trial is known by must not depend on where a file lies.
    """
    return TextSplit(
        split=" and ".join(one.split for one in sets),
        ids=tuple(f"{number}/{example}" for number, one in enumerate(sets, start=1) for example in one.ids),
        labels=np.concatenate([one.labels for one in sets]),
        texts=tuple(itertools.chain.from_iterable(one.texts for one in sets)),
    )


def shared_examples(sets: Sequence[TextSplit]) -> tuple[tuple[ScoredSet, ...], tuple[str, ...] | None]:
    """Say which examples several test sets have in common.

    An example of a set and one of another are the same where their texts are. Where a set holds a text more than once,
    its first is the other's first, and so on.

    Returns
    -------
    tuple of ScoredSet, and tuple of str or None
        The sets; and for every example of all sets in turn what it is, the same for copies of one. None without copies.
    """
    seen: dict[tuple[tuple[str, ...], int], str] = {}
    scored, names = [], []
    for number, one in enumerate(sets, start=1):
        occurrences: Counter[tuple[str, ...]] = Counter()
        n_shared = 0
        for example, text in zip(one.ids, one.texts, strict=True):
            place = (text, occurrences[text])
            occurrences[text] += 1
            n_shared += place in seen
            names.append(seen.setdefault(place, f"{number}/{example}"))
        scored.append(ScoredSet(one.split, len(one), n_shared))
    return tuple(scored), tuple(names) if any(one.n_shared for one in scored) else None


def remarks_on(
    train: TextSplit,
    tests: Sequence[TextSplit],
    sets: Sequence[ScoredSet],
    clusters: Sequence[Sequence[str]],
    *,
    column: str,
    resampled: bool,
) -> tuple[str, ...]:
    """Say how many test texts are in train too, in their own set more than once, and in an earlier set.

    Parameters
    ----------
    train, tests : TextSplit, sequence of TextSplit
        What is trained on, and every test set.
    sets : sequence of ScoredSet
        The test sets where there are several, else empty.
    clusters : sequence of sequence of str
        The cluster of each example of each test set, where the study has a column for it, else empty.
    column : str
        The study's first column of texts.
    resampled : bool
        Whether each seed draws its own training set.
    """
    remarks: list[str] = []
    for number, test in enumerate(tests):
        own = clusters[number] if clusters else None
        of_set = f"test set {test.split}: " if sets else ""
        remarks += (of_set + remark for remark in _repeated(train, test, own, column=column, resampled=resampled))
        if sets and sets[number].n_shared:
            once = "" if clusters else ", and as drawn once"
            remarks.append(
                f"{of_set}{sets[number].n_shared:,} of {len(test):,} texts are in an earlier test set too: they count "
                f"in each{once}"
            )
    return tuple(remarks)


def _repeated(
    train: TextSplit, test: TextSplit, clusters: Sequence[str] | None, *, column: str, resampled: bool
) -> tuple[str, ...]:
    """Say how many test texts are in train too, and how many repeat one that is drawn on its own."""
    remarks = []
    known = set(train.texts)
    shared = sum(text in known for text in test.texts)
    if shared:
        which = "those that its seed drew" if resampled else "them"
        remarks.append(
            f"{shared:,} of {len(test):,} test texts are in the training split too: a model may have memorised {which}"
        )
    drawn = set(zip(test.texts, clusters or range(len(test)), strict=True))
    repeated = len(drawn) - len(set(test.texts))
    if repeated and clusters is None:
        remarks.append(
            f"{repeated:,} of {len(test):,} test texts repeat another one: a model is right or wrong on both, but the "
            "tests count each as drawn on its own, so that gaps look surer than they are; with "
            f"data.cluster: {column} equal texts count as one"
        )
    elif repeated:
        remarks.append(
            f"{repeated:,} of {len(test):,} test texts repeat one of another cluster: a model is right or wrong on "
            "both, but the tests count clusters as drawn on their own; name a data.cluster that keeps equal texts "
            "together"
        )
    return tuple(remarks)
