"""Pool of seeds: every finished run of the one recipe, from which "methods" are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AlignmentError
from analysis.records.loading import load
from analysis.records.manifest import Manifest
from answer.reference_study import commits, lost

FEWEST_SEEDS = 20
"""With fewer seeds no split into two "methods" says much."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The finished runs of one recipe.

    Parameters
    ----------
    right : ndarray of bool, shape (P, N)
        Whether each run is right on each test example.
    largest_class : float
        Share of the most frequent class among the test examples.
    manifest : Manifest
        The study.
    n_planned : int
        Seeds of the study, finished or not.
    parameters : int
        Of the model.
    commits : tuple of str
        At which commits of this project the runs were trained.
    unfinished : str
        Trials that ended without predictions, by name; empty where there are none. A trial that has yet to run is not
        among them.
    """

    right: NDArray[np.bool_]
    largest_class: float
    manifest: Manifest
    n_planned: int
    parameters: int
    commits: tuple[str, ...]
    unfinished: str

    @property
    def n_seeds(self) -> int:
        """P, the number of runs."""
        return len(self.right)

    @property
    def n_examples(self) -> int:
        """N, the number of test examples."""
        return int(self.right.shape[1])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many examples each run gets right, shape (P,)."""
        return np.asarray(self.right.sum(axis=1))


def read_pool(folder: Path) -> Pool:
    """Read the results of a study with a single arm.

    Parameters
    ----------
    folder : Path
        The folder that holds `study.json`.

    Raises
    ------
    AnalysisError
        If the results cannot be read, if the study has several arms or no classes, or if fewer than `FEWEST_SEEDS` of
        its trials have finished.
    """
    outcomes = load(folder)
    if len(outcomes.arms) > 1 or not outcomes.has_classes:
        raise AlignmentError(f"{folder}: expected one arm and classes, got {len(outcomes.arms)} arms")
    (arm,) = outcomes.arms
    seeds = outcomes.complete_seeds(arm)
    if len(seeds) < FEWEST_SEEDS:
        raise AlignmentError(f"{folder}: expected {FEWEST_SEEDS} finished seeds or more, got {len(seeds)}")
    records = [trial.record for trial in outcomes.of_arm(arm) if trial.record is not None]
    return Pool(
        right=outcomes.predicted(arm, seeds=seeds) == outcomes.labels,
        largest_class=float(np.bincount(outcomes.labels.astype(np.int64)).max() / outcomes.n_examples),
        manifest=outcomes.manifest,
        n_planned=len(outcomes.seeds),
        parameters=max(record.parameters.total for record in records if record.parameters is not None),
        commits=commits(outcomes.of_arm(arm)),
        unfinished=lost(outcomes),
    )
