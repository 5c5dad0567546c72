from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.jsonable import jsonable
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.study.verdict import collapse_rate_limit, decide


def result(*, seeds: int = 5, gap: float = 0.02) -> CrossedResult:
    rng = np.random.default_rng(1)
    made = crossed_test(rng.random((seeds, 40)).round(), rng.random((seeds, 40)).round(), paired=True)
    return replace(made, estimate=gap)


@pytest.mark.parametrize(
    ("gap", "difference_p", "equivalence_p", "label"),
    [
        (0.02, 0.01, 0.9, "better"),
        (-0.02, 0.01, 0.9, "worse"),
        (0.002, 0.01, 0.01, "better, within the margin"),
        (-0.002, 0.01, 0.01, "worse, within the margin"),
        (0.002, 0.4, 0.01, "equivalent"),
        (-0.002, 0.4, 0.01, "equivalent"),
        (0.02, 0.4, 0.4, "undecided"),
        (0.02, 0.05, 0.05, "undecided"),
        (0.02, 0.0499, 0.05, "better"),
    ],
)
def test_the_decision_table(gap: float, difference_p: float, equivalence_p: float, label: str) -> None:
    verdict = decide(result(gap=gap), difference_p=difference_p, equivalence_p=equivalence_p, alpha=0.05)
    assert verdict.label == label
    assert verdict.differs == (difference_p < 0.05)
    assert verdict.direction == (("better" if gap > 0 else "worse") if difference_p < 0.05 else None)
    assert verdict.within_margin == (equivalence_p < 0.05)
    assert (verdict.decided, verdict.undecided) == (label != "undecided", label == "undecided")
    assert jsonable(verdict) == {"label": label, "reason": ""}


def test_alpha_decides() -> None:
    assert decide(result(), difference_p=0.02, equivalence_p=1.0, alpha=0.01).label == "undecided"


@pytest.mark.parametrize(("gap", "label"), [(0.02, "worse"), (-0.02, "better")])
def test_a_loss_is_better_when_it_is_lower(gap: float, label: str) -> None:
    verdict = decide(result(gap=gap), difference_p=0.01, equivalence_p=0.9, alpha=0.05, higher_is_better=False)
    assert verdict.label == label


def test_two_seeds_are_at_most_undecided() -> None:
    verdict = decide(result(seeds=2), difference_p=1e-9, equivalence_p=1e-9, alpha=0.05)
    assert verdict.label == "undecided"
    assert "a verdict needs 3" in verdict.reason
    assert decide(result(seeds=3), difference_p=1e-9, equivalence_p=1.0, alpha=0.05).label == "better"


def test_one_seed_is_no_verdict() -> None:
    verdict = decide(result(seeds=1), difference_p=math.nan, equivalence_p=math.nan, alpha=0.05)
    assert verdict.label == "no verdict"
    assert "one seed" in verdict.reason


def test_arms_that_never_vary_get_no_verdict() -> None:
    same = crossed_test(np.ones((5, 9)), np.ones((5, 9)), paired=True)
    verdict = decide(same, difference_p=same.p_value, equivalence_p=math.nan, alpha=0.05)
    assert verdict.label == "no verdict"
    assert "nothing varies" in verdict.reason


def test_a_refusal_overrules_every_p_value() -> None:
    verdict = decide(result(), difference_p=0.0, equivalence_p=0.0, alpha=0.05, refusal="diverged: lora seed 3")
    assert (verdict.label, verdict.reason) == ("no verdict", "diverged: lora seed 3")
    assert decide(None, difference_p=math.nan, equivalence_p=math.nan, alpha=0.05).label == "no verdict"


def test_an_undefined_p_value_is_never_read_as_not_significant() -> None:
    assert decide(result(), difference_p=math.nan, equivalence_p=0.5, alpha=0.05).label == "no verdict"


def test_the_rate_of_collapse_that_no_collapse_leaves_possible() -> None:
    assert [round(collapse_rate_limit(s), 2) for s in (3, 5, 20)] == [0.63, 0.45, 0.14]
    for s in (1, 3, 20):
        assert (1 - collapse_rate_limit(s)) ** s == pytest.approx(0.05)
    with pytest.raises(ValueError, match="at least one trial"):
        collapse_rate_limit(0)
