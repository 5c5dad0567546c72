"""Comparison in memory: every kind of array, the plan as arguments, and what is wrong in the words of Python."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from analysis import tables
from analysis.errors import PlanError, SourceError
from analysis.study.in_memory import compare

N, SEEDS = 120, 5
LABELS = np.arange(N) % 3


def right(rng: np.random.Generator, **accuracies: float) -> dict[str, NDArray[np.bool_]]:
    return {arm: rng.random((SEEDS, N)) < accuracy for arm, accuracy in accuracies.items()}


def classes_of(rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    return {
        arm: np.where(ones, LABELS, (LABELS + 1) % 3) for arm, ones in right(rng, full=0.9, half=0.6, same=0.9).items()
    }


def probabilities_of(rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    return {arm: np.eye(3)[said] * 0.7 + 0.1 for arm, said in classes_of(rng).items()}


def test_classes_and_probabilities_are_judged_alike(rng: np.random.Generator) -> None:
    by_class = compare(classes_of(np.random.default_rng(1)), labels=LABELS, resamples=99)
    by_probability = compare(probabilities_of(np.random.default_rng(1)), labels=LABELS, resamples=99)
    assert [one.verdict.label for one in by_class.comparisons] == ["worse", "undecided"]
    assert by_class.to_json()["comparisons"] == by_probability.to_json()["comparisons"]
    assert np.isnan(by_class.arms[0].calibration_error)
    assert by_probability.arms[0].calibration_error > 0
    logits = {arm: np.log(p) for arm, p in probabilities_of(np.random.default_rng(1)).items()}
    again = compare(logits, labels=LABELS, logits=True, metric="log_loss", resamples=99)
    assert again.plan.metric == "log_loss"
    assert again.comparisons[0].result is not None
    assert again.comparisons[0].result.estimate > 0


def test_numbers_are_a_regression(rng: np.random.Generator) -> None:
    truth = rng.normal(size=N)
    data = {"sharp": truth + rng.normal(0, 0.2, (SEEDS, N)), "blunt": truth + rng.normal(0, 1.5, (SEEDS, N))}
    report = compare(data, labels=truth, task="regression", metric="mse", margin=0.1, resamples=99)
    assert report.comparisons[0].verdict.label == "worse"
    assert compare(data, labels=truth, resamples=99).plan.metric == "pearson"


def test_scores_are_any_numbers(rng: np.random.Generator) -> None:
    data = {"a": rng.normal(5, 1, (SEEDS, N)), "b": rng.normal(4, 1, (SEEDS, N))}
    report = compare(data, metric="reward", margin=0.5, resamples=99)
    assert (report.plan.kind.title, report.comparisons[0].verdict.label) == ("reward", "worse")
    report = compare(data, metric="error", margin=0.5, lower_is_better=True, resamples=99)
    assert report.comparisons[0].verdict.label == "better"


def test_the_plan_is_in_the_arguments(rng: np.random.Generator) -> None:
    report = compare(
        classes_of(rng),
        labels=np.array(["x", "y", "z"])[LABELS],
        classes=["x", "y", "z"],
        seeds=[3, 4, 5, 6, 7],
        metric="macro_f1",
        baseline="same",
        comparisons=[("half", "full")],
        margin=0.03,
        alpha=0.01,
        resamples=99,
        name="mine",
    )
    assert [one.name for one in report.comparisons] == ["full against same", "half against same", "half against full"]
    assert (report.plan.metric, report.plan.margin, report.plan.alpha) == ("macro_f1", 0.03, 0.01)
    assert (report.name, report.seeds) == ("mine", (3, 4, 5, 6, 7))
    assert "macro-F1" in tables.markdown(report)


def test_a_table_is_judged_as_arrays_are(rng: np.random.Generator) -> None:
    data = classes_of(rng)
    rows = [
        {"method": arm, "repeat": run, "idx": i, "gold": LABELS[i], "guess": said[run, i]}
        for arm, said in data.items()
        for run in range(SEEDS)
        for i in range(N)
    ]
    table = pd.DataFrame(rows)
    columns = {"arm": "method", "run": "repeat", "prediction": "guess"}
    by_table = compare(table, columns=columns, baseline="full", resamples=99)
    by_array = compare(data, labels=LABELS, resamples=99)
    assert by_table.to_json()["comparisons"] == by_array.to_json()["comparisons"]
    with pytest.raises(SourceError, match="labels, clusters: expected beside arrays alone"):
        compare(table, labels=LABELS, clusters=LABELS.tolist())
    with pytest.raises(SourceError, match=r'columns=\{"arm": '):
        compare(table.rename(columns={"method": "which"}))


def test_groups_of_examples(rng: np.random.Generator) -> None:
    data = classes_of(rng)
    report = compare(data, labels=LABELS, clusters=[i // 4 for i in range(N)], resamples=99)
    assert report.n_clusters == N // 4
    with pytest.raises(ValueError, match="the group of each of the 120 examples, got 3"):
        compare(data, labels=LABELS, clusters=[1, 2, 3])


def test_one_run_of_each_arm_gives_no_verdict(rng: np.random.Generator) -> None:
    report = compare({arm: said[:1] for arm, said in classes_of(rng).items()}, labels=LABELS, resamples=99)
    assert {one.verdict.label for one in report.comparisons} == {"no verdict"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"baseline": "ful"}, ["baseline: ", "did you mean 'full'?"]),
        ({"metric": "auroc", "margin": 3.0}, ["margin: ", "\nmetric: ", "no probabilities"]),
        ({"alpha": 1.0, "comparisons": [("full", "none")]}, ["alpha: ", "comparisons[0].baseline: "]),
    ],
)
def test_a_plan_that_does_not_fit_names_the_argument(
    change: dict[str, Any], words: list[str], rng: np.random.Generator
) -> None:
    with pytest.raises(PlanError) as refused:
        compare(classes_of(rng), labels=LABELS, **change)
    for word in words:
        assert word in str(refused.value)
    assert "analysis." not in str(refused.value)


def test_options_of_the_command_are_arguments_here(rng: np.random.Generator) -> None:
    logits = {arm: 9 * p for arm, p in probabilities_of(rng).items()}
    with pytest.raises(SourceError, match="logits=True"):
        compare(logits, labels=LABELS)
    with pytest.raises(SourceError, match='task="regression"'):
        compare({arm: said + 0.5 for arm, said in classes_of(rng).items()}, labels=LABELS)
    with pytest.raises(SourceError, match="a comparison needs two"):
        compare({"full": classes_of(rng)["full"]}, labels=LABELS)


def test_arms_may_be_numbers(rng: np.random.Generator) -> None:
    data = classes_of(rng)
    report = compare({4: data["full"], 8: data["half"]}, labels=LABELS, resamples=99)
    assert [one.name for one in report.comparisons] == ["8 against 4"]
    with pytest.raises(SourceError, match="two arms are written 4"):
        compare({4: data["full"], "4": data["half"]}, labels=LABELS)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data": [1, 2]}, "expected a pandas DataFrame, or arrays by arm, such as .*, got builtins.list"),
        ({"columns": {"arm": "x"}}, "columns: expected beside a table alone, got arrays"),
        ({"classes": "01"}, "classes: expected two different names or more, such as .*, got '01'"),
        ({"classes": ["0", "0"]}, "classes: expected two different names or more"),
        ({"task": "ranking"}, "task: expected 'classification' or 'regression', got 'ranking'"),
        ({"comparisons": ["ab"]}, "comparisons: expected a treatment and its baseline, such as .*, got 'ab'"),
        ({"resamples": 1}, "resamples: expected a whole number from 2 on, got 1"),
        ({"name": 5}, "name: expected a text, got 5"),
    ],
)
def test_arguments_of_another_kind_are_named(change: dict[str, Any], problem: str, rng: np.random.Generator) -> None:
    with pytest.raises(SourceError, match=problem):
        compare(**{"data": classes_of(rng), "labels": LABELS, **change})


def test_all_arguments_that_are_wrong_are_told_at_once(rng: np.random.Generator) -> None:
    with pytest.raises(SourceError) as refused:
        compare(classes_of(rng), labels=LABELS, task="ranking", resamples=0)  # type: ignore[arg-type]
    assert len(refused.value.problems) == 2


def test_class_names_may_be_numbers(rng: np.random.Generator) -> None:
    report = compare(classes_of(rng), labels=LABELS, classes=np.arange(4), resamples=99)  # type: ignore[arg-type]
    assert report.comparisons[0].verdict.label == "worse"


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_an_example_without_a_group_is_in_none(missing: Any, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"the group of each example, got .* for that at 3"):
        compare(classes_of(rng), labels=LABELS, clusters=[0, 1, 2, missing, *range(4, N)])


def answered(**change: Any) -> pd.DataFrame:
    """Return a table with columns in the place of its own; a name with None leaves one out."""
    rows = [
        {"model": arm, "seed": seed, "id": i, "label": "yn"[i % 2], "pred": "yn"[(i + seed) % 2]}
        for arm in ("full", "lora-r8")
        for seed in (1, 2)
        for i in range(6)
    ]
    frame = pd.DataFrame(rows).assign(**{name: values for name, values in change.items() if values is not None})
    return frame.drop(columns=[name for name, values in change.items() if values is None])


HALVES = np.full(24, 0.5)
REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (answered(model=None), {}, 'columns={"arm": "COLUMN"} (there'),
    (answered(id=None), {}, 'columns={"example": "COLUMN"}'),
    (answered(pred=None), {}, 'columns={"prediction": "COLUMN"}'),
    (answered().rename(columns={"label": "right answer"}), {}, 'columns={"label": "right answer"}'),
    (answered().rename(columns={"seed": "my try"}), {}, 'may be it: columns={"run": "my try"} (and 11 more rows)'),
    (answered(seed=1), {}, 'columns={"run": "COLUMN"}, columns={"example": "COLUMN"} or columns={"epoch": "COLUMN"}'),
    (answered(method="x"), {}, 'choose with columns={"arm": "model"}'),
    (answered(), {"columns": {"thing": "my text"}}, 'columns={"thing": "my text"}: the roles'),
    (answered(model="full"), {}, 'columns={"arm": "COLUMN"} names another column'),
    (answered(label=[*"yn" * 11, "y", None]), {}, "the label is missing"),
    (answered(pred="very good"), {}, 'classes=["n", "y", "very good"]; if they are numbers of classes, classes with'),
    (answered(pred=[f"t{i}" for i in range(24)]), {}, 'columns={"prediction": "COLUMN"} name other columns'),
    (answered(label="y"), {}, "two classes are needed; classes names those"),
    (answered(), {"classes": ["a", "b"]}, "none of the classes a, b of classes"),
    (answered(label=[f"t{i % 6}" for i in range(24)], pred=0.5), {}, 'columns={"p_CLASS": "COLUMN"} that of'),
    (answered(label=0, pred=0.5), {}, 'task="regression" if numbers are predicted; if it is the'),
    (answered(label=[i % 6 * 0.5 for i in range(24)], pred=None, p_0=HALVES), {}, 'columns={"label": "COLUMN"}'),
    (answered(pred=None, p_y=HALVES, p_n=HALVES), {"logits": True}, "leave out logits=True"),
    (answered(pred=None, p_y=HALVES, p_n=HALVES), {"task": "regression"}, "leave out task"),
    (answered(pred=None, p_y=9.0, p_n=-9.0), {}, "logits=True makes probabilities of them"),
    (answered(logit_y=9.0, logit_n=0.0), {}, 'logits=True takes their softmax, columns={"prediction": "pred"}'),
    (answered(pred=None, p_y=HALVES, p_z=HALVES), {"classes": list("ynz")}, 'columns={"p_CLASS": "COLUMN"}'),
    (answered(pred=None, p_y=HALVES, prob_y=HALVES), {}, 'choose with columns={"p_y": "prob_y"}'),
    (answered(p_y=[0.9, 0.1] * 12, p_n=[0.1, 0.9] * 12), {}, 'columns={"prediction": "COLUMN"} takes the predictions'),
    (answered(), {"logits": True, "lower_is_better": True}, "leave out lower_is_better=True"),
    (answered(**{"label": None, "pred": None, "exact match": HALVES, "f1": 7}), {}, 'metric="exact match"'),
    (answered().iloc[1:], {}, "common_examples=True leaves out the 1"),
    (
        answered().iloc[[0, 1, 8, 9, 12, 13, 20, 21]].drop(columns="id").assign(id=range(8)),
        {"common_examples": True},
        "common_examples=True leaves none",
    ),
    (answered(seed=[1] * 6 + [2] * 6 + [2] * 6 + [3] * 6), {}, "do not share a seed, paired=False"),
    ({"full": [[0.5, 1.0]], "lora": [[1.0, 0.0]]}, {"labels": [0, 1]}, 'task="regression"'),
    ({"full": [[0, 1]]}, {"labels": [0, 1]}, "a comparison needs two"),
]


@pytest.mark.parametrize(("data", "arguments", "told"), REFUSED, ids=[told for _, _, told in REFUSED])
def test_no_message_speaks_of_options(data: Any, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(SourceError) as error:
        compare(data, **arguments)
    message = str(error.value)
    assert told in message
    assert "--" not in message
    assert "=COLUMN" not in message
    assert "FILE" not in message


def test_remarks_speak_of_arguments_too() -> None:
    numbers = {arm: np.array(said, dtype=np.float64) for arm, said in {"a": [[1, 0]], "b": [[0, 0]]}.items()}
    report = compare(numbers, labels=np.array([1.0, 0.0]), resamples=9)
    told = [caveat.text for caveat in report.footer.caveats]
    assert any('task="regression" if they are none' in text for text in told)


def test_arrays_need_no_pandas() -> None:
    code = (
        "import sys, analysis\n"
        "analysis.compare({'a': [[1, 0], [1, 1]], 'b': [[0, 0], [1, 0]]}, labels=[1, 0], resamples=9)\n"
        "assert not {'pandas', 'torch', 'harness'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
