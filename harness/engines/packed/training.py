"""Training a pack: its epochs, its scores, and each trial's result as soon as it has one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from harness import seeding
from harness.engines.device import device_name, precision_name, to_device, worthwhile_threads
from harness.engines.divergence import divergence_of_step
from harness.engines.engine import SECONDS_BETWEEN_REPORTS, STEPS_BETWEEN_CHECKS, Progress, ReportProgress
from harness.engines.epoch_selection import out_of_patience, selected_epoch
from harness.engines.packed.pack import Pack
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.scoring import scores, scores_of_each
from harness.engines.packed.workers import Workers, threads_of_part
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import Epoch, TrialResult


class PackTraining:
    """A pack in training.

    Parameters
    ----------
    pack : Pack
        The pack.
    saved : SavedPack
        Where it is saved between two processes.
    memory : PeakMemory
        Measures since before the pack was built.
    """

    def __init__(self, pack: Pack, saved: SavedPack, memory: PeakMemory) -> None:
        self.pack = pack
        self._saved = saved
        self._memory = memory
        self._reported = 0.0
        self._steps_of_earlier_processes = 0

    def results(self, *, report: ReportProgress, stop: Callable[[], bool]) -> Iterator[TrialResult]:
        """Train, and yield each trial's result at the end of the epoch that was its last.

        The pack is saved before: whenever a later process finds a trial recorded, it finds the pack as it was then.
        """
        done = self._restore()
        self._steps_of_earlier_processes = done * self.pack.steps_per_epoch
        yielded: set[int] = set()
        for epoch in range(done, max(packed.n_epochs for packed in self.pack.trials)):
            yield from self._ended(epoch, yielded)
            training = self._still_training(epoch)
            if not training:
                break
            if stop():
                return
            with self.pack.workers(len(training)) as workers:
                losses = self._train_epoch(epoch, training, workers, report)
                self._score(epoch + 1, training, workers, losses)
            self._save(epoch + 1)
        yield from self._ended(math.inf, yielded)

    def _still_training(self, epoch: int) -> list[int]:
        return [
            slot for slot, packed in enumerate(self.pack.trials) if packed.status is None and epoch < packed.n_epochs
        ]

    def _ended(self, epoch: float, yielded: set[int]) -> Iterator[TrialResult]:
        """Yield the results of the trials that have nothing to train in the epoch, each once."""
        for slot, packed in enumerate(self.pack.trials):
            if packed.status is None and epoch >= packed.n_epochs:
                if packed.n_epochs == 0:
                    self._score_untrained(slot)
                packed.status = packed.status or "finished"
            if packed.status is not None and slot not in yielded:
                yielded.add(slot)
                yield self._result(slot)

    def _train_epoch(self, epoch: int, slots: list[int], workers: Workers, report: ReportProgress) -> np.ndarray:
        """Train one epoch; return each slot's mean loss over its micro-batches."""
        began = time.perf_counter()
        pack, train = self.pack, self.pack.data.train
        n, per_step, n_steps = pack.data.n_train, pack.examples_per_step, pack.steps_per_epoch
        orders = {
            slot: pack.data.kept(slot)[seeding.example_order(pack.trials[slot].streams.data_order, epoch, n)]
            for slot in slots
        }
        losses = torch.zeros(len(pack.trials), dtype=torch.float64, device=pack.device)
        largest = int(pack.tokens_at_once / (per_step * train.lengths.mean()))
        if pack.frozen_without_dropout:
            pack.forward.keep_frozen_output(train)
        for step in range(n_steps):
            slots = [slot for slot in slots if pack.trials[slot].status is None]
            if not slots:
                break
            examples = {slot: orders[slot][step * per_step : (step + 1) * per_step] for slot in slots}
            number = epoch * n_steps + step

            def train_part(part: list[int], number: int = number, examples: Any = examples) -> torch.Tensor:
                losses_of_part = pack.compute_gradients(part, [examples[slot] for slot in part], number)
                pack.parameters.step(part, {slot: pack.learning_rates[slot][number] for slot in part})
                return losses_of_part

            parts = workers.parts(slots, largest)
            losses_of_step = torch.cat(workers.map(train_part, parts))
            losses.index_add_(0, to_device(torch.tensor(slots), pack.device), losses_of_step)
            last = step + 1 == n_steps
            if last or (number + 1) % STEPS_BETWEEN_CHECKS == 0:
                self._check_divergence(slots, losses, number + 1)
            self._report(slots, number + 1, report, last=last)
        seconds = (time.perf_counter() - began) / len(orders)
        for slot in orders:
            pack.trials[slot].training_seconds += seconds
        micro_batches = math.ceil(n / pack.training.per_device_train_batch_size)
        return (losses / micro_batches).cpu().numpy()

    def _check_divergence(self, slots: list[int], losses: torch.Tensor, step: int) -> None:
        """End the trials whose loss or gradient is no longer finite."""
        finite = torch.isfinite(torch.stack((losses, self.pack.parameters.norms))).tolist()
        for slot in slots:
            reason = divergence_of_step(finite[0][slot], finite[1][slot])
            if reason is not None:
                self.pack.trials[slot].diverge(f"{reason}, by step {step}")

    def _report(self, slots: list[int], step: int, report: ReportProgress, *, last: bool) -> None:
        """Report the step of every trial, but not so often that reporting costs time."""
        now = time.monotonic()
        due = last or now - self._reported > SECONDS_BETWEEN_REPORTS
        if due:
            self._reported = now
        n_steps, began = self.pack.steps_per_epoch, self._steps_of_earlier_processes
        for slot in slots:
            packed = self.pack.trials[slot]
            packed.steps = step
            if due:
                report(
                    Progress(
                        trial=packed.trial,
                        step=step,
                        steps=n_steps * packed.n_epochs,
                        epoch=step / n_steps,
                        began=began,
                        by_epoch=True,
                    )
                )

    def _score_untrained(self, slot: int) -> None:
        with self.pack.workers(1) as workers:
            self._score(0, [slot], workers, np.full(len(self.pack.trials), math.nan))

    def _score(self, epoch: int, slots: list[int], workers: Workers, losses: np.ndarray) -> None:
        """Score the trials as they are now."""
        began = time.perf_counter()
        pack = self.pack
        for slot in slots:
            parameter = pack.parameters.not_finite(slot)
            if pack.trials[slot].status is None and parameter is not None:
                pack.trials[slot].diverge(f"the weights of {parameter} are not finite after epoch {epoch}")
        sound = [slot for slot in slots if pack.trials[slot].status is None]
        tuning, held_out = pack.trials[0].trial.tuning, pack.data.holdouts(sound)
        test = None if tuning else scores(pack.forward, pack.data.test, sound, workers, pack.tokens_at_once)
        holdout = scores_of_each(pack.forward, held_out, workers, pack.tokens_at_once) if held_out else None
        for slot in sound:
            packed = pack.trials[slot]
            if any(split is not None and split[slot] is None for split in (test, holdout)):
                packed.diverge("a logit is not finite")
                continue
            on_test = test[slot] if test is not None else None
            on_holdout = holdout[slot] if holdout is not None else None
            packed.epochs.append(
                Epoch(
                    epoch=epoch,
                    learning_rate=pack.learning_rates[slot][epoch * pack.steps_per_epoch] if epoch else 0.0,
                    train_loss=float(losses[slot]),
                    test=on_test[0] if on_test is not None else None,
                    holdout=on_holdout[0] if on_holdout is not None else None,
                    probabilities=on_test[1] if on_test is not None else None,
                )
            )
            if epoch and out_of_patience(packed.epochs, packed.trial.holdout):
                packed.status = "finished"
        for slot in slots:
            pack.trials[slot].evaluation_seconds += (time.perf_counter() - began) / len(slots)

    def _result(self, slot: int) -> TrialResult:
        pack, count, packed = self.pack, len(self.pack.trials), self.pack.trials[slot]
        parameters = packed.parameter_counts
        epochs_trained = sum(epoch.epoch > 0 for epoch in packed.epochs)
        holdout = packed.trial.holdout
        return TrialResult(
            trial=packed.trial,
            status=packed.status or "failed",
            error=packed.error,
            epochs=tuple(packed.epochs),
            selected_epoch=selected_epoch(packed.epochs, holdout) if packed.status == "finished" else None,
            training_seconds=packed.training_seconds,
            evaluation_seconds=packed.evaluation_seconds,
            timing="solo" if count == 1 else f"the share of one of {count} trials in the seconds of their pack",
            steps=packed.steps,
            tokens=int(pack.data.train.lengths[pack.data.kept(slot)].sum()) * epochs_trained,
            peak_memory=self._memory.bytes(),
            memory_method=self._memory.method if count == 1 else f"{self._memory.method}, of a pack of {count} trials",
            total_parameters=parameters.total,
            trainable_parameters=parameters.trainable,
            n_train=pack.data.n_train,
            n_holdout=pack.data.n_holdout,
            engine="packed",
            pack_size=count,
            device=pack.device.type,
            device_name=device_name(pack.device),
            precision=precision_name(pack.training, pack.device),
            threads=threads_of_part(pack.device, count, worthwhile=worthwhile_threads(parameters.total)),
        )

    def _save(self, epochs: int) -> None:
        """Save the pack as it is after so many epochs; its weights only if a trial still trains."""
        self._saved.save(
            {
                "keys": [packed.trial.key for packed in self.pack.trials],
                "epochs": epochs,
                "slots": [packed.to_dict() for packed in self.pack.trials],
                "weights": self.pack.parameters.state() if self._still_training(epochs) else None,
            }
        )

    def _restore(self) -> int:
        """Resume from the saved pack; return how many epochs it has."""
        content = self._saved.content
        if content is None:
            return 0
        for packed, saved in zip(self.pack.trials, content["slots"], strict=True):
            packed.restore(saved)
        if content["weights"] is not None:
            self.pack.parameters.restore(content["weights"])
        return int(content["epochs"])
