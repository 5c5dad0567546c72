"""Optuna's database: it shows the records, and nothing that is in it or happens to it stops a run."""

from __future__ import annotations

import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.errors import ResultsError
from harness.search import mirror as mirror_module
from harness.search.database import DashboardStudy
from harness.search.mirror import Mirror
from harness.search.storage_url import check_url, shown_url

BOARD = DashboardStudy(name="tiny", content="c", metric="accuracy")
STATES = {"running": TrialState.RUNNING, "finished": TrialState.COMPLETE, "interrupted": TrialState.PRUNED}


def trial(number: int, status: str = "finished") -> FrozenTrial:
    state = STATES[status]
    return create_trial(
        state=state,
        value=number / 10 if state is TrialState.COMPLETE else None,
        intermediate_values={1: number / 10} if state is TrialState.COMPLETE else {},
        user_attrs={"key": f"key {number}", "status": status},
    )


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'optuna.db'}"


def rows(folder: Path, name: str = "tiny") -> list[tuple[Any, ...]]:
    study = optuna.load_study(study_name=name, storage=url(folder))
    return [(trial.user_attrs.get("key"), trial.state, trial.value) for trial in study.get_trials()]


def row(number: int, status: str = "finished") -> tuple[Any, ...]:
    return f"key {number}", STATES[status], number / 10 if status == "finished" else None


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(mirror_module, "_LONGEST_PAUSE", 0.05)


@contextmanager
def lock_on(folder: Path) -> Iterator[None]:
    """Lock the database as somebody's backup would."""
    connection = sqlite3.connect(folder / "optuna.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_all_that_a_run_shows_arrives_in_order(tmp_path: Path, messages: list[str]) -> None:
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        for number in (2, 3):
            mirror.show(BOARD, [trial(number, "running")])
        mirror.settle()
        assert rows(tmp_path) == [row(1), row(2, "running"), row(3, "running")]
        mirror.show(BOARD, [trial(3), trial(2, "interrupted")])
    assert rows(tmp_path) == [row(1), row(2, "interrupted"), row(3)]
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1), trial(3)])
    assert len(rows(tmp_path)) == 3
    assert messages == []


def test_a_database_that_lags_behind_is_not_called_silent(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show, keys = mirror_module.Database.show, [trial(number).user_attrs["key"] for number in range(1, 8)]
    closes, lags, goes_on = threading.Event(), threading.Event(), threading.Event()

    def shown(self: Any, board: DashboardStudy, wanted: FrozenTrial) -> None:
        if wanted.user_attrs["key"] == keys[0]:
            closes.wait()
        if wanted.user_attrs["key"] == keys[3]:
            lags.set()
            goes_on.wait()
        show(self, board, wanted)

    monkeypatch.setattr(mirror_module.Database, "show", shown)
    mirror = Mirror(tmp_path, None, messages.append)
    mirror.show(BOARD, [trial(number) for number in range(1, 8)])
    assert mirror._thread is not None
    # The time of the end is over once three are written.
    monkeypatch.setattr(mirror._thread, "join", lambda _: closes.set() or lags.wait())
    mirror.close()
    goes_on.set()
    (message,) = messages
    assert "optuna.db: 4 of 7 trials have yet to be written. The records do not depend on it" in message


def test_what_a_killed_process_left_running_ends_as_the_records_say(tmp_path: Path) -> None:
    killed = Mirror(tmp_path, None, pytest.fail)
    killed.show(BOARD, [trial(1, "running"), trial(2, "running")])
    killed.settle()
    with Mirror(tmp_path, None, pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        assert rows(tmp_path) == [row(1), row(2, "interrupted")]
        mirror.show(BOARD, [trial(2, "running")])
        mirror.settle()
        assert rows(tmp_path) == [row(1), row(2, "interrupted"), row(2, "running")]
        mirror.show(BOARD, [trial(2)])
    assert rows(tmp_path) == [row(1), row(2, "interrupted"), row(2)]
    killed.close()


def test_what_others_add_to_our_study_is_left_alone(tmp_path: Path) -> None:
    """A trial that was enqueued in a dashboard once stopped every later run, and shifted all trials by one."""
    with Mirror(tmp_path, None, pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        study = optuna.load_study(study_name="tiny", storage=url(tmp_path))
        study.enqueue_trial({"seed": 7})
        mirror.show(BOARD, [trial(2, "running")])
        mirror.settle()
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"key": ["no", "text"]}))
        mirror.show(BOARD, [trial(2)])
    with Mirror(tmp_path, None, pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1), trial(2), trial(3)])
    assert rows(tmp_path) == [
        row(1),
        (None, TrialState.WAITING, None),
        row(2),
        (["no", "text"], TrialState.RUNNING, None),
        row(3),
    ]


def test_a_trial_that_somebody_else_ended_is_shown_again(tmp_path: Path) -> None:
    with Mirror(tmp_path, None, pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1, "running")])
        mirror.settle()
        optuna.load_study(study_name="tiny", storage=url(tmp_path)).tell(0, state=TrialState.FAIL)
        mirror.show(BOARD, [trial(1)])
    assert rows(tmp_path) == [("key 1", TrialState.FAIL, None), row(1)]


def test_a_shared_database_is_shared(tmp_path: Path) -> None:
    """Two folders with a study of one name, and somebody else's study of that name: each keeps what is its own."""
    foreign = optuna.create_study(storage=url(tmp_path), study_name="tiny", directions=["minimize", "maximize"])
    foreign.ask()
    foreign.enqueue_trial({"x": 1})
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    first, second = (Mirror(tmp_path / name, url(tmp_path), pytest.fail) for name in ("one", "other"))
    with first:
        first.show(BOARD, [trial(1, "running")])
        first.settle()
        with second:
            second.show(BOARD, [trial(1, "running"), trial(2)])
            second.settle()
        first.show(BOARD, [trial(1)])
    with Mirror(tmp_path / "one", url(tmp_path), pytest.fail) as again:
        again.show(BOARD, [trial(1), trial(3)])
    assert [trial.state for trial in foreign.get_trials()] == [TrialState.RUNNING, TrialState.WAITING]
    assert rows(tmp_path, "tiny (2)") == [row(1), row(3)]
    assert rows(tmp_path, "tiny (3)") == [row(1, "running"), row(2)]
    assert not (tmp_path / "one" / "optuna.db").exists()


def test_a_locked_database_is_waited_for_by_nobody(tmp_path: Path, messages: list[str]) -> None:
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        with lock_on(tmp_path):
            began = time.monotonic()
            mirror.show(BOARD, [trial(2, "running")])
            mirror.show(BOARD, [trial(2)])
            mirror.tell()
            assert time.monotonic() - began < 30
            time.sleep(0.1)
    assert rows(tmp_path) == [row(1), row(2)]
    assert messages == []


def test_a_database_that_stays_locked_is_said_once_and_caught_up_by_the_next_run(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        with lock_on(tmp_path), monkeypatch.context() as patch:
            patch.setattr(mirror_module, "_LONGEST_WAIT", 0.1)
            mirror.show(BOARD, [trial(2)])
            mirror.close()
    assert len(messages) == 1
    assert "does not answer" in messages[0]
    assert "by the next run" in messages[0]
    for thread in threading.enumerate():
        if thread.name == "optuna":
            thread.join()  # whatever became of the last try
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1), trial(2)])
    assert rows(tmp_path) == [row(1), row(2)]


def test_the_last_write_is_tried_again(tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        failing(monkeypatch, 1)
        mirror.show(BOARD, [trial(2)])
    assert rows(tmp_path) == [row(1), row(2)]
    assert messages == []


def replaced_by_garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 500)


def deleted(path: Path) -> None:
    path.unlink()


def without_its_study(path: Path) -> None:
    optuna.delete_study(study_name="tiny", storage=f"sqlite:///{path}")


def of_another_optuna(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(("harm", "notes"), [(replaced_by_garbage, 1), (deleted, 0), (without_its_study, 0)])
def test_a_database_that_breaks_in_between_is_made_anew(
    tmp_path: Path, messages: list[str], harm: Callable[[Path], None], notes: int
) -> None:
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1), trial(2, "running")])
        mirror.settle()
        harm(tmp_path / "optuna.db")
        mirror.show(BOARD, [trial(2), trial(3, "running")])
        mirror.settle()
        mirror.show(BOARD, [trial(3)])
    assert rows(tmp_path) == [row(1), row(2), row(3)]
    assert len(messages) == notes
    assert all("file is not a database; set aside as" in text for text in messages)
    assert [path.name for path in (tmp_path / "set_aside").glob("*")] == ["optuna.db.0"] * notes


def test_a_database_of_another_optuna_is_set_aside(tmp_path: Path, messages: list[str]) -> None:
    RDBStorage(url(tmp_path)).engine.dispose()
    of_another_optuna(tmp_path / "optuna.db")
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
    assert rows(tmp_path) == [row(1)]
    assert len(messages) == 1
    assert "set aside as" in messages[0]
    assert (tmp_path / "set_aside" / "optuna.db.0").exists()


def test_somebody_elses_old_database_is_left_as_it_is(tmp_path: Path, messages: list[str]) -> None:
    RDBStorage(url(tmp_path)).engine.dispose()
    of_another_optuna(tmp_path / "optuna.db")
    (tmp_path / "results").mkdir()
    with Mirror(tmp_path / "results", url(tmp_path), messages.append) as mirror:
        mirror.show(BOARD, [])  # nothing has finished yet
        mirror.settle()
        assert len(messages) == 1
    assert "optuna storage upgrade" in messages[0]
    assert "v3.0.0.d" in messages[0]


def test_a_database_that_may_not_be_written_is_said(tmp_path: Path, messages: list[str]) -> None:
    RDBStorage(url(tmp_path)).engine.dispose()
    read_only = f"sqlite:///file:{tmp_path / 'optuna.db'}?mode=ro&uri=true"
    check_url(read_only)
    with Mirror(tmp_path, read_only, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
    assert len(messages) == 1
    assert "attempt to write a readonly database" in messages[0]


@pytest.mark.parametrize("step", ["create_new_study", "set_study_system_attr", "set_study_user_attr"])
@pytest.mark.parametrize("written", [True, False])
def test_a_study_that_was_half_made_when_the_connection_broke_is_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, written: bool
) -> None:
    """It had no mark yet, was taken for somebody else's, and an empty study stayed beside ours."""
    real = getattr(RDBStorage, step)
    breaks = True

    def broken_off(self: RDBStorage, *args: Any, **kwargs: Any) -> Any:
        nonlocal breaks
        if not breaks:
            return real(self, *args, **kwargs)
        if written:
            real(self, *args, **kwargs)
        breaks = False
        raise sqlite3.OperationalError("server closed the connection")

    monkeypatch.setattr(RDBStorage, step, broken_off)
    with Mirror(tmp_path, url(tmp_path), pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1)])
    assert not breaks
    assert rows(tmp_path) == [row(1)]
    (study,) = optuna.get_all_study_summaries(url(tmp_path))
    assert optuna.load_study(study_name=study.study_name, storage=url(tmp_path)).metric_names == ["accuracy"]


def failing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the database lose its connection at the first writes, and say so as SQLAlchemy would."""
    create = RDBStorage.create_new_trial
    left = times

    def create_new_trial(self: RDBStorage, *args: Any, **kwargs: Any) -> int:
        nonlocal left
        if left:
            left -= 1
            lost = sqlite3.OperationalError("server closed the connection")
            error = sqlalchemy.exc.OperationalError("INSERT", {}, lost)
            raise optuna.exceptions.StorageInternalError("invalid data in the commit") from error
        return create(self, *args, **kwargs)

    monkeypatch.setattr(RDBStorage, "create_new_trial", create_new_trial)


def test_one_lost_connection_is_not_worth_a_word(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 1)
    with Mirror(tmp_path, None, messages.append) as mirror:
        for number in range(1, 4):
            mirror.show(BOARD, [trial(number, "running")])
            mirror.settle()
            mirror.show(BOARD, [trial(number)])
    assert rows(tmp_path) == [row(1), row(2), row(3)]
    assert messages == []


def test_a_longer_trouble_is_said_once_with_its_reason(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 5)
    with Mirror(tmp_path, None, messages.append) as mirror:
        mirror.show(BOARD, [trial(1, "running")])
        mirror.settle()
        assert len(messages) == 1
        mirror.show(BOARD, [trial(1), trial(2)])
        mirror.settle()
    assert {*rows(tmp_path)} == {row(1), row(2)}
    assert len(messages) == 1
    assert f"{tmp_path / 'optuna.db'}: server closed the connection" in messages[0]


def test_a_driver_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(*_: Any, **__: Any) -> None:
        raise ImportError("no pq wrapper available.\nAttempts made: ...")

    monkeypatch.setattr(sqlalchemy, "create_engine", no_library)
    with pytest.raises(ResultsError, match=r"no pq wrapper available\.; install it") as caught:
        check_url("postgresql+psycopg://host/runs")
    assert "psycopg[binary]" in str(caught.value)


SECRET = "hunter{2}%"
QUOTED = "hunter%7B2%7D%25"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (f"nonsense://me:{QUOTED}@host/runs", "unknown kind of database"),
        (f"postgresql+pg8000://me:{QUOTED}@host/runs", "pg8000 is not installed"),
        (f"me:{SECRET}@host", "no database URL"),
        (f"postgresql://me:{SECRET}:more@host:port/runs", "no database URL"),
        (f"postgresql+pg8000://me:{SECRET}/more@host/runs", "pg8000 is not installed"),
        (f"postgresql://me:more@{SECRET}@host/runs", "%40"),
        ("redis://host/0", "unknown kind of database"),
        ("", "no database URL"),
        ("sqlite:////no/such/folder/optuna.db", "there is no folder /no/such/folder"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_without_its_password(wrong: str, why: str) -> None:
    with pytest.raises(ResultsError, match=why) as caught:
        check_url(wrong)
    assert "hunter" not in str(caught.value)
    assert "hunter" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("secret", [f"me:{QUOTED}@host/runs", f"host/runs?password={QUOTED}"])
def test_a_password_is_never_shown(
    secret: str, tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError(f"no entry for me with {SECRET} alias {QUOTED}")

    monkeypatch.setattr(RDBStorage, "__init__", refused)
    with Mirror(tmp_path, f"mysql://{secret}", messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
    assert "hunter" not in shown_url(f"mysql://{secret}")
    assert len(messages) == 1
    assert "hunter" not in messages[0]
    assert "no entry for me with ***" in messages[0]
