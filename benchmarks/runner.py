"""Overhead of the runner over a bare `Trainer` loop that trains and scores the same models.

    HARNESS_SST2=FOLDER HARNESS_ENCODER=FOLDER python benchmarks/runner.py

Both sides train the same arms with the same seeds on the same subset and score the whole test split after every epoch;
they take turns, and the ratio of each turn is printed with the median. The runner's side is all of `run_study`: reading
and tokenising the data, Optuna, records, checks. The bare side has the data tokenised already.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
import transformers

from harness import load_study, run_study, seeding
from harness.data.tokenization import TokenizedDataset
from harness.engines.batches import Padding, SplitDataset
from harness.engines.scoring import score
from harness.models import checkpoints
from harness.models.build import build_model
from harness.quiet import quiet
from harness.runs.runner import prepare
from harness.runs.turns import reference_of
from harness.study.study import Study


def bare(study: Study, checkpoint: checkpoints.Checkpoint, data: TokenizedDataset, padding: Padding) -> float:
    """Train and score with nothing around the Trainer; return the seconds."""
    test = SplitDataset(data.test)
    began = time.perf_counter()
    for seed in study.seeds:
        for arm in study.arms.values():
            model = build_model(
                checkpoint, arm, n_classes=2, pad_token_id=padding.pad_token_id, streams=seeding.streams(seed)
            )

            class Scorer(transformers.TrainerCallback):  # type: ignore[misc]
                def on_epoch_end(self, *_: object, model: torch.nn.Module, **__: object) -> None:
                    score(model, test, batch_size=64, collate=padding, device=torch.device("cpu"))

            with tempfile.TemporaryDirectory() as folder, quiet():
                arguments = transformers.TrainingArguments(
                    output_dir=folder,
                    learning_rate=arm.training.learning_rate,
                    num_train_epochs=arm.training.num_train_epochs,
                    per_device_train_batch_size=arm.training.per_device_train_batch_size,
                    weight_decay=arm.training.weight_decay,
                    use_cpu=True,
                    report_to="none",
                    save_strategy="no",
                    logging_strategy="no",
                    disable_tqdm=True,
                    remove_unused_columns=False,
                    dataloader_pin_memory=False,
                )
                trainer = transformers.Trainer(
                    model=model,
                    args=arguments,
                    train_dataset=SplitDataset(data.train),
                    data_collator=padding,
                    callbacks=[Scorer()],
                )
                trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
                trainer.train()
    return time.perf_counter() - began


def main() -> None:
    """Measure in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--train-size", type=int, default=320)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    overrides = [
        f"model={os.environ['HARNESS_ENCODER']}",
        f"data.path={os.environ['HARNESS_SST2']}",
        "data.name=null",
        f"data.train_size={options.train_size}",
        "training.num_train_epochs=1",
        f"seeds={options.seeds}",
        "arms.lora.adapter.target_modules=[query,value]",
        "arms.lora.grid={adapter.r: [4]}",
        "analysis={baseline: full}",
        "claims=[]",
    ]
    study = load_study(Path(__file__).parent.parent / "studies" / "lora_rank.yaml", overrides)
    checkpoint, data, engine = prepare(study, "trainer")
    padding = reference_of(engine).padding
    bare(study, checkpoint, data, padding)  # warms caches on both sides' behalf
    ratios = []
    for turn in range(options.turns):
        with tempfile.TemporaryDirectory() as root:
            began = time.perf_counter()
            run_study(study, root, engine="trainer")
            ours = time.perf_counter() - began
        theirs = bare(study, checkpoint, data, padding)
        ratios.append(ours / theirs)
        print(f"turn {turn + 1}: runner {ours:.2f} s, bare Trainer {theirs:.2f} s, ratio {ratios[-1]:.3f}")
    trials = len(study.arms) * len(study.seeds)
    print(f"median ratio {statistics.median(ratios):.3f} over {len(ratios)} turns of {trials} trials")


if __name__ == "__main__":
    main()
