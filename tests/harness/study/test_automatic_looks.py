"""`looks: auto` in a study file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StudyError
from harness.study.loading import load_study
from harness.study.looks import automatic_looks

FILE = """\
name: s
model: m
data: {path: d}
training: {learning_rate: 1e-4}
arms: {a: {}, b: {training: {learning_rate: 2e-4}}}
seeds: SEEDS
analysis: {baseline: a, looks: auto}
"""


def write(folder: Path, seeds: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(FILE.replace("SEEDS", seeds))
    return path


@pytest.mark.parametrize(
    ("seeds", "looks"),
    [("20", [6, 9, 12, 15, 20]), ("5", [4, 5]), ("[9, 7, 5, 3, 1, 0]", [4, 6]), ("100", [30, 45, 60, 75, 100])],
)
def test_it_stands_for_shares_of_the_seeds_from_four_on(tmp_path: Path, seeds: str, looks: list[int]) -> None:
    assert load_study(write(tmp_path, seeds)).analysis["looks"] == looks


def test_looks_always_rise_and_end_with_the_seeds() -> None:
    for n in range(5, 300):
        looks = automatic_looks(n)
        assert looks[0] >= 4
        assert looks[-1] == n
        assert all(before < after for before, after in itertools.pairwise(looks))
        assert len(looks) >= 2


def test_other_looks_stay_as_they_are_written(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, "20"), ["analysis.looks=[6, 20]"]).analysis["looks"] == [6, 20]
    assert "looks" not in load_study(write(tmp_path, "4"), ["analysis={baseline: a}"]).analysis


def test_too_few_seeds_are_said_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, "4"))
    assert "analysis.looks: auto takes more than 4 seeds, got 4; give more seeds, or leave looks out" in str(
        caught.value
    )


def test_what_is_wrong_with_the_seeds_is_said_of_them_alone(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, "many"))
    assert "analysis.looks" not in str(caught.value)
    assert "seeds" in str(caught.value)


def test_seeds_by_source_have_no_looks_and_the_checks_of_the_plan_say_so(tmp_path: Path) -> None:
    seen = []

    def check(raw: Mapping[str, Any], arms: Sequence[str]) -> list[Any]:
        seen.append(raw["analysis"]["looks"])
        return []

    load_study(write(tmp_path, "{initialisation: 5, data_order: 4}"), checks=[check])
    assert seen == ["auto"]
