"""A DataFrame is read as the same table in a file would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.errors import SourceError
from analysis.sources.assembly import assemble
from analysis.sources.frames import rows_of_frame
from analysis.sources.options import ImportOptions
from analysis.sources.runs import Runs

DEFAULT = ImportOptions()


def frame(**columns: Any) -> pd.DataFrame:
    cells = [
        (model, seed, id_, gold) for model in "ab" for seed in (1, 2) for id_, gold in (("007", "yes"), ("x", "no"))
    ]
    long = pd.DataFrame(cells, columns=["model", "seed", "id", "gold"])
    return long.assign(**({"pred": ["yes", "no", "no", "no"] * 2} | columns))


def runs_of(table: pd.DataFrame, options: ImportOptions = DEFAULT) -> Runs:
    return assemble(rows_of_frame(table, options), options)


def test_a_frame() -> None:
    runs = runs_of(frame(text="?"))
    assert runs.classes == ("no", "yes")
    assert runs.example_ids.to_pylist() == ["007", "x"]
    assert [(run.arm, run.label) for run in runs.runs] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert [run.answers[0].tolist() for run in runs.runs] == [[1, 0], [0, 0]] * 2
    assert dict(runs.understood)["arm"] == "column model"
    assert runs.runs[0].sources[0].path == "the frame"


@pytest.mark.parametrize(
    "same",
    [
        lambda long: long.set_index(["model", "seed"]),
        lambda long: long.set_index("id", append=True),
        lambda long: long.astype({"model": "category", "gold": "category", "seed": "float64"}),
        lambda long: long.astype({"model": "object", "id": "object", "seed": "Int64", "pred": "string"}),
        lambda long: long.sort_values("model", ascending=False, kind="stable").sort_values("model", kind="stable"),
    ],
    ids=["runs in the index", "ids in the index", "categories", "objects", "an index out of order"],
)
def test_the_same_frame_in_other_forms(same: Any) -> None:
    expected, runs = runs_of(frame()), runs_of(same(frame()))
    assert runs.example_ids.equals(expected.example_ids)
    assert [(run.arm, run.label) for run in runs.runs] == [(run.arm, run.label) for run in expected.runs]
    assert [run.answers.tolist() for run in runs.runs] == [run.answers.tolist() for run in expected.runs]


def test_columns_without_a_text_as_their_name_and_ids_of_several_kinds() -> None:
    table = frame(id=[7, "x"] * 4, p=0.5).drop(columns="pred")
    table[0] = table[1] = np.float32(0.5)
    runs = runs_of(table, ImportOptions(columns={"p_no": "0", "p_yes": "1"}))
    assert runs.answers == "probabilities"
    assert runs.example_ids.to_pylist() == ["7", "x"]


@pytest.mark.parametrize(
    ("seeds", "names"),
    [
        ([10**30, 10**30 + 1], [str(10**30), str(10**30 + 1)]),
        ([1j, 2j], ["1j", "2j"]),
        ([1.0, "b"], ["1", "b"]),
    ],
)
def test_runs_of_any_kind_have_names(seeds: Any, names: list[str]) -> None:
    runs = runs_of(frame(seed=[seeds[0], seeds[0], seeds[1], seeds[1]] * 2))
    assert [run.label for run in runs.runs] == names * 2
    sparse = runs_of(frame(seed=pd.arrays.SparseArray([0, 0, 5, 5] * 2)))
    assert [run.label for run in sparse.runs] == ["0", "5"] * 2


def test_what_is_wrong_is_told_with_its_row() -> None:
    with pytest.raises(SourceError) as error:
        runs_of(frame(pred=["yes", None, *["no"] * 6], id=["x", "y"] * 3 + ["x", "x"]))
    assert error.value.problems[:2] == (
        "the frame, row .iloc[1]: the prediction is missing or not finite",
        "the frame, row .iloc[7]: the label of example x is no, and was yes before; every run needs the same labels",
    )
    with pytest.raises(SourceError, match="the frame: no column says which arm"):
        runs_of(frame().drop(columns="model"))
    with pytest.raises(SourceError, match="the frame holds no rows"):
        runs_of(frame().iloc[:0])
    with pytest.raises(SourceError, match="the frame has two columns 'id'; rename one"):
        runs_of(pd.concat([frame(), frame()[["id"]]], axis=1))
