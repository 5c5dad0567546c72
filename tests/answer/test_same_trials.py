"""Two results folders, compared trial by trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analysis.errors import AnalysisError
from analysis.records.loading import load
from answer.same_trials import compare_trials
from tests.analysis.conftest import write_study


def test_trials_are_compared_by_arm_and_seed(tmp_path: Path) -> None:
    right = np.ones((3, 10), dtype=np.int64)
    right[:, 7:] = 0
    again = right.copy()
    again[1, 0] = 0
    again[1, 8:] = 1
    write_study(tmp_path / "first", {"recipe": right})
    second = write_study(tmp_path / "second", {"recipe": again})
    second.forget("recipe", 2)

    def nudged(table: pa.Table) -> pa.Table:
        for name, by in (("p_0", 0.01), ("p_1", -0.01)):
            moved = pa.array(table[name].to_numpy() + np.float32(by), pa.float32())
            table = table.set_column(table.column_names.index(name), name, moved)
        return table

    second.change_predictions("recipe", 0, nudged)
    second.change_record("recipe", 0, lambda content: content.pop("predictions_sha256", None))
    second.change_record("recipe", 1, lambda content: content["device"].update(threads=2))
    same, other = compare_trials(load(tmp_path / "first"), load(tmp_path / "second"))
    assert (same.name, same.differ, same.gap, same.n_examples) == ("recipe seed 0", 0, 0, 10)
    assert same.largest == pytest.approx(0.01, abs=1e-3)
    assert (other.name, other.differ, other.gap, other.threads) == ("recipe seed 1", 3, 1, (None, 2))
    assert other.largest == pytest.approx(0.8, abs=1e-6)


def test_other_examples_and_classes_alone_are_refused(tmp_path: Path) -> None:
    write_study(tmp_path / "first", {"recipe": np.ones((1, 10), dtype=np.int64)})
    write_study(tmp_path / "longer", {"recipe": np.ones((1, 12), dtype=np.int64)})
    with pytest.raises(AnalysisError, match="not scored on the same examples"):
        compare_trials(load(tmp_path / "first"), load(tmp_path / "longer"))
