"""Arrays: runs in NumPy's `.npz` and `.npy` files, or in memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.errors import SourceError
from analysis.problems import near
from analysis.sources.array_rows import ArrayRows, Given
from analysis.sources.assembly import assemble
from analysis.sources.found_files import FoundFile
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows, SourceFile
from analysis.sources.runs import Runs

_NAMES = {
    "label": ("labels", "label", "y_true", "gold", "target", "targets", "label_ids"),
    "example": ("ids", "id", "example_ids", "example_id", "idx", "index"),
    "run": ("seeds", "seed", "runs", "run"),
    "classes": ("classes", "class_names"),
}
"""What stands beside the answers, and what people call it; every other array holds the answers of an arm."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is NumPy's."""
    # In a zip archive the name of the first member starts at byte 30.
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")] if head.startswith(b"PK\x03\x04") else b""
    return head.startswith(b"\x93NUMPY") or first.endswith(b".npy")


def rows_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read the runs of a file.

    In an ``.npz`` each array is an arm, of shape (runs, examples) or (runs, examples, classes), next to ``labels`` and
    ``ids``, shape (examples,), ``seeds``, shape (runs,), and ``classes``. Where the path names the seed, arrays have no
    first axis; where it names the arm, there is one array. An ``.npy`` is such an array.

    Raises
    ------
    SourceError
        After all that can be read: if a part of the file cannot be, or its arrays do not fit together.
    """
    problems: list[str] = []
    held = _arrays_of(found, problems)
    beside = _beside(held, found, options, problems)
    arms = {key: array for key, array in held.items() if _role_of(key, options) is None}
    if found.arm is not None:
        arms = _answers_of(found.arm, arms, found, options, problems)
    elif "" in arms:
        problems.append(f"{found.name} does not say whose run it holds; add --pattern, or --run {found.name}=ARM,SEED")
        arms = {}
    rows = ArrayRows(found.source(), partial(_name, found), beside, problems)
    labels_known = "label" in beside or options.labels is not None
    yield from rows.rows(arms, arm=found.arm, run=found.run, score=options.metric or "score", labels_known=labels_known)
    if problems:
        raise SourceError(problems)


def labels_of(found: FoundFile, options: ImportOptions) -> Iterator[Rows]:
    """Read the labels of a file: an ``.npy`` of shape (examples,), or an ``.npz`` with ``labels`` and perhaps ``ids``.

    Raises
    ------
    SourceError
        If it cannot be read, or does not hold them.
    """
    problems: list[str] = []
    held = _arrays_of(found, problems)
    beside = {"label": ("", held[""])} if "" in held else _beside(held, found, options, problems)
    if "label" not in beside and not problems:
        problems.append(f"{found.name} holds no labels (there: {', '.join(held)}); name them by --column label=ARRAY")
    yield from ArrayRows(found.source(), partial(_name, found), beside, problems).labels()
    if problems:
        raise SourceError(problems)


def runs_of_arrays(
    arms: Mapping[str, ArrayLike],
    options: ImportOptions,
    *,
    labels: ArrayLike | None = None,
    ids: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
) -> Runs:
    """Make runs of arrays in memory.

    Parameters
    ----------
    arms : mapping of str to array, shape (runs, examples) or (runs, examples, classes)
        By arm: the predicted classes, as numbers or texts, or the predicted numbers, where there are labels; scores
        where there are none. With a third axis, the probabilities of the classes.
    options : ImportOptions
    labels : array, shape (examples,), or None
        The true classes or numbers.
    ids : array, shape (examples,), or None
        Names of the examples; where None they are counted from 0.
    seeds : array, shape (runs,), or None
        The seed of each run, which is the same in every arm. Where None, runs are counted from 0: the first runs of all
        arms are taken for a pair, unless arms have unequal numbers of runs.

    Raises
    ------
    SourceError
        With everything that is wrong.

    Examples
    --------
    >>> arms = {"full": [[1, 0, 1], [1, 1, 1]], "lora": [[1, 0, 0], [1, 0, 1]]}
    >>> runs = runs_of_arrays(arms, ImportOptions(), labels=[1, 0, 1])
    >>> runs.answers, runs.arms, runs.paired
    ('classes', ('full', 'lora'), True)
    >>> runs_of_arrays({"full": [[1.0, 0.5]], "lora": [[0.0, 0.5], [0.5, 1.0]]}, ImportOptions()).paired
    False
    """
    given = {"label": ("labels", labels), "example": ("ids", ids), "run": ("seeds", seeds)}
    beside = {role: (name, values) for role, (name, values) in given.items() if values is not None}
    problems: list[str] = []
    reader = ArrayRows(SourceFile(path="the arrays", sha256=""), str, beside, problems)
    checked = {arm: reader.checked(arm, values) for arm, values in arms.items()}
    known = {arm: array for arm, array in checked.items() if array is not None}
    remarks: tuple[str, ...] = ()
    if seeds is None and len({array.shape[:1] for array in known.values()}) > 1:
        options = replace(options, unpaired=True)
        remarks = ("arms have unequal numbers of runs, so runs are not paired by seed",)

    def rows() -> Iterator[Rows]:
        score = options.metric or "score"
        yield from reader.rows(known, arm=None, run=None, score=score, labels_known=labels is not None)
        if problems:
            raise SourceError(problems)

    runs = assemble(rows(), options)
    return replace(runs, remarks=(*runs.remarks, *remarks))


def _name(found: FoundFile, key: str) -> str:
    return f"{found.name}, {key}" if key else found.name


def _arrays_of(found: FoundFile, problems: list[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file by name; the only one of an ``.npy`` has none."""
    held: dict[str, NDArray[Any]] = {}
    key = ""
    try:
        loaded = np.load(found.path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            for key in loaded.files:
                held[key] = loaded[key]
    except (OSError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        why = (
            "holds Python objects, which are not loaded, since that could run any program; save numbers or texts: "
            "numpy.savez(..., labels=numpy.array(labels, dtype=str))"
            if "allow_pickle" in str(error)
            else f"cannot be read: {error}"
        )
        problems.append(f"{_name(found, key)} {why}")
    return held


def _beside(
    held: Mapping[str, NDArray[Any]], found: FoundFile, options: ImportOptions, problems: list[str]
) -> dict[str, Given]:
    """Find what stands beside the answers, by role, each with its name."""
    beside: dict[str, Given] = {}
    for role in _NAMES:
        keys = [key for key in held if _role_of(key, options) == role]
        asked = options.columns.get(role)
        if len(keys) > 1:
            problems.append(
                f"{found.name} holds {' and '.join(keys)}; choose by --column {role}={keys[0]}, or leave the others out"
            )
        elif keys:
            beside[role] = (keys[0], held[keys[0]])
        elif asked is not None and "" not in held:
            problems.append(f"{found.name} holds no array {asked}{near(asked, held)} (there: {', '.join(held)})")
    return beside


def _role_of(key: str, options: ImportOptions) -> str | None:
    for role, names in _NAMES.items():
        if key == options.columns[role] if role in options.columns else key.lower() in names:
            return role
    return None


def _answers_of(
    arm: str, arrays: dict[str, NDArray[Any]], found: FoundFile, options: ImportOptions, problems: list[str]
) -> dict[str, NDArray[Any]]:
    """Choose the one array with the answers of an arm."""
    asked = options.columns.get("prediction")
    if asked is not None and "" not in arrays:
        arrays = {key: array for key, array in arrays.items() if key == asked}
    if len(arrays) == 1:
        return arrays
    if not problems:
        problems.append(
            f"{found.name} should hold one array with the answers of arm {arm}, and holds "
            f"{', '.join(arrays) or 'none'}; choose by --column prediction=ARRAY"
        )
    return {}
