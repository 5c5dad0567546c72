"""Tuner: Optuna proposes the candidates of a search for one arm's settings.

The sampler needs no database: it proposes from the records alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.errors import ResultsError
from harness.search.dashboard import optuna_trial
from harness.search.database import DashboardStudy
from harness.search.mirror import Mirror
from harness.study.settings import Range, Search, is_whole


class Tuner:
    """The search for one arm's settings: its own sampler, its own budget.

    Parameters
    ----------
    name : str
        Name of Optuna's study.
    content : str
        A digest of all that the search depends on.
    search : Search
        The `search:` block of the arm.
    entropy : int
        Seeds the sampler, together with the candidate's number, so that a search that was interrupted proposes the
        same candidates as one that was not.
    mirror : Mirror or None
        Shows the candidates; None where another process does.
    """

    def __init__(self, name: str, content: str, search: Search, entropy: int, mirror: Mirror | None) -> None:
        self._entropy = entropy
        self._distributions = {key: _dimension(dimension, key) for key, dimension in search.space.items()}
        metric = "accuracy on the hold-out" if search.best == "accuracy" else "minus the loss on the hold-out"
        self._board = DashboardStudy(name=name, content=content, metric=metric)
        self._mirror = mirror
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize")

    def propose(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return the candidates of a batch by their numbers, chosen after all that were learned, as dotted settings.

        Within the batch each keeps away from those before it, as if these had turned out badly.
        """
        candidates = []
        for number in numbers:
            self._study.sampler = optuna.samplers.TPESampler(seed=(self._entropy + number) % 2**32, constant_liar=True)
            candidates.append(self._study.ask(self._distributions))
        for candidate in candidates:
            self._study.tell(candidate, state=TrialState.FAIL)  # `learn` adds it with what came of it
        return [dict(candidate.params) for candidate in candidates]

    def fits(self, parameters: Mapping[str, Any]) -> bool:
        """Whether the search could have proposed these settings."""
        try:
            create_trial(value=0.0, params=dict(parameters), distributions=self._distributions)
        except (ValueError, TypeError):
            return False
        return True

    def learn(self, parameters: Mapping[str, Any], value: float | None) -> None:
        """Take up what came of a candidate, now or in an earlier run: the larger the better; None for a failure.

        For the sampler a failure is a trial that was given up: worse than all that finished, and one of those that it
        learns from. Were it told as failed, a search that mostly diverges would go on at random.
        """
        trial = create_trial(
            state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
            value=value,
            params=dict(parameters),
            distributions=self._distributions,
        )
        self._study.add_trial(trial)

    def best(self) -> FrozenTrial | None:
        """Return the best candidate, the earliest of equals; None where none finished."""
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return max(done, key=lambda trial: (trial.value, -trial.number), default=None)

    def show(self, parameters: Mapping[str, Any], value: float | None, status: str, key: str) -> None:
        """Show a candidate in Optuna's database: that it is running, or how it ended."""
        if self._mirror is None:
            return
        shown = {"key": key, "status": status}
        self._mirror.show(self._board, [optuna_trial(shown, parameters, self._distributions, value=value, epochs={})])
        self._mirror.tell()


def _dimension(dimension: Range, key: str) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution(dimension.choices)
    low, high = dimension.low, dimension.high
    if low is None or high is None:
        raise ResultsError(f"search.space.{key}: neither a range nor choices")
    if low.is_integer() and high.is_integer() and is_whole(key):
        return IntDistribution(int(low), int(high), log=dimension.log)
    return FloatDistribution(low, high, log=dimension.log)
