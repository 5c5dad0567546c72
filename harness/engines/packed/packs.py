"""Packs: which trials are trained together, a fixed function of the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.study.settings import Adapter, Freeze, LoraAdapter
from harness.study.trials import Trial

# What may differ within a pack: each trial has its own.
_OWN_OF_EACH_TRIAL = ("r", "lora_alpha", "lora_dropout", "use_rslora")
_DEFAULTS = {name: LoraAdapter.model_fields[name].default for name in _OWN_OF_EACH_TRIAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackKey:
    """What the trials of a pack have in common, beside checkpoint and data.

    Parameters
    ----------
    per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps : int
        As in the trial's training.
    bf16, tf32 : bool
        Its precision.
    adapter : Adapter or None
        For LoRA, rank, scale and dropout are those of the defaults: each trial has its own.
    freeze : Freeze or None
        What is frozen.
    holdout_fraction : float or None
        The share of training examples that is held out.
    tuning : bool
        Whether the trials belong to a search, and are not scored on test.
    """

    per_device_train_batch_size: int
    per_device_eval_batch_size: int
    gradient_accumulation_steps: int
    bf16: bool
    tf32: bool
    adapter: Adapter | None
    freeze: Freeze | None
    holdout_fraction: float | None
    tuning: bool

    @classmethod
    def of(cls, trial: Trial) -> PackKey:
        """Return the key of the packs that a trial may belong to."""
        training, adapter = trial.settings.training, trial.settings.adapter
        return cls(
            per_device_train_batch_size=training.per_device_train_batch_size,
            per_device_eval_batch_size=training.per_device_eval_batch_size,
            gradient_accumulation_steps=training.gradient_accumulation_steps,
            bf16=training.bf16,
            tf32=training.tf32,
            adapter=adapter.model_copy(update=_DEFAULTS) if isinstance(adapter, LoraAdapter) else adapter,
            freeze=trial.settings.freeze,
            holdout_fraction=trial.holdout.fraction if trial.holdout is not None else None,
            tuning=trial.tuning,
        )


def divide_into_packs(trials: Sequence[Trial], size: Callable[[Trial], int]) -> list[tuple[Trial, ...]]:
    """Return the trials in packs, those of one key in their order, the packs by their first trial.

    Parameters
    ----------
    trials : sequence of Trial
        All of the study, finished or not, so that a resumed run finds the packs of the run before.
    size : callable
        For a trial, how many trials of its key fit into a pack.
    """
    by_key: dict[PackKey, list[Trial]] = {}
    for trial in trials:
        by_key.setdefault(PackKey.of(trial), []).append(trial)
    packs = []
    for alike in by_key.values():
        largest = size(alike[0]) if len(alike) > 1 else 1
        packs += [tuple(alike[start : start + largest]) for start in range(0, len(alike), largest)]
    position = {trial.key: i for i, trial in enumerate(trials)}
    return sorted(packs, key=lambda pack: position[pack[0].key])


def halves(pack: Sequence[Trial]) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Return a pack in two halves, the first no smaller."""
    middle = -(-len(pack) // 2)
    return tuple(pack[:middle]), tuple(pack[middle:])
