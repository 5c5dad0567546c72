from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError, PlanError
from analysis.study.analysis_block import check_plan, parse_plan
from analysis.study.plan import Comparison

ARMS = ("full", "lora-r2", "lora-r8")


def said(block: Any, claims: Any = None, arms: tuple[str, ...] = ARMS) -> dict[str, str]:
    return {str(problem).partition(":")[0]: problem.message for problem in check_plan(block, claims, arms=arms)}


def test_an_empty_block_takes_every_default_and_the_first_arm_as_baseline() -> None:
    plan = parse_plan({}, arms=ARMS)
    assert plan.model_dump() == {
        "metric": "accuracy",
        "baseline": "full",
        "comparisons": (),
        "margin": 0.01,
        "alpha": 0.05,
        "correction": "holm",
        "variance": "pooled",
        "failed_trials": "refuse",
        "looks": (),
    }
    assert parse_plan(None, arms=ARMS) == plan


def test_the_block_of_the_design_is_read_as_it_stands() -> None:
    block = {
        "metric": "accuracy",
        "baseline": "full",
        "comparisons": [{"treatment": "lora-r2", "baseline": "lora-r8"}],
        "margin": 0.01,
        "alpha": 0.05,
        "correction": "holm",
        "variance": "pooled",
        "failed_trials": "drop_seed",
    }
    plan = parse_plan(block, arms=ARMS)
    assert plan.failed_trials == "drop_seed"
    assert plan.comparisons == (Comparison(treatment="lora-r2", baseline="lora-r8"),)
    assert check_plan(block, None, arms=ARMS) == []


def test_all_problems_come_in_one_report_each_with_its_path() -> None:
    block = {
        "margn": 0.1,
        "margin": 2,
        "alpha": True,
        "metric": "acuracy",
        "baseline": "ful",
        "comparisons": [{"treatment": "full", "baseline": "full"}, {"treatment": "lora-r4"}, 5],
        "correction": "none",
        "failed_trials": "drop",
        3: 4,
    }
    messages = said(block)
    assert set(messages) == {
        "analysis.margn",
        "analysis.margin",
        "analysis.alpha",
        "analysis.metric",
        "analysis.baseline",
        "analysis.comparisons[0]",
        "analysis.comparisons[1].treatment",
        "analysis.comparisons[1].baseline",
        "analysis.comparisons[2]",
        "analysis.correction",
        "analysis.failed_trials",
        "analysis[3]",
    }
    assert "did you mean 'margin'?" in messages["analysis.margn"]
    assert "got 2" in messages["analysis.margin"]
    assert "got True" in messages["analysis.alpha"]
    assert "did you mean 'accuracy'?" in messages["analysis.metric"]
    assert "did you mean 'full'?" in messages["analysis.baseline"]
    assert "two different arms" in messages["analysis.comparisons[0]"]
    assert "did you mean 'lora-r" in messages["analysis.comparisons[1].treatment"]
    assert "required" in messages["analysis.comparisons[1].baseline"]
    assert "a mapping {treatment: ARM, baseline: ARM}, got 5" in messages["analysis.comparisons[2]"]
    assert "'holm'" in messages["analysis.correction"]
    assert "did you mean 'drop_seed'?" in messages["analysis.failed_trials"]


@pytest.mark.parametrize(
    ("short", "meant"), [("acc", "accuracy"), ("f1", "macro_f1"), ("mc", "mcc"), ("bal", "balanced_accuracy")]
)
def test_a_short_form_of_a_metric_is_understood(short: str, meant: str) -> None:
    assert said({"metric": short})["analysis.metric"].endswith(f"got {short!r}; did you mean {meant!r}?")


@pytest.mark.parametrize("margin", [0, 1, -0.01, float("nan"), float("inf"), "0.01", True, None])
def test_a_margin_outside_its_range_or_type_is_refused(margin: object) -> None:
    assert set(said({"margin": margin})) == {"analysis.margin"}


@pytest.mark.parametrize("alpha", [0, 0.51, -1, "0.05", None])
def test_an_alpha_outside_its_range_or_type_is_refused(alpha: object) -> None:
    assert set(said({"alpha": alpha})) == {"analysis.alpha"}


def test_alpha_may_be_one_half() -> None:
    assert parse_plan({"alpha": 0.5}, arms=ARMS).alpha == 0.5


def test_a_baseline_that_is_empty_says_what_stands_there() -> None:
    assert said({"baseline": None})["analysis.baseline"] == "expected the name of an arm, got nothing"


def test_parse_raises_with_every_problem() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan({"margin": 3, "baseline": "x"}, arms=ARMS)
    assert len(caught.value.problems) == 2
    assert isinstance(caught.value, AnalysisError)
    assert "analysis.margin: expected" in str(caught.value)
    assert "analysis.baseline: expected" in str(caught.value)


def test_no_arm_at_all_is_a_problem_not_a_crash() -> None:
    assert set(said({}, arms=())) == {"arms"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["baseline", "comparisons", "margin", "treatment", "accuracy", "n", "source"])
            | st.integers(0, 3)
            | st.none(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(block=anything, claims=anything)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_checking_never_raises_and_agrees_with_parsing(block: Any, claims: Any) -> None:
    problems = check_plan(block, claims, arms=ARMS)
    assert all(problem.path[0] in ("analysis", "claims") and problem.message for problem in problems)
    if not any(problem.path[0] == "analysis" for problem in problems):
        assert parse_plan(block, arms=ARMS).baseline in ARMS


def test_the_variance_is_pooled_or_pairwise_and_never_nothing() -> None:
    assert parse_plan({"variance": "pairwise"}, arms=ARMS).variance == "pairwise"
    allowed = "expected 'pooled' or 'pairwise'"
    assert said({"variance": "pool"}) == {"analysis.variance": f"{allowed}, got 'pool'; did you mean 'pooled'?"}
    assert said({"variance": None}) == {"analysis.variance": f"{allowed}, got nothing"}
