"""Dropout masks: the right share is dropped, the rest is scaled for it, and no two sites, steps or seeds share one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from harness.data.tokenization import TokenizedSplit
from harness.engines.packed.autograd import dropped
from harness.engines.packed.batch import PackedBatch
from harness.engines.packed.dropout import DropoutMasks, DropoutSite, levels_of
from harness.engines.packed.ragged import RaggedSplit

WIDTH = 64


def batch(slots: tuple[int, ...] = (0, 1), examples: int = 40) -> PackedBatch:
    lengths = np.random.default_rng(3).integers(3, 20, examples)
    split = TokenizedSplit(
        ids=tuple(map(str, range(examples))),
        labels=np.arange(examples) % 2,
        features=tuple({"input_ids": list(range(length))} for length in lengths),
    )
    chosen = [np.arange(slot, examples, 2) for slot in slots]
    return PackedBatch(RaggedSplit(split, torch.device("cpu")), slots, chosen, heads=4, batched=False)


def site(kind: str, *ps: float) -> DropoutSite:
    width = 4 if kind in {"attention", "pooled_attention"} else WIDTH
    return DropoutSite(kind=kind, width=width, levels=tuple(levels_of(p) for p in ps))  # type: ignore[arg-type]


def keep(masks: DropoutMasks, number: int) -> torch.Tensor:
    kept = masks.keep(number)
    assert kept is not None
    return kept[0]


@pytest.mark.parametrize("kind", ["tokens", "examples", "attention", "pooled_attention"])
@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped(kind: str, p: float) -> None:
    masks = [keep(DropoutMasks([site(kind, p, p)], batch(), [11, 12], step), 0) for step in range(40)]
    kept = torch.stack(masks)
    share = levels_of(p) / 65536
    assert share == pytest.approx(p, abs=1 / 65536)
    assert stats.binomtest(int(kept.numel() - kept.sum()), kept.numel(), share).pvalue > 1e-4
    counts = (~kept).flatten(1).sum(0)  # of 40 steps, by element: none is dropped more or less often than the others
    expected = len(kept) * share * (1 - share)
    assert counts.double().var().item() == pytest.approx(expected, rel=0.3)


def test_what_is_kept_is_scaled_so_that_the_mean_stays() -> None:
    where, boost = DropoutMasks([site("tokens", 0.3, 0.3)], batch(), [1, 2], 0).keep(0)  # type: ignore[misc]
    x = torch.ones(where.shape, dtype=torch.float64, requires_grad=True)
    y = dropped(x, where, boost)
    assert y.detach().unique().tolist() == pytest.approx([0, 1 / (1 - levels_of(0.3) / 65536)])
    y.backward(torch.full_like(y, 2.0))
    assert x.grad is not None
    assert torch.equal(x.grad, 2 * y.detach())


def test_no_two_sites_steps_or_seeds_share_a_mask() -> None:
    sites = [site("tokens", 0.5, 0.5), site("tokens", 0.5, 0.5)]
    rows = batch((0,))
    seen = [
        keep(DropoutMasks(sites, rows, [seed], step), number) for seed in (1, 2) for step in (0, 1) for number in (0, 1)
    ]
    for i, mask in enumerate(seen):
        for earlier in seen[:i]:
            agreeing = int((mask == earlier).sum())
            assert stats.binomtest(agreeing, mask.numel(), 0.5).pvalue > 1e-5


@pytest.mark.parametrize("kind", ["tokens", "examples", "attention", "pooled_attention"])
def test_a_trial_keeps_its_masks_whoever_is_beside_it(kind: str) -> None:
    sites = [site("tokens", 0.1, 0.4), site(kind, 0.2, 0.2)]
    alone, together = batch((1,)), batch((0, 1))
    mask = keep(DropoutMasks(sites, alone, [7, 8], 5), 1)
    both = keep(DropoutMasks(sites, together, [9, 8], 5), 1)
    if kind in {"tokens", "examples"}:
        rows = together.tokens if kind == "tokens" else together.by_example
        assert torch.equal(both[rows.owner == 1], mask)
        return
    # Attention lies by length, so each group holds the first trial's examples, then the second's.
    groups = [one.pooled_groups if kind == "pooled_attention" else one.groups for one in (alone, together)]
    mine = {group.length: group.pairs(mask) for group in groups[0]}
    theirs = {group.length: group.pairs(both) for group in groups[1]}
    for length, expected in mine.items():
        assert torch.equal(theirs[length][-len(expected) :], expected)


def test_trials_of_different_probabilities_and_one_that_drops_nothing() -> None:
    rows = batch((0, 1))
    where, boost = DropoutMasks([site("tokens", 0.0, 0.5)], rows, [1, 2], 0).keep(0)  # type: ignore[misc]
    first = rows.tokens.owner == 0
    assert where[first].all()
    assert 0.4 < where[~first].double().mean() < 0.6
    assert isinstance(boost, torch.Tensor)
    assert boost[first].unique().tolist() == [1.0]
    assert boost[~first].unique().tolist() == [2.0]
    assert DropoutMasks([site("tokens", 0.0, 0.0)], rows, [1, 2], 0).keep(0) is None
