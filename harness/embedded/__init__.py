"""The embedded data set, checkpoints and study: they run with no network, wherever the package is installed.

``embedded/sentiment`` is a corpus of short reviews that its code generates; ``embedded/tiny-gpt2`` and
``embedded/tiny-distilbert`` are two tiny models pretrained on reviews from the same grammar. The folder's README
says how they came to be. ``embedded/quickstart`` is a study of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

DATA_SETS = ("embedded/sentiment",)
CHECKPOINTS = ("embedded/tiny-distilbert", "embedded/tiny-gpt2")
STUDIES = ("embedded/quickstart",)
SPLITS = ("train", "validation", "test")


def is_embedded(name: str) -> bool:
    """Say whether a name of a model, a data set or a study belongs to the embedded ones.

    Parameters
    ----------
    name : str
        As written in a study file.

    Examples
    --------
    >>> is_embedded("embedded/tiny-gpt2"), is_embedded("openai-community/gpt2")
    (True, False)
    """
    return name.startswith("embedded/")


def split(path: str, split: str) -> dict[str, list[Any]]:
    """Return one split of an embedded data set, in SST-2's columns.

    Parameters
    ----------
    path : str
        ``embedded/sentiment``.
    split : str
        ``train`` (6000 sentences), ``validation`` (800) or ``test`` (800).

    Returns
    -------
    dict
        ``sentence`` (text), ``label`` (0 negative, 1 positive) and ``idx`` (0, 1, ... within the split), lists of
        the same length.

    Raises
    ------
    ValueError
        For a data set or a split that does not exist; the message lists those that do.

    Examples
    --------
    >>> columns = split("embedded/sentiment", "validation")
    >>> sorted(columns), len(columns["idx"])
    (['idx', 'label', 'sentence'], 800)
    """
    if path not in DATA_SETS:
        raise ValueError(f"there is no embedded data set {path!r}; there is: {', '.join(DATA_SETS)}")
    if split not in SPLITS:
        raise ValueError(f"{path} has no split {split!r}; it has: {', '.join(SPLITS)}")
    from harness.embedded import corpus

    examples = corpus.labelled()[split]
    return {
        "sentence": [example.sentence for example in examples],
        "label": [example.label for example in examples],
        "idx": list(range(len(examples))),
    }


def checkpoint(name: str) -> Path:
    """Return the folder of an embedded checkpoint.

    Parameters
    ----------
    name : str
        ``embedded/tiny-gpt2`` or ``embedded/tiny-distilbert``.

    Raises
    ------
    ValueError
        For a checkpoint that does not exist; the message lists those that do.

    Examples
    --------
    >>> checkpoint("embedded/tiny-gpt2").name
    'tiny-gpt2'
    """
    if name not in CHECKPOINTS:
        raise ValueError(f"there is no embedded checkpoint {name!r}; there are: {', '.join(CHECKPOINTS)}")
    return Path(__file__).parent / name.removeprefix("embedded/")


def study_file(path: Path) -> Path:
    """Return the file of an embedded study; any other path, and a file of that name, as it is.

    Parameters
    ----------
    path : Path
        A study file, or ``embedded/quickstart``.

    Examples
    --------
    >>> study_file(Path("embedded/quickstart")).name, str(study_file(Path("mine.yaml")))
    ('quickstart.yaml', 'mine.yaml')
    """
    name = path.as_posix()
    if name not in STUDIES or path.is_file():
        return path
    return Path(__file__).parent / f"{name.removeprefix('embedded/')}.yaml"
