"""Engine: the interface of what trains trials, and how it reports its progress.

An engine is handed several trials and gives back a result for each, as soon as it has one. It may train them one after
the other (`harness.engines.trainer`) or together (`harness.engines.packed`). Either way each trial gets exactly the
batches, the initialisation and the schedule that it would get alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.engines.result import TrialResult
from harness.study.trials import Trial

# How many steps may pass between two looks at the losses: a look makes a GPU wait.
STEPS_BETWEEN_CHECKS = 25
# A report costs time, and nobody reads more of them.
SECONDS_BETWEEN_REPORTS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a running trial stands.

    Parameters
    ----------
    trial : Trial
        The trial.
    step, steps : int
        Optimizer steps: done, and in all.
    epoch : float
        Epochs done.
    began : int
        Steps that an earlier process had done.
    by_epoch : bool
        Whether a run that ends with an epoch loses nothing of the trial.
    node : str
        The node of a cluster that trains it; empty where it is this process.
    """

    trial: Trial
    step: int
    steps: int
    epoch: float = 0.0
    began: int = 0
    by_epoch: bool = False
    node: str = ""


ReportProgress = Callable[[Progress], None]
Claim = Callable[[Sequence[Trial]], Sequence[Trial]]
"""Is asked before trials are trained together; returns those that nobody else trains or has trained."""


def claim_all(trials: Sequence[Trial]) -> Sequence[Trial]:
    """Claim trials where nobody else trains any."""
    return trials


class Engine(Protocol):
    """Trains trials."""

    name: str

    def train(
        self,
        trials: Sequence[Trial],
        *,
        report: ReportProgress,
        done: Container[str] = frozenset(),
        stop: Callable[[], bool] = lambda: False,
        claim: Claim = claim_all,
    ) -> Iterator[TrialResult]:
        """Train the trials and yield an outcome for each, in any order, each as soon as it is there.

        An error in one trial is that trial's outcome and leaves its neighbours alone.

        Parameters
        ----------
        trials : sequence of Trial
            All of the study: which of them are trained together must not depend on what is done already.
        report : callable
            Is told where each running trial stands.
        done : container of str
            The keys of the trials that need not be trained.
        stop : callable
            Whether to come to an end as soon as nothing is lost by it.
        claim : callable
            Is asked before each trial, or each pack; what it does not return is left out.
        """
        ...

    def estimate(self, trial: Trial) -> float:
        """Return the seconds that the trial would take, from a few measured steps."""
        ...
