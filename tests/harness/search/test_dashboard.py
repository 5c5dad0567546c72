"""Optuna's view of a study, and the candidates that its sampler proposes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from analysis.records.trial_record import EpochEntry, SplitScores, TrialRecord
from harness.engines.result import Epoch, Failure, Score, TrialResult
from harness.search.dashboard import Dashboard
from harness.search.mirror import Mirror
from harness.search.tuner import Tuner
from harness.study.settings import Range, Search
from harness.study.study import Study
from harness.study.trials import Trial, expand

Tiny = Callable[..., Study]


def expanded(study: Study) -> tuple[Trial, ...]:
    return expand(study, arms=study.arms, model="m", data="d")


def finished(trial: Trial, accuracy: float = 0.75) -> TrialResult:
    epoch = Epoch(
        epoch=1,
        learning_rate=0.0,
        train_loss=0.5,
        test=Score(loss=0.5, accuracy=accuracy),
        holdout=None,
        probabilities=None,
    )
    return TrialResult(trial=trial, status="finished", epochs=(epoch,), selected_epoch=1)


def known(trial: Trial, *, accuracy: float) -> TrialRecord:
    """The record of a trial that finished after one epoch."""
    epochs = (EpochEntry(epoch=1, test=SplitScores(loss=0.5, accuracy=accuracy)),)
    return TrialRecord(key=trial.key, seed=trial.seed, status="finished", epochs=epochs, selected_epoch=1)


def ended(trial: Trial, status: Any) -> TrialResult:
    return TrialResult(trial=trial, status=status, error=Failure(type="E", message="m"))


def quiet_mirror(tmp_path: Path) -> Mirror:
    """Show in the folder's own database; any word of trouble fails the test."""
    return Mirror(tmp_path, None, pytest.fail)


def study_of(tmp_path: Path, name: str = "tiny") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path / 'optuna.db'}")


def shown(tmp_path: Path, name: str = "tiny") -> list[optuna.trial.FrozenTrial]:
    return study_of(tmp_path, name).get_trials()


def test_a_trial_is_shown_with_what_differs_and_its_key(tmp_path: Path, tiny: Tiny) -> None:
    trials = expanded(tiny("arms.full.training.learning_rate=1e-4"))
    with quiet_mirror(tmp_path) as mirror:
        dashboard = Dashboard("tiny", trials, {}, mirror)
        dashboard.start(trials[2])
        mirror.settle()
        (running,) = shown(tmp_path)
        assert running.state is TrialState.RUNNING
        dashboard.finish(finished(trials[2]))
    (done,) = shown(tmp_path)
    assert (done.state, done.value, done.intermediate_values) == (TrialState.COMPLETE, 0.75, {1: 0.75})
    # lora_alpha is the same wherever there is one, and so is everything else: constants have no importance.
    assert done.params == {"arm": "lora-r4", "adapter.r": 4, "training.learning_rate": 1e-3}
    assert done.distributions["arm"] == CategoricalDistribution(["full", "lora-r2", "lora-r4"])
    assert done.user_attrs == {"arm": "lora-r4", "seed": 0, "key": trials[2].key, "status": "finished"}
    assert study_of(tmp_path).metric_names == ["accuracy"]
    assert study_of(tmp_path).direction is optuna.study.StudyDirection.MAXIMIZE


@pytest.mark.parametrize(
    ("override", "name", "expected"),
    [
        ("arms={a: {freeze: {layers: 0}}, b: {freeze: {layers: 2}}, c: {}}", "freeze.layers", IntDistribution(0, 2)),
        (
            "arms={a: {training: {learning_rate: 1e-5}}, b: {training: {learning_rate: 0.5}}}",
            "training.learning_rate",
            FloatDistribution(1e-5, 0.5, log=True),
        ),
        (
            "arms={a: {training: {lr_scheduler_type: cosine}}, b: {}}",
            "training.lr_scheduler_type",
            CategoricalDistribution(["cosine", "linear"]),
        ),
        (
            "arms={a: {adapter: {peft_type: LORA, target_modules: [x]}}, b: {adapter: {peft_type: LORA, "
            "target_modules: [x, y]}}}",
            "adapter.target_modules",
            CategoricalDistribution(['["x"]', '["x", "y"]']),
        ),
    ],
)
def test_settings_of_every_kind_are_shown(
    tmp_path: Path, tiny: Tiny, override: str, name: str, expected: BaseDistribution
) -> None:
    trials = expanded(tiny(override, "seeds=1", "analysis={}"))
    with quiet_mirror(tmp_path) as mirror:
        dashboard = Dashboard("tiny", trials, {}, mirror)
        for trial in trials:
            dashboard.finish(finished(trial))
    assert len(shown(tmp_path)) == len(trials)
    assert {trial.distributions.get(name, expected) for trial in shown(tmp_path)} == {expected}


def test_seeds_join_the_same_study_and_other_arms_are_another(tmp_path: Path, tiny: Tiny) -> None:
    """A categorical that grows: Optuna refuses another set of choices."""
    arms = "arms.lora.grid.adapter.r=[2,4,64]"
    records: dict[str, TrialRecord] = {}
    for overrides in (["seeds=1"], ["seeds=[0,9]"], ["seeds=[0,9]", arms], ["seeds=[0,9,5]"]):
        trials = expanded(tiny(*overrides))
        with quiet_mirror(tmp_path) as mirror:
            dashboard = Dashboard("tiny", trials, records, mirror)
            for trial in trials:
                if trial.key not in records:
                    dashboard.finish(finished(trial))
                    records[trial.key] = known(trial, accuracy=0.75)
    keys = [trial.user_attrs["key"] for trial in shown(tmp_path)]
    assert sorted(keys) == sorted(trial.key for trial in expanded(tiny("seeds=[0,9,5]")))
    keys = [trial.user_attrs["key"] for trial in shown(tmp_path, "tiny (2)")]
    assert sorted(keys) == sorted(trial.key for trial in expanded(tiny("seeds=[0,9]", arms)))


@pytest.mark.parametrize(
    ("status", "state"),
    [("diverged", TrialState.FAIL), ("failed", TrialState.FAIL), ("interrupted", TrialState.PRUNED)],
)
def test_what_did_not_finish_is_shown_once_and_an_interruption_is_no_failure(
    tmp_path: Path, tiny: Tiny, status: str, state: TrialState
) -> None:
    trials = expanded(tiny())
    with quiet_mirror(tmp_path) as mirror:
        dashboard = Dashboard("tiny", trials, {}, mirror)
        dashboard.start(trials[0])
        mirror.settle()
        dashboard.finish(ended(trials[0], status))
    assert [(t.state, t.user_attrs["status"]) for t in shown(tmp_path)] == [(state, status)]
    with quiet_mirror(tmp_path) as mirror:
        dashboard = Dashboard("tiny", trials, {}, mirror)
        dashboard.start(trials[0])
        mirror.settle()
        dashboard.finish(finished(trials[0]))
    assert [t.state for t in shown(tmp_path)] == [state, TrialState.COMPLETE]


SEARCH = Search(trials=8, space={"training.learning_rate": Range(low=1e-5, high=1e-1, log=True)})
History = list[tuple[dict[str, Any], float | None, str]]


def search(
    tmp_path: Path,
    name: str,
    value: Callable[[float], float | None],
    *,
    trials: int = SEARCH.trials,
    batch: int = 1,
    interrupted_at: int | None = None,
) -> History:
    """Search for the largest of a known function, batch by batch, as if the process died once on the way."""
    history: History = []
    with quiet_mirror(tmp_path) as mirror:
        tuner = Tuner(name, "c", SEARCH, 5, mirror)
        for start in range(0, trials, batch):
            numbers = range(start, min(start + batch, trials))
            if interrupted_at in numbers:
                tuner.show(tuner.propose(numbers)[0], None, "running", f"{name} {start}")  # and killed
                tuner = Tuner(name, "c", SEARCH, 5, mirror)
                for parameters, known, _ in history:
                    tuner.learn(parameters, known)
            for number, parameters in zip(numbers, tuner.propose(numbers), strict=True):
                tuner.show(parameters, None, "running", f"{name} {number}")
                objective = value(parameters["training.learning_rate"])
                history.append((parameters, objective, "diverged" if objective is None else "finished"))
                tuner.show(*history[-1], f"{name} {number}")
            for parameters, objective, _ in history[start:]:
                tuner.learn(parameters, objective)
        best = tuner.best()
    assert best is not None
    assert best.value == max(objective for _, objective, _ in history if objective is not None)
    return history


@pytest.mark.parametrize("batch", [1, 3])
def test_an_interrupted_search_proposes_what_an_undisturbed_one_does(tmp_path: Path, batch: int) -> None:
    straight = search(tmp_path, "straight", lambda rate: -abs(rate - 1e-3), batch=batch)
    assert len({parameters["training.learning_rate"] for parameters, _, _ in straight}) == SEARCH.trials
    assert search(tmp_path, "interrupted", lambda rate: -abs(rate - 1e-3), batch=batch, interrupted_at=5) == straight
    assert [t.value for t in shown(tmp_path, "interrupted")] == [value for _, value, _ in straight]
    assert study_of(tmp_path, "straight").metric_names == ["accuracy on the hold-out"]


def test_a_search_whose_candidates_diverge_learns_from_it(tmp_path: Path) -> None:
    """Failed trials are none of the ten that the sampler draws at random before it learns."""

    history = search(tmp_path, "diverging", lambda rate: -abs(rate - 3e-5) if rate < 1e-3 else None, trials=30)
    diverged = [objective is None for _, objective, _ in history]
    assert sum(diverged[:10]) >= 4
    assert sum(diverged[10:]) <= 4
    assert [t.state for t in shown(tmp_path, "diverging")] == [
        TrialState.FAIL if failed else TrialState.COMPLETE for failed in diverged
    ]


def test_the_earliest_of_equal_candidates_wins(tmp_path: Path) -> None:
    with quiet_mirror(tmp_path) as mirror:
        tuner = Tuner("ties", "c", SEARCH, 5, mirror)
        assert tuner.best() is None
        rates = []
        for number, value in enumerate([0.5, None, 0.7, 0.7]):
            (parameters,) = tuner.propose([number])
            rates.append(parameters["training.learning_rate"])
            tuner.learn(parameters, value)
        best = tuner.best()
    assert best is not None
    assert best.params["training.learning_rate"] == rates[2]


def test_candidates_of_a_batch_keep_apart(tmp_path: Path) -> None:
    """Of 24 proposed at once after the random ones, no two are alike, though all look for the same place."""
    with quiet_mirror(tmp_path) as mirror:
        tuner = Tuner("apart", "c", SEARCH, 5, mirror)
        for rate in np.geomspace(1e-5, 1e-1, 21):
            tuner.learn({"training.learning_rate": float(rate)}, -abs(float(np.log(rate / 1e-3))))
        alone = [tuner.propose([number])[0]["training.learning_rate"] for number in range(24)]
        together = [one["training.learning_rate"] for one in tuner.propose(range(24))]
    assert together[0] == alone[0]
    assert np.std(np.log(together)) > 1.2 * np.std(np.log(alone))


def test_a_search_knows_its_own_candidates(tmp_path: Path) -> None:
    with quiet_mirror(tmp_path) as mirror:
        tuner = Tuner("own", "c", SEARCH, 5, mirror)
        (parameters,) = tuner.propose([0])
        assert tuner.fits(parameters)
        for wrong in ({}, {"training.learning_rate": 5.0}, {"training.learning_rate": "x"}, {"seed": 1}):
            assert not tuner.fits(wrong)
        tuner.show(parameters, None, "finished", "without a number")
    assert [t.state for t in shown(tmp_path, "own")] == [TrialState.FAIL]
