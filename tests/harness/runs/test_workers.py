"""Several workers of one study: each trial is trained once, and whoever is gone is replaced."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness import provenance, run_study
from harness.cli.on import On, place_of
from harness.cli.train_on import attend, train_on
from harness.cli.until_decided import look_by_look
from harness.engines.engine import Claim, Engine, Progress, ReportProgress, claim_all
from harness.engines.result import Epoch, Score, TrialResult
from harness.errors import HarnessError, LockedError, ResultsError
from harness.launch.launcher import Launcher
from harness.launch.local import LocalWorkers
from harness.progress.displays import Display
from harness.records.lock import lock_study, lock_workers
from harness.records.record import TrialRecord
from harness.records.store import Store
from harness.records.workers import join, workers_of
from harness.runs import following, run, runner, training
from harness.runs.status import read_status
from harness.study.study import Study
from harness.study.trials import Trial

Tiny = Callable[..., Study]
# Ends what hangs; a busy machine gets the time that it needs.
SECONDS = 300


class Instant(Engine):
    """Trains nothing: what a trial answers is drawn from its key. Between two packs it does what it is told."""

    name = "instant"

    def __init__(self, n_test: int, pack: int, between: Callable[[Sequence[Trial]], None]) -> None:
        self.n_test = n_test
        self.pack = pack
        self.between = between
        self.trained: list[str] = []

    def train(
        self,
        trials: Sequence[Trial],
        *,
        report: ReportProgress,
        done: Container[str] = frozenset(),
        stop: Callable[[], bool] = lambda: False,
        claim: Claim = claim_all,
    ) -> Iterator[TrialResult]:
        for start in range(0, len(trials), self.pack):
            wanted = [trial for trial in trials[start : start + self.pack] if trial.key not in done]
            if stop():
                return
            mine = claim(wanted) if wanted else ()
            if mine:
                self.between(mine)
            for trial in mine:
                report(Progress(trial=trial, step=1, steps=1))
                self.trained.append(trial.key)
                yield self.result(trial)

    def result(self, trial: Trial) -> TrialResult:
        rng = np.random.default_rng(int(trial.key.removeprefix("v2-")[:12], 16))
        drawn = rng.random(self.n_test, dtype=np.float32)
        score = Score(loss=0.5, accuracy=float(drawn[0]))
        epoch = Epoch(
            epoch=1,
            learning_rate=0.0,
            train_loss=0.5,
            test=None if trial.tuning else score,
            holdout=score if trial.tuning else None,
            probabilities=None if trial.tuning else np.stack((1 - drawn, drawn), axis=1),
        )
        return TrialResult(trial=trial, status="finished", epochs=(epoch,), selected_epoch=1, device="cpu")

    def estimate(self, trial: Trial) -> float:
        return 0.01


class Says(Display):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.by_others: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def recorded(self, trial: Trial, record: TrialRecord) -> None:
        self.by_others.append(f"{trial.arm} {trial.seed}")


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Instant]]:
    """Let runs train nothing; return their engines, in the order in which they began."""
    prepare = runner.prepare
    one_by_one = threading.Lock()

    def use(pack: int = 1, between: Callable[[Sequence[Trial]], None] = lambda _: None) -> list[Instant]:
        engines: list[Instant] = []

        def prepared(*args: Any, **kwargs: Any) -> Any:
            # In a process of its own each would have its own default device.
            with one_by_one:
                checkpoint, data, _ = prepare(*args, **kwargs)
            engines.append(Instant(len(data.test), pack, between))
            return checkpoint, data, engines[-1]

        monkeypatch.setattr("harness.runs.runner.prepare", prepared)
        return engines

    monkeypatch.setattr(training, "SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(following, "_SECONDS_BETWEEN_LOOKS", 0.02)
    return use


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("trials/*/record.json")}


def first_together() -> Callable[[Sequence[Trial]], None]:
    """Return what lets each of two workers wait in its first pack for the other, so that both have their part."""
    both = threading.Barrier(2, timeout=SECONDS)
    waited: set[int] = set()

    def between(_: Sequence[Trial]) -> None:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            both.wait()

    return between


class Beside:
    """A run in a thread of its own."""

    def __init__(self, study: Study, root: Path, **more: Any) -> None:
        self.display = Says()
        self.outcome: run.RunSummary | BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(study, root), kwargs=more)
        self._thread.start()

    def _run(self, study: Study, root: Path, **more: Any) -> None:
        try:
            self.outcome = run_study(study, root, as_worker=True, display=self.display, **more)
        except BaseException as error:
            self.outcome = error

    def ended(self) -> run.RunSummary:
        self._thread.join(SECONDS)
        assert isinstance(self.outcome, run.RunSummary), self.outcome
        return self.outcome


def test_two_workers_train_each_trial_once(tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]) -> None:
    """Each waits in its first pack for the other, so both have their part."""
    engines = instant(2, first_together())
    study = tiny("seeds=6")
    one, other = Beside(study, tmp_path), Beside(study, tmp_path)
    summaries = one.ended(), other.ended()
    assert [summary.statuses for summary in summaries if summary.complete]
    assert sorted(engines[0].trained + engines[1].trained) == sorted(records(tmp_path / "tiny"))
    assert min(len(engine.trained) for engine in engines) >= 2
    assert sum(summary.ran for summary in summaries) == 18
    (leads,) = [run for run in (one, other) if not any("training beside it" in line for line in run.display.said)]
    assert len(leads.display.by_others) == 18 - leads.ended().ran
    status = read_status(tmp_path / "tiny")
    assert (status.to_run, status.holder, status.workers) == (0, None, ())
    assert not list((tmp_path / "tiny").glob(".writing/*"))


def test_who_led_and_is_gone_is_replaced(tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]) -> None:
    """The one that is left waits for nobody, trains what the other had claimed, and shows it in Optuna's database."""
    import optuna

    study, folder = tiny("seeds=4"), tmp_path / "tiny"
    leading = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from harness.records.lock import lock_study
from harness.records.workers import join
with lock_study(Path({str(folder)!r})) as hold, join(Path({str(folder)!r}), print) as worker:
    print("there", flush=True)
    worker.claim(sys.stdin.readline().split())
    print("claimed", flush=True)
    sys.stdin.read()
"""
    engines = instant()
    whole = run_study(study, tmp_path)
    keys = sorted(records(folder))
    for key in keys[3:]:
        for file in (folder / "trials" / key).iterdir():
            file.unlink()
        (folder / "trials" / key).rmdir()
    (folder / "optuna.db").unlink()
    with subprocess.Popen([sys.executable, "-c", leading], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.stdin.write(" ".join(keys[3:5]) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "claimed\n"
        engines[0].between = lambda _: None
        beside = Beside(study, tmp_path)
        while len(records(folder)) < len(keys) - 2:
            time.sleep(0.02)
        process.kill()
    # It ended as soon as nothing was free, or it was still there: the next one closes the study.
    beside.ended()
    last = run_study(study, tmp_path, as_worker=True)
    assert last.complete
    assert sorted(records(folder)) == keys == sorted(engines[0].trained)
    shown = optuna.load_study(study_name="tiny", storage=f"sqlite:///{folder / 'optuna.db'}").get_trials()
    assert len(shown) == len(keys) == whole.ran


def test_a_plain_run_beside_another_is_refused_with_the_way_out(tmp_path: Path, tiny: Tiny) -> None:
    with lock_study(tmp_path / "tiny"), pytest.raises(LockedError, match="or train beside it with --worker"):
        run_study(tiny(), tmp_path)


def test_workers_must_agree(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tiny()
    with lock_study(tmp_path / "tiny") as hold:
        hold.tell(settings=run.settings_of(tiny("seeds=3")), code=provenance.code())
        with pytest.raises(ResultsError, match=r"with other settings; give --worker the same"):
            run_study(study, tmp_path, as_worker=True)
        hold.tell(settings=run.settings_of(study), code=("9.9", None))
        with pytest.raises(ResultsError, match=r"with ablation-harness 9\.9, and here is ablation-harness \d"):
            run_study(study, tmp_path, as_worker=True)
        monkeypatch.setattr(provenance, "code", lambda: ("9.9", "b" * 40))
        hold.tell(code=("9.9", "a" * 40))
        with pytest.raises(ResultsError, match=r"at commit a{12}, and here is .* at commit b{12}; install"):
            run_study(study, tmp_path, as_worker=True)


def test_a_worker_that_is_alone_runs_the_study(tmp_path: Path, tiny: Tiny, instant: Callable[..., Any]) -> None:
    instant()
    assert run_study(tiny("seeds=1"), tmp_path, as_worker=True).complete
    assert (tmp_path / "tiny/study.json").exists()


def test_what_another_has_recorded_meanwhile_is_not_trained_again(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]
) -> None:
    """Two folders of one study, and the trials of one are copied into the other while that is run."""
    instant()
    run_study(tiny("seeds=2"), tmp_path / "a")
    copied: list[str] = []

    def copy(trials: Sequence[Trial]) -> None:
        if not copied:
            copied.extend(sorted(records(tmp_path / "a/tiny").keys() - {trial.key for trial in trials}))
            for key in copied:
                shutil.copytree(tmp_path / "a/tiny/trials" / key, tmp_path / "b/tiny/trials" / key)

    engines = instant(1, copy)
    summary = run_study(tiny("seeds=2"), tmp_path / "b")
    assert (summary.statuses, summary.ran, len(engines[0].trained)) == ({"finished": 6}, 1, 1)


def test_a_look_at_what_others_did_asks_only_about_trials_that_are_there(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thousands that are left, a look every two seconds asks about none."""
    asked: list[int] = []
    entries = Store.entries

    def noted(self: Store, wanted: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        asked.append(len(wanted))
        return entries(self, wanted, *args, **kwargs)

    instant()
    monkeypatch.setattr(Store, "entries", noted)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LOOKS", 0.0)
    assert run_study(tiny("seeds=2"), tmp_path).complete
    assert (asked[0], len(asked), set(asked[1:])) == (6, 7, {0})


def test_two_copies_of_a_trial_do_no_harm(tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]) -> None:
    """Another worker took this one for dead, and was quicker: its record stays, whole."""
    instant()
    first = run_study(tiny("seeds=1"), tmp_path / "a").folder

    def overtaken(trials: Sequence[Trial]) -> None:
        for trial in trials:
            shutil.copytree(first / "trials" / trial.key, tmp_path / "b/tiny/trials" / trial.key)

    instant(3, overtaken)
    before = {key: (first / f"trials/{key}/record.json").read_bytes() for key in records(first)}
    summary = run_study(tiny("seeds=1"), tmp_path / "b")
    assert summary.statuses == {"finished": 3}
    assert {key: (summary.folder / f"trials/{key}/record.json").read_bytes() for key in before} == before


def test_workers_go_from_look_to_look_together(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]
) -> None:
    instant()
    study = tiny("seeds=8", "analysis.looks=[4,8]", "analysis.baseline=full")
    runs = [Beside(study, tmp_path, looks=look_by_look(study, tmp_path / "tiny", lambda _: None)) for _ in range(2)]
    assert any(one.ended().complete for one in runs)
    looks = json.loads((tmp_path / "tiny/looks.json").read_text())["looks"]
    # Two that look at the same moment may both note it; whoever counts looks counts them once.
    assert {len(look["seeds"]) for look in looks} <= {4, 8}
    assert looks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "lokal:2"], r"--on: expected local:N for N workers .*; got 'lokal:2'"),
        (["--on", "local:0"], r"--on: expected local:N .*; got 'local:0'"),
        (["--on", "local:99"], r"--on local:99: expected at most one worker for each of the \d+ (cores|GPUs) here"),
        (["--on", "local:1", "--worker"], "--on starts workers, and --worker is one; leave one of them out"),
        (["--on", "local:1", "--budget", "3trials"], "--budget 3trials: --on takes a time, such as 6h"),
    ],
)
def test_wrong_places_are_one_message(
    tiny_file: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import _exit_code, output

    sys.argv = ["harness", "run", str(tiny_file), "--results", str(tmp_path / "r"), *options]
    with output.guarded() as out:
        assert _exit_code(out) == 2
    assert re.search(message, capsys.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "r").exists()


def test_a_worker_on_this_machine_that_is_killed_is_started_again(tmp_path: Path, tiny: Tiny, tiny_file: Path) -> None:
    """And the predictions are those of an undisturbed run."""
    overrides = ("engine=trainer", "seeds=3", "arms={full: {}}", "analysis={}")
    alone = run_study(tiny(*overrides), tmp_path / "one").folder
    folder, shown = tmp_path / "two/tiny", Console(file=io.StringIO(), width=200)
    arguments = ["run", str(tiny_file), *overrides, "--results", str(tmp_path / "two"), "--worker"]
    (_, *others) = records(alone)
    with ThreadPoolExecutor(1) as pool, join(folder, print) as beside:
        # The worker waits for whoever has claimed the others, so it has not ended when it is killed.
        assert beside.claim(others)
        on = On(place="local", number=1)
        more: Any = {"arms": ("full",), "looks": None, "budget": None, "console": shown, "shows": True}
        ended = pool.submit(train_on, on, tiny(*overrides), arguments, folder, **more)
        while not records(folder) and not ended.done():
            time.sleep(0.02)
        (worker,) = [one for one in workers_of(folder) if one.pid != os.getpid()]
        os.kill(worker.pid, signal.SIGKILL)
        beside.leave()
        summary = ended.result()
    assert (summary.statuses, summary.ran, summary.stopped_by) == ({"finished": 3}, 3, None)
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue().startswith("starting 1 worker\n")
    assert "worker 1 was killed by SIGKILL, and is started again" in shown.file.getvalue()
    assert "tiny: 3 of 3 trials finished" in shown.file.getvalue()
    one, two = ({p.parent.name: p.read_bytes() for p in place.glob("trials/*/pred*")} for place in (alone, folder))
    assert len(one) == 3
    assert one == two


def test_the_signal_that_a_user_sent_is_the_one_that_workers_and_status_tell(
    tmp_path: Path, tiny: Tiny, tiny_file: Path
) -> None:
    overrides = ("training.num_train_epochs=100000", "seeds=1", "arms={full: {}}", "analysis={}")
    folder, shown = tmp_path / "tiny", Console(file=io.StringIO(), width=200)
    arguments = ["run", str(tiny_file), *overrides, "--results", str(tmp_path), "--worker"]
    over = threading.Event()

    def press_ctrl_c() -> None:
        while not list(folder.glob("packs/*.pt")):
            if over.wait(0.02):
                return
        os.kill(os.getpid(), signal.SIGINT)

    more: Any = {"arms": ("full",), "looks": None, "budget": None, "console": shown, "shows": False}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(press_ctrl_c)
        try:
            summary = train_on(On(place="local", number=1), tiny(*overrides), arguments, folder, **more)
        finally:
            over.set()
    owner = read_status(folder).holder
    assert owner is not None
    assert (summary.stopped_by, owner.signal) == ("SIGINT", "SIGINT")


def test_a_worker_that_a_signal_ended_while_it_started_is_no_news(tmp_path: Path) -> None:
    workers = LocalWorkers(["--help"], 1, gpus=(), folder=tmp_path)
    workers.start()
    (tmp_path / ".workers/logs/worker-1.log").write_text("Traceback (most recent call last)\nKeyboardInterrupt\n")
    workers.stop("SIGKILL")
    while workers.running():
        time.sleep(0.02)
    assert workers.news() == []


def test_a_worker_that_is_refused_says_why(tmp_path: Path, tiny: Tiny, tiny_file: Path) -> None:
    arguments = ["run", str(tiny_file), "arms.lora.adapter.target_modules=[query]", "--results", str(tmp_path)]
    more: Any = {"arms": ("full",), "looks": None, "budget": None, "console": Console(file=io.StringIO())}
    with pytest.raises(HarnessError, match=r"^arm lora-r2, lora-r4: "):
        train_on(On(place="local", number=1), tiny(), [*arguments, "--worker"], tmp_path / "tiny", shows=True, **more)


def test_of_two_that_start_workers_at_once_one_is_refused(tmp_path: Path, tiny: Tiny, tiny_file: Path) -> None:
    """Before any worker leads, nothing else tells them of each other."""
    arguments = ["run", str(tiny_file), "--results", str(tmp_path), "--worker"]
    more: Any = {"arms": ("full",), "looks": None, "budget": None, "console": Console(file=io.StringIO())}
    with (
        lock_workers(tmp_path / "tiny"),
        pytest.raises(LockedError, match=r"is being run by another process; .*--worker"),
    ):
        train_on(On(place="local", number=1), tiny(), arguments, tmp_path / "tiny", shows=True, **more)
    assert not list((tmp_path / "tiny").glob(".workers/logs/*"))


def test_workers_that_outlive_what_started_them_keep_their_logs(tmp_path: Path, tiny_file: Path) -> None:
    arguments = ["run", str(tiny_file), "--results", str(tmp_path), "--worker"]
    first, second = (LocalWorkers(arguments, number, gpus=(), folder=tmp_path / "tiny") for number in (2, 1))
    log = tmp_path / "tiny/.workers/logs/worker-2.log"
    first.start()
    try:
        log.write_text("of the first")
        with pytest.raises(LockedError, match=r"/worker-1\.log belongs to a worker that still runs; wait for it or"):
            second.start()
        assert log.read_text() == "of the first"
    finally:
        first.close()
    try:
        second.start()
    finally:
        second.close()


def test_a_file_where_workers_need_a_folder_is_named(tmp_path: Path, tiny: Tiny, tiny_file: Path) -> None:
    more: Any = {"arms": ("full",), "looks": None, "budget": None, "console": Console(file=io.StringIO())}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/.workers").touch()
    for folder in (tmp_path / "tiny", tmp_path / "tiny/.workers/tiny"):
        with pytest.raises(ResultsError, match=r"/\.workers is no folder; move it away"):
            train_on(On(place="local", number=1), tiny(), [], folder, shows=True, **more)


def test_what_the_leader_says_of_a_look_reaches_the_terminal(
    tmp_path: Path, tiny: Tiny, tiny_file: Path, instant: Callable[..., list[Instant]]
) -> None:
    instant()
    study = tiny("seeds=8", "analysis.looks=[4,8]", "analysis.baseline=full")
    folder, shown = tmp_path / "tiny", Console(file=io.StringIO(), width=200)

    class Thread(Launcher):
        """Starts one worker, in a thread."""

        def start(self) -> None:
            self.run = Beside(study, tmp_path, looks=look_by_look(study, folder, lambda _: None))

        def running(self) -> int:
            return self.run.outcome is None

        def news(self) -> Sequence[str]:
            return ()

        def stop(self, signal: str) -> None: ...

        def close(self) -> None:
            self.run.ended()

    attend(Thread(), folder, shown, shows=False, looks=look_by_look(study, folder, shown.print))
    assert isinstance(shown.file, io.StringIO)
    # Of those that passed between two glances, the last.
    assert re.search(r"look [12] of 2, at [48] seeds:\n  .* full", shown.file.getvalue())


def test_names_of_places_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several GPUs are used without being asked for."""
    assert place_of(None, worker=False, budget=None) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    found = place_of(None, worker=False, budget=None)
    assert found is not None
    assert (found.place, found.number) == ("local", None)
    assert place_of(None, worker=True, budget=None) is None
    with pytest.raises(HarnessError, match="--on: expected"):
        place_of("local:x", worker=False, budget=None)


def test_join_is_what_a_plain_run_does_too(tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]) -> None:
    """So that a worker can train beside a run that was started without a word about workers."""
    claimed: list[bool] = []

    def between(trials: Sequence[Trial]) -> None:
        with join(tmp_path / "tiny", print) as beside:
            claimed.append(beside.claim([trials[0].key]))

    instant(1, between)
    assert run_study(tiny("seeds=1"), tmp_path).complete
    assert claimed == [False] * 3


SEARCH = (
    "search={trials: 5, batch: 2, fraction: 0.25, space: {training.learning_rate: {low: 1e-5, high: 1e-2, log: true}}}"
)


def test_workers_search_together_and_propose_the_same_as_one(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]
) -> None:
    """Every candidate is trained once, by either of them, and the winners do not depend on it."""
    study = tiny("seeds=1", SEARCH)
    instant(1)
    alone = run_study(study, tmp_path / "one").folder
    engines = instant(1, first_together())
    runs = [Beside(study, tmp_path / "two") for _ in range(2)]
    assert any(one.ended().complete for one in runs)
    trained = [key for engine in engines for key in engine.trained]
    assert len(trained) == len(set(trained)) == 3 * 5 + 3
    assert all(engine.trained for engine in engines)
    one, two = (
        {path.parent.name: json.loads(path.read_text())["tuning"] for path in folder.glob("tuning/*/record.json")}
        for folder in (alone, tmp_path / "two/tiny")
    )
    assert len(one) == 15
    assert one == two
    winners = [json.loads((folder / "study.json").read_text())["arms"] for folder in (alone, tmp_path / "two/tiny")]
    assert winners[0] == winners[1]


def test_a_worker_that_finds_nothing_left_ends_well(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]
) -> None:
    """The one that leads is still training: to wait for it would keep a GPU busy with nothing."""
    leads, go_on = threading.Event(), threading.Event()

    def between(_: Sequence[Trial]) -> None:
        if not leads.is_set():
            leads.set()
            assert go_on.wait(SECONDS)

    instant(2, between)
    study = tiny("seeds=2")
    leader = Beside(study, tmp_path)
    assert leads.wait(SECONDS)
    summary = Beside(study, tmp_path).ended()
    assert (summary.statuses, summary.elsewhere, summary.complete) == ({"finished": 4, "missing": 2}, 2, True)
    go_on.set()
    assert leader.ended().statuses == {"finished": 6}


def test_a_trial_that_another_worker_recorded_and_nobody_can_read_is_trained_again(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]]
) -> None:
    """Nobody would claim it, since it says that it has finished, and the one that leads would wait for ever."""
    instant()
    first = run_study(tiny("seeds=1"), tmp_path / "a").folder
    damaged: list[str] = []

    def damage(trials: Sequence[Trial]) -> None:
        if not damaged:
            damaged.append(max(records(first).keys() - {trial.key for trial in trials}))
            shutil.copytree(first / "trials" / damaged[0], tmp_path / "b/tiny/trials" / damaged[0])
            (tmp_path / "b/tiny/trials" / damaged[0] / "predictions.parquet").write_bytes(b"PAR1")

    engines = instant(1, damage)
    summary = run_study(tiny("seeds=1"), tmp_path / "b")
    assert (summary.statuses, summary.ran) == ({"finished": 3}, 3)
    assert damaged[0] in engines[0].trained
    assert [path.name for path in (summary.folder / "set_aside").iterdir()] == [f"{damaged[0]}.0"]


def test_a_trial_that_failed_elsewhere_is_not_tried_again(
    tmp_path: Path, tiny: Tiny, instant: Callable[..., list[Instant]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers would hand it to each other for ever."""
    study, instant_result = tiny("seeds=1"), Instant.result
    with monkeypatch.context() as patch:
        patch.setattr(Instant, "result", lambda self, trial: replace(instant_result(self, trial), status="failed"))
        instant()
        first = run_study(study, tmp_path / "a").folder
    assert {record["status"] for record in records(first).values()} == {"failed"}
    copied: list[str] = []

    def copy(trials: Sequence[Trial]) -> None:
        if not copied:
            copied.append(max(records(first).keys() - {trial.key for trial in trials}))
            shutil.copytree(first / "trials" / copied[0], tmp_path / "b/tiny/trials" / copied[0])

    engines = instant(1, copy)
    summary = run_study(study, tmp_path / "b")
    assert (summary.statuses, summary.ran) == ({"finished": 2, "failed": 1}, 2)
    assert copied[0] not in engines[0].trained
    # The next run tries it.
    assert run_study(study, tmp_path / "b").statuses == {"finished": 3}
