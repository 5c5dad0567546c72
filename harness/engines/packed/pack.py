"""Pack: the models of several trials as one, and their gradients for a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from harness.engines.device import worthwhile_threads
from harness.engines.packed.dropout import DropoutMasks
from harness.engines.packed.forward import Forward
from harness.engines.packed.logit_check import check_logits, logits_alone
from harness.engines.packed.lora import changed_weights, lora_scales
from harness.engines.packed.loss import example_losses, loss_weights
from harness.engines.packed.model import PackedModel
from harness.engines.packed.packed_trial import PackedTrial
from harness.engines.packed.parameters import PackParameters, shape_in_trial, trained_parameters
from harness.engines.packed.ragged import PackData
from harness.engines.packed.workers import Workers, workers
from harness.engines.schedules import learning_rates, steps_per_epoch
from harness.models.build import count_parameters
from harness.study.trials import Trial


class Pack:
    """Several trials as one model.

    Parameters
    ----------
    trials : sequence of Trial
        The trials, all of one `PackKey`. A trial's position here is its slot.
    build : callable
        Builds one trial's own model from its own stream.
    data : PackData
        What the trials are trained and scored on.
    device : torch.device
        What to compute on.
    elements_at_once : int
        About how many elements of a hidden state are computed together. A step with more of them is computed in parts,
        whole trials each.

    Attributes
    ----------
    trials : list of PackedTrial
        By slot.
    learning_rates : list of list of float
        By slot and optimizer step.
    examples_per_step : int
        Training examples of each trial that an optimizer step takes.
    frozen_bytes_of_trial : int
        Bytes of frozen weights that may be each trial's own, because its adapter's start changed them.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        build: Callable[[Trial], nn.Module],
        data: PackData,
        device: torch.device,
        *,
        elements_at_once: int,
    ) -> None:
        self.device = device
        self.data = data
        self.training = trials[0].settings.training
        self.examples_per_step = self.training.per_device_train_batch_size * self.training.gradient_accumulation_steps
        self.steps_per_epoch = steps_per_epoch(self.training, data.n_train)
        settings = [trial.settings.training for trial in trials]
        self.learning_rates = [learning_rates(one, self.steps_per_epoch * one.num_train_epochs) for one in settings]
        freeze = trials[0].settings.freeze
        self.frozen_without_dropout = freeze is not None and freeze.dropout == "off"
        self._build(trials, build)
        self.tokens_at_once = elements_at_once // self.forward.model.width

    def _build(self, trials: Sequence[Trial], build: Callable[[Trial], nn.Module]) -> None:
        """Draw every trial's own model, and keep of it what it trains: one model at a time, for they may be large."""
        scales: list[dict[str, float]] = []
        changed: list[dict[str, torch.Tensor]] = []
        self.trials: list[PackedTrial] = []
        template: Any = None
        for slot, trial in enumerate(trials):
            model = build(trial)
            trained = trained_parameters(model)
            if template is None:
                template = model
                self.parameters = PackParameters(
                    {
                        name: [shape_in_trial(trial, name, parameter.shape) for trial in trials]
                        for name, parameter in trained.items()
                    },
                    set(transformers.Trainer.get_decay_parameter_names(None, template)),
                    [trial.settings.training for trial in trials],
                    dtype=next(template.parameters()).dtype,
                    device=self.device,
                )
            self.parameters.fill(slot, trained)
            scales.append(lora_scales(model))
            changed.append(changed_weights(model, trial.settings.adapter))
            self.trials.append(
                PackedTrial(trial=trial, parameter_counts=count_parameters(model), streams=trial.streams)
            )
        adapters, freeze = [trial.settings.adapter for trial in trials], trials[0].settings.freeze
        self.frozen_bytes_of_trial = sum(weight.nbytes for weight in changed[0].values())
        template.to(self.device)
        with self.workers(1):
            alone = logits_alone(template, self.data.train)
            packed = PackedModel(
                template,
                stacks=self.parameters.stacks,
                scales=scales,
                changed_weights=changed,
                adapter_dropout=[getattr(adapter, "lora_dropout", 0.0) for adapter in adapters],
                layers_without_dropout=freeze.layers if freeze is not None and self.frozen_without_dropout else -1,
            )
            packed.to(self.device)
            self.forward = Forward(packed, batched=self.device.type != "cpu")
            check_logits(self.forward, self.data.train, alone)

    def workers(self, trials: int) -> AbstractContextManager[Workers]:
        """Share torch's threads out among so many trials."""
        parameters = self.trials[0].parameter_counts.total
        return workers(self.device, trials, worthwhile=worthwhile_threads(parameters))

    def compute_gradients(self, slots: list[int], examples: list[np.ndarray], step: int) -> torch.Tensor:
        """Compute the gradients of some trials for one step.

        Parameters
        ----------
        slots : list of int
            The trials.
        examples : list of ndarray of int
            For each of them the training examples of the step.
        step : int
            The optimizer step, counted from 0: it decides the dropout masks.

        Returns
        -------
        Tensor of float64, shape (len(slots),)
            For each trial the sum of its micro-batches' mean losses.
        """
        weights, micro_batches = loss_weights(len(examples[0]), self.training.per_device_train_batch_size)
        batch = self.forward.batch(self.data.train, slots, examples, [weights] * len(slots))
        masks = DropoutMasks(
            self.forward.model.dropout_sites, batch, [packed.streams.dropout for packed in self.trials], step
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.training.bf16):
            logits = self.forward(self.data.train, batch, masks, reuse_frozen=self.frozen_without_dropout)
        logits = logits.float() if self.training.bf16 else logits
        smoothing = [self.trials[slot].trial.settings.training.label_smoothing_factor for slot in slots]
        losses = batch.loss_weights.to(logits.dtype) * example_losses(logits, batch, smoothing)
        # The Trainer hands the optimizer the mean over a step's micro-batches; the record tells each one's mean.
        (losses.sum() / micro_batches).backward()  # type: ignore[no-untyped-call]
        by_trial = torch.zeros(len(slots), dtype=torch.float64, device=self.device)
        return by_trial.index_add_(0, batch.by_example.owner, losses.detach().double())
