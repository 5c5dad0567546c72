"""Answers of a trial: which epoch counts, what it answered there, and what that scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import Scores
from analysis.metrics.influence import class_metric_scores, metric_scores
from analysis.metrics.regression import regression_scores
from analysis.records.manifest import EpochSelection, Manifest
from analysis.records.trial import Trial

EpochChoice = Literal["verdict", "published", "last", "best on test"]


@dataclass(frozen=True, kw_only=True)
class TrialAnswers:
    """What one trial of a study answered, and what it scores: all that takes the manifest and the labels alone.

    Parameters
    ----------
    manifest : Manifest
        The study as its manifest describes it.
    labels : ndarray of int64 or float64, shape (N,)
        The true classes of the test examples, or their true numbers in a regression; empty beside scores, which need
        none.
    """

    manifest: Manifest
    labels: NDArray[np.int64] | NDArray[np.float64]

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
