"""Speed of the packed engine on a GPU: GPT-2 and DistilBERT at their real sizes, for packs of 1, 2, 4 ... 64 trials.

    python benchmarks/engines_gpu.py [gpt2] [distilbert] [--steps 60]
    python benchmarks/engines_gpu.py --tiny

One command that needs neither data nor the Hub: weights are drawn at random, and so are the tokens of the examples,
whose lengths follow those of SST-2. Every trial is trained for `--steps` steps at batch 16 and scored on as many
examples as SST-2's validation split has. LoRA and full fine-tuning, in bf16 and in fp32, on all sides alike; the
opponents are those of `engines.py`, each measured before the packs and after them, and the faster time counts.

For every pack are printed: trials an hour, evaluation included; what the training alone comes to, in tokens a second
and as a share of what a large matrix product of this precision reaches on this machine; the peak of memory; and the
ratios against the opponents. Counted are 2 operations for each weight of the layers and each row that it is applied to,
once for the output, once for the gradient of the input, and once more where the weight is trained; embeddings, the head
and the products within attention are left out, and so is what the packed engine does not compute in the last layer.

All models of an arm start from the same weights, as drawing 64 of them would take longer than to train them; their
order of examples and their dropout differ. A pack that does not fit the memory is said to, and larger ones are not
tried.

Figures come from a GPU. `--tiny` takes models of two layers and a few steps, to prove on any machine that this runs.
"""

from __future__ import annotations

import argparse
import copy
import gc
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from engines import surroundings
from opponents import Task, Timed, examples, train_and_score
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.data.tokenization import TokenizedSplit
from harness.engines.device import device_name, usual_device
from harness.engines.packed.architectures import ARCHITECTURES
from harness.engines.packed.engine import _ELEMENTS_AT_ONCE, _out_of_memory
from harness.engines.packed.model import base_of
from harness.engines.packed.pack import Pack
from harness.engines.packed.ragged import PackData, RaggedSplit
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import TrialResult
from harness.models import checkpoints
from harness.models.freezing import embeddings_and_layers
from harness.quiet import quiet
from harness.study.settings import Arm
from harness.study.trials import Trial

# How many examples of SST-2 have 0, 1, 2 ... tokens by BERT's WordPiece, the two special ones included: train and
# validation. GPT-2 is given the same lengths.
# fmt: off
_TRAIN_LENGTHS = (
    0, 0, 0, 1978, 5323, 6064, 5345, 4749, 4155, 3713, 3267, 2947, 2650, 2413, 2138, 1950, 1777, 1661, 1515, 1373, 1285,
    1132, 1106, 1046, 909, 820, 806, 733, 692, 628, 538, 491, 442, 448, 400, 337, 304, 286, 242, 195, 203, 192, 155,
    148, 130, 89, 82, 85, 73, 55, 42, 50, 40, 36, 19, 21, 22, 15, 8, 6, 3, 2, 5, 5, 1, 2, 2,
)
_TEST_LENGTHS = (
    0, 0, 0, 0, 2, 1, 2, 7, 12, 12, 22, 17, 28, 20, 27, 23, 23, 22, 33, 28, 38, 29, 31, 25, 26, 38, 29, 31, 26, 26, 29,
    24, 26, 17, 22, 21, 16, 11, 11, 16, 17, 15, 7, 6, 15, 4, 4, 7, 2, 6, 3, 1, 2, 4, 4, 1, 0, 1, 1, 0, 1,
)
# fmt: on
_CONFIGS = {"gpt2": transformers.GPT2Config, "distilbert": transformers.DistilBertConfig}
_TINY_SIZES: dict[str, dict[str, int]] = {
    "gpt2": {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 1000, "bos_token_id": 0, "eos_token_id": 0},
    "distilbert": {"n_layers": 2, "dim": 64, "n_heads": 4, "hidden_dim": 128, "vocab_size": 1000},
}
_TARGETS = {"gpt2": ["c_attn"], "distilbert": ["q_lin", "v_lin"]}
_BATCH = 16
_STEPS_BEFOREHAND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured: on a GPU, or tiny."""

    steps: int
    test: int
    packs: tuple[int, ...]
    matrix: int


def checkpoint(name: str, folder: Path, *, tiny: bool) -> checkpoints.Checkpoint:
    """Write a checkpoint with random weights and return it."""
    config = _CONFIGS[name](**(_TINY_SIZES[name] if tiny else {}))
    torch.manual_seed(0)
    with quiet():
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    return checkpoints.find_checkpoint(str(folder))


def random_split(counts: tuple[int, ...], n: int, vocabulary: int, rng: np.random.Generator) -> TokenizedSplit:
    """Draw examples of random tokens, their lengths with the given frequencies; no token is padding, which is 0."""
    drawn = rng.choice(len(counts), size=n, p=np.array(counts) / sum(counts))
    return TokenizedSplit(
        ids=tuple(map(str, range(n))),
        labels=np.arange(n) % 2,
        features=tuple({"input_ids": rng.integers(1, vocabulary, length).tolist()} for length in drawn),
    )


def padder() -> Any:
    """Return a tokenizer that can pad, which is all that a Trainer's batches need."""
    only_padding = Tokenizer(WordLevel({"[PAD]": 0}, unk_token="[PAD]"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=only_padding, pad_token="[PAD]")


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
    adapter = {
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "target_modules": _TARGETS[name],
    }
    return Arm.model_validate({"training": training, **({"adapter": adapter} if kind == "lora" else {})})


def operations(model: nn.Module, tokens: int, n: int) -> int:
    """Return what training on `n` examples, of `tokens` tokens in all, computes in the layers' weights."""
    inner: Any = base_of(model)
    architecture = ARCHITECTURES[inner.config.model_type](inner)
    reading = {id(module) for part in architecture.reading for module in part.modules()}
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
        _wait(device)
        began = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
        self._splits = PackData(train=RaggedSplit(train, device), test=held, holdout=None)
        self.tokens = int(self._splits.train.lengths.sum())
        self.operations = operations(self._model, self.tokens, len(train))

    def opponent(self, *, careful: bool) -> Timed:
        """Train one trial with a plain Trainer."""
        _forget()
        return train_and_score(self._task, copy.deepcopy(self._model), self._arm, careful=careful)

    def pack(self, size: int) -> tuple[float, list[TrialResult]] | None:
        """Train a pack; return its seconds and results, or None where the memory does not suffice."""
        trials = tuple(
            Trial(arm="arm", seed=seed, settings=self._arm, holdout=None, tuning=False, content={}, key=f"{seed}")
            for seed in range(size)
        )
        try:
            # A few steps beforehand, and their evaluation, so that what torch sets up once is not timed.
            self._train(trials, self._beforehand)
            return self._train(trials, self._splits)
        except (MemoryError, RuntimeError) as reason:
            if not _out_of_memory(reason):
                raise
            return None

    def _train(self, trials: tuple[Trial, ...], splits: PackData) -> tuple[float, list[TrialResult]]:
        _forget()
        model = copy.deepcopy(self._model)
        memory, at_once = PeakMemory(self._device), _ELEMENTS_AT_ONCE[self._device.type]
        pack = Pack(trials, lambda _: model, splits, self._device, elements_at_once=at_once)
        training = PackTraining(pack, SavedPack(None, trials, print), memory)
        _wait(self._device)
        began = time.perf_counter()
        results = list(training.results(report=lambda _: None, stop=lambda: False))
        seconds = time.perf_counter() - began
        if wrong := [result.error for result in results if result.status != "finished"]:
            raise ArithmeticError(f"not every trial finished: {wrong}")
        return seconds, results


def compare(comparison: Comparison, packs: tuple[int, ...], peak: float) -> Iterator[str]:
    """Measure, and yield the table line by line."""
    before = {careful: comparison.opponent(careful=careful).trials_per_hour for careful in (False, True)}
    rows: list[tuple[int, float, str]] = []
    for size in packs:
        timed = comparison.pack(size)
        if timed is None:
            yield f"a pack of {size} needs more memory than there is"
            break
        seconds, results = timed
        training = sum(result.training_seconds for result in results)
        rate = 3600 * size / seconds
        tokens, share = size * comparison.tokens / training, size * comparison.operations / training / peak
        memory = results[0].peak_memory / 2**30
        rows.append((size, rate, f"| {size} | {rate:.0f} | {tokens:,.0f} | {share:.1%} | {memory:.2f} GiB |"))
        yield f"a pack of {size}: {rate:.0f} trials an hour"
    after = {careful: comparison.opponent(careful=careful).trials_per_hour for careful in (False, True)}
    published, careful = (max(before[which], after[which]) for which in (False, True))
    yield (
        f"trials an hour before and after: published {before[False]:.0f} and {after[False]:.0f}, careful "
        f"{before[True]:.0f} and {after[True]:.0f}\n"
    )
    yield "| pack | trials an hour | tokens / s | share of peak | memory | packed / published | packed / careful |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for _, rate, text in rows:
        yield f"{text} {rate / published:.2f} | {rate / careful:.2f} |"


def main() -> None:
    """Measure everything and print it as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{', '.join(_CONFIGS)}; default both")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--tiny", action="store_true", help="two layers, 3 steps, packs of 1, 2 and 4")
    options = parser.parse_args()
    if unknown := set(options.models) - set(_CONFIGS):
        parser.error(f"expected {', '.join(_CONFIGS)}, got {', '.join(sorted(unknown))}")
    scale = Scale(steps=options.steps, test=sum(_TEST_LENGTHS), packs=(1, 2, 4, 8, 16, 32, 64), matrix=8192)
    if options.tiny:
        scale = Scale(steps=3, test=48, packs=(1, 2, 4), matrix=256)
    device = usual_device()
    print(surroundings(device_name(device)))
    print(f"{scale.steps} steps at batch {_BATCH}, {scale.test} examples scored")
    peaks = {}
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        peaks[precision] = matmul_peak(device, scale.matrix, dtype)
        print(
            f"matrix product of {scale.matrix} squared, {precision}: {peaks[precision] / 1e12:.1f} TFLOP/s", flush=True
        )
    rng = np.random.default_rng(0)
    for name in options.models or _CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            pretrained = checkpoint(name, Path(folder), tiny=options.tiny)
            vocabulary = pretrained.config.vocab_size
            train = random_split(_TRAIN_LENGTHS, scale.steps * _BATCH, vocabulary, rng)
            test = random_split(_TEST_LENGTHS, scale.test, vocabulary, rng)
            task = Task(checkpoint=pretrained, tokenizer=padder(), train=examples(train), test=examples(test))
            for kind in ("lora", "full"):
                for precision, peak in peaks.items():
                    print(f"\n{name}, {kind}, {precision}", flush=True)
                    comparison = Comparison(task, train, test, arm(kind, name, bf16=precision == "bf16"), device)
                    for line in compare(comparison, scale.packs, peak):
                        print(line, flush=True)


if __name__ == "__main__":
    main()
