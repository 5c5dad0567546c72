"""A study of our own, written as somebody else would and imported again, is judged the same to the last character."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

import analysis
from analysis import tables
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from harness.records.imported import write_runs
from tests.analysis.conftest import simulated, write_study

# What an import does not know: times, and what else trials ran with.
_OWN = ("Cost", "Provenance", "What would decide")
_RESAMPLES = 99
_PLAN = {"baseline": "full", "margin": 0.03, "comparisons": [{"treatment": "lora r8", "baseline": "lora r2"}]}
_SEEDS, _N = 5, 120

Write = Callable[[analysis.Outcomes, Path], ImportOptions]


def classes_study(folder: Path, *, epochs: int) -> Path:
    rng = np.random.default_rng(7)
    right = {
        arm: np.stack([simulated(rng, {arm: accuracy}, seeds=_SEEDS, examples=_N)[arm] for _ in range(epochs)], axis=1)
        for arm, accuracy in {"full": 0.9, "lora r2": 0.7, "lora r8": 0.88}.items()
    }
    return write_study(folder, right, analysis=_PLAN, name="study").root


def numbers_study(folder: Path) -> Path:
    rng = np.random.default_rng(8)
    labels = rng.uniform(0, 5, _N).round(1)
    noise = {"full": 0.5, "lora r2": 0.9, "lora r8": 0.5}
    study = write_study(folder, {arm: np.ones((_SEEDS, _N), int) for arm in noise}, analysis=_PLAN, name="study")
    study.change_manifest(lambda content: content["data"].update(task="regression", classes=[]))
    for arm, seed in study.keys:
        predicted = (labels + noise[arm] * rng.normal(size=_N) + 0.1 * rng.normal()).astype(np.float32)
        study.change_predictions(arm, seed, functools.partial(_as_numbers, labels=labels, predicted=predicted))
    return study.root


def _as_numbers(table: pa.Table, *, labels: Any, predicted: Any) -> pa.Table:
    kept = table.select(["epoch", "example_id"]).append_column("label", pa.array(labels))
    return kept.append_column("prediction", pa.array(predicted))


def shown(report: analysis.StudyReport) -> dict[str, tables.Table]:
    """Every table that both know, without the line under it that says where its figures come from."""
    built = tables.build(report)
    return {table.title: replace(table, footer="") for table in built if not table.title.startswith(_OWN)}


def answers(outcomes: analysis.Outcomes) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """What each run answered, one row an epoch and example."""
    classes = outcomes.manifest.data.classes
    labels = np.array(classes)[outcomes.labels] if classes else outcomes.labels
    for trial in outcomes.trials.values():
        frames = []
        for epoch, one in zip(trial.epochs, trial.known_answers, strict=True):
            columns = {f"p_{name}": one[:, c] for c, name in enumerate(classes)} or {"prediction": one}
            beside = {"epoch": epoch} if len(trial.epochs) > 1 else {}
            frames.append(pd.DataFrame({**beside, "id": outcomes.example_ids, "label": labels, **columns}))
        yield trial.arm, trial.seed, pd.concat(frames)


def long_table(outcomes: analysis.Outcomes) -> pd.DataFrame:
    runs = (frame.assign(arm=arm, seed=seed) for arm, seed, frame in answers(outcomes))
    return pd.concat(runs, ignore_index=True)


def one_table(ending: str, outcomes: analysis.Outcomes, folder: Path) -> ImportOptions:
    frame, path = long_table(outcomes), folder / f"answers.{ending}"
    # float32 as the next float64, so that every digit of it is written.
    exact = frame.astype({name: float for name in frame if frame[name].dtype == np.float32})
    match ending.split(".")[0]:
        case "parquet":
            frame.to_parquet(path)
        case "feather":
            pyarrow.feather.write_feather(frame, path)
        case "jsonl":
            _write(path, exact.to_json(orient="records", lines=True, double_precision=15))
        case kind:
            _write(path, exact.to_csv(index=False, sep="\t" if kind == "tsv" else ","))
    return ImportOptions()


def _write(path: Path, text: str) -> None:
    with pa.output_stream(str(path)) as stream:  # compressed as its name says
        stream.write(text.encode())


def one_file_a_run(ending: str, outcomes: analysis.Outcomes, folder: Path, *, labels_beside: bool) -> ImportOptions:
    labels = folder / "labels.csv" if labels_beside else None
    for arm, seed, frame in answers(outcomes):
        path = folder / "runs" / arm / f"seed{seed}" / f"answers.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        held = frame.astype({name: float for name in frame if frame[name].dtype == np.float32})
        if labels is not None:
            frame[["id", "label"]].to_csv(labels, index=False)
            held = held.drop(columns="label")
        held.to_csv(path, index=False)
    return ImportOptions(pattern=f"{folder}/runs/{{arm}}/seed{{seed}}/answers.{ending}", labels=labels)


def arrays(ending: str, outcomes: analysis.Outcomes, folder: Path) -> ImportOptions:
    by_arm = {arm: np.stack([trial.known_answers[0] for trial in outcomes.of_arm(arm)]) for arm in outcomes.arms}
    ids, classes = np.array(outcomes.example_ids), outcomes.manifest.data.classes
    names = {"classes": np.array(classes)} if classes else {}
    if ending == "npz":
        beside = {"labels": outcomes.labels, "ids": ids, "seeds": np.array(outcomes.seeds), **names}
        np.savez(folder / "answers.npz", **beside, **by_arm)
        return ImportOptions()
    np.savez(folder / "labels.npz", labels=outcomes.labels, ids=ids)
    for arm, of_arm in by_arm.items():
        for seed, one in zip(outcomes.seeds, of_arm, strict=True):
            np.save(folder / f"{arm}-{seed}.npy", one)
    pattern = f"{folder}/{{arm}}-{{seed}}.npy"
    return ImportOptions(pattern=pattern, labels=folder / "labels.npz", classes=classes)


LONG = ("csv", "tsv", "jsonl", "parquet", "feather", "csv.gz", "csv.zst", "jsonl.gz")
FORMS: dict[str, Write] = {
    **{ending: functools.partial(one_table, ending) for ending in LONG},
    "npz": functools.partial(arrays, "npz"),
    "npy": functools.partial(arrays, "npy"),
    "one file a run": functools.partial(one_file_a_run, "csv", labels_beside=False),
    "one file a run, labels beside": functools.partial(one_file_a_run, "csv", labels_beside=True),
}
STUDIES = {
    "classes": functools.partial(classes_study, epochs=1),
    "epochs": functools.partial(classes_study, epochs=3),
    "numbers": numbers_study,
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, dict[str, tables.Table]]]:
    @functools.cache
    def made(kind: str) -> tuple[Path, dict[str, tables.Table]]:
        folder = STUDIES[kind](tmp_path_factory.mktemp(kind) / "own")
        return folder, shown(analysis.analyze(folder, resamples=_RESAMPLES))

    return made


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (kind, form)
        for kind in STUDIES
        for form in FORMS
        # Arrays hold one epoch of each run.
        if kind != "epochs" or form in {"csv", "parquet", "one file a run"}
    ],
)
def test_the_tables_are_the_same(kind: str, form: str, own: Any, tmp_path: Path) -> None:
    folder, before = own(kind)
    options = FORMS[form](analysis.load(folder), tmp_path)
    runs = read_sources([] if options.pattern else [next(tmp_path.glob("answers.*"))], options)
    assert (sorted(runs.arms), len(runs.runs)) == (["full", "lora r2", "lora r8"], 3 * _SEEDS)
    imported = write_runs(runs, tmp_path / "results", name="study", analysis=_PLAN)
    assert len(before) >= 7
    after = shown(analysis.analyze(imported.folder, resamples=_RESAMPLES))
    assert [title for title in before if after.get(title) != before[title]] == []
    assert after == before


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_frame_in_memory_gives_the_same_tables(kind: str, own: Any) -> None:
    folder, before = own(kind)
    frame = long_table(analysis.load(folder))
    pairs = [("lora r8", "lora r2")]
    report = analysis.compare(
        frame, baseline="full", margin=0.03, comparisons=pairs, resamples=_RESAMPLES, name="study"
    )
    assert shown(report) == before
