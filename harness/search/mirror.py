"""Mirror: copies the records to Optuna's database, for optuna-dashboard.

The records on disk are the truth. Nothing in the database, not even its absence, stops a run or fails a trial: a
background thread writes to it. After an error the thread reopens the database and adds what is missing there. What it
could not write by the end of a run is added by the next run, from the records.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from harness.atomic_file import atomic_write
from harness.search.database import DashboardStudy, Database, broken, reason_of
from harness.search.storage_url import impatient, shown_url, without_secrets

# What can only be waited for at the start and the end of a run; in between nobody waits.
_LONGEST_WAIT = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# One failure may be a connection that was closed in between; only what fails again is worth a word.
_FAILURES_TO_TELL = 2
# How often in a row the end of a run tries.
_LAST_TRIES = 3


class Mirror:
    """Shows trials in Optuna's database.

    Parameters
    ----------
    folder : Path
        The results of a study; its `optuna.db` is the database where no other is named.
    url : str, optional
        Any URL that Optuna's relational storage takes and `check_url` lets pass.
    say : callable
        Receives messages about errors, in the calling thread.
    """

    def __init__(self, folder: Path, url: str | None, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._url = url
        self._say = say
        self._wanted: dict[tuple[DashboardStudy, str], FrozenTrial] = {}
        self._pending: dict[tuple[DashboardStudy, str], None] = {}
        self._begun: set[str] = set()
        self._notes: list[str] = []
        self._reported = self._aside = self._closing = self._busy = False
        self._n_written = 0
        # Guards all of the above; told whenever one of them changes.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, board: DashboardStudy, trials: Iterable[FrozenTrial]) -> None:
        """Queue trials to be shown; the attribute `key` identifies each. Neither waits nor fails."""
        with self._changed:
            for trial in trials:
                name = board, trial.user_attrs["key"]
                before = self._wanted.get(name)
                if before is not None and before.state is TrialState.RUNNING:
                    trial.datetime_start = before.datetime_start
                self._wanted[name] = trial
                self._pending[name] = None
            if self._thread is None:
                self._busy = True
                self._thread = threading.Thread(target=self._serve, name="optuna", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self) -> None:
        """Wait a short time until everything queued is written; report errors."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._notes) or not (self._pending or self._busy), _LONGEST_WAIT)
        self.tell()

    def tell(self) -> None:
        """Report errors of the database, once."""
        with self._changed:
            notes, self._notes = self._notes, []
        for note in notes:
            self._say(note)

    def close(self) -> None:
        """Try a last time to write what is queued, and report errors."""
        with self._changed:
            self._closing = True
            before = self._n_written
            self._changed.notify_all()
        try:
            if self._thread is not None:
                self._thread.join(_LONGEST_WAIT)
        except KeyboardInterrupt:  # whoever does not want to wait need not
            pass
        with self._changed:
            left = len(self._pending) + self._busy
            if left and self._n_written > before:
                self._note(f"{left:,} of {len(self._wanted):,} trials have yet to be written")
            elif left:
                self._note("it does not answer")
        self.tell()

    def _serve(self) -> None:
        """Write what is queued until closed; after an error start over."""
        database: Database | None = None
        failures = 0
        while True:
            try:
                if database is None:
                    database = Database(self._database_url(), _identity(self._folder), self._begun)
                    self._all_pending()
                while (wanted := self._next()) is not None:
                    database.show(*wanted)
                    with self._changed:
                        self._n_written += 1
                database.close_left_open(self._wanted)
                failures = 0
            except Exception as error:  # a database and its driver raise whatever they like
                if database is not None:
                    database.close()
                    database = None
                self._all_pending()
                failures = 0 if self._set_aside(error) else failures + 1
                if failures >= _FAILURES_TO_TELL:
                    self._note(reason_of(error))
            if not self._wait(failures):
                break
        if database is not None:
            database.close()

    def _next(self) -> tuple[DashboardStudy, FrozenTrial] | None:
        with self._changed:
            name = next(iter(self._pending), None)
            if name is None:
                return None
            self._busy = True
            del self._pending[name]
            return name[0], self._wanted[name]

    def _all_pending(self) -> None:
        with self._changed:
            self._pending = dict.fromkeys(self._wanted)

    def _wait(self, failures: int) -> bool:
        """Wait for something to tell, after a failure for a while; return whether to go on."""
        with self._changed:
            if failures:
                if self._closing and failures >= _LAST_TRIES:
                    return False
                closing = self._closing
                pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
                self._changed.wait_for(lambda: self._closing and not closing, pause)
                return True
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing or bool(self._pending))
            return bool(self._pending)

    def _note(self, reason: str) -> None:
        name = str(self._own) if self._url is None else shown_url(self._url)
        with self._changed:
            if not self._reported:
                shown_reason = without_secrets(reason, self._url)
                self._notes.append(
                    f"Optuna's database {name}: {shown_reason}. The records do not depend on it; what is missing "
                    "there is added when it answers again, or by the next run"
                )
            self._reported = True
            self._changed.notify_all()

    @property
    def _own(self) -> Path:
        return self._folder / "optuna.db"

    def _database_url(self) -> str:
        if self._url is not None:
            return impatient(self._url)
        return sqlalchemy.URL.create("sqlite", database=str(self._own.resolve())).render_as_string()

    def _set_aside(self, error: Exception) -> bool:
        """Move the folder's own database away, once, if it is broken: nothing is in it that the records do not hold."""
        if self._url is not None or self._aside or not broken(error):
            return False
        self._aside = True
        folder = self._folder / "set_aside"
        try:
            folder.mkdir(exist_ok=True)
            target = next(p for i in itertools.count() if not (p := folder / f"optuna.db.{i}").exists())
            # A journal belongs to its database and would spoil a new one.
            for path in self._folder.glob("optuna.db*"):
                path.rename(target.with_name(target.name + path.name.removeprefix("optuna.db")))
        except OSError:
            return False
        with self._changed:
            self._notes.append(f"{self._own}: {reason_of(error)}; set aside as {target} and rebuilt from the records")
            self._changed.notify_all()
        return True


def _identity(folder: Path) -> str:
    """Return what tells this folder's studies from others in a shared database; it moves with the folder."""
    path = folder / ".optuna"
    if path.exists() and (identity := path.read_text("utf-8", "replace").strip()):
        return identity
    identity = uuid.uuid4().hex
    with atomic_write(path) as stream:
        stream.write(identity.encode())
    return identity
