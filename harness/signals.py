"""Signals: the first ends a run where nothing is lost, the second ends it at once."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# What schedulers, shells and terminals send before they kill. Windows knows fewer.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


class StopRequest:
    """Request to end a run, and the name of the signal that made it."""

    def __init__(self) -> None:
        self.by: str | None = None

    def is_set(self) -> bool:
        """Whether to end as soon as nothing is lost by it."""
        return self.by is not None


@contextmanager
def until_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end what looks on and has nothing to lose; that is no error."""
    here = threading.current_thread() is threading.main_thread()
    # A script's background job ignores it unasked.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler) if here else None
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if here:
            signal.signal(signal.SIGINT, previous)


@contextmanager
def stop_on_signal(tell: Callable[[str], None]) -> Iterator[StopRequest]:
    """Let the first signal set a flag, and the next raise `KeyboardInterrupt` with its name.

    Parameters
    ----------
    tell : callable
        Is told the name of the first signal, from a thread of its own: within a signal's handler the interrupted
        write to the same stream would be entered a second time.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    # The one queue whose `put` may interrupt itself.
    came: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def interrupted(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if stop.by is not None:
            raise KeyboardInterrupt(f"stopped by {name}")
        stop.by = name
        came.put(name)

    def announce() -> None:
        if (name := came.get()) is not None:
            tell(name)

    numbers = [signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__]
    # Under nohup a hang-up stays ignored. Ctrl-C does not: a script's background job ignores it unasked.
    heard = [number for number in numbers if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN]
    announcer = threading.Thread(target=announce, daemon=True)
    announcer.start()
    previous = {number: signal.signal(number, interrupted) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        came.put(None)
        announcer.join()
