"""Optuna: the sweep's cells as its trials, and tuning an arm on a held-out part of train.

The records on disk are the truth. The database shows them to optuna-dashboard and steers the search; one that is lost
or lags behind is rebuilt from the records. Cells are enqueued one by one under their content key: a grid sampler would
repeat points in parallel runs, count a failed point as done, and start over when the grid grows. A categorical
distribution may never change, so arms and seeds are none: a study can be given more of both later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.engines import Outcome
from harness.errors import ResultsError
from harness.record import FINAL, Record
from harness.settings import SCHEDULES, Range, Search, is_whole
from harness.trials import Trial

_VAST = 10**12
_DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "seed": IntDistribution(0, 2**32 - 1),
    "learning_rate": FloatDistribution(0, 100),
    "num_train_epochs": IntDistribution(0, _VAST),
    "batch_size": IntDistribution(1, _VAST),
    "weight_decay": FloatDistribution(0, _VAST),
    "warmup_steps": FloatDistribution(0, _VAST),
    "lr_scheduler_type": CategoricalDistribution(SCHEDULES),
    "rank": IntDistribution(1, 65536),
    "lora_alpha": FloatDistribution(0, _VAST),
    "layers_frozen": IntDistribution(0, _VAST),
}


@contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    import sqlalchemy.exc

    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ResultsError(
            f"Optuna's storage {url} cannot be used: {first}. The records are not touched by this; move a broken "
            "database away and it is rebuilt from them"
        ) from error


class Sweep:
    """The study as Optuna sees it: one trial for each cell.

    Parameters
    ----------
    name : str
        Name of the Optuna study.
    url : str
        Any URL that Optuna's relational storage takes.
    """

    def __init__(self, name: str, url: str) -> None:
        self._url = url
        self._running: dict[str, optuna.Trial] = {}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _storage_errors(url):
            self._study = optuna.create_study(storage=url, study_name=name, direction="maximize", load_if_exists=True)
            # Only one process runs a study, so what is still open was left behind by one that was killed.
            left_open = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
            self._known = {
                trial.user_attrs["key"]
                for trial in self._study.get_trials(deepcopy=False)
                if trial.user_attrs.get("status") in FINAL and trial.state.is_finished()
            }
            for trial in left_open:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def rebuild(self, trials: Sequence[Trial], records: Mapping[str, Record]) -> int:
        """Add the finished cells that the database lacks; return how many there were."""
        missing = [trial for trial in trials if trial.key in records and trial.key not in self._known]
        with _storage_errors(self._url):
            for trial in missing:
                record = records[trial.key]
                parameters = _parameters(trial)
                finished = record.status == "finished"
                self._study.add_trial(
                    create_trial(
                        state=TrialState.COMPLETE if finished else TrialState.FAIL,
                        value=record.accuracy if finished else None,
                        params=parameters,
                        distributions={name: _DISTRIBUTIONS[name] for name in parameters},
                        user_attrs={"arm": trial.arm, "key": trial.key, "status": record.status},
                    )
                )
                self._known.add(trial.key)
        return len(missing)

    def start(self, trial: Trial) -> None:
        """Show a cell as running, once."""
        if trial.key in self._running or trial.key in self._known:
            return
        parameters = _parameters(trial)
        with _storage_errors(self._url):
            self._study.enqueue_trial(parameters, user_attrs={"arm": trial.arm, "key": trial.key})
            self._running[trial.key] = self._study.ask({name: _DISTRIBUTIONS[name] for name in parameters})

    def finish(self, outcome: Outcome) -> None:
        """Tell Optuna what became of a cell: a finished one with its accuracy on test, any other as FAIL."""
        self.start(outcome.trial)
        running = self._running.pop(outcome.trial.key, None)
        if running is None:
            return
        with _storage_errors(self._url):
            for epoch in outcome.epochs:
                if epoch.test is not None and math.isfinite(epoch.test.accuracy):
                    running.report(epoch.test.accuracy, epoch.epoch)
            running.set_user_attr("status", outcome.status)
            selected = outcome.selected
            if selected is None or selected.test is None:
                self._study.tell(running, state=TrialState.FAIL)
            else:
                self._study.tell(running, selected.test.accuracy)
        if outcome.status in FINAL:
            self._known.add(outcome.trial.key)


def _parameters(trial: Trial) -> dict[str, Any]:
    training, adapter, freeze = trial.settings.training, trial.settings.adapter, trial.settings.freeze
    values: dict[str, Any] = {
        "seed": trial.seed,
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.num_train_epochs,
        "batch_size": training.per_device_train_batch_size * training.gradient_accumulation_steps,
        "weight_decay": training.weight_decay,
        "warmup_steps": training.warmup_steps,
        "lr_scheduler_type": training.lr_scheduler_type,
    }
    fields = adapter.model_dump() if adapter is not None else {}
    if isinstance(fields.get("r"), int):
        values["rank"] = fields["r"]
    if isinstance(fields.get("lora_alpha"), int | float):
        values["lora_alpha"] = float(fields["lora_alpha"])
    if freeze is not None:
        values["layers_frozen"] = freeze.layers
    return values


class Tuner:
    """The search for one arm's settings: its own Optuna study, its own budget.

    Parameters
    ----------
    name : str
        Name of the Optuna study; holds all that the search depends on.
    url : str
        Optuna's storage.
    search : Search
        The `search:` block of the arm.
    entropy : int
        Seeds the sampler, together with the candidate's number, so that a search that was interrupted proposes the
        same candidates as one that was not.
    """

    def __init__(self, name: str, url: str, search: Search, entropy: int) -> None:
        self._search = search
        self._entropy = entropy
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = {key: _dimension(dimension, key) for key, dimension in search.space.items()}
        with _storage_errors(url):
            if name in optuna.get_all_study_names(url):
                # Rebuilt from the records below, so that both always tell the same.
                optuna.delete_study(study_name=name, storage=url)
            self._study = optuna.create_study(storage=url, study_name=name, direction="maximize")

    def restore(self, parameters: Mapping[str, Any], value: float | None, key: str) -> None:
        """Add a candidate that an earlier run of this search has trained."""
        self._study.add_trial(
            create_trial(
                state=TrialState.FAIL if value is None else TrialState.COMPLETE,
                value=value,
                params=dict(parameters),
                distributions=self._distributions,
                user_attrs={"key": key},
            )
        )

    def propose(self, number: int) -> optuna.Trial:
        """Return candidate `number`, chosen after all those before it; its `params` are dotted settings."""
        self._study.sampler = optuna.samplers.TPESampler(seed=(self._entropy + number) % 2**32)
        return self._study.ask(self._distributions)

    def tell(self, candidate: optuna.Trial, value: float | None, key: str) -> None:
        """Tell what came of a candidate: the larger the better; None where it did not finish."""
        candidate.set_user_attr("key", key)
        if value is None:
            self._study.tell(candidate, state=TrialState.FAIL)
        else:
            self._study.tell(candidate, value)

    def best(self) -> FrozenTrial | None:
        """Return the best candidate, the earliest of equals; None where none finished."""
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return max(done, key=lambda trial: (trial.value, -trial.number), default=None)


def _dimension(dimension: Range, key: str) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution(dimension.choices)
    low, high = dimension.low, dimension.high
    if low is None or high is None:
        raise ResultsError(f"search.space.{key}: neither a range nor choices")
    if low.is_integer() and high.is_integer() and is_whole(key):
        return IntDistribution(int(low), int(high), log=dimension.log)
    return FloatDistribution(low, high, log=dimension.log)
