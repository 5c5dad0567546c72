"""The small pieces: rows by trial, examples by length, parts for threads, learning rates, what a display shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.data.tokenization import TokenizedSplit
from harness.engines.device import threads
from harness.engines.engine import Progress
from harness.engines.packed.batch import PackedBatch
from harness.engines.packed.ragged import RaggedSplit
from harness.engines.packed.trial_rows import StackedParameter, TrialRows
from harness.engines.packed.workers import Workers, threads_of_part, workers
from harness.engines.result import TrialResult
from harness.progress.displays import TerminalDisplay
from harness.study.study import Study
from tests.harness.engines.packed.conftest import expanded

CPU = torch.device("cpu")


@given(st.integers(1, 40), st.integers(0, 9), st.integers(1, 4))
def test_parts_hold_every_trial_once_and_keep_every_thread_busy(trials: int, largest: int, threads: int) -> None:
    slots = [3 * i for i in range(trials)]
    parts = Workers(threads, None).parts(slots, largest)
    assert [slot for part in parts for slot in part] == slots
    sizes = [len(part) for part in parts]
    assert min(sizes) >= 1
    assert max(sizes) <= max(largest, 1)
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) >= min(trials, threads)


@pytest.mark.parametrize(
    ("trials", "worthwhile", "each"), [(1, 1, 1), (1, 4, 4), (2, 4, 2), (2, 1, 1), (3, 2, 1), (9, 4, 1)]
)
def test_a_part_gets_no_more_threads_than_are_worthwhile(trials: int, worthwhile: int, each: int) -> None:
    def count(_: int) -> int:
        torch.ones(2) @ torch.ones(2)
        return torch.get_num_threads()

    with threads(4):
        with workers(CPU, trials, worthwhile=worthwhile) as at_once:
            assert at_once.count == min(trials, 4)
            assert at_once.map(count, range(trials)) == [each] * trials
        assert torch.get_num_threads() == 4


@pytest.mark.parametrize("batched", [False, True])
def test_products_sums_and_spreads_are_those_of_each_trial(batched: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, grad = (torch.randn(4, 3, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    stack = StackedParameter(weight.clone(), grad.clone())
    bias = StackedParameter(
        torch.randn(4, 3, generator=generator, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    )
    rows = TrialRows([2, 0], [3, 1], CPU, batched=batched)
    x = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    g = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    owner = torch.tensor([2, 2, 2, 0])
    expected = torch.einsum("ni,noi->no", x, weight[owner]) + bias.weight[owner]
    assert torch.allclose(rows.product(x, stack, transposed=True, bias=bias), expected)
    assert torch.allclose(rows.product(g, stack, transposed=False), torch.einsum("no,noi->ni", g, weight[owner]))
    assert torch.equal(rows.spread(bias), bias.weight[owner])
    rows.outer(g, x, stack)
    rows.sums(g, bias)
    assert torch.allclose(stack.grad[2], g[:3].t() @ x[:3])
    assert torch.allclose(stack.grad[0], g[3:].t() @ x[3:])
    assert torch.equal(stack.grad[[1, 3]], grad[[1, 3]]), "a trial that is not at hand was touched"
    assert torch.allclose(
        bias.grad, torch.stack([g[3], torch.zeros(3).double(), g[:3].sum(0), torch.zeros(3).double()])
    )


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 9, 20]),
)
def test_a_batch_holds_every_token_once_and_finds_it_again(
    lengths: list[int], pooled: bool, batched: bool, left_padded_to: int | None
) -> None:
    split = TokenizedSplit(
        ids=tuple(map(str, range(len(lengths)))),
        labels=np.arange(len(lengths)) % 2,
        features=tuple({"input_ids": [100 * i + j for j in range(n)]} for i, n in enumerate(lengths)),
    )
    ragged = RaggedSplit(split, CPU, left_padded_to=left_padded_to)
    half = len(lengths) // 2
    chosen = [np.arange(half), np.arange(half, len(lengths))]
    chosen = [examples for examples in chosen if len(examples)]
    batch = PackedBatch(ragged, list(range(len(chosen))), chosen, heads=3, batched=batched)
    ids = ragged.ids[batch.source]
    assert sorted(ids.tolist()) == sorted(ragged.ids.tolist())
    assert (ids[batch.firsts] % 100).tolist() == [0] * len(lengths)
    assert batch.positions.diff().masked_fill(ids[1:] % 100 == 0, 1).tolist() == [1] * (len(ids) - 1)
    last = batch.lengths - 1 if left_padded_to is None else [left_padded_to - 1] * len(lengths)
    assert batch.positions[batch.lasts].tolist() == list(last)
    assert (ids[batch.lasts] % 100 + 1).tolist() == batch.lengths.tolist()
    groups = batch.pooled_groups if pooled else batch.groups
    rows = torch.arange(len(ids) * 3)
    assert torch.equal(rows[groups.keys][groups.keys_back], rows)
    example_of = torch.div(ids, 100, rounding_mode="floor")
    in_order = example_of[groups.keys // 3]
    for group in groups:
        by_example = group.keys(in_order)[:, :, 0]
        assert (by_example == by_example[:, :1]).all(), "a group's row mixes examples"
        assert by_example.shape[1] == group.length
        assert group.n_queries == (1 if pooled else group.length)
        assert not batched or group.length in {8, 16}
    pairs = 3 * sum(length if pooled else length**2 for length in lengths)
    if not batched:
        assert groups.padding is None
        assert groups.n_pairs == pairs
        return
    padding = groups.padding
    assert padding is not None
    assert (padding.queries is None) == pooled
    real = ~padding.keys if padding.queries is None else ~(padding.keys | padding.queries)
    assert padding.rank[real].tolist() == list(range(pairs))


def test_a_terminal_shows_the_first_trials_of_a_large_pack_and_counts_the_others(tiny: object) -> None:
    study: Study = tiny("seeds=5", "arms={full: {}, more: {training: {weight_decay: 0.1}}}", "analysis={}")  # type: ignore[operator]
    _, trials = expanded(study)
    output = io.StringIO()
    display = TerminalDisplay(Console(file=output, force_terminal=True, width=80, height=40))
    display.open(trials, {}, 1.0)
    for trial in trials:
        display.step(Progress(trial=trial, step=1, steps=4))
    display._refresh()
    display._live.refresh()  # type: ignore[union-attr]
    shown = output.getvalue()
    assert "full, seed 0" in shown
    assert "and 2 more trials" in shown
    for trial in trials[:8]:
        display.outcome(TrialResult(trial=trial, status="finished"))
    left = [task.fields["label"] for task in display._bars.tasks if task.visible]
    assert left == ["study", *(f"{trial.arm}, seed {trial.seed}" for trial in trials[8:])]
    display.close()


def test_a_candidate_leaves_no_bar_behind(tiny: object) -> None:
    _, trials = expanded(tiny("seeds=3"))  # type: ignore[operator]
    display = TerminalDisplay(Console(file=io.StringIO(), force_terminal=True, width=80, height=40))
    for number, trial in enumerate(trials):
        display.step(Progress(trial=trial, step=1, steps=4))
        display.tuning("full", number + 1, len(trials))
    assert [task.fields["label"] for task in display._bars.tasks] == ["search full"]
    display.close()


def test_a_pack_and_a_trial_alone_are_computed_with_as_many_threads() -> None:
    # What rounding depends on: a study that grows by one seed must not look like one of two machines.
    with threads(4):
        counts = [threads_of_part(torch.device("cpu"), trials, worthwhile=1) for trials in (1, 2, 12)]
        assert counts == [1, 1, 1]
        assert [threads_of_part(torch.device("cpu"), trials, worthwhile=4) for trials in (1, 2, 12)] == [4, 2, 1]
