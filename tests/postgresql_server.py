"""A PostgreSQL server on loopback, started by hand and ended again: everything of it lies in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "hunter2"


def programs() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the path."""
    found = shutil.which("pg_ctl")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    return Path(found).parent if found else debian[-1].parent if debian else None


@dataclass
class Server:
    """A server on loopback, whose superuser is `me`."""

    programs: Path
    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, database: str, login: str = f"me:{PASSWORD}") -> str:
        return f"postgresql+psycopg://{login}@{self.address}/{database}"

    def program(self, name: str, *arguments: str) -> None:
        # It refuses to run as root.
        user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        command = [self.programs / name, "-D", self.folder / "data", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **user)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.program("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", settings)

    def stop(self, mode: str = "fast") -> None:
        self.program("pg_ctl", "stop", "-w", "-m", mode)

    def restart(self, mode: str) -> None:
        self.stop(mode)
        self.start()

    def ask(self, question: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.url(database).replace("+psycopg", ""), autocommit=True) as connection:
            answer = connection.execute(question)
            return answer.fetchall() if answer.description else []


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with a database `ready`, which has Optuna's tables; skips by name where there is none."""
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL; Debian's package is postgresql")
    pytest.importorskip("psycopg")
    from optuna.storages import RDBStorage

    # Not in pytest's own folder, which is for one user; and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(place, folder, free.getsockname()[1])
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        access = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--username=me"]
        server.program("initdb", "--no-sync", "--locale=C", "--encoding=UTF8", *access)
        server.start()
        server.ask("CREATE DATABASE ready")
        storage = RDBStorage(server.url("ready"))
        storage.remove_session()
        storage.engine.dispose()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)


def shown(url: str, name: str = "tiny") -> list[tuple[Any, ...]]:
    """The trials of a study in the database: key, state and value."""
    import optuna
    from optuna.storages import RDBStorage

    storage = RDBStorage(url)
    try:
        trials = optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()
    return sorted((trial.user_attrs["key"], trial.state.name, trial.value) for trial in trials)
