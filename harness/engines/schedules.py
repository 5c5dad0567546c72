"""Learning-rate schedules: the rate of every step, computed and checked before anything is trained."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, cast

import torch
import transformers
from torch import nn

from harness.data.holdout import holdout_size
from harness.errors import Problem, StudyError
from harness.study.settings import Arm, BestEpoch
from harness.study.study import Study
from harness.study.training import Training

# Of the learning rate: what rounding may do.
_TOLERANCE = 1e-6
# It counts a step ahead: without warm-up its highest rate would be that of the step before the first.
_AHEAD = "cosine_warmup_with_min_lr"
_DECIDE = (
    "training.learning_rate",
    "training.num_train_epochs",
    "training.per_device_train_batch_size",
    "training.gradient_accumulation_steps",
    "training.lr_scheduler",
    "training.warmup_steps",
)


class ScheduleError(ValueError):
    """A schedule that cannot be computed, or never is what the study says; `key` names the setting."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def steps_per_epoch(training: Training, n_train: int) -> int:
    """Return the optimizer steps of an epoch of so many examples."""
    return math.ceil(n_train / (training.per_device_train_batch_size * training.gradient_accumulation_steps))


def warmup_steps(training: Training, steps: int) -> int:
    """Return the warm-up's steps, which may be given as a share of all."""
    warmup = training.warmup_steps
    return int(warmup) if warmup >= 1 else math.ceil(steps * warmup)


def learning_rates(training: Training, steps: int) -> list[float]:
    """Return the learning rate of every step, and that after the last, by the schedule's own formula.

    Parameters
    ----------
    training : Training
        Of the trial.
    steps : int
        Optimizer steps of the whole training.

    Raises
    ------
    ScheduleError
        If the schedule cannot be computed, is no learning rate at some step, or does not have the one that is set for
        its highest.
    """
    if not steps:
        return [0.0]
    try:
        rates = _computed(training, steps)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise _refusal(training, steps, f"cannot be computed: {error}") from None
    if not all(math.isfinite(rate) and rate >= 0 for rate in rates):
        worst = next(rate for rate in rates if not (math.isfinite(rate) and rate >= 0))
        raise _refusal(training, steps, f"gives a learning rate of {worst:g}")
    highest, wanted = max(rates[:steps]), training.learning_rate
    if highest < (1 - _TOLERANCE) * wanted and not (training.lr_scheduler_type == _AHEAD and not training.warmup_steps):
        raise _refusal(training, steps, f"never reaches the learning rate of {wanted:g}, only {highest:.3g}")
    if highest > (1 + _TOLERANCE) * wanted:
        raise _refusal(training, steps, f"rises above the learning rate of {wanted:g}, to {highest:.3g}")
    return rates


def check(study: Study, n_train: int) -> None:
    """Compute every arm's schedule for the steps that it will have, the same for all of its seeds.

    An arm whose search may change its schedule is not judged here: each of its candidates is, before it is trained.

    Parameters
    ----------
    study : Study
        The study.
    n_train : int
        Its training examples, hold-outs included.

    Raises
    ------
    StudyError
        With every arm whose schedule is refused.
    """
    problems: dict[tuple[str, str], list[str]] = {}
    for name, arm in study.arms.items():
        if arm.search is not None and any(key.startswith(_DECIDE) for key in arm.search.space):
            continue
        try:
            for n in _examples(arm, n_train):
                learning_rates(arm.training, steps_per_epoch(arm.training, n) * arm.training.num_train_epochs)
        except ScheduleError as error:
            problems.setdefault((error.key, str(error)), []).append(name)
    if problems:
        raise StudyError(
            [
                Problem(place=f"arm {', '.join(names)}", path=(key,), message=message)
                for (key, message), names in problems.items()
            ]
        )


def _examples(arm: Arm, n_train: int) -> Sequence[int]:
    """Return how many examples an arm's trials, and those of its search, are trained on."""
    held = isinstance(arm.selection, BestEpoch) and arm.selection.on == "holdout"
    fractions = [arm.selection.fraction if held else None]  # type: ignore[union-attr]
    fractions += [arm.search.fraction] if arm.search is not None else []
    return [n_train if fraction is None else n_train - holdout_size(n_train, fraction) for fraction in fractions]


def _computed(training: Training, steps: int) -> list[float]:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.empty(0))], lr=training.learning_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one of two settings goes before the other
        schedule = transformers.get_scheduler(
            training.lr_scheduler_type,
            optimizer,
            num_warmup_steps=warmup_steps(training, steps),
            num_training_steps=steps,
            scheduler_specific_kwargs=dict(training.lr_scheduler_kwargs),
        )
    formula = cast(Any, schedule).lr_lambdas[0]
    return [training.learning_rate * formula(step) for step in range(steps + 1)]


def _refusal(training: Training, steps: int, problem: str) -> ScheduleError:
    """Name the setting that is at fault, and the numbers that do not fit each other."""
    warmup, decay = warmup_steps(training, steps), training.lr_scheduler_kwargs.get("num_decay_steps")
    phases = f"{warmup} steps of warm-up"
    if isinstance(decay, int):
        phases += f" and {decay} of decay"
    if warmup >= steps:
        key, advice = "warmup_steps", "let the warm-up end before the training does"
    elif isinstance(decay, int) and warmup + decay > steps:
        key, advice = "lr_scheduler_kwargs.num_decay_steps", "let warm-up and decay together fit into the training"
    else:
        key = "lr_scheduler_kwargs" if training.lr_scheduler_kwargs else "lr_scheduler_type"
        advice = f"change {key}"
    message = f"{training.lr_scheduler_type!r} over {steps} steps, with {phases}, {problem}; {advice}"
    return ScheduleError(f"training.{key}", message)
