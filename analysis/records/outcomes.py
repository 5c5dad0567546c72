"""Outcomes of a study: predictions and scores by arm, seed and example."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import Scores
from analysis.methods.clusters import cluster_scores
from analysis.methods.fixed_sets import set_scores, set_strata
from analysis.metrics.metric_kinds import MetricKind
from analysis.records.data_entry import SetEntry
from analysis.records.looks import TakenLook
from analysis.records.timing import Timing
from analysis.records.trial import Trial
from analysis.records.trial_answers import EpochChoice, TrialAnswers


@dataclass(frozen=True, kw_only=True)
class Outcomes(TrialAnswers):
    """Every trial of a study on one and the same list of test examples.

    Parameters
    ----------
    folder : Path or None
        The results folder; None where the outcomes were never on a disk.
    manifest : Manifest
        The study as its manifest describes it.
    arms : tuple of str
        The arms, in the order of the study file.
    seeds : tuple of int
        The seeds, in the order in which the study took them up; the same for every arm. Where runs are not paired by
        seed, those of any arm: each has its own, as many as it has runs.
    trials : mapping of (str, int) to Trial
        One entry for every arm and seed of its own.
    example_ids : tuple of str
        The test examples, shape (N,); empty when no trial finished.
    labels : ndarray of int64 or float64, shape (N,)
        Their true classes, or their true numbers in a regression; empty beside scores, which need none.
    clusters : tuple of str or None
        The group that each of them belongs to, shape (N,), where the study has a column for it. Without one, copies of
        an example that several test sets share are a group, and every other example is its own; else None.
    other_records : int
        How many records in the folder belong to earlier versions of the study; they are not read.
    set_aside : tuple of str
        Names of the records that were set aside because they could not be read.
    looks_taken : tuple of TakenLook
        With which seeds, and by which plan, somebody has looked at the verdicts.
    timing : Timing or None
        What a trial of each arm takes alone, as far as it was measured in turns and the arm is as it was then.
    timing_fault : str
        Why `timing.json` could not be used, and what to do about it; else empty.
    """

    folder: Path | None
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: Mapping[tuple[str, int], Trial]
    example_ids: tuple[str, ...]
    clusters: tuple[str, ...] | None
    other_records: int
    set_aside: tuple[str, ...]
    looks_taken: tuple[TakenLook, ...]
    timing: Timing | None = None
    timing_fault: str = ""

    @property
    def place(self) -> str:
        """Where the study is, for messages: its folder, or its name where there is none."""
        return self.manifest.name if self.folder is None else str(self.folder)

    @property
    def run_labels(self) -> dict[int, str]:
        """What the source of imported runs calls them, by the seed that numbers them; empty where that is the seed."""
        return {entry.seed: entry.run for entry in self.manifest.cells if entry.run is not None}

    @property
    def score_kind(self) -> MetricKind | None:
        """What the scores of the study are, a share where all of them lie between 0 and 1; None where it has none."""
        entry = self.manifest.data.score
        if entry is None:
            return None
        stored = [trial.answers for trial in self.trials.values() if trial.answers is not None]
        share = all(one.min() >= 0 and one.max() <= 1 for one in stored)
        return MetricKind(
            name="score", title=entry.name, higher_is_better=entry.higher_is_better, share=share, task="scores"
        )

    @property
    def n_examples(self) -> int:
        """The number of test examples: those of the stored predictions, or the manifest's before any."""
        return len(self.example_ids) or self.manifest.data.n_test

    @property
    def n_clusters(self) -> int | None:
        """The number of clusters of test examples; None where the study declares none, or nothing has finished."""
        return len(set(self.clusters)) if self.clusters and self.manifest.data.cluster else None

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the test sets; empty where the study has one."""
        sets = self.manifest.data.sets
        return tuple(one.name for one in sets) if len(sets) > 1 else ()

    @property
    def strata(self) -> NDArray[np.int64] | None:
        """The test set of each column of `drawn`; None where the study has one set."""
        return set_strata(self._set_numbers(), clusters=self.clusters) if self.sets else None

    def by_set(self) -> tuple[Outcomes, ...]:
        """Return the study on each of its test sets alone; as it is where it has one."""
        return self._each_set if self.sets else (self,)

    @cached_property
    def _each_set(self) -> tuple[Outcomes, ...]:
        ends = itertools.accumulate(one.n_test for one in self.manifest.data.sets)
        return tuple(
            self._on(one, slice(end - one.n_test, end)) for one, end in zip(self.manifest.data.sets, ends, strict=True)
        )

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """Return the seeds of an arm, in the order of `seeds`: all of them, unless runs are not paired by seed."""
        return tuple(seed for seed in self.seeds if (arm, seed) in self.trials)

    def of_arm(self, arm: str) -> tuple[Trial, ...]:
        """Return the trials of an arm, in the order of `seeds`.

        Parameters
        ----------
        arm : str
            The name of the arm.

        Returns
        -------
        tuple of Trial
        """
        return tuple(self.trials[arm, seed] for seed in self.seeds_of(arm))

    def statuses(self, arm: str) -> dict[str, int]:
        """Count the trials of an arm by status; ``spared`` is not done, and a run until decided does not need it."""
        spared = self._spared
        return dict(
            Counter(
                "spared" if not trial.done and (arm, trial.seed) in spared else trial.status
                for trial in self.of_arm(arm)
            )
        )

    @cached_property
    def _spared(self) -> frozenset[tuple[str, int]]:
        return self.manifest.spared(self.looks_taken)

    def unfinished(self, *, arms: Sequence[str] | None = None) -> tuple[Trial, ...]:
        """Return the trials without usable predictions.

        Parameters
        ----------
        arms : sequence of str or None
            Names of arms; all arms where None.

        Returns
        -------
        tuple of Trial
        """
        chosen = self.arms if arms is None else arms
        return tuple(trial for arm in chosen for trial in self.of_arm(arm) if trial.status != "finished")

    def complete_seeds(self, arm: str) -> tuple[int, ...]:
        """Return the seeds with which every arm finished; where runs are not paired by seed, this arm alone."""
        lost = {trial.seed for trial in self.unfinished(arms=None if self.manifest.paired else [arm])}
        return tuple(seed for seed in self.seeds_of(arm) if seed not in lost)

    def predicted(
        self, arm: str, *, seeds: Sequence[int], epoch_choice: EpochChoice = "verdict"
    ) -> NDArray[np.integer]:
        """Return the predicted classes of an arm.

        Parameters
        ----------
        arm : str
            The name of the arm.
        seeds : sequence of int
            The seeds of the rows. Their trials must have finished.
        epoch_choice : EpochChoice
            Which epoch counts; see `epoch`.

        Returns
        -------
        ndarray of int, shape (S, N)

        Raises
        ------
        ValueError
            If a trial that is asked for has no predictions.
        """
        rows = [self.predictions(self.trials[arm, seed], epoch_choice=epoch_choice) for seed in seeds]
        return np.stack(rows) if rows else np.empty((0, len(self.example_ids)), np.uint8)

    def right(self, arm: str, *, seeds: Sequence[int]) -> NDArray[np.bool_] | None:
        """Return whether each answer of an arm is right, at the epoch that counts for verdicts.

        Parameters
        ----------
        arm : str
            The name of the arm.
        seeds : sequence of int
            The seeds of the rows. Their trials must have finished.

        Returns
        -------
        ndarray of bool, shape (S, N), or None
            Whether the class is right, or whether the score is 1; None where the study has neither classes nor scores
            of 0 and 1 alone.

        Raises
        ------
        ValueError
            If a trial that is asked for has no predictions.
        """
        if self.has_classes:
            return self._right(self.predicted(arm, seeds=seeds))
        if self.is_regression or not all(
            np.isin(trial.answers, (0, 1)).all() for trial in self.trials.values() if trial.answers is not None
        ):
            return None
        rows = [self.answers(self.trials[arm, seed]) == 1 for seed in seeds]
        return np.array(rows, dtype=np.bool_).reshape(len(rows), len(self.example_ids))

    def scores(
        self,
        arm: str,
        *,
        seeds: Sequence[int] | None = None,
        metric: str = "accuracy",
        epoch_choice: EpochChoice = "verdict",
    ) -> Scores:
        """Return the scores of an arm by example, shape (S, N); the mean of a row is the metric of its trial.

        With several test sets it is the mean over the sets of the metric on each, every set with the same weight. Right
        and wrong on one test set come in a byte each (int8), everything else as float64.

        Parameters
        ----------
        arm : str
            The name of the arm.
        seeds : sequence of int or None
            The seeds of the rows; all of the arm where None. Their trials must have finished.
        metric : str
            A key of `analysis.METRICS`, of the study's task. For accuracy a score is 1 where the trial is right and 0
            where it is wrong; a trial whose metric is undefined is NaN throughout.
        epoch_choice : EpochChoice
            Which epoch counts; see `epoch`.

        Raises
        ------
        ValueError
            If a trial that is asked for has no predictions.
        """
        chosen = self.seeds_of(arm) if seeds is None else seeds
        if not chosen:
            return np.empty((0, len(self.example_ids)))
        if self.sets:
            parts = [one.scores(arm, seeds=chosen, metric=metric, epoch_choice=epoch_choice) for one in self.by_set()]
            return set_scores(np.hstack(parts), self._set_numbers(), clusters=self.clusters)
        if self._of_classes(metric):
            return self._class_scored(metric, self.predicted(arm, seeds=chosen, epoch_choice=epoch_choice))
        rows = (self.answers(self.trials[arm, seed], epoch_choice=epoch_choice) for seed in chosen)
        # Trial by trial: the probabilities of all of them are not copied.
        return np.concatenate([self._scored(metric, answers[None]) for answers in rows])

    def drawn(self, scores: Scores) -> Scores:
        """Return scores by sampling unit: by cluster where the study has clusters, else by example.

        Parameters
        ----------
        scores : ndarray of float64 or int8, shape (S, N)
            By example.
        """
        return scores if self.clusters is None else cluster_scores(scores, self.clusters)

    def _set_numbers(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.sets)), [one.n_test for one in self.manifest.data.sets])

    def _on(self, entry: SetEntry, examples: slice) -> Outcomes:
        data = self.manifest.data.model_copy(update={"sets": (entry,), "n_test": entry.n_test})
        return replace(
            self,
            manifest=self.manifest.model_copy(update={"data": data}),
            trials={
                place: trial if trial.answers is None else replace(trial, answers=trial.answers[:, examples])
                for place, trial in self.trials.items()
            },
            example_ids=self.example_ids[examples],
            labels=self.labels[examples],
            # One set alone holds no copies.
            clusters=self.clusters[examples] if self.clusters and data.cluster else None,
        )
