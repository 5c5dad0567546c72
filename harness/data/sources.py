"""Data sources: a study's files on this machine, the embedded data set, or a data set on the Hub."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness import embedded
from harness.data import files
from harness.data.files import KINDS, DataTable
from harness.data.origin import DataOrigin, SplitOrigin
from harness.errors import Checks, DataError, did_you_mean, one_line
from harness.hub import did_you_mean_path, find_local, is_on_hub, not_found
from harness.quiet import quiet
from harness.study.settings import Data

# Names of the same split.
_SYNONYMS = ({"train", "training"}, {"validation", "valid", "val", "dev"})
# What datasets writes about a data set beside its files.
_ABOUT = {"dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json"}
# train-00000-of-00002.parquet, in older data sets with a hash behind it.
_SHARD = re.compile(r"-(\d+)-of-(\d+)(-[0-9a-f]{16})?$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
ID_COLUMNS = ("idx", "id")


class Source(NamedTuple):
    """What was read of a data set: its place, the Hub's commit, and for each split its table and origin."""

    place: str
    revision: str | None
    tables: list[DataTable]
    parts: list[SplitOrigin]


def read(data: Data, beside: Path | None = None) -> tuple[DataTable, tuple[DataTable, ...], DataOrigin]:
    """Read what a study names: the rows to train on, those of each test set that has rows of its own, and whence.

    Parameters
    ----------
    data : Data
        The `data:` block of the study.
    beside : Path, optional
        The folder of the study file, where a relative path is looked up that is not in the working folder.

    Raises
    ------
    DataError
        If there are no such data, or they cannot be read.
    """
    grouped = (data.cluster,) if data.cluster else ()
    needed = tuple(dict.fromkeys((*data.text, data.label)))
    wanted = (*needed, *grouped, *ID_COLUMNS)
    checks = Checks()
    source = None
    with checks:
        source = _source(data, beside, needed, wanted)
    names = () if data.test_fraction else data.tests
    own: dict[str, tuple[DataTable, SplitOrigin]] = {}
    for name in filter(is_file, names):
        with checks:
            path = find_local(name, beside)
            if path is None or not path.is_file():
                raise DataError(f"data.test: {not_found(name, beside)}{did_you_mean_path(name, beside)}")
            table, file = files.read(path.absolute(), needed, wanted)
            own[name] = table, SplitOrigin(name=name, rows=table.n_rows, files=(file,))
    if checks.errors or source is None:
        raise checks.error()
    by_name = dict(zip(_asked(data), zip(source.tables, source.parts, strict=True), strict=True)) | own
    tests = [by_name[name] for name in names]
    origin = DataOrigin(
        place=source.place,
        revision=source.revision,
        train=source.parts[0],
        tests=tuple(part for _, part in tests),
    )
    return source.tables[0], tuple(table for table, _ in tests), origin


def _source(data: Data, beside: Path | None, needed: Sequence[str], wanted: Collection[str]) -> Source:
    if embedded.is_embedded(data.path):
        _check_ignored(data, "name", "revision")
        return _embedded(data)
    path = find_local(data.path, beside)
    if path is not None:
        _check_ignored(data, "revision")
        return _local(data, path.absolute(), needed, wanted)
    if not is_on_hub(data.path, beside):
        raise DataError(f"data.path: {not_found(data.path, beside)}{did_you_mean_path(data.path, beside)}")
    return _from_hub(data, beside, wanted)


def _check_ignored(data: Data, *keys: str) -> None:
    given = [key for key in keys if getattr(data, key) is not None]
    if given:
        raise DataError(
            f"data.{given[0]}: {getattr(data, given[0])!r} names something on the Hub, and {data.path} is on this "
            f"machine; leave it out: {' '.join(f'data.{key}=null' for key in given)}"
        )


def _embedded(data: Data) -> Source:
    tables = []
    for split in _asked(data):
        try:
            columns = embedded.split(data.path, split)
        except ValueError as error:
            key = _key(data, split) if data.path in embedded.DATA_SETS else "data.path"
            raise DataError(f"{key}: {error}") from None
        tables.append(DataTable(names=tuple(columns), columns=columns, n_rows=len(next(iter(columns.values())))))
    parts = [SplitOrigin(name=name, rows=t.n_rows) for name, t in zip(_asked(data), tables, strict=True)]
    return Source(data.path, None, tables, parts)


def _local(data: Data, path: Path, needed: Sequence[str], wanted: Collection[str]) -> Source:
    place, files_by_split = (path.parent, {path.name: [path]}) if path.is_file() else _splits_of(data, path)
    if path.is_file():
        _check_single(data, path)
        names = [path.name]
    elif data.test_fraction and len(files_by_split) == 1:
        names = list(files_by_split)
    else:
        names = _named(data, files_by_split, str(place))
    tables, parts = [], []
    for name in names:
        _check_files(name, files_by_split[name], place)
        read = [files.read(file, needed, wanted) for file in files_by_split[name]]
        tables.append(files.join_tables([table for table, _ in read], f"split {name!r} in {place}"))
        parts.append(SplitOrigin(name=name, rows=tables[-1].n_rows, files=tuple(file for _, file in read)))
    return Source(str(place), None, tables, parts)


def _asked(data: Data) -> tuple[str, ...]:
    """Return the splits that the data set has to have: a test set in a file of its own is none of them."""
    return (data.train,) if data.test_fraction else (data.train, *(name for name in data.tests if not is_file(name)))


def _key(data: Data, split: str) -> str:
    return "data.train" if split == data.train else "data.test"


def is_file(test: str) -> bool:
    """Say whether a test set is a file of its own, and no split of the data set."""
    return Path(test).suffix.lower() in KINDS


def _check_single(data: Data, path: Path) -> None:
    kinds = ", ".join(KINDS)
    if path.suffix.lower() not in KINDS:
        raise DataError(f"data.path: {path} is not a data file; expected one that ends in {kinds}, or a folder of them")
    if data.name is not None:
        raise DataError(f"data.name: {data.name!r} names a part of a data set, and {path} is one file; data.name=null")
    if not data.test_fraction and len(_asked(data)) > 1:
        raise DataError(
            f"data.path: {path} is one file, and a study needs rows to train on and rows to test on. To draw rows to "
            "test on, the same for every seed and arm, set data.test_fraction=0.2; or give a folder with a "
            f"file for each split, such as {' and '.join(f'{name}{path.suffix}' for name in _asked(data))}"
        )


def _splits_of(data: Data, folder: Path) -> tuple[Path, dict[str, list[Path]]]:
    """Return the folder that holds the splits, and its files by split."""
    if data.name is not None:
        if not (folder / data.name).is_dir():
            raise DataError(
                f"data.name: {folder} has no folder {data.name!r}; data.name=null takes the files of the folder itself"
            )
        folder = folder / data.name
    try:
        files_by_split = _files_by_split(folder)
        if _hold(data, files_by_split):
            return folder, files_by_split
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
        by_folder = {path: _files_by_split(path) for path in folders}
    except OSError as error:
        raise DataError(f"data.path: {folder} cannot be read: {error.strerror}") from None
    fitting = [(path, splits) for path, splits in by_folder.items() if _hold(data, splits)]
    if len(fitting) > 1:
        raise DataError(
            f"data.path: {', '.join(str(path) for path, _ in fitting)} each hold the splits; name one of these folders"
        )
    if fitting:
        return fitting[0]
    if not files_by_split:
        existing = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise DataError(
            f"data.path: {folder} holds no data that can be read; expected a file for each split that ends in "
            f"{', '.join(KINDS)}, or a folder that datasets' save_to_disk wrote; there is {existing}"
        )
    return folder, files_by_split


def _hold(data: Data, names: Mapping[str, Any]) -> bool:
    return all(_alike(split, names) for split in _asked(data))


def _files_by_split(folder: Path) -> dict[str, list[Path]]:
    """Return the files of a folder by split: train.csv, train-00000-of-00002.parquet and its like, or train/*.csv."""
    files_by_split: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            data_files = [file for file in sorted(entry.iterdir()) if _is_data(file)]
            if data_files:
                files_by_split.setdefault(entry.name, []).extend(data_files)
        elif _is_data(entry):
            files_by_split.setdefault(_SHARD.sub("", entry.stem), []).append(entry)
    return files_by_split


def _is_data(file: Path) -> bool:
    return file.suffix.lower() in KINDS and file.name not in _ABOUT and file.name[0] != "." and file.is_file()


def _check_files(split: str, paths: Sequence[Path], place: Path) -> None:
    """Refuse a split that is there twice, or in part."""
    shards = [_SHARD.search(path.stem) for path in paths]
    numbers = sorted((int(shard[2]), int(shard[1])) for shard in shards if shard)
    whole = [(numbers[0][0], number) for number in range(numbers[0][0])] if numbers else []
    shown = ", ".join(str(path.relative_to(place)) for path in paths[:10])
    # Of several files in a folder named after the split, each is a part of it.
    several = len(paths) > 1 and any(path.parent == place for path in paths)
    twice = several and not all(shards)
    if len({path.suffix.lower() for path in paths}) > 1 or (numbers and not all(shards)) or twice:
        raise DataError(f"split {split!r} is in {place} more than once: {shown}; leave one of them there")
    if numbers != whole:
        raise DataError(f"split {split!r} in {place} is not complete, or is there more than once: {shown}")


def _alike(split: str, names: Iterable[str]) -> str | None:
    """Return what a split is called there: the same but for capitals, or by another usual name."""
    names = list(names)
    if split in names:
        return split
    asked = split.casefold()
    same_but_for_case = [name for name in names if name.casefold() == asked]
    usual = next((names for names in _SYNONYMS if asked in names), set())
    matches = same_but_for_case or [name for name in names if name.casefold() in usual]
    return matches[0] if len(matches) == 1 else None


def _named(data: Data, existing: Iterable[str], place: str) -> list[str]:
    """Return the names of the splits that the study asks for, as they are called there."""
    existing = list(existing)
    names = []
    for split in _asked(data):
        name = _alike(split, existing)
        if name is None:
            advice = "; data.train and data.test say which to take"
            if len(existing) == 1:
                advice = "; data.test_fraction=0.2 draws the rows to test on from the one that is there"
            advice = did_you_mean(split, existing) or advice
            raise DataError(
                f"{_key(data, split)}: {place} has no split {split!r}; there are {', '.join(existing)}{advice}"
            )
        names.append(name)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        which = "data.train and data.test" if twice == names[0] else "two of the test sets"
        raise DataError(f"{which} are the same split of {place}, {twice!r}; name another")
    return names


def _from_hub(data: Data, beside: Path | None, wanted: Collection[str]) -> Source:
    import datasets

    try:
        with quiet():
            # In memory, a split has no cache file, which alone tells where it comes from.
            loaded = datasets.load_dataset(data.path, data.name, revision=data.revision, keep_in_memory=False)
    except Exception as error:
        # Whatever the library raises over somebody's data set. It says only that generating failed; the cause says why.
        failed = isinstance(error, datasets.exceptions.DatasetGenerationError)
        cause = error.__cause__ if failed and error.__cause__ else error
        raise DataError(
            f"data set {data.path!r} cannot be loaded: {not_found(data.path, beside)}, and from the Hub: "
            f"{one_line(cause)}. Without a network, give a local copy: "
            "data.path=FOLDER with one .parquet, .csv or .json file for each split, and data.name=null; or "
            f"data.path=embedded/sentiment{did_you_mean_path(data.path, beside)}"
        ) from None
    place = data.path if data.name is None else f"{data.path} ({data.name})"
    names = _named(data, loaded, f"data set {place}")
    commits = {Path(file["filename"]).parent.name for name in names for file in loaded[name].cache_files}
    commit = _commit(data, commits, beside)
    tables = []
    for name in names:
        split = loaded[name]
        kept = [column for column in split.column_names if column in wanted]
        tables.append(
            DataTable(
                names=tuple(split.column_names),
                columns={column: split[column][:] for column in kept},
                n_rows=len(split),
                classes={
                    column: tuple(split.features[column].names)
                    for column in kept
                    if isinstance(split.features[column], datasets.ClassLabel)
                },
            )
        )
    parts = [SplitOrigin(name=name, rows=table.n_rows) for name, table in zip(names, tables, strict=True)]
    return Source(place, commit, tables, parts)


def _commit(data: Data, commits: set[str], beside: Path | None) -> str:
    """Return the Hub's commit that datasets' cache names its copy by.

    Without a network, datasets serves whatever its cache holds under a name: a folder of that name that was read
    once, anywhere, whose copy is named by a shorter hash; or another commit than the one that was asked for.
    """
    commit = next(iter(commits)) if len(commits) == 1 else ""
    if not _COMMIT.fullmatch(commit):
        raise DataError(
            f"data.path: {not_found(data.path, beside)}, and what datasets' cache holds under this name was read from "
            "local files, not from the Hub; give the folder's path"
        )
    if data.revision and _COMMIT.fullmatch(data.revision) and data.revision != commit:
        raise DataError(
            f"data.revision: asked for {data.revision}, and without a network datasets' cache gave {commit}; "
            "name that one, or load the data once with a network"
        )
    return commit
