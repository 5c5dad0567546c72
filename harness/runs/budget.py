"""Budget of a run: so much time, or so many trials, and no more."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.study.trials import Trial

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BUDGET = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d|trials?)")


@dataclass(slots=True, kw_only=True)
class Budget:
    """What a run may take.

    Parameters
    ----------
    text : str
        As it was given.
    seconds : float
        Infinity where it limits the trials.
    trials : int or None
        None where it limits the time.
    """

    text: str
    seconds: float = float("inf")
    trials: int | None = None
    _began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """What ended a run that has spent it."""
        return f"--budget {self.text}"

    def is_over(self) -> bool:
        """Say whether no time is left."""
        return time.monotonic() - self._began >= self.seconds

    def affordable(self, trials: Sequence[Trial], ran: int) -> Sequence[Trial]:
        """Return those of the trials that may still be trained, after so many."""
        return trials if self.trials is None else trials[: self.trials - ran]


def parse_budget(text: str) -> Budget:
    """Read a budget such as ``6h``, ``90min`` or ``200trials``; it begins now.

    Raises
    ------
    HarnessError
        If it is none.

    Examples
    --------
    >>> parse_budget("1.5h").seconds, parse_budget("200trials").trials
    (5400.0, 200)
    """
    found = _BUDGET.fullmatch(text.strip())
    whole = found is not None and ("trial" not in found[2] or "." not in found[1])
    if found is None or not whole or not float(found[1]) > 0:
        raise HarnessError(
            f"--budget: expected a time or a number of trials, such as 6h, 90min or 200trials, got {text!r}"
        )
    if "trial" in found[2]:
        return Budget(text=text, trials=int(found[1]))
    return Budget(text=text, seconds=float(found[1]) * _UNITS[found[2]])
