"""Power of a study: what it can find, before it runs and after a pilot."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import PlanError
from analysis.methods.crossed import crossed_test
from analysis.methods.looks import thresholds
from analysis.methods.variance import pooled_seed_spread
from analysis.power.new_study import PlannedTest
from analysis.power.planning import Span, plan_comparison
from analysis.power.single_run import mcnemar_power, single_run_detectable_gap
from analysis.power.sizes import detectable_gap_at
from analysis.power.stated_figures import stated_components
from analysis.records.loading import load
from analysis.study.analysis_block import parse_plan
from analysis.study.plan import AnalysisPlan
from analysis.study.power import PlannedComparison, StatedFigures, StudyPower, study_power
from analysis.tables.power import power_tables

ARMS = ["full", "lora-r2", "lora-r8"]


def planned(**block: Any) -> AnalysisPlan:
    return parse_plan(block, arms=ARMS)


def before(**changes: Any) -> StudyPower | None:
    arguments = {"arms": ARMS, "n_seeds": 10, "n_examples": 872, "stated": StatedFigures(), **changes}
    return study_power(arguments.pop("plan", planned()), **arguments)


def test_before_a_run_the_stated_figures_speak() -> None:
    power = before()
    assert power is not None
    middle, low, high = (
        stated_components(seed_sd=sd, discordance=0.08, rerun_discordance=0.05, n_examples=872)
        for sd in (0.01, 0.005, 0.02)
    )
    expected = plan_comparison(
        middle,
        low=low,
        high=high,
        n_seeds=10,
        n_examples=872,
        margin=0.01,
        alpha=0.025,
        power=0.8,
        test=PlannedTest(n_arms=3),
    )
    assert [name for name, _ in power.plans] == ["any comparison"]
    # Hours are NaN before anything has been timed, and NaN equals nothing.
    unpriced: dict[str, Any] = {"hours": 0, "hours_needed": None, "equivalence_hours": None}
    assert replace(power.plans[0].plan, **unpriced) == replace(expected, **unpriced)
    assert power.one_run_gap == single_run_detectable_gap(0.08, 872)
    assert power.one_run_power == mcnemar_power(0.01, 0.08, 872)
    plan = power.plans[0].plan
    assert plan.detectable_gap.low < plan.detectable_gap.value < plan.detectable_gap.high
    assert plan.floor_gap.value < plan.detectable_gap.value


@pytest.mark.parametrize(
    "changes",
    [
        {"n_seeds": 1},
        {"n_examples": None},
        {"arms": ["full"], "plan": parse_plan({}, arms=["full"])},
        {"plan": planned(metric="macro_f1")},
    ],
)
def test_where_nothing_can_be_said_nothing_is(changes: dict[str, Any]) -> None:
    assert before(**changes) is None


def test_figures_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(PlanError, match=r"the stated figures are impossible: .*rerun_discordance=0.2 above"):
        before(stated=StatedFigures(rerun_discordance=0.2))
    with pytest.raises(PlanError, match="the stated figures are impossible: seed_sd"):
        before(stated=StatedFigures(seed_sd=-0.01))
    with pytest.raises(PlanError, match="discordance must lie above 0"):
        before(stated=StatedFigures(discordance=0.0, rerun_discordance=0.0))


def test_after_two_seeds_the_studys_own_figures_speak(study: Any) -> None:
    power = study_power(planned(), arms=ARMS, n_seeds=20, n_examples=400, stated=StatedFigures(), folder=study.root)
    assert power is not None
    assert power.stated is None
    assert power.pilot_seeds == 6
    assert [name for name, _ in power.plans] == ["lora-r2 against full", "lora-r8 against full"]
    outcomes = load(study.root)
    result = crossed_test(
        outcomes.scores("lora-r8"),
        outcomes.scores("full"),
        paired=True,
        spread=pooled_seed_spread([outcomes.scores(arm) for arm in outcomes.arms]),
    )
    plan = power.plans[1].plan
    size = {"n_seeds": 20, "n_examples": 400, "alpha": 0.025}
    expected = plan_comparison(result.components, **size, margin=0.01, test=PlannedTest(n_arms=3))
    assert plan.detectable_gap == expected.detectable_gap
    # A trial with seed s took 10 + s seconds and one more to score: a pair of runs 27 on average.
    assert plan.hours == pytest.approx(20 * 27 / 3600)
    assert math.isnan(power.one_run_gap)


def test_a_pilot_in_packs_prices_seeds_by_their_shares_and_says_so(study: Any) -> None:
    for arm in ARMS:
        for seed in range(6):
            study.pack(arm, seed, 4 if arm == "full" else 12)
    power = study_power(planned(), arms=ARMS, n_seeds=20, n_examples=400, stated=StatedFigures(), folder=study.root)
    assert power is not None
    assert power.pack_sizes == (4, 12)
    assert power.plans[1].plan.hours == pytest.approx(20 * (13.5 / 4 + 13.5 / 12) / 3600)
    source = power_tables(power, planned())[0].notes[0]
    time = "Time: all seeds of both arms, trials in packs of 4 to 12 counted with their share of the pack."
    assert source.endswith(time)


def test_a_pilot_speaks_for_any_metric_and_for_the_arms_that_it_has(study: Any) -> None:
    power = study_power(
        parse_plan({"metric": "brier"}, arms=[*ARMS, "new"]),
        arms=[*ARMS, "new"],
        n_seeds=8,
        n_examples=None,
        stated=StatedFigures(),
        folder=study.root,
    )
    assert power is not None
    assert [name for name, _ in power.plans] == ["lora-r2 against full", "lora-r8 against full"]
    assert power.n_comparisons == 3


def test_one_seed_or_a_spoilt_folder_is_no_pilot(study: Any, tmp_path: Path) -> None:
    for arm in ARMS:
        for seed in range(1, 6):
            study.forget(arm, seed)
    power = study_power(planned(), arms=ARMS, n_seeds=8, n_examples=400, stated=StatedFigures(), folder=study.root)
    assert power is not None
    assert power.stated is not None
    (study.root / "study.json").write_text("{")
    again = study_power(planned(), arms=ARMS, n_seeds=8, n_examples=400, stated=StatedFigures(), folder=study.root)
    # NaN equals nothing, but looks alike.
    assert str(again) == str(power)


def test_the_tables_say_what_was_supposed_and_every_figure(study: Any) -> None:
    power = before(plan=planned(looks=[4, 10], margin=0.02))
    assert power is not None
    assert power.looks == tuple(zip((4, 10), thresholds((4, 10), alpha=0.05), strict=True))
    finds, takes, shows = power_tables(power, planned(looks=[4, 10], margin=0.02))
    text = " ".join(finds.notes)
    assert "Assumed, because nothing has run" in text
    assert "SD of 1%" in text
    assert "Looks, with the largest p at which a single comparison is significant: 4 seeds p ≤" in text
    assert "alpha / 2 = 0.025" in text
    assert takes.title == "To find a gap of 2 pp, the margin"
    assert shows.title == "To show equivalence within 2 pp, if the arms are equal"
    equal = power.plans[0].plan.equivalence_seeds
    assert shows.rows[0][2] == f"{equal.value} ({equal.low} to {equal.high})"
    assert finds.rows[0][0] == "any comparison"
    assert finds.rows[0][-1] == "10 × 872"
    assert finds.rows[0][1].endswith(")")
    assert finds.rows[0][4] == "–"
    pilot = study_power(planned(), arms=ARMS, n_seeds=20, n_examples=400, stated=StatedFigures(), folder=study.root)
    assert pilot is not None
    finds, takes, shows = power_tables(pilot, planned())
    assert "From 6 seeds that have run" in finds.notes[0]
    assert finds.notes[0].endswith("Time: all seeds of both arms, one trial at a time.")
    assert [row[0] for row in takes.rows] == ["lora-r2 against full", "lora-r8 against full"]
    assert finds.rows[0][4].endswith("min")
    assert [row[0] for row in shows.rows] == ["lora-r2 against full", "lora-r8 against full"]


def test_a_metric_that_is_no_share_has_no_points(study: Any) -> None:
    plan = planned(metric="log_loss")
    power = study_power(plan, arms=ARMS, n_seeds=8, n_examples=None, stated=StatedFigures(), folder=study.root)
    assert power is not None
    cells = [cell for table in power_tables(power, plan) for row in table.rows for cell in row]
    assert not any("pp" in cell for cell in cells)


def test_the_range_of_the_seed_sd_ends_where_no_accuracy_varies_more() -> None:
    power = before(stated=StatedFigures(seed_sd=0.1))
    assert power is not None
    most = stated_components(seed_sd=(0.05 / 2) ** 0.5, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    high = detectable_gap_at(most, n_seeds=10, n_examples=872, alpha=0.025, test=PlannedTest(n_arms=3))
    assert power.plans[0].plan.detectable_gap.high == pytest.approx(high)


def test_two_seeds_find_nothing_as_they_never_get_a_verdict() -> None:
    power = before(n_seeds=2, plan=planned(margin=0.3))
    assert power is not None
    plan = power.plans[0].plan
    assert (plan.chance.value, plan.chance.high) == (0, 0)
    assert math.isnan(plan.detectable_gap.value)
    assert plan.seeds_needed.value == 3
    assert (plan.equivalence_chance.value, plan.examples_needed.value) == (0, None)
    assert power_tables(power, planned(margin=0.3))[2].rows[0][1] == "0.00"
    assert "never" not in power_tables(power, planned(margin=0.3))[1].rows[0][1]


def test_a_tiny_alpha_breaks_no_plan() -> None:
    power = before(n_seeds=3, plan=planned(alpha=1e-12))
    assert power is not None
    assert math.isnan(power.plans[0].plan.type_m.value)
    power = before(n_seeds=3, plan=planned(alpha=1e-4))
    assert power is not None
    exaggerated = power.plans[0].plan.type_m
    assert all(times > 1 for times in (exaggerated.value, exaggerated.low, exaggerated.high))


def test_a_pilot_can_be_reckoned_on_to_another_test_set(study: Any) -> None:
    power = study_power(
        planned(),
        arms=ARMS,
        n_seeds=8,
        n_examples=400,
        stated=StatedFigures(),
        folder=study.root,
        pilot_examples=20_000,
    )
    assert power is not None
    assert power.plans[0].plan.n_examples == 20_000


@pytest.mark.parametrize(
    ("n_seeds", "n_examples", "margin", "words"),
    [
        (2, 200, 0.02, "2 seeds per arm give an interval, but every verdict stays undecided: a verdict needs 3 seeds."),
        (3, 200, 0.004, "The margin of 0.4 pp is smaller than one test example of 200 (0.5 pp)."),
        (3, 200, 0.005, ""),
    ],
)
def test_what_a_study_is_too_small_for_is_said_before_it_runs(
    n_seeds: int, n_examples: int, margin: float, words: str
) -> None:
    plan = planned(margin=margin)
    power = before(plan=plan, n_seeds=n_seeds, n_examples=n_examples)
    assert power is not None
    notes = [note for note in power_tables(power, plan)[0].notes if "undecided" in note or "smaller than" in note]
    assert notes == ([words] if words else [])


def test_no_gap_is_larger_than_all_of_it() -> None:
    plan = planned()
    power = before(n_seeds=3, n_examples=12)
    assert power is not None
    comparison = replace(power.plans[0].plan, detectable_gap=Span(value=0.66, low=0.34, high=4.0))
    comparison = replace(comparison, floor_gap=Span(value=0.998, low=0.1, high=1.2))
    row = power_tables(replace(power, plans=(PlannedComparison("a", comparison),)), plan)[0].rows[0]
    assert row[1:3] == ("66 pp (34 to more than 100)", "100 pp (10 to more than 100)")


def test_a_floor_that_was_cut_off_at_zero_is_a_range() -> None:
    plan = planned()
    power = before()
    assert power is not None
    never = replace(
        power.plans[0].plan,
        floor_gap=Span(value=0.0, low=0.0, high=0.0061),
        seeds_needed=Span(value=None, low=12, high=None),
        examples_needed=Span(value=900, low=700, high=None),
    )
    finds, takes, _ = power_tables(replace(power, plans=(PlannedComparison("a", never),)), plan)
    assert finds.rows[0][2] == "0 to 0.61 pp"
    assert takes.rows[0][1:3] == ("no number (12 at best)", "900 (700 to never)")


def test_a_study_that_an_older_version_froze_is_planned_as_it_will_be_judged(study: Any) -> None:
    def floors() -> list[float]:
        power = study_power(planned(), arms=ARMS, n_seeds=4, n_examples=400, stated=StatedFigures(), folder=study.root)
        assert power is not None
        return [plan.detectable_gap.value for _, plan in power.plans]

    pooled = floors()
    study.change_manifest(lambda content: content["plan_history"][-1].pop("variance", None))
    outcomes = load(study.root)
    components = crossed_test(
        outcomes.scores("lora-r8"), outcomes.scores("full"), paired=True, before_pooling=True
    ).components
    alone = detectable_gap_at(components, n_seeds=4, n_examples=400, alpha=0.025, test=PlannedTest(before_pooling=True))
    assert floors()[1] == pytest.approx(alone)
    assert floors()[1] != pytest.approx(pooled[1], rel=0.01)
    # Another plan than the frozen one is judged by the rules of today.
    again = study_power(
        planned(margin=0.02), arms=ARMS, n_seeds=4, n_examples=400, stated=StatedFigures(), folder=study.root
    )
    assert again is not None
    assert [plan.detectable_gap.value for _, plan in again.plans] == pytest.approx(pooled)
