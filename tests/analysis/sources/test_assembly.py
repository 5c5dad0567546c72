"""Rows of any source become aligned runs, and everything that is wrong with them is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import SourceError
from analysis.sources.assembly import Assembly, assemble
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
        "examples or the epochs apart, name it with --column run=COLUMN, --column example=COLUMN or --column "
        "epoch=COLUMN",
        "arm b, run 0 lacks 1 of 3 examples: x0",
        "arm b, run 1 lacks 1 of 3 examples: x2. --common-examples leaves out the 2 that not every run has",
    )


def test_two_runs_of_one_example_within_a_piece_and_between_pieces() -> None:
    columns = table() | {"prediction": [0] * 12}
    again = {name: values[:2] for name, values in columns.items()}
    assert "preds.csv, line 2: a second answer of arm a, run 0 for example x0" in problems(columns, again)[0]
    assert problems(columns, again)[0].endswith("epoch=COLUMN (and 1 more row)")
    doubled = {name: [*values, values[0]] for name, values in columns.items()}
    assert problems(doubled)[0].startswith("preds.csv, line 14: a second answer of arm a, run 0 for example x0;")
    without_run = {**table(), "run": "0", "prediction": [0] * 12}
    assert ", run 0 for example x0; if another column" in problems(without_run)[0]
    pieces = [replace(rows_of(without_run), one_run=True, unused=lambda: (("note", 9), ("attempt", 2), ("host", 1)))]
    with pytest.raises(SourceError) as error:
        assemble(pieces, ImportOptions())
    assert error.value.problems[0] == (
        "preds.csv, line 5: a second answer of arm a for example x0, and no column says which run a row is of; attempt "
        "(2 values), note (9 values) may be it: --column run=attempt (and 5 more rows)"
    )


def test_a_run_that_lacks_examples_is_not_cut_unless_asked_for() -> None:
    columns = table(labels=[0, 1, 0, 1]) | {"prediction": [0, 1, 1, 1] * 4}
    columns = {name: [*values[:6], *values[7:]] for name, values in columns.items()}
    assert problems(columns) == (
        "arm a, run 1 lacks 1 of 4 examples: x2. --common-examples leaves out the 1 that not every run has",
    )
    runs = assembled(columns, options=ImportOptions(common_examples=True))
    assert runs.example_ids.to_pylist() == ["x0", "x1", "x3"]
    assert runs.left_out == 1
    assert runs.labels is not None
    assert runs.labels.tolist() == [0, 1, 1]
    assert all(run.answers.tolist() == [[0, 1, 1]] for run in runs.runs)


def test_runs_that_share_no_example() -> None:
    columns = table(runs=[0], labels=[0, 1]) | {"example": ["x0", "x1", "y0", "y1"], "prediction": [0, 1, 0, 1]}
    told = problems(columns)
    assert told[0] == "arm a, run 0 lacks 2 of 4 examples: y0, y1"
    assert told[1].endswith("no example is in every run; do the ids mean the same in all of them?")
    assert problems(columns, options=ImportOptions(common_examples=True)) == (
        "no example is in every run, and --common-examples leaves none",
    )


def test_many_runs_that_lack_examples_are_counted() -> None:
    columns = table(runs=list(range(10))) | {"prediction": [0] * 60}
    kept = [row for row in range(60) if row < 3 or row % 3 != 1]
    told = problems({name: [values[row] for row in kept] for name, values in columns.items()})
    assert len(told) == 6
    assert told[-1] == ("so do 14 more runs of 20. --common-examples leaves out the 1 that not every run has")


def test_epochs_that_differ_and_epochs_that_are_none() -> None:
    columns = table() | {"prediction": [0] * 12, "epoch": [*[1] * 9, *[2] * 3]}
    assert problems(columns) == ("arm b, run 1: epochs 2, and the other runs have 1; all need the same",)
    columns["epoch"] = ["1", "1.5", None, *["1"] * 9]
    assert problems(columns)[0] == ("preds.csv, line 3: an epoch is a whole number from 0, got '1.5' (and 1 more row)")


def arms_with(**runs: Sequence[int]) -> dict[str, Any]:
    cells = [(arm, run, example) for arm, labels in runs.items() for run in labels for example in "xy"]
    columns = {name: [cell[number] for cell in cells] for number, name in enumerate(("arm", "run", "example"))}
    return columns | {"s_em": [1] * len(cells)}


def test_other_runs_in_each_arm_are_not_paired() -> None:
    runs = assembled(arms_with(a=[0, 1], b=[2, 3, 4]))
    assert not runs.paired
    assert runs.remarks == ("no two arms have a run of the same name, so runs are not paired by seed",)
    assert [len([run for run in runs.runs if run.arm == arm]) for arm in runs.arms] == [2, 3]


def test_a_run_that_an_arm_lacks_is_no_problem() -> None:
    runs = assembled(arms_with(a=[0, 1], b=[1, 2, 0], c=[0, 1, 2]))
    assert runs.paired
    assert runs.remarks == ()


@pytest.mark.parametrize(("one", "other"), [("1", "01"), ("1", "1.0"), ("0", "-0")])
def test_a_run_that_two_arms_write_in_two_ways_is_no_reason_to_pair_nothing(one: str, other: str) -> None:
    columns = {"prediction": [0, 1, 1] * 4}
    written = table(arms=["a"], runs=[2, 3]), table(arms=["b"], runs=[2, 3])
    for piece, label in zip(written, (one, other), strict=True):
        piece["run"] = [label if run == 2 else str(run) for run in piece["run"]]
    columns = {name: [*written[0][name], *written[1][name]] for name in written[0]} | columns
    assert problems(columns) == (
        f"runs {one}, {other} are one number written in two ways, and runs of one name share a seed: write them alike "
        "in every arm; or, if they share none, --unpaired",
    )
    assert not assembled(columns, options=ImportOptions(unpaired=True)).paired


def test_arms_that_share_few_of_their_runs() -> None:
    assert problems(arms_with(a=[0, 1], b=[1, 2, 3])) == (
        "the arms share only some of their runs: arm a lacks runs 2, 3; arm b lacks run 0. Add these runs, or leave "
        "them out of every arm; or, if runs of one name do not share a seed, --unpaired",
    )
    runs = assembled(arms_with(a=[0, 1], b=[1, 2, 3]), options=ImportOptions(unpaired=True))
    assert not runs.paired
    assert runs.remarks == ()
    assert not assembled(arms_with(a=[0, 1], b=[0, 1]), options=ImportOptions(unpaired=True)).paired


def test_one_arm_is_no_comparison() -> None:
    assert problems(arms_with(a=[0, 1])) == (
        "there is one arm, a, and a comparison needs two; --column arm=COLUMN names another column for the arms",
    )


def test_nothing_to_read() -> None:
    assert problems() == ("the sources hold no rows",)
    columns = {"arm": "a", "run": "0", "example": pa.array([], pa.string()), "s_em": pa.array([], pa.int64())}
    assert problems(columns) == ("the sources hold no rows",)


def test_an_arm_a_run_and_an_example_are_the_same_however_a_file_stores_them() -> None:
    columns = table(runs=[1, 2]) | {"s_em": [1] * 12}
    numbered = [int(name[1:]) + 7 for name in columns["example"]]
    first = rows_of(columns | {"arm": "a", "run": pa.array(columns["run"], pa.float64()), "example": numbered})
    dictionary = pa.array([str(number) for number in numbered]).dictionary_encode()
    second = rows_of(columns | {"arm": "b", "run": pa.array(columns["run"]), "example": dictionary})
    first, second = (
        replace(
            rows,
            run=rows.run.slice(0, 6),
            example=rows.example.slice(0, 6),
            label=None,
            scores={"em": rows.scores["em"].slice(0, 6)},
        )
        for rows in (first, second)
    )
    runs = assembled(first, second)
    assert [(run.arm, run.label) for run in runs.runs] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert runs.example_ids.to_pylist() == ["7", "8", "9"]


def test_labels_beside() -> None:
    columns = table() | {"prediction": ["no", "yes", "yes"] * 4}
    del columns["label"]
    beside = {"example": ["x2", "x1", "x0", "x9"], "label": ["yes", "yes", "no", "no"]}
    gold = rows_of({"arm": "", "run": ""} | beside, file="test.csv")
    runs = assembled(columns, labels=[gold])
    assert runs.example_ids.to_pylist() == ["x2", "x1", "x0"]
    assert runs.labels is not None
    assert runs.labels.tolist() == [1, 1, 0]
    assert runs.runs[0].answers.tolist() == [[1, 1, 0]]
    assert runs.remarks == ("left out: 1 example with a label that no run answered",)
    settles = "--labels FILE reads them from a file of their own; --column label=COLUMN names it"
    assert problems(columns) == (f"no example has a label: {settles}",)
    few = replace(gold, example=pa.array(["x0", "x1"]), label=pa.array(["no", "yes"]))
    assert problems(columns, labels=[few]) == (f"1 example without a label: x2; {settles}",)
    assert problems(columns, labels=[replace(gold, label=None)])[0].startswith("test.csv holds no label;")


def test_a_label_of_an_example_that_nobody_answered_makes_no_class() -> None:
    columns = table(labels=["no", "yes", "yes"]) | {"prediction": ["no", "yes", "yes"] * 4}
    beside = rows_of({"example": ["x9", "x0", "x1", "x2"], "label": ["aa", "no", "yes", "yes"]}, file="labels.csv")
    runs = assembled(columns, labels=[beside])
    assert runs.classes == ("no", "yes")
    assert runs.labels is not None
    assert runs.labels.tolist() == [0, 1, 1]
    assert runs.runs[0].answers.tolist() == [[0, 1, 1]]
    # Nor does a prediction for an example that was left out.
    more = rows_of({"arm": ["a"], "run": [0], "example": ["x9"], "label": ["no"], "prediction": ["aa"]})
    runs = assembled(more, columns, options=ImportOptions(common_examples=True))
    assert runs.classes == ("no", "yes")
    assert [run.answers.tolist() for run in runs.runs] == [[[0, 1, 1]]] * 4


def test_files_with_and_without_ids_have_no_example_in_common() -> None:
    columns = {name: values for name, values in table(arms=["a"]).items() if name != "label"}
    counted = replace(rows_of({**columns, "arm": "b", "example": [0, 1, 2] * 2, "s_em": [0.5] * 6}), numbered=True)
    counted = replace(counted, source=SourceFile(path="b.npy", sha256=""))
    named = rows_of({**columns, "example": [0, 1, 2] * 2, "s_em": [0.5] * 6})
    assert problems(named, counted) == (
        "preds.csv says which example a row is about, and b.npy only has an order of rows, so that their examples "
        "cannot be told to be the same; have ids in all files (--column example=COLUMN names their column), or in none",
    )


def test_files_without_labels_take_those_of_the_others() -> None:
    columns = table() | {"prediction": [0, 1, 1] * 4}
    first = {name: values[:6] for name, values in columns.items()}
    second = {name: values[6:] for name, values in columns.items() if name != "label"}
    assert assembled(first, second).labels is not None
    assert assembled(second, first).labels is not None


CLASSES = ImportOptions(classes=("no", "yes"))


@pytest.mark.parametrize(
    ("labels", "predictions", "options", "classes", "answered"),
    [
        ([0, 1], [1, 0], DEFAULT, ("0", "1"), [1, 0]),
        ([0, 1], [1.0, 0.0], DEFAULT, ("0", "1"), [1, 0]),
        (["0", "1"], [1, 0], DEFAULT, ("0", "1"), [1, 0]),
        ([0, 1], ["1.0", "0.0"], DEFAULT, ("0", "1"), [1, 0]),
        ([0, 1], [True, False], DEFAULT, ("0", "1"), [1, 0]),
        ([0, 1], ["True", "False"], DEFAULT, ("0", "1"), [1, 0]),
        ([False, True], [1, 0], DEFAULT, ("false", "true"), [1, 0]),
        (["False", "True"], [True, False], DEFAULT, ("False", "True"), [1, 0]),
        ([10, 9], [9, 10], DEFAULT, ("9", "10"), [0, 1]),
        (["10", "b"], ["b", "10"], DEFAULT, ("10", "b"), [1, 0]),
        (["01", "02"], ["02", "01"], DEFAULT, ("01", "02"), [1, 0]),
        (["b", "a"], ["a", "b"], ImportOptions(classes=("b", "a", "c")), ("b", "a", "c"), [1, 0]),
        ([0, 1], [1, 0], CLASSES, ("no", "yes"), [1, 0]),
        ([0, 1], ["yes", "no"], CLASSES, ("no", "yes"), [1, 0]),
        (["no", "yes"], [1, 0], CLASSES, ("no", "yes"), [1, 0]),
        ([0, 1], [2, 0], ImportOptions(classes=("0", "1", "2")), ("0", "1", "2"), [2, 0]),
        ([0.0, 1.0], [2, 0], ImportOptions(task="regression"), (), [2.0, 0.0]),
        ([0, 1], [0.5, 0], ImportOptions(task="regression"), (), [0.5, 0.0]),
        ([0.5, 1], ["0.5", "-1e-3"], DEFAULT, (), [0.5, -0.001]),
    ],
)
def test_what_labels_and_predictions_are(
    labels: list[Any], predictions: list[Any], options: ImportOptions, classes: tuple[str, ...], answered: list[float]
) -> None:
    runs = assembled(table(labels=labels) | {"prediction": predictions * 4}, options=options)
    assert runs.classes == classes
    assert runs.answers == ("classes" if classes else "numbers")
    assert all(run.answers.tolist() == [answered] for run in runs.runs)


def test_whole_numbers_with_a_point_are_classes_and_it_is_said() -> None:
    runs = assembled(table() | {"prediction": ["1.0"] * 12})
    assert runs.remarks == (
        "labels and predictions are whole numbers and are taken for classes; --task regression if they are none",
    )
    assert assembled(table() | {"prediction": ["1"] * 12}).remarks == ()


def test_numbers_that_turn_out_to_be_names_in_a_later_piece() -> None:
    columns = table(labels=[1, 2]) | {"prediction": [2, 1] * 4}
    first = {name: values[:6] for name, values in columns.items()}
    second = {name: values[6:] for name, values in columns.items()}
    second["prediction"] = ["b", "1"]
    third = {"arm": ["a", "a", "b", "b"], "run": [0, 1] * 2, "example": ["z"] * 4, "label": ["b"] * 4}
    third["prediction"] = ["1", "2", "1", "b"]
    runs = assembled(first, second, third)
    assert runs.classes == ("1", "2", "b")
    assert runs.labels is not None
    assert runs.labels.tolist() == [0, 1, 2]
    assert [run.answers[0].tolist() for run in runs.runs] == [[1, 0, 0], [1, 0, 1], [1, 0, 0], [2, 0, 2]]


@pytest.mark.parametrize(
    ("labels", "predictions", "options", "told"),
    [
        (
            ["no", "yes"],
            ["no", "yess"],
            DEFAULT,
            "the prediction of arm a, run 0 for example x1 is yess; the labels are no, yes; did you mean 'yes'? If "
            "these are classes without an example, --classes no,yes,yess; if they are numbers of classes, --classes "
            "with the names in that order",
        ),
        (
            [0, 1],
            [2, 3],
            DEFAULT,
            "the prediction of arm a, run 0 for example x0 is 2, and others are 3; the labels are 0, 1. If these are "
            "classes without an example, --classes 0,1,2,3; if they are numbers of classes, --classes with the names "
            "in that order",
        ),
        (["no", "maybe"], ["no", "no"], CLASSES, "the label maybe is none of the classes no, yes of --classes"),
        (
            [1, 1],
            [1, 1],
            DEFAULT,
            "all labels are 1: two classes are needed; --classes names those without an example",
        ),
        (
            [0, 1],
            [0, 0.9],
            DEFAULT,
            "the labels are whole numbers, and the prediction of arm a, run 0 for example x1 is 0.9: --task regression "
            "if numbers are predicted; if it is the probability of a class, such as 1, --column p_1=COLUMN",
        ),
        (
            [0, 0.5],
            [0, 0],
            ImportOptions(task="classification"),
            "the label 0.5 is no class: classes are texts or whole numbers; --column label=COLUMN names another column",
        ),
        (
            ["no", "yes"],
            [0.5, 1],
            DEFAULT,
            "the labels are texts, such as no, and the prediction of arm a, run 0 for example x0 is 0.5, a number: "
            "--column prediction=COLUMN names the column of the predicted class, --column p_CLASS=COLUMN that of "
            "the probability of a class, --column score=COLUMN that of a score",
        ),
        (
            [0, 0.5],
            ["0.5", "many"],
            ImportOptions(task="regression"),
            "a regression needs numbers, and the prediction of arm a, run 0 for example x1 is 'many'",
        ),
        (["a", "b"], [1, 2], ImportOptions(task="regression"), "a regression needs numbers, and a label is 'a'"),
    ],
)
def test_labels_and_predictions_that_do_not_fit(
    labels: list[Any], predictions: list[Any], options: ImportOptions, told: str
) -> None:
    assert problems(table(labels=labels) | {"prediction": predictions * 4}, options=options) == (told,)


def test_many_predictions_that_are_no_class() -> None:
    ids = [f"x{number}" for number in range(40)]
    answers = [f"answer {number}" for number in range(40)]
    (told,) = problems(table(labels=[0, 1] * 20) | {"prediction": answers * 4, "id": ids * 4})
    assert told == (
        "the prediction of arm a, run 0 for example x0 is answer 0, and others are answer 1, answer 2, answer 3, "
        "answer 4, answer 5 and 34 more; the labels are 0, 1. --column label=COLUMN and --column prediction=COLUMN "
        "name other columns"
    )


def test_classes_that_differ_in_capitals_alone_are_remarked() -> None:
    columns = table(labels=["no", "yes", "Yes "]) | {"prediction": ["no", "yes", "yes"] * 4}
    assert assembled(columns).remarks == ("'Yes ' and 'yes' are two classes, and differ in capitals or spaces alone",)


def test_whole_numbers_that_cannot_be_told_apart_are_no_classes() -> None:
    assert problems(table(labels=[0, 2**60, 2**60 + 1]) | {"prediction": [0] * 12}) == (
        "labels such as 1152921504606846976 are too large to be told apart; put a letter before each number",
    )


def test_free_answers_have_no_classes() -> None:
    texts = [f"the answer {number}" for number in range(40)]
    (told,) = problems(table(labels=texts) | {"prediction": texts * 4})
    assert told.startswith("the labels are 40 different values among 40 examples: free answers have no classes.")


def test_labels_that_are_missing() -> None:
    columns = table() | {"prediction": [0] * 12}
    columns["label"][7] = None
    assert problems(columns) == ("preds.csv, line 9: the label is missing",)


SHARES = np.tile([0.25, 0.5, 0.75], 4)


def test_probabilities_in_the_order_of_the_classes() -> None:
    # Names have the order of their columns, numbers their own.
    runs = assembled(table(labels=["b", "a", "b"]) | {"p_b": SHARES, "p_a": 1 - SHARES})
    assert runs.classes == ("b", "a")
    assert runs.labels is not None
    assert runs.labels.tolist() == [0, 1, 0]
    assert runs.runs[3].answers[0, :, 0].tolist() == [0.25, 0.5, 0.75]
    runs = assembled(table(labels=[1, 0, 1]) | {"p_1": SHARES, "p_0": 1 - SHARES})
    assert runs.classes == ("0", "1")
    assert runs.runs[3].answers[0, :, 1].tolist() == [0.25, 0.5, 0.75]
    runs = assembled(
        table(labels=["b", "a", "b"]) | {"p_1": SHARES, "p_0": 1 - SHARES}, options=ImportOptions(classes=("a", "b"))
    )
    assert runs.runs[3].answers[0, :, 1].tolist() == [0.25, 0.5, 0.75]


def test_the_probability_of_one_of_two_classes() -> None:
    for name, number in (("p_0", 0), ("p_1", 1)):
        runs = assembled(table() | {name: SHARES})
        assert runs.runs[0].answers[0, :, number].tolist() == [0.25, 0.5, 0.75]
        assert runs.runs[0].answers[0].sum(axis=1).tolist() == [1.0, 1.0, 1.0]


def test_a_prediction_that_the_probabilities_contradict() -> None:
    outputs = {"p_0": [0.7, 0.4, 0.5] * 4, "p_1": [0.3, 0.6, 0.5] * 4}
    # Of two that are equally large each may be predicted, and other names say nothing.
    for prediction in ([0, 1, 1], [0, 1, 0], ["no", "yes", "no"]):
        assert assembled(table() | outputs | {"prediction": prediction * 4}).answers == "probabilities"
    said = (
        "preds.csv, line 3: the prediction is 0, and the probabilities say otherwise; --column prediction=COLUMN takes "
        "the predictions, and --column p_CLASS=COLUMN for each class the probabilities (and 3 more rows)",
    )
    assert problems(table() | outputs | {"prediction": [0, 0, 1] * 4}) == said
    one = table() | {"p_1": [0.3, 0.6, 0.5] * 4}
    assert assembled(one | {"prediction": [0, 1, 1] * 4}).answers == "probabilities"
    assert problems(one | {"prediction": [0, 0, 1] * 4}) == said


def test_probabilities_that_do_not_add_up_may_be_logits() -> None:
    (told,) = problems(table() | {"p_0": SHARES, "p_1": SHARES})
    assert told == (
        "preds.csv, line 2: the probabilities add up to 0.5 and not to 1 (and 7 more rows); if these are logits, "
        "--logits makes probabilities of them"
    )


def test_logits_become_probabilities_when_asked_for() -> None:
    columns = table() | {"p_0": -5 * SHARES, "p_1": 700 * SHARES}
    assert problems(columns) == (
        "preds.csv, line 2: a probability is 175, outside 0 to 1 (and 11 more rows); these look like "
        "logits: --logits makes probabilities of them",
    )
    runs = assembled(columns, options=ImportOptions(logits=True))
    np.testing.assert_allclose(runs.runs[0].answers[0, :, 0], np.exp(-705 * SHARES[:3]), rtol=1e-6, atol=1e-38)
    one = assembled(table() | {"p_1": np.log(SHARES / (1 - SHARES))}, options=ImportOptions(logits=True))
    np.testing.assert_allclose(one.runs[0].answers[0, :, 1], SHARES[:3], rtol=1e-6)
    assert problems(table() | {"p_0": SHARES, "p_1": 1 - SHARES}, options=ImportOptions(logits=True)) == (
        "these outputs are probabilities: leave out --logits",
    )


def test_logits_that_are_not_finite_are_no_probabilities() -> None:
    columns = table() | {"p_0": [0.0] * 12, "p_1": [np.inf] * 12}
    assert problems(columns, options=ImportOptions(logits=True)) == (
        "preds.csv, line 2: the output for class 1 is missing or not finite (and 11 more rows)",
    )
    huge = table() | {"p_0": [-1e308] * 12, "p_1": [1e308, -1.5e308, 1e308] * 4}
    assert assembled(huge, options=ImportOptions(logits=True)).runs[0].answers[0, :, 1].tolist() == [1, 0, 1]


def test_probabilities_that_do_not_add_up() -> None:
    shares = SHARES.copy()
    shares[4] = 0.6
    shares[5] = np.nan
    assert problems(table() | {"p_0": shares, "p_1": 1 - SHARES}) == (
        "preds.csv, line 6: the probabilities add up to 1.1 and not to 1",
        "preds.csv, line 7: the output for class 0 is missing or not finite",
    )
    rounded = table() | {"p_0": SHARES + 4e-4, "p_1": 1 - SHARES}
    assert assembled(rounded).answers == "probabilities"


@pytest.mark.parametrize(
    ("names", "labels", "options", "told"),
    [
        (
            ("p_a", "p_b"),
            [0, 1],
            DEFAULT,
            "a probability is of class a, and others are b; the labels are 0, 1. If these are classes without an "
            "example, --classes 0,1,a,b; if they are numbers of classes, --classes with the names in that order",
        ),
        (
            ("p_0", "p_1"),
            [0, 1, 2],
            DEFAULT,
            "no output for class 2: there are outputs for 0, 1; name its column with --column p_CLASS=COLUMN",
        ),
        (
            ("p_0", "p_1"),
            [0, 1],
            ImportOptions(task="regression"),
            "probabilities of classes are there, and a regression has none: leave out --task",
        ),
    ],
)
def test_probabilities_that_do_not_fit_the_labels(
    names: tuple[str, str], labels: list[int], options: ImportOptions, told: str
) -> None:
    columns = table(labels=labels)
    shares = np.resize([0.25, 0.5], len(columns["arm"]))
    assert problems(columns | {names[0]: shares, names[1]: 1 - shares}, options=options) == (told,)


def test_files_of_unlike_answers() -> None:
    classes = rows_of(table(arms=["a"]) | {"prediction": [0] * 6}, file="a.csv")
    probabilities = rows_of(table(arms=["b"]) | {"p_0": SHARES[:6], "p_1": 1 - SHARES[:6]}, file="b.csv")
    assert problems(classes, probabilities) == (
        "b.csv holds probabilities, and a.csv predictions; all files need the same",
    )
    named = rows_of(table(arms=["a"]) | {"p_no": SHARES[:6], "p_1": 1 - SHARES[:6]}, file="c.csv")
    assert problems(probabilities, named) == (
        "c.csv has outputs for no, 1, and files before it for 0, 1; all need the same",
    )
    assert problems(rows_of(table(), file="d.csv")) == (
        "d.csv holds no prediction, no probability and no score; name the column with --column prediction=COLUMN, "
        "--column p_CLASS=COLUMN or --column score=COLUMN",
    )


def test_scores_of_several_names() -> None:
    columns = table() | {"s_em": [1] * 12, "s_f1": [0.5] * 12}
    assert problems(columns) == ("preds.csv holds several scores: choose with --metric 'em' or 'f1'",)
    assert assembled(columns, options=ImportOptions(metric="f1")).runs[0].answers.tolist() == [[0.5] * 3]
    assert problems(columns, options=ImportOptions(metric="f2")) == ("preds.csv holds no score 'f2' (there: em, f1)",)
    both = columns | {"prediction": [0] * 12}
    assert assembled(both, options=ImportOptions(metric="f1")).answers == "scores"
    assert assembled(both, options=ImportOptions(metric="accuracy")).answers == "classes"


def test_scores_that_go_both_ways() -> None:
    up = rows_of(table(arms=["a"]) | {"s_em": [1] * 6}, file="a.csv", higher_is_better=True)
    down = rows_of(table(arms=["b"]) | {"s_em": [1] * 6}, file="b.csv", higher_is_better=False)
    assert problems(up, down) == ("the score em is better higher in a.csv and lower in b.csv; all files need the same",)
    assert not assembled(up, down, options=ImportOptions(lower_is_better=True)).higher_is_better


def test_files_of_several_versions_of_a_tool() -> None:
    one = rows_of(table(arms=["a"]) | {"s_em": [1] * 6}, file="a.jsonl", tool="lm-eval", version="0.4.12")
    two = rows_of(table(arms=["b"]) | {"s_em": [1] * 6}, file="b.jsonl", tool="lm-eval", version="0.4.13")
    assert problems(one, two) == (
        "the files are not of one tool and version, which may score differently: lm-eval 0.4.12 wrote a.jsonl; lm-eval "
        "0.4.13 wrote b.jsonl. Import those of one",
    )


def test_a_file_that_cannot_be_read_is_told_beside_the_faults_of_the_others() -> None:
    assembly = Assembly(DEFAULT)
    assembly.add(rows_of(table(arms=["a"]) | {"prediction": [0, None, *[0] * 4]}, file="a.csv"))
    assembly.refuse(SourceError(["b.csv cannot be read"]))
    with pytest.raises(SourceError) as error:
        assembly.runs()
    # Nothing about the arm that is now missing.
    assert error.value.problems == (
        "b.csv cannot be read",
        "a.csv, line 3: the prediction is missing or not finite",
    )


def test_columns_of_lists_are_refused() -> None:
    columns = table() | {"prediction": [0] * 12, "label": [[0]] * 12}
    assert problems(columns) == ("preds.csv: label holds list<item: int64>, and texts or numbers are needed",)


def test_what_files_say_of_themselves_is_passed_on_once() -> None:
    pieces = [
        replace(
            rows_of(table(arms=[arm]) | {"s_em": [1] * 6}), understood=(("score", "column em"),), remarks=("Noted.",)
        )
        for arm in "ab"
    ]
    runs = assembled(*pieces)
    assert runs.understood == (("score", "column em"),)
    assert runs.remarks == ("Noted.",)


def test_numbers_out_of_all_bounds() -> None:
    huge = [1e300, -np.inf, *[0.5] * 10]
    assert problems(table() | {"p_0": huge, "p_1": [0.5] * 12}) == (
        "preds.csv, line 2: a probability is 1e+300, outside 0 to 1",
        "preds.csv, line 3: the output for class 0 is missing or not finite",
    )
    logits = table() | {"p_0": [1.7e308, *[2.0] * 11], "p_1": [-1.7e308, *[2.0] * 11]}
    runs = assembled(logits, options=ImportOptions(logits=True))
    assert runs.runs[0].answers[0, :2].tolist() == [[1.0, 0.0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("answered", "options", "expected"),
    [
        (
            {"prediction": [0] * 12},
            {"logits": True},
            "these are predictions, and no outputs of classes: leave out --logits",
        ),
        ({"s_em": [0.5] * 12}, {"logits": True}, "these are scores, and no outputs of classes: leave out --logits"),
        (
            {"prediction": [0] * 12},
            {"lower_is_better": True},
            "these are predictions, and no scores: leave out --lower-is-better",
        ),
    ],
)
def test_options_of_other_answers_are_refused(answered: Any, options: Any, expected: str) -> None:
    assert problems(table() | answered, options=ImportOptions(**options)) == (expected,)
