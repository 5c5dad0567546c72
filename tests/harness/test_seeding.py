"""Streams: distinct, paired, and apart from any global generator."""

from __future__ import annotations

import random

import numpy as np
import pytest

from harness import seeding
from harness.seeding import streams

torch = pytest.importorskip("torch")
ROWS = 40


def test_five_seeds_by_three_epochs_are_fifteen_orders() -> None:
    orders = {
        tuple(seeding.example_order(streams(seed).data_order, epoch, ROWS).tolist())
        for seed in range(5)
        for epoch in range(3)
    }
    assert len(orders) == 15


def test_the_sampler_of_accelerate_gives_seven() -> None:
    # accelerate seeds its generator with epoch + seed, so neighbouring seeds share orders.
    from accelerate.data_loader import SeedableRandomSampler

    orders = set()
    for seed in range(5):
        sampler = SeedableRandomSampler(range(ROWS), data_seed=seed, generator=torch.Generator())
        for _ in range(3):
            orders.add(tuple(sampler))
    assert len(orders) == 7


def test_an_order_is_a_permutation_and_repeats() -> None:
    order = seeding.example_order(streams(3).data_order, 1, ROWS)
    assert sorted(order.tolist()) == list(range(ROWS))
    np.testing.assert_array_equal(order, seeding.example_order(streams(3).data_order, 1, ROWS))


def test_no_two_streams_are_alike() -> None:
    drawn = [number for seed in (*range(2000), 2**32 - 1) for number in streams(seed).to_dict().values()]
    # 6003 draws below 2**32 collide with a chance of about 0.4%; these do not, and they are fixed.
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= number < 2**32 for number in drawn)


def test_streams_are_not_those_of_a_neighbour() -> None:
    # Consecutive integers would make one seed's second epoch another seed's first.
    firsts = {seed: seeding.example_order(streams(seed).data_order, 0, ROWS).tolist() for seed in range(20)}
    for seed in range(20):
        for epoch in (1, 2, 3):
            assert seeding.example_order(streams(seed).data_order, epoch, ROWS).tolist() not in firsts.values()


def test_streams_are_pinned() -> None:
    # Another derivation would give other trained models under the same keys.
    assert streams(0).to_dict() == {"initialisation": 2715681835, "data_order": 2224511805, "dropout": 3051400566}
    assert seeding.example_order(2224511805, 0, 8).tolist() == [7, 3, 5, 2, 4, 1, 6, 0]
    assert seeding.study_permutation("holdout", 8).tolist() == [5, 7, 4, 1, 6, 0, 3, 2]


def test_subsets_are_the_studys_not_a_seeds() -> None:
    drawn = seeding.study_permutation("holdout", ROWS)
    assert sorted(drawn.tolist()) == list(range(ROWS))
    np.testing.assert_array_equal(drawn, seeding.study_permutation("holdout", ROWS))
    assert drawn.tolist() != seeding.study_permutation("subset of train", ROWS).tolist()


def test_no_global_generator_is_touched() -> None:
    before = (random.getstate(), str(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
    streams(5)
    seeding.example_order(5, 0, ROWS)
    seeding.study_permutation("holdout", ROWS)
    after = (random.getstate(), str(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])


def test_no_global_generator_is_read() -> None:
    np.random.seed(1)  # noqa: NPY002
    before = (streams(5), seeding.example_order(5, 0, ROWS).tolist())
    np.random.seed(2)  # noqa: NPY002
    assert (streams(5), seeding.example_order(5, 0, ROWS).tolist()) == before
