"""Speed of the packed engine on a CPU, against the ways in which such trials are trained today.

    HARNESS_SST2=FOLDER HARNESS_ENCODER=FOLDER python benchmarks/engines.py [lora] [freezing] [full] [embedded]
    HARNESS_SST2=FOLDER HARNESS_ENCODER=FOLDER python benchmarks/engines.py gpt2 distilbert

`lora`, `freezing` and `full` train a BERT of real size on real SST-2, one epoch at batch 16, and score every trial on
all 872 examples of validation. The packed engine trains a whole pack. Its opponents know nothing of the harness beyond
the model that it builds; as their trials are independent of each other, each trains one of the pack's trials a turn:

- published: `transformers.Trainer` as it comes, every example padded to 128 tokens, for training and evaluation;
- careful: the same with batches padded to their longest example, evaluation at batch 64, and nothing logged; once as
  one process with all cores, once as two processes side by side with a thread each. The better of the two counts.

All sides take turns, and each trains a few steps beforehand. Training and evaluation are timed; imports, tokenising and
the building of models are left out, on all sides.

`gpt2` and `distilbert` do the same for the reports' own studies, studies/gpt2_lora.yaml and studies/distilbert.yaml:
the models at their real sizes with random weights, the studies' own padding and batches, fewer sentences and one epoch.
The tokenizer is the encoder's, since theirs do not come without their weights. DistilBERT's third arm computes what its
first does, with another schedule.

With `--cpu-time` every side has one thread, and the seconds of the processor count, as if each had one of the two cores
for itself: a machine that other work shares tells little else. Two processes are then left out.

`embedded` trains studies/quickstart.yaml by the packed engine and by the reference engine, the same trials, both called
as `harness run` calls them; the building of models is part of both times.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import opponents
import peft
import torch
import transformers
from opponents import SIDE_BY_SIDE, SideBySide, Task, Timed, examples, train_and_score

from harness import load_study
from harness.data.tokenization import TokenizedDataset
from harness.engines.device import threads
from harness.engines.engine import Engine
from harness.engines.packed.engine import PackedEngine
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import TrialResult
from harness.engines.trainer import quick_collections
from harness.models import checkpoints
from harness.runs.runner import prepare
from harness.study.study import Study
from harness.study.trials import Trial, expand

STUDIES = Path(__file__).parent.parent / "studies"
REAL = ("lora", "freezing", "full")
# The study, the model and the arms.
PROTOCOLS: dict[str, tuple[str, Callable[[], Any], tuple[str, ...]]] = {
    "gpt2": ("gpt2_lora", transformers.GPT2Config, ("full", "lora")),
    "distilbert": ("distilbert", transformers.DistilBertConfig, ("baseline", "freezing")),
}
# How many sentences an epoch has.
TRAIN_SIZE, TRAIN_SIZE_OF_PROTOCOLS = 1000, 32
QUICKSTART = {"full": ("full",), "lora-r2, lora-r8": ("lora-r2", "lora-r8"), "frozen": ("frozen",)}

PACKED, PUBLISHED, ALONE, BESIDE = "packed", "published", "careful, one process", "careful, two processes"


def train_pack(engine: PackedEngine, pack: Sequence[Trial]) -> Timed:
    """Train a pack whose models are built beforehand."""
    engine.estimate(pack[0])  # trains a few steps
    with threads(engine._threads):
        built = engine._pack(pack)
        training = PackTraining(built, SavedPack(None, pack, print), PeakMemory(built.device))
        with quick_collections():  # as in a run
            began = opponents.clock()
            results = tuple(training.results(report=lambda _: None, stop=lambda: False))
            seconds = opponents.clock() - began
        return _timed(results, seconds)


def train_all(engine: Engine, trials: Sequence[Trial], _turn: int) -> Timed:
    """Train trials as `harness run` does, building included; the same in every turn."""
    engine.estimate(trials[0])
    began = opponents.clock()
    results = tuple(engine.train(trials, report=lambda _: None))
    return _timed(results, opponents.clock() - began)


def _timed(results: tuple[TrialResult, ...], seconds: float) -> Timed:
    scores = [result.selected.test.accuracy for result in results if result.selected and result.selected.test]
    if len(scores) < len(results):
        raise RuntimeError(f"not every trial finished: {[result.error for result in results]}")
    rate = 3600 * len(results) / seconds
    return Timed(trials_per_hour=rate, accuracy=statistics.mean(scores), results=results)


def in_turns(sides: Mapping[str, Callable[[int], Timed]], turns: int) -> dict[str, list[Timed]]:
    """Let the sides take turns."""
    timed: dict[str, list[Timed]] = {name: [] for name in sides}
    for turn in range(turns):
        for name, side in sides.items():
            result = side(turn)
            timed[name].append(result)
            print(
                f"  turn {turn + 1}: {name:23} {result.trials_per_hour:8.1f} trials an hour, "
                f"accuracy {result.accuracy:.3f}",
                flush=True,
            )
    return timed


def median(turns: Sequence[Timed]) -> float:
    """Return the median of the turns' trials an hour."""
    return statistics.median(turn.trials_per_hour for turn in turns)


def ratios(ours: Sequence[Timed], theirs: Sequence[Timed]) -> str:
    """Return the median of the turns' ratios, and each of them."""
    each = [own.trials_per_hour / other.trials_per_hour for own, other in zip(ours, theirs, strict=True)]
    return f"{statistics.median(each):.2f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"


def real_encoder(arms: Sequence[str], *, train_size: int, trials: int, turns: int) -> list[str]:
    """Compare on real examples; return the table's lines."""
    overrides = [
        f"model={os.environ['HARNESS_ENCODER']}",
        f"data.path={os.environ['HARNESS_SST2']}",
        "data.name=null",
        f"data.train_size={train_size}",
        "training.num_train_epochs=1",
        f"seeds={max(trials, SIDE_BY_SIDE)}",
        "arms.lora.adapter.target_modules=[query,value]",
        "arms.freezing={training: {learning_rate: 5e-5}, freeze: {layers: 3}}",
        "analysis={baseline: full}",
        "claims=[]",
    ]
    return compared(load_study(STUDIES / "lora_rank.yaml", overrides), arms, trials=trials, turns=turns)


def protocol(name: str, *, train_size: int, trials: int, turns: int) -> list[str]:
    """Compare on a report's own study, half as many sentences scored as trained on; return the table's lines."""
    file, config, arms = PROTOCOLS[name]
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config()).save_pretrained(folder)
        for tokens in Path(os.environ["HARNESS_ENCODER"]).glob("*token*"):
            shutil.copy(tokens, folder)
        overrides = [
            f"model={folder}",
            f"data.path={os.environ['HARNESS_SST2']}",
            "data.name=null",
            f"data.train_size={train_size}",
            f"data.test_size={train_size // 2}",
            "training.num_train_epochs=1",
            "selection=last",
            f"seeds={max(trials, SIDE_BY_SIDE)}",
            "claims=[]",
        ]
        return compared(load_study(STUDIES / f"{file}.yaml", overrides), arms, trials=trials, turns=turns)


def packed_engine(study: Study) -> tuple[checkpoints.Checkpoint, TokenizedDataset, PackedEngine]:
    """Prepare a study for the packed engine."""
    checkpoint, data, engine = prepare(study, "packed")
    if not isinstance(engine, PackedEngine):
        raise TypeError(f"expected the packed engine, got {engine.name}")
    return checkpoint, data, engine


def compared(study: Study, arms: Sequence[str], *, trials: int, turns: int) -> list[str]:
    """Compare the ways to train some arms of a study; return the table's lines."""
    checkpoint, data, engine = packed_engine(study)
    task = Task(
        checkpoint=checkpoint,
        tokenizer=checkpoints.load_tokenizer(checkpoint),
        train=examples(data.train),
        test=examples(data.test),
    )
    everything = expand(study, arms=study.arms, model=checkpoint.identity, data=data.fingerprint)
    cpu_time = opponents.clock is time.process_time
    names = (PACKED, PUBLISHED, ALONE) if cpu_time else (PACKED, PUBLISHED, ALONE, BESIDE)
    lines = [
        f"{len(data.train)} examples of train, one epoch, {len(data.test)} scored; trials an hour"
        f"{' of the processor' if cpu_time else ''}, medians of the turns; ratios as median (each turn).",
        "",
        f"| arm | trials in a pack | {' | '.join(names)} | packed / published | packed / careful |",
        f"| --- | --- |{' --- |' * len(names)} --- | --- |",
    ]
    with contextlib.nullcontext() if cpu_time else SideBySide(task) as beside:
        for name in arms:
            trials_of_arm = [trial for trial in everything if trial.arm.split("-")[0] == name]
            pack = trials_of_arm[: min(trials, engine.size(trials_of_arm[0]))]
            print(f"{name}: a pack of {len(pack)}", flush=True)
            timed = in_turns(_sides(engine, task, beside, trials_of_arm, pack), turns)
            better = max(names[2:], key=lambda side: median(timed[side]))
            lines.append(
                f"| {name} | {len(pack)} | {' | '.join(f'{median(each):.0f}' for each in timed.values())} | "
                f"{ratios(timed[PACKED], timed[PUBLISHED])} | {ratios(timed[PACKED], timed[better])} |"
            )
            # What was trained before would count in the peak.
            if name == arms[0] == "lora":
                first = timed[PACKED][0].results[0]
                peak = f"LoRA, {first.memory_method}: {first.peak_memory / 2**30:.2f} GiB."
    return [*lines, "", peak] if arms[0] == "lora" else lines


def _sides(
    engine: PackedEngine, task: Task, beside: SideBySide | None, trials: Sequence[Trial], pack: Sequence[Trial]
) -> dict[str, Callable[[int], Timed]]:
    """Return who takes turns; an opponent's trial is another one each turn."""

    def alone(turn: int, *, careful: bool) -> Timed:
        trial = trials[turn % len(trials)]
        return train_and_score(task, task.build(trial.settings, trial.seed), trial.settings, careful=careful)

    sides: dict[str, Callable[[int], Timed]] = {
        PACKED: lambda _: train_pack(engine, pack),
        PUBLISHED: lambda turn: alone(turn, careful=False),
        ALONE: lambda turn: alone(turn, careful=True),
    }
    if beside is not None:
        sides[BESIDE] = lambda turn: beside.train([trials[(turn + i) % len(trials)] for i in range(SIDE_BY_SIDE)])
    return sides


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
        trials = [trial for trial in everything if trial.arm in arms]
        print(f"embedded, {name}: {len(trials)} trials", flush=True)
        sides = {engine.name: partial(train_all, engine, trials) for engine in (packed, reference)}
        ours, theirs = in_turns(sides, turns).values()
        lines.append(f"| {name} | {len(trials)} | {median(ours):.0f} | {median(theirs):.0f} | {ratios(ours, theirs)} |")
    return lines


def surroundings(device: str) -> str:
    """Return what a table was measured on and with."""
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in (torch, transformers, peft))
    return (
        f"{device}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; {versions}, Python "
        f"{platform.python_version()}. `python {' '.join(sys.argv)}`"
    )


def processor() -> str:
    """Return what the machine calls its processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure in turns and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = (*REAL, "embedded")
    known = (*usual, *PROTOCOLS)
    parser.add_argument("arms", nargs="*", metavar="ARM", help=f"{', '.join(known)}; default {', '.join(usual)}")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--train-size", type=int, help=f"default {TRAIN_SIZE}; {TRAIN_SIZE_OF_PROTOCOLS} for {', '.join(PROTOCOLS)}"
    )
    parser.add_argument("--trials", type=int, default=12, help="in a pack, at most; the engine may want fewer")
    parser.add_argument("--cpu-time", action="store_true", help="count seconds of the processor, one thread a side")
    options = parser.parse_args()
    if options.cpu_time:
        torch.set_num_threads(1)
        opponents.clock = time.process_time
    arms = options.arms or usual
    if unknown := set(arms) - set(known):
        parser.error(f"expected {', '.join(known)}, got {', '.join(sorted(unknown))}")
    # Whoever computes with several threads loses most to other processes, so a busy machine flatters the packs.
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, which should be near 0", flush=True)
    lines: list[str] = []
    # In this order whatever was asked for: the memory of the LoRA pack is measured before anything else has run.
    if on_encoder := [name for name in REAL if name in arms]:
        train_size = options.train_size or TRAIN_SIZE
        lines += real_encoder(on_encoder, train_size=train_size, trials=options.trials, turns=options.turns)
    if "embedded" in arms:
        lines += [*([""] if lines else []), *embedded(options.turns)]
    for name in PROTOCOLS:
        if name in arms:
            train_size = options.train_size or TRAIN_SIZE_OF_PROTOCOLS
            of_protocol = protocol(name, train_size=train_size, trials=options.trials, turns=options.turns)
            lines += [*([""] if lines else []), *of_protocol]
    print("", surroundings(processor()), "", *lines, sep="\n")


if __name__ == "__main__":
    main()
