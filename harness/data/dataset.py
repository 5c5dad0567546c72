"""Data set of a study before it is tokenised: checked, classes numbered, subsets drawn, examples named."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import seeding
from harness.data import sources
from harness.data.classes import number_classes
from harness.data.files import DataTable
from harness.data.numbers import numbers_of
from harness.data.origin import DataOrigin
from harness.data.splits import ScoredSet, TextSplit, join, remarks_on, shared_examples
from harness.data.train_test_split import train_test_split
from harness.errors import DataError, did_you_mean
from harness.study.settings import Data
from harness.study.study import Task
from harness.study.validation import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Both splits of a study before they are tokenised: what `harness plan` knows of the data.

    Parameters
    ----------
    train, test : TextSplit
        What is trained on and what is scored: of several test sets all examples, one set after the other.
    sets : tuple of ScoredSet
        These sets, in that order; empty where there is one.
    classes : tuple of str
        In the order of the labels 0, 1, ...; a regression has none.
    clusters : tuple of str or None
        The group of each test example, where the study has a column for it, or where test sets share examples: an
        example and its copy are then a group.
    origin : DataOrigin
        What was read, and from where.
    remarks : tuple of str
        What a reader of the scores should know of the data.
    n_drawn : int or None
        How many of the training examples each seed draws as its own training set; None where every seed takes them all.
    """

    train: TextSplit
    test: TextSplit
    sets: tuple[ScoredSet, ...]
    classes: tuple[str, ...]
    clusters: tuple[str, ...] | None
    origin: DataOrigin
    remarks: tuple[str, ...]
    n_drawn: int | None = None

    @property
    def n_per_seed(self) -> int:
        """How many examples a trial is trained on, its hold-out included."""
        return len(self.train) if self.n_drawn is None else self.n_drawn

    def in_words(self) -> str:
        """Return in one line what was read, how many examples were drawn of it, and how many each seed draws."""
        read = [part.rows for part in (self.origin.train, *self.origin.tests)]
        drawn = ""
        if read != [len(self.train), *([one.n_test for one in self.sets] or [len(self.test)])]:
            drawn = f"; {len(self.train):,} drawn to train on and {len(self.test):,} to test on"
        if self.n_drawn is not None:
            drawn += f"; each seed draws its own {self.n_drawn:,} of the {len(self.train):,} training examples"
        return f"data: {self.origin.in_words()}{drawn}"


def read(data: Data, *, task: Task = "classification", beside: Path | None = None) -> Dataset:
    """Read both splits, check them, and draw the subsets.

    Parameters
    ----------
    data : Data
        The `data:` block of the study.
    task : {"classification", "regression"}
        Whether its labels are classes, or numbers.
    beside : Path, optional
        The folder of the study file, where a relative path is looked up that is not in the working folder.

    Raises
    ------
    DataError
        If a split or column does not exist, a value is missing, a label is hidden or of no class or no number, a split
        holds one class or number only, an id is there twice, a seed would draw no training example or all of them.
    """
    train, tests, origin = sources.read(data, beside)
    tables = {data.train: train, **dict(zip(data.tests, tests, strict=False))}
    _check_columns(data, tables)
    texts = {split: _texts(data, split, table) for split, table in tables.items()}
    classes: tuple[str, ...] = ()
    try:
        if task == "regression":
            labels = numbers_of(data.label, tables)
        else:
            classes, labels = number_classes(data.label, tables)
    except DataError as error:
        raise DataError(f"data.label of {_whence(data)}: {error}") from None
    # The rows of every split, and which table each comes from.
    if tests:
        rows = {split: np.arange(table.n_rows) for split, table in tables.items()}
        source_of = {split: split for split in tables}
    else:
        units = train.columns[data.cluster] if data.cluster else texts[data.train]
        # Numbers are no classes that would each give a share.
        strata = labels[data.train].tolist() if classes else [0] * train.n_rows
        drawn = train_test_split(strata, units, fraction=data.test_fraction or 0.0, seed=data.split_seed)
        rows = dict(zip((data.train, "drawn test rows"), drawn, strict=True))
        source_of = dict.fromkeys(rows, data.train)
        # A cluster may take the only rows of a class with it.
        untrained = sorted(set(labels[data.train]) - set(labels[data.train][drawn[0]]))
        if classes and untrained:
            listed = ", ".join(classes[number] for number in untrained)
            raise DataError(
                f"data.test_fraction: the draw leaves no example of {listed} to train on, because the rows of a "
                "cluster stay together; try another data.split_seed or a smaller fraction"
            )
    splits: list[TextSplit] = []
    clusters: list[tuple[str, ...]] = []
    for split, own_rows in rows.items():
        source = source_of[split]
        chosen = own_rows[_subset(split, len(own_rows), data.test_size if splits else data.train_size)]
        split_texts = TextSplit(
            split=split,
            ids=_ids(tables[source], chosen, texts[source]),
            labels=labels[source][chosen],
            texts=tuple(texts[source][i] for i in chosen),
        )
        _check_labels(split_texts, classes)
        if data.cluster and splits:
            clusters.append(tuple(str(tables[source].columns[data.cluster][i]) for i in chosen))
            if len(set(clusters[-1])) < 2:
                raise DataError(
                    f"column {data.cluster!r} of split {split!r} holds one cluster only; two or more are needed"
                )
        splits.append(split_texts)
    first, *scored = splits
    grouped = tuple(itertools.chain(*clusters)) or None
    test = scored[0]
    sets: tuple[ScoredSet, ...] = ()
    if len(scored) > 1:
        test = join(scored)
        sets, copies = shared_examples(scored)
        grouped = grouped or copies
    return Dataset(
        train=first,
        test=test,
        sets=sets,
        classes=classes,
        clusters=grouped,
        origin=origin,
        remarks=remarks_on(first, scored, sets, clusters, column=data.text[0], resampled=data.resample is not None),
        n_drawn=None if data.resample is None else n_per_seed(len(first), data.resample),
    )


def n_per_seed(n: int, resample: float | None) -> int:
    """Return how many of `n` training examples each seed takes: all, or where the study resamples, that share.

    Raises
    ------
    DataError
        If the share is none of them, or all.
    """
    if resample is None:
        return n
    size = round(resample * n)
    if not 0 < size < n:
        raise DataError(
            f"data.resample: {resample:g} of {n} training examples is {'all' if size else 'none'} of them; "
            "each seed must draw at least one and leave at least one out"
        )
    return size


def _whence(data: Data) -> str:
    """Name the data that a study reads: the data set, and the files that are test sets."""
    return ", ".join([data.path, *(name for name in data.tests if sources.is_file(name))])


def _check_columns(data: Data, tables: Mapping[str, DataTable]) -> None:
    """Check that the study's columns are there and filled."""
    problems = []
    for split, table in tables.items():
        if table.n_rows == 0:
            problems.append(f"split {split!r} holds no rows")
            continue
        grouped = data.cluster is not None and (split != data.train or len(tables) == 1)
        keys = [*(("text", column) for column in data.text), ("label", data.label)]
        if data.cluster and grouped:
            keys.append(("cluster", data.cluster))
        for key, column in keys:
            at = f"data.{key}"
            if column not in table.columns:
                existing = f"there are {', '.join(table.names)}{did_you_mean(column, table.names)}"
                problems.append(f"{at}: split {split!r} of {data.path} has no column {column!r}; {existing}")
                continue
            empty = [row for row, value in enumerate(table.columns[column], start=1) if value is None]
            if empty:
                problems.append(
                    f"{at} of {_whence(data)}: column {column!r} of split {split!r} is empty in {len(empty)} of "
                    f"{table.n_rows} rows, first in row {empty[0]}"
                )
    if problems:
        raise DataError("\n".join(problems))


def _texts(data: Data, split: str, table: DataTable) -> list[tuple[str, ...]]:
    for column in data.text:
        for row, value in enumerate(table.columns[column], start=1):
            if isinstance(value, str):
                continue
            raise DataError(
                f"data.text of {_whence(data)}: column {column!r} of split {split!r} holds no text: {shown(value)} in "
                f"row {row}; name a column of texts, "
                "or write the values as texts"
            )
    texts = list(zip(*(table.columns[column] for column in data.text), strict=True))
    for number, parts in enumerate(texts, start=1):
        try:
            "".join(parts).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"row {number} of split {split!r} holds half a character (a lone surrogate); correct its text"
            ) from None
    return texts


def _check_labels(part: TextSplit, classes: Sequence[str]) -> None:
    present = sorted(set(part.labels.tolist()))
    if len(present) < 2:
        kind = "class" if classes else "number"
        only = f"no {kind}"
        if present:
            only = f"one {kind} only, {classes[present[0]] if classes else present[0]!r},"
        raise DataError(
            f"split {part.split!r} holds {only} in {len(part)} examples; two or more are needed to compare models"
        )


def _subset(split: str, n: int, size: int | None) -> np.ndarray:
    if size is None:
        return np.arange(n)
    if size > n:
        raise DataError(f"{size} examples asked for, but split {split!r} holds {n}; ask for at most {n}")
    # Where a file lies decides nothing.
    return np.sort(seeding.study_permutation(f"subset of {Path(split).name}", n)[:size])


def _ids(table: DataTable, chosen: np.ndarray, texts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the column idx or id where there is one, else a hash of the text and its occurrence."""
    for column in sources.ID_COLUMNS:
        if column in table.columns:
            values = [table.columns[column][i] for i in chosen]
            ids = tuple(map(str, values))
            if None in values or len(set(ids)) < len(ids):
                twice, count = Counter(ids).most_common(1)[0]
                wrong = "is empty in some rows" if None in values else f"holds {twice!r} {_times(count)}"
                raise DataError(
                    f"column {column!r} {wrong}; example ids must be distinct: correct them, or rename the column, and "
                    "ids are made from the texts"
                )
            return ids
    seen: Counter[str] = Counter()
    hashed = []
    for i in chosen:
        digest = hashlib.sha256("\x1f".join(texts[i]).encode()).hexdigest()[:16]
        hashed.append(f"{digest}-{seen[digest]}")
        seen[digest] += 1
    return tuple(hashed)


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
