"""The files that docs/import.md speaks about: made-up predictions, and copies of files that tools wrote."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

LOGS = Path(__file__).parent / "analysis" / "sources"
N, SEEDS = 300, 5
CLASSES = np.array(["negative", "positive"])
LEVELS = {"full": 0.86, "lora-r8": 0.855, "frozen": 0.74}

Row = Sequence[object]


def drawn() -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return labels, shape (N,), and by arm the probability that each of 8 runs gives the true class, shape (8, N)."""
    # The stream of random() is the same in every version of NumPy.
    draw = np.random.default_rng(5).random
    labels = (draw(N) < 0.5).astype(np.int64)
    ease = draw(N) - 0.5
    return labels, {
        arm: np.clip(level + 0.03 * (draw((8, 1)) - 0.5) + 0.6 * ease + 0.5 * (draw((8, N)) - 0.5), 0.01, 0.99)
        for arm, level in LEVELS.items()
    }


LABELS, CHANCES = drawn()
PREDICTED = {arm: np.where(chances > 0.5, LABELS, 1 - LABELS) for arm, chances in CHANCES.items()}


def table(path: Path, columns: str, rows: Iterator[Row]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        writer.writerows(rows)


def answers(seeds: Sequence[int] = range(1, SEEDS + 1), arms: Sequence[str] = tuple(LEVELS)) -> Iterator[Row]:
    """Yield arm, seed, example, label and prediction."""
    for arm in arms:
        for seed in seeds:
            for example, label in enumerate(LABELS):
                yield arm, seed, f"sst-{example}", CLASSES[label], CLASSES[PREDICTED[arm][seed - 1, example]]


def probabilities() -> Iterator[Row]:
    """Yield arm, seed, example, label, and the probability of each class."""
    for arm, seed, example, label, _ in answers():
        right = round(float(CHANCES[arm][seed - 1, int(example.removeprefix("sst-"))]), 4)
        pair = (right, round(1 - right, 4))
        yield arm, seed, example, int(label == "positive"), *(pair if label == "negative" else pair[::-1])


def scores() -> Iterator[Row]:
    """Yield arm, seed, example, and two scores from 0 to 1."""
    for arm, seed, example, *_ in answers():
        score = CHANCES[arm][seed - 1, int(example.removeprefix("sst-"))]
        yield arm, seed, example, round(0.2 + 0.5 * score, 4), round(0.1 + 0.5 * score, 4)


def unpaired() -> Iterator[Row]:
    """Yield arm, name of the run, example, label and prediction; one arm has fewer runs."""
    names = iter(("bold-sun-1", "calm-lake-2", "dry-hill-3", "late-moon-4", "red-oak-5", "tame-owl-6", "wild-pond-7"))
    for arm, seeds in (("full", (1, 2, 3, 4)), ("frozen", (5, 6, 7))):
        for seed in seeds:
            name = next(names)
            for row in answers((seed,), (arm,)):
                yield arm, name, *row[2:]


def corrected() -> Iterator[Row]:
    """Yield the answers of one more seed, one of them another than before."""
    for number, row in enumerate(answers((8,))):
        yield row if number else (*row[:4], CLASSES[1 - PREDICTED["full"][7, 0]])


def write_files(folder: Path) -> None:
    """Write all files of the page."""
    columns = "method,seed,id,gold,pred"
    table(folder / "predictions.csv", columns, answers())
    table(folder / "more_seeds.csv", columns, answers(seeds=(6, 7, 8)))
    table(folder / "corrected.csv", columns, corrected())
    table(folder / "names.csv", "approach,repeat,sentence,gold,pred", answers())
    held = pa.csv.read_csv(folder / "predictions.csv")
    pa.csv.write_csv(held, folder / "predictions.tsv", pa.csv.WriteOptions(delimiter="\t", quoting_style="needed"))
    pa.parquet.write_table(held, folder / "predictions.parquet")
    pa.feather.write_feather(held, str(folder / "predictions.feather"))
    with (folder / "predictions.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in held.to_pylist())
    table(folder / "probabilities.csv", "model,seed,id,label,p_negative,p_positive", probabilities())
    table(folder / "rouge.csv", "model,seed,doc_id,rouge1,rougeL", scores())
    table(folder / "wandb.csv", "model,run_id,id,gold,pred", unpaired())
    table(folder / "shorter.csv", columns, (row for row in answers() if row[:3] != ("full", 2, "sst-17")))
    table(folder / "test.csv", "id,gold", ((row[2], row[3]) for row in answers((1,), ("full",))))
    for arm in LEVELS:
        for seed in range(1, SEEDS + 1):
            own = ((row[2], row[4]) for row in answers((seed,), (arm,)))
            table(folder / "runs" / arm / f"seed{seed}" / "preds.csv", "id,pred", own)
    shutil.copytree(LOGS / "run_glue", folder / "glue")
    shutil.copytree(LOGS / "lm_eval" / "logs", folder / "lm-eval")
    shutil.copytree(LOGS / "inspect_ai" / "logs", folder / "inspect")


def write_refused_files(folder: Path) -> None:
    """Write files that the page says are refused, into a folder of their own."""
    columns, good = "method,seed,id,gold,pred", [tuple(map(str, row)) for row in answers((1, 2), ("full", "frozen"))]

    def put(name: str, rows: Iterable[Row], head: str = columns) -> None:
        table(folder / f"{name}.csv", head, iter(rows))

    put("two_arms", ((*row, "gpt2") for row in good), f"{columns},model")
    put("no_labels", ((*row[:3], row[4]) for row in good), "method,seed,id,pred")
    put("one_arm", (row for row in good if row[0] == "full"))
    put("unnamed_run", good, "method,attempt,id,gold,pred")
    put("twice", [*good, good[0]])
    put("other_labels", (_with(row, 3, "positive") if row[:3] == ("frozen", "2", "sst-1") else row for row in good))
    put("some_runs", (row if row[0] == "full" else _with(row, 1, str(int(row[1]) + 1)) for row in good))
    put("missing", [_with(good[0], 4, ""), *good[1:]])
    put("neutral", [_with(good[0], 4, "neutral"), *good[1:]])
    put("one_class", (_with(row, 3, "negative") for row in good))
    put("free", (_with(row, 3, f"because of {row[2]}") for row in good))
    put("other_answers", (_with(row, 4, "positive") if row[:3] == ("full", "1", "sst-0") else row for row in good))
    put("points", ((*row[:3], 7.5) for row in good), "method,seed,id,reward")
    of_classes = [tuple(map(str, row)) for row in probabilities() if row[1] in (1, 2)]
    head = "model,seed,id,label,p_0,p_1"
    put("fractions", (row[:5] for row in of_classes), "model,seed,id,label,pred")
    put("logits", ((*row[:4], float(row[4]) * 9 - 4, float(row[5]) * 9 - 4) for row in of_classes), head)
    put("named_logits", of_classes, "model,seed,id,label,logit_0,logit_1")
    put("sum", [_with(of_classes[0], 5, "0.5402"), *of_classes[1:]], head)
    lines = [",".join(row) for row in [columns.split(","), *good]]
    (folder / "line.csv").write_text("\n".join([*lines[:2], "full,1,sst-1,negative", *lines[3:]]))
    (folder / "quote.csv").write_text("\n".join([*lines[:2], 'full,1,sst-1,negative,"negative', *lines[3:]]))
    (folder / "line.jsonl").write_text(
        '{"model": "full", "seed": 1, "id": 0, "label": 1, "pred": 1}\n{"model": "full"\n'
    )
    (folder / "preds.pkl").write_bytes(pickle.dumps(good))
    with zipfile.ZipFile(folder / "preds.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "")
    (folder / "odd").mkdir()
    put("odd/lora_r8_a", good)
    _write_refused_logs(folder)


def _write_refused_logs(folder: Path) -> None:
    other = folder / "other_data"
    shutil.copytree(LOGS / "lm_eval" / "logs", other)
    (log,) = (other / "lora-r8-seed1").glob("samples_sentiment_*")
    log.write_text(log.read_text().replace('"doc_hash": "', '"doc_hash": "0', 1))
    newer = folder / "other_version"
    shutil.copytree(LOGS / "lm_eval" / "logs", newer)
    for results in (newer / "lora-r8-seed1").glob("results_*"):
        results.write_text(results.read_text().replace("0.4.13", "0.4.14"))


def _with(row: Row, place: int, value: object) -> Row:
    return (*row[:place], value, *row[place + 1 :])
