"""benchmarks/scheduling: every pack is done once, and every minute is somewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scheduling import Cluster, Spent, rows, simulate

SMALL = Cluster(packs=200, gpus=8, between_failures=120.0)


def simulated(cluster: Cluster, seed: int = 0) -> Spent:
    return simulate(cluster, np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "cluster"), list(rows(SMALL)))
def test_every_pack_is_done_once_and_every_minute_is_counted(name: str, cluster: Cluster) -> None:
    spent = simulated(cluster)
    assert (spent.done == 1).all(), name
    total = spent.kept + spent.lost + spent.idle + spent.down
    assert total == pytest.approx(60 * spent.hours * cluster.gpus)
    assert min(spent.kept, spent.lost, spent.idle, spent.down, spent.failures) > 0


def test_nothing_is_lost_without_failures_and_the_work_is_that_of_the_packs() -> None:
    calm = replace(SMALL, between_failures=1e9, slowest=1.0, fastest=1.0, shortest=30.0, longest=30.0)
    spent = simulated(calm)
    assert (spent.lost, spent.down, spent.failures) == (0, 0, 0)
    assert spent.kept == pytest.approx(200 * 30)
    # 200 packs are 25 rounds of 8, after one start.
    assert spent.hours == pytest.approx((25 * 30 + calm.start) / 60)
    assert spent.idle == pytest.approx(8 * calm.start)


def test_a_failure_costs_at_most_the_epoch_that_it_cuts_off() -> None:
    alike = replace(SMALL, slowest=1.0, fastest=1.0, shortest=30.0, longest=30.0, gpus_per_node=8)
    spent = simulated(alike)
    assert 0 < spent.lost <= spent.failures * 30.0 / alike.epochs
    # What was kept is kept once: an epoch is never trained again after its pack was saved.
    assert spent.kept == pytest.approx(200 * 30)
    assert simulated(replace(alike, epochs=10)).lost_share < spent.lost_share


def test_a_seed_gives_one_answer() -> None:
    assert simulated(SMALL, 3).kept == simulated(SMALL, 3).kept != simulated(SMALL, 4).kept
