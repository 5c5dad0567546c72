"""The files about a study as a whole: never trusted when they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.records.format import NEWER_FORMAT
from harness.data.splits import TextSplit
from harness.errors import ResultsError
from harness.records.study_files import StudyFiles

BROKEN_MANIFESTS = {
    "[]": "expected an object, got a list",
    "{": "EOF while parsing",
    '{"format": 1}': "selection: it is missing; data: it is missing",
}


@pytest.mark.parametrize("content", BROKEN_MANIFESTS)
def test_a_manifest_that_cannot_be_used_says_every_problem_and_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ResultsError) as caught:
        StudyFiles(tmp_path).manifest()
    assert BROKEN_MANIFESTS[content] in str(caught.value)
    assert f"mv {tmp_path}/study.json {tmp_path}/study.json.broken" in str(caught.value)


def test_a_manifest_of_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"format": NEWER_FORMAT + 1}))
    with pytest.raises(ResultsError, match="reads formats 1 and 2: update"):
        StudyFiles(tmp_path).manifest()


def test_texts_are_written_a_pair_in_two_lines_and_removed(tmp_path: Path) -> None:
    files = StudyFiles(tmp_path)
    files.write_examples(
        TextSplit(split="test", ids=("x", "y"), labels=np.array([1, 0]), texts=(("good", "fine"), ("bad", "")))
    )
    stored = pq.read_table(tmp_path / "examples.parquet").to_pydict()
    assert stored == {"example_id": ["x", "y"], "text": ["good\nfine", "bad\n"], "label": [1, 0]}
    assert files.remove_examples()
    assert not files.remove_examples()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    files = StudyFiles(tmp_path / "none")
    assert (files.manifest(), files.looks(), files.timing()) == (None, (), None)
