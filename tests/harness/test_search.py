"""Optuna: it shows the sweep and steers the search; the records are the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from analysis.records import EpochEntry, Record, SplitScores
from harness.engines import Epoch, Failure, Outcome, Score
from harness.errors import ResultsError
from harness.search import Sweep, Tuner
from harness.settings import Range, Search
from harness.study import Study
from harness.trials import Trial, expand

Tiny = Callable[..., Study]


def trials(study: Study) -> tuple[Trial, ...]:
    return expand(study, arms=study.arms, model="m", data="d")


def finished(trial: Trial, accuracy: float = 0.75) -> Outcome:
    epoch = Epoch(
        epoch=1,
        learning_rate=0.0,
        train_loss=0.5,
        test=Score(loss=0.5, accuracy=accuracy),
        holdout=None,
        probabilities=None,
    )
    return Outcome(trial=trial, status="finished", epochs=(epoch,), selected_epoch=1)


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def shown(tmp_path: Path, name: str = "tiny") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=url(tmp_path)).get_trials()


def test_a_cell_is_shown_with_its_numbers_and_its_key(tmp_path: Path, tiny: Tiny) -> None:
    sweep = Sweep("tiny", url(tmp_path))
    trial = trials(tiny())[2]
    sweep.start(trial)
    (running,) = shown(tmp_path)
    assert running.state is TrialState.RUNNING
    sweep.finish(finished(trial))
    (done,) = shown(tmp_path)
    assert (done.state, done.value) == (TrialState.COMPLETE, 0.75)
    assert done.params["rank"] == 4
    assert done.params["seed"] == 0
    assert done.params["lr_scheduler_type"] == "linear"
    assert done.user_attrs == {"arm": "lora-r4", "key": trial.key, "status": "finished"}


def test_a_finished_study_can_be_given_arms_ranks_and_seeds(tmp_path: Path, tiny: Tiny) -> None:
    """Trap 16, and a categorical that grows: Optuna refuses another set of choices."""
    small, grown = (
        tiny(),
        tiny("seeds=[0,1,9]", "arms.lora.grid.adapter.r=[2,4,64]", "arms.more={freeze: {layers: 1}}"),
    )
    for study in (small, grown):
        sweep = Sweep("tiny", url(tmp_path))
        for trial in trials(study):
            sweep.finish(finished(trial))
    keys = [t.user_attrs["key"] for t in shown(tmp_path)]
    assert sorted(keys) == sorted({t.key for t in trials(grown)})
    assert len(keys) == 15  # five arms x three seeds, those of the small study not twice


def test_a_diverged_cell_is_fail_and_is_not_run_again(tmp_path: Path, tiny: Tiny) -> None:
    trial = trials(tiny())[0]
    for _ in range(2):
        sweep = Sweep("tiny", url(tmp_path))
        sweep.finish(Outcome(trial=trial, status="diverged", error=Failure(type="DivergedError", message="NaN")))
    (one,) = shown(tmp_path)
    assert one.state is TrialState.FAIL


def test_a_failed_cell_gets_another_trial(tmp_path: Path, tiny: Tiny) -> None:
    trial = trials(tiny())[0]
    sweep = Sweep("tiny", url(tmp_path))
    sweep.finish(Outcome(trial=trial, status="failed", error=Failure(type="E", message="m")))
    sweep.finish(finished(trial))
    assert [t.state for t in shown(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]


def test_what_a_killed_process_left_running_is_closed(tmp_path: Path, tiny: Tiny) -> None:
    """Trap 17."""
    trial = trials(tiny())[0]
    Sweep("tiny", url(tmp_path)).start(trial)  # and the process is gone
    sweep = Sweep("tiny", url(tmp_path))
    assert [t.state for t in shown(tmp_path)] == [TrialState.FAIL]
    sweep.finish(finished(trial))
    assert [t.state for t in shown(tmp_path)] == [TrialState.FAIL, TrialState.COMPLETE]


def known(trial: Trial, *, accuracy: float) -> Record:
    """The record of a trial that finished after one epoch."""
    epochs = (EpochEntry(epoch=1, test=SplitScores(loss=0.5, accuracy=accuracy)),)
    return Record(key=trial.key, seed=trial.seed, status="finished", epochs=epochs, selected_epoch=1)


def test_a_lost_database_is_rebuilt_from_the_records(tmp_path: Path, tiny: Tiny) -> None:
    cells = trials(tiny())
    records = {
        cells[0].key: known(cells[0], accuracy=0.8),
        cells[1].key: Record(key=cells[1].key, seed=cells[1].seed, status="diverged"),
    }
    sweep = Sweep("tiny", url(tmp_path))
    assert sweep.rebuild(cells, records) == 2
    assert sweep.rebuild(cells, records) == 0
    assert [(t.state, t.value) for t in shown(tmp_path)] == [
        (TrialState.COMPLETE, 0.8),
        (TrialState.FAIL, None),
    ]


def test_a_storage_that_cannot_be_used_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database " * 100)
    with pytest.raises(ResultsError, match="records are not touched"):
        Sweep("tiny", url(tmp_path))
    with pytest.raises(ResultsError, match="cannot be used"):
        Sweep("tiny", "nonsense://x")


SEARCH = Search(trials=8, space={"training.learning_rate": Range(low=1e-5, high=1e-1, log=True)})


def searched(tmp_path: Path, name: str, interrupted_at: int | None = None) -> list[float]:
    """Search for the largest of a known function, as if the process died once on the way."""
    tuner = Tuner(name, url(tmp_path), SEARCH, entropy=5)
    told: list[tuple[dict[str, float], float]] = []
    for number in range(SEARCH.trials):
        if number == interrupted_at:
            tuner.propose(number)  # asked, then killed
            tuner = Tuner(name, url(tmp_path), SEARCH, entropy=5)
            for parameters, value in told:
                tuner.restore(parameters, value, "k")
        candidate = tuner.propose(number)
        value = -abs(candidate.params["training.learning_rate"] - 1e-3)
        tuner.tell(candidate, value, "k")
        told.append((dict(candidate.params), value))
    best = tuner.best()
    assert best is not None
    assert best.value == max(value for _, value in told)
    return [parameters["training.learning_rate"] for parameters, _ in told]


def test_an_interrupted_search_proposes_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    straight = searched(tmp_path, "straight")
    assert len(set(straight)) == SEARCH.trials
    assert searched(tmp_path, "interrupted", interrupted_at=5) == straight


def test_the_earliest_of_equal_candidates_wins(tmp_path: Path) -> None:
    tuner = Tuner("ties", url(tmp_path), SEARCH, entropy=5)
    for number, value in enumerate([0.5, 0.7, 0.7]):
        tuner.tell(tuner.propose(number), value, f"key {number}")
    best = tuner.best()
    assert best is not None
    assert best.user_attrs["key"] == "key 1"
    assert Tuner("none", url(tmp_path), SEARCH, entropy=5).best() is None


def test_a_cell_cut_short_while_it_was_told_is_shown_as_finished_after_all(tmp_path: Path, tiny: Tiny) -> None:
    cells = trials(tiny())
    sweep = Sweep("tiny", url(tmp_path))
    sweep.start(cells[0])
    sweep._running[cells[0].key].set_user_attr("status", "finished")  # and the process is killed before tell
    record = known(cells[0], accuracy=0.8)
    assert Sweep("tiny", url(tmp_path)).rebuild(cells, {cells[0].key: record}) == 1
    assert [(t.state, t.value) for t in shown(tmp_path)] == [(TrialState.FAIL, None), (TrialState.COMPLETE, 0.8)]
