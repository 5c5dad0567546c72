from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special

from analysis.errors import PlanError
from analysis.methods.looks import thresholds
from analysis.records.loading import load
from analysis.study.analysis_block import check_plan, parse_plan
from analysis.study.looks import Look, current_look

if TYPE_CHECKING:
    from conftest import StudyFolder

# Boundaries of z at five equally spaced looks, two-sided alpha .05, O'Brien-Fleming spending.
# Reboussin, DeMets, Kim and Lan (2000), Controlled Clinical Trials 21, 190-207.
BOUNDARIES = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]


@pytest.fixture
def written(tmp_path: Path, write_study: Any) -> Callable[..., StudyFolder]:
    def write(seeds: int) -> StudyFolder:
        ones = np.ones((seeds, 4), dtype=int)
        folder: StudyFolder = write_study(tmp_path / "s", {"full": ones, "lora": ones})
        return folder

    return write


def look_at(folder: StudyFolder, looks: list[int], **plan: Any) -> Look:
    look = current_look(load(folder.root), parse_plan({"looks": looks, **plan}, arms=["full", "lora"]))
    assert look is not None
    return look


def test_a_plan_without_looks_has_none(written: Any) -> None:
    assert current_look(load(written(3).root), parse_plan({}, arms=["full", "lora"])) is None


def test_before_the_first_look_there_is_no_number_and_no_threshold(written: Any) -> None:
    folder = written(6)
    for arm in ("full", "lora"):
        for seed in (3, 4, 5):
            folder.forget(arm, seed)
    look = look_at(folder, [4, 6])
    assert (look.number, look.seeds, look.is_last) == (0, (), False)
    assert look.waiting == "not run: full seed 3, lora seed 3"
    assert math.isnan(look.threshold)
    assert math.isnan(look.level(0.05))
    assert look.earlier(()) == ()


@pytest.mark.parametrize(("done", "number"), [(3, 0), (4, 1), (5, 1), (6, 2)])
def test_a_look_is_reached_with_its_last_seed(written: Any, done: int, number: int) -> None:
    folder = written(6)
    for seed in range(done, 6):
        folder.forget("lora", seed)
    look = look_at(folder, [4, 6])
    assert look.number == number
    assert look.seeds == tuple(range((0, 4, 6)[number]))
    assert look.is_last == (number == 2)
    assert (look.waiting == "") == (number == 2)


def test_a_study_too_small_for_the_next_look_says_so(written: Any) -> None:
    folder = written(5)
    assert look_at(folder, [4, 6]).waiting == "6 seeds; the study has 5"
    assert look_at(folder, [6, 8]).waiting == "6 seeds; the study has 5"


def test_seeds_beyond_the_last_look_are_not_taken_up(written: Any) -> None:
    look = look_at(written(8), [4, 6])
    assert (look.number, look.seeds, look.waiting) == (2, (0, 1, 2, 3, 4, 5), "")


def test_a_gap_in_the_first_seeds_holds_every_look_back_whatever_came_later(written: Any) -> None:
    folder = written(6)
    folder.forget("lora", 1)
    look = look_at(folder, [4, 6])
    assert (look.number, look.waiting) == (0, "not run: lora seed 1")


@pytest.mark.parametrize(("status", "number"), [("diverged", 2), ("failed", 0), ("interrupted", 0)])
def test_a_trial_that_runs_again_holds_a_look_back_and_a_diverged_one_does_not(
    written: Any, status: str, number: int
) -> None:
    folder = written(6)
    folder.end("lora", 2, status, "x")
    look = look_at(folder, [4, 6])
    assert look.number == number
    assert look.waiting == ("" if number else f"{status}: lora seed 2")


def test_an_unreadable_trial_holds_a_look_back(written: Any) -> None:
    folder = written(6)
    (folder.trial("full", 5) / "record.json").write_text("{")
    look = look_at(folder, [4, 6])
    assert (look.number, look.waiting) == (1, "unreadable: full seed 5")


@pytest.mark.parametrize(("number", "boundary"), list(enumerate(BOUNDARIES, start=1)))
def test_levels_are_the_published_boundaries(number: int, boundary: float) -> None:
    look = Look(looks=(4, 8, 12, 16, 20), number=number, seeds=(), waiting="", threshold=math.nan, left={})
    assert -special.ndtri(look.level(0.05) / 2) == pytest.approx(boundary, abs=1.2e-4)


def test_the_level_follows_alpha(written: Any) -> None:
    look = look_at(written(4), [4, 6], alpha=0.1)
    assert look.threshold == look.level(0.1) == thresholds([4, 6], alpha=0.1)[0]
    assert look.level(0.05) == thresholds([4, 6], alpha=0.05)[0] < look.threshold < 0.1


def test_seeds_follow_their_history_and_the_first_look_keeps_its_own(written: Any) -> None:
    folder = written(9)
    history = [
        {"seeds": seeds, "frozen": "2026-11-01T09:59:00Z", "trials_finished": 0} for seeds in ([4, 5, 6, 7], range(9))
    ]
    folder.change_manifest(
        lambda content: content.update(seed_history=[{**e, "seeds": list(e["seeds"])} for e in history])
    )
    assert load(folder.root).seeds == (4, 5, 6, 7, 0, 1, 2, 3, 8)
    folder.forget("lora", 0)
    look = look_at(folder, [4, 8])
    assert (look.number, look.seeds, look.waiting) == (1, (4, 5, 6, 7), "not run: lora seed 0")


def test_a_dropped_seed_is_in_no_look(written: Any) -> None:
    look = look_at(written(6), [4, 6])
    assert look.earlier(range(6)) == ((0, 1, 2, 3), (0, 1, 2, 3, 4, 5))
    assert look.earlier((0, 2, 3, 5)) == ((0, 2, 3), (0, 2, 3, 5))
    assert look.earlier((4, 5)) == ((), (4, 5))


@pytest.mark.parametrize(
    ("looks", "path", "received"),
    [
        ([6, 4], "analysis.looks", "[6, 4]"),
        ([4, 4], "analysis.looks", "[4, 4]"),
        ([4], "analysis.looks", "[4]"),
        ([3, 6], r"analysis.looks[0]", "got 3"),
        ([4, 10_001], r"analysis.looks[1]", "got 10001"),
        (list(range(4, 105)), "analysis.looks", "at most 100 looks, got 101"),
        ([4, 6.0], r"analysis.looks[1]", "got 6.0"),
        (["4", 6], r"analysis.looks[0]", "got '4'"),
        (8, "analysis.looks", "got 8"),
        ("4, 6", "analysis.looks", "got '4, 6'"),
        ({"first": 4}, "analysis.looks", "got a mapping"),
    ],
)
def test_looks_that_cannot_be_used_are_named(looks: Any, path: str, received: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan({"looks": looks}, arms=["full"])
    assert str(caught.value).startswith(f"{path}: expected ")
    assert received in str(caught.value)


def test_no_looks_at_all_is_a_plan(written: Any) -> None:
    assert check_plan({"looks": []}, None, arms=["full"]) == []
    assert current_look(load(written(2).root), parse_plan({"looks": []}, arms=["full", "lora"])) is None
