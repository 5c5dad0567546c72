"""Scoring of a pack: every trial's loss, accuracy and class probabilities on a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from harness.engines.packed.forward import Forward, block_logits, blocks
from harness.engines.packed.ragged import RaggedSplit
from harness.engines.packed.workers import Workers
from harness.engines.result import Score
from harness.engines.scoring import score_of_logits

# The least tokens of one trial that are scored together, so that examples of one length meet.
_TOKENS_OF_TRIAL = 512


def scores(
    forward: Forward, split: RaggedSplit, slots: Sequence[int], workers: Workers, tokens_at_once: int
) -> dict[int, tuple[Score, np.ndarray] | None]:
    """Return each trial's score and its class probabilities, (n, C), in the split's order; see `score_of_logits`.

    None stands for a trial with a logit that is not finite. Computed in the weights' own precision, without dropout.
    """
    if not slots:
        return {}
    forward.keep_frozen_output(split)

    def logits_of(part: list[int]) -> torch.Tensor:
        of_part = list(blocks(split, tokens_at_once // len(part)))
        logits = torch.cat([block_logits(forward, split, part, block) for block in of_part], 1).cpu()
        return torch.empty_like(logits).index_copy_(1, torch.from_numpy(np.concatenate(of_part)), logits)

    parts = workers.parts(slots, tokens_at_once // _TOKENS_OF_TRIAL)
    logits_of_trials = torch.cat(workers.map(logits_of, parts))
    labels = split.labels.cpu()
    return {slot: _score(logits, labels) for slot, logits in zip(slots, logits_of_trials, strict=True)}


def scores_of_each(
    forward: Forward, splits: Mapping[int, RaggedSplit], workers: Workers, tokens_at_once: int
) -> dict[int, tuple[Score, np.ndarray] | None]:
    """Return the same where each trial has its own split: together if all have one and the same, else one by one."""
    slots, first = list(splits), next(iter(splits.values()))
    if all(split is first for split in splits.values()):
        return scores(forward, first, slots, workers, tokens_at_once)
    forward.keep_frozen_output(first)
    alone = Workers(1, None)
    scored = workers.map(lambda slot: scores(forward, splits[slot], [slot], alone, tokens_at_once), slots)
    return {slot: of_slot[slot] for slot, of_slot in zip(slots, scored, strict=True)}


def _score(logits: torch.Tensor, labels: torch.Tensor) -> tuple[Score, np.ndarray] | None:
    if not torch.isfinite(logits).all():
        return None
    return score_of_logits(logits, labels)
