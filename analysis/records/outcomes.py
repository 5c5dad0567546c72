"""Outcomes of a study: predictions and scores by arm, seed and example."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import Scores
from analysis.methods.clusters import cluster_scores
from analysis.methods.fixed_sets import set_scores, set_strata
from analysis.metrics.influence import class_metric_scores, metric_scores
from analysis.metrics.metric_kinds import MetricKind
from analysis.metrics.regression import regression_scores
from analysis.records.manifest import EpochSelection, Manifest, SetEntry, TakenLook
from analysis.records.timing import Timing
from analysis.records.trial import Trial

EpochChoice = Literal["verdict", "published", "last", "best on test"]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
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
    manifest: Manifest
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: Mapping[tuple[str, int], Trial]
    example_ids: tuple[str, ...]
    labels: NDArray[np.int64] | NDArray[np.float64]
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
    def is_regression(self) -> bool:
        """Whether the study predicts numbers."""
        return self.manifest.data.task == "regression"

    @property
    def has_classes(self) -> bool:
        """Whether the study is about classes; else `predictions` and `predicted` mean nothing."""
        return bool(self.manifest.data.classes)

    @property
    def has_probabilities(self) -> bool:
        """Whether a probability of each class is stored; else what `metric_scores` needs them for is not there."""
        return self.manifest.data.answer_kind.answers == "probabilities"

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

    def lost_seeds(self) -> tuple[int, ...]:
        """Return the seeds with a trial that ended without predictions; a trial that has yet to run is not lost."""
        ended = {trial.seed for trial in self.unfinished() if not trial.pending}
        return tuple(seed for seed in self.seeds if seed in ended)

    def waiting_seeds(self) -> tuple[int, ...]:
        """Return the seeds with a trial that has yet to run, in an arm that has begun.

        An arm that has not begun holds no seed back, nor does an arm that joined after trials had finished: such an arm
        has no verdict until it has run, and the other arms keep theirs.
        """
        first = self.manifest.first_arms
        begun = [arm for arm in self.arms if arm in first and not all(trial.pending for trial in self.of_arm(arm))]
        waiting = {trial.seed for trial in self.unfinished(arms=begun) if trial.pending}
        return tuple(seed for seed in self.seeds if seed in waiting)

    def epoch(self, trial: Trial, *, epoch_choice: EpochChoice = "verdict") -> int:
        """Return the epoch of a finished trial that counts.

        Parameters
        ----------
        trial : Trial
            A finished trial.
        epoch_choice : EpochChoice
            ``"verdict"``: the last epoch, or the hold-out's choice; never one picked on the test split.
            ``"published"``: the same, except that a study which selects on its test split gets its best
            epoch there. ``"last"`` and ``"best on test"``: these two, whatever the study selects. Of several equal
            epochs the earliest is the best.

        Returns
        -------
        int
            One of the trial's `epochs`.

        Raises
        ------
        ValueError
            If the epoch is chosen on the test split and the trial has no predictions.
        """
        selection = self.manifest.selection_of(trial.arm)
        if epoch_choice == "last":
            return trial.epochs[-1]
        if epoch_choice == "best on test" or (epoch_choice == "published" and selection.on_test):
            return self._best_on_test(trial, selection)
        chosen = trial.record.selected_epoch if trial.record is not None else None
        if selection.rule == "best" and not selection.on_test and chosen is not None:
            return chosen
        return trial.epochs[-1]

    def answers(self, trial: Trial, *, epoch_choice: EpochChoice = "verdict") -> NDArray[Any]:
        """Return what a finished trial answered: probabilities, predicted classes, predicted numbers, or scores.

        Parameters
        ----------
        trial : Trial
            A finished trial.
        epoch_choice : EpochChoice
            Which epoch counts; see `epoch`.

        Returns
        -------
        ndarray, shape (N, classes) or (N,)
            The last axis is there for probabilities.

        Raises
        ------
        ValueError
            If the trial has no predictions.
        """
        known = trial.known_answers
        return np.asarray(known[trial.epochs.index(self.epoch(trial, epoch_choice=epoch_choice))])

    def predictions(self, trial: Trial, *, epoch_choice: EpochChoice = "verdict") -> NDArray[np.integer]:
        """Return the predicted classes of a finished trial.

        Parameters
        ----------
        trial : Trial
            A finished trial.
        epoch_choice : EpochChoice
            Which epoch counts; see `epoch`.

        Returns
        -------
        ndarray of int, shape (N,)

        Raises
        ------
        ValueError
            If the trial has no predictions.
        """
        return np.asarray(trial.predicted[trial.epochs.index(self.epoch(trial, epoch_choice=epoch_choice))])

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

    def by_epoch(self, trial: Trial, *, metric: str = "accuracy") -> NDArray[np.float64]:
        """Return the metric of a finished trial after each of its epochs, shape (epochs,); of one test set.

        Parameters
        ----------
        trial : Trial
            A finished trial.
        metric : str
            As in `scores`.

        Raises
        ------
        ValueError
            If the trial has no predictions.
        """
        of_classes = self._of_classes(metric)
        scores = (
            self._class_scored(metric, trial.predicted) if of_classes else self._scored(metric, trial.known_answers)
        )
        return np.asarray(scores.mean(axis=1))

    def drawn(self, scores: Scores) -> Scores:
        """Return scores by sampling unit: by cluster where the study has clusters, else by example.

        Parameters
        ----------
        scores : ndarray of float64 or int8, shape (S, N)
            By example.
        """
        return scores if self.clusters is None else cluster_scores(scores, self.clusters)

    def _of_classes(self, metric: str) -> bool:
        """Whether predicted classes are enough for a metric, or all there is."""
        return self.has_classes and (metric == "accuracy" or not self.has_probabilities)

    def _right(self, predicted: NDArray[np.integer]) -> NDArray[np.bool_]:
        # Bytes are compared with bytes, not widened one after the other.
        return np.asarray(predicted == self.labels.astype(predicted.dtype))

    def _class_scored(self, metric: str, predicted: NDArray[np.integer]) -> Scores:
        if metric == "accuracy":
            return self._right(predicted).view(np.int8)
        return class_metric_scores(metric, self.labels, predicted, n_classes=len(self.manifest.data.classes))

    def _scored(self, metric: str, answers: NDArray[Any]) -> NDArray[np.float64]:
        if self.has_probabilities:
            return metric_scores(metric, self.labels, answers)
        return regression_scores(metric, self.labels, answers) if self.is_regression else answers

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

    def _best_on_test(self, trial: Trial, selection: EpochSelection) -> int:
        answers = trial.known_answers
        if self._of_classes(selection.metric):
            right = self._right(trial.predicted)
            return trial.epochs[int(np.argmax(right.sum(axis=1)))]
        if (score := self.manifest.data.score) is not None:
            means = answers.mean(axis=1)
            return trial.epochs[int(np.argmax(means if score.higher_is_better else -means))]
        recorded = trial.record.epochs if trial.record is not None else ()
        losses = {entry.epoch: entry.test.loss for entry in recorded if entry.test is not None}
        if self.manifest.data.sets or not losses:
            # A record knows the loss over all test sets only, and that of an imported trial none at all.
            scores = self._scored("mse" if self.is_regression else "log_loss", answers)
            return trial.epochs[int(np.argmin(scores.mean(axis=1)))]
        stored = [losses.get(epoch) for epoch in trial.epochs]
        return trial.epochs[int(np.argmin([np.inf if loss is None else loss for loss in stored]))]
