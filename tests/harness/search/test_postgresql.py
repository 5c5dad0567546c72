"""Optuna's database on a PostgreSQL server: lost connections never end a run, and everything arrives once."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from harness import run_study
from harness.engines.result import TrialResult
from harness.errors import ResultsError
from harness.progress.displays import Display
from harness.search import mirror as mirror_module
from harness.search import storage_url
from harness.search.database import DashboardStudy
from harness.search.mirror import Mirror
from harness.search.storage_url import check_url, impatient
from harness.study.study import Study
from tests.postgresql_server import PASSWORD, Server, running_server, shown

Tiny = Callable[..., Study]
pytestmark = pytest.mark.cluster
# Each trial is the model before its training, and they come one by one.
UNTRAINED = ("training.num_train_epochs=0", "engine=trainer", "seeds=1")
BOARD = DashboardStudy(name="tiny", content="c", metric="accuracy")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """A server, for all tests of this file."""
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server, which runs before and after whatever a test does to it."""
    yield running
    if not (running.folder / "data" / "postmaster.pid").exists():
        running.start()


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a database that holds Optuna's tables and nothing else."""
    server.ask("CREATE DATABASE runs TEMPLATE ready")
    yield "runs"
    if not (server.folder / "data" / "postmaster.pid").exists():
        server.start()
    server.ask("DROP DATABASE runs WITH (FORCE)")


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "_LONGEST_PAUSE", 0.5)


def trial(number: int, status: str = "finished") -> FrozenTrial:
    state = TrialState.COMPLETE if status == "finished" else TrialState.RUNNING
    done = state is TrialState.COMPLETE
    return create_trial(
        state=state,
        value=number / 10 if done else None,
        intermediate_values={1: number / 10} if done else {},
        user_attrs={"key": f"key {number}", "status": status},
    )


def complete(*numbers: int) -> list[tuple[Any, ...]]:
    return sorted((f"key {number}", "COMPLETE", number / 10) for number in numbers)


def about_the_database(messages: list[str]) -> list[str]:
    return [message for message in messages if "Optuna's database" in message]


class Watcher(Display):
    """Does something when the first trial ends, before its outcome is shown; remembers what the run told."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.messages: list[str] = []
        self._act: Callable[[], None] | None = act

    def say(self, text: str) -> None:
        self.messages.append(text)

    def outcome(self, outcome: TrialResult) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


def keys(folder: Path) -> list[str]:
    """Of all finished trials: their records have the last word."""
    return sorted(path.parent.name for path in folder.glob("trials/*/record.json"))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_between_two_trials_gets_them_all(
    tmp_path: Path, tiny: Tiny, server: Server, database: str, mode: str
) -> None:
    watcher = Watcher(lambda: server.restart(mode))
    summary = run_study(tiny(*UNTRAINED), tmp_path, storage=server.url(database), display=watcher)
    assert summary.statuses == {"finished": 3}
    assert [key for key, *_ in shown(server.url(database))] == keys(summary.folder)
    assert len(about_the_database(watcher.messages)) <= 1
    assert not (summary.folder / "optuna.db").exists()


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_server_that_is_gone_ends_no_run_and_the_next_run_adds_what_is_missing(
    tmp_path: Path, tiny: Tiny, server: Server, database: str, from_the_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url(database)
    mirrors: list[Mirror] = []
    show = Mirror.show

    def shows(self: Mirror, *args: Any) -> None:
        mirrors[:] = [self]
        show(self, *args)

    def stop() -> None:
        # Who is in the middle of something hears other words from a server that is on its way down.
        mirrors[0].settle()
        assert server.ask("SELECT count(*) FROM trials", database) != [(0,)]
        server.stop("immediate")

    monkeypatch.setattr(Mirror, "show", shows)

    watcher = Watcher() if from_the_start else Watcher(stop)
    if from_the_start:
        server.stop()
    summary = run_study(tiny(*UNTRAINED), tmp_path, storage=url, display=watcher)
    assert summary.statuses == {"finished": 3}
    (told,) = about_the_database(watcher.messages)
    assert f"postgresql+psycopg://me:***@{server.address}/runs: " in told
    assert "Connection refused" in told
    assert "by the next run" in told
    server.start()
    watcher = Watcher()
    assert run_study(tiny(*UNTRAINED), tmp_path, storage=url, display=watcher).ran == 0
    assert [key for key, *_ in shown(url)] == keys(summary.folder)
    assert about_the_database(watcher.messages) == []


def test_a_server_that_comes_later_gets_everything(server: Server, database: str, tmp_path: Path) -> None:
    told: list[str] = []
    server.stop()
    with Mirror(tmp_path, server.url(database), told.append) as mirror:
        mirror.show(BOARD, [trial(1), trial(2, "running")])
        mirror.settle()
        assert len(told) == 1
        server.start()
        mirror.show(BOARD, [trial(2), trial(3)])
    assert shown(server.url(database)) == complete(1, 2, 3)
    assert len(told) == 1


def test_a_server_that_dies_again_and_again_gets_every_trial_once(
    server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_module, "_FIRST_PAUSE", 0.1)
    told: list[str] = []
    ended = threading.Event()

    def kill() -> None:
        for mode in ("immediate", "fast") * 3:
            server.restart(mode)
        ended.set()

    with Mirror(tmp_path, server.url(database), told.append) as mirror:
        killer = threading.Thread(target=kill)
        killer.start()
        count = 0
        while count < 10 or not ended.is_set():
            count += 1
            mirror.show(BOARD, [trial(count, "running")])
            if count > 1:
                mirror.show(BOARD, [trial(count - 1)])
            ended.wait(0.1)
        mirror.show(BOARD, [trial(count)])
        killer.join()
    assert shown(server.url(database)) == complete(*range(1, count + 1))
    assert len(told) <= 1


@pytest.mark.parametrize("commit", [1, 2, 3, 4])
def test_a_trial_whose_confirmation_is_lost_is_shown_once(
    server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: int
) -> None:
    """Optuna makes a trial again after an error; the server may have had it."""
    import psycopg

    real = PGDialect_psycopg.do_commit
    left = 0

    def do_commit(self: PGDialect_psycopg, connection: Any) -> None:
        nonlocal left
        real(self, connection)
        left -= 1
        if left == 0:
            connection.dbapi_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(PGDialect_psycopg, "do_commit", do_commit)
    with Mirror(tmp_path, server.url(database), pytest.fail) as mirror:
        mirror.show(BOARD, [trial(1), trial(2, "running")])
        mirror.settle()
        left = commit
        mirror.show(BOARD, [trial(3, "running"), trial(2)])
        mirror.settle()
        assert left <= 0
        mirror.show(BOARD, [trial(3)])
    assert shown(server.url(database)) == complete(1, 2, 3)


def test_a_server_that_hangs_is_waited_for_a_short_time_only(
    server: Server, database: str, tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror(tmp_path, server.url(database), messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        processes = server.ask("SELECT pid FROM pg_stat_activity WHERE datname = 'runs'")
        assert processes
        for (process,) in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(mirror_module, "_LONGEST_WAIT", 0.2)
                began = time.monotonic()
                mirror.show(BOARD, [trial(2)])
                mirror.settle()
                mirror.close()
                assert time.monotonic() - began < 30
        finally:
            for (process,) in processes:
                os.kill(process, signal.SIGCONT)
        (told,) = messages
        assert "it does not answer" in told
    assert shown(server.url(database)) == complete(1, 2)


def test_two_studies_and_two_folders_that_begin_at_once_stay_apart(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty database: each makes the tables, and is told that somebody else just did."""
    server.ask("CREATE DATABASE empty")
    url = server.url("empty")
    other = DashboardStudy(name="other", content="c", metric="accuracy")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    mirrors = [Mirror(tmp_path / name, url, pytest.fail) for name in ("one", "two")]
    for number, mirror in enumerate(mirrors, 1):
        mirror.show(BOARD, [trial(number), trial(3, "running")])
        mirror.show(other, [trial(4), trial(5)] if number == 1 else [])
    for mirror in mirrors:
        mirror.settle()
    for number, mirror in enumerate(mirrors, 1):
        mirror.show(BOARD, [trial(3)] if number == 1 else [])
        mirror.close()
    both = [shown(url, "tiny"), shown(url, "tiny (2)")]
    assert sorted(both) == sorted([complete(1, 3), [*complete(2), ("key 3", "RUNNING", None)]])
    assert shown(url, "other") == complete(4, 5)
    with Mirror(tmp_path / "two", url, pytest.fail) as again:
        again.show(BOARD, [trial(2), trial(3)])
    both = [shown(url, "tiny"), shown(url, "tiny (2)")]
    assert sorted(both) == sorted([complete(1, 3), complete(2, 3)])


def test_a_user_who_may_make_no_tables_is_told_so_and_may_later(
    server: Server, tmp_path: Path, messages: list[str]
) -> None:
    """From PostgreSQL 15 on, that is everybody but the owner of the database."""
    server.ask("CREATE ROLE weak LOGIN PASSWORD 'w'")
    server.ask("CREATE DATABASE theirs")
    server.ask("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "theirs")
    url = server.url("theirs", "weak:w")
    check_url(url)
    with Mirror(tmp_path, url, messages.append) as mirror:
        mirror.show(BOARD, [trial(1)])
        mirror.settle()
        (told,) = messages
        assert "permission denied for schema public" in told
        server.ask("GRANT CREATE ON SCHEMA public TO weak", "theirs")
    assert shown(url) == complete(1)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+psycopg://me:hunter3@ADDRESS/postgres", 'password authentication failed for user "me"'),
        ("postgresql://me:hunter3@ADDRESS/postgres", 'password authentication failed for user "me"'),
        ("postgresql+psycopg://who:hunter3@ADDRESS/postgres", 'password authentication failed for user "who"'),
        ("postgresql+psycopg://me@ADDRESS/postgres", "no password supplied"),
        ("postgresql+psycopg://me:hunter2@ADDRESS/nosuch", 'database "nosuch" does not exist'),
        ("postgresql+psycopg://me:hunter2@nosuch.invalid/runs", "failed to resolve host 'nosuch.invalid'"),
        ("postgresql+psycopg://me:hunter2@ADDRESS/postgres?sslmode=require", "SSL was required"),
        ("postgresql+psycopg://me:hunter2@ADDRESS/postgres?sslmode=yes", 'invalid sslmode value: "yes"'),
        ("postgresql+psycopg://me:hunter2@ADDRESS/postgres?colour=red", 'invalid connection option "colour"'),
    ],
)
def test_what_no_waiting_puts_right_is_refused(
    server: Server, url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_such_name(monkeypatch, socket.EAI_NONAME)
    with pytest.raises(ResultsError) as refused:
        check_url(url.replace("ADDRESS", server.address))
    assert why in str(refused.value)
    assert str(refused.value).startswith("--storage postgresql")
    assert "hunter" not in str(refused.value)
    assert "\n" not in str(refused.value)


def no_such_name(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Answer as a name server would; no test asks one."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "nosuch.invalid":
            return real(host, *args, **kwargs)
        text = "Temporary failure in name resolution" if code == socket.EAI_AGAIN else "Name or service not known"
        raise socket.gaierror(code, text)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_run_and_a_dry_run_end_with_2_before_anything_is_written(
    server: Server, tiny_file: Path, command: Callable[..., Any]
) -> None:
    for option in ((), ("--dry-run",), ("--on", "local:2")):
        code, out, err = command("run", tiny_file, "--storage", server.url("postgres", "me:hunter3"), *option)
        assert code == 2
        assert 'password authentication failed for user "me"' in err
        assert "hunter" not in out + err
        assert not list(Path("results").rglob("record.json"))


def test_what_may_pass_is_no_reason_to_refuse(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ask("CREATE ROLE busy LOGIN PASSWORD 'w' CONNECTION LIMIT 0")
    check_url(server.url("postgres", "busy:w"))  # too many connections
    no_such_name(monkeypatch, socket.EAI_AGAIN)
    check_url("postgresql+psycopg://me:hunter2@nosuch.invalid/runs")
    server.stop()
    check_url(server.url("postgres"))


def test_a_host_that_does_not_answer_is_said_at_the_start(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(storage_url, "_CONNECT_TIMEOUT", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/runs"
        check_url(url)
        with Mirror(tmp_path, url, messages.append) as mirror:
            mirror.show(BOARD, [trial(1)])
            mirror.settle()
            (told,) = messages
            monkeypatch.setattr(mirror_module, "_LONGEST_WAIT", 0.1)
    assert "timeout expired" in told
    assert PASSWORD not in told


def test_the_password_may_be_in_a_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{server.port}:*:me:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    check_url(server.url("postgres", "me"))


def test_a_url_that_says_how_long_to_wait_is_left_as_it_is() -> None:
    url = "postgresql+psycopg://me:%7Bhunter2%7D@host/runs?connect_timeout=60"
    assert impatient(url) == url
    assert impatient("sqlite:///optuna.db") == "sqlite:///optuna.db"
