"""Where each seed draws its own training set, every result, table and sentence says so; elsewhere none does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import analyze, tables
from analysis.methods.over_seeds import paired_t
from analysis.study.plan import AnalysisPlan
from analysis.study.population import TrainingSets, with_training_sets
from analysis.study.power import StatedFigures, study_power
from analysis.tables.notes import new_seeds
from analysis.tables.power import power_tables
from tests.analysis.conftest import StudyFolder, simulated, write_study

CLAIM = {"source": "s", "model": "embedded/tiny", "n": 60, "accuracy": {"full": "0.8", "lora": "0.7"}}


def study(root: Path, *, n_drawn: int | None) -> StudyFolder:
    scores = simulated(np.random.default_rng(3), {"full": 0.8, "lora": 0.7, "frozen": 0.6}, seeds=4, examples=60)
    plan = {"baseline": "full", "margin": 0.02}
    folder = write_study(root, {arm: np.stack([right, right], 1) for arm, right in scores.items()}, analysis=plan)
    folder.change_manifest(lambda content: content.update(claims=[CLAIM]))
    if n_drawn is not None:
        folder.change_manifest(lambda content: content["data"].update(n_drawn=n_drawn))
    return folder


def populations(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from [part] if key == "generalizes_to" else populations(part)
    elif isinstance(value, list):
        for part in value:
            yield from populations(part)


def test_every_result_names_the_training_sets(tmp_path: Path) -> None:
    report = analyze(study(tmp_path, n_drawn=500).root, resamples=99)
    assert report.training_sets == TrainingSets(size=500, pool=2000)
    named = set(populations(report.to_json()))
    assert {"seeds and training sets", "seeds, training sets and examples"} <= named
    assert not named & {"seeds", "seeds and examples"}
    first = report.comparisons[0]
    assert first.result is not None
    assert first.result.generalizes_to == "seeds, training sets and examples"
    # Two trained models are what they are.
    assert {test.generalizes_to for test in first.mcnemar} == {"examples"}


def test_every_table_names_the_training_sets(tmp_path: Path) -> None:
    report = analyze(study(tmp_path, n_drawn=500).root, resamples=99)
    built = {table.title: table for table in tables.build(report)}
    cells = {cell for table in built.values() for c in table.columns if c.header == "Speaks about" for cell in c.cells}
    assert cells == {"seeds, training sets and examples", "seeds and training sets", "examples", "these trials", "–"}
    (note,) = (note for note in built["Verdicts"].notes if "training sets" in note)
    assert note == (
        "Verdicts hold over new seeds, new training sets of 500 examples from this pool, and new test examples: each "
        "seed drew its own 500 of 2,000 training examples. Such sets overlap (by 25% on average), so they vary less "
        "than training data collected anew."
    )
    assert note in built["All tests"].notes
    held = "for new seeds, new training sets of 500 examples from this pool on this machine"
    assert any(held in note for note in built["Cost"].notes)
    assert all(
        "training sets of 500 from one pool of 2,000" in table.footer for table in built.values() if table.footer
    )
    (caveat,) = (one.text for one in report.footer.caveats if one.short.startswith("training sets"))
    assert "share 25% of their examples on average" in caveat


def test_a_claim_about_the_whole_training_data_is_no_check(tmp_path: Path) -> None:
    whole = analyze(study(tmp_path / "whole", n_drawn=None).root, resamples=99)
    drawn = analyze(study(tmp_path / "drawn", n_drawn=500).root, resamples=99)
    assert {claim.kind for claim in whole.claims} == {"check"}
    assert {claim.kind for claim in drawn.claims} == {"context"}
    assert {claim.reading for claim in drawn.claims} == {"this study trains each seed on 500 examples of its own"}


def test_a_study_that_draws_none_says_nothing_of_them(tmp_path: Path) -> None:
    drawn, plain = (analyze(study(tmp_path / str(n), n_drawn=n).root, resamples=99) for n in (500, None))
    assert plain.training_sets is None
    assert "training sets" not in tables.markdown(plain)
    # The figures are the same: the scores are.
    assert [one.interval for one in plain.comparisons] == [one.interval for one in drawn.comparisons]


def test_a_plan_names_them_too() -> None:
    plan = AnalysisPlan(baseline="full")
    power = study_power(plan, arms=["full", "lora"], n_seeds=5, n_examples=200, stated=StatedFigures())
    assert power is not None
    speaking = with_training_sets(power)
    assert speaking.plans[0].plan.generalizes_to == "seeds, training sets and examples"
    assert speaking.plans[0].name == power.plans[0].name
    notes = " ".join(power_tables(speaking, plan, over=new_seeds(TrainingSets(50, 200)))[0].notes)
    assert "over new seeds, new training sets of 50 examples from this pool and new examples" in notes
    assert "over new seeds and new examples" in " ".join(power_tables(power, plan)[0].notes)


@pytest.mark.parametrize("population", ["examples", "these trials", "nothing: a description"])
def test_what_no_seed_is_part_of_stays(population: str) -> None:
    result = replace(paired_t([0.8, 0.9], [0.7, 0.9]), generalizes_to=population)
    assert with_training_sets(result) is result
