"""The train and test split of a study: stable example ids, tokenised once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import embedded, seeding
from harness.errors import DataError, did_you_mean
from harness.hub import find, is_on_hub, not_here
from harness.quiet import quiet
from harness.settings import Data

_FILE_KINDS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Tokenised examples.

    Parameters
    ----------
    ids : tuple of str
        One for each example, none twice.
    labels : ndarray of int64
        Classes 0 to C - 1.
    features : tuple of mappings
        For each example the model's inputs as lists of token numbers, not padded.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    features: tuple[Mapping[str, list[int]], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: np.ndarray) -> Split:
        """Return the examples at `indices`, in that order."""
        return Split(
            ids=tuple(self.ids[i] for i in indices),
            labels=self.labels[indices],
            features=tuple(self.features[i] for i in indices),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskData:
    """What every trial of a study is trained and scored on.

    `clusters` names the group of each test example, where the study has a column for it.
    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    clusters: tuple[str, ...] | None = None

    def with_holdout(self, fraction: float) -> tuple[Split, Split]:
        """Split train into the part that is trained on and the part held out, the same for every seed and arm.

        Raises
        ------
        DataError
            If a part would be empty.
        """
        n = len(self.train)
        held = n_held_out(n, fraction)
        if not 0 < held < n:
            raise DataError(f"a hold-out of {fraction:g} of {n} training examples leaves one of the two parts empty")
        drawn = seeding.study_permutation("holdout", n)
        return self.train.take(np.sort(drawn[held:])), self.train.take(np.sort(drawn[:held]))


def n_held_out(n: int, fraction: float) -> int:
    """Return how many of `n` training examples a hold-out takes."""
    return round(fraction * n)


def load(data: Data, tokenizer: Any, *, beside: Path | None = None) -> TaskData:
    """Read both splits, draw the subsets, and tokenise.

    Parameters
    ----------
    data : Data
        The `data:` block of the study.
    tokenizer : transformers tokenizer
        Of the study's checkpoint, with its padding token set.
    beside : Path, optional
        The folder of the study file, where a relative path is looked up that is not in the working folder.

    Raises
    ------
    DataError
        If a split or column does not exist, a label is hidden or of no class, a split holds one class, a text is
        empty or ends in the padding token.
    """
    columns = {split: _columns(data, split, beside) for split in (data.train, data.test)}
    names, numbers = _classes(data, columns)
    splits = []
    for split, size in ((data.train, data.train_size), (data.test, data.test_size)):
        table = columns[split]
        chosen = _subset(split, len(table[data.label]), size)
        labels = np.array([numbers[table[data.label][i]] for i in chosen], dtype=np.int64)
        if len(set(labels.tolist())) < 2:
            raise DataError(
                f"split {split!r} holds one class only, {names[int(labels[0])]!r}, in {len(labels)} examples; "
                "two or more are needed to compare models"
            )
        texts = [[table[column][i] for i in chosen] for column in data.text]
        ids = _ids(table, chosen, texts)
        splits.append(Split(ids=ids, labels=labels, features=_tokenise(data, split, tokenizer, texts, ids)))
    train, test = splits
    # The last split read is the test split.
    clusters = tuple(str(table[data.cluster][i]) for i in chosen) if data.cluster else None
    if clusters is not None and len(set(clusters)) < 2:
        raise DataError(
            f"column {data.cluster!r} of split {data.test!r} holds one cluster only; two or more are needed"
        )
    return TaskData(
        train=train,
        test=test,
        classes=names,
        fingerprint=_fingerprint(train, test, len(names)),
        clusters=clusters,
    )


def outline(data: Data, *, beside: Path | None = None) -> tuple[tuple[str, ...], int, int]:
    """Return the classes in the order of the labels 0, 1, ..., and the number of training and of test examples.

    Raises
    ------
    DataError
        If the data cannot be read, or their labels are no classes.
    """
    columns = {split: _columns(data, split, beside) for split in (data.train, data.test)}
    n_train, n_test = (len(columns[split][data.label]) for split in (data.train, data.test))
    return _classes(data, columns)[0], data.train_size or n_train, data.test_size or n_test


def _columns(data: Data, split: str, beside: Path | None) -> Mapping[str, Sequence[Any]]:
    """Read one split and check that the study's columns are there and filled."""
    if embedded.is_embedded(data.path):
        try:
            table: Mapping[str, Sequence[Any]] = embedded.split(data.path, split)
        except ValueError as error:
            raise DataError(str(error)) from None
    else:
        table = _read(data, split, beside)
    grouped = data.cluster is not None and split == data.test
    wanted = (*data.text, data.label, *([data.cluster] if grouped else ()))
    for column in wanted:
        if column not in table:
            raise DataError(
                f"split {split!r} of {data.path} has no column {column!r}; "
                f"there are {', '.join(table)}{did_you_mean(column, table)}"
            )
        empty = sum(value is None for value in table[column])
        if empty:
            raise DataError(f"column {column!r} of split {split!r} is empty in {empty} of {len(table[column])} rows")
    for column in data.text:
        odd = next((value for value in table[column] if not isinstance(value, str)), None)
        if odd is not None:
            raise DataError(f"column {column!r} of split {split!r} holds no text: {odd!r}")
    return table


def _read(data: Data, split: str, beside: Path | None) -> Mapping[str, Sequence[Any]]:
    import datasets

    path = find(data.path, beside)
    try:
        if path is not None and path.is_file():
            kinds = ", ".join(_FILE_KINDS)
            raise DataError(f"data.path: one file holds one split; expected a folder with a {kinds} file for each")
        if path is None and not is_on_hub(data.path, beside):
            raise DataError(f"data.path: {not_here(data.path, beside)}")
        files = _named_after_splits(path) if path is not None and data.name is None else {}
        name = data.path if path is None else str(path)
        with quiet():
            if split in files:
                kind = _FILE_KINDS[Path(files[split][0]).suffix]
                loaded = {split: datasets.load_dataset(kind, data_files=files[split], split="train")}
            else:
                loaded = files or datasets.load_dataset(name, data.name, revision=data.revision)
    except DataError:
        raise
    except (ConnectionError, OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        # datasets says only that generating failed; the cause says why.
        failed = isinstance(error, datasets.exceptions.DatasetGenerationError)
        cause = error.__cause__ if failed and error.__cause__ else error
        raise DataError(
            f"data set {data.path!r} cannot be loaded ({type(cause).__name__}: {_in_short(cause)}). Without a "
            "network, give a local copy: data.path=FOLDER with one .parquet, .csv or .json file for each split, "
            "and data.name=null; or data.path=embedded/sentiment"
        ) from None
    if split not in loaded:
        raise DataError(
            f"data set {data.path!r} has no split {split!r}; there are {', '.join(loaded)}{did_you_mean(split, loaded)}"
        )
    table = loaded[split]
    columns = {name: table[name][:] for name in table.column_names}
    label = table.features.get(data.label)
    if isinstance(label, datasets.ClassLabel):
        # A label below 0 is a hidden one, and has no name.
        columns[data.label] = [label.names[v] if v is not None and v >= 0 else v for v in columns[data.label]]
    return columns


def _named_after_splits(folder: Path) -> dict[str, list[str]]:
    """Return the files of a folder by split: train.csv, or train-00000-of-00002.parquet and its like.

    Left to itself, datasets guesses splits from words in the whole path: below a folder named test, all is test.
    """
    files: dict[str, list[str]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix in _FILE_KINDS:
            files.setdefault(re.sub(r"-\d+-of-\d+$", "", file.stem), []).append(str(file))
    for split, names in files.items():
        if len({Path(name).suffix for name in names}) > 1:
            raise DataError(f"split {split!r} is in {folder} more than once: {', '.join(Path(n).name for n in names)}")
    return files


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if len(text) <= 200 else f"{text[:197]}..."


def _classes(data: Data, columns: Mapping[str, Mapping[str, Sequence[Any]]]) -> tuple[tuple[str, ...], dict[Any, int]]:
    """Return the names of the classes and the number of each label."""
    values = {split: set(table[data.label]) for split, table in columns.items()}
    for split, labels in values.items():
        odd = next((v for v in labels if not isinstance(v, bool | int | str)), None)
        if odd is not None:
            raise DataError(
                f"column {data.label!r} of split {split!r} holds no class: {odd!r}; classification needs one"
            )
        if -1 in labels:
            raise DataError(f"the labels of split {split!r} are hidden (-1); GLUE's test splits are: use validation")
    unseen = values[data.test] - values[data.train]
    if unseen:
        shown = ", ".join(sorted(map(repr, unseen)))
        raise DataError(f"split {data.test!r} holds classes that split {data.train!r} lacks: {shown}")
    known = sorted(values[data.train], key=lambda v: (isinstance(v, str), v))
    return tuple(map(str, known)), {value: number for number, value in enumerate(known)}


def _subset(split: str, n: int, size: int | None) -> np.ndarray:
    if size is None:
        return np.arange(n)
    if size > n:
        raise DataError(f"{size} examples asked for, split {split!r} holds {n}")
    return np.sort(seeding.study_permutation(f"subset of {split}", n)[:size])


def _ids(table: Mapping[str, Sequence[Any]], chosen: np.ndarray, texts: list[list[str]]) -> tuple[str, ...]:
    """Return the column idx or id where there is one, else a hash of the text and its occurrence."""
    for column in ("idx", "id"):
        if column in table:
            ids = tuple(str(table[column][i]) for i in chosen)
            if len(set(ids)) < len(ids):
                twice = next(i for i, count in Counter(ids).items() if count > 1)
                raise DataError(f"column {column!r} holds {twice!r} twice; example ids must be distinct")
            return ids
    seen: Counter[str] = Counter()
    hashed = []
    for parts in zip(*texts, strict=True):
        digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
        hashed.append(f"{digest}-{seen[digest]}")
        seen[digest] += 1
    return tuple(hashed)


def _tokenise(
    data: Data, split: str, tokenizer: Any, texts: list[list[str]], ids: tuple[str, ...]
) -> tuple[Mapping[str, list[int]], ...]:
    encoded = tokenizer(*texts, truncation=True, max_length=data.max_length, return_attention_mask=False)
    rows = tuple({name: list(encoded[name][i]) for name in encoded} for i in range(len(ids)))
    for example, row in zip(ids, rows, strict=True):
        tokens = row["input_ids"]
        if not tokens:
            raise DataError(f"example {example} of split {split!r} has no token; leave empty texts out")
        # GPT-2 pools at the last token that is not padding: one that ends in it would be read a token early.
        if tokens[-1] == tokenizer.pad_token_id:
            raise DataError(
                f"example {example} of split {split!r} ends in {tokenizer.pad_token!r}, which is the padding token: "
                "the model would take it for padding"
            )
    return rows


def _fingerprint(train: Split, test: Split, n_classes: int) -> str:
    """Hash the processed examples themselves: a cache's name for them says less than they do."""
    digest = hashlib.sha256(f"{n_classes}".encode())
    for split in (train, test):
        for example, label, row in zip(split.ids, split.labels, split.features, strict=True):
            digest.update(f"\x1e{example}\x1f{label}".encode())
            for name in sorted(row):
                digest.update(f"\x1f{name}".encode())
                digest.update(np.asarray(row[name], dtype=np.int32).tobytes())
    return digest.hexdigest()[:32]
