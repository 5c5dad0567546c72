"""What the packed engine gains on a CPU over the ways in which such trials are trained today.

    HARNESS_SST2=FOLDER HARNESS_ENCODER=FOLDER python benchmarks/engines.py [lora] [freezing] [full] [embedded]

`lora`, `freezing` and `full` train a BERT of real size on real SST-2, one epoch at batch 16, and score every trial on
all 872 sentences of validation. The packed engine trains a whole pack. Its opponents know nothing of the harness beyond
the model that it builds; as their trials are independent of each other, each trains one of the pack's trials a turn:

- published: `transformers.Trainer` as it comes, every sentence padded to 128 tokens, for training and evaluation;
- careful: the same with batches padded to their longest sentence, evaluation at batch 64, and nothing logged; once as
  one process with all cores, once as two processes side by side with a thread each. The better of the two counts.

All sides take turns, and each trains a few steps beforehand. Training and evaluation are timed; imports, tokenising and
the building of models are left out, on all sides.

`embedded` trains studies/quickstart.yaml by the packed engine and by the reference engine, the same trials, both called
as `harness run` calls them; the building of models is part of both times.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from torch import nn

from harness import load_study, models, seeding
from harness.data import Split
from harness.engines import Engine, Outcome
from harness.engines.device import threads
from harness.engines.packed.engine import PackedEngine
from harness.engines.packed.state import State
from harness.quiet import quiet
from harness.runner import prepare
from harness.settings import Arm
from harness.trials import Trial, expand

STUDIES = Path(__file__).parent.parent / "studies"
REAL = ("lora", "freezing", "full")
QUICKSTART = {"full": ("full",), "lora-r2, lora-r8": ("lora-r2", "lora-r8"), "frozen": ("frozen",)}
PADDED_TO = 128
_SIDE_BY_SIDE = 2
_STEPS_BEFOREHAND = 3

PACKED, PUBLISHED, ALONE, BESIDE = "packed", "published", "careful, one process", "careful, two processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What one side did in its turn; an engine tells the outcomes too."""

    trials_per_hour: float
    accuracy: float
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the opponents train and score on: examples as a tokenizer makes them, not padded."""

    checkpoint: models.Checkpoint
    tokenizer: Any
    train: list[dict[str, Any]]
    test: list[dict[str, Any]]

    def build(self, arm: Arm, seed: int) -> nn.Module:
        """Build a trial's own model, the same as the packed engine trains."""
        streams = seeding.streams(seed)
        return models.build(
            self.checkpoint, arm, n_classes=2, pad_token_id=self.tokenizer.pad_token_id, streams=streams
        )


def examples(split: Split) -> list[dict[str, Any]]:
    """Return a split as a list that a Trainer reads."""
    return [{**row, "labels": int(label)} for row, label in zip(split.features, split.labels, strict=True)]


def plain_trainer(
    task: Task, model: nn.Module, arm: Arm, folder: str, *, careful: bool, max_steps: int = -1
) -> transformers.Trainer:
    """Return a Trainer as users make one: as it comes, or with a thought for padding, logging and evaluation.

    It is set to the arm's training, in a folder that it wants although nothing is saved; `max_steps` ends it early.
    """
    gpu = torch.cuda.is_available()
    settings = arm.training.model_dump(exclude_unset=True)
    if careful:
        settings |= {"optim": "adamw_torch_fused", "logging_strategy": "no", "per_device_eval_batch_size": 64}
        train, test = task.train, task.test
        collate: Any = transformers.DataCollatorWithPadding(task.tokenizer)
    else:
        train, test = _padded(task.tokenizer, task.train), _padded(task.tokenizer, task.test)
        collate = transformers.default_data_collator
    arguments = transformers.TrainingArguments(
        **settings,
        output_dir=folder,
        max_steps=max_steps,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,  # what it shows costs nothing, but would stand between the lines of this benchmark
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=test,
        data_collator=collate,
        compute_metrics=lambda found: {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())},
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    return trainer


def _padded(tokenizer: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pad once and for all, as scripts do that pad where they tokenise."""
    batch = tokenizer.pad(rows, padding="max_length", max_length=PADDED_TO)
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def train_and_score(
    task: Task, model: nn.Module, arm: Arm, *, careful: bool, ready: Callable[[], object] = lambda: None
) -> Timed:
    """Train one trial with a plain Trainer and score it once.

    Before the clock starts, a copy of the model trains a few steps, so that what torch sets up once is not timed; then
    `ready` is called, which may wait for others.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        beforehand = plain_trainer(
            task, copy.deepcopy(model), arm, folder, careful=careful, max_steps=_STEPS_BEFOREHAND
        )
        beforehand.train()
        beforehand.evaluate(beforehand.eval_dataset[:64])
        del beforehand
        trainer = plain_trainer(task, model, arm, folder, careful=careful)
        ready()
        began = time.perf_counter()
        trainer.train()
        accuracy = trainer.evaluate()["eval_accuracy"]
        seconds = time.perf_counter() - began
    return Timed(trials_per_hour=3600 / seconds, accuracy=accuracy)


class SideBySide:
    """Two processes with a thread each, which train a trial each at the same time; they end with the context."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        for _ in range(_SIDE_BY_SIDE):
            own, other = context.Pipe()
            context.Process(target=_serve, args=(other, task), daemon=True).start()
            other.close()
            self._pipes.append(own)
        for pipe in self._pipes:
            pipe.recv()

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()

    def train(self, trials: Sequence[Trial]) -> Timed:
        """Train two trials; the rates are added, as each process would go on with a next trial."""
        for pipe, trial in zip(self._pipes, trials, strict=True):
            pipe.send((trial.settings, trial.seed))
        for pipe in self._pipes:
            pipe.recv()
        for pipe in self._pipes:
            pipe.send("go")
        found = [pipe.recv() for pipe in self._pipes]
        return Timed(
            trials_per_hour=sum(one.trials_per_hour for one in found),
            accuracy=statistics.mean(one.accuracy for one in found),
        )


def _serve(pipe: Connection, task: Task) -> None:
    """Train what the pipe names, each trial when the pipe says so, until it is closed."""
    torch.set_num_threads(1)
    pipe.send("started")

    def ready() -> None:
        pipe.send("ready")
        pipe.recv()

    while True:
        try:
            arm, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(train_and_score(task, task.build(arm, seed), arm, careful=True, ready=ready))


def train_pack(engine: PackedEngine, pack: Sequence[Trial]) -> Timed:
    """Train a pack whose models are built beforehand."""
    engine.estimate(pack[0])  # trains a few steps
    with threads(engine._threads):
        run = engine._run(pack, State(None, pack, print))
        began = time.perf_counter()
        found = tuple(run.outcomes(report=lambda _: None, stop=lambda: False))
        return _timed(found, time.perf_counter() - began)


def train_all(engine: Engine, trials: Sequence[Trial], _turn: int) -> Timed:
    """Train trials as `harness run` does, building included; the same in every turn."""
    engine.estimate(trials[0])
    began = time.perf_counter()
    found = tuple(engine.train(trials, report=lambda _: None))
    return _timed(found, time.perf_counter() - began)


def _timed(outcomes: tuple[Outcome, ...], seconds: float) -> Timed:
    scores = [one.selected.test.accuracy for one in outcomes if one.selected and one.selected.test]
    if len(scores) < len(outcomes):
        raise RuntimeError(f"not every trial finished: {[one.error for one in outcomes]}")
    rate = 3600 * len(outcomes) / seconds
    return Timed(trials_per_hour=rate, accuracy=statistics.mean(scores), outcomes=outcomes)


def in_turns(sides: Mapping[str, Callable[[int], Timed]], turns: int) -> dict[str, list[Timed]]:
    """Let the sides take turns."""
    found: dict[str, list[Timed]] = {name: [] for name in sides}
    for turn in range(turns):
        for name, side in sides.items():
            one = side(turn)
            found[name].append(one)
            print(
                f"  turn {turn + 1}: {name:23} {one.trials_per_hour:8.1f} trials an hour, accuracy {one.accuracy:.3f}",
                flush=True,
            )
    return found


def median(turns: Sequence[Timed]) -> float:
    """Return the median of the turns' trials an hour."""
    return statistics.median(one.trials_per_hour for one in turns)


def ratios(ours: Sequence[Timed], theirs: Sequence[Timed]) -> str:
    """Return the median of the turns' ratios, and each of them."""
    each = [own.trials_per_hour / other.trials_per_hour for own, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(each):.2f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"


def real_encoder(arms: Sequence[str], *, train_size: int, trials: int, turns: int) -> list[str]:
    """Compare on real sentences; return the table's lines."""
    overrides = [
        f"model={os.environ['HARNESS_ENCODER']}",
        f"data.path={os.environ['HARNESS_SST2']}",
        "data.name=null",
        f"data.train_size={train_size}",
        "training.num_train_epochs=1",
        f"seeds={max(trials, _SIDE_BY_SIDE)}",
        "arms.lora.adapter.target_modules=[query,value]",
        "arms.freezing={training: {learning_rate: 5e-5}, freeze: {layers: 3}}",
        "analysis={baseline: full}",
        "claims=[]",
    ]
    study = load_study(STUDIES / "lora_rank.yaml", overrides)
    checkpoint, data, engine = prepare(study, "packed")
    if not isinstance(engine, PackedEngine):
        raise TypeError(f"expected the packed engine, got {engine.name}")
    task = Task(
        checkpoint=checkpoint,
        tokenizer=models.tokenizer(checkpoint),
        train=examples(data.train),
        test=examples(data.test),
    )
    everything = expand(study, arms=study.arms, model=checkpoint.identity, data=data.fingerprint)
    lines = [
        f"{train_size} sentences of train, one epoch, {len(data.test)} scored; trials an hour, medians of the turns; "
        "ratios as median (each turn).",
        "",
        f"| arm | trials in a pack | {PACKED} | {PUBLISHED} | {ALONE} | {BESIDE} | packed / published | "
        "packed / careful |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    with SideBySide(task) as beside:
        for name in arms:
            own = [trial for trial in everything if trial.arm.split("-")[0] == name]
            pack = own[: min(trials, engine._size(own[0]))]
            print(f"{name}: a pack of {len(pack)}", flush=True)
            found = in_turns(_sides(engine, task, beside, own, pack), turns)
            better = max(ALONE, BESIDE, key=lambda side: median(found[side]))
            lines.append(
                f"| {name} | {len(pack)} | {' | '.join(f'{median(each):.0f}' for each in found.values())} | "
                f"{ratios(found[PACKED], found[PUBLISHED])} | {ratios(found[PACKED], found[better])} |"
            )
            if name == "lora":
                first = found[PACKED][0].outcomes[0]
                peak = f"LoRA, {first.memory_method}: {first.peak_memory / 2**30:.2f} GiB."
    return [*lines, "", peak] if "lora" in arms else lines


def _sides(
    engine: PackedEngine, task: Task, beside: SideBySide, own: Sequence[Trial], pack: Sequence[Trial]
) -> dict[str, Callable[[int], Timed]]:
    """Return who takes turns; an opponent's trial is another one each turn."""

    def alone(turn: int, *, careful: bool) -> Timed:
        trial = own[turn % len(own)]
        return train_and_score(task, task.build(trial.settings, trial.seed), trial.settings, careful=careful)

    return {
        PACKED: lambda _: train_pack(engine, pack),
        PUBLISHED: lambda turn: alone(turn, careful=False),
        ALONE: lambda turn: alone(turn, careful=True),
        BESIDE: lambda turn: beside.train([own[(turn + i) % len(own)] for i in range(_SIDE_BY_SIDE)]),
    }


def embedded(turns: int) -> list[str]:
    """Compare the two engines on the embedded study; return the table's lines."""
    study = load_study(STUDIES / "quickstart.yaml")
    checkpoint, data, reference = prepare(study, "trainer")
    packed = prepare(study, "packed")[2]
    everything = expand(study, arms=study.arms, model=checkpoint.identity, data=data.fingerprint)
    lines = [
        "studies/quickstart.yaml; trials an hour, medians of the turns; ratios as median (each turn).",
        "",
        "| arm | trials | packed | trainer | packed / trainer |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, arms in QUICKSTART.items():
        own = [trial for trial in everything if trial.arm in arms]
        print(f"embedded, {name}: {len(own)} trials", flush=True)
        sides = {engine.name: partial(train_all, engine, own) for engine in (packed, reference)}
        ours, theirs = in_turns(sides, turns).values()
        lines.append(f"| {name} | {len(own)} | {median(ours):.0f} | {median(theirs):.0f} | {ratios(ours, theirs)} |")
    return lines


def surroundings(device: str) -> str:
    """Return what a table was measured on and with."""
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in (torch, transformers, peft))
    return (
        f"{device}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; {versions}, Python "
        f"{platform.python_version()}. `python {' '.join(sys.argv)}`"
    )


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure in turns and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*REAL, "embedded")
    parser.add_argument("arms", nargs="*", metavar="ARM", help=f"{', '.join(known)}; default all")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--train-size", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=12, help="in a pack, at most; the engine may want fewer")
    options = parser.parse_args()
    arms = options.arms or known
    if unknown := set(arms) - set(known):
        parser.error(f"expected {', '.join(known)}, got {', '.join(sorted(unknown))}")
    # Whoever computes with several threads loses most to other processes, so a busy machine flatters the packs.
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, which should be near 0", flush=True)
    lines: list[str] = []
    # In this order whatever was asked for: the memory of the LoRA pack is measured before anything else has run.
    if on_encoder := [name for name in REAL if name in arms]:
        lines += real_encoder(on_encoder, train_size=options.train_size, trials=options.trials, turns=options.turns)
    if "embedded" in arms:
        lines += [*([""] if lines else []), *embedded(options.turns)]
    print("", surroundings(_processor()), "", *lines, sep="\n")


if __name__ == "__main__":
    main()
