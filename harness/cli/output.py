"""Standard output and error that may be full, closed, gone in the middle, or without Unicode."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

# Replacements for characters of tables that a terminal cannot show: one character each, so that columns stay aligned.
_ASCII = str.maketrans("─━│├└╭╮╰╯×≤≥–—−…“”‘’α±", "--||`++++x<>---.\"\"''a~")
_ON_ERROR = "harness.ascii"


class OutputError(Exception):
    """Standard output takes no more.

    No `OSError`, which the libraries between here and a command would take for one of their own.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"standard output cannot be written: {reason.strerror or reason}")
        self.reader_is_gone = reason.errno == errno.EPIPE


class Stream(io.TextIOBase):
    """A standard stream that tells its own failure from every other.

    Parameters
    ----------
    stream : TextIO
        As Python opened it.
    forgiving : bool
        Whether what cannot be written is dropped, and the command goes on.

    Attributes
    ----------
    needs_reader : bool
        Whether a reader that is gone ends the command, as it usually does.
    """

    def __init__(self, stream: TextIO, *, forgiving: bool = False) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ON_ERROR)
        self.forgiving = forgiving
        self.needs_reader = True
        self.failure: OutputError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What the stream can show."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether a terminal is at the other end."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor, where there is one."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True: what fails, fails when it is written."""
        return True

    def write(self, text: str) -> int:
        """Write, or fail as this stream fails."""
        with self._failing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or fail as this stream fails."""
        with self._failing():
            self._stream.flush()

    def end(self) -> None:
        """Hand on the rest; what was lost before must not fail once more when Python ends."""
        try:
            self.flush()
        finally:
            if self.failure is not None:
                with suppress(OSError):
                    null = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(null, self.fileno())
                    os.close(null)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as reason:
            self.failure = OutputError(reason)
            if not (self.forgiving or (self.failure.reader_is_gone and not self.needs_reader)):
                raise self.failure from None


@contextmanager
def guarded() -> Iterator[Stream]:
    """Put both streams in place of Python's own for a while; yields standard output."""
    codecs.register_error(_ON_ERROR, _replaced)
    before = sys.stdout, sys.stderr
    # Where the shell closed one, its descriptor must not become that of the next file that is opened.
    with Path(os.devnull).open("w") as out_null, Path(os.devnull).open("w") as err_null:
        out, err = Stream(sys.stdout or out_null), Stream(sys.stderr or err_null, forgiving=True)
        sys.stdout, sys.stderr = out, err
        try:
            yield out
        finally:
            err.end()
            sys.stdout, sys.stderr = before


def forgive() -> None:
    """Let the command go on when nobody reads what it tells: no log is worth the training that it tells of."""
    if isinstance(sys.stdout, Stream):
        sys.stdout.forgiving = True


def go_on_without_reader() -> None:
    """Let the command go on when its reader is gone, as in ``harness analyze | head``: its exit code counts too."""
    if isinstance(sys.stdout, Stream):
        sys.stdout.needs_reader = False


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return what an encoding without the characters shows in their place."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_ASCII)
    return plain.encode("ascii", "backslashreplace").decode(), error.end
