"""Rows: a piece of a long table, whatever file it came from; one row says what one run answered for one example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that runs were read from.

    Parameters
    ----------
    path : str
        As it was given.
    sha256 : str
        Of its bytes, in hexadecimal; of a frame or an array in memory, empty.
    tool, version : str or None
        Which program wrote it, where the file says so, such as ``lm-evaluation-harness`` and ``0.4.13``.
    task : str or None
        What was asked, where the file says so, such as ``gsm8k, version 3``. Files of unlike tasks are not compared.
    """

    path: str
    sha256: str
    tool: str | None = None
    version: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of one file. All arrays have one entry per row and hold what the file holds, nulls included.

    Parameters
    ----------
    source : SourceFile
        The file.
    arm, run : pa.Array or str
        The arm, and the run or seed within it, as texts or numbers; one text where all rows share it.
    one_run : bool
        Whether the file does not say which run a row is of, so that all rows of an arm count as one run.
    example : pa.Array
        The example's id, as texts or numbers.
    numbered : bool
        Whether ``example`` only counts the rows of the file from 0, because it holds no ids. Labels that stand in a
        file of their own are then matched by their order.
    epoch : pa.Array or None
        The training epoch after which the run answered, whole numbers; None where the file knows of none.
    label : pa.Array or None
        The right answer, as texts, numbers or booleans; None where the file does not hold it.
    prediction : pa.Array or None
        The predicted class, or the predicted number. Where there are outputs, these count, and must not say otherwise.
    outputs : mapping of str to pa.Array
        The probability (or logit) of each class, by the name that the file gives the class; empty where there are none.
    scores : mapping of str to pa.Array
        Scores of the answer, by name; empty where there are none.
    higher_is_better : bool or None
        Of the scores, where the file says it.
    understood : tuple of (str, str)
        What was taken for what in this file, such as ``("filter", "strict-match")``, for the user to check.
    remarks : tuple of str
        What was noticed and should be known, each a phrase after "About the data:", without a full stop; said once,
        however many files say it.
    unused : callable
        Returns the columns of the file that play no role, each with the number of its values, for messages.
    place : callable
        Says where a row stands, for messages: ``place(0)`` may be ``"preds.csv, line 2"``.
    """

    source: SourceFile
    arm: pa.Array | str
    run: pa.Array | str
    one_run: bool = False
    example: pa.Array
    numbered: bool = False
    epoch: pa.Array | None = None
    label: pa.Array | None = None
    prediction: pa.Array | None = None
    outputs: Mapping[str, pa.Array] = field(default_factory=dict)
    scores: Mapping[str, pa.Array] = field(default_factory=dict)
    higher_is_better: bool | None = None
    understood: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    unused: Callable[[], tuple[tuple[str, int], ...]] = tuple
    place: Callable[[int], str]
