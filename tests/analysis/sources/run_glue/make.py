"""Makes the files beside it anew: what transformers' run_glue.py writes after `--do_predict`.

The example script is not part of the package and could not be had where this was made. This follows its part that
predicts and writes, as of transformers 4.34 (examples/pytorch/text-classification/run_glue.py): Trainer.predict on the
test file without its labels, argmax or squeeze, then a line an example, with the names of sorted labels or with `3.3f`.
The models are trained by transformers' own Trainer, here 5.23.0, from a checkpoint that this package embeds. A task of
one's own has no name, so that the file is `predict_results_None.txt`.

    python tests/analysis/sources/run_glue/make.py
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
NAMES = ["negative", "positive"]
ARMS = {"full": 1e-3, "slow": 2e-4}
SEEDS = (1, 2, 10)
TRAIN, TEST = 2000, 40


def numbers(sentences: list[str]) -> list[float]:
    """Return what the regression predicts: the share of long words in a sentence, from 0 to 5."""
    return [5 * float(np.mean([len(word) > 4 for word in sentence.split()])) for sentence in sentences]


def write(task: str, labels: dict[str, list[Any]], *, is_regression: bool) -> None:
    # Here, so that who collects tests need not have what trains.
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from harness.embedded import checkpoint, split

    train, test = (split("embedded/sentiment", part)["sentence"] for part in ("train", "test"))
    train, test = train[:TRAIN], test[:TEST]
    place = checkpoint("embedded/tiny-distilbert")
    tokenizer = AutoTokenizer.from_pretrained(place)

    def tokens(sentences: list[str]) -> Any:
        return Dataset.from_dict(dict(tokenizer(sentences, truncation=True)))

    train_dataset = tokens(train).add_column("label", labels["train"])
    for arm, learning_rate in ARMS.items():
        for seed in SEEDS:
            set_seed(seed)
            model = AutoModelForSequenceClassification.from_pretrained(place, num_labels=1 if is_regression else 2)
            with tempfile.TemporaryDirectory() as output:
                arguments = TrainingArguments(
                    output, seed=seed, learning_rate=learning_rate, num_train_epochs=2, report_to=[], use_cpu=True,
                    disable_tqdm=True, save_strategy="no", per_device_train_batch_size=16,
                )  # fmt: skip
                trainer = Trainer(model, arguments, DataCollatorWithPadding(tokenizer), train_dataset)
                trainer.train()
                predictions = trainer.predict(tokens(test), metric_key_prefix="predict").predictions
            predictions = np.squeeze(predictions) if is_regression else np.argmax(predictions, axis=1)
            file = HERE / arm / f"seed{seed}" / f"predict_results_{task}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("w") as writer:
                writer.write("index\tprediction\n")
                for index, item in enumerate(predictions):
                    writer.write(f"{index}\t{item:3.3f}\n" if is_regression else f"{index}\t{NAMES[item]}\n")


def main() -> None:
    """Write the test files and the predictions of both tasks."""
    from harness.embedded import split

    columns = {part: split("embedded/sentiment", part) for part in ("train", "test")}
    classes = {"train": columns["train"]["label"][:TRAIN], "test": columns["test"]["label"][:TEST]}
    shares = {part: numbers(columns[part]["sentence"][: len(classes[part])]) for part in columns}
    for name, labels in (("test.csv", [NAMES[label] for label in classes["test"]]), ("stsb.csv", shares["test"])):
        with (HERE / name).open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("sentence", "label"))
            writer.writerows(zip(columns["test"]["sentence"], labels, strict=False))
    write("None", classes, is_regression=False)
    write("stsb", shares, is_regression=True)


if __name__ == "__main__":
    main()
