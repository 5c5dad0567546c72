"""Masks: the right share is dropped, what is left is scaled for it, and no two places, steps or seeds share one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from harness.data.tokenization import TokenizedSplit
from harness.engines.packed.dropout import Masks, Place, levels_of
from harness.engines.packed.functions import dropped
from harness.engines.packed.layout import Layout, Ragged

WIDTH = 64


def layout(slots: tuple[int, ...] = (0, 1), sentences: int = 40) -> Layout:
    lengths = np.random.default_rng(3).integers(3, 20, sentences)
    split = TokenizedSplit(
        ids=tuple(map(str, range(sentences))),
        labels=np.arange(sentences) % 2,
        features=tuple({"input_ids": list(range(length))} for length in lengths),
    )
    chosen = [np.arange(slot, sentences, 2) for slot in slots]
    return Layout(Ragged(split, torch.device("cpu")), slots, chosen, heads=4, batched=False)


def place(kind: str, *ps: float) -> Place:
    width = 4 if kind in {"attention", "reading"} else WIDTH
    return Place(kind=kind, width=width, levels=tuple(levels_of(p) for p in ps))  # type: ignore[arg-type]


def keep(masks: Masks, number: int) -> torch.Tensor:
    found = masks.keep(number)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("kind", ["tokens", "sentences", "attention", "reading"])
@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped(kind: str, p: float) -> None:
    masks = [keep(Masks([place(kind, p, p)], layout(), [11, 12], step), 0) for step in range(40)]
    kept = torch.stack(masks)
    share = levels_of(p) / 65536
    assert share == pytest.approx(p, abs=1 / 65536)
    assert stats.binomtest(int(kept.numel() - kept.sum()), kept.numel(), share).pvalue > 1e-4
    counts = (~kept).flatten(1).sum(0)  # of 40 steps, by element: none is dropped more or less often than the others
    expected = len(kept) * share * (1 - share)
    assert counts.double().var().item() == pytest.approx(expected, rel=0.3)


def test_what_is_kept_is_scaled_so_that_the_mean_stays() -> None:
    where, boost = Masks([place("tokens", 0.3, 0.3)], layout(), [1, 2], 0).keep(0)  # type: ignore[misc]
    x = torch.ones(where.shape, dtype=torch.float64, requires_grad=True)
    y = dropped(x, where, boost)
    assert y.detach().unique().tolist() == pytest.approx([0, 1 / (1 - levels_of(0.3) / 65536)])
    y.backward(torch.full_like(y, 2.0))
    assert x.grad is not None
    assert torch.equal(x.grad, 2 * y.detach())


def test_no_two_places_steps_or_seeds_share_a_mask() -> None:
    places = [place("tokens", 0.5, 0.5), place("tokens", 0.5, 0.5)]
    rows = layout((0,))
    seen = [keep(Masks(places, rows, [seed], step), number) for seed in (1, 2) for step in (0, 1) for number in (0, 1)]
    for i, one in enumerate(seen):
        for other in seen[:i]:
            agreeing = int((one == other).sum())
            assert stats.binomtest(agreeing, one.numel(), 0.5).pvalue > 1e-5


@pytest.mark.parametrize("kind", ["tokens", "sentences", "attention", "reading"])
def test_a_trial_keeps_its_masks_whoever_is_beside_it(kind: str) -> None:
    places = [place("tokens", 0.1, 0.4), place(kind, 0.2, 0.2)]
    alone, together = layout((1,)), layout((0, 1))
    own = keep(Masks(places, alone, [7, 8], 5), 1)
    both = keep(Masks(places, together, [9, 8], 5), 1)
    if kind in {"tokens", "sentences"}:
        rows = together.tokens if kind == "tokens" else together.by_sentence
        assert torch.equal(both[rows.owner == 1], own)
        return
    # Attention lies by length, so each group holds the first trial's sentences, then the second's.
    groups = [one.reading if kind == "reading" else one.groups for one in (alone, together)]
    mine = {group.length: group.pairs(own) for group in groups[0]}
    theirs = {group.length: group.pairs(both) for group in groups[1]}
    for length, expected in mine.items():
        assert torch.equal(theirs[length][-len(expected) :], expected)


def test_trials_of_different_probabilities_and_one_that_drops_nothing() -> None:
    rows = layout((0, 1))
    where, boost = Masks([place("tokens", 0.0, 0.5)], rows, [1, 2], 0).keep(0)  # type: ignore[misc]
    first = rows.tokens.owner == 0
    assert where[first].all()
    assert 0.4 < where[~first].double().mean() < 0.6
    assert isinstance(boost, torch.Tensor)
    assert boost[first].unique().tolist() == [1.0]
    assert boost[~first].unique().tolist() == [2.0]
    assert Masks([place("tokens", 0.0, 0.0)], rows, [1, 2], 0).keep(0) is None
