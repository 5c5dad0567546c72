"""Running a study: nothing runs twice, nothing is lost, nothing is mixed."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.records.predictions import read_texts
from analysis.records.trial_record import TrialRecord
from harness import run_study
from harness.engines.packed import engine as packed_engine
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.result import TrialResult
from harness.engines.trainer import TrainerEngine
from harness.errors import HarnessError, LockedError, ModelError, ResultsError
from harness.models.build import build_model
from harness.progress.displays import Display
from harness.records.lock import lock_study
from harness.search import mirror
from harness.study import trials
from harness.study.study import Study

Tiny = Callable[..., Study]
# For what a run does around its training: each trial is the model before it.
UNTRAINED = "training.num_train_epochs=0"


class Watcher(Display):
    """Remembers what a run told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.trained: list[str] = []

    def say(self, text: str) -> None:
        self.messages.append(text)

    def outcome(self, outcome: TrialResult) -> None:
        self.trained.append(f"{outcome.trial.arm} {outcome.trial.seed}")


def records(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    contents = (json.loads(path.read_text()) for path in folder.glob("trials/*/record.json"))
    return {(record["arm"], record["seed"]): record for record in contents}


def predictions(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("trials/*/predictions.parquet")}


def probabilities(folder: Path) -> dict[str, np.ndarray]:
    tables = {path.parent.name: pq.read_table(path) for path in folder.glob("trials/*/predictions.parquet")}
    return {key: table.select(["p_0", "p_1"]).to_pandas().to_numpy() for key, table in tables.items()}


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "study.json").read_text()))


@pytest.mark.parametrize("error", [None, ValueError("broken")])
def test_the_collector_skips_libraries_and_data_until_the_run_ends(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    gc.unfreeze()
    frozen = []

    def told(_: Display, __: TrialResult) -> None:
        frozen.append(gc.get_freeze_count())
        if error is not None:
            raise error

    monkeypatch.setattr(Watcher, "outcome", told)
    with pytest.raises(ValueError, match="broken") if error else nullcontext():
        run_study(tiny("seeds=1", UNTRAINED), tmp_path, display=Watcher())
    assert min(frozen) > 10_000
    assert gc.get_freeze_count() == 0


def test_where_packs_cannot_be_the_run_says_why_once(tmp_path: Path, tiny: Tiny) -> None:
    watcher = Watcher()
    summary = run_study(tiny("data.padding_side=left", UNTRAINED), tmp_path, display=watcher)
    assert summary.complete
    said = [text for text in watcher.messages if "steps aside" in text]
    assert len(said) == len(set(said)) > 0
    assert {text.partition("one trial trains at a time: ")[2] for text in said} == {
        "padding on the left to the longest example shifts the positions by what else is in the batch"
    }


def test_a_study_runs_and_a_finished_one_is_a_no_op(tmp_path: Path, tiny: Tiny) -> None:
    summary = run_study(tiny(), tmp_path)
    assert (summary.statuses, summary.ran, summary.complete) == ({"finished": 6}, 6, True)
    folder = tmp_path / "tiny"
    assert set(records(folder)) == {(arm, seed) for arm in ("full", "lora-r2", "lora-r4") for seed in (0, 1)}
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")}
    again = run_study(tiny(), tmp_path)
    assert (again.ran, again.complete) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")} == before


def test_the_same_study_twice_gives_the_same_bytes(tmp_path: Path, tiny: Tiny) -> None:
    first, second = (run_study(tiny("seeds=1"), tmp_path / name).folder for name in "ab")
    assert len(predictions(first)) == 3
    assert predictions(first) == predictions(second)


def test_the_texts_are_stored_unless_the_study_says_no(tmp_path: Path, tiny: Tiny) -> None:
    one = ("seeds=1", "arms={full: {}}", UNTRAINED)
    folder = run_study(tiny(*one), tmp_path).folder
    table = pq.read_table(folder / "examples.parquet")
    (stored,) = [pq.read_table(path) for path in folder.glob("trials/*/predictions.parquet")]
    assert table["example_id"].to_pylist() == stored["example_id"].to_pylist()
    assert table["label"].to_pylist() == stored["label"].to_pylist()
    texts = read_texts(folder, stored["example_id"].to_pylist())
    assert texts is not None
    assert len(set(texts.values())) > 30
    assert all(len(text) > 5 for text in texts.values())
    # Nothing is trained anew, and what may not be shared is gone.
    display = Watcher()
    assert run_study(tiny(*one, "store_texts=false"), tmp_path, display=display).ran == 0
    assert not (folder / "examples.parquet").exists()
    assert any("texts of an earlier run were removed" in message for message in display.messages)
    display = Watcher()
    run_study(tiny(*one, "store_texts=false"), tmp_path, display=display)
    assert not any("removed" in message for message in display.messages)


def test_a_pair_of_texts_is_stored_in_two_lines(tmp_path: Path, tiny: Tiny) -> None:
    rows = "".join(f'{{"id": {i}, "q": "why {i}?", "a": "so {i}", "label": {i % 2}}}\n' for i in range(20))
    (tmp_path / "pairs.jsonl").write_text(rows)
    study = tiny(
        "seeds=1",
        "arms={full: {}}",
        UNTRAINED,
        f"data={{path: {tmp_path / 'pairs.jsonl'}, test_fraction: 0.4, text: [q, a]}}",
    )
    folder = run_study(study, tmp_path).folder
    ids = pq.read_table(folder / "examples.parquet")["example_id"].to_pylist()
    texts = read_texts(folder, ids)
    assert texts is not None
    assert len(texts) == 8
    assert all(text == f"why {example}?\nso {example}" for example, text in texts.items())


def test_more_seeds_run_only_the_new_ones(tmp_path: Path, tiny: Tiny) -> None:
    run_study(tiny("seeds=1", UNTRAINED), tmp_path)
    watcher = Watcher()
    run_study(tiny("seeds=2", UNTRAINED), tmp_path, display=watcher)
    assert watcher.trained == ["full 1", "lora-r2 1", "lora-r4 1"]
    history = manifest(tmp_path / "tiny")["seed_history"]
    assert [(entry["seeds"], entry["trials_finished"]) for entry in history] == [([0], 0), ([0, 1], 3)]


def test_a_changed_setting_makes_new_trials_beside_the_old(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny("seeds=1", UNTRAINED), tmp_path).folder
    old = predictions(folder)
    watcher = Watcher()
    run_study(tiny("seeds=1", UNTRAINED, "arms.full.training.learning_rate=1e-4"), tmp_path, display=watcher)
    assert watcher.trained == ["full 0"]
    assert {key: predictions(folder)[key] for key in old} == old
    keys = {trial["key"] for trial in manifest(folder)["cells"]}
    assert len(keys) == 3
    assert len(set(predictions(folder)) - keys) == 1


def test_a_changed_plan_is_remembered_and_runs_nothing(tmp_path: Path, tiny: Tiny) -> None:
    run_study(tiny("seeds=1", UNTRAINED), tmp_path)
    assert run_study(tiny("seeds=1", UNTRAINED, "analysis.margin=0.02"), tmp_path).ran == 0
    first, second = manifest(tmp_path / "tiny")["plan_history"]
    assert (first["trials_finished"], second["trials_finished"]) == (0, 3)
    assert second["analysis"]["margin"] == 0.02
    assert first["digest"] != second["digest"]


@pytest.mark.parametrize("override", ["arms.lora.adapter.target_modules=[query]", "data.train_size=10000000"])
def test_wrong_input_writes_nothing(tmp_path: Path, tiny: Tiny, override: str) -> None:
    with pytest.raises(HarnessError):
        run_study(tiny(override), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_every_arm_that_does_not_fit_is_named_at_once(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(ModelError) as caught:
        run_study(tiny("arms.lora.adapter.target_modules=[query]", "arms.deep={freeze: {layers: 99}}"), tmp_path)
    assert all(name in str(caught.value) for name in ("lora-r2", "lora-r4", "deep", "c_attn"))


def test_what_failed_is_recorded_and_runs_again(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_model
    broken = True

    def planted(located: Any, arm: Any, **kwargs: Any) -> Any:
        if broken and arm.adapter is None:
            raise RuntimeError("out of memory")
        return build(located, arm, **kwargs)

    monkeypatch.setattr("harness.models.build.build_model", planted)
    summary = run_study(tiny("seeds=1"), tmp_path)
    assert summary.statuses == {"finished": 2, "failed": 1}
    assert not summary.complete
    assert records(summary.folder)["full", 0]["error"]["message"] == "out of memory"
    broken = False
    watcher = Watcher()
    assert run_study(tiny("seeds=1"), tmp_path, display=watcher).complete
    assert watcher.trained == ["full 0"]


def test_a_damaged_record_is_set_aside_and_its_trial_runs_again(tmp_path: Path, tiny: Tiny) -> None:
    """Predictions are written first and the record last, so a record that can be read is complete."""
    folder = run_study(tiny("seeds=1"), tmp_path).folder
    before = probabilities(folder)
    path = next(folder.glob("trials/*/record.json"))
    path.write_text(path.read_text()[:200])
    watcher = Watcher()
    run_study(tiny("seeds=1"), tmp_path, display=watcher)
    assert len(watcher.trained) == 1
    assert any("set aside" in message for message in watcher.messages)
    after = probabilities(folder)
    assert after.keys() == before.keys()
    # It is trained alone now, and other shapes round otherwise.
    assert all(np.allclose(after[key], before[key], atol=1e-4) for key in before)


def test_a_lost_database_does_not_matter(tmp_path: Path, tiny: Tiny) -> None:
    import optuna

    folder = run_study(tiny("seeds=1", UNTRAINED), tmp_path).folder
    (folder / "optuna.db").unlink()
    assert run_study(tiny("seeds=1", UNTRAINED), tmp_path).ran == 0
    shown = optuna.load_study(study_name="tiny", storage=f"sqlite:///{folder / 'optuna.db'}").get_trials()
    assert sorted(trial.user_attrs["arm"] for trial in shown) == ["full", "lora-r2", "lora-r4"]


def test_only_a_run_that_trains_waits_for_the_database_before(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[mirror.Mirror] = []
    monkeypatch.setattr(mirror.Mirror, "settle", lambda self: waited.append(self))
    for seeds, times in ((1, 1), (1, 1), (2, 2)):
        run_study(tiny(f"seeds={seeds}", UNTRAINED), tmp_path)
        assert len(waited) == times


@pytest.mark.parametrize("engine", ["packed", "trainer"])
def test_a_locked_database_stops_no_trial_and_no_pack(
    tmp_path: Path, tiny: Tiny, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever trained waited for the lock, and a pack took it for a fault of its own."""
    monkeypatch.setattr(mirror, "_LONGEST_WAIT", 0.1)
    elsewhere = tmp_path / "elsewhere.db"
    watcher = Watcher()
    connection = sqlite3.connect(elsewhere, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        summary = run_study(tiny("seeds=1"), tmp_path, engine=engine, storage=f"sqlite:///{elsewhere}", display=watcher)
    finally:
        connection.close()
    assert summary.statuses == {"finished": 3}
    assert sum("Optuna's database" in message for message in watcher.messages) == 1
    assert not any("broke" in message for message in watcher.messages)


def test_a_broken_database_does_not_matter(tmp_path: Path, tiny: Tiny) -> None:
    import optuna

    results = tmp_path / "a?b%20#{c}@d"
    (results / "tiny").mkdir(parents=True)
    (results / "tiny" / "optuna.db").write_text("no database " * 100)
    watcher = Watcher()
    folder = run_study(tiny("seeds=1", UNTRAINED), results, display=watcher).folder
    assert [message for message in watcher.messages if "set aside" in message]
    (folder / "optuna.db").rename(tmp_path / "moved.db")
    shown = optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path / 'moved.db'}").get_trials()
    assert sorted(trial.user_attrs["arm"] for trial in shown) == ["full", "lora-r2", "lora-r4"]


def test_a_storage_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(ResultsError, match="unknown kind of database"):
        run_study(tiny(), tmp_path / "results", storage="nonsense://me:hunter2@host/runs")
    assert not (tmp_path / "results").exists()


def test_any_storage_url_will_do(tmp_path: Path, tiny: Tiny) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    one = tiny("seeds=1", "arms={full: {}}", UNTRAINED)
    folder = run_study(one, tmp_path, storage=f"sqlite:///{elsewhere}").folder
    assert elsewhere.exists()
    assert not (folder / "optuna.db").exists()


def test_a_newer_results_folder_is_refused(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/study.json").write_text('{"format": 99}')
    with pytest.raises(ResultsError, match="format 99"):
        run_study(tiny(), tmp_path)
    assert [p.name for p in (tmp_path / "tiny").iterdir()] == ["study.json"]


def test_a_second_run_is_told_who_holds_the_study(tmp_path: Path, tiny: Tiny) -> None:
    with lock_study(tmp_path / "tiny"), pytest.raises(LockedError, match=f"process {os.getpid()} on "):
        run_study(tiny(), tmp_path)
    one = tiny("seeds=1", "arms={full: {}}", UNTRAINED)
    assert run_study(one, tmp_path).complete  # and let go of afterwards


def test_a_full_disk_stops_the_run_and_keeps_what_is_there(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.records.store import Store

    write = Store.write
    written = 0

    def full(self: Store, *args: Any, **kwargs: Any) -> TrialRecord:
        nonlocal written
        written += 1
        if written == 2:
            raise ResultsError("record.json cannot be written: No space left on device")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(ResultsError, match="No space left"):
        run_study(tiny("seeds=1"), tmp_path)
    monkeypatch.undo()
    watcher = Watcher()
    assert run_study(tiny("seeds=1"), tmp_path, display=watcher).complete
    assert len(watcher.trained) == 2


SEARCHED = (
    "seeds=1",
    "arms={full: {}, tuned: {search: {trials: 3, fraction: 0.25, "
    "space: {training.learning_rate: {low: 1e-5, high: 1e-2, log: true}}}}}",
)


@pytest.fixture(scope="module")
def searched(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_study(tiny(*SEARCHED), tmp_path_factory.mktemp("searched")).folder


def test_an_arm_is_tuned_before_its_seeds_run(searched: Path) -> None:
    folder = searched
    arm = manifest(folder)["arms"]["tuned"]
    candidates = [json.loads(path.read_text()) for path in sorted(folder.glob("tuning/*/record.json"))]
    assert len(candidates) == 3
    assert all(c["epochs"][-1]["test"] is None and c["epochs"][-1]["holdout"] for c in candidates)
    best = max(candidates, key=lambda c: (c["tuning"]["value"], -c["tuning"]["number"]))
    assert arm["tuned"]["params"] == best["tuning"]["params"]
    assert arm["training"]["learning_rate"] == arm["tuned"]["params"]["training.learning_rate"]
    assert records(folder)["tuned", 0]["settings"]["training"]["learning_rate"] == arm["training"]["learning_rate"]
    assert manifest(folder)["arms"]["full"]["tuned"] is None


def test_a_search_leaves_no_pack_behind(searched: Path) -> None:
    assert (searched / "packs").is_dir()
    assert list((searched / "packs").glob("*")) == []


def test_a_pack_that_a_kill_left_behind_is_forgotten_with_its_search(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last record and the pack's end comes a kill."""
    with monkeypatch.context() as patch:
        patch.setattr(SavedPack, "discard", lambda _: None)
        patch.setattr(packed_engine, "discard_recorded", lambda *_: None)
        folder = run_study(tiny(*SEARCHED), tmp_path).folder
    assert len(list((folder / "packs").glob("*.pt"))) == 2  # of the candidates, and of the trials
    assert run_study(tiny(*SEARCHED), tmp_path).ran == 0
    assert list((folder / "packs").glob("*")) == []


def test_a_search_goes_on_where_it_stopped(tmp_path: Path, tiny: Tiny, searched: Path) -> None:
    cut = Path(shutil.copytree(searched, tmp_path / "cut" / "tiny"))
    shutil.rmtree(max(cut.glob("tuning/*")))
    (cut / "optuna.db").unlink()
    assert run_study(tiny(*SEARCHED), tmp_path / "cut").ran == 0
    winners = [manifest(folder)["arms"]["tuned"]["tuned"] for folder in (searched, cut)]
    assert winners[0] == winners[1]


def test_candidates_that_name_other_settings_are_set_aside_and_run_again(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny(*SEARCHED, "training.num_train_epochs=0"), tmp_path).folder
    before = manifest(folder)["arms"]["tuned"]["tuned"]
    for path, rate in zip(sorted(folder.glob("tuning/*/record.json")), (5e-4, "fast"), strict=False):
        content = json.loads(path.read_text())
        content["tuning"]["params"]["training.learning_rate"] = rate
        path.write_text(json.dumps(content))
    watcher = Watcher()
    run_study(tiny(*SEARCHED, "training.num_train_epochs=0"), tmp_path, display=watcher)
    assert sum("names settings that this search did not try; set aside" in message for message in watcher.messages) == 2
    assert manifest(folder)["arms"]["tuned"]["tuned"] == before
    assert len(list((folder / "set_aside").iterdir())) == 2


def test_candidates_of_another_version_are_none_of_the_search(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(trials, "KEY_VERSION", "v0")
        folder = run_study(tiny(*SEARCHED, "training.num_train_epochs=0"), tmp_path).folder
    run_study(tiny(*SEARCHED, "training.num_train_epochs=0"), tmp_path)
    assert len(list(folder.glob("tuning/*/record.json"))) == 6


# A short trial, then one of several epochs.
LONG = (
    "engine=trainer",
    "data.train_size=160",
    "seeds=2",
    "arms={short: {}, long: {training: {num_train_epochs: 3}}}",
    "analysis={}",
)
# In the second epoch that it trains, it says so and goes on once it is given a line: no machine is too fast to be met.
STANDS_STILL = """\
import sys
from harness.engines import engine
engine.SECONDS_BETWEEN_REPORTS = -1.0
from harness.cli import main
from harness.progress.displays import LogDisplay
shown, stood = LogDisplay.step, []
def step(self, progress):
    shown(self, progress)
    if progress.epoch > 1 and not stood:
        stood.append(progress)
        print("in the middle", flush=True)
        sys.stdin.readline()
LogDisplay.step = step
main()
"""


@contextmanager
def in_the_middle(study_file: Path, root: Path, *overrides: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, which stands still in the second epoch of a trial or a pack."""
    command = [sys.executable, "-c", STANDS_STILL, "run", str(study_file), *overrides, "--results", str(root)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        read_until("in the middle", process)
        yield process


def read_until(words: str, process: subprocess.Popen[str]) -> str:
    """Return what a process says, up to the line with these words."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, f"it ended too early: {said}"
        said += line
    return said


def go_on(process: subprocess.Popen[str]) -> str:
    """Let it go on to its end; return what it says. `communicate` would lose what `readline` has read ahead."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    return process.stdout.read()


def test_a_run_killed_in_the_middle_of_a_trial_ends_as_an_undisturbed_one(
    tmp_path: Path, tiny: Tiny, tiny_file: Path
) -> None:
    folder = tmp_path / "killed" / "tiny"
    of_one_seed = (*LONG, "seeds=1")
    with in_the_middle(tiny_file, tmp_path / "killed", *of_one_seed) as process:
        process.send_signal(signal.SIGKILL)
    survived = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/record.json")}
    assert len(survived) == 1
    summary = run_study(tiny(*of_one_seed), tmp_path / "killed")
    assert summary.complete
    assert summary.ran == 1
    assert {path: path.stat().st_mtime_ns for path in survived} == survived
    # In this process as the rest was: same machine, same number of threads.
    assert predictions(folder) == predictions(run_study(tiny(*of_one_seed), tmp_path / "whole").folder)


def test_ctrl_c_once_finishes_the_running_trial(tmp_path: Path, tiny_file: Path) -> None:
    folder = tmp_path / "tiny"
    with in_the_middle(tiny_file, tmp_path, *LONG) as process:
        process.send_signal(signal.SIGINT)
        output = read_until("finishing the current trial", process) + go_on(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert {record["status"] for record in records(folder).values()} == {"finished"}
    assert len(records(folder)) == 2


def test_ctrl_c_twice_stops_the_running_trial(tmp_path: Path, tiny_file: Path) -> None:
    folder = tmp_path / "tiny"
    with in_the_middle(tiny_file, tmp_path, *LONG) as process:
        process.send_signal(signal.SIGINT)
        # Two signals that wait are one.
        output = read_until("finishing the current trial", process)
        process.send_signal(signal.SIGINT)
        output += go_on(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert sorted(record["status"] for record in records(folder).values()) == ["finished", "interrupted"]


def test_engines_have_names(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(HarnessError, match=TrainerEngine.name):
        run_study(tiny(), tmp_path, engine="warp")


def test_a_text_longer_than_the_model_reads_is_refused_before_anything_runs(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(HarnessError, match="reads at most 128 tokens, got 512"):
        run_study(tiny("data.max_length=512", "data.padding=max_length"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_an_arm_that_picks_on_test_can_be_tuned(tmp_path: Path, tiny: Tiny) -> None:
    summary = run_study(tiny(*SEARCHED, "selection={best: accuracy, on: test}"), tmp_path)
    assert summary.complete


def test_ctrl_c_while_tuning_trains_no_trial(tmp_path: Path, tiny: Tiny) -> None:
    class Impatient(Display):
        closed = 0

        def tuning(self, arm: str, done: int, total: int) -> None:
            if done == total:
                os.kill(os.getpid(), signal.SIGINT)

        def close(self) -> None:
            self.closed += 1

    display = Impatient()
    summary = run_study(tiny(*SEARCHED), tmp_path, display=display)
    assert (summary.ran, summary.stopped) == (0, True)
    assert summary.statuses == {"missing": 2}
    assert display.closed
    assert run_study(tiny(*SEARCHED), tmp_path).complete
