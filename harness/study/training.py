"""Training settings: an allow-list of `transformers.TrainingArguments`, with its names, meanings and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from harness.errors import did_you_mean
from harness.study.strict import Fraction, Scalar, Strict, invalid

# transformers.SchedulerType, complete: Optuna's categorical over schedules is this tuple, and it may never grow.
SCHEDULES = (
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "reduce_lr_on_plateau",
    "cosine_with_min_lr",
    "cosine_warmup_with_min_lr",
    "warmup_stable_decay",
    "greedy",
)
# What a schedule takes in lr_scheduler_kwargs; one that is not here takes nothing.
SCHEDULE_KWARGS: Mapping[str, tuple[str, ...]] = {
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "polynomial": ("lr_end", "power"),
    "inverse_sqrt": ("timescale",),
    "cosine_with_min_lr": ("num_cycles", "min_lr", "min_lr_rate"),
    "cosine_warmup_with_min_lr": ("num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"),
    "warmup_stable_decay": (
        "num_decay_steps",
        "num_stable_steps",
        "warmup_type",
        "decay_type",
        "min_lr_ratio",
        "num_cycles",
    ),
}
# These two follow the evaluation loss, which here is that of the test split.
_DRIVEN_BY_EVALUATION = {"reduce_lr_on_plateau", "greedy"}


class Training(Strict):
    """How a trial is trained: an allow-list of `transformers.TrainingArguments`."""

    learning_rate: float = Field(5e-5, gt=0, lt=100)
    num_train_epochs: int = Field(3, ge=0)
    per_device_train_batch_size: int = Field(8, ge=1)
    per_device_eval_batch_size: int = Field(64, ge=1)
    gradient_accumulation_steps: int = Field(1, ge=1)
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: Fraction = 0.9
    adam_beta2: Fraction = 0.999
    adam_epsilon: float = Field(1e-8, gt=0)
    max_grad_norm: float = Field(1.0, ge=0)
    lr_scheduler_type: Literal[SCHEDULES] = "linear"  # type: ignore[valid-type]
    lr_scheduler_kwargs: Mapping[str, Scalar] = Field(default_factory=dict)
    warmup_steps: float = Field(0.0, ge=0)
    label_smoothing_factor: Fraction = 0.0
    bf16: bool = False
    tf32: bool = False

    @model_validator(mode="after")
    def _means_something(self) -> Training:
        if self.lr_scheduler_type in _DRIVEN_BY_EVALUATION:
            raise invalid(
                f"lr_scheduler_type: {self.lr_scheduler_type!r} follows an evaluation during training, "
                "which here would be the test split; choose a schedule that depends on the step alone"
            )
        if self.lr_scheduler_type == "constant" and self.warmup_steps:
            raise invalid(
                f"warmup_steps: 'constant' has no warm-up and would ignore {self.warmup_steps:g}; "
                "use lr_scheduler_type: constant_with_warmup"
            )
        allowed = SCHEDULE_KWARGS.get(self.lr_scheduler_type, ())
        for name in self.lr_scheduler_kwargs:
            if name not in allowed:
                takes = f"; it takes {', '.join(allowed)}" if allowed else ", which takes nothing"
                raise invalid(
                    f"lr_scheduler_kwargs: unknown to {self.lr_scheduler_type!r}: {name!r}"
                    f"{did_you_mean(name, allowed)}{takes}"
                )
        if self.lr_scheduler_type == "warmup_stable_decay" and "num_decay_steps" not in self.lr_scheduler_kwargs:
            raise invalid("lr_scheduler_kwargs: 'warmup_stable_decay' needs num_decay_steps")
        if "min_lr" in allowed and len({"min_lr", "min_lr_rate"} & set(self.lr_scheduler_kwargs)) != 1:
            raise invalid(f"lr_scheduler_kwargs: {self.lr_scheduler_type!r} needs either min_lr or min_lr_rate")
        if self.warmup_steps >= 1 and not self.warmup_steps.is_integer():
            raise invalid(f"warmup_steps: expected a share below 1 or a whole number of steps, got {self.warmup_steps}")
        return self
