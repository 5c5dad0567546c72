"""Study trainer: transformers' Trainer with the study's order of examples, its streams, and a check of every loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
import transformers
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness import seeding
from harness.engines.batches import Collate, SplitDataset
from harness.engines.divergence import DivergedError, divergence_of_step
from harness.engines.engine import STEPS_BETWEEN_CHECKS
from harness.models.adapters import rank_allocator_of
from harness.seeding import Streams
from harness.study.training import Training

_ALL_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]


class Listener(Protocol):
    """What the loop tells while it trains."""

    def stepped(self, step: int, steps: int, epoch: float) -> None:
        """Tell that an optimizer step is done."""

    def close_epoch(self, model: nn.Module, epoch: int, train_loss: float, learning_rate: float) -> None:
        """Tell that an epoch is done."""

    def out_of_patience(self) -> bool:
        """Return whether to stop after this epoch."""
        ...


class StudyTrainer(transformers.Trainer):  # type: ignore[misc]
    """A Trainer with the study's order of examples, and with a look at the loss that hides nothing."""

    # A classification model takes the mean over its micro-batch, so accumulated ones are averaged, not summed.
    loss_is_scaled_for_ga = False

    def __init__(
        self,
        model: nn.Module,
        arguments: transformers.TrainingArguments,
        examples: SplitDataset,
        collate: Collate,
        streams: Streams,
        listener: Listener,
    ) -> None:
        self._order = _DataOrder(streams.data_order, len(examples))
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=examples,
            data_collator=collate,
            callbacks=[_Callbacks(self, streams, listener)],
        )
        self.remove_callback(transformers.trainer_callback.PrinterCallback)
        self.epoch_loss = torch.zeros((), device=arguments.device)
        self.epoch_steps = 0
        self._norms = torch.zeros((), dtype=torch.float64, device=arguments.device)
        # What a CPU takes by itself where attention has dropout. Its other kernel goes back through a softmax that it
        # computes again, and makes NaN of gradients where large attention scores are rounded otherwise than before.
        self._kernels = [SDPBackend.MATH] if arguments.device.type == "cpu" else _ALL_KERNELS

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:  # noqa: ARG002
        return self._order

    def compute_loss(self, *inputs: Any, num_items_in_batch: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the mean loss of a micro-batch, also with label smoothing, which would divide by the whole batch."""
        return super().compute_loss(*inputs, num_items_in_batch=None, **kwargs)

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002
        """Return none: nobody reads them, and to count them the Trainer goes through all parameters at every step."""
        return 0

    def training_step(self, model: nn.Module, *inputs: Any, **kwargs: Any) -> torch.Tensor:
        """Train on one micro-batch and remember its loss."""
        with sdpa_kernel(self._kernels):
            loss: torch.Tensor = super().training_step(model, *inputs, **kwargs)
        # The Trainer hands on loss / accumulation; the mean loss of the micro-batch is what the record tells.
        self.epoch_loss += loss.detach().float() * self.current_gradient_accumulation_steps
        self.epoch_steps += 1
        return loss

    def _get_grad_norm(self, *inputs: Any, **kwargs: Any) -> Any:
        norm = super()._get_grad_norm(*inputs, **kwargs)
        self._norms += norm  # on the device: to read it would make a GPU wait at every step
        return norm

    def check(self) -> None:
        """Stop a trial whose loss or gradient is no longer a number."""
        reason = divergence_of_step(bool(torch.isfinite(self.epoch_loss)), bool(torch.isfinite(self._norms)))
        if reason is not None:
            raise DivergedError(f"{reason}, by step {self.state.global_step}")


class _Callbacks(transformers.TrainerCallback):  # type: ignore[misc]
    """What the harness does at the seams of a training."""

    def __init__(self, trainer: StudyTrainer, streams: Streams, listener: Listener) -> None:
        self._trainer = trainer
        self._streams = streams
        self._listener = listener

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        # From here on only dropout draws, whatever was drawn before it.
        torch.manual_seed(self._streams.dropout)

    def on_optimizer_step(self, _: Any, state: Any, *__: Any, model: nn.Module, **___: Any) -> None:
        # Gradients are still there; the Trainer counts this step only afterwards.
        budget = rank_allocator_of(model)
        if budget is not None:
            budget.update_and_allocate(state.global_step + 1)

    def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        self._listener.stepped(state.global_step, state.max_steps, state.epoch)
        if state.global_step % STEPS_BETWEEN_CHECKS == 0:
            self._trainer.check()

    def on_epoch_end(self, _: Any, state: Any, control: Any, *, model: nn.Module, **__: Any) -> None:
        trainer = self._trainer
        trainer.check()
        loss = float(trainer.epoch_loss / trainer.epoch_steps)
        trainer.epoch_loss.zero_()
        trainer.epoch_steps = 0
        self._listener.close_epoch(model, round(state.epoch), loss, float(trainer.lr_scheduler.get_last_lr()[0]))
        if self._listener.out_of_patience():
            control.should_training_stop = True


class _DataOrder(torch.utils.data.Sampler[int]):
    """The order of the examples, from the trial's own stream: a fresh one every epoch."""

    def __init__(self, data_order: int, n: int) -> None:
        self._data_order = data_order
        self._n = n
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Move on to an epoch, counted from 0; the Trainer calls it."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(seeding.example_order(self._data_order, self._epoch, self._n).tolist())

    def __len__(self) -> int:
        return self._n


def training_arguments(
    training: Training, folder: str, device: torch.device, streams: Streams
) -> transformers.TrainingArguments:
    """Return the Trainer's arguments: what the study sets, and nothing logged, saved or spread over GPUs."""
    fields = training.model_dump(exclude={"tf32"})  # the engine sets it for a while; the Trainer would for good
    warmup = fields["warmup_steps"]
    made = transformers.TrainingArguments(
        **{**fields, "warmup_steps": warmup if warmup < 1 else int(warmup)},
        output_dir=folder,
        seed=streams.dropout,
        use_cpu=device.type == "cpu",
        report_to="none",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
    )
    # With more GPUs in sight the Trainer would spread each batch over them, and so train with a larger one.
    made._n_gpu = min(made.n_gpu, 1)
    return made
