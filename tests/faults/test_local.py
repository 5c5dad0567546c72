"""Workers on this machine are killed, stopped and put into trouble, and no finished trial is lost.

`nox -s faults` runs the whole campaign; HARNESS_FAULTS says how many kills it has.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess

import numpy as np
import pytest

from tests.faults.campaign import FULL, LONGEST_STUDY, SHORT_LEASE, Campaign, kill_at_random

pytestmark = pytest.mark.slow


class LocalTarget:
    """Some workers; whoever is killed is replaced."""

    def __init__(self, campaign: Campaign, number: int) -> None:
        self._campaign = campaign
        self._number = number
        self._workers: list[BaseProcess] = []

    def start(self) -> None:
        self._workers = [self._campaign.worker() for _ in range(self._number)]

    def goes_on(self) -> bool:
        return any(worker.exitcode is None for worker in self._workers)

    def strike(self, rng: np.random.Generator) -> str | None:
        at = int(rng.integers(self._number))
        if self._workers[at].exitcode is not None:
            return None
        doing = self._campaign.kill(self._workers[at])
        self._workers[at] = self._campaign.worker()
        return doing

    def finish(self) -> None:
        self._campaign.finish()


def until_it_leads(worker: BaseProcess, leads: Callable[[], bool]) -> None:
    """Wait until a worker has its part: one that comes second may find that the other one trains everything."""
    end = time.monotonic() + LONGEST_STUDY
    while worker.exitcode is None and not leads():
        assert time.monotonic() < end, "the worker does not train"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_workers_that_are_killed_at_random_lose_nothing(campaign: Campaign, undisturbed: Campaign, number: int) -> None:
    name = "1 worker" if number == 1 else f"{number} workers"
    kill_at_random(name, LocalTarget(campaign, number), campaign, undisturbed, longest=4)


def test_a_worker_that_is_stopped_past_its_lease_comes_back_and_does_no_harm(
    campaign: Campaign, undisturbed: Campaign
) -> None:
    rng = np.random.default_rng(0)
    one = campaign.worker("short lease")
    until_it_leads(one, lambda: campaign.doing(one) == "training worker")
    assert one.exitcode is None
    other = campaign.worker("short lease")
    for _ in range(3):
        # Later it may have ended, a moment ago too.
        if one.exitcode is None and one.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGSTOP)
                time.sleep(2 * SHORT_LEASE)
                os.kill(one.pid, signal.SIGCONT)
        time.sleep(rng.uniform(0, 2))
    for worker in (one, other):
        worker.join(LONGEST_STUDY)
    campaign.finish("short lease")
    campaign.check(undisturbed.predictions())


@pytest.mark.parametrize("disturbed", ["full disk", "no locks", "clock ahead"])
def test_a_worker_in_trouble_leaves_the_study_whole(campaign: Campaign, undisturbed: Campaign, disturbed: str) -> None:
    one = campaign.worker(disturbed)
    full = campaign.root / FULL
    until_it_leads(one, full.exists if disturbed == "full disk" else lambda: campaign.doing(one) == "training worker")
    other = campaign.worker()
    for worker in (one, other):
        worker.join(LONGEST_STUDY)
    assert (one.exitcode, other.exitcode) == (2 if disturbed == "full disk" else 0, 0)
    campaign.finish()
    campaign.check(undisturbed.predictions())
