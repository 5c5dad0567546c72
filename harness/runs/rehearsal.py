"""Rehearsal: an adapter is tried on the checkpoint before anything trains, since what fails there fails in every trial.

The tests try plain LoRA on every architecture. Every other adapter of peft, of this version or the next, is tried here
on two examples of the data.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness import seeding
from harness.data.dataset import n_per_seed
from harness.data.holdout import holdout_size
from harness.data.tokenization import TokenizedDataset, TokenizedSplit
from harness.engines.batches import Example, Padding, SplitDataset
from harness.engines.schedules import steps_per_epoch
from harness.errors import ModelError, first_line
from harness.models import build
from harness.models.checkpoints import Checkpoint
from harness.quiet import quiet
from harness.study.settings import Arm, BestEpoch, Data, LoraAdapter, OtherAdapter

# Ways of drawing LoRA that neither compute with the weights beside it nor change them.
_PLAIN = (True, False, "gaussian")
# Logits are the same if they differ by less than this share of the largest.
_SAME = 1e-3
# These start from another model than the checkpoint by their definition.
_STARTS_ELSEWHERE = {"C3A", "CARTRIDGE", "FOURIERFT", "P_TUNING", "PREFIX_TUNING", "PROMPT_TUNING", "UNILORA", "VBLORA"}
_SEEDS = (0, 1)


class Rehearsal:
    """Tries adapters on a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
        What every trial starts from.
    data : TokenizedDataset
        What every trial is trained and scored on.
    data_settings : Data
        How batches are padded.
    pad_token_id : int
        The tokenizer's padding token.
    """

    def __init__(self, checkpoint: Checkpoint, data: TokenizedDataset, data_settings: Data, pad_token_id: int) -> None:
        self._checkpoint = checkpoint
        self._data = data
        self._resample = data_settings.resample
        self._pad_token_id = pad_token_id
        self._batch = Padding(data=data_settings, pad_token_id=pad_token_id)
        self._alone = Padding(data=data_settings.model_copy(update={"padding": "longest"}), pad_token_id=pad_token_id)

    def __call__(self, arm: Arm) -> None:
        """Try an arm's adapter, unless it is plain LoRA.

        Raises
        ------
        ModelError
            If the model with the adapter cannot be used as intended: it does not run on the data's shortest and
            longest example, its scores for an example depend on the others in the batch, it does not start from the
            checkpoint, it draws from a fixed seed of its own, or its rank has no effect.
        """
        if arm.adapter is None or _is_plain(arm.adapter):
            return
        adapter, kind = arm.adapter, _named(arm.adapter)
        (model, seeds), (_, others) = (self._drawn(arm, seed) for seed in _SEEDS)
        if seeds & others:
            raise ModelError(
                f"adapter: {kind} draws from a fixed seed of its own ({min(seeds & others)}), so all trials would draw "
                "the same"
            )
        try:
            together, apart = self._logits(model)
        except Exception as error:
            n_tokens, n_virtual = len(self._rows[-1]["input_ids"]), getattr(adapter, "num_virtual_tokens", 0)
            more = f" (its longest example has {n_tokens} tokens, and {n_virtual} virtual ones are added)"
            more = more if n_virtual else ""
            raise ModelError(
                f"adapter: this model cannot run with {kind} on the data{more}: {first_line(error)}"
            ) from None
        if _differ(together, apart) and not _differ(*self._plain):
            raise ModelError(
                f"adapter: with {kind} this model's scores for an example depend on the padding of its batch: by "
                f"{(together - apart).abs().max():.2g} in a logit"
            )
        unchanged = self._plain[1]
        if _differ(apart, unchanged) and not _may_start_elsewhere(adapter):
            raise ModelError(
                f"adapter: with {kind} this model does not start from the checkpoint (a logit differs by "
                f"{(apart - unchanged).abs().max():.2g}): what peft initialises does not fit these layers"
            )
        rank = getattr(adapter, "r", None)
        # AdaLoRA's is the rank that its budget comes to, whatever it starts with.
        if isinstance(adapter, OtherAdapter) and adapter.peft_type != "ADALORA" and isinstance(rank, int):
            double = arm.model_copy(update={"adapter": adapter.model_copy(update={"r": 2 * rank})})
            if self._shapes(arm) == self._shapes(double):
                raise ModelError(
                    f"adapter.r: has no effect in {kind} on this model: {rank} gives the same model as {2 * rank}"
                )

    @cached_property
    def _rows(self) -> list[Example]:
        return _shortest_and_longest(self._data)

    @cached_property
    def _plain(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._logits(self._drawn(Arm(), _SEEDS[0])[0])

    def _drawn(self, arm: Arm, seed: int) -> tuple[nn.Module, set[int]]:
        """Build an arm's model, and tell the seeds that it drew from."""
        training = arm.training
        with _Draws() as draws:
            model = build.build_model(
                self._checkpoint,
                arm,
                n_classes=len(self._data.classes),
                pad_token_id=self._pad_token_id,
                streams=seeding.streams(seed),
                steps=steps_per_epoch(training, self._n_train(arm)) * training.num_train_epochs,
            )
        return model.eval(), draws.seeds

    def _n_train(self, arm: Arm) -> int:
        n_train, chosen = n_per_seed(len(self._data.train), self._resample), arm.selection
        held = isinstance(chosen, BestEpoch) and chosen.on == "holdout"
        return n_train - holdout_size(n_train, chosen.fraction) if held else n_train  # type: ignore[union-attr]

    def _logits(self, model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of both examples: in one batch as the study pads it, and each alone, not padded."""
        batches = [self._batch(self._rows), *(self._alone([row]) for row in self._rows)]
        with torch.inference_mode(), quiet():
            together, *apart = (model(**{k: v for k, v in batch.items() if k != "labels"}).logits for batch in batches)
        return together, torch.cat(apart)

    def _shapes(self, arm: Arm) -> dict[str, torch.Size] | None:
        """Return the shapes of all of a model's tensors; None where the arm is refused."""
        try:
            model = build.build_outline(self._checkpoint, arm, n_classes=len(self._data.classes))
        except ModelError:
            return None
        return {
            name: tensor.shape for part in (model.named_parameters(), model.named_buffers()) for name, tensor in part
        }


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the seeds of the generators that are drawn from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seeds: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            generator = (kwargs or {}).get("generator") or torch.default_generator
            self.seeds.add(generator.initial_seed())
        return func(*args, **(kwargs or {}))


def _shortest_and_longest(data: TokenizedDataset) -> list[Example]:
    def length(place: tuple[TokenizedSplit, int]) -> int:
        return len(place[0].features[place[1]]["input_ids"])

    places = [(split, i) for split in (data.train, data.test) for i in range(len(split))]
    chosen = (pick(places, key=length) for pick in (min, max))
    return [SplitDataset(split.take(np.array([i])))[0] for split, i in chosen]


def _is_plain(adapter: LoraAdapter | OtherAdapter) -> bool:
    return isinstance(adapter, LoraAdapter) and adapter.init_lora_weights in _PLAIN and not adapter.use_dora


def _named(adapter: LoraAdapter | OtherAdapter) -> str:
    drawn = getattr(adapter, "init_lora_weights", True)
    return adapter.peft_type if drawn is True else f"{adapter.peft_type} (init_lora_weights: {drawn})"


def _may_start_elsewhere(adapter: LoraAdapter | OtherAdapter) -> bool:
    """Whether a kind of adapter starts from another model by definition, or the study says so by init_...: false."""
    chosen = any(name.startswith("init_") and value is False for name, value in adapter.model_dump().items())
    return chosen or adapter.peft_type in _STARTS_ELSEWHERE


def _differ(logits: torch.Tensor, reference: torch.Tensor) -> bool:
    return bool((logits - reference).abs().max() > _SAME * reference.abs().max())
