"""Packed engine on a GPU: whether it computes what it should, how fast it is, and what a step costs.

    python benchmarks/engines_gpu.py [gpt2] [distilbert] [--steps 60]
    python benchmarks/engines_gpu.py --short
    python benchmarks/engines_gpu.py --tiny

One command that needs neither data nor the Hub. In this order it

- makes the checks of `engine_checks.py`, and ends with exit code 1 where one fails: what is wrong needs no speed;
- measures GPT-2 and DistilBERT at their real sizes, LoRA and full fine-tuning, first in bf16 and then in fp32;
- profiles a step of the largest pack of the first of these: its three largest costs, and where the host waits.

Weights are drawn at random, and so are the tokens of the examples, whose lengths follow those of SST-2. Every trial is
trained for `--steps` steps at batch 16 and scored on as many examples as SST-2's validation split has. The opponents
are those of `engines.py`, each measured before the packs and after them, and the faster time counts.

For every pack are printed: trials an hour, evaluation included, and how many times those of the opponents that is; what
the training alone comes to, in tokens a second and as a share of what a large matrix product of this precision reaches
on this machine; the peak of memory. Counted are 2 operations for each weight of the layers and each row that it is
applied to, once for the output, once for the gradient of the input, and once more where the weight is trained;
embeddings, the head and the products within attention are left out, and so is what the packed engine does not compute
in the last layer.

All models of an arm start from the same weights, as drawing 64 of them would take longer than to train them; their
order of examples and their dropout differ. A pack that does not fit the memory is said to, and larger ones are not
tried.

`--short` measures fewer sizes of packs and ends within 8 minutes. What no longer fits is said; every figure is printed
as soon as it is there, so what is cut off by force has figures too.

Figures come from a GPU. `--tiny` takes models of two layers and a few steps, to prove on any machine that this runs.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import gc
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_checks import CheckFailedError, checks
from engines import surroundings
from opponents import Task, Timed, examples, train_and_score
from random_task import CONFIGS, TEST_LENGTHS, checkpoint, full, lora, padder, random_splits, trials_of
from torch import nn
from torch.profiler import ProfilerActivity
from transformers.pytorch_utils import Conv1D

from harness.data.tokenization import TokenizedSplit
from harness.engines.device import device_name, usual_device, wait_for
from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.engine import _ELEMENTS_AT_ONCE, _out_of_memory
from harness.engines.packed.model import base_of
from harness.engines.packed.pack import Pack
from harness.engines.packed.ragged import PackData, RaggedSplit
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import TrialResult
from harness.models.freezing import embeddings_and_layers
from harness.study.settings import Arm
from harness.study.trials import Trial

_BATCH = 16
_STEPS_BEFOREHAND = 5
# Seconds of a short run; of these the profile gets what comes last.
_SHORT = 480.0
_FOR_PROFILE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured."""

    steps: int
    test: int
    packs: dict[str, tuple[int, ...]]
    precisions: dict[str, torch.dtype]
    matrix: int


BOTH = {"bf16": torch.bfloat16, "fp32": torch.float32}
WHOLE = dict.fromkeys(("lora", "full"), (1, 2, 4, 8, 16, 32, 64))
SHORT = {"lora": (1, 8, 32, 64), "full": (1, 4, 8)}
TINY = Scale(steps=3, test=48, packs={"lora": (1, 4), "full": (1, 2)}, precisions={"bf16": torch.bfloat16}, matrix=256)


def arm(kind: str, name: str, *, bf16: bool) -> Arm:
    """Return LoRA or full fine-tuning, one epoch."""
    training = {
        "learning_rate": 5e-4 if kind == "lora" else 5e-5,
        "num_train_epochs": 1,
        "per_device_train_batch_size": _BATCH,
        "weight_decay": 0.01,
        "lr_scheduler_type": "linear",
        "bf16": bf16,
    }
    return lora(name, training) if kind == "lora" else full(training)


def operations(model: nn.Module, tokens: int, n: int) -> int:
    """Return what training on `n` examples, of `tokens` tokens in all, computes in the layers' weights."""
    inner: Any = base_of(model)
    architecture = ARCHITECTURES[inner.config.model_type](inner)
    reading = {id(module) for part in architecture.pooled_modules for module in part.modules()}
    count = 0
    for module in embeddings_and_layers(inner)[1].modules():
        # A part of a layer that is no linear layer itself, such as an adapted one, has linear layers inside.
        if isinstance(module, nn.Linear | Conv1D):
            passes = 3 if module.weight.requires_grad else 2
            count += 2 * module.weight.numel() * passes * (n if id(module) in reading else tokens)
    return count


def matmul_peak(device: torch.device, size: int, dtype: torch.dtype) -> float:
    """Return the operations a second of a product of two square matrices, the fastest of several."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        wait_for(device)
        began = time.perf_counter()
        a @ b
        wait_for(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _forget() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Comparison:
    """One model, one arm, one precision.

    Parameters
    ----------
    task : Task
        What the opponents train and score on.
    train, test : TokenizedSplit
        The same for the packed engine.
    arm : Arm
        How all sides train.
    device : torch.device
        What the packed engine computes on; the Trainer finds it itself.
    """

    def __init__(self, task: Task, train: TokenizedSplit, test: TokenizedSplit, arm: Arm, device: torch.device) -> None:
        self._task = task
        self._arm = arm
        self._device = device
        self._model = task.build(arm, 0)
        held = RaggedSplit(test, device)
        few = train.take(np.arange(min(len(train), _BATCH * _STEPS_BEFOREHAND)))
        self._beforehand = PackData(train=RaggedSplit(few, device), test=held, holdout=None)
        self.splits = PackData(train=RaggedSplit(train, device), test=held, holdout=None)
        self.tokens = int(self.splits.train.lengths.sum())
        self.operations = operations(self._model, self.tokens, len(train))

    def opponents(self) -> tuple[float, ...]:
        """Train one trial with each plain Trainer; return their trials an hour, published and careful."""
        return tuple(self._opponent(careful=careful).trials_per_hour for careful in (False, True))

    def _opponent(self, *, careful: bool) -> Timed:
        _forget()
        return train_and_score(self._task, copy.deepcopy(self._model), self._arm, careful=careful)

    def trials(self, size: int) -> tuple[Trial, ...]:
        """Return the trials of a pack."""
        return trials_of([self._arm] * size)

    def pack(self, trials: tuple[Trial, ...], splits: PackData) -> Pack:
        """Return a pack of models that start alike."""
        model = copy.deepcopy(self._model)
        at_once = _ELEMENTS_AT_ONCE[self._device.type]
        return Pack(trials, lambda _: model, splits, self._device, elements_at_once=at_once)

    def train(self, size: int) -> tuple[float, list[TrialResult]] | None:
        """Train a pack; return its seconds and results, or None where the memory does not suffice."""
        trials = self.trials(size)
        try:
            # A few steps beforehand, and their evaluation, so that what torch sets up once is not timed.
            self._train(trials, self._beforehand)
            return self._train(trials, self.splits)
        except (MemoryError, RuntimeError) as reason:
            if not _out_of_memory(reason):
                raise
            return None

    def _train(self, trials: tuple[Trial, ...], splits: PackData) -> tuple[float, list[TrialResult]]:
        _forget()
        memory = PeakMemory(self._device)
        training = PackTraining(self.pack(trials, splits), SavedPack(None, trials, print), memory)
        wait_for(self._device)
        began = time.perf_counter()
        results = list(training.results(report=lambda _: None, stop=lambda: False))
        seconds = time.perf_counter() - began
        if wrong := [result.error for result in results if result.status != "finished"]:
            raise ArithmeticError(f"not every trial finished: {wrong}")
        return seconds, results


def compare(comparison: Comparison, packs: tuple[int, ...], peak: float, left: Callable[[], float]) -> Iterator[str]:
    """Measure, and yield every figure as it comes, and in the end the table.

    Parameters
    ----------
    comparison : Comparison
        What is compared.
    packs : tuple of int
        The sizes of packs, ascending.
    peak : float
        The operations a second of a large matrix product.
    left : callable
        The seconds that are left.
    """
    began = time.perf_counter()
    rates = comparison.opponents()
    took = time.perf_counter() - began
    yield f"trials an hour: published {rates[0]:.0f}, careful {rates[1]:.0f}"
    rows: list[tuple[float, str]] = []
    needed = 0.0
    for place, size in enumerate(packs):
        if left() < needed:
            yield f"no time for packs of {', '.join(map(str, packs[place:]))}"
            break
        began = time.perf_counter()
        timed = comparison.train(size)
        if timed is None:
            yield f"a pack of {size} needs more memory than there is"
            break
        if place + 1 < len(packs):
            # A larger pack takes no longer than so many smaller ones.
            needed = (time.perf_counter() - began) * packs[place + 1] / size
        seconds, results = timed
        training = sum(result.training_seconds for result in results)
        rate = 3600 * size / seconds
        tokens, share = size * comparison.tokens / training, size * comparison.operations / training / peak
        memory = results[0].peak_memory / 2**30
        rows.append((rate, f"| {size} | {rate:.0f} | {tokens:,.0f} | {share:.1%} | {memory:.2f} GiB |"))
        yield (
            f"a pack of {size}: {rate:.0f} trials an hour, {rate / rates[0]:.2f} times published and "
            f"{rate / rates[1]:.2f} times careful; {tokens:,.0f} tokens a second, {share:.1%} of the peak, "
            f"{memory:.2f} GiB"
        )
    if left() < took:
        yield "no time to measure the opponents again\n"
    else:
        again = comparison.opponents()
        yield f"trials an hour, again: published {again[0]:.0f}, careful {again[1]:.0f}\n"
        rates = tuple(map(max, rates, again))
    yield "| pack | trials an hour | tokens / s | share of peak | memory | packed / published | packed / careful |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for rate, text in rows:
        yield f"{text} {rate / rates[0]:.2f} | {rate / rates[1]:.2f} |"


def profile(comparison: Comparison, size: int, device: torch.device) -> Iterator[str]:
    """Profile a training step of a pack: yield its time, its largest costs, and where the host waits in it."""
    _forget()
    pack = comparison.pack(comparison.trials(size), comparison.splits)
    slots, rates = list(range(size)), dict.fromkeys(range(size), 1e-4)
    chosen = [np.arange(_BATCH)] * size

    def step(number: int) -> None:
        pack.compute_gradients(slots, chosen, number)
        pack.parameters.step(slots, rates)

    with pack.workers(1):
        for number in range(3):
            step(number)
        wait_for(device)
        began = time.perf_counter()
        step(3)
        queued = time.perf_counter() - began
        wait_for(device)
        seconds = time.perf_counter() - began
        yield f"a step of a pack of {size}: {1e3 * seconds:.1f} ms, of which the host took {1e3 * queued:.1f} ms"
        on_gpu = device.type == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        with torch.profiler.profile(activities=activities) as profiler:
            step(4)
            wait_for(device)
        events = profiler.key_averages()
        # A kernel has a row of its own, beside that of the operation which launched it.
        costs = {
            event.key: event.self_device_time_total if on_gpu else event.self_cpu_time_total
            for event in events
            if event.device_type == torch.autograd.DeviceType.CPU
        }
        computing = sum(costs.values())
        for name in sorted(costs, key=costs.__getitem__, reverse=True)[:3]:
            yield f"- {name}: {costs[name] / 1e3:.2f} ms, {costs[name] / computing:.0%} of {computing / 1e3:.1f} ms"
        if on_gpu:
            launches = sum(event.count for event in events if "launch" in event.key.lower())
            yield f"{launches} kernels are launched; a GPU that computes less than the step takes waits for the host"
            yield from _waits(step)


def _waits(step: Callable[[int], None]) -> Iterator[str]:
    """Yield the lines of code at which a step makes the host wait for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step(5)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = {f"{warning.filename}:{warning.lineno}" for warning in caught}
    yield f"the host waits at {len(places)} places{': ' if places else ''}{', '.join(sorted(places))}"


def main() -> None:
    """Check, measure and profile, and print everything as it comes."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{', '.join(CONFIGS)}; default both")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--short", action="store_true", help="fewer packs, and an end within 8 minutes")
    parser.add_argument("--tiny", action="store_true", help="two layers, 3 steps, small packs, bf16 alone")
    options = parser.parse_args()
    if unknown := set(options.models) - set(CONFIGS):
        parser.error(f"expected {', '.join(CONFIGS)}, got {', '.join(sorted(unknown))}")
    packs = SHORT if options.short else WHOLE
    scale = Scale(steps=options.steps, test=sum(TEST_LENGTHS), packs=packs, precisions=BOTH, matrix=8192)
    if options.tiny:
        scale = TINY
    if options.short:
        # Should a step hang, this says where.
        faulthandler.dump_traceback_later(_SHORT, exit=True)

    def left() -> float:
        return _SHORT - _FOR_PROFILE - (time.monotonic() - began) if options.short else float("inf")

    device = usual_device()
    print(surroundings(device_name(device)), flush=True)
    try:
        for line in checks():
            print(line, flush=True)
    except CheckFailedError as failure:
        print(f"FAILED: {failure}", flush=True)
        sys.exit(1)
    print(f"\n{scale.steps} steps at batch {_BATCH}, {scale.test} examples scored")
    peaks = {}
    for precision, dtype in scale.precisions.items():
        peaks[precision] = matmul_peak(device, scale.matrix, dtype)
        print(
            f"matrix product of {scale.matrix} squared, {precision}: {peaks[precision] / 1e12:.1f} TFLOP/s", flush=True
        )
    names = options.models or list(CONFIGS)
    with tempfile.TemporaryDirectory() as folder:
        tasks = {name: _task(name, scale, Path(folder) / name, tiny=options.tiny) for name in names}
        for precision in peaks:
            for name in names:
                for kind, sizes in scale.packs.items():
                    print(f"\n{name}, {kind}, {precision}", flush=True)
                    if left() <= 0:
                        print("no time", flush=True)
                        continue
                    comparison = Comparison(*tasks[name], arm(kind, name, bf16=precision == "bf16"), device)
                    for line in compare(comparison, sizes, peaks[precision], left):
                        print(line, flush=True)
        comparison = Comparison(*tasks[names[0]], arm("lora", names[0], bf16=True), device)
        print(f"\n{names[0]}, lora, bf16, profiled", flush=True)
        for size in reversed(scale.packs["lora"]):
            try:
                for line in profile(comparison, size, device):
                    print(line, flush=True)
            except RuntimeError as reason:
                if not _out_of_memory(reason):
                    raise
                print(f"a pack of {size} needs more memory than there is", flush=True)
            else:
                break
    faulthandler.cancel_dump_traceback_later()


def _task(name: str, scale: Scale, folder: Path, *, tiny: bool) -> tuple[Task, TokenizedSplit, TokenizedSplit]:
    """Draw a model and its examples, for the opponents and for the packed engine."""
    pretrained = checkpoint(name, folder, tiny=tiny)
    train, test = random_splits(pretrained.config.vocab_size, scale.steps * _BATCH, scale.test)
    task = Task(checkpoint=pretrained, tokenizer=padder(), train=examples(train), test=examples(test))
    return task, train, test


if __name__ == "__main__":
    main()
