"""Look designs: which looks a study is advised to declare, and what the table says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.study.analysis_block import parse_plan
from analysis.study.look_designs import LookDesigns, look_designs
from analysis.study.plan import AnalysisPlan
from analysis.study.power import StatedFigures, StudyPower, study_power
from analysis.tables.look_designs import look_design_table
from harness.cli.plan import _SEED
from harness.study.looks import automatic_looks

ARMS = ("full", "lora-r2", "lora-r8", "frozen")


def planned(n_seeds: int, **block: Any) -> tuple[StudyPower, AnalysisPlan, LookDesigns | None]:
    plan = parse_plan({"baseline": "full", "margin": 0.022} | block, arms=ARMS)
    power = study_power(plan, arms=ARMS, n_seeds=n_seeds, n_examples=2000, stated=StatedFigures())
    assert power is not None
    return power, plan, look_designs(power, plan, ARMS, rng=np.random.default_rng(1))


def advice(n_seeds: int, **block: Any) -> LookDesigns:
    designs = planned(n_seeds, **block)[2]
    assert designs is not None
    return designs


def test_every_design_has_the_power_and_the_advised_one_takes_few_trials() -> None:
    power, _, designs = planned(10)
    assert designs is not None
    assert (designs.gap, designs.power) == (0.022, 0.8)
    needed = power.plans[0].plan.seeds_needed.value
    assert needed is not None
    once, *looked = designs.designs
    assert once.looks == (needed,)
    assert once.at_gap.trials == once.at_twice.trials == once.if_equal.trials == 4 * needed
    assert len(looked) >= 2
    for one in looked:
        assert one.at_gap.shown >= 0.8
        assert needed <= one.looks[-1] <= 1.5 * needed
        assert one.at_twice.trials < 0.75 * once.at_twice.trials
    means = {one.looks: one.mean_trials for one in designs.designs}
    assert means[designs.advised] <= 1.05 * min(means.values())
    assert all(
        len(looks) >= len(designs.advised) for looks, mean in means.items() if mean <= 1.05 * min(means.values())
    )
    # What auto would declare for so many seeds is among them.
    assert any(list(one.looks) == automatic_looks(one.looks[-1]) for one in looked)


def test_the_same_draws_give_the_same_advice_however_many_seeds_the_study_has() -> None:
    assert advice(10) == advice(10) == advice(2)


def test_a_margin_out_of_reach_is_replaced_by_what_the_seeds_find() -> None:
    power, plan, designs = planned(10, margin=0.002)
    assert designs is not None
    assert designs.gap == power.plans[0].plan.detectable_gap.value
    assert designs.designs[0].looks == (10,)
    assert designs.designs[0].at_gap.shown == pytest.approx(0.8, abs=0.05)
    said = " ".join(look_design_table(designs, power, plan).notes)
    assert "No number of seeds that is worth planning finds 0.2 pp, the margin: 2" in said
    assert "the smallest gap that the study's 10 seeds find" in said


def test_declared_looks_stand_beside_the_advised_ones() -> None:
    power, plan, designs = planned(20, looks=[10, 20])
    assert designs is not None
    table = look_design_table(designs, power, plan)
    marks = dict(zip(table.columns[0].cells, table.columns[-1].cells, strict=True))
    assert marks["10, 20"] == "declared"
    assert [looks for looks, mark in marks.items() if mark == "advised"] == [", ".join(map(str, designs.advised))]
    again, plan, designs = planned(20, looks=list(designs.advised))
    assert designs is not None
    assert "advised, declared" in look_design_table(designs, again, plan).columns[-1].cells


def test_the_page_shows_a_table_that_comes_out() -> None:
    plan = parse_plan({"baseline": "full", "margin": 0.02}, arms=ARMS)
    power = study_power(plan, arms=ARMS, n_seeds=20, n_examples=1821, stated=StatedFigures(seed_sd=0.012))
    assert power is not None
    designs = look_designs(power, plan, ARMS, rng=np.random.default_rng(_SEED))
    assert designs is not None
    table = look_design_table(designs, power, plan)
    page = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text("utf-8")
    shown = page.partition(f"```text\n{table.title}\n")[2].partition("```")[0].splitlines()
    cells = [tuple(cell for cell in re.split(r" {2,}", line.strip())) for line in shown if not line.startswith("─")]
    assert cells == [tuple(cell for cell in row if cell) for row in (table.headers, *table.rows)]


def test_the_table_shows_trials_by_what_is_true() -> None:
    power, plan, designs = planned(10)
    assert designs is not None
    table = look_design_table(designs, power, plan)
    assert table.title == "Looks, to find 2.2 pp with 80% power and fewer trials"
    assert table.headers == (
        "Seeds at the looks",
        "Power",
        "Trials at 2.2 pp",
        "At 4.4 pp",
        "If equal",
        "Equal shown",
        "",
    )
    seeds = designs.designs[0].looks[0]
    assert table.rows[0][0] == f"none; {seeds} seeds"
    assert table.rows[0][2:5] == (str(4 * seeds),) * 3


@pytest.mark.parametrize("block", [{"margin": 0.2}, {"correction": "benjamini_hochberg"}])
def test_no_looks_are_advised_where_there_is_no_room_or_no_error_rate(block: dict[str, Any]) -> None:
    assert planned(10, **block)[2] is None


def test_no_looks_are_advised_for_more_seeds_than_are_worth_planning() -> None:
    assert planned(500, margin=0.0001)[2] is None
