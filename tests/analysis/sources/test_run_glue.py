"""Predictions that transformers' run_glue writes, from files that run_glue/make.py made."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import SourceError
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources

FILES = Path(__file__).parent / "run_glue"


def column(name: str) -> list[str]:
    with (FILES / name).open(newline="") as file:
        return [row["label"] for row in csv.DictReader(file)]


def problems(*sources: Path, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        read_sources(sources, ImportOptions(**options))
    return caught.value.problems


def test_classes_get_their_labels_by_order() -> None:
    runs = read_sources(
        [FILES],
        ImportOptions(pattern="{arm}/seed{seed}/predict_results_None.txt", labels=FILES / "test.csv"),
    )
    assert (runs.answers, runs.classes, runs.paired) == ("classes", ("negative", "positive"), True)
    assert [(run.arm, run.label) for run in runs.runs] == [
        (arm, seed) for arm in ("full", "slow") for seed in ("1", "2", "10")
    ]
    assert runs.labels is not None
    assert [runs.classes[label] for label in runs.labels] == column("test.csv")
    lines = (FILES / "slow/seed10/predict_results_None.txt").read_text().splitlines()[1:]
    assert [f"{n}\t{runs.classes[answer]}" for n, answer in enumerate(runs.runs[-1].answers[0])] == lines
    assert [source.tool for source in runs.runs[0].sources] == ["transformers run_glue", None]
    # On 40 examples two runs can agree by chance; where there are more, one is a copy.
    assert runs.remarks[0] == (
        f"{FILES}/full/seed1/predict_results_None.txt, {FILES}/slow/seed1/predict_results_None.txt "
        "are the same byte by byte: is one a copy of another run's?"
    )


def test_a_regression() -> None:
    runs = read_sources(
        [FILES],
        ImportOptions(pattern="{arm}/seed{seed}/predict_results_stsb.txt", labels=FILES / "stsb.csv"),
    )
    assert (runs.answers, runs.classes) == ("numbers", ())
    assert runs.labels is not None
    np.testing.assert_array_equal(runs.labels, [float(label) for label in column("stsb.csv")])
    lines = (FILES / "full/seed1/predict_results_stsb.txt").read_text().splitlines()[1:]
    assert [f"{n}\t{answer:3.3f}" for n, answer in enumerate(runs.runs[0].answers[0])] == lines


def test_labels_as_numbers_need_the_names_of_the_classes(tmp_path: Path) -> None:
    numbers = tmp_path / "labels.npy"
    np.save(numbers, [["negative", "positive"].index(label) for label in column("test.csv")])
    pattern = "{arm}/seed{seed}/predict_results_None.txt"
    assert any("--classes" in problem for problem in problems(FILES, pattern=pattern, labels=numbers))
    options = ImportOptions(pattern=pattern, labels=numbers, classes=("negative", "positive"))
    by_name = read_sources([FILES], ImportOptions(pattern=pattern, labels=FILES / "test.csv"))
    by_number = read_sources([FILES], options)
    assert by_number.classes == by_name.classes
    np.testing.assert_array_equal(by_number.labels, by_name.labels)
    assert by_number.runs[0].answers.tolist() == by_name.runs[0].answers.tolist()


def test_a_file_alone_lacks_labels_and_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES / "full" / "seed1")
    name = "predict_results_None.txt"
    assert problems(Path(name)) == (
        f"{name} holds no labels; add --labels FILE, with a row for each in the same order",
        f"{name} does not say whose run it holds; add --pattern '{{arm}}/seed{{seed}}/{name}', or "
        f"--run {name}=ARM,SEED",
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("0\ta\n2\tb\n", "line 3: expected 1, a tab and a prediction, got '2\\tb'"),
        ("0\ta\n1\n", "line 3: expected 1, a tab and a prediction, got '1'"),
        ("0\ta\n1\t\n", "line 3: expected 1, a tab and a prediction, got '1\\t'"),
    ],
)
def test_lines_that_run_glue_does_not_write(tmp_path: Path, lines: str, expected: str) -> None:
    file = tmp_path / "predict_results_x.txt"
    file.write_text(f"index\tprediction\n{lines}")
    assert problems(file, runs={str(file): ("a", "1")}, labels=FILES / "test.csv") == (f"{file}, {expected}",)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "predict_results_x.txt"
    file.write_bytes(b"index\tprediction\n0\t\xff\n")
    (problem,) = problems(file, runs={str(file): ("a", "1")}, labels=FILES / "test.csv")
    assert problem.startswith(f"{file} cannot be read: 'utf-8' codec can't decode byte 0xff")
