"""Dashboard: the trials of a study as Optuna's database shows them.

They are no grid of Optuna's: its grid sampler would repeat points in parallel runs, count a failed point as done, and
start over when the grid grows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.engines.result import TrialResult
from harness.records.record import TrialRecord, digest
from harness.search.database import DashboardStudy
from harness.search.mirror import Mirror
from harness.study.trials import Trial

# A trial that was cut short is none that failed: the dashboard counts failures.
_STATES = {
    "running": TrialState.RUNNING,
    "finished": TrialState.COMPLETE,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
    "interrupted": TrialState.PRUNED,
}
# From this ratio of the largest to the smallest on, an axis is drawn on a log scale.
_WIDE = 10


class Dashboard:
    """Shows each trial of a study as a trial of Optuna's; its parameters are the settings that differ between arms.

    The arm is a categorical parameter, and Optuna does not let its choices change. So a study with other arms, or with
    other settings of them, becomes another of Optuna's studies. More seeds do not.

    Parameters
    ----------
    name : str
        Name of Optuna's study.
    trials : sequence of Trial
        All trials of the study.
    records : mapping of str to TrialRecord
        The records of the trials that are done, by key.
    mirror : Mirror
        Shows them.
    regression : bool
        Whether the study predicts numbers: it then shows minus the loss in the place of accuracy.
    """

    def __init__(
        self,
        name: str,
        trials: Sequence[Trial],
        records: Mapping[str, TrialRecord],
        mirror: Mirror,
        *,
        regression: bool = False,
    ) -> None:
        contents = {trial.arm: {k: v for k, v in trial.content.items() if k != "seed"} for trial in trials}
        metric = "minus the loss" if regression else "accuracy"
        self._board = DashboardStudy(name=name, content=digest(contents), metric=metric)
        # What all trials of an arm share is worked out once, not for each of thousands.
        settings = {arm: {"arm": arm, **_flat(content)} for arm, content in contents.items()}
        distributions = _distributions(settings)
        self._distributions = {
            arm: {name: one for name, one in distributions.items() if name in of_arm}
            for arm, of_arm in settings.items()
        }
        self._parameters = {
            arm: {name: _value(settings[arm][name], one) for name, one in of_arm.items()}
            for arm, of_arm in self._distributions.items()
        }
        self._mirror = mirror
        self._started: set[str] = set()
        self.recorded([(trial, records[trial.key]) for trial in trials if trial.key in records])

    def recorded(self, trials: Iterable[tuple[Trial, TrialRecord]]) -> None:
        """Show trials that an earlier run or another worker has recorded."""
        self._mirror.show(
            self._board,
            [
                self._trial(trial, record.status, _values(record.epochs), record.selected_epoch)
                for trial, record in trials
            ],
        )

    def start(self, trial: Trial) -> None:
        """Show a trial as running."""
        if trial.key not in self._started:
            self._started.add(trial.key)
            self._mirror.show(self._board, [self._trial(trial, "running", {}, None)])

    def finish(self, outcome: TrialResult) -> None:
        """Show the outcome of a trial."""
        values = _values(outcome.epochs)
        self._mirror.show(self._board, [self._trial(outcome.trial, outcome.status, values, outcome.selected_epoch)])
        self._mirror.tell()

    def _trial(self, trial: Trial, status: str, values: Mapping[int, float], selected_epoch: int | None) -> FrozenTrial:
        return optuna_trial(
            {"arm": trial.arm, "seed": trial.seed, "key": trial.key, "status": status},
            self._parameters[trial.arm],
            self._distributions[trial.arm],
            value=values.get(selected_epoch) if status == "finished" and selected_epoch is not None else None,
            epochs=values,
        )


def _values(epochs: Iterable[Any]) -> dict[int, float]:
    """Return what is shown of each epoch of an outcome or a record: accuracy on test, else minus the loss there."""
    scores = [(epoch.epoch, epoch.test) for epoch in epochs if epoch.test is not None]
    values = {
        epoch: -score.loss if score.accuracy is None and score.loss is not None else score.accuracy
        for epoch, score in scores
    }
    return {epoch: value for epoch, value in values.items() if value is not None and math.isfinite(value)}


def optuna_trial(
    attributes: Mapping[str, Any],
    parameters: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    *,
    value: float | None,
    epochs: Mapping[int, float],
) -> FrozenTrial:
    """Return one of Optuna's trials, with its value after each epoch."""
    state = _STATES[attributes["status"]]
    return create_trial(
        # One that finished without a number has nothing to show for it.
        state=TrialState.FAIL if state is TrialState.COMPLETE and value is None else state,
        value=value,
        params=dict(parameters),
        distributions=dict(distributions),
        user_attrs=dict(attributes),
        intermediate_values=dict(epochs),
    )


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested settings under the dotted names that a study file uses."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return flat


def _distributions(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Return the settings that differ between the arms that have them, each over exactly the values that it takes."""
    values: dict[str, list[Any]] = {}
    for settings in arms.values():
        for name, value in settings.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {name: _distribution(taken) for name, taken in values.items() if len(taken) > 1}


def _distribution(taken: Iterable[Any]) -> BaseDistribution:
    taken = list(taken)
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in taken):
        return CategoricalDistribution([_category(value) for value in taken])
    low, high = min(taken), max(taken)
    log = low > 0 and high >= _WIDE * low
    if all(isinstance(value, int) for value in taken):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _value(value: Any, distribution: BaseDistribution) -> Any:
    return _category(value) if isinstance(distribution, CategoricalDistribution) else value


def _category(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
