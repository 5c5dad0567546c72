"""Runs: predictions from elsewhere, aligned example by example and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.records.data_entry import Answers
from analysis.sources.rows import SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one trained model answered.

    Parameters
    ----------
    arm : str
    label : str
        What its source calls it: a seed, or a name.
    epochs : tuple of int
        The epochs with answers, ascending; ``(1,)`` where the source knows of none.
    answers : ndarray, shape (epochs, N) or (epochs, N, classes)
        Probabilities (float32, the last axis is the class), predicted classes (int64), predicted numbers (float64), or
        scores (float64).
    sources : tuple of SourceFile
        The files that it was read from.
    """

    arm: str
    label: str
    epochs: tuple[int, ...] = (1,)
    answers: NDArray[Any]
    sources: tuple[SourceFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of several arms on one and the same list of examples.

    Parameters
    ----------
    answers : {"probabilities", "classes", "numbers", "scores"}
        What the runs hold.
    example_ids : pa.StringArray
        The examples, shape (N,), in the order in which the sources name them first.
    labels : ndarray of int64 or float64, or None, shape (N,)
        The true classes, or the true numbers; None for scores.
    classes : tuple of str
        The class names in the order of the labels; empty for numbers and scores.
    score : str
        The name of the score; empty where the answers are none.
    higher_is_better : bool
        Of the score.
    runs : tuple of Run
        In the order in which the sources name them first; at least two arms.
    paired : bool
        Whether the same run label in two arms means the same seed.
    left_out : int
        How many examples were left out since not every run has them (``common_examples``).
    remarks : tuple of str
        What was noticed and should be known, each a phrase after "About the data:", without a full stop.
    understood : tuple of (str, str)
        What was taken for what, such as ``("arm", "column model")``, for the user to check.
    """

    answers: Answers
    example_ids: pa.StringArray
    labels: NDArray[np.int64] | NDArray[np.float64] | None
    classes: tuple[str, ...] = ()
    score: str = ""
    higher_is_better: bool = True
    runs: tuple[Run, ...]
    paired: bool = True
    left_out: int = 0
    remarks: tuple[str, ...] = ()
    understood: tuple[tuple[str, str], ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, in the order in which they come first."""
        return tuple(dict.fromkeys(run.arm for run in self.runs))
