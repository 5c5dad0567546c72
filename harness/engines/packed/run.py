"""One pack on its way to its trials' outcomes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from harness import seeding
from harness.engines.device import device_name, precision_name, worthwhile_threads
from harness.engines.divergence import divergence_of_step
from harness.engines.engine import SECONDS_BETWEEN_REPORTS, STEPS_BETWEEN_CHECKS, Progress, ReportProgress
from harness.engines.epoch_selection import out_of_patience, selected_epoch
from harness.engines.packed import likeness
from harness.engines.packed.dropout import Masks
from harness.engines.packed.layout import Splits
from harness.engines.packed.loss import sentence_losses, shares
from harness.engines.packed.model import PackedModel, scales_of
from harness.engines.packed.scoring import Forward, scores
from harness.engines.packed.slot import Slot
from harness.engines.packed.state import State
from harness.engines.packed.weights import Weights, shape_in, trained
from harness.engines.packed.workers import Workers, threads_of_part, workers
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import Epoch, TrialResult
from harness.engines.schedules import learning_rates, steps_per_epoch
from harness.models.build import count_parameters
from harness.study.trials import Trial


class PackRun:
    """A pack in training.

    Parameters
    ----------
    trials : sequence of Trial
        The pack, all of one form.
    build : callable
        Builds one trial's own model from its own stream.
    splits : Splits
        The data.
    device : torch.device
        What to compute on.
    elements_at_once : int
        About how many elements of a hidden state are computed together; a step with more of them is computed in parts,
        whole trials each.
    state : State
        Keeps the pack between two processes.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        build: Callable[[Trial], nn.Module],
        splits: Splits,
        device: torch.device,
        *,
        elements_at_once: int,
        state: State,
    ) -> None:
        self.device = device
        self.splits = splits
        self._state = state
        self._memory = PeakMemory(device)
        self._training = trials[0].settings.training
        self.per_step = self._training.per_device_train_batch_size * self._training.gradient_accumulation_steps
        self.steps_per_epoch = steps_per_epoch(self._training, len(splits.train))
        own = [trial.settings.training for trial in trials]
        self._rates = [learning_rates(one, self.steps_per_epoch * one.num_train_epochs) for one in own]
        self._build(trials, build)
        self.tokens_at_once = elements_at_once // self.forward.model.width
        self._reported = 0.0
        self._began = 0

    def _build(self, trials: Sequence[Trial], build: Callable[[Trial], nn.Module]) -> None:
        """Draw every trial's own model, and keep of it what it trains: one model at a time, for they may be large."""
        scales: list[dict[str, float]] = []
        self.slots: list[Slot] = []
        template: Any = None
        for slot, trial in enumerate(trials):
            model = build(trial)
            parameters = trained(model)
            if template is None:
                template = model
                self.weights = Weights(
                    {name: [shape_in(trial, name, one.shape) for trial in trials] for name, one in parameters.items()},
                    set(transformers.Trainer.get_decay_parameter_names(None, template)),
                    [trial.settings.training for trial in trials],
                    dtype=next(template.parameters()).dtype,
                    device=self.device,
                )
            self.weights.fill(slot, parameters)
            scales.append(scales_of(model))
            self.slots.append(
                Slot(trial=trial, parameters=count_parameters(model), streams=seeding.streams(trial.seed))
            )
        adapters, freeze = [trial.settings.adapter for trial in trials], trials[0].settings.freeze
        self._still = freeze is not None and freeze.dropout == "off"
        template.to(self.device)
        alone = likeness.logits_alone(template, self.splits.train)
        packed = PackedModel(
            template,
            self.weights.stacks,
            scales,
            [adapter.lora_dropout if adapter is not None else 0.0 for adapter in adapters],  # type: ignore[union-attr]
            still=freeze.layers if freeze is not None and self._still else -1,
        )
        packed.to(self.device)
        self.forward = Forward(packed, batched=self.device.type != "cpu")
        likeness.check(self.forward, self.splits.train, alone)

    def outcomes(self, *, report: ReportProgress, stop: Callable[[], bool]) -> Iterator[TrialResult]:
        """Train, and yield each trial's outcome at the end of the epoch that was its last.

        The pack is kept before: whatever a later process finds recorded, it finds the pack as it was then.
        """
        done = self._restore()
        self._began = done * self.steps_per_epoch
        told: set[int] = set()
        for epoch in range(done, max(slot.n_epochs for slot in self.slots)):
            yield from self._ended(epoch, told)
            live = self._live(epoch)
            if not live:
                break
            if stop():
                return
            with self.workers(len(live)) as at_once:
                losses = self._train(epoch, live, at_once, report)
                self._score(epoch + 1, live, at_once, losses)
            self._keep(epoch + 1)
        yield from self._ended(math.inf, told)

    def workers(self, trials: int) -> AbstractContextManager[Workers]:
        """Share torch's threads out among so many trials."""
        return workers(self.device, trials, worthwhile=worthwhile_threads(self.slots[0].parameters.total))

    def _live(self, epoch: int) -> list[int]:
        return [i for i, slot in enumerate(self.slots) if slot.status is None and epoch < slot.n_epochs]

    def _ended(self, epoch: float, told: set[int]) -> Iterator[TrialResult]:
        """Yield the outcomes of the trials that have nothing to train in the epoch, each once."""
        for i, slot in enumerate(self.slots):
            if slot.status is None and epoch >= slot.n_epochs:
                if slot.n_epochs == 0:
                    self._score_untrained(i)
                slot.status = slot.status or "finished"
            if slot.status is not None and i not in told:
                told.add(i)
                yield self._outcome(slot)

    def _train(self, epoch: int, live: list[int], at_once: Workers, report: ReportProgress) -> np.ndarray:
        """Train one epoch; return each slot's mean loss over its micro-batches."""
        began = time.perf_counter()
        n, size = len(self.splits.train), self._training.per_device_train_batch_size
        orders = {i: seeding.example_order(self.slots[i].streams.data_order, epoch, n) for i in live}
        losses = torch.zeros(len(self.slots), dtype=torch.float64, device=self.device)
        largest = int(self.tokens_at_once / (self.per_step * self.splits.train.lengths.mean()))
        if self._still:
            self.forward.keep_prefix(self.splits.train)
        for step in range(self.steps_per_epoch):
            live = [i for i in live if self.slots[i].status is None]
            if not live:
                break
            batches = {i: orders[i][step * self.per_step : (step + 1) * self.per_step] for i in live}
            number = epoch * self.steps_per_epoch + step

            def learn(part: list[int], number: int = number, batches: Any = batches) -> torch.Tensor:
                found = self.learn(part, [batches[i] for i in part], number)
                self.weights.step(part, {i: self._rates[i][number] for i in part})
                return found

            parts = at_once.parts(live, largest)
            for part, found in zip(parts, at_once.map(learn, parts), strict=True):
                losses[part] += found
            last = step + 1 == self.steps_per_epoch
            if last or (number + 1) % STEPS_BETWEEN_CHECKS == 0:
                self._check(live, losses, number + 1)
            self._tell(live, number + 1, report, last=last)
        seconds = (time.perf_counter() - began) / len(orders)
        for i in orders:
            self.slots[i].training_seconds += seconds
        return (losses / math.ceil(n / size)).cpu().numpy()

    def learn(self, part: list[int], batches: list[np.ndarray], step: int) -> torch.Tensor:
        """Compute the gradients of some trials for one step; return the sum of each one's micro-batch losses."""
        counts, micro_batches = shares(len(batches[0]), self._training.per_device_train_batch_size)
        layout = self.forward.layout(self.splits.train, part, batches, [counts] * len(part))
        masks = Masks(self.forward.model.places, layout, [slot.streams.dropout for slot in self.slots], step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._training.bf16):
            logits = self.forward(self.splits.train, layout, masks, reuse_prefix=self._still)
        logits = logits.float() if self._training.bf16 else logits
        smoothing = [self.slots[i].trial.settings.training.label_smoothing_factor for i in part]
        shared = layout.shares.to(logits.dtype) * sentence_losses(logits, layout, smoothing)
        # The Trainer hands the optimizer the mean over a step's micro-batches; the record tells each one's mean.
        (shared.sum() / micro_batches).backward()  # type: ignore[no-untyped-call]
        found = torch.zeros(len(part), dtype=torch.float64, device=self.device)
        return found.index_add_(0, layout.by_sentence.owner, shared.detach().double())

    def _check(self, live: list[int], losses: torch.Tensor, step: int) -> None:
        """End the trials whose loss or gradient is no longer a number."""
        finite = torch.isfinite(torch.stack((losses, self.weights.norms))).tolist()
        for i in live:
            what = divergence_of_step(finite[0][i], finite[1][i])
            if what is not None:
                self.slots[i].diverge(f"{what}, by step {step}")

    def _tell(self, live: list[int], step: int, report: ReportProgress, *, last: bool) -> None:
        """Report the step of every trial, but not so often that reporting costs time."""
        now = time.monotonic()
        told = last or now - self._reported > SECONDS_BETWEEN_REPORTS
        if told:
            self._reported = now
        for i in live:
            slot = self.slots[i]
            slot.steps = step
            if told:
                steps = self.steps_per_epoch * slot.n_epochs
                epoch = step / self.steps_per_epoch
                at = Progress(trial=slot.trial, step=step, steps=steps, epoch=epoch, began=self._began, by_epoch=True)
                report(at)

    def _score_untrained(self, slot: int) -> None:
        with self.workers(1) as at_once:
            self._score(0, [slot], at_once, np.full(len(self.slots), math.nan))

    def _score(self, epoch: int, live: list[int], at_once: Workers, losses: np.ndarray) -> None:
        """Score the trials as they are now."""
        began = time.perf_counter()
        for i in live:
            broken = self.weights.not_finite(i)
            if self.slots[i].status is None and broken is not None:
                self.slots[i].diverge(f"the weights of {broken} are not finite after epoch {epoch}")
        going = [i for i in live if self.slots[i].status is None]
        tuning = self.slots[0].trial.tuning
        test = None if tuning else scores(self.forward, self.splits.test, going, at_once, self.tokens_at_once)
        held = self.splits.holdout
        holdout = None if held is None else scores(self.forward, held, going, at_once, self.tokens_at_once)
        for i in going:
            slot = self.slots[i]
            found = [split[i] for split in (test, holdout) if split is not None]
            if any(one is None for one in found):
                slot.diverge("a logit is not finite")
                continue
            on_test = test[i] if test is not None else None
            on_holdout = holdout[i] if holdout is not None else None
            slot.epochs.append(
                Epoch(
                    epoch=epoch,
                    learning_rate=self._rates[i][epoch * self.steps_per_epoch] if epoch else 0.0,
                    train_loss=float(losses[i]),
                    test=on_test[0] if on_test is not None else None,
                    holdout=on_holdout[0] if on_holdout is not None else None,
                    probabilities=on_test[1] if on_test is not None else None,
                )
            )
            if epoch and out_of_patience(slot.epochs, slot.trial.holdout):
                slot.status = "finished"
        for i in live:
            self.slots[i].evaluation_seconds += (time.perf_counter() - began) / len(live)

    def _outcome(self, slot: Slot) -> TrialResult:
        count = len(self.slots)
        return TrialResult(
            trial=slot.trial,
            status=slot.status or "failed",
            error=slot.error,
            epochs=tuple(slot.epochs),
            selected_epoch=selected_epoch(slot.epochs, slot.trial.holdout) if slot.status == "finished" else None,
            training_seconds=slot.training_seconds,
            evaluation_seconds=slot.evaluation_seconds,
            timing="solo" if count == 1 else f"the share of one of {count} trials in the seconds of their pack",
            steps=slot.steps,
            tokens=int(self.splits.train.lengths.sum()) * sum(epoch.epoch > 0 for epoch in slot.epochs),
            peak_memory=self._memory.bytes(),
            memory_method=self._memory.method if count == 1 else f"{self._memory.method}, of a pack of {count} trials",
            total_parameters=slot.parameters.total,
            trainable_parameters=slot.parameters.trainable,
            n_train=len(self.splits.train),
            n_holdout=len(self.splits.holdout) if self.splits.holdout is not None else 0,
            engine="packed",
            pack_size=count,
            device=self.device.type,
            device_name=device_name(self.device),
            precision=precision_name(self._training, self.device),
            threads=threads_of_part(self.device, count, worthwhile=worthwhile_threads(slot.parameters.total)),
        )

    def _keep(self, epochs: int) -> None:
        """Keep the pack as it is after so many epochs; its weights only if somebody still trains."""
        content: dict[str, Any] = {
            "keys": [slot.trial.key for slot in self.slots],
            "epochs": epochs,
            "slots": [slot.to_dict() for slot in self.slots],
            "weights": self.weights.state() if self._live(epochs) else None,
        }
        self._state.save(content)

    def _restore(self) -> int:
        """Go on from the state that was kept; return how many epochs it has."""
        found = self._state.kept
        if found is None:
            return 0
        for slot, kept in zip(self.slots, found["slots"], strict=True):
            slot.restore(kept)
        if found["weights"] is not None:
            self.weights.restore(found["weights"])
        return int(found["epochs"])
