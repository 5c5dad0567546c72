"""Options of an import: what a user says where the sources leave a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What a user says where the sources leave a choice; the defaults leave everything to what is in the files.

    Parameters
    ----------
    columns : mapping of str to str
        The column that plays a role, by role (``--column arm=model``).
    pattern : str or None
        The paths of the files, one a run, with ``{arm}`` and ``{seed}`` (``--pattern``).
    labels : Path or None
        The file with the labels, where those with the answers hold none (``--labels``).
    runs : mapping of str to (str, str)
        The arm and the seed of a file, by its path (``--run FILE=arm,seed``).
    filter : str or None
        Which filter of lm-evaluation-harness (``--filter``).
    metric : str or None
        Which score, or metric of classes or numbers, is compared (``--metric``).
    classes : tuple of str
        The class names in the order of the labels (``--classes``).
    task : {"classification", "regression"} or None
        What the predictions are, where the numbers leave it open (``--task``).
    logits : bool
        Whether the outputs are logits (``--logits``).
    lower_is_better : bool
        Of the score (``--lower-is-better``).
    unpaired : bool
        Whether equal run labels in two arms mean nothing (``--unpaired``).
    common_examples : bool
        Whether only the examples count that every run has (``--common-examples``).
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None
    labels: Path | None = None
    runs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    filter: str | None = None
    metric: str | None = None
    classes: tuple[str, ...] = ()
    task: Literal["classification", "regression"] | None = None
    logits: bool = False
    lower_is_better: bool = False
    unpaired: bool = False
    common_examples: bool = False
