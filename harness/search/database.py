"""Optuna's database: which of its studies and trials belong to a results folder, and writing them.

A database may be shared with other results folders and other people. Studies that were made for a folder carry its
mark. Another study of the same name is left alone, and ours gets a number after its name. In our studies only trials
that carry a key of ours are changed, not what somebody adds in the dashboard.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from harness.errors import first_line

_MARK = "ablation-harness"
# Optuna keeps the names of a study's metrics here; its own setter warns that it is experimental.
_METRIC_NAMES = "study:metric_names"


def _table(name: str, *columns: str) -> sqlalchemy.TableClause:
    return sqlalchemy.table(name, *map(sqlalchemy.column, columns))


_TRIALS = _table("trials", "trial_id", "study_id", "state")
_ATTRIBUTES = _table("trial_user_attributes", "trial_id", "key", "value_json")
_VALUES = _table("trial_values", "trial_id", "objective", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardStudy:
    """One of Optuna's studies.

    Parameters
    ----------
    name : str
        Its name; a number is put behind it where the name is taken.
    content : str
        A digest of what all its trials share: with another content the same name is another study.
    metric : str
        What the trials' values are; the larger the better.
    """

    name: str
    content: str
    metric: str


class _OutdatedError(Exception):
    """The tables are those of another version of Optuna."""


class _LostError(Exception):
    """There is no connection, or no more."""


@dataclass(slots=True)
class _Rows:
    """The trials of one board that are ours: the ids of those that run, what became of the others."""

    study: int
    running: dict[str, int] = field(default_factory=dict)
    ended: dict[str, list[tuple[str, float | None]]] = field(default_factory=dict)


class Database:
    """An open database; after any error it is closed and another one opened.

    Parameters
    ----------
    url : str
        Where it is.
    identity : str
        The mark of the results folder.
    begun : set of str
        Names of studies that are being made for the folder; the one that is opened after an error has them from the one
        before.
    """

    def __init__(self, url: str, identity: str, begun: set[str]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # The pool logs a lost connection with a traceback, which would go to the screen where nobody listens.
        logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
        self._identity = identity
        self._begun = begun
        self._rows: dict[DashboardStudy, _Rows] = {}
        self._tidy = False
        # Optuna reads a URL as a format. The pool asks whether a server still knows a connection before it is used.
        escaped = url.replace("{", "{{").replace("}", "}}")
        self._storage = RDBStorage.__new__(RDBStorage)
        try:
            RDBStorage.__init__(
                self._storage, escaped, engine_kwargs={"pool_pre_ping": True}, skip_compatibility_check=True
            )
            sqlalchemy.event.listen(self._storage.engine, "handle_error", _lost, retval=True)
            version, needed = self._storage.get_current_version(), self._storage.get_head_version()
            if version != needed:
                raise _OutdatedError(
                    f"its tables belong to another version of Optuna ({version}; this one needs {needed}); "
                    "`optuna storage upgrade --storage URL` updates them"
                )
        except Exception:
            # Half made it has connections already.
            self.close()
            raise

    def close(self) -> None:
        """Let go of all connections."""
        try:
            self._storage.remove_session()
            self._storage.engine.dispose()
        except Exception:  # they are lost already
            pass

    def show(self, board: DashboardStudy, wanted: FrozenTrial) -> None:
        """Write a trial as it is now, unless it is there."""
        if board not in self._rows:
            self._rows[board] = self._read(self._study(board))
        rows = self._rows[board]
        key, value = wanted.user_attrs["key"], wanted.value if wanted.state is TrialState.COMPLETE else None
        running = rows.running.get(key)
        if wanted.state is TrialState.RUNNING:
            if running is None:
                rows.running[key] = self._storage.create_new_trial(rows.study, wanted)
            return
        outcome = wanted.user_attrs["status"], value
        if running is not None and self._end(running, wanted):
            del rows.running[key]
        elif running is not None or outcome not in rows.ended.get(key, ()):
            rows.running.pop(key, None)
            self._storage.create_new_trial(rows.study, wanted)
        rows.ended.setdefault(key, []).append(outcome)

    def _end(self, running: int, wanted: FrozenTrial) -> bool:
        """Tell what became of a running trial; return whether it was still running."""
        try:
            for epoch, score in wanted.intermediate_values.items():
                self._storage.set_trial_intermediate_value(running, epoch, score)
            self._storage.set_trial_user_attr(running, "status", wanted.user_attrs["status"])
            self._storage.set_trial_state_values(running, wanted.state, wanted.values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True

    def close_left_open(self, wanted: Mapping[tuple[DashboardStudy, str], FrozenTrial]) -> None:
        """End, once, the trials of this folder that a killed process left running; nobody else runs them."""
        if self._tidy:
            return
        boards = {rows.study: (board, rows) for board, rows in self._rows.items()}
        for study in self._studies():
            board, rows = boards[study] if study in boards else (None, self._read(study))
            left = [key for key in rows.running if board is None or (board, key) not in wanted]
            for key in left:
                trial = rows.running.pop(key)
                self._storage.set_trial_user_attr(trial, "status", "interrupted")
                self._storage.set_trial_state_values(trial, TrialState.PRUNED)
        self._tidy = True

    def _studies(self) -> Iterator[int]:
        for study in self._storage.get_all_studies():
            mark = study.user_attrs.get(_MARK)
            if isinstance(mark, dict) and mark.get("results") == self._identity:
                yield self._storage.get_study_id_from_name(study.study_name)

    def _study(self, board: DashboardStudy) -> int:
        """Find the board, or make it: under its own name, or with a number where that name is somebody else's."""
        mark = {"results": self._identity, "content": board.content}
        number = 1
        while True:
            name = board.name if number == 1 else f"{board.name} ({number})"
            try:
                study = self._storage.get_study_id_from_name(name)
            except KeyError:
                self._begun.add(name)
                try:
                    study = self._storage.create_new_study([StudyDirection.MAXIMIZE], name)
                except optuna.exceptions.DuplicatedStudyError:
                    self._begun.discard(name)
                    continue  # somebody was quicker: look whose it is
            if name in self._begun and not self._storage.get_study_user_attrs(study):
                # The mark comes last: what has none may be half made.
                self._storage.set_study_system_attr(study, _METRIC_NAMES, [board.metric])
                self._storage.set_study_user_attr(study, _MARK, mark)
            self._begun.discard(name)
            if self._storage.get_study_user_attrs(study).get(_MARK) == mark:
                return study
            number += 1

    def _read(self, study: int) -> _Rows:
        rows = _Rows(study)
        with self._storage.engine.connect() as connection:
            for trial, state, key_json, status_json, value in connection.execute(_ours(study)):
                key = json.loads(key_json)
                if not isinstance(key, str):
                    continue
                if state == TrialState.RUNNING.name:
                    rows.running[key] = trial
                elif TrialState[state].is_finished():
                    status = json.loads(status_json) if status_json is not None else ""
                    outcome = status, value if state == TrialState.COMPLETE.name else None
                    rows.ended.setdefault(key, []).append(outcome)
        return rows


def _ours(study: int) -> sqlalchemy.Select[Any]:
    """Return the query for the trials of a study that have a key: id, state, key, status and value.

    Optuna itself reads all that is known of every trial, which for ten thousand takes seconds and hundreds of MB.
    """
    keys, statuses = _ATTRIBUTES.alias("keys"), _ATTRIBUTES.alias("statuses")
    tables = _TRIALS.join(keys, (keys.c.trial_id == _TRIALS.c.trial_id) & (keys.c.key == "key"))
    tables = tables.outerjoin(statuses, (statuses.c.trial_id == _TRIALS.c.trial_id) & (statuses.c.key == "status"))
    tables = tables.outerjoin(_VALUES, (_VALUES.c.trial_id == _TRIALS.c.trial_id) & (_VALUES.c.objective == 0))
    columns = _TRIALS.c.trial_id, _TRIALS.c.state, keys.c.value_json, statuses.c.value_json, _VALUES.c.value
    return sqlalchemy.select(*columns).select_from(tables).where(_TRIALS.c.study_id == study)


def _lost(context: sqlalchemy.engine.ExceptionContext) -> BaseException | None:
    """Return what is raised in the place of an error of a connection that is lost: nothing that Optuna knows.

    Optuna would make the trial again, up to five times, without a look at what is there. Where only the answer was
    lost, the trial was there already.
    """
    if context.is_pre_ping or not (context.is_disconnect or context.connection is None):
        return None
    return _LostError(str(context.original_exception))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield getattr(error, "orig", None) or error
        error = error.__cause__ or error.__context__


def reason_of(error: Exception) -> str:
    """Return what the database itself said, which Optuna and SQLAlchemy wrap."""
    for cause in _causes(error):
        if type(cause).__module__.partition(".")[0] not in {"optuna", "sqlalchemy"}:
            return first_line(cause)
    return first_line(error)


def broken(error: Exception) -> bool:
    """Whether a file is no database that this Optuna reads; not whether it is locked, full or forbidden."""
    codes = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    return any(
        isinstance(cause, _OutdatedError) or getattr(cause, "sqlite_errorcode", -1) & 0xFF in codes
        for cause in _causes(error)
    )
