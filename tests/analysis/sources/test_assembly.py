"""Rows of any source become aligned runs, and everything that is wrong with them is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import SourceError
from analysis.sources.assembly import assemble
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows, SourceFile
from analysis.sources.runs import Runs

DEFAULT = ImportOptions()


def rows_of(
    columns: Mapping[str, Any],
    *,
    file: str = "preds.csv",
    tool: str | None = None,
    version: str | None = None,
    higher_is_better: bool | None = None,
) -> Rows:
    """Columns by name; ``p_*`` are outputs, ``s_*`` scores."""

    def array(name: str) -> pa.Array | str | None:
        values = columns.get(name)
        return values if values is None or isinstance(values, str | pa.Array) else pa.array(values)

    return Rows(
        source=SourceFile(path=file, sha256=f"hash of {file}", tool=tool, version=version),
        arm=array("arm"),
        run=array("run"),
        example=array("example"),
        epoch=array("epoch"),
        label=array("label"),
        prediction=array("prediction"),
        outputs={name[2:]: array(name) for name in columns if name.startswith("p_")},
        scores={name[2:]: array(name) for name in columns if name.startswith("s_")},
        higher_is_better=higher_is_better,
        place=lambda row: f"{file}, line {row + 2}",
    )


def table(
    *, arms: Sequence[str] = ("a", "b"), runs: Sequence[int] = (0, 1), labels: Sequence[Any] = (0, 1, 1)
) -> dict[str, list[Any]]:
    """A long table with the columns arm, run, example (x0, x1, ...) and label, run after run."""
    cells = [(arm, run, f"x{number}", label) for arm in arms for run in runs for number, label in enumerate(labels)]
    return {name: [cell[number] for cell in cells] for number, name in enumerate(("arm", "run", "example", "label"))}


def assembled(*pieces: Mapping[str, Any] | Rows, options: ImportOptions = DEFAULT, labels: Iterable[Rows] = ()) -> Runs:
    return assemble([piece if isinstance(piece, Rows) else rows_of(piece) for piece in pieces], options, labels=labels)


def problems(
    *pieces: Mapping[str, Any] | Rows, options: ImportOptions = DEFAULT, labels: Iterable[Rows] = ()
) -> tuple[str, ...]:
    with pytest.raises(SourceError) as error:
        assembled(*pieces, options=options, labels=labels)
    return error.value.problems


def test_predicted_classes() -> None:
    answers = ["no", "yes", "yes", "no", "no", "yes", "yes", "yes", "yes", "no", "yes", "no"]
    runs = assembled(table(labels=["no", "yes", "yes"]) | {"prediction": answers})
    assert runs.answers == "classes"
    assert runs.classes == ("no", "yes")
    assert runs.arms == ("a", "b")
    assert runs.example_ids.to_pylist() == ["x0", "x1", "x2"]
    assert runs.labels is not None
    assert runs.labels.dtype == np.int64
    assert runs.labels.tolist() == [0, 1, 1]
    assert [(run.arm, run.label, run.epochs) for run in runs.runs] == [
        ("a", "0", (1,)),
        ("a", "1", (1,)),
        ("b", "0", (1,)),
        ("b", "1", (1,)),
    ]
    assert all(run.answers.shape == (1, 3) and run.answers.dtype == np.int64 for run in runs.runs)
    assert [run.answers[0].tolist() for run in runs.runs] == [[0, 1, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0]]
    assert runs.runs[0].sources == (SourceFile(path="preds.csv", sha256="hash of preds.csv"),)
    assert runs.paired
    assert runs.left_out == 0
    assert runs.remarks == ()


def test_probabilities() -> None:
    first = np.linspace(0.05, 0.95, 12).astype(np.float32)
    runs = assembled(table() | {"p_1": first, "p_0": 1 - first})
    assert runs.answers == "probabilities"
    assert runs.classes == ("0", "1")
    stored = np.concatenate([run.answers for run in runs.runs])
    assert stored.shape == (4, 3, 2)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored[..., 1].ravel(), first)


def test_scores() -> None:
    columns = table() | {"s_em": np.arange(12) % 2 == 0}
    del columns["label"]
    runs = assembled(rows_of(columns, higher_is_better=False))
    assert runs.answers == "scores"
    assert runs.score == "em"
    assert not runs.higher_is_better
    assert runs.labels is None
    assert runs.classes == ()
    assert runs.runs[0].answers.dtype == np.float64
    assert runs.runs[0].answers.tolist() == [[1.0, 0.0, 1.0]]
    assert assembled(columns).higher_is_better
    assert not assembled(columns, options=ImportOptions(lower_is_better=True)).higher_is_better


def test_a_regression() -> None:
    runs = assembled(table(labels=[0.5, 2, 3.25]) | {"prediction": np.arange(12)})
    assert runs.answers == "numbers"
    assert runs.labels is not None
    assert runs.labels.tolist() == [0.5, 2.0, 3.25]
    assert runs.runs[1].answers.tolist() == [[3.0, 4.0, 5.0]]


def test_epochs() -> None:
    columns = {name: values * 2 for name, values in table().items()}
    columns |= {"epoch": [3.0] * 12 + [1.0] * 12, "prediction": [1] * 12 + [0] * 12}
    runs = assembled(columns)
    assert all(run.epochs == (1, 3) for run in runs.runs)
    assert runs.runs[0].answers.tolist() == [[0, 0, 0], [1, 1, 1]]


def piece_of(columns: Mapping[str, Any], order: Sequence[int]) -> Rows:
    return rows_of({name: pa.array(values).take(pa.array(order, pa.int64())) for name, values in columns.items()})


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[dict[str, Any], list[list[int]]]:
    """A long table with probabilities, and its rows cut into pieces, in any order."""
    n, runs, arms = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(2, 3))
    columns = table(arms=[f"arm{arm}" for arm in range(arms)], runs=list(range(runs)), labels=[k % 2 for k in range(n)])
    size = n * runs * arms
    order = draw(st.permutations(list(range(size))))
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    return columns, [list(order[a:b]) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]


@settings(max_examples=60, deadline=None)
@given(shuffled(), st.sampled_from(["prediction", "p", "s"]))
def test_rows_in_any_order_and_in_any_pieces_give_the_same_runs(
    cut: tuple[dict[str, Any], list[list[int]]], kind: str
) -> None:
    columns, pieces = cut
    size = len(columns["arm"])
    if kind == "prediction":
        columns |= {"prediction": [number * 7 % 5 % 2 for number in range(size)]}
    elif kind == "p":
        share = (np.arange(size, dtype=np.float32) + 1) / (size + 1)
        columns |= {"p_0": share, "p_1": 1 - share}
    else:
        columns |= {"s_em": np.arange(size) / size}
    options = ImportOptions(classes=("0", "1"))
    whole = assembled(columns, options=options)
    cutted = assembled(*[piece_of(columns, piece) for piece in pieces], options=options)
    assert (cutted.answers, cutted.classes, cutted.paired) == (whole.answers, whole.classes, whole.paired)
    order = [cutted.example_ids.to_pylist().index(name) for name in whole.example_ids.to_pylist()]
    if whole.labels is not None and cutted.labels is not None:
        np.testing.assert_array_equal(cutted.labels[order], whole.labels)
    by_run = {(run.arm, run.label): run.answers for run in cutted.runs}
    assert len(by_run) == len(whole.runs) == len(cutted.runs)
    for run in whole.runs:
        np.testing.assert_array_equal(by_run[run.arm, run.label][:, order], run.answers)


def test_all_problems_of_all_rows_are_told_at_once() -> None:
    columns = table() | {"prediction": [0.0, 1.0, None, *[1.0] * 9]}
    columns["label"][4] = 0
    columns["arm"][6] = None
    columns["example"][11] = "x1"
    assert problems(columns) == (
        "preds.csv, line 4: the prediction is missing or not finite",
        "preds.csv, line 6: the label of example x1 is 0, and was 1 before; every run needs the same labels",
        "preds.csv, line 8: no arm",
        "preds.csv, line 13: a second answer of arm b, run 1 for example x1; if another column tells the runs, the "
        "examples or the epochs apart, name it with --column run=COLUMN, example=COLUMN or epoch=COLUMN",
        "arm b, run 0 lacks 1 of 3 examples: x0",
        "arm b, run 1 lacks 1 of 3 examples: x2. --common-examples leaves out the 2 that not every run has",
    )
