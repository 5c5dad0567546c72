"""Storage URL: what `--storage` may be, whether its server lets anybody in, and showing it without its password."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import sqlalchemy

from harness.errors import ResultsError, first_line
from harness.search.database import reason_of

_SECRET = re.compile("pass|secret|token", re.IGNORECASE)
# Seconds for one address of a PostgreSQL server, where the URL says nothing else: two tries fit into the time that a
# run waits for its database at the start.
_CONNECT_TIMEOUT = 4
# What no waiting puts right. Drivers of PostgreSQL give no code for a login that fails, only these words; a server that
# says them in another language is told from one that is away by nothing, so it is waited for.
_REFUSED = re.compile(
    r"(password|peer|ident) authentication failed|no password supplied|no pg_hba\.conf entry"
    r'|(role|database) ".*" does not exist|is not permitted to log in|permission denied for database'
    r"|(failed to resolve|could not translate) host(?!.*temporary failure)"
    r"|does not support SSL, but|invalid \w+ value",
    re.IGNORECASE,
)


def check_url(url: str) -> None:
    """Refuse a URL that no database can have, or that a PostgreSQL server refuses for good.

    A server that is away, starts, or takes no more connections now is waited for in the background while a run trains.

    Raises
    ------
    ResultsError
        With what is wrong, and without the password.
    """
    parsed = _parsed(url)
    try:
        if parsed is None:
            raise ValueError
        sqlalchemy.create_engine(parsed).dispose()
    except ImportError as error:
        missing = f"the Python package {error.name} is not installed" if error.name else first_line(error)
        raise ResultsError(
            f"--storage {shown_url(url)}: {missing}; install it, or name another driver. For PostgreSQL: "
            "pip install 'psycopg[binary]', and postgresql+psycopg://..."
        ) from None
    except (sqlalchemy.exc.ArgumentError, ValueError, TypeError) as error:
        fault = "unknown kind of database" if isinstance(error, sqlalchemy.exc.NoSuchModuleError) else "no database URL"
        raise ResultsError(
            f"--storage {shown_url(url)}: {fault}; expected a URL that SQLAlchemy takes, such as "
            "sqlite:///optuna.db or postgresql+psycopg://user:password@host/database (':', '/' and '@' in a password "
            "are written %3A, %2F and %40)"
        ) from None
    file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).absolute().parent.is_dir():
        raise ResultsError(f"--storage {shown_url(url)}: there is no folder {Path(file).parent}; create it first")
    if parsed.get_backend_name() == "postgresql":
        _log_in(url)


def _log_in(url: str) -> None:
    engine = sqlalchemy.create_engine(impatient(url), poolclass=sqlalchemy.pool.NullPool)
    try:
        engine.connect().close()
    except Exception as error:  # a driver raises whatever it likes
        reason = reason_of(error)
        if isinstance(error, sqlalchemy.exc.OperationalError) and not _REFUSED.search(reason):
            return
        raise ResultsError(
            f"--storage {shown_url(url)}: {without_secrets(reason, url)}; nothing was trained. Correct the URL or the "
            "server, or leave --storage out: optuna.db in the study's results then shows the trials"
        ) from None


def impatient(url: str) -> str:
    """Return a URL that does not wait for minutes for a server that does not answer, unless it says how long itself.

    Examples
    --------
    >>> impatient("postgresql+psycopg://me:secret@host/runs")
    'postgresql+psycopg://me:secret@host/runs?connect_timeout=4'
    """
    parsed = sqlalchemy.make_url(url)
    # Other drivers have other words for it.
    known = parsed.get_backend_name() == "postgresql" and parsed.get_driver_name() in {"psycopg", "psycopg2"}
    if not known or "connect_timeout" in parsed.query:
        return url
    timed = parsed.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT)})
    return timed.render_as_string(hide_password=False)


def _parsed(url: str) -> sqlalchemy.URL | None:
    """Take a URL apart; None where that is not possible, or puts a part of a password into another place."""
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return None
    elsewhere = f"{parsed.host or ''}{parsed.database or ''}"
    return None if "@" in elsewhere and not parsed.drivername.startswith("sqlite") else parsed


def shown_url(url: str) -> str:
    """Return a storage's URL without what must not be shown.

    Examples
    --------
    >>> shown_url("postgresql://me:secret@host/runs?password=secret")
    'postgresql://me:***@host/runs'
    """
    parsed = _parsed(url)
    if parsed is not None:
        return parsed.set(query={}).render_as_string()
    scheme = re.match(r"[\w+]+://", url)
    return f"{scheme.group()}..." if scheme else "..."


def without_secrets(text: str, url: str | None) -> str:
    """Return what a driver says, with the password of the URL taken out."""
    if url is None:
        return text
    parsed = sqlalchemy.make_url(url)
    secrets = [str(value) for name, value in parsed.query.items() if _SECRET.search(name)]
    for secret in filter(None, [*secrets, parsed.password]):
        text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    return text
